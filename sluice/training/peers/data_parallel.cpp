#include "sluice/training/peers/data_parallel.hpp"

#include <algorithm>
#include <format>

#include "sluice/training/evaluate.hpp"
#include "sluice/training/peers/candidates.hpp"

namespace sluice::training {

Result<PlannerResult> plan_data_parallel(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                         const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    if (!options.micro_batch) {
        sizes = micro_batches(problem, false);  // replicas need not be a power of two
        std::ranges::reverse(*sizes);
    }
    Shape whole{.stages = {{}}};
    for (std::size_t v = 0; v < problem.node_count(); ++v) whole.stages[0].nodes.emplace_back(v);
    Candidates candidates(problem, observer, limits, "data-parallel");
    for (const DeviceRange& range : *ranges)
        for (const std::int64_t size : *sizes)
            // Without recomputation, and where that is against the memory with it.
            for (const bool recompute : {false, true}) {
                if (options.recompute.value_or(recompute) != recompute) continue;
                if (candidates.must_end()) return std::move(candidates).take("data-parallel");
                whole.stages[0].replicas = range.count;
                whole.stages[0].recompute = recompute;
                if (candidates.offer(place(problem, whole, range, size, options.schedule.value_or(cost::Schedule::one_f_one_b)),
                                     std::format("micro-batch {}{}", size, recompute ? ", recomputation" : "")))
                    break;
            }
    return std::move(candidates).take("data-parallel");
}

}  // namespace sluice::training
