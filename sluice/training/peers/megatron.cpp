#include "sluice/training/peers/megatron.hpp"

#include <algorithm>
#include <format>
#include <set>

#include "sluice/training/peers/problem.hpp"

namespace sluice::training {

namespace {

constexpr std::int64_t kMostChunks = 8;

/// A linear order with what Megatron counts: per position, whether a layer begins there, and the bytes that cross a cut before it.
struct Line {
    std::vector<NodeId> order;
    std::vector<std::size_t> layers;  // positions
    std::vector<std::int64_t> crossing;
};

Line line_of(const cost::TrainingProblem& problem, ClassId device, bool layers) {
    const cost::StageProblem& structure = problem.structure;
    Line line{
        .order = linear_order(structure.predecessors, structure.successors, node_work(problem, device, 1)), .layers = {}, .crossing = {}};
    for (std::size_t i = 0; i < line.order.size(); ++i)
        if (!layers || !structure.weights[line.order[i].index()].empty()) line.layers.push_back(i);
    line.crossing = crossing_of_order(problem, line.order);
    return line;
}

/// As many stages with equally many layers each. Needs 1 <= stages <= layers.
std::vector<std::vector<NodeId>> equal_stages(const Line& line, std::size_t stages) {
    std::vector<std::vector<NodeId>> made;
    std::size_t begin = 0, layer = 0;
    for (std::size_t s = 0; s < stages; ++s) {
        layer += line.layers.size() / stages + (s < line.layers.size() % stages);
        std::size_t end = line.order.size();
        if (s + 1 < stages) {
            // Behind this stage's last layer, at the next one's first at the latest.
            const auto first = line.crossing.begin() + static_cast<std::ptrdiff_t>(line.layers[layer - 1] + 1),
                       last = line.crossing.begin() + static_cast<std::ptrdiff_t>(line.layers[layer] + 1);
            end = static_cast<std::size_t>(std::min_element(first, last) - line.crossing.begin());
        }
        made.emplace_back(line.order.begin() + static_cast<std::ptrdiff_t>(begin), line.order.begin() + static_cast<std::ptrdiff_t>(end));
        begin = end;
    }
    return made;
}

class Megatron {
public:
    Megatron(const cost::TrainingProblem& problem, const PlannerOptions& options, Candidates& candidates)
        : problem_(problem), options_(options), candidates_(candidates) {}

    /// False: stopped.
    bool try_devices(const DeviceRange& range, const std::vector<std::int64_t>& sizes) {
        std::set<std::pair<std::int64_t, std::vector<std::vector<NodeId>>>> seen;
        for (const bool layers : {true, false}) {
            const Line line = line_of(problem_, range.device, layers);
            for (std::int64_t p = 1; p <= range.count; ++p) {
                if (range.count % p != 0) continue;
                for (std::int64_t v = 1; v <= (p > 1 ? kMostChunks : 1) && p * v <= static_cast<std::int64_t>(line.layers.size()); ++v) {
                    auto stages = equal_stages(line, static_cast<std::size_t>(p * v));
                    // Both ways of counting may cut the same.
                    if (seen.emplace(p, stages).second && !try_stages(range, stages, p, v, sizes)) return false;
                }
            }
        }
        return true;
    }

private:
    bool try_stages(const DeviceRange& range, const std::vector<std::vector<NodeId>>& stages, std::int64_t p, std::int64_t v,
                    const std::vector<std::int64_t>& sizes) {
        const cost::Schedule schedule = v == 1 ? cost::Schedule::one_f_one_b : cost::Schedule::interleaved;
        if (options_.schedule.value_or(schedule) != schedule) return true;
        for (const bool recompute : {false, true}) {
            if (options_.recompute.value_or(recompute) != recompute) continue;
            for (const std::int64_t micro_batch : sizes) {
                if (candidates_.must_end()) return false;
                // As there: interleaving takes micro-batches in rounds of p.
                if (v > 1 && problem_.options.mini_batch / micro_batch % p != 0) continue;
                Shape shape;
                for (const std::vector<NodeId>& nodes : stages) shape.stages.push_back({nodes, range.count / p, recompute});
                cost::TrainingPartition partition = place(problem_, shape, range, micro_batch, schedule);
                for (std::size_t s = 0; s < partition.stages.size(); ++s)
                    partition.stages[s].first_device = range.first + static_cast<std::int64_t>(s) % p * (range.count / p);
                candidates_.offer(std::move(partition), std::format("{} stages x {}{}, micro-batch {}{}", p, range.count / p,
                                                                    v > 1 ? std::format(" x {} chunks", v) : "", micro_batch,
                                                                    recompute ? ", recomputation" : ""));
            }
        }
        return true;
    }

    const cost::TrainingProblem& problem_;
    const PlannerOptions& options_;
    Candidates& candidates_;
};

}  // namespace

Result<PlannerResult> plan_by_megatron(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                       const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    const auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    if (options.schedule && *options.schedule != cost::Schedule::one_f_one_b && *options.schedule != cost::Schedule::interleaved)
        return fail(usage_error(std::format("megatron has the schedules 1f1b and interleaved, not {}", to_text(*options.schedule))));
    Candidates candidates(problem, observer, limits, "megatron");
    Megatron megatron(problem, options, candidates);
    for (const DeviceRange& range : *ranges)
        if (!megatron.try_devices(range, *sizes)) break;
    return std::move(candidates).take("megatron");
}

}  // namespace sluice::training
