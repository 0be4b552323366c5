#include "sluice/search/counting.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <span>

#include "sluice/base/wide.hpp"
#include "sluice/graph/min_cut.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

using Index = SerialProblem::Index;
using graph::FlowNetwork;
using graph::kInfiniteCapacity;

constexpr std::size_t kGroupBatch = 32;                  // fixed: results must not depend on the number of threads
constexpr std::size_t kMostNear = std::size_t{1} << 24;  // neighbours kept, 16 bytes each

using Cones = std::vector<graph::NodeSet>;

/// Per group: itself and all that it reaches along rows of later (or all earlier) groups.
Cones cones(const Rows<Index>& along, bool later) {
    const std::size_t n = along.size();
    Cones rows(n, graph::NodeSet(n));
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t g = later ? n - 1 - i : i;
        rows[g].insert(g);
        for (Index next : along[g]) rows[g] |= rows[next];
    }
    return rows;
}

}  // namespace

/// The network of transfers around a stage (that of the anchored cut without work), and scratch; one a thread.
class Counting::LeastTransfers {
public:
    explicit LeastTransfers(const Counting& counting) : counting_(counting), work_to_(counting.work_.size()) {
        const SerialProblem& problem = counting.problem_;
        const auto sink = static_cast<FlowNetwork::Vertex>(problem.group_count());
        network_.reset(problem.group_count() + 1);
        for (std::size_t g = 0; g < problem.group_count(); ++g) network_.add_arc(static_cast<FlowNetwork::Vertex>(g), sink, 0);
        for (std::size_t t = 0; t < problem.tensor_count(); ++t) {
            const std::int64_t cost = counting.spill_.factor * problem.transfer[t];
            const auto maker = problem.producer[t];
            const auto readers = problem.consumers[t];
            if (readers.size() == 1) {
                network_.add_arc(readers[0], maker, cost);
                network_.add_arc(maker, readers[0], cost);
                continue;
            }
            const auto in = network_.add_vertex(), out = network_.add_vertex();
            network_.add_arc(in, maker, cost);
            network_.add_arc(maker, out, cost);
            for (Index reader : readers) {
                network_.add_arc(reader, in, kInfiniteCapacity);
                network_.add_arc(out, reader, kInfiniteCapacity);
            }
        }
    }

    /// All groups after or before `group` whose work between, both ends included, is at most `reach`.
    void find_near(std::size_t group, std::int64_t reach, std::vector<Near>& near) {
        near.clear();
        const SerialProblem& problem = counting_.problem_;
        work_to_[group] = counting_.work_[group];
        for (std::size_t u = group + 1; u < work_to_.size(); ++u)
            look(u, counting_.after_[group], counting_.before_, problem.predecessors[u], reach, near);
        for (std::size_t u = group; u-- > 0;) look(u, counting_.before_[group], counting_.after_, problem.successors[u], reach, near);
    }

    /// Groups that share no stage with `group`: the work between them, theirs included, is above the limit. The least transfers of a stage
    /// with `group` and without those; stops at `enough`.
    std::int64_t solve(std::size_t group, std::span<const Near> near, std::int64_t limit, std::int64_t enough) {
        far_ = counting_.after_[group];
        far_ |= counting_.before_[group];
        far_.erase(group);
        for (const Near& other : near)
            if (other.work <= limit) far_.erase(other.group);
        if (far_.empty()) return 0;  // all groups together have none

        far_.for_each([&](std::size_t u) { network_.set_capacity(static_cast<FlowNetwork::Arc>(u), kInfiniteCapacity); });
        const std::int64_t least =
            network_.maximum_flow(static_cast<FlowNetwork::Vertex>(group), static_cast<FlowNetwork::Vertex>(work_to_.size()), enough);
        far_.for_each([&](std::size_t u) { network_.set_capacity(static_cast<FlowNetwork::Arc>(u), 0); });
        return least;
    }

    std::vector<Near> found;  // of a group whose own may be too many to keep

private:
    static constexpr std::int64_t kFar = -1;

