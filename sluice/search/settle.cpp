#include "sluice/search/settle.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

#include "sluice/base/wide.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/stage_graph.hpp"

namespace sluice::search {

namespace {

constexpr std::int64_t kLateBudget = 2'000'000;  // after the deadline: some milliseconds
constexpr std::int64_t kSettleStepsBetweenPolls = 1'000'000;

/// Devices that a stage of this time needs to take no more than `share` an input; nullopt: more than allowed.
std::optional<std::int64_t> devices_for(Duration time, Duration share, std::int64_t max_replicas) {
    if (time <= share) return 1;
    if (share.count() == 0) return std::nullopt;
    const std::int64_t devices = ceil_divide(time.count(), share.count());
    return devices <= max_replicas ? std::optional(devices) : std::nullopt;
}

/// What is compared, smaller first. Throughput: latency, devices. Latency: latency, longest stage, devices.
using Score = std::array<std::int64_t, 3>;

class Settler {
public:
    Settler(const cost::StageProblem& problem, const cost::Partition& partition, const SettleOptions& options)
        : problem_(problem),
          options_(options),
          cap_(options.objective == cost::Objective::throughput ? std::optional(price(problem, partition).bottleneck) : std::nullopt),
          graph_(problem, partition),
          score_(score().value_or(Score{})),
          budget_(options.limits && must_stop(*options.limits) ? std::min(options.budget, kLateBudget) : options.budget) {}

    cost::Partition run() {
        for (bool improved = true; improved && !spent();) {
            improved = merges();
            improved = classes() || improved;
            improved = moves() || improved;
        }
        cost::Partition partition = graph_.partition();
        std::vector<Duration> times;
        for (const cost::Stage& stage : partition.stages) times.push_back(graph_.time(graph_.stage_of(stage.nodes.front())));
        if (cap_)
            for (std::size_t s = 0; s < times.size(); ++s)
                partition.stages[s].replicas = devices_for(times[s], *cap_, options_.max_replicas).value_or(1);
        else
            share_devices(problem_, times, options_.stages, options_.max_replicas, partition);
        return partition;
    }

private:
    /// Of the partition as it stands; nullopt: not allowed.
    std::optional<Score> score() {
        std::vector<std::int64_t> used(problem_.classes.size());
        std::int64_t total = 0, longest = 0;
        for (std::size_t s = 0; s < graph_.stage_count(); ++s) {
            if (graph_.empty(s)) continue;
            const auto devices = cap_ ? devices_for(graph_.time(s), *cap_, options_.max_replicas) : std::optional<std::int64_t>(1);
            if (!devices) return std::nullopt;
            total += *devices;
            used[graph_.device(s).index()] += *devices;
            longest = std::max(longest, graph_.time(s).count());
        }
        if (total > options_.stages) return std::nullopt;
        for (std::size_t c = 0; c < used.size(); ++c)
            if (used[c] > problem_.classes[c].count) return std::nullopt;
        const auto latency = graph_.latency();
        if (!latency) return std::nullopt;
        return Score{latency->count(), cap_ ? total : longest, cap_ ? 0 : total};
    }

    /// Keeps the change just made when it is allowed and better.
    bool keep() {
        const auto stages = static_cast<std::int64_t>(graph_.stage_count());
        budget_ -= stages * stages + 64;
        unpolled_ += stages * stages + 64;
        const auto now = score();
        if (!now || *now >= score_) return false;
        score_ = *now;
        return true;
    }

    bool spent() {
        if (budget_ <= 0) return true;
        if (unpolled_ < kSettleStepsBetweenPolls || !options_.limits) return false;
        unpolled_ = 0;
        if (options_.limits->interrupted() || must_stop(*options_.limits)) budget_ = std::min<std::int64_t>(budget_, 0);
        return budget_ <= 0;
    }

    bool merges() {
        bool any = false;
        for (std::size_t a = 0; a < graph_.stage_count(); ++a)
            for (std::size_t b = 0; b < graph_.stage_count(); ++b) {
                if (a == b || graph_.empty(a) || graph_.empty(b)) continue;
                if (a > b && graph_.device(a) == graph_.device(b)) continue;  // the same as b with a
                if (spent()) return any;
                budget_ -= static_cast<std::int64_t>(graph_.members(b).size()) * 16;
                const auto merged = graph_.merge(a, b);
                // The cheap test first: support and memory of a hard class need the stage's nodes.
                const Score before = score_;
                if (keep() && graph_.sound(a)) {
                    any = true;
                } else {
                    score_ = before;
                    graph_.undo(merged);
                }
            }
        return any;
    }

