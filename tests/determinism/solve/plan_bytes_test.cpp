// Same inputs, seed and evaluations: the same plan and certificate files at any number of threads, `seconds` aside (design §6).
#include <gtest/gtest.h>

#include <set>

#include "sluice/base/random.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/solve.hpp"
#include "tests/support/effort.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::solve {
namespace {

/// Branches of random lengths that fork and join: many orders, many plans of nearly equal cost.
graph::Graph branches(std::uint64_t seed, std::size_t blocks) {
    graph::GraphBuilder builder("branches");
    RandomStream random(seed);
    graph::GivenCosts costs;
    costs.classes.push_back({.name = "fast", .count = 3, .memory = {}, .time = {}});
    std::size_t made = 0;
    const auto add = [&](std::span<const TensorId> inputs, std::span<const ParameterId> parameters) {
        const auto output = builder.add_tensor(sample::tensor("t" + std::to_string(made++), random.between(1, 3000)));
        graph::Operator op;
        op.type = "Op";
        builder.add_operator(op, inputs, std::array{output}, parameters);
        costs.classes[0].time.emplace_back(Duration{random.between(100, 9000)});
        return output;
    };
    TensorId at = builder.add_tensor(sample::tensor("x", 8));
    for (std::size_t block = 0; block < blocks; ++block) {
        const auto weight = builder.add_parameter(
            {.name = "w" + std::to_string(block), .type = graph::DataType::i8, .shape = {}, .bytes = {random.between(0, 200)}});
        std::vector<TensorId> ends;
        for (std::uint64_t branch = 1 + random.below(5); branch-- > 0;) {
            TensorId end = at;
            for (std::uint64_t length = 1 + random.below(6); length-- > 0;) end = add(std::array{end}, std::array{weight});
            ends.push_back(end);
        }
        at = add(ends, {});
    }
    builder.set_given_costs(std::move(costs));
    return std::move(builder).build().value();
}

TEST(Determinism, PlanBytesDoNotDependOnThreads) {
    std::set<std::string> different;
    std::size_t tried = 0;
    for (std::uint64_t seed = 0; seed < 6; seed += test::one_in(3), ++tried) {
        const graph::Graph graph = branches(seed, 12);
        const platform::Platform platform =
            sample::machine({.model = seed % 2 == 0 ? platform::StageModel::serial : platform::StageModel::overlap});
        const auto frozen = sample::freeze(graph, platform, 6);
        std::string first;
        constexpr std::array kThreads{1, 2, 8, 8, 2, 1};
        for (std::size_t i = 0; i < kThreads.size(); i += test::one_in(3)) {
            const int threads = kThreads[i];
            SilentObserver silent;
            const SolveOptions options{.stages = 6,
                                       .max_replicas = seed == 4 ? 3 : 1,
                                       .objective = seed == 2 || seed == 3 ? cost::Objective::latency : cost::Objective::throughput,
                                       .seed = seed,
                                       .threads = threads,
                                       .gap = seed == 5 ? 0.2 : 0.0,
                                       .model = graph.fingerprint()};
            auto result = solve(frozen.problem, options, silent, {.deadline = {}, .evaluations = 150, .stop = {}});
            ASSERT_TRUE(result) << to_text(result.error());
            plan::Plan plan = make_plan(graph, platform, frozen, options, *result);
            plan.termination.seconds = 0;
            const std::string text = plan::to_json_text(plan) + bound::to_json_text(result->certificate, result->certified);
            if (first.empty()) first = text;
            ASSERT_EQ(text, first) << "seed " << seed << ", " << threads << " threads";
        }
        different.insert(first);
    }
    EXPECT_EQ(different.size(), tried);
}

TEST(Determinism, AnotherSeedMayFindAnotherPlan) {
    const graph::Graph graph = branches(3, 14);
    const auto frozen = sample::freeze(graph, sample::machine(), 6);
    std::set<std::string> winners;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        SilentObserver silent;
        const SolveOptions options{.stages = 6, .method = "random", .seed = seed, .threads = 2, .model = graph.fingerprint()};
        const auto result = solve(frozen.problem, options, silent, {.deadline = {}, .evaluations = 20, .stop = {}});
        ASSERT_TRUE(result) << to_text(result.error());
        winners.insert(result->winner + std::to_string(result->cost.bottleneck.count()));
    }
    EXPECT_GT(winners.size(), 1u) << "the seed reaches the planner";
}

}  // namespace
}  // namespace sluice::solve
