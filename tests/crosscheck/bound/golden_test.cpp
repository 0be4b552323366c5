// Published inputs of dnn-partitioning (NeurIPS 2020) with the optima of its own exact program (notes/inference 5): no CPU, accelerators
// only. bound <= optimum <= plan.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/workloads.hpp"
#include "sluice/inference/registry.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice {
namespace {

struct Golden {
    const char* file;
    std::int64_t stages;
    double optimum_ms;  // six digits were printed
};

constexpr Golden kGolden[] = {
    {"LayerGraphs/bert24_inference.json", 4, 24.9169},       {"LayerGraphs/bert24_inference.json", 8, 14.2039},
    {"LayerGraphs/bert24_inference.json", 16, 7.19591},      {"LayerGraphs/gnmt_inference.json", 4, 47.1607},
    {"LayerGraphs/gnmt_inference.json", 8, 25.8496},         {"LayerGraphs/gnmt_inference.json", 16, 24.7881},
    {"LayerGraphs/resnet50_inference.json", 4, 50.9899},     {"LayerGraphs/resnet50_inference.json", 8, 26.7612},
    {"LayerGraphs/resnet50_inference.json", 16, 18.9979},    {"OperatorGraphs/bert_l-3_inference.json", 4, 27.9186},
    {"OperatorGraphs/bert_l-3_inference.json", 8, 27.9186},  {"OperatorGraphs/bert_l-6_inference.json", 4, 27.9186},
    {"OperatorGraphs/bert_l-6_inference.json", 8, 27.9186},  {"OperatorGraphs/bert_l-12_inference.json", 4, 197.692},
    {"OperatorGraphs/bert_l-12_inference.json", 8, 108.044}, {"OperatorGraphs/bert_l-12_inference.json", 16, 79.977},
    {"OperatorGraphs/resnet50_inference.json", 4, 151.126},  {"OperatorGraphs/resnet50_inference.json", 8, 124.349},
    {"OperatorGraphs/resnet50_inference.json", 16, 124.349},
};

double milliseconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

class GoldenOptima : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenOptima, LieBetweenBoundAndPlan) {
    const std::filesystem::path folder = SLUICE_SOURCE_DIR "/../shared/workloads/msr";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not here: published workloads are not part of the repository";
    const Golden& golden = GetParam();
    const auto document = json::parse_file(folder / golden.file);
    ASSERT_TRUE(document) << document.error().message;
    const auto graph = graph::read_msr(*document, golden.file);
    ASSERT_TRUE(graph) << graph.error().message;
    platform::Platform platform = platform::given_platform(*graph);
    platform.classes.resize(1);
    const auto frozen = cost::freeze(*graph, platform, golden.stages);
    ASSERT_TRUE(frozen) << frozen.error().message;

    SilentObserver observer;
    const auto bound = bound::find_bound("auto").value()->prove(frozen->problem, {.stages = golden.stages}, observer, {});
    ASSERT_TRUE(bound) << bound.error().message;
    const auto objections = bound::check_certificate(frozen->problem, bound->certificate);
    ASSERT_TRUE(objections.empty()) << objections.front().message;
    const auto plan = inference::find_planner("auto").value()->plan(frozen->problem, {.stages = golden.stages}, observer,
                                                                    {.deadline = {}, .evaluations = 100, .stop = {}});
    ASSERT_TRUE(plan) << plan.error().message;
    const auto faults = cost::faults_of(frozen->problem, plan->partition, golden.stages);
    ASSERT_TRUE(faults.empty()) << faults.front().message;
    const double low = milliseconds(bound->certificate.value), high = milliseconds(price(frozen->problem, plan->partition).bottleneck);
    RecordProperty("bound_ms", std::to_string(low));
    RecordProperty("plan_ms", std::to_string(high));
    constexpr double kPrinted = 1e-5;
    EXPECT_LE(low, golden.optimum_ms * (1 + kPrinted));
    EXPECT_GE(high, golden.optimum_ms * (1 - kPrinted));
    EXPECT_LE(high, golden.optimum_ms * 1.01) << "slicing finds all of these optima today";
}

INSTANTIATE_TEST_SUITE_P(Msr, GoldenOptima, ::testing::ValuesIn(kGolden), [](const auto& test) {
    std::string name = std::string(test.param.file) + "_k" + std::to_string(test.param.stages);
    std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return name;
});

}  // namespace
}  // namespace sluice
