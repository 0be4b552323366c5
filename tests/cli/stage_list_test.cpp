#include "cli/stage_list.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using List = std::vector<std::int64_t>;

TEST(StageList, RangesAndLists) {
    EXPECT_EQ(parse_list("--stages", "7").value(), List{7});
    EXPECT_EQ(parse_list("--stages", "1..4").value(), (List{1, 2, 3, 4}));
    EXPECT_EQ(parse_list("--stages", "8,2,4,2").value(), (List{2, 4, 8}));
    EXPECT_EQ(parse_list("--stages", "2..64*2").value(), (List{2, 4, 8, 16, 32, 64}));
    EXPECT_EQ(parse_list("--stages", "3..20*3,5").value(), (List{3, 5, 9}));
    EXPECT_EQ(parse_list("--stages", "4..15+4").value(), (List{4, 8, 12}));
    EXPECT_EQ(parse_list("--stages", "5..5").value(), List{5});
    EXPECT_EQ(parse_list("--stages", "1..4096").value().size(), 4096u);
}

TEST(StageList, RefusesEverythingElse) {
    for (const char* text :
         {"",       ",",     "1,",     "0",      "-1",    "1..0",   "1...4",    "..",  "1..", "..4",        "a",
          "1..b",   "1..4*", "1..4*1", "1..4+0", "1..4+", "1..4-1", "1..4*2*2", "1.5", " 1",  "1073741825", "99999999999999999999",
          "1..4097"}) {
        const auto list = parse_list("--stages", text);
        ASSERT_FALSE(list) << text;
        EXPECT_EQ(list.error().kind, DiagnosticKind::usage) << text;
    }
}

TEST(StageList, UsualOnesEndAtTheDevices) {
    EXPECT_EQ(usual_stages(1), List{1});
    EXPECT_EQ(usual_stages(4), (List{1, 2, 4}));
    EXPECT_EQ(usual_stages(36), (List{1, 2, 4, 8, 16, 32, 36}));
}

}  // namespace
}  // namespace sluice::cli
