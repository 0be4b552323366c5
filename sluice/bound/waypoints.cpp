#include "sluice/bound/waypoints.hpp"

#include <algorithm>
#include <limits>

#include "sluice/bound/ascent.hpp"
#include "sluice/bound/relaxation.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::bound {

namespace {

using graph::NodeSet;

constexpr std::size_t kMostCandidates = 192;

/// Of what lies between two waypoints, these included.
struct Load {
    Wide work = 0;
    std::int64_t stages = 0;  // that hold its parameters; 0: nothing lies there
};

/// Spread over the operators by work and parameters; of neighbours the one that the fewest tensors pass.
std::vector<std::size_t> candidates_of(const cost::StageProblem& problem, const Relaxation& relaxation) {
    const std::size_t n = problem.node_count();
    std::vector<std::int64_t> passing(n + 1);  // differences at first
    std::vector<double> share(n, 1 / static_cast<double>(n));
    Wide work = 0;
    for (const std::int64_t w : relaxation.work) work += w;
    std::int64_t bytes = 0;
    for (const Bytes weight : problem.weight_bytes) bytes += weight.count;
    for (std::size_t v = 0; v < n; ++v) {
        if (!problem.successors[v].empty()) {
            ++passing[v + 1];
            --passing[problem.successors[v].back().index()];
        }
        if (work > 0) share[v] += static_cast<double>(relaxation.work[v]) / static_cast<double>(work);
    }
    for (std::size_t w = 0; w < problem.weight_count(); ++w)
        if (bytes > 0 && !problem.weight_users[w].empty())
            share[problem.weight_users[w].front().index()] +=
                static_cast<double>(problem.weight_bytes[w].count) / static_cast<double>(bytes);
    std::vector<std::size_t> candidates;
    double sum = 0;
    std::size_t bucket = 0;
    std::int64_t now = 0, least = 0;
    for (std::size_t v = 0; v < n; ++v) {
        now += passing[v];
        const auto of = n <= kMostCandidates
                            ? v
                            : std::min(kMostCandidates - 1, static_cast<std::size_t>(sum / 3 * static_cast<double>(kMostCandidates)));
        sum += share[v];
        if (candidates.empty() || of != bucket) {
            candidates.push_back(v);
        } else if (now < least) {
            candidates.back() = v;
        } else {
            continue;
        }
        bucket = of;
        least = now;
    }
    return candidates;
}

class Waypoints {
public:
    Waypoints(const cost::StageProblem& problem, const Relaxation& relaxation, const Limits& limits)
        : problem_(problem),
          relaxation_(relaxation),
          memory_(hard_memory(problem)),
          own_bytes_(problem.node_count()),
          candidates_(candidates_of(problem, relaxation)) {
        for (std::size_t w = 0; w < problem.weight_count(); ++w) {
            const auto users = problem.weight_users[w];
            if (users.size() == 1)
                own_bytes_[users.front().index()] += problem.weight_bytes[w].count;
            else if (users.size() > 1)
                shared_.push_back(w);
        }
        NodeSet whole(problem.node_count());
        for (std::size_t v = 0; v < problem.node_count(); ++v) whole.insert(v);
        all_ = load_of(whole);
        measure(limits);
    }

    /// Is there no partition with a bottleneck below `value`?
    [[nodiscard]] bool refutes(Duration value) {
        const Wide threshold = value.count() - 1;
        constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
        std::vector<Wide> stages(loads_.size());
        std::vector<std::size_t> before(loads_.size(), kNone);
        std::size_t last = kNone;
        Wide most = need(all_, threshold);
        for (std::size_t j = 0; j < loads_.size(); ++j) {
            stages[j] = need(loads_[j].head, threshold);
            for (std::size_t i = 0; i < j; ++i) {
                const Load& between = loads_[j].between[i];
                if (between.stages == 0) continue;
                const Wide sum = stages[i] + need(between, threshold) - relaxation_.replicas;
                if (sum > stages[j]) stages[j] = sum, before[j] = i;
            }
            const Wide sum = stages[j] + need(loads_[j].tail, threshold) - relaxation_.replicas;
            if (sum > most) most = sum, last = j;
        }
        if (most <= relaxation_.devices) return false;
        witness_.nodes.clear();
        for (std::size_t j = last; j != kNone; j = before[j]) witness_.nodes.emplace_back(candidates_[j]);
        std::ranges::reverse(witness_.nodes);
        return true;
    }

    [[nodiscard]] Duration total() const { return Duration{static_cast<std::int64_t>(std::min<Wide>(all_.work, kLargestTotal))}; }
    /// Of the last value that was refuted.
    [[nodiscard]] const WaypointsWitness& witness() const { return witness_; }

private:
    static constexpr Wide kLargestTotal = std::numeric_limits<std::int64_t>::max() / 2;

