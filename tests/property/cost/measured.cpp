// Measured costs on random graphs: groups never split, the entries' times are all there and nothing else, files lose nothing.
#include "sluice/cost/measured.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::cost {
namespace {

/// Some operators alone, some in groups, named in every way that works; times of which a fifth are 0.
MeasuredCosts random_costs(const graph::Graph& graph, RandomStream& random) {
    const OperatorNames names(graph);
    MeasuredCosts costs;
    if (random.chance(0.5)) costs.model = graph.fingerprint();
    std::vector<std::size_t> order(graph.operator_count());
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    const std::size_t covered = 1 + random.below(order.size());
    for (std::size_t i = 0; i < covered;) {
        MeasuredEntry entry;
        for (std::size_t left = random.chance(0.6) ? 1 : 1 + random.below(3); left > 0 && i < covered; --left, ++i) {
            const OperatorId id(order[i]);
            entry.operators.emplace_back(random.chance(0.5) ? names.name_of(id) : graph.first_output_name(id));
        }
        entry.time = Duration{test::detail::sometimes_zero(random, 20)};
        entry.spread = random.chance(0.3) ? static_cast<double>(random.below(1000)) / 999 : 0;
        costs.entries.push_back(std::move(entry));
    }
    if (random.chance(0.2)) costs.entries.push_back({{}, "Random", Duration{random.between(0, 20)}, 0});
    return costs;
}

struct Drawn {
    graph::Graph graph;
    platform::Platform platform;
    MeasuredCosts costs;
    FrozenProblem frozen;
    std::int64_t stages = 1;
};

std::optional<Drawn> draw(std::uint64_t seed, const test::RandomProblemOptions& options) {
    RandomStream random(seed, 77);
    graph::Graph graph = test::random_graph(random, options);
    platform::Platform platform = test::random_platform(graph, random, options);
    MeasuredCosts costs = random_costs(graph, random);
    const auto stages = static_cast<std::int64_t>(1 + random.below(4));
    // With two classes some operators run on one only; a group of such has nowhere to go, and that is said.
    auto frozen = freeze(graph, platform, stages, &costs);
    if (!frozen) {
        EXPECT_TRUE(frozen.error().message.find("supports operator") != std::string::npos ||
                    frozen.error().message.find("nothing to plan") != std::string::npos)
            << to_text(frozen.error());
        return std::nullopt;
    }
    return Drawn{std::move(graph), std::move(platform), std::move(costs), std::move(*frozen), stages};
}

TEST(MeasuredProperty, GroupsShareANodeAndTimesAddUp) {
    std::size_t groups = 0, drawn_count = 0;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        SCOPED_TRACE(seed);
        const auto drawn = draw(seed, test::RandomProblemOptions::everything(12));
        if (!drawn) continue;
        ++drawn_count;
        const auto& [graph, platform, costs, frozen, stages] = *drawn;
        const StageProblem& problem = frozen.problem;
        const OperatorNames names(graph);
        std::vector<char> covered(graph.operator_count());
        std::int64_t expected = 0;
        const MeasuredEntry* by_type = nullptr;
        for (const MeasuredEntry& entry : costs.entries) {
            if (!entry.type.empty()) by_type = &entry;
            NodeId node;
            for (const std::string& name : entry.operators) {
                const OperatorId id = names.find(name).value();
                covered[id.index()] = 1;
                const NodeId its = problem.node_of[id.index()];
                if (!its.valid()) continue;
                if (!node.valid()) expected += entry.time.count();
                if (node.valid()) {
                    EXPECT_EQ(node, its);
                    ++groups;
                }
                node = its;
            }
        }
        for (std::size_t o = 0; o < graph.operator_count(); ++o)
            if (!covered[o] && problem.node_of[o].valid())
                expected += by_type ? by_type->time.count() : graph.given_costs()->classes.front().time[o].value_or(Duration{0}).count();
        std::int64_t total = 0;
        for (std::size_t v = 0; v < problem.node_count(); ++v) {
            // A node that the class does not support has no time at all.
            total += problem.classes[0].work[v].count();
            if (problem.classes[0].supported.contains(v)) continue;
            for (OperatorId id : problem.operators[v]) {
                const auto own = graph.given_costs()->classes.front().time[id.index()];
                if (!covered[id.index()]) expected -= by_type ? by_type->time.count() : own.value_or(Duration{0}).count();
            }
            for (const MeasuredEntry& entry : costs.entries)
                for (const std::string& name : entry.operators)
                    if (problem.node_of[names.find(name)->index()] == NodeId(v)) {
                        expected -= entry.time.count();
                        break;
                    }
        }
        EXPECT_EQ(total, expected);
        if (HasFailure()) return;
    }
    EXPECT_GT(drawn_count, 1000u);
    EXPECT_GT(groups, 500u);
}

/// From file to file: planned, written, read, verified with its certificate; the bound holds against every partition.
TEST(MeasuredProperty, PlansAreVerifiedFromTheirFilesAndBoundsHold) {
    std::size_t checked = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        SCOPED_TRACE(seed);
        test::RandomProblemOptions options;  // where the proofs hold
        options.colours = options.replicated = 0.3;
        const auto drawn = draw(seed, options);
        if (!drawn) continue;
        const auto& [graph, platform, costs, frozen, stages] = *drawn;
        solve::SolveOptions solve_options;
        solve_options.stages = stages;
        solve_options.model = graph.fingerprint();
        SilentObserver silent;
        const auto solved = solve::solve(frozen.problem, solve_options, silent, {.deadline = {}, .evaluations = 20, .stop = {}});
        ASSERT_TRUE(solved) << to_text(solved.error());
        const plan::Plan plan = solve::make_plan(graph, platform, frozen, solve_options, *solved);
        const auto parsed = json::parse(plan::to_json_text(plan), "plan.json");
        ASSERT_TRUE(parsed) << to_text(parsed.error());
        const auto again = plan::read_plan(*parsed);
        ASSERT_TRUE(again) << to_text(again.error());
        EXPECT_EQ(*again, plan);
        ASSERT_TRUE(again->costs);
        const auto report = solve::verify(graph, *again, &solved->certificate);
        EXPECT_TRUE(report.valid && report.certified) << (report.failures.empty() ? "" : to_text(report.failures.front()));
        // Without its costs it is another plan.
        plan::Plan without = *again;
        without.costs.reset();
        EXPECT_FALSE(solve::verify(graph, without).valid);
        const Duration best{test::PartitionOptimum(frozen.problem).at(stages, 1)};
        EXPECT_LE(solved->certificate.value, best);
        EXPECT_GE(solved->cost.bottleneck, best);
        ++checked;
        if (HasFailure()) return;
    }
    EXPECT_GT(checked, 200u);
}

}  // namespace
}  // namespace sluice::cost
