#include "sluice/training/peers/pipedream.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

#include "sluice/base/wide.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::training {

namespace {

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

std::int64_t bounded(Wide value) { return static_cast<std::int64_t>(std::min<Wide>(value, kLargestTotal.count())); }

/// ceil(bytes / (ways rate)) in picoseconds
std::int64_t time_over(Wide bytes, ByteRate rate, Wide ways) {
    ways *= rate.bytes_per_second;
    return bounded((bytes * kPicosecondsPerSecond + ways - 1) / ways);
}

class PipedreamSearch {
public:
    PipedreamSearch(const PipedreamInstance& instance, const Cuts& cuts, const Limits& limits)
        : instance_(instance), cuts_(cuts), limits_(limits), outer_(instance.levels.back()) {
        for (const std::int64_t bytes : instance.crossing) crossing_time_.push_back(time_over(bytes, outer_.rate, 1));
        crossing_time_.front() = crossing_time_.back() = 0;
    }

    std::expected<PipedreamPlan, Missed> run() {
        if (!make_pairs() || (inner() && !make_nodes())) return std::unexpected(Missed::stopped);
        std::int64_t devices = 1;
        for (const PipedreamLevel& level : instance_.levels) devices *= level.count;
        PipedreamPlan best;
        const auto attained = least_bottleneck(ceil_divide(instance_.work[0].back(), devices),
                                               [&](std::int64_t asked) -> std::expected<std::int64_t, Missed> {
                                                   if (const auto missed = probe(asked)) return std::unexpected(*missed);
                                                   best = plan();
                                                   return best.bottleneck.count();
                                               });
        if (!attained) return std::unexpected(attained.error());
        return best;
    }

private:
    [[nodiscard]] std::size_t last() const { return cuts_.count() - 1; }
    [[nodiscard]] bool inner() const { return instance_.levels.size() == 2; }

    [[nodiscard]] std::int64_t exchange(std::size_t a, std::size_t b, std::int64_t replicas, ByteRate rate) const {
        const Wide bytes = Wide{4} * (replicas - 1) * (instance_.parameters[b] - instance_.parameters[a]);
        return bytes == 0 ? 0 : time_over(bytes, rate, Wide{replicas} * replicas * instance_.exchange_every);
    }
    [[nodiscard]] std::int64_t work(std::size_t a, std::size_t b, std::int64_t replicas) const {
        const auto& sums = instance_.work[static_cast<std::size_t>(replicas) - 1];
        return sums[b] - sums[a];
    }
    /// Of a stage of one level, its borders included where there is something on the other side.
    [[nodiscard]] std::int64_t stage(std::size_t a, std::size_t b, std::int64_t replicas, std::int64_t compute, ByteRate rate) const {
        const std::int64_t bytes = std::max(a == 0 ? 0 : instance_.crossing[a], b == last() ? 0 : instance_.crossing[b]);
        return std::max(bounded(Wide{compute} + exchange(a, b, replicas, rate)), time_over(bytes, rate, replicas));
    }
    [[nodiscard]] std::int64_t outer(std::size_t a, std::size_t b, std::int64_t replicas) const {
        const std::int64_t compute = inner() ? ceil_divide(node(a, b, instance_.levels[0].count), replicas) : work(a, b, replicas);
        return stage(a, b, replicas, compute, outer_.rate);
    }

    /// With fewer replicas what crosses the borders takes longer than `most`.
    [[nodiscard]] std::int64_t crossing_shares(std::size_t a, std::size_t b, std::int64_t most) const {
        return ceil_divide(std::max(crossing_time_[a], crossing_time_[b]) - 1, most);
    }

    // The pipelines of one node: node(a, b, m) is the bottleneck of the best over m devices.
    [[nodiscard]] std::int64_t& node(std::size_t a, std::size_t b, std::int64_t devices) {
        return nodes_[(a * cuts_.count() + b) * static_cast<std::size_t>(instance_.levels[0].count) + static_cast<std::size_t>(devices) -
                      1];
    }
    [[nodiscard]] std::int64_t node(std::size_t a, std::size_t b, std::int64_t devices) const {
        return nodes_[(a * cuts_.count() + b) * static_cast<std::size_t>(instance_.levels[0].count) + static_cast<std::size_t>(devices) -
                      1];
    }

    /// False: stopped.
    bool make_pairs() {
        above_.reserve(cuts_.count());
        for (std::size_t a = 0; a < cuts_.count(); ++a) {
            if (search::must_stop(limits_)) return false;
            graph::NodeSet& row = above_.emplace_back(cuts_.count());
            for (std::size_t b = a + 1; b < cuts_.count(); ++b)
                if (cuts_.nested(a, b)) row.insert(b);
        }
        return true;
    }

