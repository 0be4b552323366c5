// Rewrites on real models: what clones free, and plans with rewrites through file and verification.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <format>
#include <iostream>

#include "sluice/mcm/chip_faults.hpp"
#include "sluice/mcm/rewrite/finish.hpp"
#include "sluice/mcm/rewrite/shared_clones.hpp"
#include "sluice/mcm/rewrite/usable_chips.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/verify.hpp"

namespace sluice::solve {
namespace {

const mcm::Rules kNextChip{.memory = false, .adjacent = true};

graph::Graph model(const std::string& name) {
    auto loaded = onnx::load_model(name, {.dimensions = {}, .assume_size = 1});
    EXPECT_TRUE(loaded) << to_text(loaded.error());
    return std::move(loaded->graph);
}

struct Cloned {
    mcm::SharedClones clones;
    graph::Graph graph;
    cost::FrozenProblem frozen;
};

Cloned cloned(const graph::Graph& graph, const platform::Platform& platform) {
    const auto frozen = cost::freeze(graph, platform);
    EXPECT_TRUE(frozen) << to_text(frozen.error());
    mcm::SharedClones clones = mcm::shared_clones(graph, frozen->problem);
    auto made = graph::rewritten(graph, clones.rewrites);
    EXPECT_TRUE(made) << to_text(made.error());
    auto again = cost::freeze(*made, platform);
    EXPECT_TRUE(again) << to_text(again.error());
    return {std::move(clones), std::move(*made), std::move(*again)};
}

mcm::UsableChips usable(const graph::Graph& graph, const cost::StageProblem& costs, const platform::Platform& platform) {
    return mcm::usable_chips(mcm::chip_problem(graph, costs, platform, kNextChip).value());
}

struct Chips {
    mcm::UsableChips before, after;
    mcm::SharedClones clones;
};

Chips chips_of(const graph::Graph& graph, const platform::Platform& platform) {
    const Cloned with = cloned(graph, platform);
    return {usable(graph, cost::freeze(graph, platform)->problem, platform), usable(with.graph, with.frozen.problem, platform),
            with.clones};
}

TEST(ChipRewrites, ClonesOfTheMaskFreeTheLayersOfBert) {
    const auto platform = platform::load_platform("mcm-36").value();
    for (const auto& [name, layers] : {std::pair("zoo:bert-base", 12U), std::pair("zoo:bert-large", 24U)}) {
        const graph::Graph graph = model(name);
        const Chips chips = chips_of(graph, platform);
        EXPECT_LT(chips.before.chips, 36U);
        EXPECT_LT(chips.before.worth, 2.5);  // all layers but the ends of the first and the last lie on two chips
        EXPECT_GT(chips.after.worth, 25);
        ASSERT_TRUE(chips.before.blocking);
        EXPECT_EQ(graph[chips.before.blocking->tensor].name, "mask");
        EXPECT_EQ(chips.before.blocking->readers, layers);
        EXPECT_EQ(chips.before.blocking->usable_without, 36U);
        EXPECT_GT(chips.before.blocking->clone, Duration{0});
        EXPECT_EQ(chips.after.chips, 36U);
        EXPECT_FALSE(chips.after.blocking);
        EXPECT_LT(chips.clones.parameters, Bytes{1024});  // scalars
        std::cout << std::format("{}: {} chips worth {:.2f} -> {} worth {:.2f} with {} clones, {}\n", name, chips.before.chips,
                                 chips.before.worth, chips.after.chips, chips.after.worth, chips.clones.rewrites.size(),
                                 to_text(chips.clones.work));
    }
}

TEST(ChipRewrites, PublishedModels) {
    const std::filesystem::path folder = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/models";
    if (!std::filesystem::exists(folder / "bert_large.onnx")) GTEST_SKIP() << folder << " is not here";
    const auto platform = platform::load_platform("mcm-36").value();
    for (const char* name : {"bert_large.onnx", "bert_base.onnx", "albert_base.onnx.gz", "t5_base.onnx", "gpt2.onnx", "vit_b_16.onnx",
                             "resnet50.onnx", "unet_sd15.onnx.gz"}) {
        if (!std::filesystem::exists(folder / name)) continue;
        const graph::Graph graph = model((folder / name).string());
        const Chips chips = chips_of(graph, platform);
        EXPECT_GE(chips.after.chips, chips.before.chips) << name;
        EXPECT_TRUE(chips.after.chips == 36 || !std::string_view(name).starts_with("bert")) << name;
        std::cout << std::format("{}: {} chips worth {:.2f} -> {} worth {:.2f} with {} clones, {}; before '{}', after '{}'\n", name,
                                 chips.before.chips, chips.before.worth, chips.after.chips, chips.after.worth, chips.clones.rewrites.size(),
                                 to_text(chips.clones.work), chips.before.blocking ? graph[chips.before.blocking->tensor].name : "",
                                 chips.after.blocking ? cloned(graph, platform).graph[chips.after.blocking->tensor].name : "");
    }
}

/// Sliced under relays, finished, written, read and verified: the times are what the search saw, and the paper's rules hold.
TEST(ChipRewrites, AFinishedPlanHolds) {
    const auto platform = platform::load_platform("mcm-36:memory=1GiB").value();
    std::size_t relays = 0, copies = 0;
    for (const char* name : {"zoo:bert-base:layers=4", "zoo:unet", "zoo:inception"}) {
        SCOPED_TRACE(name);
        const graph::Graph graph = model(name);
        const Cloned with = cloned(graph, platform);
        auto problem = mcm::chip_problem(with.graph, with.frozen.problem, platform, {.relay = true}).value();
        const auto sliced = mcm::sliced_orders(problem, {});
        ASSERT_FALSE(sliced.empty());
        for (const bool recompute : {false, true}) {
            const auto finished =
                mcm::finish(graph, with.graph, problem, sliced.front().chips, platform, nullptr, {.recompute = recompute});
            ASSERT_TRUE(finished) << to_text(finished.error());
            EXPECT_TRUE(mcm::chip_faults(finished->problem, finished->chips).empty());
            EXPECT_LE(mcm::bottleneck(finished->problem, finished->chips), sliced.front().bottleneck);
            relays += finished->relays;
            copies += finished->copies;

            cost::Partition partition;
            partition.stages.resize(1U + std::ranges::max(finished->chips));
            for (std::size_t v = 0; v < finished->chips.size(); ++v) partition.stages[finished->chips[v]].nodes.emplace_back(v);
            plan::Plan plan = plan::make_plan(finished->graph, platform, *finished->frozen, partition, 36);
            plan.method = "by-hand";
            plan.model.assume_size = 1;
            EXPECT_EQ(plan.model.fingerprint, graph.fingerprint());
            const auto read = json::parse(plan::to_json_text(plan), "plan.json").and_then(plan::read_plan);
            ASSERT_TRUE(read) << to_text(read.error());
            EXPECT_EQ(*read, plan);
            const VerifyReport report = verify(graph, *read);
            EXPECT_TRUE(report.valid) << (report.failures.empty() ? "" : to_text(report.failures[0]));
            EXPECT_EQ(plan.predicted.bottleneck, mcm::bottleneck(finished->problem, finished->chips));
        }
    }
    EXPECT_GT(relays, 0U);
    EXPECT_GT(copies, 0U);
}

}  // namespace
}  // namespace sluice::solve
