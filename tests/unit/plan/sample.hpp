// A small model that has one of everything a plan must get right: a shared parameter, a replicated shape operator, a colour class, two
// device classes of which one does not support every operator, a tensor with readers in several stages, a model output.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::sample {

inline graph::Tensor tensor(std::string name, std::int64_t bytes) {
    graph::Tensor t;
    t.name = std::move(name);
    t.type = graph::DataType::i8;  // counted as it is on every platform
    t.bytes = {bytes};
    return t;
}

/// Operators in topological order: 0 shape (replicated), 1 a, 2 b, 3 c, 4 d, 5 e, 6 f and 7 g (one colour), 8 h.
///   x -> a -> {b, c} -> d -> {e, f} -> g;  a and g -> h;  shape -> d;  b and e share parameter w1
inline graph::Graph model(std::string name = "sample", std::int64_t work_of_a = 1000) {
    graph::GraphBuilder builder(std::move(name));
    const auto x = builder.add_tensor(tensor("x", 64)), s = builder.add_tensor(tensor("s", 8)), ta = builder.add_tensor(tensor("ta", 100)),
               tb = builder.add_tensor(tensor("tb", 50)), tc = builder.add_tensor(tensor("tc", 60)),
               td = builder.add_tensor(tensor("td", 80)), te = builder.add_tensor(tensor("te", 40)),
               tf = builder.add_tensor(tensor("tf", 30)), tg = builder.add_tensor(tensor("tg", 20));
    graph::Tensor output = tensor("y", 10);
    output.model_output = true;
    const auto y = builder.add_tensor(std::move(output));
    const auto parameter = [&](const char* label, std::int64_t bytes) {
        return builder.add_parameter({.name = label, .type = graph::DataType::i8, .shape = {bytes}, .bytes = {bytes}});
    };
    const auto w1 = parameter("w1", 400), w2 = parameter("w2", 300), w3 = parameter("w3", 250);

    graph::GivenCosts costs;
    costs.classes.resize(2);
    costs.classes[0] = {.name = "fast", .count = 3, .memory = {}, .time = {}};
    costs.classes[1] = {.name = "slow", .count = 2, .memory = {}, .time = {}};
    const auto add = [&](const char* label, std::initializer_list<TensorId> inputs, TensorId made,
                         std::initializer_list<ParameterId> parameters, std::int64_t fast, std::optional<std::int64_t> slow,
                         bool replicated = false, std::optional<std::uint32_t> colour = {}) {
        graph::Operator op;
        op.name = label;
        op.type = "Op";
        op.replicated = replicated;
        op.colour = colour;
        builder.add_operator(std::move(op), inputs, std::array{made}, parameters);
        costs.classes[0].time.emplace_back(Duration{fast});
        costs.classes[1].time.push_back(slow ? std::optional(Duration{*slow}) : std::nullopt);
    };
    add("shape", {x}, s, {}, 0, 0, true);
    add("a", {x}, ta, {}, work_of_a, 2000);
    add("b", {ta}, tb, {w1}, 700, 1500);
    add("c", {ta}, tc, {w2}, 900, 1700);
    add("d", {tb, tc, s}, td, {}, 400, 800);
    add("e", {td}, te, {w1}, 600, 1100);
    add("f", {td}, tf, {w3}, 500, 900, false, 0);
    add("g", {te, tf}, tg, {}, 300, 700, false, 0);
    add("h", {tg, ta}, y, {}, 800, std::nullopt);
    builder.set_given_costs(std::move(costs));
    return std::move(builder).build().value();
}

struct Machine {
    platform::StageModel model = platform::StageModel::serial;
    platform::Overflow overflow = platform::Overflow::spill;
    bool host = false;
};

