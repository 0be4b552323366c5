#include "sluice/search/dominance.hpp"

#include <algorithm>
#include <bit>

namespace sluice::search {

namespace {
using Index = SerialProblem::Index;
using Vertex = graph::FlowNetwork::Vertex;
}  // namespace

Dominance::Dominance(const SerialProblem& problem)
    : problem_(problem), vertex_(problem.group_count(), 0), seen_(problem.tensor_count(), 0) {}

bool Dominance::dominates(std::span<const std::uint64_t> larger, std::span<const std::uint64_t> smaller) {
    difference_.clear();
    for (std::size_t w = 0; w < larger.size(); ++w)
        for (std::uint64_t bits = larger[w] & ~smaller[w]; bits != 0; bits &= bits - 1)
            difference_.push_back(static_cast<Index>(w * 64 + static_cast<std::size_t>(std::countr_zero(bits))));
    const auto inside = [&](Index g) { return (larger[g / 64] >> (g % 64) & 1) != 0; };
    const auto is_dead = [&](Index t) { return std::ranges::all_of(problem_.consumers[t], inside); };

    std::int64_t alive = 0;
    for (Index g : difference_)
        for (Index t : problem_.outputs[g])
            if (!is_dead(t)) alive += problem_.transfer[t];
    if (alive == 0) return true;

    // Source -> what a group makes that stays alive; group -> sink its work; a dead tensor costs once when Y separates its ends.
    const auto count = static_cast<Vertex>(difference_.size());
    const Vertex source = count, sink = count + 1;
    network_.reset(count + 2);
    for (Vertex j = 0; j < count; ++j) vertex_[difference_[j]] = j + 1;
    dead_.clear();
    const auto note = [&](Index t) {
        if (seen_[t] || !is_dead(t)) return;
        seen_[t] = 1;
        dead_.push_back(t);
    };
    for (Vertex j = 0; j < count; ++j) {
        const Index g = difference_[j];
        std::int64_t made = 0;
        for (Index t : problem_.outputs[g]) {
            if (!is_dead(t)) made += problem_.transfer[t];
            note(t);
        }
        for (Index t : problem_.inputs[g]) note(t);
        if (made > 0) network_.add_arc(source, j, made);
        if (problem_.work[g] > 0) network_.add_arc(j, sink, problem_.work[g]);
    }
    for (Index t : dead_) {
        seen_[t] = 0;
        // With the producer before X, or a reader of it there, the tensor has an end outside every Y.
        const Index producer = problem_.producer[t];
        const Vertex own = vertex_[producer] ? vertex_[producer] - 1 : sink;
        const Vertex enter = network_.add_vertex(), leave = network_.add_vertex();
        network_.add_arc(enter, leave, problem_.transfer[t]);
        const auto join = [&](Vertex v) {
            if (v != sink) network_.add_arc(v, enter, graph::kInfiniteCapacity);
            network_.add_arc(leave, v, graph::kInfiniteCapacity);
        };
        join(own);
        for (Index consumer : problem_.consumers[t])
            if (vertex_[consumer]) join(vertex_[consumer] - 1);
    }
    for (Index g : difference_) vertex_[g] = 0;
    return network_.maximum_flow(source, sink, alive) >= alive;
}

}  // namespace sluice::search
