// A table as aligned text: what `plan` and `inspect` print. Pure; the terminal is somebody else's.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::report {

/// Columns of a bar in a table, of a bar that is a chart of its own, of a note at the end of a row at most.
inline constexpr std::size_t kBarWidth = 12, kChartWidth = 24, kNoteWidth = 80;

enum class Align { left, right };

struct Column {
    std::string title;
    Align align = Align::right;
    std::size_t widest = 0;  // longer cells are clipped in the middle; 0: any width
};

struct Table {
    std::vector<Column> columns;
    std::vector<std::vector<std::string>> rows;  // as many cells as columns each
};

/// Title line and rows, two spaces between columns, `indent` before each line, no trailing spaces. A column with only empty cells is left
/// out.
[[nodiscard]] std::string table_text(const Table& table, std::size_t indent = 0);

}  // namespace sluice::report
