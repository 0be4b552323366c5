// Private to GraphPipe's planner. The fewest devices on which every stage keeps a target time, by dynamic programming over the chains of a
// model (GraphPipe, ASPLOS 2025, section 5, with other states).
//
// The published planner keeps, per series-parallel part and number of devices, the plan with the fewest samples in flight at its source.
// Turned around: what a stage must keep in flight follows from its readers alone, so a prefix of a chain and the *demand* of the stage that
// reads it, (samples in flight, micro-batch), have a least number of devices. A prefix ends in
//   - a stage of its last elements,
//   - or a block: its branches in stages of their own, each branch by its own table, or several whole branches in one stage,
//   - or a stage of its last elements with what is before them: some whole branches of a block, and the end of one more.
// Branches whose readers are the same stage have the same demand; their devices add up. Equal branches share their table. A block with a
// stage before it asks that stage for the largest demand of its branches: it is solved for each demand that this may be.
//
// A stage is charged, against the target, as cost::price charges it, with what is not known yet taken so: its neighbours have as many
// replicas as it has (where one has fewer, that one is charged more), each neighbour is one stage, transfers are between nodes where the
// platform has several, reductions inside a node where the replicas fit in one.
//
// One target: O(elements^2 sizes demands) a chain. Deterministic.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/search/poll.hpp"
#include "sluice/training/graphpipe/model.hpp"

namespace sluice::training::graphpipe {

/// What passes take, as sums over each chain's elements, for one number of samples on one device. Shared by all searches.
class WorkTables {
public:
    WorkTables(const cost::TrainingProblem& problem, const Model& model, ClassId device, bool recompute)
        : problem_(problem), model_(model), device_(device), recompute_(recompute) {}
    /// [chain][element]: picoseconds of all elements before.
    [[nodiscard]] const std::vector<std::vector<double>>& at(std::int64_t samples);

private:
    const cost::TrainingProblem& problem_;
    const Model& model_;
    ClassId device_;
    bool recompute_;
    std::map<std::int64_t, std::vector<std::vector<double>>> tables_;
};

struct PlannedStage {
    std::vector<NodeId> nodes;
    std::int64_t replicas = 1, micro_batch = 1;
};

/// Neighbours beside each other where that is possible.
struct Split {
    std::vector<PlannedStage> stages;
    double time = 0;  // of the slowest stage over a mini-batch, as it is charged here; picoseconds
};

struct SearchOptions {
    std::vector<std::int64_t> micro_batches;  // each stage has one of these
    ClassId device{0};
    std::int64_t devices = 1;
    bool recompute = false;
    bool cautious = false;  // neighbours have one replica, and replicas that do not fill nodes are spread over two
};

class Search {
public:
    Search(const cost::TrainingProblem& problem, const Model& model, WorkTables& work, const SearchOptions& options, const Limits& limits);

    /// nullopt: there is none, or the search was stopped. `memory` replaces the device's own; no stage has more than `in_flight` samples.
    [[nodiscard]] std::optional<Split> within(double time, std::optional<std::int64_t> memory = {},
                                              std::optional<std::int64_t> in_flight = {});
    /// No split is faster: all work, evenly.
    [[nodiscard]] double least_time() const { return total_ / static_cast<double>(options_.devices); }

private:
    using Count = std::uint16_t;  // of devices
    static constexpr Count kNever = 1 << 14;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    struct Demand {
        std::int64_t in_flight = 0, micro_batch = 0;
    };
    struct Size {
        std::int64_t replicas = 1, samples = 1;
        const std::vector<std::vector<double>>* work = nullptr;
        double rate = 0;  // bytes of one sample -> picoseconds over a mini-batch
        double reduce = 0, reduce_latency = 0;
        double least_reduce = 0, least_reduce_latency = 0;  // of this and all larger sizes
    };
    struct Batch {  // a micro-batch size
        std::int64_t samples = 1;
        double rounds = 1;
        std::vector<Size> sizes;          // ascending; only replicas that make the share of each smaller
        std::vector<std::size_t> from;    // per number of replicas: the first size with as many
        std::vector<std::uint32_t> next;  // demand of the readers -> that of this stage
        /// The last size with at most so many replicas, of which there must be one.
        [[nodiscard]] std::size_t last_of(std::int64_t replicas) const {
            const auto at = static_cast<std::size_t>(replicas);
            return at >= from.size() ? sizes.size() - 1 : sizes[from[at]].replicas == replicas ? from[at] : from[at] - 1;
        }
    };
    struct Choice {
        std::size_t batch = 0, size = 0;
        std::int64_t most_in_flight = 0;
        double time = 0;
    };
    struct Table {
        std::vector<Count> devices;  // [element][demand], or [state][demand]
        bool solved = false;
    };
    /// How a prefix ends.
    struct Ending {
        Choice choice;
        std::size_t from = 0;  // first element of the last stage
        std::size_t block = kNone, group = kNone, kind = kNone,
                    cut = 0;    // what the last stage has of the block before it; alone: the block
        std::size_t state = 0;  // branches that are left of it
        std::size_t limit = 0;  // greatest demand that its branches may make
        bool staged = true;     // false: the block, no stage
    };

