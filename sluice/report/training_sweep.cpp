#include "sluice/report/training_sweep.hpp"

#include <algorithm>
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
using solve::TrainingSweepPoint;

/// Samples a second; 0 where nothing was found or no time passes.
double throughput(const TrainingSweepPoint& point) {
    if (!point.result) return 0;
    const double seconds = std::chrono::duration<double>(point.result->found.iteration).count();
    return seconds > 0 ? static_cast<double>(point.of.mini_batch) / seconds : 0;
}

/// The first of those with the highest throughput, null when nothing was found.
const TrainingSweepPoint* best_of(std::span<const TrainingSweepPoint> points) {
    const TrainingSweepPoint* best = nullptr;
    for (const TrainingSweepPoint& point : points)
        if (point.result && (best == nullptr || throughput(point) > throughput(*best))) best = &point;
    return best;
}

std::set<std::int64_t> micro_batches_of(const TrainingRow& row) {
    std::set<std::int64_t> sizes;
    for (const cost::TrainingStage& stage : row.partition.stages) sizes.insert(stage.micro_batch);
    return sizes;
}

/// "4", "2-8"
std::string sizes_text(const std::set<std::int64_t>& sizes) {
    if (sizes.empty()) return {};
    return sizes.size() == 1 ? std::to_string(*sizes.begin()) : std::format("{}-{}", *sizes.begin(), *sizes.rbegin());
}

std::string limit_of(const platform::Platform& platform) {
    const platform::DeviceClass& device = platform.classes.front();
    return device.overflow == platform::Overflow::hard ? to_text(device.fast_memory) : "unlimited";
}

ordered_json claim(const std::optional<bound::TrainingCertificate>& certificate) {
    if (!certificate) return nullptr;
    return {{"value_ps", certificate->value.count()}, {"kind", bound::kWorkAndPath}, {"certified", true}};
}

}  // namespace

std::string training_sweep_text(std::span<const TrainingSweepPoint> points, bool chart) {
    const TrainingSweepPoint* best = best_of(points);
    const double highest = best != nullptr ? throughput(*best) : 0;
    Table table{{{"batch"},
                 {"devices"},
                 {"device memory"},
                 {"micro-batch"},
                 {"iteration"},
                 {"throughput"},
                 {"stages"},
                 {"schedule", Align::left},
                 {"memory"},
                 {"bound"},
                 {"gap"},
                 {"time"},
                 {"", Align::left, kNoteWidth}},
                {}};
    for (const TrainingSweepPoint& point : points) {
        const std::string batch = std::to_string(point.of.mini_batch), devices = std::to_string(platform::device_count(point.of.platform)),
                          memory = limit_of(point.of.platform);
        if (!point.result) {
            table.rows.push_back({batch, devices, memory, point.of.micro_batch ? std::to_string(*point.of.micro_batch) : "", "-", "", "",
                                  "", "", "", "", "", printable(point.failure ? point.failure->message : "nothing found")});
            continue;
        }
        const TrainingRow& found = point.result->found;
        const auto& bound = point.result->bounds.iteration;
        std::string note = chart && highest > 0 ? bar(throughput(point) / highest, kChartWidth) : "";
        if (&point == best && points.size() > 1) note += note.empty() ? "best" : " best";
        table.rows.push_back({batch, devices, memory, sizes_text(micro_batches_of(found)), to_text(found.iteration),
                              samples_text(point.of.mini_batch, found.iteration), std::to_string(found.partition.stages.size()),
                              std::string(cost::to_text(found.partition.schedule)), to_text(found.cost.peak_memory),
                              bound ? to_text(bound->value) : "", bound ? percent(gap_of(found.iteration, bound->value)) : "",
                              std::format("{:.2f} s", found.termination.seconds), std::move(note)});
    }
    std::string text = table_text(table);
    if (best == nullptr) return text;
    const auto devices = static_cast<std::size_t>(platform::device_count(best->of.platform));
    return text + "\n" +
           facts_text(
               {{"best", std::format("{} with mini-batches of {} on {}", samples_text(best->of.mini_batch, best->result->found.iteration),
                                     best->of.mini_batch, counted(devices, "device"))}});
}

std::string training_sweep_json(std::span<const TrainingSweepPoint> points) {
    ordered_json list = ordered_json::array();
    for (const TrainingSweepPoint& point : points) {
        const platform::DeviceClass& device = point.of.platform.classes.front();
        const bool limited = device.overflow == platform::Overflow::hard;
        ordered_json row{{"mini_batch", point.of.mini_batch},
                         {"micro_batch", point.of.micro_batch ? ordered_json(*point.of.micro_batch) : ordered_json()},
                         {"devices", platform::device_count(point.of.platform)},
                         {"memory_bytes", limited ? ordered_json(device.fast_memory.count) : ordered_json()}};
        if (point.result) {
            const TrainingRow& found = point.result->found;
            const auto& bounds = point.result->bounds;
            row["iteration_ps"] = found.iteration.count();
            row["throughput_per_s"] = throughput(point) > 0 ? ordered_json(throughput(point)) : ordered_json();
            row["bottleneck_ps"] = found.cost.bottleneck.count();
            row["stages"] = found.partition.stages.size();
            row["schedule"] = cost::to_text(found.partition.schedule);
            row["micro_batches"] = micro_batches_of(found);
            row["peak_memory_bytes"] = found.cost.peak_memory.count;
            row["bound"] = claim(bounds.iteration);
            row["bounds"] = {{"bottleneck", claim(bounds.bottleneck)}, {"iteration", claim(bounds.iteration)}};
            row["gap"] = bounds.iteration ? ordered_json(gap_of(found.iteration, bounds.iteration->value)) : ordered_json();
            row["seconds"] = found.termination.seconds;
            row["evaluations"] = found.termination.evaluations;
            row["reason"] = to_text(found.termination.reason);
            row["error"] = nullptr;
        } else {
            for (const char* key : {"iteration_ps", "throughput_per_s", "bottleneck_ps", "stages", "schedule", "micro_batches",
                                    "peak_memory_bytes", "bound", "bounds", "gap", "seconds", "evaluations", "reason"})
                row[key] = nullptr;
            row["error"] = point.failure ? point.failure->message : "nothing found";
        }
        list.push_back(std::move(row));
    }
    return json::to_file_text(list);
}

}  // namespace sluice::report
