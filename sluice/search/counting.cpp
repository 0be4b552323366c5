#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "sluice/graph/min_cut.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/search/chain_of_cuts.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/spill_share.hpp"

namespace sluice::search {

namespace {

using Index = SerialProblem::Index;
using graph::FlowNetwork;
using graph::kInfiniteCapacity;
__extension__ typedef __int128 Wide;

constexpr std::size_t kBatch = 32;  // fixed: results must not depend on the number of threads

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

/// The network of transfers around a stage (that of the anchored cut without work), and scratch; one a thread.
class LeastTransfers {
public:
    LeastTransfers(const SerialProblem& problem, const SpillShare& spill) : problem_(problem), far_(problem.group_count()) {
        const auto sink = static_cast<FlowNetwork::Vertex>(problem.group_count());
        network_.reset(problem.group_count() + 1);
        for (std::size_t g = 0; g < problem.group_count(); ++g) network_.add_arc(static_cast<FlowNetwork::Vertex>(g), sink, 0);
        for (std::size_t t = 0; t < problem.tensor_count(); ++t) {
            const std::int64_t cost = spill.factor * problem.transfer[t];
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

    /// Groups that share no stage with `group`: the work between them, theirs included, is above the limit. What lies beyond one of them is
    /// as far. Then the least transfers of a stage with `group` and without those; stops at `enough`.
    std::int64_t solve(std::size_t group, const std::vector<std::int64_t>& work, const Cones& before, const Cones& after,
                       std::int64_t limit, std::int64_t enough) {
        far_.clear();
        const auto mark = [&](std::size_t u, const graph::NodeSet& onwards, const graph::NodeSet& backwards,
                              std::span<const Index> towards) {
            if (!onwards.contains(u)) return;
            const bool beyond = std::ranges::any_of(towards, [&](Index p) { return onwards.contains(p) && far_.contains(p); });
            if (beyond || work_within(work, onwards, backwards) > limit) far_.insert(u);
        };
        for (std::size_t u = group + 1; u < work.size(); ++u) mark(u, after[group], before[u], problem_.predecessors[u]);
        for (std::size_t u = group; u-- > 0;) mark(u, before[group], after[u], problem_.successors[u]);
        if (far_.empty()) return 0;  // all groups together have none

        far_.for_each([&](std::size_t u) { network_.set_capacity(static_cast<FlowNetwork::Arc>(u), kInfiniteCapacity); });
        const std::int64_t least =
            network_.maximum_flow(static_cast<FlowNetwork::Vertex>(group), static_cast<FlowNetwork::Vertex>(work.size()), enough);
        far_.for_each([&](std::size_t u) { network_.set_capacity(static_cast<FlowNetwork::Arc>(u), 0); });
        return least;
    }

private:
    Wide work_within(const std::vector<std::int64_t>& work, const graph::NodeSet& a, const graph::NodeSet& b) {
        between_ = a;
        between_ &= b;
        Wide sum = 0;
        between_.for_each([&](std::size_t u) { sum += work[u]; });
        return sum;
    }

    const SerialProblem& problem_;
    FlowNetwork network_;
    graph::NodeSet far_, between_;
};

}  // namespace

std::optional<CountingWeights> counting_weights(const SerialProblem& problem, std::int64_t threshold, int threads, const Limits& limits,
                                                std::int64_t theta_halves) {
    const std::size_t groups = problem.group_count();
    CountingWeights result;
    result.weight.assign(groups, 0);
    const SpillShare spill = spill_share(problem, theta_halves);
    const std::int64_t replicas = std::min(problem.replicas, problem.devices);
    if (replicas < 1) return result;
    const std::int64_t limit = stage_limit(spill, 1, threshold), largest = stage_limit(spill, replicas, threshold);
    if (largest >= kLargestLimit) return result;
    std::vector<std::int64_t> work(groups);
    Wide sum = 0;
    for (std::size_t g = 0; g < groups; ++g) sum += work[g] = spill.factor * problem.work[g] + spill.share[g];
    for (std::int64_t transfer : problem.transfer) sum += 2 * Wide{spill.factor} * transfer;
    if (sum >= kLargestLimit) return result;
    const Cones before = cones(problem.predecessors, false), after = cones(problem.successors, true);

    tbb::task_arena arena(std::max(threads, 1));
    std::vector<std::optional<LeastTransfers>> scratch(static_cast<std::size_t>(arena.max_concurrency()));
    std::array<std::int64_t, kBatch> least;
    for (std::size_t begin = 0; begin < groups && !result.refuted; begin += kBatch) {
        if (begin > 0 && must_stop(limits)) return std::nullopt;
        const std::size_t end = std::min(begin + kBatch, groups);
        const auto solve = [&](std::size_t g, std::size_t slot) {
            if (!scratch[slot]) scratch[slot].emplace(problem, spill);
            least[g - begin] =
                work[g] == 0 || work[g] > largest ? 0 : scratch[slot]->solve(g, work, before, after, largest, largest - work[g] + 1);
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
            if (work[g] == 0) continue;
            const std::int64_t transfers = least[g - begin];
            // On r devices w(S) <= r limit - t <= r (limit - t / replicas) where t is the largest of the least transfers over S.
            if (Wide{work[g]} + transfers > largest) {
                result.refuted = true;
                break;
            }
            result.weight[g] =
                static_cast<std::int64_t>((Wide{work[g]} * replicas << kCountingShift) / (Wide{limit} * replicas - transfers));
            result.total += result.weight[g];
        }
        result.refuted = result.refuted || result.total > problem.devices << kCountingShift;
    }
    return result;
}

}  // namespace sluice::search
