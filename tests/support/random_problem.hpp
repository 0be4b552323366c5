// Random graphs and stage problems for property tests: small numbers, so that ties and rounding happen; every feature has its own chance.
// The defaults stay where the proofs hold (design §3.1: serial, one class, no host link, spill allowed); `everything()` does not.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::test {

struct RandomProblemOptions {
    std::size_t min_operators = 1, max_operators = 8;
    std::int64_t largest_time = 20;      // picoseconds; a fifth of the operators take none
    std::int64_t largest_transfer = 10;  // picoseconds
    std::int64_t largest_bytes = 16;     // of a tensor, of a parameter
    std::size_t largest_fanout = 4;      // consumers of a tensor
    double shared_weights = 0.5;         // chance that the graph has parameters used by several operators
    double spill = 0.5;                  // chance of a limited memory that spills
    double hard = 0;                     // chance of a hard memory limit
    double overlap = 0;
    double host_link = 0;
    double classes = 0;  // chance of a second device class
    double mixed = 0;    // chance that each class has a memory rule of its own, drawn evenly
    double colours = 0;
    double replicated = 0;  // chance that the graph has operators replicated for free

    static RandomProblemOptions everything(std::size_t max_operators = 8) {
        RandomProblemOptions options;
        options.max_operators = max_operators;
        options.spill = 0.4;
        options.hard = options.overlap = options.host_link = options.classes = options.colours = options.replicated = 0.3;
        options.mixed = 0.4;
        return options;
    }
};

namespace detail {
template <typename T>
T must(Result<T> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "a random problem was refused: %s", to_text(result.error()).c_str());
    std::abort();
}
inline std::int64_t sometimes_zero(RandomStream& random, std::int64_t largest) {
    return random.chance(0.2) ? 0 : random.between(1, largest);
}
}  // namespace detail

/// A DAG of one of several shapes (chains, ladders, wide, tangled), with given costs of one or two classes and given transfers.
inline graph::Graph random_graph(RandomStream& random, const RandomProblemOptions& options = {}) {
    graph::GraphBuilder builder("random");
    graph::GivenCosts given;
    const auto n = static_cast<std::size_t>(
        random.between(static_cast<std::int64_t>(options.min_operators), static_cast<std::int64_t>(options.max_operators)));
    const auto add_tensor = [&](std::string name, bool input) {
        given.transfer.push_back(Duration{detail::sometimes_zero(random, options.largest_transfer)});
        graph::Tensor tensor;
        tensor.name = std::move(name);
        tensor.model_output = random.chance(0.1);
        // A link to the host needs bytes to have a time.
        tensor.bytes.count =
            input || tensor.model_output ? random.between(1, options.largest_bytes) : detail::sometimes_zero(random, options.largest_bytes);
        return builder.add_tensor(std::move(tensor));
    };
    std::vector<std::vector<TensorId>> inputs(n), outputs(n);
    std::vector<std::vector<ParameterId>> parameters(n);

    const std::size_t reach = std::size_t{1} << random.below(8);  // how far ahead a tensor is read: 1 is a chain, 128 a tangle
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t made = random.chance(0.15) ? 2 : 1;
        for (std::size_t t = 0; t < made; ++t) {
            outputs[i].push_back(add_tensor(std::format("t{}.{}", i, t), false));
            const std::size_t fanout = random.chance(0.5) ? 1 : random.below(options.largest_fanout + 1);
            for (std::size_t c = 0; c < fanout && i + 1 < n; ++c) {
                auto& reader = inputs[i + 1 + random.below(std::min(reach, n - i - 1))];
                if (std::ranges::find(reader, outputs[i].back()) == reader.end()) reader.push_back(outputs[i].back());
            }
        }
    }
    for (std::size_t i = 0, count = random.below(3); i < count; ++i) {
        const TensorId input = add_tensor(std::format("input{}", i), true);
        inputs[0].push_back(input);
        if (const std::size_t other = random.below(n); other != 0) inputs[other].push_back(input);
    }
    if (random.chance(options.shared_weights))
        for (std::size_t w = 0, count = random.below(n + 1); w < count; ++w) {
            graph::Parameter parameter;
            parameter.name = std::format("w{}", w);
            parameter.bytes.count = detail::sometimes_zero(random, options.largest_bytes);
            const ParameterId weight = builder.add_parameter(std::move(parameter));
            for (std::size_t u = 0, users = 1 + random.below(3); u < users; ++u) {
                auto& of_user = parameters[random.below(n)];
                if (std::ranges::find(of_user, weight) == of_user.end()) of_user.push_back(weight);
            }
        }

    const bool colours = random.chance(options.colours), replicated = random.chance(options.replicated);
    given.classes.resize(random.chance(options.classes) ? 2 : 1);
    for (std::size_t c = 0; c < given.classes.size(); ++c) {
        given.classes[c].name = c == 0 ? "fast" : "slow";
        given.classes[c].count = static_cast<std::int64_t>(1 + random.below(3));
    }
    for (std::size_t i = 0; i < n; ++i) {
        graph::Operator op;
        op.name = std::format("op{}", i);
        op.type = "Random";
        if (colours && random.chance(0.4)) op.colour = static_cast<std::uint32_t>(random.below(1 + n / 4));
        op.replicated = replicated && i > 0 && random.chance(0.2);
        builder.add_operator(std::move(op), inputs[i], outputs[i], parameters[i]);
        const auto time = [&] { return Duration{detail::sometimes_zero(random, options.largest_time)}; };
        // Operators of one colour need a class that supports them all: with colours the first class supports everything.
        const bool only_second = given.classes.size() == 2 && !colours && random.chance(0.15);
        given.classes[0].time.push_back(only_second ? std::nullopt : std::optional(time()));
        if (given.classes.size() == 2)
            given.classes[1].time.push_back(!only_second && random.chance(0.2) ? std::nullopt : std::optional(time()));
    }
    builder.set_given_costs(std::move(given));
    return detail::must(std::move(builder).build());
}

