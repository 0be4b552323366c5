#include <algorithm>
#include <format>
#include <optional>
#include <set>

#include "sluice/training/peers/piper.hpp"
#include "sluice/training/peers/problem.hpp"

namespace sluice::training {

namespace {

class Piper {
public:
    Piper(const cost::TrainingProblem& problem, const PlannerOptions& options, const Limits& limits, Candidates& candidates,
          std::vector<std::int64_t> sizes)
        : problem_(problem), options_(options), limits_(limits), candidates_(candidates), sizes_(std::move(sizes)) {}

    /// False: stopped.
    bool try_devices(const DeviceRange& range) {
        for (const bool chain : {true, false}) {
            if (candidates_.must_end()) return false;
            const std::optional<Cuts> cuts = cuts_to_try(problem_, range.device, range.count, kPiperDownsets, chain);
            if (!cuts) continue;
            // A replica takes this many samples at a time; what all of a stage take together is settled by trying.
            for (const std::int64_t samples : sizes_) {
                PiperInstance instance = instance_for(range, samples);
                auto plan = piper_plan(instance, *cuts, limits_);
                if (!plan && plan.error() == Missed::no_plan) {
                    // Its own account of the memory may be too strict, and what lacks how much is to be known.
                    instance.memory.reset();
                    plan = piper_plan(instance, *cuts, limits_);
                }
                if (plan) offer(*plan, *cuts, range);
                if (candidates_.must_end()) return false;
            }
        }
        return true;
    }

private:
    /// Degree 1; a stage recomputes whole or not at all, as cost/training_partition.hpp has it.
    [[nodiscard]] PiperInstance instance_for(const DeviceRange& range, std::int64_t samples) const {
        const cost::TrainingDevice& device = problem_.classes[range.device.index()];
        PiperInstance instance;
        instance.devices = range.count;
        if (device.limited) instance.memory = device.memory;
        const std::int64_t per_node = problem_.interconnect.devices_per_node;
        const bool one_node = per_node == 0 || range.first / per_node == (range.first + range.count - 1) / per_node;
        instance.bandwidth = (one_node ? problem_.interconnect.inside : problem_.interconnect.between).rate;
        instance.micro_batches = problem_.options.mini_batch / samples;
        instance.degrees = {1};
        instance.one_choice = true;
        const std::vector<std::int64_t> parameters = parameter_bytes(problem_), state = state_bytes(problem_);
        const std::vector<cost::PassTimes> times = pass_times(problem_, range.device, samples);
        for (std::size_t v = 0; v < times.size(); ++v) {
            const Bytes kept{problem_.kept[v].count * samples};
            const PiperChoice plain{times[v].total(), {parameters[v]}, kept, {state[v]}};
            const PiperChoice again{times[v].total() + times[v].forward, {parameters[v]}, {}, Bytes{state[v]} + kept};
            std::vector<PiperChoice> choices;
            if (!options_.recompute.value_or(false)) choices.push_back(plain);
            if (options_.recompute.value_or(true)) choices.push_back(again);
            instance.choices.push_back({std::move(choices)});
        }
        for (CutTensor& tensor : tensors_between(problem_, samples)) {
            const Bytes entering = tensor.forward;
            instance.tensors.push_back({{std::move(tensor)}, entering});
        }
        return instance;
    }

    void offer(const PiperPlan& plan, const Cuts& cuts, const DeviceRange& range) {
        Shape shape;
        for (const PiperStage& stage : plan.stages)
            shape.stages.push_back({stage.nodes, stage.replicas, options_.recompute.value_or(stage.chosen.front() > 0)});
        offer(shape, cuts, range);
        // With smaller micro-batches it may do without.
        for (Shape::Stage& stage : shape.stages) stage.recompute = options_.recompute.value_or(false);
        offer(shape, cuts, range);
    }

    void offer(const Shape& shape, const Cuts& cuts, const DeviceRange& range) {
        if (!shapes_.insert({range.first, shape}).second) return;
        for (const std::int64_t micro_batch : sizes_) {
            if (candidates_.must_end()) return;
            candidates_.offer(place(problem_, shape, range, micro_batch, options_.schedule.value_or(cost::Schedule::one_f_one_b)),
                              std::format("{} stages over {} {}, micro-batch {}", shape.stages.size(), cuts.count(),
                                          cuts.chain ? "prefixes" : "downsets", micro_batch));
        }
    }

    const cost::TrainingProblem& problem_;
    const PlannerOptions& options_;
    const Limits& limits_;
    Candidates& candidates_;
    std::vector<std::int64_t> sizes_;
    std::set<std::pair<std::int64_t, Shape>> shapes_;  // offered
};

}  // namespace

Result<PlannerResult> plan_by_piper(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                    const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    const auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    Candidates candidates(problem, observer, limits, "piper");
    Piper piper(problem, options, limits, candidates, *sizes);
    for (const DeviceRange& range : *ranges)
        if (!piper.try_devices(range)) break;
    return std::move(candidates).take("piper");
}

}  // namespace sluice::training