    struct Loads {
        Load head, tail;
        std::vector<Load> between;  // by the candidate before
    };

    static Wide need(const Load& load, Wide threshold) {
        constexpr Wide kEndless = Wide{1} << 100;
        if (load.work > 0 && threshold <= 0) return kEndless;
        return std::max<Wide>(load.stages, load.work > 0 ? ceil_divide(load.work, threshold) : 0);
    }

    [[nodiscard]] Load load_of(const NodeSet& nodes) const {
        Load load;
        Wide bytes = 0;
        nodes.for_each([&](std::size_t v) {
            load.work += relaxation_.work[v];
            bytes += own_bytes_[v];
        });
        load.stages = 1;
        if (!memory_) return load;
        for (const std::size_t w : shared_)
            if (std::ranges::any_of(problem_.weight_users[w], [&](NodeId user) { return nodes.contains(user.index()); }))
                bytes += problem_.weight_bytes[w].count;
        constexpr Wide kTooMany = std::numeric_limits<std::int64_t>::max();
        if (bytes > 0) load.stages = static_cast<std::int64_t>(*memory_ > 0 ? std::min(ceil_divide(bytes, *memory_), kTooMany) : kTooMany);
        return load;
    }

    [[nodiscard]] NodeSet reached(std::size_t from, bool forwards) const {
        NodeSet set(problem_.node_count());
        std::vector<std::size_t> open{from};
        set.insert(from);
        while (!open.empty()) {
            const std::size_t v = open.back();
            open.pop_back();
            for (const NodeId next : forwards ? problem_.successors[v] : problem_.predecessors[v])
                if (!set.contains(next.index())) {
                    set.insert(next.index());
                    open.push_back(next.index());
                }
        }
        return set;
    }

    void measure(const Limits& limits) {
        std::vector<NodeSet> after;
        for (std::size_t j = 0; j < candidates_.size(); ++j) {
            if (search::limit_reached(limits)) return;  // those so far will do
            const NodeSet before = reached(candidates_[j], false);
            after.push_back(reached(candidates_[j], true));
            Loads loads{load_of(before), load_of(after[j]), std::vector<Load>(j)};
            for (std::size_t i = 0; i < j; ++i) {
                if (!before.contains(candidates_[i])) continue;
                NodeSet between = after[i];
                between &= before;
                loads.between[i] = load_of(between);
            }
            loads_.push_back(std::move(loads));
        }
    }

    const cost::StageProblem& problem_;
    const Relaxation& relaxation_;
    std::optional<std::int64_t> memory_;
    std::vector<std::int64_t> own_bytes_;  // parameters that no other node uses
    std::vector<std::size_t> shared_;      // the other parameters
    std::vector<std::size_t> candidates_;  // ascending
    Load all_;
    std::vector<Loads> loads_;
    WaypointsWitness witness_;
};

}  // namespace

std::optional<std::int64_t> hard_memory(const cost::StageProblem& problem) {
    std::int64_t memory = 0;
    for (const auto& device : problem.classes) {
        if (device.count < 1) continue;
        if (device.overflow != cost::Overflow::hard) return std::nullopt;
        memory = std::max(memory, device.fast_memory.count);
    }
    return memory;
}

Raised raise_by_waypoints(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                          Duration floor) {
    Ascent ascent(problem, options, observer, limits, floor, "waypoints");
    if (ascent.ended()) return {std::nullopt, ascent.termination()};
    const Relaxation relaxation = relax(problem, options.stages, options.max_replicas);
    Waypoints waypoints(problem, relaxation, limits);
    // A refutation is cheap: bisected to the end, unlike Ascent::raise.
    WaypointsWitness witness;
    std::int64_t known = floor.count(), limit = std::max(waypoints.total(), floor).count();
    if (const auto enough = ascent.enough()) limit = std::min(limit, enough->count());
    const auto ask = [&](std::int64_t value) {
        ascent.count_evaluation();
        if (!waypoints.refutes(Duration{value})) return false;
        known = value;
        witness = waypoints.witness();
        return true;
    };
    if (known < limit && ask(known + 1) && known < limit && !ask(limit)) {
        while (limit - known > 1 && !ascent.ended()) {
            const std::int64_t middle = known + (limit - known) / 2;
            if (!ask(middle)) limit = middle;
        }
    }
    if (known > floor.count()) ascent.prove(Duration{known}, std::move(witness));
    (void)ascent.ended();
    return {ascent.take(), ascent.termination()};
}

Result<BoundResult> prove_waypoints(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                    const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    Raised raised = raise_by_waypoints(problem, options, observer, limits, Duration{0});
    if (!raised.certificate)
        raised.certificate =
            Ascent(problem, options, observer, limits, Duration{0}, "waypoints").certificate(Duration{0}, WaypointsWitness{});
    return BoundResult{*std::move(raised.certificate), raised.termination};
}

}  // namespace sluice::bound
