// Optima of tiny problems from the definitions alone: every way to cut an order, every chain of downsets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_cost.hpp"

namespace sluice::test {

/// The bottleneck of the best way to cut `order` into stages on up to `max_replicas` devices each, by trying all; nullopt: none is valid.
inline std::optional<Duration> best_cut_of_order(const cost::StageProblem& problem, const std::vector<NodeId>& order, std::int64_t stages,
                                                 std::int64_t max_replicas = 1) {
    const std::size_t n = order.size();
    std::optional<Duration> best;
    cost::Partition partition;
    const auto extend = [&](auto&& self, std::size_t left) -> void {
        if (left == n) {
            if (!cost::faults_of(problem, partition, stages).empty()) return;
            const Duration bottleneck = cost::price(problem, partition).bottleneck;
            if (!best || bottleneck < *best) best = bottleneck;
            return;
        }
        if (static_cast<std::int64_t>(partition.stages.size()) == stages) return;
        for (std::size_t right = left + 1; right <= n; ++right)
            for (std::size_t c = 0; c < problem.classes.size(); ++c)
                for (std::int64_t r = 1; r <= max_replicas; ++r) {
                    partition.stages.push_back({.nodes = std::vector<NodeId>(order.begin() + static_cast<std::ptrdiff_t>(left),
                                                                             order.begin() + static_cast<std::ptrdiff_t>(right)),
                                                .device = ClassId(c),
                                                .replicas = r});
                    self(self, right);
                    partition.stages.pop_back();
                }
    };
    extend(extend, 0);
    return best;
}

/// The least latency over all acyclic partitions of a problem of at most 7 nodes, by trying all with every choice of classes; nullopt: none
/// is valid. A hard memory limit is tested with nodes in order of number, so the result may be above the true optimum where there is one.
inline std::optional<Duration> least_latency(const cost::StageProblem& problem, std::int64_t stages) {
    std::optional<Duration> best;
    cost::Partition partition;
    const auto equip = [&](auto&& self, cost::Partition& sorted, std::size_t s) -> void {
        if (s == sorted.stages.size()) {
            if (!cost::faults_of(problem, sorted, stages).empty()) return;
            const Duration latency = cost::price(problem, sorted).latency;
            if (!best || latency < *best) best = latency;
            return;
        }
        for (std::size_t c = 0; c < problem.classes.size(); ++c) {
            sorted.stages[s].device = ClassId(c);
            self(self, sorted, s + 1);
        }
    };
    const auto divide = [&](auto&& self, std::size_t v) -> void {
        if (v == problem.node_count()) {
            if (auto sorted = cost::normalise(problem, partition)) equip(equip, *sorted, 0);
            return;
        }
        for (std::size_t s = 0; s < partition.stages.size(); ++s) {
            partition.stages[s].nodes.emplace_back(v);
            self(self, v + 1);
            partition.stages[s].nodes.pop_back();
        }
        if (static_cast<std::int64_t>(partition.stages.size()) == stages) return;
        partition.stages.push_back({.nodes = {NodeId(v)}, .device = ClassId(0)});
        self(self, v + 1);
        partition.stages.pop_back();
    };
    divide(divide, 0);
    return best;
}

/// The least bottleneck over all acyclic partitions of a problem of at most 12 nodes and 2 classes, replicas allowed. A hard memory limit
/// is applied to parameters only (activations depend on the order inside a stage), so the result may be below the true optimum, never
/// above.
class PartitionOptimum {
public:
    explicit PartitionOptimum(const cost::StageProblem& problem) : problem_(problem), nodes_(problem.node_count()) {
        const std::size_t sets = std::size_t{1} << nodes_;
        downset_.assign(sets, 1);
        times_.assign(problem.classes.size(), std::vector<std::int64_t>(sets, kImpossible));
        for (std::size_t set = 1; set < sets; ++set) {
            std::vector<NodeId> members;
            for (std::size_t v = 0; v < nodes_; ++v) {
                if (!(set >> v & 1)) continue;
                members.emplace_back(v);
                for (NodeId before : problem.predecessors[v])
                    if (!(set >> before.index() & 1)) downset_[set] = 0;
            }
            for (std::size_t c = 0; c < problem.classes.size(); ++c) {
                const auto& device = problem.classes[c];
                if (!std::ranges::all_of(members, [&](NodeId v) { return device.supported.contains(v.index()); })) continue;
                const cost::StageTerms terms = cost::stage_terms(problem, members, ClassId(c));
                if (device.overflow == cost::Overflow::hard && terms.parameters > device.fast_memory) continue;
                times_[c][set] = cost::stage_time(problem.model, terms).count();
            }
        }
    }

    /// kImpossible when there is no partition.
    [[nodiscard]] std::int64_t at(std::int64_t stages, std::int64_t max_replicas) const {
        const std::size_t sets = std::size_t{1} << nodes_, all = sets - 1;
        const auto usable = [&](std::size_t c) {
            return c < problem_.classes.size() ? std::min(problem_.classes[c].count, std::min<std::int64_t>(stages, 16)) : 0;
        };
        const std::int64_t first = usable(0), second = usable(1);
        const std::size_t width = static_cast<std::size_t>((first + 1) * (second + 1));
        std::vector<std::int64_t> best(sets * width, kImpossible);
        best[0] = 0;
        for (std::size_t done = 0; done < all; ++done) {
            if (!downset_[done]) continue;
            for (std::size_t set = all & ~done; set != 0; set = (set - 1) & all & ~done) {
                if (!downset_[done | set]) continue;
                for (std::int64_t a = 0; a <= first; ++a)
                    for (std::int64_t b = 0; b <= second; ++b) {
                        const std::int64_t before = best[done * width + static_cast<std::size_t>(a * (second + 1) + b)];
                        if (before == kImpossible) continue;
                        for (std::size_t c = 0; c < problem_.classes.size(); ++c)
                            for (std::int64_t r = 1; r <= max_replicas; ++r) {
                                const std::int64_t a2 = a + (c == 0 ? r : 0), b2 = b + (c == 1 ? r : 0);
                                if (times_[c][set] == kImpossible || a2 > first || b2 > second || a2 + b2 > stages) break;
                                auto& after = best[(done | set) * width + static_cast<std::size_t>(a2 * (second + 1) + b2)];
                                after = std::min(after, std::max(before, (times_[c][set] + r - 1) / r));
                            }
                    }
            }
        }
        return *std::min_element(best.begin() + static_cast<std::ptrdiff_t>(all * width), best.end());
    }

    static constexpr std::int64_t kImpossible = std::numeric_limits<std::int64_t>::max();

private:
    const cost::StageProblem& problem_;
    std::size_t nodes_;
    std::vector<char> downset_;
    std::vector<std::vector<std::int64_t>> times_;  // per class, per set
};

}  // namespace sluice::test