/// The machine for such a graph: its own devices, with the cost model, memory and host link drawn.
inline platform::Platform random_platform(const graph::Graph& graph, RandomStream& random, const RandomProblemOptions& options = {}) {
    platform::Platform platform = platform::given_platform(graph);
    Bytes parameters;
    for (const graph::Parameter& parameter : graph.parameters()) parameters += parameter.bytes;
    if (random.chance(options.overlap)) platform.model = platform::StageModel::overlap;
    // Rates of about a byte a picosecond, rarely a divisor of anything.
    const auto rate = [&] { return ByteRate{random.between(150'000'000'000, 3'000'000'000'000)}; };
    if (random.chance(options.host_link)) platform.host_link = {rate(), Duration{random.between(0, 3)}};
    bool spill = random.chance(options.spill), hard = !spill && random.chance(options.hard);
    const bool mixed = options.mixed > 0 && random.chance(options.mixed);
    for (platform::DeviceClass& device : platform.classes) {
        if (mixed) {
            const std::uint64_t rule = random.below(3);
            spill = rule == 1, hard = rule == 2;
        }
        if (spill) {
            device.overflow = platform::Overflow::spill;
            device.fast_memory = {random.between(0, parameters.count)};
            device.spill_rate = rate();
        } else if (hard) {
            device.overflow = platform::Overflow::hard;
            device.fast_memory = {random.between(parameters.count / 2, parameters.count + 64)};
        }
    }
    return platform;
}

inline cost::FrozenProblem random_frozen_problem(RandomStream& random, const RandomProblemOptions& options = {}, std::int64_t stages = 0) {
    const graph::Graph graph = random_graph(random, options);
    return detail::must(cost::freeze(graph, random_platform(graph, random, options), stages));
}

/// `stages`: as many devices of the first class at least.
inline cost::StageProblem random_problem(RandomStream& random, const RandomProblemOptions& options = {}, std::int64_t stages = 0) {
    return random_frozen_problem(random, options, stages).problem;
}

/// A random topological order of the nodes.
inline std::vector<NodeId> random_order(const cost::StageProblem& problem, RandomStream& random) {
    std::vector<std::size_t> waiting(problem.node_count());
    std::vector<NodeId> ready, order;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        waiting[v] = problem.predecessors[v].size();
        if (waiting[v] == 0) ready.emplace_back(v);
    }
    while (!ready.empty()) {
        std::swap(ready[random.below(ready.size())], ready.back());
        order.push_back(ready.back());
        ready.pop_back();
        for (NodeId next : problem.successors[order.back().index()])
            if (--waiting[next.index()] == 0) ready.push_back(next);
    }
    return order;
}

/// Of so many operators, for up to 64 stages: what planners need time for.
inline cost::StageProblem large_problem(std::uint64_t seed, std::size_t operators, RandomProblemOptions options = {}) {
    RandomStream random(seed);
    options.min_operators = options.max_operators = operators;
    options.largest_time = 1'000'000;
    options.largest_transfer = 500'000;
    return random_problem(random, options, 64);
}

/// A random order cut at random places into at most `stages` stages, each on a random class. Class counts, support and hard memory are not
/// heeded.
inline cost::Partition random_partition(const cost::StageProblem& problem, std::size_t stages, RandomStream& random) {
    const std::vector<NodeId> order = random_order(problem, random);
    std::vector<std::size_t> cuts{0, order.size()};
    for (std::size_t s = 1; s < stages; ++s) cuts.push_back(random.below(order.size() + 1));
    std::ranges::sort(cuts);
    cost::Partition partition;
    for (std::size_t c = 0; c + 1 < cuts.size(); ++c)
        if (cuts[c] < cuts[c + 1])
            partition.stages.push_back({.nodes = std::vector<NodeId>(order.begin() + static_cast<std::ptrdiff_t>(cuts[c]),
                                                                     order.begin() + static_cast<std::ptrdiff_t>(cuts[c + 1])),
                                        .device = ClassId(random.below(problem.classes.size()))});
    return partition;
}

}  // namespace sluice::test
