// Randomised: a valid plan of a random graph, the graph edited (operators inserted, deleted, renamed, rewired), the plan adapted to it.
// Where neither memory nor support nor class counts can be against it, the result is always a valid partition within the devices asked for.
#include "sluice/plan/adapt.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "sluice/solve/solve.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::solve {
namespace {

/// A graph that can be changed: operators with the tensors they read and make, by name.
struct Sketch {
    struct Op {
        std::vector<std::string> inputs = {}, outputs = {};
        Duration time{1};
        std::optional<std::uint32_t> colour = {};
        bool replicated = false;
    };
    std::vector<Op> ops;
    int fresh = 0;

    explicit Sketch(const graph::Graph& graph) {
        for (std::size_t v = 0; v < graph.operator_count(); ++v) {
            const OperatorId id(v);
            Op op{.time = graph.given_costs()->classes[0].time[v].value_or(Duration{1}),
                  .colour = graph[id].colour,
                  .replicated = graph[id].replicated};
            for (const TensorId t : graph.inputs(id))
                if (graph.producer(t).valid()) op.inputs.push_back(graph[t].name);
            for (const TensorId t : graph.outputs(id)) op.outputs.push_back(graph[t].name);
            ops.push_back(std::move(op));
        }
    }

    [[nodiscard]] bool reads(std::size_t reader, std::size_t maker) const {
        return std::ranges::any_of(ops[maker].outputs, [&](const auto& name) { return std::ranges::contains(ops[reader].inputs, name); });
    }
    [[nodiscard]] bool reaches(std::size_t from, std::size_t to) const {
        std::vector<char> seen(ops.size());
        std::vector<std::size_t> stack{from};
        while (!stack.empty()) {
            const std::size_t v = stack.back();
            stack.pop_back();
            if (v == to) return true;
            if (std::exchange(seen[v], char{1})) continue;
            for (std::size_t next = 0; next < ops.size(); ++next)
                if (reads(next, v)) stack.push_back(next);
        }
        return false;
    }
    void connect(std::size_t maker, std::size_t reader, RandomStream& random) {
        if (reaches(reader, maker)) return;  // a cycle
        const auto& name = ops[maker].outputs[random.below(ops[maker].outputs.size())];
        if (!std::ranges::contains(ops[reader].inputs, name)) ops[reader].inputs.push_back(name);
    }

    void edit(RandomStream& random) {
        const std::size_t at = random.below(ops.size());
        switch (random.below(5)) {
            case 0:  // insert, between two or at an end
                ops.push_back({.inputs = {}, .outputs = {std::format("new{}", fresh++)}, .time = Duration{random.between(0, 20)}});
                if (random.chance(0.8)) connect(at, ops.size() - 1, random);
                if (random.chance(0.8)) connect(ops.size() - 1, random.below(ops.size() - 1), random);
                break;
            case 1:  // delete
                if (ops.size() == 1) break;
                for (Op& op : ops)
                    std::erase_if(op.inputs, [&](const std::string& name) { return std::ranges::contains(ops[at].outputs, name); });
                ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            case 2: {  // rename
                const std::string before = ops[at].outputs[0], after = std::format("renamed{}", fresh++);
                for (Op& op : ops) std::ranges::replace(op.inputs, before, after);
                ops[at].outputs[0] = after;
                break;
            }
            case 3:  // read something else
                ops[at].inputs.clear();
                connect(random.below(ops.size()), at, random);
                break;
            default:  // read one more, perhaps what came later
                connect(random.below(ops.size()), at, random);
        }
    }

