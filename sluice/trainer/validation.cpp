#include "sluice/trainer/validation.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <numeric>
#include <optional>

#include "sluice/mcm/policy/network.hpp"
#include "sluice/mcm/sample.hpp"

namespace sluice::trainer {

namespace {
constexpr int kMostFailures = 20;  // walks in a row that gave up
}  // namespace

Result<Duration> best_drawn(const mcm::policy::Policy& policy, const Instance& instance, mcm::Judge& judge, std::int64_t samples,
                            std::uint64_t seed, const std::stop_token& stop) {
    if (auto fits = mcm::policy::suits(policy.architecture, instance.features); !fits) return fail(std::move(fits.error()));
    const std::vector<float> rows = mcm::policy::probabilities(policy, instance.features);
    mcm::ChipSolver solver(instance.strict);
    RandomStream random(seed);
    const auto order = mcm::walk_order(instance.costs, mcm::WalkOrder::bisection, random);
    std::optional<Duration> best;
    for (int failures = 0; samples > 0 && failures < kMostFailures && solver.consistent();) {
        if (stop.stop_requested()) return fail(Diagnostic{DiagnosticKind::stopped, "stopped before all samples were drawn", {}, {}, {}});
        const auto drawn = mcm::sample(solver, rows, order, random);
        if (!drawn) {
            ++failures;
            continue;
        }
        failures = 0;
        --samples;
        const auto verdict = judge.judge(drawn->chips);
        if (!verdict) return fail(verdict.error());
        if (verdict->fits())
            best = std::min(best.value_or(verdict->period), verdict->period);
        else if (!verdict->failure->nodes.empty())
            solver.learn(verdict->failure->nodes);
    }
    const auto& work = instance.costs.classes.front().work;
    return best.value_or(std::accumulate(work.begin(), work.end(), Duration{0}));
}

Result<double> validation_score(const mcm::policy::Policy& policy, std::span<const Instance* const> instances, std::int64_t samples,
                                std::uint64_t seed) {
    double sum = 0;
    for (const Instance* instance : instances) {
        mcm::AnalyticJudge judge(instance->problem);
        const auto period = best_drawn(policy, *instance, judge, samples, seed);
        if (!period)
            return fail(Diagnostic(period.error()).note(std::format("validating on '{}', {}", instance->name, instance->platform)));
        sum += std::log(static_cast<double>(instance->features.positions.period.count()) / static_cast<double>(period->count()));
    }
    return std::exp(sum / static_cast<double>(std::max<std::size_t>(instances.size(), 1)));
}

}  // namespace sluice::trainer
