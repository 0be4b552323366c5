// A training plan as a person reads it: a table of its graph of stages, then what is known and why planning stopped. Pure.
#pragma once

#include <span>
#include <string>

#include "sluice/cost/training_partition.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::report {

struct TrainingPlanView {
    const plan::Plan* plan = nullptr;
    const graph::Graph* graph = nullptr;          // the plan's own
    std::span<const cost::StageEdge> edges = {};  // of the stage graph
    double bubble = 0;                            // idle share of the devices in use, of the simulated iteration
};

[[nodiscard]] std::string training_plan_text(const TrainingPlanView& view);

/// "0", "0-7"
[[nodiscard]] std::string device_range(std::int64_t first, std::int64_t count);
/// "1,234 samples/s"; empty where no time passes.
[[nodiscard]] std::string samples_text(std::int64_t samples, Duration time);

}  // namespace sluice::report