    /// False: stopped.
    bool make_nodes() {
        const PipedreamLevel& level = instance_.levels[0];
        nodes_.assign(cuts_.count() * cuts_.count() * static_cast<std::size_t>(level.count), kNone);
        for (std::size_t b = 1; b < cuts_.count(); ++b) {
            if (search::must_stop(limits_)) return false;
            for (std::size_t a = b; a-- > 0;) {
                if (!above_[a].contains(b)) continue;
                for (std::int64_t m = 1; m <= level.count; ++m) {
                    std::int64_t best = m > 1 ? node(a, b, m - 1) : kNone;
                    best = std::min(best, stage(a, b, m, work(a, b, m), level.rate));
                    split(a, b, m, best, [&](std::size_t, std::int64_t, std::int64_t bottleneck) { best = std::min(best, bottleneck); });
                    node(a, b, m) = best;
                }
            }
        }
        return true;
    }
    /// Every last stage [k, b) of a node's pipeline of at least two, with its replicas and the bottleneck; some that are above `best`,
    /// which may fall meanwhile, are left out.
    template <typename F>
    void split(std::size_t a, std::size_t b, std::int64_t devices, const std::int64_t& best, F&& visit) {
        const PipedreamLevel& level = instance_.levels[0];
        for (std::size_t k = b - 1; k > a && devices > 1; --k) {
            if (!above_[a].contains(k) || !above_[k].contains(b)) continue;
            if (work(k, b, devices - 1) > best) {
                if (cuts_.chain) break;
                continue;
            }
            if (node(a, k, devices - 1) > best) continue;
            for (std::int64_t own = 1; own < devices; ++own)
                visit(k, own, std::max(node(a, k, devices - own), stage(k, b, own, work(k, b, own), level.rate)));
        }
    }
    /// The stages of a node's best pipeline, last first.
    void unfold(std::size_t a, std::size_t b, std::int64_t devices, std::int64_t nodes, std::vector<PipedreamStage>& stages) {
        const std::int64_t bottleneck = node(a, b, devices);
        while (devices > 1 && node(a, b, devices - 1) == bottleneck) --devices;
        if (stage(a, b, devices, work(a, b, devices), instance_.levels[0].rate) == bottleneck) {
            stages.push_back({a, b, devices * nodes});
            return;
        }
        std::size_t at = a;
        std::int64_t replicas = 0;
        split(a, b, devices, bottleneck, [&](std::size_t k, std::int64_t own, std::int64_t reached) {
            if (reached == bottleneck && replicas == 0) at = k, replicas = own;
        });
        stages.push_back({at, b, replicas * nodes});
        unfold(a, at, devices - replicas, nodes, stages);
    }

    [[nodiscard]] bool fits(std::size_t a, std::size_t b, std::int64_t replicas, std::int64_t later) const {
        if (!instance_.memory) return true;
        const PipedreamMemory& memory = *instance_.memory;
        const Wide each = memory.each[b] - memory.each[a];
        const Wide held = memory.covers ? (each * (later + 1) + replicas - 1) / replicas : each * ceil_divide(later, replicas);
        return memory.fixed[b] - memory.fixed[a] + held <= memory.limit.count;
    }

    /// The least devices from every cut on that meet a bottleneck.
    std::optional<Missed> probe(std::int64_t most) {
        rest_.assign(cuts_.count(), Rest{});
        rest_[last()].devices = 0;
        for (std::size_t a = last(); a-- > 0;) {
            if (search::must_stop(limits_)) return Missed::stopped;
            Rest& best = rest_[a];
            above_[a].for_each([&](std::size_t b) {
                const std::int64_t later = rest_[b].devices;
                if (later == kNone) return;
                const std::int64_t room = std::min(outer_.count - later, best.devices == kNone ? kNone : best.devices - later - 1);
                const std::int64_t alone = inner() ? node(a, b, instance_.levels[0].count) : work(a, b, 1);
                const std::int64_t fewest = std::max({std::int64_t{1}, ceil_divide(alone, most), crossing_shares(a, b, most)});
                const auto suffices = [&](std::int64_t own) { return fits(a, b, own, later) && outer(a, b, own) <= most; };
                if (fewest > room) return;
                // From two replicas on, more are never worse.
                const std::int64_t end = suffices(room) ? room : 1;
                for (std::int64_t own = fewest; own <= end; ++own)
                    if (suffices(own)) {
                        best = {later + own, b, own};
                        return;
                    }
            });
        }
        if (rest_[0].devices > outer_.count) return Missed::no_plan;
        return std::nullopt;
    }

    PipedreamPlan plan() {
        PipedreamPlan plan;
        for (std::size_t a = 0; a < last(); a = rest_[a].end) {
            const Rest& stage = rest_[a];
            plan.bottleneck = std::max(plan.bottleneck, Duration{outer(a, stage.end, stage.own)});
            if (!inner()) {
                plan.stages.push_back({a, stage.end, stage.own});
                continue;
            }
            std::vector<PipedreamStage> stages;
            unfold(a, stage.end, instance_.levels[0].count, stage.own, stages);
            plan.stages.insert(plan.stages.end(), stages.rbegin(), stages.rend());
        }
        return plan;
    }

    struct Rest {
        std::int64_t devices = kNone;  // of the outermost level
        std::size_t end = 0;           // of the first stage
        std::int64_t own = 0;          // its replicas
    };
    const PipedreamInstance& instance_;
    const Cuts& cuts_;
    const Limits& limits_;
    const PipedreamLevel& outer_;
    std::vector<std::int64_t> crossing_time_;  // over the outermost links to one device, per cut
    std::vector<graph::NodeSet> above_;
    std::vector<std::int64_t> nodes_;
    std::vector<Rest> rest_;
};

}  // namespace

std::vector<std::int64_t> crossing_bytes(const Cuts& cuts, const std::vector<CutTensor>& tensors) {
    std::vector<std::int64_t> bytes(cuts.count(), 0);
    for_each_crossing(cuts, tensors, [&](std::size_t c, std::size_t t) { bytes[c] += tensors[t].bytes.count; });
    return bytes;
}

std::expected<PipedreamPlan, Missed> pipedream_plan(const PipedreamInstance& instance, const Cuts& cuts, const Limits& limits) {
    assert(cuts.count() >= 2 && !instance.levels.empty() && instance.levels.size() <= 2);
    return PipedreamSearch(instance, cuts, limits).run();
}

}  // namespace sluice::training
