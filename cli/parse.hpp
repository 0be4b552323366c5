// Words -> Arguments, by the table of flags. CLI11 splits the words; the values, their limits and the nearest matches are ours.
#pragma once

#include <span>
#include <string>

#include "cli/arguments.hpp"
#include "cli/flags.hpp"

namespace sluice::cli {

struct Call {
    const Verb* verb = nullptr;  // null: --help, --version or --man of `sluice` itself
    Arguments arguments;
};

/// `words` without the program's name. Every failure is a usage Diagnostic. With --help nothing else is required.
[[nodiscard]] Result<Call> parse_call(std::span<const std::string> words);

}  // namespace sluice::cli
