#include "sluice/report/plan_text.hpp"

#include <algorithm>
#include <format>

#include "sluice/base/observer.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

constexpr std::size_t kPlanLabelWidth = 30;

Duration time_of(const plan::Plan& plan, const plan::PlannedStage& stage) {
    const Duration time = cost::stage_time(plan.platform.model, stage.predicted);
    return Duration{(time.count() + stage.replicas - 1) / stage.replicas};
}

Table stage_table(const plan::Plan& plan, const graph::Graph& graph) {
    Table table{{{"stage"},
                 {"operators"},
                 {"first", Align::left, kPlanLabelWidth},
                 {"last", Align::left, kPlanLabelWidth},
                 {"device", Align::left},
                 {"replicas"},
                 {"work"},
                 {"in"},
                 {"out"},
                 {"spill"},
                 {"parameters"},
                 {"peak"},
                 {"time"},
                 {"of the slowest", Align::left}},
                {}};
    const bool several_classes = plan.platform.classes.size() > 1;
    const auto slowest = static_cast<double>(std::max<std::int64_t>(1, plan.predicted.bottleneck.count()));
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
        const plan::PlannedStage& stage = plan.stages[s];
        const auto label = [&](const plan::OperatorReference& reference) { return printable(graph.label(reference.id)); };
        const Duration time = time_of(plan, stage);
        const auto& terms = stage.predicted;
        table.rows.push_back(
            {std::to_string(s), grouped(stage.operators.size()), stage.operators.empty() ? "" : label(stage.operators.front()),
             stage.operators.empty() ? "" : label(stage.operators.back()), several_classes ? printable(stage.device_class) : "",
             stage.replicas > 1 ? std::to_string(stage.replicas) : "", to_text(terms.work), or_empty(terms.in), or_empty(terms.out),
             or_empty(terms.spill), to_text(terms.parameters), to_text(terms.peak), to_text(time),
             bar(static_cast<double>(time.count()) / slowest, kBarWidth)});
    }
    return table;
}

std::size_t slowest_stage(const plan::Plan& plan) {
    const auto it = std::ranges::max_element(plan.stages, {}, [&](const plan::PlannedStage& stage) { return time_of(plan, stage); });
    return static_cast<std::size_t>(it - plan.stages.begin());
}

/// "24 clones, 3 recomputed operators, 35 relays"; empty: none.
std::string rewrites_text(const plan::Plan& plan) {
    std::string text;
    for (const auto& [kind, what] :
         {std::pair(graph::RewriteKind::clone, "clone"), std::pair(graph::RewriteKind::recompute, "recomputed operator"),
          std::pair(graph::RewriteKind::relay, "relay")})
        if (const auto count = std::ranges::count(plan.rewrites, kind, &graph::Rewrite::kind); count > 0)
            text += std::format("{}{}", text.empty() ? "" : ", ", counted(static_cast<std::size_t>(count), what));
    return text;
}

}  // namespace

std::string why_stopped(const Termination& termination, const std::string& limit) {
    const std::string which = limit.empty() ? "" : std::format(" ({})", limit);
    switch (termination.reason) {
        case StopReason::finished:
            return "the method came to its end" + which;
        case StopReason::optimal:
            return "plan and bound met: no partition is better";
        case StopReason::gap:
            return "the gap asked for was reached" + which;
        case StopReason::time:
            return "the time was up" + which;
        case StopReason::evaluations:
            return "the evaluations were used up" + which;
        case StopReason::interrupted:
            return "interrupted: this is the best found until then";
    }
    return {};
}

std::string bound_text(const plan::BoundClaim& bound) {
    return std::format("{} ({}, {})", to_text(bound.value), bound.kind, bound.certified ? "certified" : "not certified");
}

std::string facts_text(const std::vector<std::pair<std::string, std::string>>& facts) {
    Table table{{{"", Align::left}, {"", Align::left}}, {}};
    for (const auto& [name, value] : facts)
        if (!value.empty()) table.rows.push_back({name, value});
    const std::string text = table_text(table);
    return text.substr(text.find('\n') + 1);  // without the empty title line
}

std::string plan_text(const plan::Plan& plan, const graph::Graph& graph) {
    const double seconds = std::chrono::duration<double>(plan.predicted.bottleneck).count();
    std::vector<std::pair<std::string, std::string>> facts{
        {"objective", plan.objective == cost::Objective::latency ? "latency: bound and gap are on it" : ""},
        {"bottleneck", plan.stages.empty() ? "" : std::format("{}, stage {}", to_text(plan.predicted.bottleneck), slowest_stage(plan))},
        {"throughput", seconds > 0 ? rate_text(1 / seconds) + " inferences/s" : ""},
        {"latency", to_text(plan.predicted.latency)},
        {"memory", std::format("{} at most on one device", to_text(plan.predicted.peak_memory))}};
    if (plan.bound) {
        facts.emplace_back("bound", bound_text(*plan.bound));
        facts.emplace_back("gap", percent(gap_of(objective_value(plan), plan.bound->value)));
    }
    facts.emplace_back(
        "stopped", std::format("{}; {:.2f} s, {}", why_stopped(plan.termination, plan.limit), plan.termination.seconds,
                               counted(static_cast<std::size_t>(std::max<std::int64_t>(0, plan.termination.evaluations)), "evaluation")));
    facts.emplace_back("method", std::format("{}, seed {}", plan.method, plan.seed));
    facts.emplace_back("rewrites", rewrites_text(plan));
    for (const std::string& assumption : plan.model.assumptions) facts.emplace_back("assumed", printable(assumption));
    const std::string_view model = plan.platform.model == platform::StageModel::serial ? "serial" : "overlap";
    return std::format("{} on {}: {} of at most {}, {}, {} cost, times {}\n\n", printable(plan.model.name), printable(plan.platform.name),
                       counted(plan.stages.size(), "stage"), plan.stage_limit, plan.job, model, plan.cost_source) +
           table_text(stage_table(plan, graph)) + "\n" + facts_text(facts);
}

}  // namespace sluice::report
