// Help in its forms, all from the tables of flags.hpp. Pure: the same table gives the same bytes.
#pragma once

#include <string>

#include "cli/flags.hpp"

namespace sluice::cli {

[[nodiscard]] std::string help_text();
[[nodiscard]] std::string help_text(const Verb& verb);
/// troff, man macros: `sluice --man | man -l -`.
[[nodiscard]] std::string man_page();
/// docs/cli.md; a test holds the file to it.
[[nodiscard]] std::string markdown_page();
/// "sluice 0.1.0"
[[nodiscard]] std::string version_text();

}  // namespace sluice::cli