    [[nodiscard]] graph::Graph build() const {
        graph::GraphBuilder builder("edited");
        graph::GivenCosts given;
        std::map<std::string, TensorId> tensors;
        for (const Op& op : ops)
            for (const std::string& name : op.outputs) {
                graph::Tensor tensor;
                tensor.name = name;
                tensor.bytes = {8};
                tensors.emplace(name, builder.add_tensor(std::move(tensor)));
                given.transfer.push_back(Duration{3});
            }
        given.classes.push_back({.name = "fast", .count = 2, .memory = {}, .time = {}});
        for (const Op& op : ops) {
            const auto ids = [&](const std::vector<std::string>& names) {
                std::vector<TensorId> list;
                for (const std::string& name : names) list.push_back(tensors.at(name));
                return list;
            };
            graph::Operator made;
            made.type = "Random";
            made.colour = op.colour;
            made.replicated = op.replicated;
            builder.add_operator(std::move(made), ids(op.inputs), ids(op.outputs));
            given.classes[0].time.emplace_back(op.time);
        }
        builder.set_given_costs(std::move(given));
        return test::detail::must(std::move(builder).build());
    }
};

TEST(Adapt, AnEditedModelAlwaysGetsAValidPartition) {
    std::size_t moved = 0, added = 0, gone = 0;
    for (std::uint64_t i = 0; i < 4000; ++i) {
        RandomStream random(31, i);
        test::RandomProblemOptions options;
        options.max_operators = 24;
        options.colours = options.replicated = 0.3;
        Sketch sketch(test::random_graph(random, options));
        for (auto& op : sketch.ops) op.replicated = op.replicated && sketch.ops.size() > 1;
        const graph::Graph before = sketch.build();
        const platform::Platform platform = platform::given_platform(before);
        const auto stages = static_cast<std::size_t>(random.between(1, 8));
        const auto old = cost::freeze(before, platform, static_cast<std::int64_t>(stages));
        if (!old) continue;  // all of it is replicated for free
        const plan::Plan plan = plan::make_plan(before, platform, *old, test::random_partition(old->problem, stages, random),
                                                static_cast<std::int64_t>(stages));

        const std::size_t edits = random.below(7);
        for (std::size_t e = 0; e < edits; ++e) sketch.edit(random);
        const graph::Graph after = sketch.build();
        const std::int64_t now = random.between(1, 8);
        const auto frozen = cost::freeze(after, platform::given_platform(after), now);
        if (!frozen) continue;
        const plan::Adapted adapted = plan::adapt(plan, after, frozen->problem, {.stages = now});
        ASSERT_TRUE(adapted.faults.empty()) << i << ": " << adapted.faults.front().message;
        ASSERT_TRUE(cost::faults_of(frozen->problem, adapted.partition, now).empty()) << i;
        std::size_t placed = 0;
        for (const NodeId node : frozen->problem.node_of) placed += node.valid();
        EXPECT_EQ(adapted.matched + adapted.added, placed) << i;
        moved += adapted.moved, added += adapted.added, gone += adapted.gone;
        if (edits > 0) continue;
        EXPECT_EQ(adapted.added + adapted.gone, 0u) << i;
        if (now >= static_cast<std::int64_t>(plan.stages.size())) {
            EXPECT_EQ(adapted.moved, 0u) << i;
            EXPECT_EQ(cost::price(frozen->problem, adapted.partition).bottleneck, plan.predicted.bottleneck) << i;
        }
    }
    EXPECT_GT(moved, 100u);
    EXPECT_GT(added, 100u);
    EXPECT_GT(gone, 100u);
}

/// Whatever the machine: either the faults are named, or the partition holds and a solve from it gives nothing worse.
TEST(Adapt, IsAStartOrNamesItsFaults) {
    std::size_t valid = 0, faulty = 0;
    for (std::uint64_t i = 0; i < 1500; ++i) {
        RandomStream random(32, i);
        const auto options = test::RandomProblemOptions::everything(14);
        const graph::Graph graph = test::random_graph(random, options);
        const platform::Platform platform = test::random_platform(graph, random, options);
        const std::int64_t before = random.between(1, 6), now = random.between(1, 6);
        const auto old = cost::freeze(graph, platform, before), frozen = cost::freeze(graph, platform, now);
        if (!old || !frozen) continue;
        const plan::Plan plan =
            plan::make_plan(graph, platform, *old, test::random_partition(old->problem, static_cast<std::size_t>(before), random), before);
        const plan::Adapted adapted = plan::adapt(plan, graph, frozen->problem, {.stages = now});
        EXPECT_EQ(adapted.faults.size(), cost::faults_of(frozen->problem, adapted.partition, now).size()) << i;
        if (!adapted.faults.empty()) {
            ++faulty;
            continue;
        }
        ++valid;
        SolveOptions solving;
        solving.stages = now;
        solving.start = adapted.partition;
        SilentObserver silent;
        const auto result = solve(frozen->problem, solving, silent, {.deadline = {}, .evaluations = 3, .stop = {}});
        ASSERT_TRUE(result) << i << ": " << to_text(result.error());
        EXPECT_LE(result->cost.bottleneck, cost::price(frozen->problem, adapted.partition).bottleneck) << i;
    }
    EXPECT_GT(valid, 300u);
    EXPECT_GT(faulty, 100u);
}

}  // namespace
}  // namespace sluice::solve
