// One mini-batch of a training program in simulated time: iteration time, bubbles, memory over time, traffic on links.
//
// A group of devices is one machine: its replicas do the same at the same time. A chunk goes from the devices of one group to those of
// another, whole samples in blocks: each pair of nodes that share a part of it carries that part over the sender's port, between nodes also
// the uplink of one node and the downlink of the other, which all devices of a node share, and the receiver's port, each a FIFO queue. In
// the serial model transfers are part of the passes (program/pipeline.hpp). Reductions run beside passes, one after another for each group,
// and take what their program says, those of several stages after the stages' own; that they use the same wires as chunks is not simulated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/cost/training_problem.hpp"
#include "sluice/program/training_program.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::simulate {

struct TrainingSimulation {
    bool trace = false;  // keep every task, for report/
};

struct GroupUse {
    Duration busy{0};   // passes and optimiser's steps
    double bubble = 0;  // idle share of the iteration
    Bytes peak_memory;  // of one replica: states, and what is kept for backward passes
};

struct TrainingResult {
    Duration iteration{0};
    double bubble = 0;  // idle share of all devices
    std::vector<GroupUse> groups;
    std::vector<LinkUse> links;  // those that carried something
    std::int64_t instructions = 0, events = 0;
    std::vector<std::string> names;
    std::vector<TraceTrack> tracks;
    std::vector<TraceTask> tasks;        // with trace
    std::vector<TraceCounter> counters;  // memory of each group, with trace
};

/// Needs a program that program::faults_of accepts. O(instructions log(groups + links)), at least two million instructions a second.
[[nodiscard]] TrainingResult simulate_training(const program::TrainingProgram& program, const cost::Interconnect& interconnect, bool serial,
                                               const TrainingSimulation& options = {});
/// nullopt: the limits stopped it.
[[nodiscard]] std::optional<TrainingResult> simulate_training(const program::TrainingProgram& program,
                                                              const cost::Interconnect& interconnect, bool serial,
                                                              const TrainingSimulation& options, const Limits& limits);

}  // namespace sluice::simulate
