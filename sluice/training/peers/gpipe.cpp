#include "sluice/training/peers/gpipe.hpp"

#include <algorithm>
#include <format>

#include "sluice/training/peers/problem.hpp"

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

/// Moves each end to where least crosses, as far as no run becomes longer than the longest by more than a fiftieth.
void shift(std::vector<std::size_t>& ends, std::span<const std::int64_t> work, std::span<const std::int64_t> crossing) {
    std::vector<std::int64_t> below{0};
    for (const std::int64_t one : work) below.push_back(below.back() + one);
    std::int64_t most = 0;
    for (std::size_t r = 0; r < ends.size(); ++r) most = std::max(most, below[ends[r]] - below[r == 0 ? 0 : ends[r - 1]]);
    most += most / 50;
    for (std::size_t r = 0; r + 1 < ends.size(); ++r) {
        const std::size_t begin = r == 0 ? 0 : ends[r - 1];
        std::size_t best = ends[r];
        for (std::size_t end = begin + 1; end < ends[r + 1]; ++end)
            if (below[end] - below[begin] <= most && below[ends[r + 1]] - below[end] <= most && crossing[end] < crossing[best]) best = end;
        ends[r] = best;
    }
}

/// The same where no more crosses than four times the usual: inside layers no cut. Fewer than `runs` when there are not so many such
/// places.
std::vector<std::size_t> ends_between_layers(std::span<const std::int64_t> work, std::span<const std::int64_t> crossing, std::size_t runs) {
    std::vector<std::int64_t> sorted(crossing.begin() + 1, crossing.end() - 1), units{0};
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2));
    const std::int64_t most = sorted.empty() ? 0 : sorted[sorted.size() / 2] * 4;
    std::vector<std::size_t> ends_of_units, ends;
    for (std::size_t i = 0; i < work.size(); ++i) {
        units.back() += work[i];
        if (i + 1 < work.size() && crossing[i + 1] > most) continue;
        ends_of_units.push_back(i + 1);
        if (i + 1 < work.size()) units.push_back(0);
    }
    for (const std::size_t end : ends_of_equal_runs(units, std::min(runs, units.size()))) ends.push_back(ends_of_units[end - 1]);
    return ends;
}

}  // namespace

Result<PlannerResult> plan_by_gpipe(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                    const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    const auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    if (options.schedule && *options.schedule != cost::Schedule::gpipe)
        return fail(usage_error(std::format("gpipe has the schedule gpipe, not {}", to_text(*options.schedule))));
    Candidates candidates(problem, observer, limits, "gpipe");
    for (const DeviceRange& range : *ranges)
        for (const std::int64_t micro_batch : *sizes) {
            const std::vector<std::int64_t> work = node_work(problem, range.device, micro_batch);
            const auto order = linear_order(problem.structure.predecessors, problem.structure.successors, work);
            std::vector<std::int64_t> in_order;
            for (const NodeId node : order) in_order.push_back(work[node.index()]);
            const auto stages = std::min(static_cast<std::size_t>(range.count), order.size());
            const std::vector<std::int64_t> crossing = crossing_of_order(problem, order);
            std::vector<std::size_t> ends = ends_of_equal_runs(in_order, stages);
            shift(ends, in_order, crossing);
            for (const bool between_layers : {false, true}) {
                if (between_layers) ends = ends_between_layers(in_order, crossing, stages);
                Shape shape;
                for (std::size_t begin = 0; const std::size_t end : ends) {
                    shape.stages.push_back(
                        {{order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)}, 1});
                    begin = end;
                }
                for (const bool recompute : {false, true}) {
                    if (candidates.must_end()) return std::move(candidates).take("gpipe");
                    if (options.recompute.value_or(recompute) != recompute) continue;
                    for (Shape::Stage& stage : shape.stages) stage.recompute = recompute;
                    candidates.offer(
                        place(problem, shape, range, micro_batch, cost::Schedule::gpipe),
                        std::format("{} stages, micro-batch {}{}", ends.size(), micro_batch, recompute ? ", recomputation" : ""));
                }
            }
        }
    return std::move(candidates).take("gpipe");
}

}  // namespace sluice::training
