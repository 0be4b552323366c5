#include "sluice/onnx/features/einsum.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <string>

namespace sluice::onnx::features {

namespace {

using Label = int;  // a letter; the axes of an ellipsis are 1000, 1001, … counted from the right, so that they align by broadcasting
constexpr Label kEllipsis = 1000;
using Labels = std::set<Label>;

struct Term {
    std::string letters;     // without the ellipsis
    std::size_t before = 0;  // letters before the ellipsis
    bool ellipsis = false;
};

std::optional<Term> parse_term(std::string_view text) {
    Term term;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == ' ') continue;
        if (c == '.') {
            if (term.ellipsis || text.substr(i, 3) != "...") return std::nullopt;
            term.ellipsis = true;
            term.before = term.letters.size();
            i += 2;
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            term.letters += c;
        } else {
            return std::nullopt;
        }
    }
    return term;
}

/// The labels of an operand; sizes are entered into `sizes` (broadcasting keeps the larger).
std::optional<Labels> label(const Term& term, std::span<const std::int64_t> shape, std::map<Label, double>& sizes) {
    if (shape.size() < term.letters.size() || (!term.ellipsis && shape.size() != term.letters.size())) return std::nullopt;
    const std::size_t dots = shape.size() - term.letters.size();
    Labels labels;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        Label name = 0;
        if (term.ellipsis && axis >= term.before && axis < term.before + dots) {
            name = kEllipsis + static_cast<Label>(term.before + dots - 1 - axis);
        } else {
            name = term.letters[axis < term.before || !term.ellipsis ? axis : axis - dots];
        }
        labels.insert(name);
        const auto size = static_cast<double>(shape[axis]);
        const auto [known, added] = sizes.emplace(name, size);
        if (!added && known->second != size) {
            if (known->second != 1 && size != 1) return std::nullopt;
            known->second = known->second == 1 ? size : known->second;
        }
    }
    return labels;
}

double volume_of(const Labels& labels, const std::map<Label, double>& sizes) {
    double volume = 1;
    for (const Label name : labels) volume *= sizes.at(name);
    return volume;
}

}  // namespace

std::optional<std::vector<EinsumStep>> einsum_steps(std::string_view equation, std::span<const std::span<const std::int64_t>> shapes) {
    const std::size_t arrow = equation.find("->");
    std::vector<Labels> operands;
    std::map<Label, double> sizes;
    std::map<Label, int> uses;  // of a letter over all operands, for an output that is left out
    for (const auto part : std::views::split(equation.substr(0, arrow), ',')) {
        const auto term = parse_term(std::string_view(part));
        if (!term || operands.size() == shapes.size()) return std::nullopt;
        const auto labels = label(*term, shapes[operands.size()], sizes);
        if (!labels) return std::nullopt;
        for (const char letter : term->letters) ++uses[letter];
        operands.push_back(*labels);
    }
    if (operands.size() != shapes.size() || operands.empty()) return std::nullopt;

    Labels output;
    if (arrow == std::string_view::npos) {
        for (const auto& [name, size] : sizes) {
            if (name >= kEllipsis || uses[name] == 1) output.insert(name);
        }
    } else {
        const auto term = parse_term(equation.substr(arrow + 2));
        if (!term) return std::nullopt;
        for (const char letter : term->letters) {
            if (!sizes.contains(letter)) return std::nullopt;
            output.insert(letter);
        }
        for (const auto& [name, size] : sizes) {
            if (name >= kEllipsis && term->ellipsis) output.insert(name);
        }
    }

    std::vector<Labels> needed(operands.size(), output);  // after operand i: what the output and later operands name
    for (std::size_t i = operands.size() - 1; i-- > 0;) {
        needed[i] = needed[i + 1];
        needed[i].insert(operands[i + 1].begin(), operands[i + 1].end());
    }
    std::vector<EinsumStep> steps;
    Labels held = operands[0];
    for (std::size_t i = 0; i < operands.size(); ++i) {
        if (i == 0 && operands.size() > 1) continue;  // labels of the first alone are summed with the first product
        Labels all = held;
        all.insert(operands[i].begin(), operands[i].end());
        Labels kept;
        std::ranges::set_intersection(all, needed[i], std::inserter(kept, kept.end()));
        Labels left;
        std::ranges::set_intersection(held, kept, std::inserter(left, left.end()));
        steps.push_back(
            {.volume = volume_of(all, sizes), .rows = volume_of(left, sizes), .binary = i > 0, .contracts = kept.size() < all.size()});
        held = std::move(kept);
    }
    return steps;
}

}  // namespace sluice::onnx::features