    /// One group of the cone, all that lies between it and the centre seen before. Work between only grows: what is beyond a far group is
    /// far.
    void look(std::size_t u, const graph::NodeSet& onwards, const Cones& backwards, std::span<const Index> towards, std::int64_t reach,
              std::vector<Near>& near) {
        if (!onwards.contains(u)) return;
        // The neighbour that all others lie before, if any: then all between is between the centre and that one, and `u`.
        constexpr auto kNone = std::numeric_limits<std::size_t>::max();
        std::size_t last = kNone;
        for (Index p : towards) {
            if (!onwards.contains(p)) continue;
            if (work_to_[p] == kFar) {
                work_to_[u] = kFar;
                return;
            }
            if (last == kNone || backwards[p].contains(last)) last = p;
        }
        const bool joins = std::ranges::any_of(towards, [&](Index p) { return onwards.contains(p) && !backwards[last].contains(p); });
        std::int64_t work = 0;
        if (joins) {
            between_ = onwards;
            between_ &= backwards[u];
            between_.for_each([&](std::size_t g) { work += counting_.work_[g]; });
        } else {
            work = work_to_[last] + counting_.work_[u];
        }
        work_to_[u] = work <= reach ? work : kFar;
        if (work <= reach) near.push_back({static_cast<Index>(u), work});
    }

    const Counting& counting_;
    FlowNetwork network_;
    graph::NodeSet far_, between_;
    std::vector<std::int64_t> work_to_;  // per group of the cone: work between, or kFar
};

Counting::Counting(const SerialProblem& problem, std::int64_t theta_halves)
    : problem_(problem), spill_(spill_share(problem, theta_halves)), work_(problem.group_count()), near_(problem.group_count()) {
    Wide sum = 0;
    for (std::size_t g = 0; g < work_.size(); ++g) sum += work_[g] = spill_.factor * problem.work[g] + spill_.share[g];
    for (std::int64_t transfer : problem.transfer) sum += 2 * Wide{spill_.factor} * transfer;
    usable_ = sum < kLargestLimit;
    if (!usable_) return;
    before_ = cones(problem.predecessors, false);
    after_ = cones(problem.successors, true);
}

std::optional<CountingWeights> Counting::weights(std::int64_t threshold, int threads, const Limits& limits) {
    const std::size_t groups = problem_.group_count();
    CountingWeights result;
    result.weight.assign(groups, 0);
    const std::int64_t replicas = std::min(problem_.replicas, problem_.devices);
    if (!usable_ || replicas < 1) return result;
    const std::int64_t limit = stage_limit(spill_, 1, threshold), largest = stage_limit(spill_, replicas, threshold);
    if (largest >= kLargestLimit) return result;
    if (largest > reach_) {
        near_.assign(groups, std::nullopt);
        reach_ = largest;
    }

    tbb::task_arena arena(std::max(threads, 1));
    std::vector<std::optional<LeastTransfers>> scratch(static_cast<std::size_t>(arena.max_concurrency()));
    std::array<std::int64_t, kGroupBatch> least;
    for (std::size_t begin = 0; begin < groups && !result.refuted; begin += kGroupBatch) {
        if (begin > 0 && must_stop(limits)) return std::nullopt;
        const std::size_t end = std::min(begin + kGroupBatch, groups);
        const auto solve = [&](std::size_t g, std::size_t slot) {
            least[g - begin] = 0;
            if (work_[g] == 0 || work_[g] > largest) return;
            if (!scratch[slot]) scratch[slot].emplace(*this);
            LeastTransfers& mine = *scratch[slot];
            if (!near_[g]) {
                mine.find_near(g, reach_, mine.found);
                if (mine.found.size() <= kMostNear / groups) near_[g] = mine.found;
            }
            least[g - begin] = mine.solve(g, near_[g] ? *near_[g] : mine.found, largest, largest - work_[g] + 1);
        };
        if (scratch.size() == 1) {
            for (std::size_t g = begin; g < end; ++g) solve(g, 0);
        } else {
            arena.execute([&] {
                tbb::parallel_for(
                    begin, end, [&](std::size_t g) { solve(g, static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())); },
                    tbb::simple_partitioner{});
            });
        }
        for (std::size_t g = begin; g < end; ++g) {
            if (work_[g] == 0) continue;
            const std::int64_t transfers = least[g - begin];
            // On r devices w(S) <= r limit - t <= r (limit - t / replicas) where t is the largest of the least transfers over S.
            if (Wide{work_[g]} + transfers > largest) {
                result.refuted = true;
                break;
            }
            result.weight[g] =
                static_cast<std::int64_t>((Wide{work_[g]} * replicas << kCountingShift) / (Wide{limit} * replicas - transfers));
            result.total += result.weight[g];
        }
        result.refuted = result.refuted || result.total > problem_.devices << kCountingShift;
    }
    return result;
}

std::optional<CountingWeights> counting_weights(const SerialProblem& problem, std::int64_t threshold, int threads, const Limits& limits,
                                                std::int64_t theta_halves) {
    return Counting(problem, theta_halves).weights(threshold, threads, limits);
}

}  // namespace sluice::search
