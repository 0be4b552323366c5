#include "sluice/mcm/sample.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "sluice/cost/stage_cost.hpp"
#include "tests/support/chips.hpp"

namespace sluice::mcm {
namespace {

Assignment draw(const ChipProblem& problem, std::uint64_t seed, WalkOrder order = WalkOrder::bisection) {
    RandomStream random(seed);
    ChipSolver solver(problem);
    const auto drawn = sample(solver, {}, walk_order(*problem.costs, order, random), random);
    EXPECT_TRUE(drawn.has_value());
    EXPECT_TRUE(chip_faults(problem, drawn->chips).empty());
    return drawn->chips;
}

cost::StageProblem unjoined(std::size_t count) {
    graph::GraphBuilder builder("unjoined");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "chip";
    given.classes[0].count = 1;
    for (std::size_t v = 0; v < count; ++v) {
        graph::Operator op;
        op.name = std::format("op{}", v);
        op.type = "Alone";
        graph::Parameter parameter;
        parameter.name = std::format("w{}", v);
        parameter.bytes.count = v == 3 ? 3 << 20 : 1 << 20;
        builder.add_operator(std::move(op), {}, {}, std::vector{builder.add_parameter(std::move(parameter))});
        given.classes[0].time.emplace_back(Duration{1});
    }
    builder.set_given_costs(std::move(given));
    const graph::Graph graph = test::detail::must(std::move(builder).build());
    return test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
}

TEST(WalkOrder, EveryNodeOnce) {
    const auto costs = test::bert_like(1, false);
    RandomStream random(1);
    for (const WalkOrder kind : kWalkOrders) {
        auto order = walk_order(costs, kind, random);
        if (kind == WalkOrder::bisection || kind == WalkOrder::from_middle) { EXPECT_EQ(order[0], NodeId(costs.node_count() / 2)); }
        std::ranges::sort(order);
        EXPECT_EQ(order, walk_order(costs, WalkOrder::topological, random));
    }
}

TEST(ChipSolver, IsolatedOperatorsFillEveryChip) {
    const auto costs = unjoined(12);
    std::size_t most = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed)
        for (const WalkOrder order : kWalkOrders)
            most = std::max<std::size_t>(most, std::ranges::max(draw(test::on_chips(costs, 64), seed, order)));
    EXPECT_GT(most, 5u);
}

TEST(ChipSolver, OneChipAndSixtyFour) {
    const auto costs = test::bert_like(12, false);
    for (const bool adjacent : {false, true}) EXPECT_EQ(std::ranges::max(draw(test::on_chips(costs, 1, {.adjacent = adjacent}), 1)), 0);
    std::size_t most = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed)
        most = std::max<std::size_t>(most, std::ranges::max(draw(test::on_chips(costs, 64, {.adjacent = true}), seed)));
    EXPECT_GT(most, 16u);
    // The last chip can be had.
    const auto problem = test::on_chips(costs, 64, {.adjacent = true});
    ChipSolver solver(problem);
    ASSERT_EQ(solver.restrict(NodeId(costs.node_count() - 1), std::uint64_t{1} << 63), 1u);
    EXPECT_EQ(solver.domain(NodeId(0)), 1u);
}

/// All readers of a tensor lie on its chip or the next one, and so does all that lies between them.
TEST(ChipSolver, UnderOneSharedMaskMoreLayersTakeNoMoreChips) {
    const auto last_chips = [](std::size_t layers, bool shared) {
        const auto costs = test::bert_like(layers, shared);
        const auto problem = test::on_chips(costs, 64, {.adjacent = true});
        return std::bit_width(ChipSolver(problem).domain(NodeId(costs.node_count() - 1)));
    };
    EXPECT_EQ(last_chips(3, true), last_chips(12, true));
    EXPECT_LT(last_chips(12, true), 12);
    EXPECT_EQ(last_chips(12, false), 64);
}

TEST(ChipSolver, NothingIsTakenBackInTheDifferenceForm) {
    const auto costs = test::bert_like(12, false);
    const auto problem = test::on_chips(costs, 36, {.adjacent = true});
    ChipSolver solver(problem);
    RandomStream random(4);
    for (int i = 0; i < 100; ++i) {
        const auto drawn = sample(solver, {}, walk_order(costs, WalkOrder::random, random), random);
        ASSERT_TRUE(drawn.has_value());
        EXPECT_EQ(drawn->counts.backtracks, 0u);
        EXPECT_TRUE(chip_faults(problem, drawn->chips).empty());
    }
}

