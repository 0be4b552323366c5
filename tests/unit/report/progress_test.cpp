#include "sluice/report/progress.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sluice/report/text.hpp"

namespace sluice::report {
namespace {

constexpr Duration kBest{3'594'000'000}, kBound{3'573'000'000};

TEST(ProgressLine, IsTheOneOfTheDesign) {
    EXPECT_EQ(progress_line("plan", {12.4, "search", kBest, kBound, "local search"}),
              "plan 12.4s  best 3.594 ms  bound 3.573 ms  gap 0.58%  [local search]");
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
    EXPECT_EQ(progress_line("plan", {0.5, "import", std::nullopt, std::nullopt, ""}), "plan 0.5s  [import]");
    EXPECT_EQ(progress_line("bound", {0.5, "cuts", std::nullopt, kBound, "cut"}), "bound 0.5s  bound 3.573 ms  [cut]");
}

TEST(ProgressLine, FitsTheTerminal) {
    for (std::size_t width = 1; width < 90; ++width)
        EXPECT_LE(display_width(progress_line("plan", {12.4, "search", kBest, kBound, "local search"}, width)), width);
}

TEST(EventLine, IsOneLineOfJsonWithNullsForTheUnknown) {
    const std::string line = event_line({1.25, "orders", kBest, std::nullopt, "depth-first"});
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const auto event = nlohmann::json::parse(line);
    EXPECT_EQ(event["t"], 1.25);
    EXPECT_EQ(event["phase"], "orders");
    EXPECT_EQ(event["objective_ps"], kBest.count());
    EXPECT_TRUE(event["bound_ps"].is_null());
    EXPECT_TRUE(event["gap"].is_null());
    EXPECT_EQ(event["source"], "depth-first");
    EXPECT_NEAR(nlohmann::json::parse(event_line({1, "p", kBest, kBound, "s"}))["gap"].get<double>(), 0.0058, 0.0001);
}

}  // namespace
}  // namespace sluice::report
