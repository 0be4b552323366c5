// A graph on chips with its judge, for tests; and small graphs with times written down.
#pragma once

#include <format>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/mcm/judge/event_judge.hpp"
#include "tests/support/chips.hpp"

namespace sluice::test {

/// Everything a judge refers to, at an address that stays.
struct Judged {
    graph::Graph graph;
    platform::Platform platform;
    cost::StageProblem costs;
    mcm::ChipProblem problem;
    std::unique_ptr<mcm::EventJudge> judge;

    [[nodiscard]] mcm::Verdict verdict(const mcm::Assignment& chips) const { return detail::must(judge->judge(chips)); }
};

inline platform::Platform ring_of(platform::Platform platform, std::size_t chips) {
    platform.topology = platform::Topology::ring;
    platform.classes.front().count = static_cast<std::int64_t>(chips);
    return platform;
}

/// Without a judge.
inline std::unique_ptr<Judged> on_ring(graph::Graph graph, platform::Platform platform, const mcm::Rules& rules = {}) {
    auto judged = std::unique_ptr<Judged>(new Judged{std::move(graph), std::move(platform), {}, {}, nullptr});
    judged->costs = detail::must(cost::freeze(judged->graph, judged->platform)).problem;
    judged->problem = detail::must(mcm::chip_problem(judged->graph, judged->costs, judged->platform, rules));
    return judged;
}
inline std::unique_ptr<Judged> judged(graph::Graph graph, platform::Platform platform, const mcm::EventJudgeOptions& options,
                                      const mcm::Rules& rules = {}) {
    auto made = on_ring(std::move(graph), std::move(platform), rules);
    made->judge = detail::must(mcm::event_judge(made->graph, made->problem, made->platform, options));
    return made;
}

/// The planners' times and nothing else.
inline mcm::EventJudgeOptions no_effects() {
    mcm::EventJudgeOptions options;
    options.compile.effects = mcm::EffectOptions::none();
    options.compile.alignment = 1;
    options.message_overhead = Duration{0};
    return options;
}

/// Operators with given times and transfers, each with one output.
class GivenGraph {
public:
    GivenGraph() {
        given_.classes.resize(1);
        given_.classes[0].name = "chip";
        given_.classes[0].count = 1;
    }
    TensorId input(std::int64_t bytes) { return tensor(std::format("in{}", given_.transfer.size()), 0, bytes); }
    /// `transfer` and `bytes` of its output, `weight` bytes of its own.
    TensorId add(std::int64_t time, const std::vector<TensorId>& inputs, std::int64_t transfer, std::int64_t bytes = 0,
                 std::int64_t weight = 0, graph::OperatorClass operator_class = graph::OperatorClass::unknown) {
        std::vector<ParameterId> parameters;
        if (weight > 0) parameters.push_back(parameter(weight));
        return add_with(time, inputs, transfer, bytes, parameters, operator_class);
    }
    /// Of so many bytes, for as many operators as use it.
    ParameterId parameter(std::int64_t bytes) {
        graph::Parameter made;
        made.name = std::format("w{}", parameters_++);
        made.bytes.count = bytes;
        return builder_.add_parameter(std::move(made));
    }
    TensorId add_with(std::int64_t time, const std::vector<TensorId>& inputs, std::int64_t transfer, std::int64_t bytes,
                      const std::vector<ParameterId>& parameters, graph::OperatorClass operator_class = graph::OperatorClass::unknown) {
        const std::size_t index = given_.classes[0].time.size();
        const TensorId output = tensor(std::format("t{}", index), transfer, bytes);
        graph::Operator op;
        op.name = std::format("op{}", index);
        op.type = "Operator";
        op.features.operator_class = operator_class;
        builder_.add_operator(std::move(op), inputs, std::vector{output}, parameters);
        given_.classes[0].time.emplace_back(Duration{time});
        return output;
    }
    graph::Graph build() && {
        builder_.set_given_costs(std::move(given_));
        return detail::must(std::move(builder_).build());
    }

private:
    TensorId tensor(std::string name, std::int64_t transfer, std::int64_t bytes) {
        given_.transfer.push_back(Duration{transfer});
        graph::Tensor made;
        made.name = std::move(name);
        made.bytes.count = bytes;
        return builder_.add_tensor(std::move(made));
    }
    graph::GraphBuilder builder_{"given"};
    graph::GivenCosts given_;
    std::size_t parameters_ = 0;
};

/// `graph` on so many chips with its own devices; `memory`: of a chip, hard; 0: no limit.
inline platform::Platform given_ring(const graph::Graph& graph, std::size_t chips, platform::StageModel model, std::int64_t memory = 0) {
    platform::Platform platform = ring_of(platform::given_platform(graph), chips);
    platform.model = model;
    if (memory > 0) {
        platform.classes[0].overflow = platform::Overflow::hard;
        platform.classes[0].fast_memory = {memory};
    }
    return platform;
}

}  // namespace sluice::test
