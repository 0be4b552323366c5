#include "sluice/solve/sweep.hpp"

#include <algorithm>
#include <cassert>

#include "sluice/bound/check_certificate.hpp"

namespace sluice::solve {

namespace {

/// Checked in the time it takes to read; the other kinds are proven again by their check.
bool quick_to_check(const bound::Certificate& certificate) { return certificate.kind() == "combinatorial" || certificate.kind() == "cut"; }

/// A plan found for more stages that needs no more than `point` has.
void take_plan(const cost::StageProblem& problem, SweepPoint& point, const SweepPoint& more, cost::Objective objective) {
    if (!more.result || (point.result && !better(more.result->cost, point.result->cost, objective))) return;
    if (!cost::faults_of(problem, more.result->partition, point.stages).empty()) return;
    if (!point.result) {
        point.result = *more.result;
        point.result->certificate = {.problem = problem.fingerprint,
                                     .model = more.result->certificate.model,
                                     .stages = point.stages,
                                     .max_replicas = more.result->certificate.max_replicas,
                                     .value = Duration(0),
                                     .witness = bound::TotalWorkWitness{},
                                     .objective = objective};
        point.result->certified = bound::check_certificate(problem, point.result->certificate).empty();
        point.failure.reset();
    } else {
        point.result->partition = more.result->partition;
        point.result->cost = more.result->cost;
        point.result->winner = more.result->winner;
    }
}

void take_bound(const cost::StageProblem& problem, SweepPoint& point, const SweepPoint& more, cost::Objective objective,
                const Limits& limits) {
    if (!point.result || !more.result || !more.result->certified) return;
    if (!quick_to_check(more.result->certificate) && (limits.interrupted() || limits.out_of_time())) return;
    if (point.result->certified && point.result->certificate.value >= more.result->certificate.value) return;
    bound::Certificate certificate = more.result->certificate;
    certificate.problem = problem.fingerprint;
    certificate.stages = point.stages;
    if (certificate.value > objective_value(point.result->cost, objective) || !bound::check_certificate(problem, certificate).empty())
        return;
    point.result->certificate = std::move(certificate);
    point.result->certified = true;
}

}  // namespace

Limits share_of(const Limits& limits, std::size_t count) {
    Limits share = limits;
    if (!limits.deadline) return share;
    const auto now = Limits::Clock::now();
    share.deadline = now + (*limits.deadline - now) / static_cast<std::int64_t>(count);
    return share;
}

Result<std::vector<SweepPoint>> sweep(const cost::StageProblem& problem, std::span<const std::int64_t> stages, const SolveOptions& options,
                                      const std::function<Observer&(std::int64_t)>& observer_for, const Limits& limits) {
    std::vector<SweepPoint> points;
    cost::StageProblem grown = problem;
    SolveOptions asked = options;
    for (std::size_t i = 0; i < stages.size(); ++i) {
        assert(i == 0 || stages[i - 1] < stages[i]);
        if (limits.interrupted()) break;
        cost::allow_stages(grown, stages[i]);
        asked.stages = stages[i];
        asked.max_replicas = std::min(options.max_replicas, stages[i]);
        auto result = solve(grown, asked, observer_for(stages[i]), share_of(limits, stages.size() - i));
        if (!result) {
            if (result.error().kind == DiagnosticKind::usage) return fail(std::move(result.error()));
            points.push_back({.stages = stages[i], .failure = std::move(result.error())});
            continue;
        }
        asked.start = result->partition;
        if (result->certified && quick_to_check(result->certificate)) asked.known = result->certificate;
        points.push_back({.stages = stages[i], .result = std::move(*result)});
    }
    for (std::size_t i = points.size(); i-- > 1;) {
        cost::StageProblem smaller = problem;
        cost::allow_stages(smaller, points[i - 1].stages);
        take_plan(smaller, points[i - 1], points[i], options.objective);
        take_bound(smaller, points[i - 1], points[i], options.objective, limits);
        auto& result = points[i - 1].result;
        if (result && result->certified && result->certificate.value == objective_value(result->cost, options.objective))
            result->termination.reason = StopReason::optimal;
    }
    return points;
}

}  // namespace sluice::solve
