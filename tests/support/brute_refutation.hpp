// Downset refutations of tiny problems from the definitions alone: every downset that stages below a threshold reach. What exact search
// finds by cleverness, so that certificates can be made, and broken, without it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "sluice/base/wide.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/search/refutation.hpp"

namespace sluice::test {

/// The serial relaxation of a problem of at most 12 nodes at one charge, its costs per set of nodes as bit masks.
class BruteRelaxation {
public:
    BruteRelaxation(const cost::StageProblem& problem, std::int64_t scale, std::int64_t work, std::int64_t transfer)
        : nodes_(problem.node_count()), scale_(scale), downset_(std::size_t{1} << nodes_, 1), cost_(downset_.size(), 0) {
        bool spills = false, unlimited = false;
        std::int64_t memory = 0, rate = 1;
        for (const auto& device : problem.classes) {
            if (device.count < 1) continue;
            memory = std::max(memory, device.fast_memory.count);
            unlimited = unlimited || device.overflow == cost::Overflow::unlimited;
            if (device.overflow != cost::Overflow::spill) continue;
            rate = spills ? std::max(rate, device.spill_rate.bytes_per_second) : device.spill_rate.bytes_per_second;
            spills = true;
        }
        spills = spills && !unlimited;
        for (std::size_t set = 0; set < cost_.size(); ++set) {
            const auto has = [&](NodeId v) { return (set >> v.index() & 1) != 0; };
            for (std::size_t v = 0; v < nodes_; ++v) {
                if (!has(NodeId(v))) continue;
                for (NodeId before : problem.predecessors[v]) downset_[set] = downset_[set] && has(before);
                std::int64_t least = std::numeric_limits<std::int64_t>::max();
                for (const auto& device : problem.classes)
                    if (device.count > 0 && device.supported.contains(v)) least = std::min(least, device.work[v].count());
                cost_[set] += work * (least == std::numeric_limits<std::int64_t>::max() ? 0 : least);
            }
            for (std::size_t e = 0; e < problem.edge_count(); ++e) {
                if (!problem.producer[e].valid()) continue;
                const bool made = has(problem.producer[e]);
                const auto readers = problem.consumers[e];
                const bool read = std::ranges::any_of(readers, has), beyond = !std::ranges::all_of(readers, has);
                if (made ? beyond : read) cost_[set] += transfer * problem.transfer[e].count();
            }
            std::int64_t parameters = 0;
            for (std::size_t w = 0; w < problem.weight_count(); ++w)
                if (std::ranges::any_of(problem.weight_users[w], has)) parameters += problem.weight_bytes[w].count;
            if (spills && parameters > memory) {
                const Wide time = static_cast<Wide>(work) * (parameters - memory) * 1'000'000'000'000;
                cost_[set] += static_cast<std::int64_t>((time + rate - 1) / rate);
            }
        }
    }

    [[nodiscard]] std::size_t sets() const { return cost_.size(); }
    [[nodiscard]] bool downset(std::size_t set) const { return downset_[set] != 0; }
    [[nodiscard]] std::int64_t cost(std::size_t set) const { return cost_[set]; }

    /// Per downset, the fewest devices that take stages of g <= r scale threshold to it; kUnreached.
    [[nodiscard]] std::vector<std::int64_t> devices_to_reach(std::int64_t threshold, std::int64_t replicas) const {
        std::vector<std::int64_t> fewest(sets(), kUnreached);
        if (threshold < 0) return fewest;
        fewest[0] = 0;
        const std::size_t all = sets() - 1;
        for (std::size_t done = 0; done < all; ++done) {
            if (fewest[done] == kUnreached) continue;
            for (std::size_t set = all & ~done; set != 0; set = (set - 1) & all & ~done) {
                if (!downset(done | set)) continue;
                std::int64_t r = 1;
                while (r <= replicas && cost_[set] > r * scale_ * threshold) ++r;
                if (r <= replicas) fewest[done | set] = std::min(fewest[done | set], fewest[done] + r);
            }
        }
        return fewest;
    }

    /// The least threshold that some partition keeps; at most `most`, which all of them keep.
    [[nodiscard]] std::int64_t optimum(std::int64_t devices, std::int64_t replicas) const {
        std::int64_t low = 0, high = (cost_.back() + scale_ - 1) / scale_;
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            if (devices_to_reach(middle, std::min(replicas, devices)).back() <= devices)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    static constexpr std::int64_t kUnreached = std::numeric_limits<std::int64_t>::max() / 2;

private:
    std::size_t nodes_;
    std::int64_t scale_;
    std::vector<char> downset_;
    std::vector<std::int64_t> cost_;
};

inline graph::NodeSet set_of(std::size_t mask, std::size_t nodes) {
    graph::NodeSet set(nodes);
    for (std::size_t v = 0; v < nodes; ++v)
        if (mask >> v & 1) set.insert(v);
    return set;
}

/// Every downset reached on fewer than all devices, kept with the fewest that do. Where a partition is below the threshold it refutes
/// nothing.
inline search::Refutation brute_refutation(const cost::StageProblem& problem, const BruteRelaxation& relaxation, std::int64_t threshold,
                                           std::int64_t stages, std::int64_t devices, std::int64_t replicas) {
    search::Refutation refutation;
    refutation.threshold = Duration{threshold};
    refutation.stages = stages;
    refutation.max_replicas = replicas;
    devices = std::min(devices, replicas * static_cast<std::int64_t>(problem.node_count()));  // no partition uses more
    refutation.kept.resize(static_cast<std::size_t>(devices - 1));
    const auto fewest = relaxation.devices_to_reach(threshold, std::min(replicas, devices));
    for (std::size_t set = 1; set + 1 < relaxation.sets(); ++set)
        if (fewest[set] < devices) refutation.kept[static_cast<std::size_t>(fewest[set] - 1)].push_back(set_of(set, problem.node_count()));
    return refutation;
}

}  // namespace sluice::test