    /// Of a group: what it adds to a stage of its own, and to one with what reads it; the work of each size of each micro-batch.
    struct GroupSums {
        Bill alone, joined;
        double cheapest = 0;
        std::vector<std::vector<double>> work;
    };

    /// Looks at the limits; once true, always.
    [[nodiscard]] bool stopped() { return stopped_ = stopped_ || search::must_stop(limits_); }
    void add_demands();
    void add_sizes();
    void add_groups();
    [[nodiscard]] GroupSums sums_of(const Block& block, const Block::Group& group) const;
    [[nodiscard]] std::size_t table_index(std::size_t owner, std::size_t limit) const {
        return owner * (demand_count() + 1) + (limit == kNone ? demand_count() : limit);
    }
    [[nodiscard]] std::size_t demand_count() const { return demands_.size(); }
    [[nodiscard]] bool allowed(std::size_t demand, std::size_t limit) const {
        return limit == kNone ||
               (demands_[demand].in_flight <= demands_[limit].in_flight && demands_[demand].micro_batch <= demands_[limit].micro_batch);
    }
    [[nodiscard]] std::int64_t room(double own_work) const;
    /// What goes over the wires into a stage, and out of it but for reductions.
    [[nodiscard]] double into(const Bill& bill, const Batch& batch, const Size& size) const;
    [[nodiscard]] double out_of(const Bill& bill, const Batch& batch, const Size& size) const;
    [[nodiscard]] double time_of(const Bill& bill, double work, const Batch& batch, const Size& size) const;

    template <typename Work, typename Use>
    void choices(const Bill& bill, std::int64_t room, Work&& work, Use&& use) const;
    template <typename Use>
    void endings(std::size_t chain, std::size_t limit, std::size_t count, Use&& use);
    template <typename Use>
    void group_choices(const GroupSums& group, Use&& use) const;
    template <typename Use>
    void fused_endings(std::size_t chain, std::size_t limit, std::size_t block_at, std::size_t count, Use&& use);

    [[nodiscard]] const Table& solve(std::size_t chain, std::size_t limit);
    [[nodiscard]] const Table& solve_block(std::size_t chain, std::size_t block, std::size_t limit);
    /// Devices of a prefix by its ending, as rows over the demand that its last stage (with none: its readers) makes.
    struct Sum {
        const Batch* batch = nullptr;  // of the last stage; null: none
        std::int64_t most_in_flight = 0;
        std::size_t limit = kNone;
        std::size_t own = 0;
        const Count* first = nullptr;
        const Count* second = nullptr;
    };
    [[nodiscard]] Sum sum_of(std::size_t chain, std::size_t limit, const Ending& ending);
    [[nodiscard]] Count devices_of(const Sum& sum, std::size_t demand) const;
    void trace(std::size_t chain, std::size_t limit, std::uint32_t start, std::size_t count, std::size_t demand, Split& split);
    using Left = std::vector<std::size_t>;  // branches left, per kind
    void trace_block(std::size_t chain, std::size_t block, std::size_t limit, std::uint32_t start, std::size_t state, Left left,
                     std::size_t demand, Split& split);
    void add_nodes(std::size_t chain, std::uint32_t start, std::size_t from, std::size_t to, PlannedStage& stage) const;

    const cost::TrainingProblem& problem_;
    const Model& model_;
    WorkTables& work_;
    SearchOptions options_;
    const Limits& limits_;
    bool stopped_ = false;         // tables are then of no use
    std::vector<Demand> demands_;  // the first: nobody reads
    std::vector<Batch> batches_;
    const std::vector<std::vector<double>>* cheapest_ = nullptr;  // work at the largest micro-batch
    double cheapest_rounds_ = 1;
    double total_ = 0;
    double latency_ = 0, optimizer_ = 0;  // picoseconds a transfer; a byte of state
    bool serial_ = false;
    double target_ = 0;
    std::optional<std::int64_t> memory_;
    std::int64_t in_flight_ = 0;                  // most samples that a stage may keep
    std::vector<Table> tables_, block_tables_;    // [chain][limit], [block of any chain][limit]; the last limit: none
    std::vector<std::size_t> first_block_;        // per chain, in the count of all blocks
    std::vector<std::vector<GroupSums>> groups_;  // [block of any chain][group]
};

}  // namespace sluice::training::graphpipe
