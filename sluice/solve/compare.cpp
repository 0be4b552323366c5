#include "sluice/solve/compare.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <format>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/inference/latency.hpp"
#include "sluice/solve/why_nothing.hpp"

namespace sluice::solve {

namespace {

constexpr std::size_t kExactNodes = 256;                    // beyond these an exact planner hardly ever ends
constexpr std::string_view kPatientMethod = "brkga-10000";  // the paper's longest run, not a default of anybody

double seconds_since(Limits::Clock::time_point start) { return std::chrono::duration<double>(Limits::Clock::now() - start).count(); }

}  // namespace

MethodRow run_method(const cost::StageProblem& problem, const inference::Planner& planner, const SolveOptions& options,
                     std::optional<Duration> proven, Observer& observer, const Limits& limits) {
    MethodRow row{.method = std::string(planner.name)};
    inference::PlannerOptions asked = planner_options(options);
    asked.good_enough = proven;
    const auto start = Limits::Clock::now();
    auto result = [&]() -> Result<inference::PlannerResult> {
        try {
            return inference::plan_for(planner, problem, asked, observer, limits);
        } catch (const std::exception& error) { return fail(internal_error(std::format("failed: {}", error.what()))); }
    }();
    if (!result) {
        row.termination.reason = why_nothing(result.error(), limits);
        row.failure = std::move(result.error());
    } else if (auto faults = cost::faults_of(problem, result->partition, options.stages); !faults.empty()) {
        row.failure = internal_error(std::format("made a plan that does not hold: {}", faults.front().message));
    } else {
        row.termination = result->termination;
        row.cost = cost::price(problem, result->partition);
        row.partition = std::move(result->partition);
        row.winner = std::move(result->winner);
    }
    row.termination.seconds = seconds_since(start);
    return row;
}

BoundRow run_bound(const cost::StageProblem& problem, const bound::Bound& bound, const SolveOptions& options, std::optional<Duration> best,
                   Observer& observer, const Limits& limits) {
    BoundRow row{.bound = std::string(bound.name)};
    // A bound on the latency is one without replicas (certificate.hpp).
    const bound::BoundOptions asked{.stages = options.stages,
                                    .threads = std::max(1, options.threads),
                                    .enough = best,
                                    .max_replicas = options.objective == cost::Objective::latency ? 1 : options.max_replicas,
                                    .objective = options.objective};
    auto start = Limits::Clock::now();
    auto result = [&]() -> Result<bound::BoundResult> {
        try {
            return bound.prove(problem, asked, observer, limits);
        } catch (const std::exception& error) { return fail(internal_error(std::format("failed: {}", error.what()))); }
    }();
    row.termination.seconds = seconds_since(start);
    if (!result) {
        row.termination.reason = why_nothing(result.error(), limits);
        row.failure = std::move(result.error());
        return row;
    }
    row.termination.reason = result->termination.reason;
    row.termination.evaluations = result->termination.evaluations;
    row.certificate = std::move(result->certificate);
    row.certificate->model = options.model;
    row.certificate->objective = options.objective;
    start = Limits::Clock::now();
    auto objections = bound::check_certificate(problem, *row.certificate);
    row.check_seconds = seconds_since(start);
    if (objections.empty() && best && row.certificate->value > *best)
        objections.push_back(
            internal_error(std::format("{} ps, above the {} ps that a plan reaches", row.certificate->value.count(), best->count())));
    row.certified = objections.empty();
    if (!row.certified) row.failure = std::move(objections.front());
    row.bytes = bound::to_json_text(*row.certificate, row.certified).size();
    return row;
}

const MethodRow* best_of(std::span<const MethodRow> rows, cost::Objective objective) {
    const MethodRow* best = nullptr;
    for (const MethodRow& row : rows)
        if (!row.partition.stages.empty() && (best == nullptr || better(row.cost, best->cost, objective))) best = &row;
    return best;
}

const BoundRow* best_of(std::span<const BoundRow> rows) {
    const BoundRow* best = nullptr;
    for (const BoundRow& row : rows)
        if (row.certified && (best == nullptr || row.certificate->value > best->certificate->value)) best = &row;
    return best;
}

std::vector<const inference::Planner*> usual_methods(const cost::StageProblem& problem) {
    std::vector<const inference::Planner*> list;
    for (const inference::Planner& planner : inference::planners())
        if (planner.name != kPatientMethod && !(planner.exact && problem.node_count() > kExactNodes)) list.push_back(&planner);
    return list;
}

}  // namespace sluice::solve
