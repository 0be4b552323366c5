// Text for a terminal: widths in columns, clipping, percentages. Pure functions; nothing here prints.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/base/units.hpp"

namespace sluice::report {

/// Control characters and bytes that are no UTF-8 become '?': names in a file must not steer a terminal. `keep_newlines` spares '\n'.
[[nodiscard]] std::string printable(std::string_view text, bool keep_newlines = false);

/// Columns that printable UTF-8 takes, one a code point (combining and wide characters are rare in operator names and count one).
[[nodiscard]] std::size_t display_width(std::string_view text);

/// `text` in at most `width` columns, its end replaced by "…" when it is longer.
[[nodiscard]] std::string clip(std::string_view text, std::size_t width);
/// The same, cutting the middle: operator names differ at both ends. "encoder.layer.0…self.query"
[[nodiscard]] std::string clip_middle(std::string_view text, std::size_t width);

/// 0.0058 -> "0.58%"; three significant digits, "0%" for 0, "< 0.01%" below that; never rounds up to "100%" or down to "0%".
[[nodiscard]] std::string percent(double share);

/// `share` of `width` columns filled, in eighths of a column: "████▌   ". Out of [0, 1] is clamped.
[[nodiscard]] std::string bar(double share, std::size_t width);

/// 278.24 -> "278.2", 333333 -> "333 k"
[[nodiscard]] std::string rate_text(double per_second);

/// "" for no time at all.
[[nodiscard]] std::string or_empty(Duration time);

/// 12830 -> "12,830"
[[nodiscard]] std::string grouped(std::size_t count);

/// "1 stage", "3 stages"
[[nodiscard]] std::string counted(std::size_t count, std::string_view noun);

}  // namespace sluice::report
