// A simulated run as a person reads it: a table of stages, the busiest links, what came out. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "sluice/plan/plan.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::report {

struct SimulationView {
    const plan::Plan* plan = nullptr;
    const program::Program* program = nullptr;
    const simulate::InferenceResult* result = nullptr;
    std::int64_t inputs = 0;  // asked for
    simulate::LinkSharing sharing = simulate::LinkSharing::fifo;
    std::size_t busiest_links = 5;
};

/// r/f of the slowest stage, a second; nothing when no stage takes time.
[[nodiscard]] std::optional<double> predicted_throughput(const simulate::InferenceResult& result);

[[nodiscard]] std::string simulation_text(const SimulationView& view);
/// Keys of design §6, and more; every link.
[[nodiscard]] nlohmann::ordered_json simulation_json(const SimulationView& view);

}  // namespace sluice::report
