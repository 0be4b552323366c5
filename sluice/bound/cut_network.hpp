// The network of the anchored cut (notes/inference 7.1): node vertices, a sink, and for each tensor what it costs when a stage border
// separates its ends. The source side of a cut is a stage; docs/formats/certificate.md has the network that certificates speak of. This one
// is smaller (no vertex for a tensor with one reader, no arc that can carry nothing) and each of its arcs knows its numbers there.
#pragma once

#include <optional>
#include <vector>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/relaxation.hpp"
#include "sluice/graph/min_cut.hpp"

namespace sluice::bound {

/// How much of each part of the objective is charged: CutWitness's weights.
struct CutWeights {
    std::int64_t scale = 1, work = 1, in = 1, out = 1, theta = 0;
    friend bool operator==(const CutWeights&, const CutWeights&) = default;
};

class CutNetwork {
public:
    /// nullopt when the weights make sums that leave int64.
    static std::optional<CutNetwork> build(const cost::StageProblem& problem, const Relaxation& relaxation, const CutWeights& weights);

    /// The cut around `anchor` alone, in units of 1/scale; at_most is what that would prove, and no cut around it proves more.
    [[nodiscard]] std::int64_t alone(NodeId anchor) const { return alone_[anchor.index()]; }
    [[nodiscard]] Duration at_most(NodeId anchor) const { return bound_of(alone_[anchor.index()]); }

    /// Minimum cut that separates `anchor` from the sink; stops once it proves `enough`. Returns what it proves.
    Duration solve(NodeId anchor, std::optional<Duration> enough);
    /// Nodes on the anchor's side of the last cut: none of them, as an anchor, proves more. Empty after an early stop.
    [[nodiscard]] std::span<const char> side() const { return network_.source_side().first(alone_.size()); }
    /// Of the last solve.
    [[nodiscard]] CutWitness witness(NodeId anchor) const;

private:
    static constexpr std::uint32_t kNoArc = std::numeric_limits<std::uint32_t>::max();
    struct Numbers {
        std::uint32_t first, second;
    };  // of the certificate's arcs; second kNoArc: only one

    void add(std::uint32_t from, std::uint32_t to, Wide capacity, std::uint32_t first, std::uint32_t second);
    [[nodiscard]] Duration bound_of(std::int64_t cut) const;

    CutWeights weights_;
    std::int64_t allowance_ = 0;  // of spill that fast memory spares, to subtract
    std::int64_t replicas_ = 1;
    graph::FlowNetwork network_;
    std::vector<Numbers> numbers_;
    std::vector<std::int64_t> alone_;
};

}  // namespace sluice::bound
