// In which order each group of devices works: the schedules of pipelined training on a graph of stages.
//
//   gpipe        all forward passes, stage after stage, then all backward passes the other way
//   1f1b         as many forward passes as the cap allows, then k backward and k forward in turn (kFkB)
//   interleaved  Megatron's depth-first order (Narayanan et al., SC 2021, section 2.2): groups of as many micro-batches as there are
//   devices
//                in line go through a device's stages in turn; before the first backward pass as many forward passes as its distance from
//                the sinks asks for
//   zero-bubble  1f1b's caps, but the gradient of the weights waits until nothing else can be done or the cap needs it (ZB-H1)
//   list         the same by urgency: of what is ready, the pass with the longest way to the end of the iteration
// gpipe, 1f1b and interleaved orders follow from counts alone; the other two from a run in simulated time, each link free. Stages that
// share devices are ordered by such a run under 1f1b too. O(passes log groups). Deterministic: ties go to the lower stage.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/program/pipeline.hpp"

namespace sluice::program {

enum class Pass : std::uint8_t { forward, input_gradient, weight_gradient };

struct Work {
    Pass pass = Pass::forward;
    std::uint32_t stage = 0;
    std::uint32_t micro_batch = 0;
    friend bool operator==(const Work&, const Work&) = default;
};

struct WorkOrder {
    std::vector<std::vector<Work>> groups;
    Duration makespan{0};  // of the run in simulated time, each stage's own sum and step included; 0 where there was none
};

/// Needs caps that cost::faults_of accepts.
[[nodiscard]] WorkOrder order_work(const Pipeline& pipeline, cost::Schedule schedule);
/// nullopt: the limits stopped it.
[[nodiscard]] std::optional<WorkOrder> order_work(const Pipeline& pipeline, cost::Schedule schedule, const Limits& limits);

}  // namespace sluice::program
