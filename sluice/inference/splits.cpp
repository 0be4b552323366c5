#include "sluice/inference/splits.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <format>
#include <numeric>

#include "sluice/inference/incumbent.hpp"

namespace sluice::inference {

namespace {

using cost::Overflow;

/// Per position: how many runs of at most `most` the rest needs; empty when a weight is above it.
std::vector<std::size_t> runs_needed(std::span<const std::int64_t> weights, std::int64_t most) {
    const std::size_t n = weights.size();
    std::vector<std::size_t> needed(n + 1);
    std::int64_t sum = 0;
    std::size_t end = n;
    for (std::size_t begin = n; begin-- > 0;) {
        if (weights[begin] > most) return {};
        sum += weights[begin];
        while (sum > most) sum -= weights[--end];
        needed[begin] = 1 + needed[end];
    }
    return needed;
}

/// Bytes that come into memory with each node: every weight with its first user.
std::vector<std::int64_t> first_use_bytes(const cost::StageProblem& problem) {
    std::vector<std::int64_t> bytes(problem.node_count());
    for (std::size_t w = 0; w < problem.weight_count(); ++w)
        if (!problem.weight_users[w].empty()) bytes[problem.weight_users[w][0].index()] += problem.weight_bytes[w].count;
    return bytes;
}

std::vector<std::int64_t> weights_of(const cost::StageProblem& problem, Measure measure) {
    if (measure == Measure::parameters) {
        auto bytes = first_use_bytes(problem);
        if (std::ranges::any_of(bytes, [](std::int64_t b) { return b != 0; })) return bytes;
        measure = Measure::operators;  // without parameters they say nothing
    }
    std::vector<std::int64_t> weights(problem.node_count(), 1);
    for (std::size_t v = 0; v < weights.size(); ++v)
        if (measure == Measure::work)
            weights[v] = fastest_work(problem, v).count();
        else if (v < problem.operators.size())
            weights[v] = std::max<std::int64_t>(1, static_cast<std::int64_t>(problem.operators[v].size()));
    return weights;
}

std::string_view name_of(Measure measure) {
    constexpr std::array<std::string_view, 3> kNames{"equal-operators", "equal-parameters", "equal-work"};
    return kNames[static_cast<std::size_t>(measure)];
}

std::vector<NodeId> nodes_between(std::size_t begin, std::size_t end) {
    std::vector<NodeId> nodes;
    nodes.reserve(end - begin);
    for (std::size_t v = begin; v < end; ++v) nodes.emplace_back(v);
    return nodes;
}

/// Stages to classes of limited counts by augmenting paths: can every stage have a class in which it costs at most the threshold?
class Matching {
public:
    Matching(std::span<const std::vector<std::int64_t>> costs, std::span<const std::int64_t> capacities)
        : costs_(costs), capacities_(capacities), class_of_(costs.size()), stages_(capacities.size()) {}

    bool matches(std::int64_t threshold) {
        threshold_ = threshold;
        for (auto& list : stages_) list.clear();
        for (std::size_t s = 0; s < costs_.size(); ++s) {
            seen_.assign(capacities_.size(), 0);
            if (!augment(s)) return false;
        }
        return true;
    }
    [[nodiscard]] ClassId class_of(std::size_t stage) const { return ClassId(class_of_[stage]); }

private:
    bool augment(std::size_t stage) {
        for (std::size_t c = 0; c < capacities_.size(); ++c) {
            if (seen_[c] || costs_[stage][c] > threshold_) continue;
            seen_[c] = 1;
            const bool room = static_cast<std::int64_t>(stages_[c].size()) < capacities_[c];
            const auto moved =
                room ? stages_[c].end() : std::ranges::find_if(stages_[c], [&](std::size_t other) { return augment(other); });
            if (!room && moved == stages_[c].end()) continue;
            if (!room) stages_[c].erase(moved);
            stages_[c].push_back(stage);
            class_of_[stage] = c;
            return true;
        }
        return false;
    }

