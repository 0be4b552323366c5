// What a user caused, as a value: what, where, why in numbers, how to fix. The library returns these and never prints.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Decides the exit code (design §6).
enum class DiagnosticKind {
    input,         // a file, model, plan or platform is not usable: exit 1
    usage,         // the call itself is wrong: exit 2
    infeasible,    // proven that no plan exists: exit 3
    verification,  // a plan or certificate is not what it claims: exit 5
    stopped,       // interrupted before anything could be kept: exit 130
    internal       // a library below failed, or a promise of ours was broken: exit 1
};

struct Location {
    std::string file;        // empty: not about a file
    std::size_t line = 0;    // 1-based; 0: unknown or a binary file
    std::size_t column = 0;  // 1-based; 0: unknown
    friend bool operator==(const Location&, const Location&) = default;
};

struct Diagnostic {
    DiagnosticKind kind = DiagnosticKind::input;
    std::string message;  // what is wrong, in numbers: "stage 3 needs 11.2 MiB of parameters, the chip has 8 MiB"
    Location where;
    std::vector<std::string> notes;  // why: "6.1 MiB come from 'layer4.0.conv2'"
    std::string help;                // how to fix; may be empty

    Diagnostic&& at(Location location) && {
        where = std::move(location);
        return std::move(*this);
    }
    Diagnostic&& note(std::string text) && {
        notes.push_back(std::move(text));
        return std::move(*this);
    }
    Diagnostic&& fix(std::string text) && {
        help = std::move(text);
        return std::move(*this);
    }
};

template <typename T>
using Result = std::expected<T, Diagnostic>;

[[nodiscard]] inline Diagnostic input_error(std::string message) { return {DiagnosticKind::input, std::move(message), {}, {}, {}}; }
[[nodiscard]] inline Diagnostic usage_error(std::string message) { return {DiagnosticKind::usage, std::move(message), {}, {}, {}}; }
[[nodiscard]] inline Diagnostic verification_error(std::string message) {
    return {DiagnosticKind::verification, std::move(message), {}, {}, {}};
}
[[nodiscard]] inline Diagnostic internal_error(std::string message) { return {DiagnosticKind::internal, std::move(message), {}, {}, {}}; }

/// `return fail(input_error("…").at({path, line}).fix("…"));`
[[nodiscard]] inline std::unexpected<Diagnostic> fail(Diagnostic diagnostic) { return std::unexpected(std::move(diagnostic)); }

/// The candidate nearest to `word` by edit distance, or empty when none is near enough to be meant (distance <= 1/3 of its length, at least
/// 1).
[[nodiscard]] std::string_view nearest_match(std::string_view word, std::span<const std::string_view> candidates);
[[nodiscard]] std::string nearest_match(std::string_view word, std::span<const std::string> candidates);

/// The diagnostic as the terminal shows it: "file:line: error: …\n  note: …\n  help: …\n".
[[nodiscard]] std::string to_text(const Diagnostic& diagnostic);

}  // namespace sluice
