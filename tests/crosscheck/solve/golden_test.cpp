// Published inputs of dnn-partitioning (NeurIPS 2020) with the optima of its own exact program (notes/inference 5): no CPU, accelerators
// only, colour classes in one stage, memory hard. The bound alone is below the optimum; planned together, both meet there.
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/graph/workloads.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/solve/solve.hpp"
#include "tests/support/effort.hpp"

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
    {"OperatorGraphs/bert_l-3_inference.json", 8, 27.9186},  {"OperatorGraphs/bert_l-3_inference.json", 16, 27.9186},
    {"OperatorGraphs/bert_l-6_inference.json", 4, 27.9186},  {"OperatorGraphs/bert_l-6_inference.json", 8, 27.9186},
    {"OperatorGraphs/bert_l-6_inference.json", 16, 27.9186}, {"OperatorGraphs/bert_l-12_inference.json", 4, 197.692},
    {"OperatorGraphs/bert_l-12_inference.json", 8, 108.044}, {"OperatorGraphs/bert_l-12_inference.json", 16, 79.977},
    {"OperatorGraphs/resnet50_inference.json", 4, 151.126},  {"OperatorGraphs/resnet50_inference.json", 8, 124.349},
    {"OperatorGraphs/resnet50_inference.json", 16, 124.349},
};

double milliseconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

class GoldenOptima : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenOptima, AreReachedAndProven) {
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
    const cost::StageProblem& problem = frozen->problem;
    ASSERT_EQ(problem.classes[0].overflow, cost::Overflow::hard);
    constexpr double kPrinted = 1e-5;

    // Without a plan to aim at.
    SilentObserver observer;
    const auto bound = bound::find_bound("auto").value()->prove(problem, {.stages = golden.stages}, observer, {});
    ASSERT_TRUE(bound) << bound.error().message;
    const auto objections = bound::check_certificate(problem, bound->certificate);
    ASSERT_TRUE(objections.empty()) << objections.front().message;
    EXPECT_LE(milliseconds(bound->certificate.value), golden.optimum_ms * (1 + kPrinted));
    EXPECT_GE(milliseconds(bound->certificate.value), golden.optimum_ms * 0.999) << "bisections stop short of the optimum by less";

    solve::SolveOptions options;
    options.stages = golden.stages;
    const auto solved = solve::solve(problem, options, observer, {.deadline = {}, .evaluations = 1000, .stop = {}});
    ASSERT_TRUE(solved) << solved.error().message;
    const auto faults = cost::faults_of(problem, solved->partition, golden.stages);
    ASSERT_TRUE(faults.empty()) << faults.front().message;
    const Duration reached = price(problem, solved->partition).bottleneck;
    EXPECT_NEAR(milliseconds(reached), golden.optimum_ms, golden.optimum_ms * kPrinted);
    EXPECT_EQ(solved->certificate.value, reached);
    EXPECT_TRUE(bound::check_certificate(problem, solved->certificate).empty());
    EXPECT_TRUE(solved->certified);
    EXPECT_TRUE(solved->warnings.empty());
    EXPECT_EQ(solved->termination.reason, StopReason::optimal);
    RecordProperty("alone_ms", std::to_string(milliseconds(bound->certificate.value)));
    RecordProperty("kind", std::string(solved->certificate.kind()));
}

std::vector<Golden> tried() {
    std::vector<Golden> some;
    for (std::size_t i = 0; i < std::size(kGolden); i += test::one_in(4)) some.push_back(kGolden[i]);
    return some;
}

INSTANTIATE_TEST_SUITE_P(Msr, GoldenOptima, ::testing::ValuesIn(tried()), [](const auto& test) {
    std::string name = std::string(test.param.file) + "_k" + std::to_string(test.param.stages);
    std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return name;
});

}  // namespace
}  // namespace sluice
