// THE objective (design §3.1), one integer function for planner, bound, verifier and simulator.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/cost/stage_problem.hpp"

namespace sluice::cost {

struct StageTerms {
    Duration work{0}, in{0}, out{0}, spill{0};
    Bytes parameters;  // of distinct weights used in the stage
    Bytes
        peak;  // activations alive at once: inputs held throughout, outputs to the end, the rest until their last reader (execution order)
    friend bool operator==(const StageTerms&, const StageTerms&) = default;
};

/// serial: work + in + out + spill; overlap: max(work + spill, in, out).
[[nodiscard]] constexpr Duration stage_time(StageModel model, const StageTerms& terms) {
    if (model == StageModel::serial) return terms.work + terms.in + terms.out + terms.spill;
    return std::max({terms.work + terms.spill, terms.in, terms.out});
}

/// Time to stream what does not fit: ceil(max(0, parameters - fast memory) / rate); 0 unless the class spills.
[[nodiscard]] Duration spill_time(const DeviceCosts& device, Bytes parameters);
/// False when the class is hard and parameters + peak exceed its memory.
[[nodiscard]] bool fits(const DeviceCosts& device, const StageTerms& terms);

/// Terms of one stage, its nodes in execution order. O(d log d) in the edges and weights touched, and one pass over an array of all nodes.
/// The reference form: plain, from the definition.
[[nodiscard]] StageTerms stage_terms(const StageProblem& problem, std::span<const NodeId> stage, ClassId device);

/// The same, one node at a time, O(degree) each: hot path of orders and local search. Nodes may be added and removed in any order;
/// `terms().peak` is that of the order of addition, kept while that is an execution order: once a node was removed, or added after one that
/// reads it, it is 0 until `clear`.
class IncrementalStage {
public:
    IncrementalStage(const StageProblem& problem, ClassId device);
    void add(NodeId node);
    void remove(NodeId node);
    void clear();  // O(touched)
    [[nodiscard]] bool contains(NodeId node) const { return (state_[node.index()] & kInside) != 0; }
    [[nodiscard]] const StageTerms& terms() const { return terms_; }
    [[nodiscard]] Duration time() const { return stage_time(problem_->model, terms_); }

private:
    static constexpr std::uint8_t kInside = 1, kTouched = 2;  // kTouched: listed in touched_, however often it came and went

    void update_parameters(Bytes change);

    const StageProblem* problem_;
    const DeviceCosts* device_;
    StageTerms terms_;
    std::vector<std::uint8_t> state_;         // per node
    std::vector<std::uint32_t> readers_;      // per edge: consumers inside
    std::vector<std::uint32_t> weight_uses_;  // per weight: users inside
    std::vector<NodeId> touched_;
    Bytes held_, alive_, highest_;  // inputs held; made inside and still needed; most of that so far
    bool peak_valid_ = true;
};

}  // namespace sluice::cost
