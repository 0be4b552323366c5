// What happened on the ring as a timeline: a group of tracks for each chip, one for links and the memory channel.
#pragma once

#include <span>

#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/mcm/judge/lower.hpp"

namespace sluice::mcm {

/// Fills names, tracks and tasks. A segment is drawn as its kernels, one after another as they run; streaming and waiting for it is a task
/// of its own before them.
void describe_trace(JudgeDetail& detail, const graph::Graph& graph, const ChipProblem& problem, const ChipCompiler& compiler,
                    const LoweredRing& ring, std::span<const ChipCode* const> codes, std::span<const simulate::RingTask> tasks);

}  // namespace sluice::mcm
