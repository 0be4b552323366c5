#include "sluice/mcm/policy/policy_planner.hpp"

#include <algorithm>
#include <format>
#include <optional>
#include <utility>

#include "sluice/mcm/policy/network.hpp"
#include "sluice/mcm/sample.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm::policy {

namespace {

constexpr int kMostFailures = 20;  // walks in a row that gave up

}  // namespace

Result<Fixed> likeliest(std::span<const float> rows, ChipSolver& solver, std::span<const NodeId> order, RandomStream& random) {
    Assignment best(order.size());
    const std::size_t chips = rows.size() / best.size();
    for (std::size_t v = 0; v < best.size(); ++v) {
        const auto row = rows.subspan(v * chips, chips);
        best[v] = static_cast<std::uint8_t>(std::ranges::max_element(row) - row.begin());
    }
    return fix(solver, best, order, OpenNodes::nearest, random);
}

Result<PlannerResult> plan_by_policy(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    const Policy& policy = options.policy != nullptr ? *options.policy : shipped_policy();
    auto features = features_of(problem);
    if (!features) return fail(std::move(features.error()));
    if (auto fits = suits(policy.architecture, *features); !fits) return fail(std::move(fits.error()));
    const std::vector<float> rows = probabilities(policy, *features);

    const ChipProblem strict = sampling_problem(problem, features->positions);
    ChipSolver solver(strict);
    RandomStream random(options.seed);
    const auto order = walk_order(*problem.costs, WalkOrder::bisection, random);
    const std::int64_t most = limits.deadline || limits.evaluations ? limits.evaluations.value_or(INT64_MAX) : kSamples;
    Trials trials(problem, options, observer, limits);
    if (options.start != nullptr) trials.ask(*options.start, "start");
    const auto ask = [&](const Assignment& chips, std::string_view source) {
        const Verdict* verdict = trials.ask(chips, source);
        if (verdict != nullptr && verdict->failure && !verdict->failure->nodes.empty()) solver.learn(verdict->failure->nodes);
    };
    // What every policy starts from: one that learned badly elsewhere is no worse here.
    ask(features->positions.chips, "equal work");
    if (auto repaired = likeliest(rows, solver, order, random); repaired && repaired->chips != features->positions.chips)
        ask(repaired->chips, "policy's likeliest");
    std::optional<Diagnostic> why;
    for (int failures = 0; failures < kMostFailures && trials.evaluations() < most && !trials.over();) {
        auto drawn = sample(solver, rows, order, random);
        if (!drawn) {
            why = std::move(drawn.error());
            ++failures;
            if (!solver.consistent()) break;
            continue;
        }
        failures = 0;
        ask(drawn->chips, "policy's sample");
    }
    const bool nothing = !trials.found() && trials.evaluations() == 0 && why;
    if (nothing) {
        if (strict.rules.adjacent != problem.rules.adjacent) why->kind = DiagnosticKind::stopped;  // says nothing of the looser rules
        return fail(*std::move(why));
    }
    auto result = std::move(trials).finish();
    if (result && why)
        result->warnings.push_back(std::move(*why).note(std::format("walks in a row that gave up end the method after {}", kMostFailures)));
    return result;
}

}  // namespace sluice::mcm::policy
