#include "sluice/report/sweep_text.hpp"

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
using solve::SolveResult;
using solve::SweepPoint;

/// Inputs a second; 0 for what takes no time.
double throughput(const SolveResult& result) {
    const double seconds = std::chrono::duration<double>(result.cost.bottleneck).count();
    return seconds > 0 ? 1 / seconds : 0;
}

std::int64_t devices_of(const SolveResult& result) {
    std::int64_t devices = 0;
    for (const cost::Stage& stage : result.partition.stages) devices += stage.replicas;
    return devices;
}

double gap_of_result(const SolveResult& result, cost::Objective objective) {
    return gap_of(objective_value(result.cost, objective), result.certificate.value);
}

/// The fewest stages that reach the best objective of all, null when nothing was found.
const SweepPoint* best_of(std::span<const SweepPoint> points, cost::Objective objective) {
    const SweepPoint* best = nullptr;
    for (const SweepPoint& point : points)
        if (point.result &&
            (best == nullptr || objective_value(point.result->cost, objective) < objective_value(best->result->cost, objective)))
            best = &point;
    return best;
}

}  // namespace

std::string sweep_text(std::span<const SweepPoint> points, cost::Objective objective, bool chart) {
    const SweepPoint* best = best_of(points, objective);
    double highest = 0;
    for (const SweepPoint& point : points)
        if (point.result) highest = std::max(highest, throughput(*point.result));
    Table table{{{"k"},
                 {"throughput"},
                 {"latency"},
                 {"devices"},
                 {"memory"},
                 {"bottleneck"},
                 {"bound"},
                 {"gap"},
                 {"time"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const SweepPoint& point : points) {
        if (!point.result) {
            table.rows.push_back({std::to_string(point.stages), "-", "", "", "", "", "", "", "",
                                  printable(point.failure ? point.failure->message : "nothing found")});
            continue;
        }
        const SolveResult& result = *point.result;
        std::string note = chart && highest > 0 ? bar(throughput(result) / highest, kChartWidth) : "";
        if (&point == best && best != &points.back()) note += chart ? " best" : "best";
        table.rows.push_back({std::to_string(point.stages), throughput(result) > 0 ? rate_text(throughput(result)) + "/s" : "-",
                              to_text(result.cost.latency), std::to_string(devices_of(result)), to_text(result.cost.peak_memory),
                              to_text(result.cost.bottleneck), result.certified ? to_text(result.certificate.value) : "",
                              result.certified ? percent(gap_of_result(result, objective)) : "",
                              std::format("{:.2f} s", result.termination.seconds), std::move(note)});
    }
    std::string text = table_text(table);
    if (best == nullptr) return text;
    std::vector<std::pair<std::string, std::string>> facts{
        {"best", std::format("{}: {}{}", counted(static_cast<std::size_t>(best->stages), "stage"),
                             to_text(objective_value(best->result->cost, objective)),
                             highest > 0 ? std::format(", {} inferences/s", rate_text(throughput(*best->result))) : "")}};
    if (best != &points.back() && points.back().result) {
        const SolveResult& last = *points.back().result;
        const bool proven = last.certified && last.certificate.value == objective_value(best->result->cost, objective);
        facts.emplace_back("beyond", std::format("{} up to k = {}", proven ? "proven: no plan is better" : "nothing better was found",
                                                 points.back().stages));
    }
    return text + "\n" + facts_text(facts);
}

std::string sweep_json(std::span<const SweepPoint> points, cost::Objective objective) {
    ordered_json list = ordered_json::array();
    for (const SweepPoint& point : points) {
        if (!point.result) {
            ordered_json row{{"k", point.stages}};
            for (const char* key : {"throughput_per_s", "latency_ps", "devices", "stages", "peak_memory_bytes", "bottleneck_ps", "bound",
                                    "gap", "seconds", "evaluations", "reason"})
                row[key] = nullptr;
            row["error"] = point.failure ? point.failure->message : "nothing found";
            list.push_back(std::move(row));
            continue;
        }
        const SolveResult& result = *point.result;
        list.push_back(
            {{"k", point.stages},
             {"throughput_per_s", throughput(result) > 0 ? ordered_json(throughput(result)) : ordered_json()},
             {"latency_ps", result.cost.latency.count()},
             {"devices", devices_of(result)},
             {"stages", result.partition.stages.size()},
             {"peak_memory_bytes", result.cost.peak_memory.count},
             {"bottleneck_ps", result.cost.bottleneck.count()},
             {"bound",
              {{"value_ps", result.certificate.value.count()}, {"kind", result.certificate.kind()}, {"certified", result.certified}}},
             {"gap", gap_of_result(result, objective)},
             {"seconds", result.termination.seconds},
             {"evaluations", result.termination.evaluations},
             {"reason", to_text(result.termination.reason)},
             {"error", nullptr}});
    }
    return json::to_file_text(list);
}

}  // namespace sluice::report
