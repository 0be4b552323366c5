#include "sluice/inference/feasibility.hpp"

#include <algorithm>
#include <format>

#include "sluice/base/wide.hpp"
#include "sluice/cost/stage_cost.hpp"

namespace sluice::inference {

namespace {

using cost::Overflow;

/// "operator 7", "operators 3, 5, which must share a stage,": what the user knows is the operator.
std::string name_of(const cost::StageProblem& problem, std::size_t node) {
    constexpr std::size_t kNamed = 4;
    const auto operators = problem.operators[node];
    std::string text = std::format("operator{} {}", operators.size() == 1 ? "" : "s", operators[0].index());
    for (std::size_t i = 1; i < std::min(operators.size(), kNamed); ++i) text += std::format(", {}", operators[i].index());
    if (operators.size() > kNamed) text += std::format(" and {} more", operators.size() - kNamed);
    return operators.size() == 1 ? text : text + ", which must share a stage,";
}

std::optional<Diagnostic> node_that_fits_nowhere(const cost::StageProblem& problem) {
    // Terms of a single node are the same on every class but for work and spill.
    cost::IncrementalStage stage(problem, ClassId(0));
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        stage.clear();
        stage.add(NodeId(v));
        const auto& terms = stage.terms();
        bool supported = false, placed = false;
        Bytes largest{-1};
        for (const auto& device : problem.classes) {
            if (device.count < 1 || !device.supported.contains(v)) continue;
            supported = true;
            placed = placed || fits(device, terms);
            largest = std::max(largest, device.fast_memory);
        }
        if (placed) continue;
        if (!supported)
            return Diagnostic{DiagnosticKind::infeasible,
                              std::format("no device can run {}", name_of(problem, v)),
                              {},
                              {"every device class that supports it has a count of 0"},
                              "raise the count of a class that supports it"};
        return Diagnostic{DiagnosticKind::infeasible,
                          std::format("{} alone needs {}, the largest device that could run it has {}", name_of(problem, v),
                                      to_text(terms.parameters + terms.peak), to_text(largest)),
                          {},
                          {std::format("parameters {}, activations alive at once {}", to_text(terms.parameters), to_text(terms.peak))},
                          "use a device with more memory, or overflow = \"spill\""};
    }
    return std::nullopt;
}

std::optional<Diagnostic> more_parameters_than_memory(const cost::StageProblem& problem, std::int64_t stages) {
    std::vector<const cost::DeviceCosts*> devices;
    for (const auto& device : problem.classes) {
        if (device.count < 1) continue;
        if (device.overflow != Overflow::hard) return std::nullopt;
        devices.push_back(&device);
    }
    Bytes parameters;
    for (std::size_t w = 0; w < problem.weight_count(); ++w)
        if (!problem.weight_users[w].empty()) parameters += problem.weight_bytes[w];
    std::ranges::sort(devices, [](const auto* a, const auto* b) { return a->fast_memory > b->fast_memory; });
    Wide room = 0;
    std::int64_t left = stages;
    for (const auto* device : devices) {
        const std::int64_t used = std::min(left, device->count);
        room += static_cast<Wide>(used) * device->fast_memory.count;
        left -= used;
    }
    if (parameters.count <= room) return std::nullopt;
    return Diagnostic{DiagnosticKind::infeasible,
                      std::format("the model has {} of parameters, {} devices hold {}", to_text(parameters), stages - left,
                                  to_text(Bytes{static_cast<std::int64_t>(room)})),
                      {},
                      {},
                      "use more stages, a device with more memory, or overflow = \"spill\""};
}

}  // namespace

std::optional<Diagnostic> prove_infeasible(const cost::StageProblem& problem, std::int64_t stages) {
    if (auto proof = node_that_fits_nowhere(problem)) return proof;
    return more_parameters_than_memory(problem, stages);
}

}  // namespace sluice::inference
