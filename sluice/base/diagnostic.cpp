#include "sluice/base/diagnostic.hpp"

#include <algorithm>
#include <format>
#include <utility>

namespace sluice {

namespace {

/// Optimal string alignment distance: insert, delete, replace, swap of neighbours; case costs nothing.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = std::exchange(last, std::exchange(row, before));
    }
    return last[b.size()];
}

template <typename Text>
Text nearest(std::string_view word, std::span<const Text> candidates) {
    // A long word of somebody's is never a typing error of ours, and costs quadratic time.
    if (word.empty() || word.size() > 200) return {};
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    const Text* found = nullptr;
    for (const Text& candidate : candidates) {
        if (candidate.size() > 200) continue;
        if (const std::size_t distance = edit_distance(word, candidate); distance < best) {
            best = distance;
            found = &candidate;
        }
    }
    return found ? *found : Text{};
}

}  // namespace

std::string_view nearest_match(std::string_view word, std::span<const std::string_view> candidates) { return nearest(word, candidates); }
std::string nearest_match(std::string_view word, std::span<const std::string> candidates) { return nearest(word, candidates); }

std::string to_text(const Diagnostic& diagnostic) {
    std::string text;
    const Location& where = diagnostic.where;
    if (!where.file.empty()) {
        text = where.file + ":";
        if (where.line > 0) text += std::format("{}:", where.line);
        if (where.line > 0 && where.column > 0) text += std::format("{}:", where.column);
        text += " ";
    }
    text += "error: " + diagnostic.message + "\n";
    for (const std::string& note : diagnostic.notes) text += "  note: " + note + "\n";
    if (!diagnostic.help.empty()) text += "  help: " + diagnostic.help + "\n";
    return text;
}

}  // namespace sluice
