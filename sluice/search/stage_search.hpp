// Every stage that may follow a downset: include/exclude search over the groups that fit behind it, decided in topological order
// (notes/bounds 2.5). What is pruned, always without losing an optimum:
// - cost: work, inbound, certain outbound and spill of what is included never fall;
// - completion: work - cut of the downset reached, at most what is still possible, against the chain-of-cuts tables and counting weights;
// - leaf rule: a stage is dropped when one more group fits it whose work and own inputs outweigh what it makes (it dominates).
// Exponential in the worst case: 1 to 10 million search nodes a second. Deterministic.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/search/chain_of_cuts.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

inline constexpr std::size_t kMostChains = 8;

/// What all expansions of one threshold share.
struct StageSearchTables {
    const SerialProblem* problem = nullptr;
    std::int64_t threshold = 0;
    std::span<const ChainOfCuts> chains;        // at most kMostChains
    std::vector<CompletionTable> completion;    // one a chain
    std::vector<std::int64_t> counting;         // per group; empty: not used
    const cost::StageProblem* judge = nullptr;  // DownsetOptions::judge
    // Made by finish():
    std::vector<SerialProblem::Index> order;  // candidates are decided in it
    std::vector<std::int64_t> made;           // per group: transfer of all its outputs
    std::vector<std::int64_t> moved_spill;    // per group: the spill of all its parameters
    std::vector<std::int64_t> allowance;      // per chain: what spilling theta spares a stage, in the chain's units, rounded up
    std::int64_t total_work = 0;
};
void finish(StageSearchTables& tables);

struct StageSearchLimits {
    std::int64_t nodes = 0;  // 0: no limit
    std::size_t bytes = 0;   // of leaves
    const Limits* limits = nullptr;
};

struct StageSearchResult {
    struct Leaf {
        std::int64_t value;     // work - cut of the downset reached
        std::int64_t replicas;  // that the stage needs
        ClassId device{0};      // it is on, with a judge
    };
    std::vector<Leaf> leaves;
    std::vector<std::uint64_t> bits;  // of the leaves' downsets, one after the other
    std::vector<std::uint64_t> all;   // completed: every group
    Leaf last{};                      // completed: the stage that took all that was left
    std::int64_t nodes = 0;
    bool completed = false;  // a stage took all that was left: a partition
    bool cut_short = false;  // the node limit
    bool too_large = false;  // the byte limit
    bool stopped = false;
};

/// Reusable scratch memory: one per thread.
class StageSearch {
public:
    explicit StageSearch(const StageSearchTables& tables);

    /// Stages of (replicas - 1) threshold < f(S) <= replicas * threshold behind `downset`, which took `devices`; added to `result`.
    /// With a judge `used` says how many of each class are taken.
    void extend(std::span<const std::uint64_t> downset, std::int64_t devices, std::int64_t replicas, const StageSearchLimits& limits,
                StageSearchResult& result, std::span<const std::int64_t> used = {});

private:
    using Index = SerialProblem::Index;
    /// Everything that changes along a path of decisions.
    struct Partial {
        std::int64_t work = 0, in = 0, out = 0;  // included; `out`: what is certain to leave
        std::int64_t pass = 0;                   // made before and certain to be read behind the stage
        std::int64_t excluded_work = 0, excluded_counting = 0;
        std::int64_t out_most = 0;        // outputs of the included that may yet leave
        std::int64_t undecided_most = 0;  // what the undecided can add to the cost
        std::int64_t required = 0;        // a stage of at most this cost is dominated
        std::int64_t parameters = 0;
        std::array<std::uint32_t, kMostChains> type{};  // per chain: of the downset with what is included
    };
    struct LocalTensor {
        std::int64_t transfer = 0;
        std::int32_t producer = -1;   // candidate; -1: made before
        std::uint32_t consumers = 0;  // candidates that read it
        bool beyond = false;          // read by a group that can be in no stage here
        std::uint32_t included = 0, excluded = 0;
    };

    bool lay_out(std::span<const std::uint64_t> downset);
    void lay_out_tensors(std::span<const std::uint64_t> downset);
    void decide(std::size_t j, const Partial& partial);
    void advance_types(std::size_t j, Partial& partial) const;
    void include(std::size_t j, const Partial& partial);
    void exclude(std::size_t j, const Partial& partial);
    void leaf(const Partial& partial);
    [[nodiscard]] bool completable(const Partial& partial) const;
    void judge(const Partial& partial);
    void keep(StageSearchResult::Leaf leaf);
    [[nodiscard]] bool ended() { return result_->completed || result_->cut_short || result_->too_large || result_->stopped; }
    [[nodiscard]] bool hopeless(const Partial& partial) const;
    [[nodiscard]] std::int64_t least_need(std::size_t z, std::size_t type) const;
    struct OneMore {
        std::int64_t added, gain;  // to the stage's cost without its outputs; what later stages are spared
    };
    [[nodiscard]] OneMore one_more(std::size_t j) const;
    [[nodiscard]] bool has(std::span<const std::uint64_t> set, std::size_t g) const { return (set[g / 64] >> (g % 64) & 1) != 0; }

    const StageSearchTables& tables_;
    const SerialProblem& problem_;
    // Of one call
    std::span<const std::uint64_t> downset_;
    std::span<const std::int64_t> used_;
    std::int64_t limit_ = 0, floor_ = 0, devices_left_ = 0, replicas_ = 1;
    std::int64_t downset_work_ = 0, candidate_work_ = 0, least_value_ = 0, parameter_spill_ = 0, counting_most_ = 0;
    std::size_t groups_left_ = 0;
    std::vector<std::int64_t> chain_value_;  // per chain: factor work + share of the downset
    const StageSearchLimits* limits_ = nullptr;
    StageSearchResult* result_ = nullptr;
    std::int64_t nodes_before_ = 0;
    // Candidates, in order
    std::vector<std::int32_t> candidate_of_;  // per group; -1
    std::vector<Index> candidates_;
    std::vector<std::int64_t> work_, made_, most_, counting_;
    std::size_t words_ = 0;  // of a set of candidates
    std::vector<std::uint64_t> descendants_, dead_;
    std::vector<char> included_;
    std::vector<std::uint32_t> chosen_, refused_, died_;  // stacks
    // Tensors with a candidate at an end
    std::vector<std::int32_t> local_of_;  // per tensor; -1
    std::vector<LocalTensor> tensors_;
    std::vector<std::uint32_t> listed_;  // the tensors of local_of_ that are set
    std::vector<std::uint32_t> input_start_, inputs_, output_start_, outputs_, border_start_, border_;
    std::vector<std::uint32_t> mark_;
    std::vector<std::uint32_t> weight_uses_;  // per weight: included users
    std::vector<std::uint64_t> leaf_bits_;
};

}  // namespace sluice::search
