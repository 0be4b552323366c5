// Shell completions from the tables of flags.hpp. Pure.
#pragma once

#include <string>

namespace sluice::cli {

[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();
[[nodiscard]] std::string fish_completion();

}  // namespace sluice::cli
