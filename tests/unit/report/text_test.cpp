#include "sluice/report/text.hpp"

#include <gtest/gtest.h>

namespace sluice::report {
namespace {

TEST(Printable, NamesFromFilesCannotSteerATerminal) {
    EXPECT_EQ(printable("layer4.0.conv2"), "layer4.0.conv2");
    EXPECT_EQ(printable("a\x1b[31mred\r\n\t\x7f"), "a?[31mred????");
    EXPECT_EQ(printable("two\nlines\r", true), "two\nlines?");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "?31m");  // CSI as one C1 control character
    EXPECT_EQ(printable("π → 層"), "π → 層");
}

TEST(Printable, BrokenUtf8BecomesQuestionMarks) {
    EXPECT_EQ(printable("\xff"
                        "a"),
              "?a");
    EXPECT_EQ(printable("\xe5\xb1"), "??");            // cut short
    EXPECT_EQ(printable("\xc0\xaf"), "??");            // overlong '/'
    EXPECT_EQ(printable("\xed\xa0\x80"), "???");       // a surrogate
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????");  // beyond U+10FFFF
}

TEST(Clip, KeepsToItsWidthInColumns) {
    EXPECT_EQ(clip("abcdef", 6), "abcdef");
    EXPECT_EQ(clip("abcdefg", 6), "abcde…");
    EXPECT_EQ(clip("ππππ", 3), "ππ…");
    EXPECT_EQ(clip("abc", 0), "");
    EXPECT_EQ(clip_middle("encoder.layer.0.query", 11), "encod…query");
    EXPECT_EQ(clip_middle("short", 11), "short");
    for (std::size_t width = 0; width < 30; ++width) EXPECT_LE(display_width(clip_middle("encöder.läyer.11.quéry", width)), width);
}

TEST(Percent, NeverRoundsAGapAwayOrToAll) {
    EXPECT_EQ(percent(0), "0%");
    EXPECT_EQ(percent(0.0058), "0.58%");
    EXPECT_EQ(percent(0.00000001), "< 0.01%");
    EXPECT_EQ(percent(0.1234), "12.3%");
    EXPECT_EQ(percent(0.99999), "> 99.9%");
    EXPECT_EQ(percent(1), "100%");
    EXPECT_EQ(percent(-0.35), "-35.0%");
}

TEST(Bar, FillsInEighthsAndKeepsItsWidth) {
    EXPECT_EQ(bar(0, 4), "    ");
    EXPECT_EQ(bar(1, 4), "████");
    EXPECT_EQ(bar(0.5, 4), "██  ");
    EXPECT_EQ(bar(0.125, 1), "▏");
    EXPECT_EQ(bar(7, 2), "██");
    EXPECT_EQ(bar(-1, 2), "  ");
    for (int i = 0; i <= 100; ++i) EXPECT_EQ(display_width(bar(i / 100.0, 7)), 7U);
}

TEST(Counts, AreGroupedAndInflected) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(12830), "12,830");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(counted(1, "stage"), "1 stage");
    EXPECT_EQ(counted(3, "stage"), "3 stages");
}

}  // namespace
}  // namespace sluice::report