    std::span<const std::vector<std::int64_t>> costs_;  // per stage and class
    std::span<const std::int64_t> capacities_;
    std::int64_t threshold_ = 0;
    std::vector<std::size_t> class_of_;
    std::vector<std::vector<std::size_t>> stages_;  // per class
    std::vector<char> seen_;
};

/// Which limits a stage of greedy fill heeds.
struct FillRule {
    bool average, fast_memory;
};

/// Device after device; nullopt when nodes are left over, or one fits no device that is left.
std::optional<cost::Partition> fill(const cost::StageProblem& problem, std::int64_t devices, FillRule rule) {
    const std::size_t n = problem.node_count();
    std::vector<std::int64_t> left;
    std::vector<cost::IncrementalStage> stages;
    for (std::size_t c = 0; c < problem.classes.size(); ++c) {
        left.push_back(problem.classes[c].count);
        stages.emplace_back(problem, ClassId(c));
    }
    std::vector<std::int64_t> rest(n + 1);
    for (std::size_t v = n; v-- > 0;) rest[v] = rest[v + 1] + fastest_work(problem, v).count();
    cost::Partition partition;
    for (std::size_t begin = 0; begin < n; --devices) {
        if (devices == 0) return std::nullopt;
        std::size_t best_end = begin, best_class = 0;
        for (std::size_t c = 0; c < left.size(); ++c) {
            const auto& device = problem.classes[c];
            if (left[c] <= 0) continue;
            cost::IncrementalStage& stage = stages[c];
            stage.clear();
            std::size_t end = begin;
            for (; end < n && device.supported.contains(end); ++end) {
                // The average of what is left is reached when it is nearer without this node; the last device takes all it can.
                const std::int64_t with = stage.terms().work.count() + device.work[end].count();
                if (rule.average && devices > 1 && end > begin && with + stage.terms().work.count() > 2 * (rest[begin] / devices)) break;
                stage.add(NodeId(end));
                const bool full = rule.fast_memory && device.overflow == Overflow::spill && stage.terms().parameters > device.fast_memory;
                if (!fits(device, stage.terms()) || (full && end > begin)) break;
            }
            if (end > best_end) best_end = end, best_class = c;
        }
        if (best_end == begin) return std::nullopt;
        partition.stages.push_back({nodes_between(begin, best_end), ClassId(best_class), 1});
        --left[best_class];
        begin = best_end;
    }
    return partition;
}

}  // namespace

std::int64_t usable_devices(const cost::StageProblem& problem, std::int64_t stages) {
    const std::int64_t most = std::min(stages, static_cast<std::int64_t>(problem.node_count()));
    std::int64_t sum = 0;
    for (const auto& device : problem.classes) sum = std::min(most, sum + std::clamp<std::int64_t>(device.count, 0, most));
    return sum;
}

Duration fastest_work(const cost::StageProblem& problem, std::size_t node) {
    Duration least = Duration::max();
    for (const auto& device : problem.classes)
        if (device.supported.contains(node)) least = std::min(least, device.work[node]);
    return least == Duration::max() ? Duration{0} : least;
}

std::vector<std::size_t> balanced_cuts(std::span<const std::int64_t> weights, std::int64_t parts) {
    assert(parts >= 1 && !weights.empty());
    const std::size_t n = weights.size();
    std::int64_t low = *std::ranges::max_element(weights), high = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
    while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        if (static_cast<std::int64_t>(runs_needed(weights, middle)[0]) <= parts)
            high = middle;
        else
            low = middle + 1;
    }
    const auto needed = runs_needed(weights, low);
    std::int64_t rest = std::accumulate(weights.begin(), weights.end(), std::int64_t{0});
    std::vector<std::size_t> ends;
    for (std::size_t begin = 0; begin < n;) {
        const std::int64_t average = rest / parts;
        std::int64_t sum = weights[begin];
        std::size_t end = begin + 1;
        for (; end < n && sum + weights[end] <= low; sum += weights[end++]) {
            const bool enough = static_cast<std::int64_t>(needed[end]) < parts;
            if (enough && parts > 1 && sum + weights[end] / 2 >= average) break;
        }
        ends.push_back(end);
        rest -= sum;
        --parts;
        begin = end;
    }
    return ends;
}

