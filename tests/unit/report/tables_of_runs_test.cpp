// compare and sweep as text and JSON: rows made by hand.
#include <gtest/gtest.h>

#include "sluice/base/json.hpp"
#include "sluice/report/compare_text.hpp"
#include "sluice/report/sweep_text.hpp"

namespace sluice::report {
namespace {

solve::MethodRow found(std::string method, std::int64_t bottleneck) {
    solve::MethodRow row{.method = std::move(method)};
    row.partition.stages.resize(2);
    row.cost.bottleneck = Duration{bottleneck};
    row.cost.latency = Duration{2 * bottleneck};
    row.termination = {.reason = StopReason::finished, .seconds = 1.5, .evaluations = 1234};
    return row;
}

solve::BoundRow proven(std::int64_t value, bool certified = true) {
    solve::BoundRow row{.bound = "cut"};
    row.certificate = bound::Certificate{.problem = {}, .model = {}, .value = Duration{value}, .witness = bound::TotalWorkWitness{}};
    row.certified = certified;
    return row;
}

std::vector<solve::MethodRow> three_methods() {
    std::vector<solve::MethodRow> rows{found("slow", 4'000'000'000), found("fast", 2'000'000'000), {.method = "stuck"}};
    rows[2].failure = input_error("no room\x1b[31m");
    return rows;
}

TEST(CompareText, RowsRatiosAndTheGap) {
    const auto methods = three_methods();
    const std::vector bounds{proven(1'500'000'000)};
    const std::string text = compare_text({.methods = methods, .bounds = bounds});
    EXPECT_NE(text.find("slow      4.000 ms   2.0000"), std::string::npos) << text;
    EXPECT_NE(text.find("1,234"), std::string::npos) << text;
    EXPECT_NE(text.find("no room?[31m"), std::string::npos) << text;  // names in files steer no terminal
    EXPECT_NE(text.find("gap    25.0%"), std::string::npos) << text;
    EXPECT_NE(text.find("best   2.000 ms, fast"), std::string::npos) << text;
    EXPECT_EQ(text.find("certificate"), std::string::npos) << text;
    EXPECT_NE(compare_text({.methods = methods, .bounds = bounds, .bound_table = true}).find("certificate"), std::string::npos);
}

TEST(CompareText, ABoundThatIsNotCertifiedIsNoBound) {
    const auto methods = three_methods();
    std::vector bounds{proven(1'900'000'000, false), proven(1'500'000'000)};
    bounds[0].failure = Diagnostic{DiagnosticKind::internal, "refused", {}, {}, {}};
    const std::string text = compare_text({.methods = methods, .bounds = bounds, .bound_table = true});
    EXPECT_NE(text.find("bound  1.500 ms"), std::string::npos) << text;
    EXPECT_NE(text.find("refused"), std::string::npos) << text;
}

TEST(CompareText, JsonHasTheKeysThatScriptsRelyOn) {
    const auto methods = three_methods();
    const std::vector bounds{proven(1'500'000'000)};
    const auto list = json::parse(compare_json({.methods = methods, .bounds = bounds}), "out").value();
    const auto& rows = **list.as_array();
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0].find("ratio_to_best")->as_number().value(), 2);
    EXPECT_EQ(rows[1].find("bottleneck_ps")->as_int().value(), 2'000'000'000);
    EXPECT_EQ(rows[1].find("gap")->as_number().value(), 0.25);
    EXPECT_TRUE(rows[1].find("iteration_ps")->is_null());
    EXPECT_TRUE(rows[2].find("bottleneck_ps")->is_null());
    EXPECT_EQ(rows[2].find("error")->as_string().value(), "no room\x1b[31m");
    const auto both = json::parse(compare_json({.methods = methods, .bounds = bounds, .bound_table = true}), "out").value();
    EXPECT_EQ((*both.find("bounds")->as_array())->front().find("ratio_to_best_plan")->as_number().value(), 0.75);
}

TEST(CompareText, NothingFound) {
    const std::vector<solve::MethodRow> methods{{.method = "stuck"}};
    EXPECT_NE(compare_text({.methods = methods, .bounds = {}}).find("stuck"), std::string::npos);
    EXPECT_TRUE((**json::parse(compare_json({.methods = methods, .bounds = {}}), "out")->as_array())[0].find("gap")->is_null());
}

solve::SweepPoint point(std::int64_t stages, std::int64_t bottleneck, std::int64_t bound) {
    solve::SweepPoint point{.stages = stages};
    point.result.emplace();
    point.result->partition.stages.resize(static_cast<std::size_t>(stages));
    point.result->cost.bottleneck = Duration{bottleneck};
    point.result->certificate = {.problem = {}, .model = {}, .value = Duration{bound}, .witness = bound::TotalWorkWitness{}};
    point.result->certified = true;
    return point;
}

TEST(SweepText, WhereMoreStagesStopToHelp) {
    std::vector points{point(1, 4'000'000'000, 4'000'000'000), point(2, 2'000'000'000, 2'000'000'000),
                       point(3, 2'000'000'000, 1'000'000'000)};
    std::string text = sweep_text(points, cost::Objective::throughput, false);
    EXPECT_NE(text.find("best    2 stages: 2.000 ms, 500 inferences/s"), std::string::npos) << text;
    EXPECT_NE(text.find("nothing better was found up to k = 3"), std::string::npos) << text;
    points[2].result->certificate.value = Duration{2'000'000'000};
    text = sweep_text(points, cost::Objective::throughput, false);
    EXPECT_NE(text.find("proven: no plan is better up to k = 3"), std::string::npos) << text;
    EXPECT_EQ(text.find("█"), std::string::npos) << text;
    text = sweep_text(points, cost::Objective::throughput, true);
    EXPECT_NE(text.find("s  ████████████\n"), std::string::npos) << text;  // half of the best
    EXPECT_NE(text.find("████████████████████████ best"), std::string::npos) << text;
    points.pop_back();
    EXPECT_EQ(sweep_text(points, cost::Objective::throughput, false).find("beyond"), std::string::npos);
}

TEST(SweepText, WhatIsImpossibleIsARow) {
    const std::vector<solve::SweepPoint> points{{.stages = 1, .failure = input_error("too large")}, point(2, 2'000'000'000, 1'000'000'000)};
    EXPECT_NE(sweep_text(points, cost::Objective::throughput, true).find("too large"), std::string::npos);
    const auto list = json::parse(sweep_json(points, cost::Objective::throughput), "out").value();
    const auto& rows = **list.as_array();
    EXPECT_EQ(rows[0].find("error")->as_string().value(), "too large");
    EXPECT_TRUE(rows[0].find("bottleneck_ps")->is_null());
    EXPECT_EQ(rows[1].find("gap")->as_number().value(), 0.5);
    EXPECT_EQ(rows[1].find("throughput_per_s")->as_number().value(), 500);
    for (const auto& member : **rows[1].as_object()) EXPECT_NE(rows[0].find(member.first), nullptr) << member.first;
}

}  // namespace
}  // namespace sluice::report
