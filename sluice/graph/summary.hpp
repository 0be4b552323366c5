// Numbers about a graph that a person asks for first; `inspect` prints them.
#pragma once

#include <array>
#include <vector>

#include "sluice/graph/graph.hpp"

namespace sluice::graph {

struct Summary {
    std::size_t operators = 0;  // without the replicated ones
    std::size_t replicated = 0;
    std::size_t edges = 0;                // distinct producer-consumer pairs, replicated operators left out
    std::size_t inputs = 0, outputs = 0;  // model inputs and outputs
    std::size_t sources = 0, sinks = 0;   // operators without predecessors, without successors
    /// Sinks that make no model output: a converter that lost edges leaves many. 0 when the graph names no outputs at all (profiles).
    std::size_t stray_sinks = 0;
    double flops = 0;
    Bytes parameters;              // each once
    Bytes activations;             // each tensor once
    std::size_t longest_path = 0;  // operators
    std::size_t widest_level = 0;  // most operators on one as-soon-as-possible level
    std::array<std::size_t, kOperatorClasses> per_class{};
    std::array<double, kOperatorClasses> flops_per_class{};
    std::size_t unshaped = 0, assumed = 0;  // tensors
};

[[nodiscard]] Summary summarise(const Graph& graph);

}  // namespace sluice::graph
