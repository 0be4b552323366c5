#include "sluice/report/table.hpp"

#include <algorithm>
#include <cassert>

#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

void append_line(std::string& out, const Table& table, const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                 std::size_t indent) {
    const std::size_t start = out.size();
    out.append(indent, ' ');
    bool first = true;
    for (std::size_t c = 0; c < cells.size(); ++c) {
        if (widths[c] == 0) continue;
        if (!first) out += "  ";
        first = false;
        const std::size_t padding = widths[c] - display_width(cells[c]);
        if (table.columns[c].align == Align::right) out.append(padding, ' ');
        out += cells[c];
        if (table.columns[c].align == Align::left) out.append(padding, ' ');
    }
    while (out.size() > start && out.back() == ' ') out.pop_back();
    out += '\n';
}

}  // namespace

std::string table_text(const Table& table, std::size_t indent) {
    const std::size_t columns = table.columns.size();
    std::vector<std::vector<std::string>> lines(1);
    for (const Column& column : table.columns) lines[0].push_back(column.title);
    std::vector<std::size_t> widths(columns, 0);
    for (const auto& row : table.rows) {
        assert(row.size() == columns);
        auto& line = lines.emplace_back(row);
        for (std::size_t c = 0; c < columns; ++c) {
            if (table.columns[c].widest > 0) line[c] = clip_middle(line[c], table.columns[c].widest);
            widths[c] = std::max(widths[c], display_width(line[c]));
        }
    }
    for (std::size_t c = 0; c < columns; ++c)
        if (widths[c] > 0) widths[c] = std::max(widths[c], display_width(lines[0][c]));
    std::string out;
    for (const auto& line : lines) append_line(out, table, line, widths, indent);
    return out;
}

}  // namespace sluice::report