    bool moves() {
        bool any = false;
        for (std::size_t v = 0; v < problem_.node_count(); ++v) {
            const NodeId node(v);
            std::vector<std::size_t> targets;
            for (NodeId next : problem_.successors[v]) targets.push_back(graph_.stage_of(next));
            for (NodeId before : problem_.predecessors[v]) targets.push_back(graph_.stage_of(before));
            std::ranges::sort(targets);
            targets.erase(std::ranges::unique(targets).begin(), targets.end());
            for (std::size_t to : targets) {
                const std::size_t from = graph_.stage_of(node);
                if (to == from) continue;
                if (spent()) return any;
                budget_ -= static_cast<std::int64_t>(graph_.members(from).size());
                graph_.move(node, to);
                const Score before = score_;
                if (keep() && graph_.sound(to) && (graph_.empty(from) || graph_.sound(from))) {
                    any = true;
                } else {
                    score_ = before;
                    graph_.undo_move();
                }
            }
        }
        return any;
    }

    /// A stage on another class, alone or in exchange with another stage.
    bool classes() {
        bool any = false;
        if (problem_.classes.size() < 2) return any;
        const auto attempt = [&](std::size_t a, ClassId of_a, std::size_t b, ClassId of_b) {
            const ClassId was_a = graph_.device(a), was_b = graph_.device(b);
            if (was_a == of_a && was_b == of_b) return;
            budget_ -= static_cast<std::int64_t>(graph_.members(a).size() + graph_.members(b).size()) * 16;
            graph_.set_device(a, of_a);
            if (b != a) graph_.set_device(b, of_b);
            const Score before = score_;
            if (keep() && graph_.sound(a) && graph_.sound(b)) {
                any = true;
                return;
            }
            score_ = before;
            graph_.set_device(a, was_a);
            if (b != a) graph_.set_device(b, was_b);
        };
        for (std::size_t a = 0; a < graph_.stage_count(); ++a) {
            for (std::size_t c = 0; c < problem_.classes.size() && !spent(); ++c)
                if (!graph_.empty(a)) attempt(a, ClassId(c), a, ClassId(c));
            for (std::size_t b = a + 1; b < graph_.stage_count() && !spent(); ++b)
                if (!graph_.empty(a) && !graph_.empty(b)) attempt(a, graph_.device(b), b, graph_.device(a));
        }
        return any;
    }

    const cost::StageProblem& problem_;
    const SettleOptions& options_;
    const std::optional<Duration> cap_;
    StageGraph graph_;
    Score score_;
    std::int64_t budget_, unpolled_ = 0;
};

}  // namespace

void share_devices(const cost::StageProblem& problem, const std::vector<Duration>& times, std::int64_t stages, std::int64_t max_replicas,
                   cost::Partition& partition) {
    const auto enough = [&](std::int64_t share) {
        std::vector<std::int64_t> left;
        for (const auto& device : problem.classes) left.push_back(device.count);
        std::int64_t total = stages;
        for (std::size_t s = 0; s < times.size(); ++s) {
            const auto devices = devices_for(times[s], Duration{share}, max_replicas);
            auto& of_class = left[partition.stages[s].device.index()];
            if (!devices || *devices > of_class || *devices > total) return false;
            of_class -= *devices;
            total -= *devices;
        }
        return true;
    };
    std::int64_t low = 0, high = 0;
    for (Duration time : times) high = std::max(high, time.count());
    while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        if (enough(middle))
            high = middle;
        else
            low = middle + 1;
    }
    for (std::size_t s = 0; s < times.size(); ++s)
        partition.stages[s].replicas = devices_for(times[s], Duration{high}, max_replicas).value_or(1);
}

cost::Partition settle(const cost::StageProblem& problem, const cost::Partition& partition, const SettleOptions& options) {
    assert(faults_of(problem, partition, options.stages).empty());
    cost::Partition begin = partition;
    if (options.objective == cost::Objective::throughput && options.max_replicas > 1) {
        // A planner that knows no replicas may have left devices over.
        std::vector<Duration> times;
        for (const cost::StageTerms& terms : price(problem, partition).stages) times.push_back(stage_time(problem.model, terms));
        share_devices(problem, times, options.stages, options.max_replicas, begin);
    }
    cost::Partition settled = Settler(problem, begin, options).run();
    const auto devices = [](const cost::Partition& p) {
        std::int64_t sum = 0;
        for (const cost::Stage& stage : p.stages) sum += stage.replicas;
        return sum;
    };
    const auto before = price(problem, partition), after = price(problem, settled);
    const bool fewer = options.objective == cost::Objective::throughput && devices(settled) < devices(partition);
    // Nothing came of it: what the planner made, to the letter.
    return better(after, before, options.objective) || (fewer && !better(before, after, options.objective)) ? std::move(settled)
                                                                                                            : partition;
}

}  // namespace sluice::search
