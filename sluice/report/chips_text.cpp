#include "sluice/report/chips_text.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/base/json.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;

double per_second(Duration time) { return 1 / std::chrono::duration<double>(time).count(); }

std::string winner_of(const plan::Plan& plan) {
    const auto it = std::ranges::find(plan.options, "winner", &std::pair<std::string, std::string>::first);
    return it == plan.options.end() ? "" : it->second;
}

double ratio_of(const ChipRow& row, const ChipRow& best) {
    return static_cast<double>(row.plan->judged->period.count()) / static_cast<double>(best.plan->judged->period.count());
}

}  // namespace

std::string chips_plan_text(const plan::Plan& plan, const solve::ChipSolveResult& result) {
    std::vector<std::pair<std::string, std::string>> facts;
    if (plan.judged) {
        const double slower = static_cast<double>(plan.judged->period.count()) /
                                  static_cast<double>(std::max<std::int64_t>(1, plan.predicted.bottleneck.count())) -
                              1;
        facts.emplace_back(
            "judge", std::format("{}: {} inferences/s, one every {}, {} above the planners' bottleneck{}", printable(plan.judged->judge),
                                 rate_text(per_second(plan.judged->period)), to_text(plan.judged->period), percent(std::max(0.0, slower)),
                                 plan.judged->latency.count() > 0 ? std::format("; latency {}", to_text(plan.judged->latency)) : ""));
    }
    if (result.failed > 0)
        facts.emplace_back("compile", std::format("{} did not fit a chip", counted(static_cast<std::size_t>(result.failed), "evaluation")));
    return plan_text(plan, result.graph) + facts_text(facts);
}

const ChipRow* best_of(std::span<const ChipRow> rows) {
    const ChipRow* best = nullptr;
    for (const ChipRow& row : rows)
        if (row.plan && (best == nullptr || row.plan->judged->period < best->plan->judged->period)) best = &row;
    return best;
}

std::string chips_compare_text(std::span<const ChipRow> rows) {
    const ChipRow* best = best_of(rows);
    Table table{{{"method", Align::left},
                 {"judged"},
                 {"to best"},
                 {"bottleneck"},
                 {"gap"},
                 {"chips"},
                 {"rewrites"},
                 {"time"},
                 {"evaluations"},
                 {"failed"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const ChipRow& row : rows) {
        if (!row.plan) {
            table.rows.push_back({row.method, "-", "", "", "", "", "", "", "", "", row.failure ? printable(row.failure->message) : ""});
            continue;
        }
        const plan::Plan& plan = *row.plan;
        table.rows.push_back(
            {row.method, to_text(plan.judged->period), std::format("{:.4f}", ratio_of(row, *best)), to_text(plan.predicted.bottleneck),
             plan.bound ? percent(gap_of(objective_value(plan), plan.bound->value)) : "", std::to_string(plan.stages.size()),
             grouped(plan.rewrites.size()), std::format("{:.2f} s", plan.termination.seconds),
             grouped(static_cast<std::size_t>(plan.termination.evaluations)),
             row.failed > 0 ? grouped(static_cast<std::size_t>(row.failed)) : "", printable(winner_of(plan))});
    }
    std::vector<std::pair<std::string, std::string>> facts;
    if (best != nullptr) {
        facts.emplace_back("best", std::format("{}: {} inferences/s by {}", best->method, rate_text(per_second(best->plan->judged->period)),
                                               printable(best->plan->judged->judge)));
        if (best->plan->bound) facts.emplace_back("bound", bound_text(*best->plan->bound));
    }
    return table_text(table) + "\n" + facts_text(facts);
}

std::string chips_compare_json(std::span<const ChipRow> rows) {
    const ChipRow* best = best_of(rows);
    ordered_json list = ordered_json::array();
    for (const ChipRow& row : rows) {
        ordered_json item = {
            {"method", row.method},     {"judged_ps", nullptr},
            {"bottleneck_ps", nullptr}, {"iteration_ps", nullptr},
            {"ratio_to_best", nullptr}, {"chips", nullptr},
            {"seconds", nullptr},       {"evaluations", nullptr},
            {"failed", nullptr},        {"failure", row.failure ? ordered_json(row.failure->message) : ordered_json(nullptr)}};
        ordered_json curve = ordered_json::array();
        for (const mcm::Improvement& step : row.curve) curve.push_back({step.evaluations, step.period.count()});
        item["curve"] = std::move(curve);
        if (row.plan) {
            item["judged_ps"] = row.plan->judged->period.count();
            item["bottleneck_ps"] = row.plan->predicted.bottleneck.count();
            item["ratio_to_best"] = ratio_of(row, *best);
            item["chips"] = row.plan->stages.size();
            item["seconds"] = row.plan->termination.seconds;
            item["evaluations"] = row.plan->termination.evaluations;
            item["failed"] = row.failed;
            if (row.plan->bound) item["bound_ps"] = row.plan->bound->value.count();
        }
        list.push_back(std::move(item));
    }
    return json::to_file_text(list);
}

}  // namespace sluice::report
