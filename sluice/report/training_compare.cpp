#include "sluice/report/training_compare.hpp"

#include <format>
#include <nlohmann/json.hpp>
#include <set>

#include "sluice/base/json.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;
using solve::TrainingRow;

std::optional<double> ratio_of(const TrainingRow& row, const TrainingRow* best) {
    if (row.partition.stages.empty() || best->iteration <= Duration{0}) return std::nullopt;
    return static_cast<double>(row.iteration.count()) / static_cast<double>(best->iteration.count());
}

/// Devices that some stage runs on: groups are disjoint.
std::int64_t devices_of(const cost::TrainingPartition& partition) {
    std::set<std::pair<std::int64_t, std::int64_t>> groups;
    for (const cost::TrainingStage& stage : partition.stages) groups.emplace(stage.first_device, stage.replicas);
    std::int64_t count = 0;
    for (const auto& [first, replicas] : groups) count += replicas;
    return count;
}

std::string note_of(const TrainingRow& row) {
    if (row.failure) return printable(row.failure->message);
    return row.termination.reason == StopReason::interrupted ? "interrupted" : printable(row.winner);
}

}  // namespace

std::string training_compare_text(std::span<const TrainingRow> rows, std::int64_t mini_batch,
                                  const std::optional<plan::BoundClaim>& bound) {
    const TrainingRow* best = solve::best_of(rows);
    Table table{{{"method", Align::left},
                 {"iteration"},
                 {"to best"},
                 {"bottleneck"},
                 {"stages"},
                 {"devices"},
                 {"schedule", Align::left},
                 {"memory"},
                 {"time"},
                 {"evaluations"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const TrainingRow& row : rows) {
        const bool found = !row.partition.stages.empty();
        const auto ratio = found ? ratio_of(row, best) : std::nullopt;
        table.rows.push_back({row.method, found ? to_text(row.iteration) : "-", ratio ? std::format("{:.4f}", *ratio) : "",
                              found ? to_text(row.cost.bottleneck) : "", found ? std::to_string(row.partition.stages.size()) : "",
                              found ? std::to_string(devices_of(row.partition)) : "",
                              found ? std::string(cost::to_text(row.partition.schedule)) : "", found ? to_text(row.cost.peak_memory) : "",
                              std::format("{:.2f} s", row.termination.seconds),
                              grouped(static_cast<std::size_t>(row.termination.evaluations)), note_of(row)});
    }
    std::vector<std::pair<std::string, std::string>> facts;
    if (best != nullptr)
        facts.emplace_back("best",
                           std::format("{}, {}, {}", to_text(best->iteration), best->method, samples_text(mini_batch, best->iteration)));
    if (bound) facts.emplace_back("bound", bound_text(*bound));
    if (best != nullptr && bound) facts.emplace_back("gap", percent(gap_of(best->iteration, bound->value)));
    return table_text(table) + (facts.empty() ? "" : "\n" + facts_text(facts));
}

std::string training_compare_json(std::span<const TrainingRow> rows) {
    const TrainingRow* best = solve::best_of(rows);
    ordered_json methods = ordered_json::array();
    for (const TrainingRow& row : rows) {
        const bool found = !row.partition.stages.empty();
        const auto or_null = [&](auto value) { return found ? ordered_json(value) : ordered_json(); };
        const auto ratio = found ? ratio_of(row, best) : std::nullopt;
        methods.push_back({{"method", row.method},
                           {"bottleneck_ps", or_null(row.cost.bottleneck.count())},
                           {"iteration_ps", or_null(row.iteration.count())},
                           {"ratio_to_best", ratio ? ordered_json(*ratio) : ordered_json()},
                           {"seconds", row.termination.seconds},
                           {"evaluations", row.termination.evaluations},
                           {"stages", row.partition.stages.size()},
                           {"schedule", or_null(cost::to_text(row.partition.schedule))},
                           {"peak_memory_bytes", or_null(row.cost.peak_memory.count)},
                           {"winner", or_null(row.winner)},
                           {"reason", to_text(row.termination.reason)},
                           {"error", row.failure ? ordered_json(row.failure->message) : ordered_json()}});
    }
    return json::to_file_text(methods);
}

}  // namespace sluice::report
