// A simulated mini-batch as a person reads it: a table of groups of devices, the busiest links, the iteration. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "sluice/plan/plan.hpp"
#include "sluice/program/training_program.hpp"
#include "sluice/simulate/training.hpp"

namespace sluice::report {

struct TrainingSimulationView {
    const plan::Plan* plan = nullptr;
    const program::TrainingProgram* program = nullptr;
    const simulate::TrainingResult* result = nullptr;
    std::size_t busiest_links = 5;
};

[[nodiscard]] std::string training_simulation_text(const TrainingSimulationView& view);
/// Keys of design §6, and more; every link.
[[nodiscard]] nlohmann::ordered_json training_simulation_json(const TrainingSimulationView& view);

}  // namespace sluice::report
