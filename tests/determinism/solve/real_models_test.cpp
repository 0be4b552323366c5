// Real models, end to end through the library: the plan file is the same at any number of threads, reads back as it was written, and verify
// accepts it with its certificate. Zoo models always; the published workloads where the shared folder lies beside the checkout.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "sluice/onnx/load_model.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/chips.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/support/effort.hpp"

namespace sluice::solve {
namespace {

namespace fs = std::filesystem;

const fs::path kWorkloads = fs::path(SLUICE_SOURCE_DIR) / ".." / "shared" / "workloads";

struct Made {
    plan::Plan plan;
    bound::Certificate certificate;
    bool certified = false;
    std::vector<Diagnostic> warnings;
};

Result<Made> make(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages, std::int64_t evaluations,
                  int threads) {
    SilentObserver silent;
    const Limits limits{.deadline = {}, .evaluations = evaluations, .stop = {}};
    if (platform.chip_rules) {
        const ChipSolveOptions options{.seed = 3, .threads = threads};
        auto result = solve_chips(graph, platform, nullptr, options, silent, limits);
        if (!result) return fail(std::move(result.error()));
        return Made{make_chip_plan(platform, options, *result), result->certificate, result->certified, result->warnings};
    }
    const auto frozen = cost::freeze(graph, platform, stages);
    if (!frozen) return fail(frozen.error());
    const SolveOptions options{.stages = stages, .seed = 3, .threads = threads, .model = graph.fingerprint()};
    auto result = solve(frozen->problem, options, silent, limits);
    if (!result) return fail(std::move(result.error()));
    return Made{make_plan(graph, platform, *frozen, options, *result), result->certificate, result->certified, result->warnings};
}

void expect_one_true_plan(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages, std::int64_t evaluations) {
    std::string first;
    for (const int threads : {2, 1, 8}) {
        auto made = make(graph, platform, stages, evaluations, threads);
        ASSERT_TRUE(made) << to_text(made.error());
        EXPECT_TRUE(made->warnings.empty());
        EXPECT_TRUE(made->certified);
        plan::Plan& plan = made->plan;
        plan.termination.seconds = 0;
        const std::string text = plan::to_json_text(plan);
        const std::string proof = bound::to_json_text(made->certificate, made->certified);
        if (!first.empty()) {
            ASSERT_EQ(text + proof, first) << threads << " threads";
            continue;
        }
        first = text + proof;

        const auto document = json::parse(text, "plan.json");
        ASSERT_TRUE(document) << to_text(document.error());
        const auto again = plan::read_plan(*document);
        ASSERT_TRUE(again) << to_text(again.error());
        EXPECT_EQ(*again, plan);
        const auto certificate = bound::read_certificate(*json::parse(proof, "certificate.json"));
        ASSERT_TRUE(certificate) << to_text(certificate.error());
        const VerifyReport report = verify(graph, *again, &*certificate);
        EXPECT_TRUE(report.valid) << to_text(report.failures.front());
        EXPECT_TRUE(report.certified);
    }
}

class ZooModels : public ::testing::TestWithParam<const char*> {};

TEST_P(ZooModels, PlanTheSameAtAnyThreads) {
    const auto model = onnx::load_model(GetParam());
    ASSERT_TRUE(model) << to_text(model.error());
    for (const char* platform : {"asic-16", "asic-16:memory=1MiB", "edge-chain-4", "mcm-36"}) {
        const auto machine = platform::load_platform(platform);
        ASSERT_TRUE(machine) << to_text(machine.error());
        SCOPED_TRACE(platform);
        expect_one_true_plan(model->graph, *machine, 4, 12);
    }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooModels,
                         ::testing::Values("zoo:bert-base:layers=2,hidden=64,heads=4,ff=128,vocab=1000", "zoo:residual:blocks=3",
                                           "zoo:inception", "zoo:chain:layers=9"));

std::vector<std::string> workloads() {
    std::vector<std::string> files;
    for (const char* folder : {"msr/LayerGraphs", "msr/OperatorGraphs", "pipedream", "piper"}) {
        std::error_code absent;
        for (const auto& entry : fs::directory_iterator(kWorkloads / folder, absent))
            if (const auto name = entry.path().filename().string(); name.ends_with(".json") || name.ends_with(".graph.txt"))
                files.push_back(entry.path().string());
    }
    std::ranges::sort(files);
    return files;
}

TEST(Workloads, PlanTheSameAtAnyThreads) {
    const auto files = workloads();
    if (files.empty()) GTEST_SKIP() << "no workloads in " << kWorkloads.string();
    for (std::size_t i = 0; i < files.size(); i += test::one_in(8)) {
        const std::string& file = files[i];
        SCOPED_TRACE(file);
        const auto model = onnx::load_model(file);
        ASSERT_TRUE(model) << to_text(model.error());
        expect_one_true_plan(model->graph, platform::given_platform(model->graph), 4, 8);
    }
}

}  // namespace
}  // namespace sluice::solve
