// Problems of the multi-chip job for tests and benches: any random one, all its legal assignments, and a graph shaped like BERT.
#pragma once

#include <format>
#include <string>
#include <utility>
#include <vector>

#include "sluice/mcm/chip_faults.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::test {

inline mcm::ChipProblem on_chips(const cost::StageProblem& costs, std::size_t chips, const mcm::Rules& rules = {}) {
    mcm::ChipProblem problem{.costs = &costs, .chips = chips, .sram = {}, .rules = rules, .names = {}, .nogoods = {}};
    for (std::size_t v = 0; v < costs.node_count(); ++v) problem.names.push_back(std::format("op{}", v));
    return problem;
}

/// Any rules, any SRAM that could matter, sometimes nogoods.
inline mcm::ChipProblem random_chips(const cost::StageProblem& costs, std::size_t most_chips, RandomStream& random) {
    const mcm::Rules rules{.acyclic = random.chance(0.8),
                           .no_skip = random.chance(0.8),
                           .triangle = random.chance(0.8),
                           .memory = random.chance(0.8),
                           .adjacent = random.chance(0.3)};
    mcm::ChipProblem problem = on_chips(costs, 1 + random.below(most_chips), rules);
    std::int64_t total = 0;
    for (const Bytes bytes : costs.weight_bytes) total += bytes.count;
    if (random.chance(0.5)) problem.sram = Bytes{random.between(total / 3, total + 1)};
    for (std::size_t i = 0, count = random.chance(0.3) ? random.below(4) : 0; i < count; ++i) {
        std::vector<NodeId> nogood;
        for (std::size_t j = 0, size = 1 + random.below(4); j < size; ++j) nogood.emplace_back(random.below(costs.node_count()));
        problem.nogoods.push_back(std::move(nogood));
    }
    return problem;
}

inline std::vector<mcm::Assignment> legal_assignments(const mcm::ChipProblem& problem) {
    std::vector<mcm::Assignment> legal;
    mcm::Assignment chips(problem.node_count());
    for (;;) {
        if (mcm::chip_faults(problem, chips).empty()) legal.push_back(chips);
        std::size_t v = 0;
        while (v < chips.size() && ++chips[v] == problem.chips) chips[v++] = 0;
        if (v == chips.size()) return legal;
    }
}

/// An encoder of 36 operators a layer: three projections, attention, two normalisations, feed-forward. The mask is an operator: one for all
/// layers, or one each.
inline graph::Graph bert_like_graph(std::size_t layers, bool shared_mask) {
    graph::GraphBuilder builder("bert-like");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "chip";
    given.classes[0].count = 36;
    std::size_t count = 0;
    const auto add = [&](std::int64_t time, std::int64_t parameter, std::vector<TensorId> inputs) {
        graph::Tensor tensor;
        tensor.name = std::format("t{}", count);
        tensor.bytes.count = 131'072;
        given.transfer.push_back(Duration{16'384'000});
        const TensorId output = builder.add_tensor(std::move(tensor));
        std::vector<ParameterId> parameters;
        if (parameter > 0) {
            graph::Parameter weight;
            weight.name = std::format("w{}", count);
            weight.bytes.count = parameter;
            parameters.push_back(builder.add_parameter(std::move(weight)));
        }
        graph::Operator op;
        op.name = std::format("op{}", count++);
        op.type = "Operator";
        builder.add_operator(std::move(op), inputs, std::vector{output}, parameters);
        given.classes[0].time.emplace_back(Duration{time});
        return output;
    };
    constexpr std::int64_t kSmall = 2'000'000, kMatrix = 134'000'000, kWeight = 1'048'576;
    const auto chain = [&](TensorId from, std::size_t length) {
        for (std::size_t i = 0; i < length; ++i) from = add(kSmall, 0, {from});
        return from;
    };
    const auto normalise = [&](TensorId x) {
        const TensorId centred = add(kSmall, 0, {x, add(kSmall, 0, {x})});
        return add(kSmall, 2'048, {centred, chain(centred, 2)});
    };
    TensorId x = add(kSmall, 0, {});
    TensorId mask = shared_mask ? add(kSmall, 0, {x}) : x;
    for (std::size_t l = 0; l < layers; ++l) {
        const auto project = [&] { return chain(add(kMatrix, kWeight, {x}), 3); };
        const TensorId query = project(), key = project(), value = project();
        if (!shared_mask) mask = add(kSmall, 0, {x});
        const TensorId shares = chain(add(kSmall, 0, {add(kMatrix / 4, 0, {query, key}), mask}), 1);
        const TensorId mixed = chain(add(kMatrix / 4, 0, {shares, value}), 2);
        const TensorId attended = normalise(add(kSmall, 0, {x, add(kMatrix, kWeight, {mixed})}));
        const TensorId wide = add(4 * kMatrix, 4 * kWeight, {attended});
        const TensorId active = add(kSmall, 0, {wide, chain(wide, 2)});
        x = normalise(add(kSmall, 0, {attended, add(4 * kMatrix, 4 * kWeight, {active})}));
    }
    builder.set_given_costs(std::move(given));
    return detail::must(std::move(builder).build());
}
inline cost::StageProblem bert_like(std::size_t layers, bool shared_mask) {
    const graph::Graph graph = bert_like_graph(layers, shared_mask);
    return detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
}

}  // namespace sluice::test