std::optional<cost::Partition> place_stages(const cost::StageProblem& problem, std::vector<std::vector<NodeId>> stages,
                                            std::span<const std::int64_t> replicas, std::int64_t devices) {
    constexpr std::int64_t kImpossible = std::numeric_limits<std::int64_t>::max();
    const std::int64_t used =
        replicas.empty() ? static_cast<std::int64_t>(stages.size()) : std::accumulate(replicas.begin(), replicas.end(), std::int64_t{0});
    if (used > devices) return std::nullopt;
    std::vector<std::int64_t> capacities, thresholds;
    for (const auto& device : problem.classes) capacities.push_back(device.count);
    std::vector<std::vector<std::int64_t>> costs(stages.size());
    for (std::size_t s = 0; s < stages.size(); ++s)
        for (std::size_t c = 0; c < capacities.size(); ++c) {
            const auto& device = problem.classes[c];
            const bool supported = std::ranges::all_of(stages[s], [&](NodeId v) { return device.supported.contains(v.index()); });
            costs[s].push_back(kImpossible);
            if (!supported) continue;
            const auto terms = cost::stage_terms(problem, stages[s], ClassId(c));
            if (!fits(device, terms)) continue;
            const std::int64_t share = replicas.empty() ? 1 : replicas[s], time = stage_time(problem.model, terms).count();
            costs[s].back() = time / share + (time % share != 0);
            thresholds.push_back(costs[s].back());
        }
    if (thresholds.empty()) return std::nullopt;
    std::ranges::sort(thresholds);
    // Replicas are only asked for where all devices are of one class: then the count of stages says nothing, that of devices everything.
    const bool replicated = used > static_cast<std::int64_t>(stages.size());
    assert(!replicated || capacities.size() == 1);
    if (replicated && used > capacities[0]) return std::nullopt;
    Matching matching(costs, capacities);
    const auto first = std::ranges::partition_point(thresholds, [&](std::int64_t threshold) { return !matching.matches(threshold); });
    if (first == thresholds.end()) return std::nullopt;
    [[maybe_unused]] const bool matched = matching.matches(*first);
    assert(matched);
    cost::Partition partition;
    for (std::size_t s = 0; s < stages.size(); ++s)
        partition.stages.push_back({std::move(stages[s]), matching.class_of(s), replicas.empty() ? 1 : replicas[s]});
    return partition;
}

Result<PlannerResult> plan_by_equal_shares(const cost::StageProblem& problem, Measure measure, const PlannerOptions& options,
                                           Observer& observer, const Limits& limits) {
    if (auto checked = check_call(problem, options); !checked) return fail(std::move(checked.error()));
    Incumbent incumbent(problem, options, observer, limits, "split");
    const std::int64_t devices = usable_devices(problem, options.stages);
    std::vector<std::vector<NodeId>> stages;
    std::size_t begin = 0;
    for (std::size_t end : balanced_cuts(weights_of(problem, measure), devices)) {
        stages.push_back(nodes_between(begin, end));
        begin = end;
    }
    const std::size_t count = stages.size();
    if (auto partition = place_stages(problem, std::move(stages), {}, devices)) incumbent.offer(*std::move(partition), name_of(measure));
    incumbent.count(1);
    return std::move(incumbent).take(
        std::format("{} splits the model's order into {} stages that no choice of devices can hold", name_of(measure), count));
}

Result<PlannerResult> plan_by_greedy_fill(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                          const Limits& limits) {
    if (auto checked = check_call(problem, options); !checked) return fail(std::move(checked.error()));
    Incumbent incumbent(problem, options, observer, limits, "split");
    const std::int64_t devices = usable_devices(problem, options.stages);
    struct Way {
        FillRule rule;
        std::string_view name;
    };
    for (const Way& way : {Way{{true, true}, "fill to the average or the fast memory"}, Way{{true, false}, "fill to the average"},
                           Way{{false, true}, "fill the memory"}}) {
        if (incumbent.must_end()) break;
        if (auto partition = fill(problem, devices, way.rule)) incumbent.offer(*std::move(partition), way.name);
        incumbent.count(1);
    }
    return std::move(incumbent).take(std::format("filled one after the other, {} devices do not hold the model's order", devices));
}

}  // namespace sluice::inference
