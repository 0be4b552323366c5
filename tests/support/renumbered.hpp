// The same model written down otherwise: other names, and other numbers too.
#pragma once

#include <numeric>

#include "tests/support/random_problem.hpp"

namespace sluice::test {

namespace detail {

/// values[at] of each.
template <typename Value>
std::vector<Value> picked(std::span<const std::size_t> at, const std::vector<Value>& values) {
    std::vector<Value> result;
    for (const std::size_t i : at) result.push_back(values[i]);
    return result;
}

template <typename Tag>
std::vector<Id<Tag>> mapped(std::span<const Id<Tag>> ids, const std::vector<Id<Tag>>& numbers) {
    std::vector<Id<Tag>> result;
    for (const Id<Tag> id : ids) result.push_back(numbers[id.index()]);
    return result;
}

/// Each list has, at i, the old number of what is now number i. Operators in a topological order, which the builder then keeps.
inline graph::Graph rewritten(const graph::Graph& graph, std::span<const std::size_t> operators, std::span<const std::size_t> tensors,
                              std::span<const std::size_t> parameters) {
    graph::GraphBuilder builder("another name");
    std::vector<TensorId> tensor_of(graph.tensor_count());
    for (const std::size_t t : tensors) {
        graph::Tensor tensor = graph[TensorId(t)];
        tensor.name = std::format("the {}th", t);
        tensor_of[t] = builder.add_tensor(std::move(tensor));
    }
    std::vector<ParameterId> parameter_of(graph.parameter_count());
    for (const std::size_t p : parameters) {
        graph::Parameter parameter = graph[ParameterId(p)];
        parameter.name = std::format("the {}th", p);
        parameter_of[p] = builder.add_parameter(std::move(parameter));
    }
    for (const std::size_t v : operators) {
        const OperatorId id(v);
        graph::Operator op = graph[id];
        op.name = std::format("the {}th", v);
        builder.add_operator(std::move(op), mapped(graph.inputs(id), tensor_of), mapped(graph.outputs(id), tensor_of),
                             mapped(graph.parameters(id), parameter_of));
    }
    if (graph.given_costs()) {
        graph::GivenCosts costs = *graph.given_costs();
        for (auto& device : costs.classes) device.time = picked(operators, device.time);
        if (!costs.transfer.empty()) costs.transfer = picked(tensors, costs.transfer);
        builder.set_given_costs(std::move(costs));
    }
    return must(std::move(builder).build());
}

inline std::vector<std::size_t> numbers_below(std::size_t count) {
    std::vector<std::size_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), std::size_t{0});
    return numbers;
}

inline std::vector<std::size_t> shuffled(std::size_t count, RandomStream& random) {
    std::vector<std::size_t> numbers = numbers_below(count);
    for (std::size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random.below(i)]);
    return numbers;
}

}  // namespace detail

/// Every operator, tensor and parameter under another name.
inline graph::Graph renamed(const graph::Graph& graph) {
    return detail::rewritten(graph, detail::numbers_below(graph.operator_count()), detail::numbers_below(graph.tensor_count()),
                             detail::numbers_below(graph.parameter_count()));
}

/// Renamed, operators in another topological order, tensors and parameters in any.
inline graph::Graph renumbered(const graph::Graph& graph, RandomStream& random) {
    std::vector<std::size_t> waiting(graph.operator_count()), ready, order;
    for (std::size_t v = 0; v < waiting.size(); ++v)
        if ((waiting[v] = graph.predecessors(OperatorId(v)).size()) == 0) ready.push_back(v);
    while (!ready.empty()) {
        std::swap(ready[random.below(ready.size())], ready.back());
        order.push_back(ready.back());
        ready.pop_back();
        for (const OperatorId next : graph.successors(OperatorId(order.back())))
            if (--waiting[next.index()] == 0) ready.push_back(next.index());
    }
    return detail::rewritten(graph, order, detail::shuffled(graph.tensor_count(), random),
                             detail::shuffled(graph.parameter_count(), random));
}

}  // namespace sluice::test