TEST(ChipSolver, SaysWhichOperatorIsTooLarge) {
    const auto costs = unjoined(12);
    auto problem = test::on_chips(costs, 8);
    problem.sram = Bytes{2 << 20};
    ChipSolver solver(problem);
    EXPECT_FALSE(solver.consistent());
    RandomStream random(1);
    const auto drawn = sample(solver, {}, walk_order(costs, WalkOrder::bisection, random), random);
    ASSERT_FALSE(drawn.has_value());
    EXPECT_EQ(drawn.error().kind, DiagnosticKind::infeasible);
    EXPECT_EQ(drawn.error().message, "'op3' needs 3.0 MiB of parameters, a chip has 2.0 MiB");
    problem.sram = Bytes{3 << 20};
    problem.chips = 4;
    EXPECT_EQ(ChipSolver(problem).why().message, "14.0 MiB of parameters do not fit 4 chips of 3.0 MiB");
    problem.chips = 5;
    EXPECT_TRUE(ChipSolver(problem).consistent());
}

/// What is not placed yet must fit what is free everywhere; also after decisions were taken back.
TEST(ChipSolver, ParametersNotPlacedYetNeedRoomSomewhere) {
    graph::GraphBuilder builder("shared");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "chip";
    given.classes[0].count = 1;
    const auto parameter = [&](std::int64_t bytes) {
        graph::Parameter weight;
        weight.name = std::format("w{}", given.classes[0].time.size());
        weight.bytes.count = bytes;
        return builder.add_parameter(std::move(weight));
    };
    const auto add = [&](ParameterId weight) {
        graph::Operator op;
        op.name = std::format("op{}", given.classes[0].time.size());
        op.type = "Alone";
        builder.add_operator(std::move(op), {}, {}, std::vector{weight});
        given.classes[0].time.emplace_back(Duration{1});
    };
    const ParameterId shared = parameter(3);
    add(shared), add(shared);
    for (int i = 0; i < 10; ++i) add(parameter(1));
    builder.set_given_costs(std::move(given));
    const graph::Graph graph = test::detail::must(std::move(builder).build());
    const auto costs = test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
    auto problem = test::on_chips(costs, 5, {.no_skip = false});
    problem.sram = Bytes{3};
    ChipSolver solver(problem);
    for (int walk = 0; walk < 3; ++walk) {
        solver.reset();
        ASSERT_EQ(solver.restrict(NodeId(0), 0b00001), 1u);
        // Each of the ten finds room. But a second copy of `shared` leaves 9 bytes for them all.
        ASSERT_EQ(solver.restrict(NodeId(1), 0b00010), 1u);
        EXPECT_EQ(solver.domain(NodeId(1)), 0b11101u);
    }
}

TEST(ChipSolver, LearnsWhatFailed) {
    const auto costs = unjoined(4);
    const auto problem = test::on_chips(costs, 2);
    ChipSolver solver(problem);
    RandomStream random(1);
    const auto order = walk_order(costs, WalkOrder::random, random);
    solver.learn({NodeId(0), NodeId(1)});
    solver.learn({NodeId(1), NodeId(2)});
    for (int i = 0; i < 50; ++i) {
        const auto drawn = sample(solver, {}, order, random);
        ASSERT_TRUE(drawn.has_value());
        EXPECT_NE(drawn->chips[0], drawn->chips[1]);
        EXPECT_EQ(drawn->chips[0], drawn->chips[2]);
    }
    solver.learn({NodeId(0), NodeId(2)});
    const auto none = sample(solver, {}, order, random);
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().kind, DiagnosticKind::infeasible);
    EXPECT_TRUE(none.error().notes.front().starts_with("rule nogood was the last to fail, at 'op")) << none.error().notes.front();
}

TEST(ChipSolver, LearnsAboutOperatorsThatAreDecidedAlready) {
    const auto costs = unjoined(3);
    const auto two = test::on_chips(costs, 2);
    ChipSolver solver(two);
    solver.learn({NodeId(0), NodeId(1), NodeId(0)});
    EXPECT_EQ(solver.restrict(NodeId(0), 0b01), 1u);
    EXPECT_EQ(solver.domain(NodeId(1)), 0b10u);
    EXPECT_EQ(solver.restrict(NodeId(2), 0b01), 2u);
    // Decisions are forgotten; both lessons are not.
    solver.learn({NodeId(2), NodeId(1)});
    EXPECT_EQ(solver.depth(), 0u);
    for (std::size_t v = 0; v < 3; ++v) EXPECT_EQ(solver.domain(NodeId(v)), 0b11u);
    EXPECT_EQ(solver.restrict(NodeId(1), 0b10), 1u);
    EXPECT_EQ(solver.domain(NodeId(0)), 0b01u);
    EXPECT_EQ(solver.domain(NodeId(2)), 0b01u);

    const auto one = test::on_chips(costs, 1);
    ChipSolver only(one);
    EXPECT_TRUE(only.decided(NodeId(0)));
    only.learn({NodeId(0), NodeId(2)});
    EXPECT_FALSE(only.consistent());
    EXPECT_TRUE(only.why().notes.front().starts_with("rule nogood was the last to fail")) << only.why().notes.front();
}

