// Words for a shell: hints and completions must survive being pasted.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cli {

/// A word as a POSIX shell takes it: as it is where that is safe, else in single quotes.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace sluice::cli
