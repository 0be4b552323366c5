#include "sluice/report/table.hpp"

#include <gtest/gtest.h>

namespace sluice::report {
namespace {

TEST(Table, AlignsByColumnsNotBytes) {
    const Table table{{{"name", Align::left}, {"time"}}, {{"µ-op", "3.5 ms"}, {"b", "12.25 ms"}}};
    EXPECT_EQ(table_text(table),
              "name      time\n"
              "µ-op    3.5 ms\n"
              "b     12.25 ms\n");
}

TEST(Table, LeavesOutColumnsWithoutContentAndTrailingSpaces) {
    const Table table{{{"stage"}, {"spill"}, {"bar", Align::left}}, {{"1", "", "██  "}, {"2", "", "█   "}}};
    EXPECT_EQ(table_text(table, 2),
              "  stage  bar\n"
              "      1  ██\n"
              "      2  █\n");
}

TEST(Table, ClipsWideCellsInTheMiddle) {
    const Table table{{{"operator", Align::left, 9}, {"n"}}, {{"encoder.layer.query", "1"}}};
    EXPECT_EQ(table_text(table),
              "operator   n\n"
              "enco…uery  1\n");
}

TEST(Table, WithoutRowsIsOnlyEmpty) { EXPECT_EQ(table_text({{{"a"}, {"b"}}, {}}), "\n"); }

}  // namespace
}  // namespace sluice::report
