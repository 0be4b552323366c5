// Private to this layer: what local search and its memetic form share. Orders to begin with, walkers of all threads, slicing options.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/order_maker.hpp"
#include "sluice/inference/walk.hpp"
#include "sluice/inference/workers.hpp"

namespace sluice::inference {

/// What one slot of a batch brings home.
struct Candidate {
    cost::Partition partition;
    Duration bottleneck = Duration::max();  // max: none
    std::int64_t evaluations = 0;
    std::string_view how;
};

class PartitionSearch {
public:
    static constexpr std::size_t kBatch = 8;  // fixed: results must not depend on the number of threads
    static constexpr std::size_t kOrders = kEveryOrder.size();

    PartitionSearch(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits,
                    std::string_view phase);

    /// A perturbed order of one of `kOrders` kinds, the last of them random.
    [[nodiscard]] Order order_of(std::size_t kind, RandomStream& random) const {
        const OrderKind of = kEveryOrder[kind];
        return orders_.make(of == OrderKind::model ? OrderKind::random : of, &random);
    }
    /// Slices one order of each kind as it is and offers the best to the incumbent, so that there is something to begin with.
    void open();

    /// A walk of at most so many evaluations from `start`, the last two slicings.
    [[nodiscard]] Candidate improve(Walker& walker, const cost::Partition& start, std::int64_t evaluations, int coolness,
                                    RandomStream& random) const;
    [[nodiscard]] Candidate slice(Walker& walker, std::span<const NodeId> base, std::span<const std::uint32_t> keys,
                                  std::optional<Duration> below) const;

    /// work(walker, random, slot) -> Candidate for slots [0, count), count at most kBatch; offers them in slot order and counts. Of each
    /// slot.
    [[nodiscard]] std::span<Candidate> run(std::size_t count, const std::function<Candidate(Walker&, RandomStream&, std::size_t)>& work);

    /// Evaluations for each of so many slots: what is wanted, or an even share of what is left.
    [[nodiscard]] std::int64_t share(std::int64_t wanted, std::size_t slots) const {
        return std::min(wanted, incumbent.evaluations_left() / static_cast<std::int64_t>(slots));
    }
    [[nodiscard]] std::size_t slots_left() const {
        return static_cast<std::size_t>(std::min<std::int64_t>(kBatch, incumbent.evaluations_left()));
    }
    /// A walk of the first length: short enough that the largest models take many.
    [[nodiscard]] std::int64_t first_length() const {
        return std::max<std::int64_t>(1000, 4 * static_cast<std::int64_t>(problem.node_count()));
    }
    /// Stage numbers as keys.
    [[nodiscard]] std::vector<std::uint32_t> keys_of(const cost::Partition& partition) const;

    const cost::StageProblem& problem;
    const PlannerOptions& options;
    const Limits& limits;
    Incumbent incumbent;
    /// Nothing more to gain, or a limit reached.
    [[nodiscard]] bool must_end() { return incumbent.must_end() || incumbent.bottleneck() == Duration{0}; }
    /// Without a time or a count given, methods end on their own.
    [[nodiscard]] bool endless() const { return limits.evaluations.has_value() || (options.until_limit && limits.deadline); }

private:
    OrderMaker orders_;
    std::array<Order, kOrders> bases_;
    Workers workers_;
    std::vector<std::optional<Walker>> walkers_;  // one per thread
    std::vector<Candidate> candidates_;
    std::uint64_t streams_ = std::uint64_t{1} << 40;  // far from those that orders use
};

}  // namespace sluice::inference