inline platform::Platform machine(const Machine& wanted = {}) {
    platform::DeviceClass fast;
    fast.name = "fast";
    fast.count = 3;
    fast.flops_per_second.fill(1e12);
    fast.efficiency.fill(1);
    fast.memory_rate = {1'000'000'000'000};
    fast.overflow = wanted.overflow;
    fast.fast_memory = {wanted.overflow == platform::Overflow::hard ? 1100 : 350};
    if (wanted.overflow == platform::Overflow::spill) fast.spill_rate = ByteRate{250'000'000'000};  // 4 ps a byte
    platform::DeviceClass slow = fast;
    slow.name = "slow";
    slow.count = 2;
    slow.overflow = platform::Overflow::unlimited;
    slow.fast_memory = {};
    slow.spill_rate.reset();

    platform::Platform platform;
    platform.name = "bench-of-two";
    platform.classes = {fast, slow};
    platform.stage_link = {.rate = {500'000'000'000}, .latency = Duration{7}};  // 2 ps a byte
    if (wanted.host) platform.host_link = platform::Link{.rate = {1'000'000'000'000}, .latency = Duration{3}};
    platform.model = wanted.model;
    platform.assumptions = "made up";
    return platform;
}

inline constexpr std::int64_t kStages = 4;

inline cost::FrozenProblem freeze(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages = kStages) {
    return cost::freeze(graph, platform, stages).value();
}

/// {a, c} fast, {b} slow, {d, e} fast, {f, g, h} fast.
inline cost::Partition partition(const cost::StageProblem& problem) {
    const auto node = [&](std::size_t op) { return problem.node_of[op]; };
    const ClassId fast(0), slow(1);
    cost::Partition partition{{{.nodes = {node(1), node(3)}, .device = fast, .replicas = 1},
                               {.nodes = {node(2)}, .device = slow, .replicas = 1},
                               {.nodes = {node(4), node(5)}, .device = fast, .replicas = 1},
                               {.nodes = {node(6), node(8)}, .device = fast, .replicas = 1}}};
    for (cost::Stage& stage : partition.stages) stage.nodes.erase(std::ranges::unique(stage.nodes).begin(), stage.nodes.end());
    return partition;
}

/// Of `model()`: operator b once more for d, and ta passed on to h by two relays.
inline std::vector<graph::Rewrite> rewrites() {
    return {{.kind = graph::RewriteKind::recompute,
             .copied = {OperatorId(2), "tb"},
             .tensor = {},
             .makes = {"tb@copy1"},
             .readers = {{OperatorId(4), "td"}}},
            {.kind = graph::RewriteKind::relay,
             .copied = {},
             .tensor = "ta",
             .makes = {"ta@relay1"},
             .readers = {{OperatorId(8), "y"}, {{}, "tb@copy1"}}},
            {.kind = graph::RewriteKind::relay,
             .copied = {},
             .tensor = "ta@relay1",
             .makes = {"ta@relay2"},
             .readers = {{OperatorId(8), "y"}}}};
}

/// That model with them: every node in one stage.
inline plan::Plan rewritten_plan() {
    const graph::Graph graph = graph::rewritten(model(), rewrites()).value();
    const platform::Platform platform = machine();
    const cost::FrozenProblem frozen = cost::freeze(graph, platform, kStages).value();
    cost::Partition whole;
    whole.stages.resize(1);
    for (std::size_t v = 0; v < frozen.problem.node_count(); ++v) whole.stages[0].nodes.emplace_back(v);
    plan::Plan plan = plan::make_plan(graph, platform, frozen, whole, kStages);
    plan.method = "by-hand";
    plan.termination = {.reason = StopReason::finished, .seconds = 0.25, .evaluations = 1};
    return plan;
}

inline plan::Plan plan(const graph::Graph& graph, const platform::Platform& platform, const cost::MeasuredCosts* costs = nullptr) {
    const cost::FrozenProblem frozen = cost::freeze(graph, platform, kStages, costs).value();
    plan::Plan plan = plan::make_plan(graph, platform, frozen, partition(frozen.problem), kStages);
    plan.model.dimensions = {{"batch", 8}, {"sequence", 128}};
    plan.model.assume_size = 16;
    plan.bound = plan::BoundClaim{.value = Duration{800}, .kind = "combinatorial", .certified = true};
    plan.method = "by-hand";
    plan.options = {{"winner", "kahn"}};
    plan.seed = 7;
    plan.termination = {.reason = StopReason::time, .seconds = 0.25, .evaluations = 12};
    plan.limit = "--time 250 ms";
    return plan;
}

}  // namespace sluice::sample
