#include <algorithm>
#include <format>
#include <map>
#include <optional>
#include <set>

#include "sluice/training/peers/pipedream.hpp"
#include "sluice/training/peers/problem.hpp"

namespace sluice::training {

namespace {

/// More states than this are planned as a chain alone.
constexpr std::size_t kMostStates = 8192;

class Pipedream {
public:
    Pipedream(const cost::TrainingProblem& problem, const PlannerOptions& options, const Limits& limits, Candidates& candidates,
              std::vector<std::int64_t> sizes)
        : problem_(problem), options_(options), limits_(limits), candidates_(candidates), sizes_(std::move(sizes)) {}

    /// False: stopped.
    bool try_devices(const DeviceRange& range) {
        const std::int64_t per_node = problem_.interconnect.devices_per_node;
        const platform::Link &inside = problem_.interconnect.inside, &between = problem_.interconnect.between;
        const bool one_node = per_node == 0 || range.first / per_node == (range.first + range.count - 1) / per_node;
        std::vector<std::vector<PipedreamLevel>> hierarchies{{{range.count, one_node ? inside.rate : between.rate}}};
        if (!one_node && per_node > 1 && range.first % per_node == 0 && range.count % per_node == 0)
            hierarchies.push_back({{per_node, inside.rate}, {range.count / per_node, between.rate}});
        for (const bool chain : {true, false}) {
            if (candidates_.must_end()) return false;
            const std::optional<Cuts> cuts = cuts_to_try(problem_, range.device, range.count, kMostStates, chain);
            if (!cuts) continue;
            PipedreamInstance instance;
            instance.parameters = sums_below(*cuts, parameter_bytes(problem_));
            for (const std::int64_t micro_batch : sizes_) {
                if (!set_micro_batch(instance, *cuts, range, micro_batch)) return false;
                for (const auto& levels : hierarchies) {
                    if (levels.size() > 1 && cuts->count() > kPipedreamNodeCuts) continue;
                    instance.levels = levels;
                    for (const std::int64_t every : std::set{problem_.options.mini_batch / micro_batch, std::int64_t{1}}) {
                        instance.exchange_every = every;
                        if (!try_instance(instance, *cuts, range, micro_batch)) return false;
                    }
                }
            }
        }
        return true;
    }

private:
    /// False: stopped.
    bool set_micro_batch(PipedreamInstance& instance, const Cuts& cuts, const DeviceRange& range, std::int64_t micro_batch) {
        instance.crossing = crossing_bytes(cuts, tensors_between(problem_, micro_batch));
        instance.work.clear();
        std::int64_t share = 0;
        for (std::int64_t m = 1; m <= range.count; ++m) {
            if (candidates_.must_end()) return false;
            const std::int64_t samples = (micro_batch + m - 1) / m;
            if (samples == share)
                instance.work.push_back(instance.work.back());
            else
                instance.work.push_back(sums_below(cuts, node_work(problem_, range.device, samples)));
            share = samples;
        }
        return true;
    }

    /// False: stopped.
    bool try_instance(PipedreamInstance& instance, const Cuts& cuts, const DeviceRange& range, std::int64_t micro_batch) {
        const cost::TrainingDevice& device = problem_.classes[range.device.index()];
        // Without regard to memory first, as published; then with it, where that does not fit.
        for (const int memory : {0, 1, 2}) {
            if (candidates_.must_end()) return false;
            if (memory > 0 && (!device.limited || instance.levels.size() > 1)) break;
            instance.memory.reset();
            if (memory > 0) {
                std::vector<std::int64_t> kept, fixed = state_bytes(problem_);
                for (const Bytes one : problem_.kept) kept.push_back(one.count * micro_batch);
                if (memory == 1) {
                    const std::vector<std::int64_t> parameters = parameter_bytes(problem_);
                    for (std::size_t v = 0; v < kept.size(); ++v) kept[v] += parameters[v];
                    std::ranges::fill(fixed, 0);
                }
                instance.memory = PipedreamMemory{device.memory, sums_below(cuts, fixed), sums_below(cuts, kept), memory == 2};
            }
            const auto plan = pipedream_plan(instance, cuts, limits_);
            if (!plan && plan.error() == Missed::stopped) return !candidates_.must_end();
            if (plan && offer(*plan, cuts, range)) break;
        }
        return true;
    }

    /// True: with some micro-batch it fits.
    bool offer(const PipedreamPlan& plan, const Cuts& cuts, const DeviceRange& range) {
        Shape shape;
        for (const PipedreamStage& stage : plan.stages)
            shape.stages.push_back({cuts.between(stage.begin, stage.end), stage.replicas, options_.recompute.value_or(false)});
        const auto [known, fresh] = shapes_.emplace(std::pair(range.first, shape), false);
        if (!fresh) return known->second;
        for (const std::int64_t micro_batch : sizes_) {
            if (candidates_.must_end()) return true;
            known->second |=
                candidates_.offer(place(problem_, shape, range, micro_batch, options_.schedule.value_or(cost::Schedule::one_f_one_b)),
                                  std::format("{} stages over {} {}, micro-batch {}", shape.stages.size(), cuts.count() - 1,
                                              cuts.chain ? "prefixes" : "antichain states", micro_batch));
        }
        return known->second;
    }

    const cost::TrainingProblem& problem_;
    const PlannerOptions& options_;
    const Limits& limits_;
    Candidates& candidates_;
    std::vector<std::int64_t> sizes_;
    std::map<std::pair<std::int64_t, Shape>, bool> shapes_;  // offered, and whether one fitted
};

}  // namespace

Result<PlannerResult> plan_by_pipedream(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                        const Limits& limits) {
    const auto ranges = usable_ranges(problem);
    if (!ranges) return fail(ranges.error());
    const auto sizes = micro_batches_to_try(problem, options);
    if (!sizes) return fail(sizes.error());
    Candidates candidates(problem, observer, limits, "pipedream");
    Pipedream pipedream(problem, options, limits, candidates, *sizes);
    for (const DeviceRange& range : *ranges)
        if (!pipedream.try_devices(range)) break;
    return std::move(candidates).take("pipedream");
}

}  // namespace sluice::training
