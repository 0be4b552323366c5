#include "sluice/training/gpipe.hpp"

#include <algorithm>
#include <format>

#include "sluice/training/candidates.hpp"
#include "sluice/training/cuts.hpp"

namespace sluice::training {

namespace {

/// Runs of a list with the least largest sum, none empty: by bisection, each run as long as the sum allows. Needs 1 <= runs <= size.
std::vector<std::size_t> ends_of_equal_runs(std::span<const std::int64_t> work, std::size_t runs) {
    std::int64_t low = *std::ranges::max_element(work), high = 0;
    for (const std::int64_t one : work) high += one;
    std::vector<std::size_t> ends;
    const auto cut = [&](std::int64_t most) {
        ends.clear();
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < work.size(); ++i) {
            // Runs that are still to come have an item each.
            const bool must = work.size() - i == runs - ends.size() - 1 && i > (ends.empty() ? 0 : ends.back());
            if (sum + work[i] > most || must) {
                ends.push_back(i);
                sum = 0;
            }
            sum += work[i];
        }
        ends.push_back(work.size());
        return ends.size() <= runs;
    };
    while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        if (cut(middle))
            high = middle;
        else
            low = middle + 1;
    }
    cut(high);
    return ends;
}

}  // namespace

Result<PlannerResult> plan_by_gpipe(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                    const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    const auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    Candidates candidates(problem, observer, limits, "gpipe");
    for (const DeviceRange& range : *ranges)
        for (const std::int64_t micro_batch : *sizes) {
            std::vector<std::int64_t> work;
            for (const cost::PassTimes& times : pass_times(problem, range.device, micro_batch)) work.push_back(times.total().count());
            const auto order = linear_order(problem.structure.predecessors, problem.structure.successors, work);
            std::vector<std::int64_t> in_order;
            for (const NodeId node : order) in_order.push_back(work[node.index()]);
            const auto stages = std::min(static_cast<std::size_t>(range.count), order.size());
            Shape shape;
            std::size_t begin = 0;
            for (const std::size_t end : ends_of_equal_runs(in_order, stages)) {
                shape.stages.push_back(
                    {{order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)}, 1});
                begin = end;
            }
            for (const bool recompute : {false, true}) {
                if (candidates.must_end()) return std::move(candidates).take("gpipe");
                if (options.recompute.value_or(recompute) != recompute) continue;
                for (Shape::Stage& stage : shape.stages) stage.recompute = recompute;
                candidates.offer(place(problem, shape, range, micro_batch, cost::Schedule::gpipe),
                                 std::format("{} stages, micro-batch {}{}", stages, micro_batch, recompute ? ", recomputation" : ""));
            }
        }
    return std::move(candidates).take("gpipe");
}

}  // namespace sluice::training
