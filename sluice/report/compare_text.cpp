#include "sluice/report/compare_text.hpp"

#include <format>
#include <nlohmann/json.hpp>
#include <optional>

#include "sluice/base/json.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/report/json_values.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

using nlohmann::ordered_json;
using solve::BoundRow;
using solve::MethodRow;

struct Bests {
    const MethodRow* plan = nullptr;
    const BoundRow* bound = nullptr;

    cost::Objective objective;

    explicit Bests(const Comparison& comparison)
        : plan(solve::best_of(comparison.methods, comparison.objective)),
          bound(solve::best_of(comparison.bounds)),
          objective(comparison.objective) {}

    [[nodiscard]] Duration value(const MethodRow& row) const { return objective_value(row.cost, objective); }
    /// value / that of the best plan
    [[nodiscard]] std::optional<double> ratio(Duration some) const {
        if (plan == nullptr || value(*plan) <= Duration(0)) return std::nullopt;
        return static_cast<double>(some.count()) / static_cast<double>(value(*plan).count());
    }
    [[nodiscard]] std::optional<double> gap(const MethodRow& row) const {
        if (bound == nullptr || row.partition.stages.empty()) return std::nullopt;
        return gap_of(value(row), bound->certificate->value);
    }
};

std::string seconds_text(double seconds) { return std::format("{:.2f} s", seconds); }
std::string ratio_text(std::optional<double> ratio) { return ratio ? std::format("{:.4f}", *ratio) : std::string(); }

std::string note_of(const std::optional<Diagnostic>& failure, StopReason reason) {
    if (failure) return printable(failure->message);
    switch (reason) {
        case StopReason::interrupted:
            return "interrupted";
        case StopReason::optimal:
            return "reached the bound";
        case StopReason::finished:
        case StopReason::gap:
        case StopReason::time:
        case StopReason::evaluations:
            break;
    }
    return {};
}

std::string method_table(const Comparison& comparison, const Bests& bests) {
    Table table{{{"method", Align::left},
                 {"bottleneck"},
                 {"to best"},
                 {"gap"},
                 {"latency"},
                 {"stages"},
                 {"time"},
                 {"evaluations"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const MethodRow& row : comparison.methods) {
        const bool found = !row.partition.stages.empty();
        const auto gap = bests.gap(row);
        table.rows.push_back({row.method, found ? to_text(row.cost.bottleneck) : "-",
                              found ? ratio_text(bests.ratio(bests.value(row))) : "", gap ? percent(*gap) : "",
                              found ? to_text(row.cost.latency) : "", found ? std::to_string(row.partition.stages.size()) : "",
                              seconds_text(row.termination.seconds), grouped(static_cast<std::size_t>(row.termination.evaluations)),
                              note_of(row.failure, row.termination.reason)});
    }
    return table_text(table);
}

std::string bound_table(const Comparison& comparison, const Bests& bests) {
    Table table{{{"bound", Align::left},
                 {"value"},
                 {"to best plan"},
                 {"kind", Align::left},
                 {"certified", Align::left},
                 {"time"},
                 {"check"},
                 {"certificate"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const BoundRow& row : comparison.bounds) {
        const bool known = row.certificate.has_value();
        table.rows.push_back(
            {row.bound, known ? to_text(row.certificate->value) : "-", known ? ratio_text(bests.ratio(row.certificate->value)) : "",
             known ? std::string(row.certificate->kind()) : "",
             !known          ? ""
             : row.certified ? "yes"
                             : "no",
             seconds_text(row.termination.seconds), known ? seconds_text(row.check_seconds) : "",
             known ? to_text(Bytes{static_cast<std::int64_t>(row.bytes)}) : "", note_of(row.failure, row.termination.reason)});
    }
    return table_text(table);
}

ordered_json error_of(const std::optional<Diagnostic>& failure) { return failure ? ordered_json(failure->message) : ordered_json(); }

ordered_json json_of(const MethodRow& row, const Bests& bests) {
    const bool found = !row.partition.stages.empty();
    const auto count = [&](Duration time) { return found ? ordered_json(time.count()) : ordered_json(); };
    return {{"method", row.method},
            {"bottleneck_ps", count(row.cost.bottleneck)},
            {"iteration_ps", nullptr},  // of training
            {"ratio_to_best", found ? or_null(bests.ratio(bests.value(row))) : ordered_json()},
            {"seconds", row.termination.seconds},
            {"evaluations", row.termination.evaluations},
            {"latency_ps", count(row.cost.latency)},
            {"stages", row.partition.stages.size()},
            {"gap", or_null(bests.gap(row))},
            {"reason", to_text(row.termination.reason)},
            {"error", error_of(row.failure)}};
}

ordered_json json_of(const BoundRow& row, const Bests& bests) {
    const bool known = row.certificate.has_value();
    return {{"bound", row.bound},
            {"value_ps", known ? ordered_json(row.certificate->value.count()) : ordered_json()},
            {"ratio_to_best_plan", known ? or_null(bests.ratio(row.certificate->value)) : ordered_json()},
            {"kind", known ? ordered_json(row.certificate->kind()) : ordered_json()},
            {"certified", row.certified},
            {"seconds", row.termination.seconds},
            {"check_seconds", row.check_seconds},
            {"certificate_bytes", row.bytes},
            {"reason", to_text(row.termination.reason)},
            {"error", error_of(row.failure)}};
}

}  // namespace

std::string compare_text(const Comparison& comparison) {
    const Bests bests(comparison);
    std::string text = method_table(comparison, bests) + "\n";
    if (comparison.bound_table) text += bound_table(comparison, bests) + "\n";
    std::vector<std::pair<std::string, std::string>> facts;
    if (bests.plan != nullptr) {
        const double seconds = std::chrono::duration<double>(bests.plan->cost.bottleneck).count();
        facts.emplace_back("best", std::format("{}, {}{}", to_text(bests.value(*bests.plan)), bests.plan->method,
                                               seconds > 0 ? std::format(", {} inferences/s", rate_text(1 / seconds)) : ""));
    }
    if (bests.bound != nullptr)
        facts.emplace_back(
            "bound", bound_text({bests.bound->certificate->value, std::string(bests.bound->certificate->kind()), bests.bound->certified}));
    if (bests.plan != nullptr && bests.bound != nullptr) facts.emplace_back("gap", percent(*bests.gap(*bests.plan)));
    return text + (facts.empty() ? "" : facts_text(facts));
}

std::string compare_json(const Comparison& comparison) {
    const Bests bests(comparison);
    ordered_json methods = ordered_json::array(), bounds = ordered_json::array();
    for (const MethodRow& row : comparison.methods) methods.push_back(json_of(row, bests));
    for (const BoundRow& row : comparison.bounds) bounds.push_back(json_of(row, bests));
    if (!comparison.bound_table) return json::to_file_text(methods);
    return json::to_file_text({{"methods", std::move(methods)}, {"bounds", std::move(bounds)}});
}

}  // namespace sluice::report