TEST(ChipSolver, LearnsThatAnOperatorFailsByItself) {
    const auto costs = unjoined(4);
    const auto problem = test::on_chips(costs, 2);
    ChipSolver solver(problem);
    solver.learn({NodeId(2), NodeId(2)});
    EXPECT_FALSE(solver.consistent());
    EXPECT_EQ(solver.why().notes.front(), "rule nogood was the last to fail, at 'op2'");
    solver.learn({NodeId(0), NodeId(1)});
    EXPECT_FALSE(solver.consistent());
}

TEST(Sample, FollowsTheProbabilities) {
    const auto costs = test::bert_like(2, false);
    const auto problem = test::on_chips(costs, 4, {.adjacent = true});
    RandomStream random(3);
    const auto order = walk_order(costs, WalkOrder::bisection, random);
    const Assignment wanted = draw(problem, 9);
    std::vector<float> probabilities(costs.node_count() * 4, 0.0F);
    for (std::size_t v = 0; v < wanted.size(); ++v) probabilities[v * 4 + wanted[v]] = 1;
    ChipSolver solver(problem);
    const auto drawn = sample(solver, probabilities, order, random);
    ASSERT_TRUE(drawn.has_value());
    EXPECT_EQ(drawn->chips, wanted);
    EXPECT_EQ(drawn->log_probability, 0);
}

TEST(Sample, SaysWhenItGivesUp) {
    const auto costs = unjoined(4);
    auto problem = test::on_chips(costs, 3);
    for (std::size_t a = 0; a < 4; ++a)
        for (std::size_t b = 0; b < a; ++b) problem.nogoods.push_back({NodeId(a), NodeId(b)});
    ChipSolver solver(problem);
    RandomStream random(1);
    const auto none = sample(solver, {}, walk_order(costs, WalkOrder::topological, random), random, {.backtracks = 0});
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().kind, DiagnosticKind::stopped);
}

TEST(Fix, NearestOrAnyWhereTheCandidateCannotBe) {
    const auto costs = unjoined(2);
    auto problem = test::on_chips(costs, 2);
    problem.nogoods = {{NodeId(0), NodeId(1)}};
    ChipSolver solver(problem);
    RandomStream random(1);
    const std::vector<NodeId> order{NodeId(0), NodeId(1)};
    const auto fixed = fix(solver, Assignment{1, 1}, order, OpenNodes::nearest, random);
    ASSERT_TRUE(fixed.has_value());
    EXPECT_EQ(fixed->chips, (Assignment{1, 0}));
    EXPECT_EQ(fixed->kept, 1u);
}

TEST(ChipTimes, AreTheObjectiveOfEachStage) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed);
        test::RandomProblemOptions options;
        options.overlap = options.host_link = 0.5;
        const auto costs = test::random_problem(random, options);
        const auto problem = test::on_chips(costs, 3);
        Assignment chips(costs.node_count());
        for (auto& chip : chips) chip = static_cast<std::uint8_t>(random.below(3));
        const auto times = chip_times(problem, chips);
        for (std::size_t c = 0; c < 3; ++c) {
            std::vector<NodeId> stage;
            for (std::size_t v = 0; v < chips.size(); ++v)
                if (chips[v] == c) stage.emplace_back(v);
            EXPECT_EQ(times[c], cost::stage_time(costs.model, cost::stage_terms(costs, stage, ClassId(0))));
        }
        EXPECT_EQ(bottleneck(problem, chips), std::ranges::max(times));
    }
}

TEST(ChipProblem, OfAPlatform) {
    RandomStream random(1);
    const graph::Graph graph = test::random_graph(random);
    platform::Platform platform = platform::given_platform(graph);
    platform.classes[0].count = 65;
    const auto refusal = [&] {
        const auto costs = test::detail::must(cost::freeze(graph, platform)).problem;
        const auto problem = chip_problem(graph, costs, platform);
        return problem ? std::string("none") : problem.error().message;
    };
    EXPECT_EQ(refusal(), std::format("chips lie on a ring or a chain, the topology of '{}' is uniform", platform.name));
    platform.topology = platform::Topology::ring;
    EXPECT_EQ(refusal(), "65 chips, can plan for 1 to 64");
    platform.classes[0].count = 64;
    platform.classes[0].overflow = platform::Overflow::hard;
    platform.classes[0].fast_memory = Bytes{1 << 20};
    const auto costs = test::detail::must(cost::freeze(graph, platform)).problem;
    const auto problem = chip_problem(graph, costs, platform);
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(problem->chips, 64u);
    EXPECT_EQ(problem->sram, Bytes{1 << 20});
    EXPECT_EQ(problem->names.at(0), "op0");
}

}  // namespace
}  // namespace sluice::mcm
