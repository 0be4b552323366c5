// Piper (Tarnawski, Narayanan, Phanishayee, NeurIPS 2021): linear pipelines whose stages are data and tensor parallel and recompute.
// The core works on the published input; plan_by_piper() brings a TrainingProblem to it and its answer back.
//
// A stage is what one downset of the graph has more than another. With tensor-parallel degree t and d replicas it takes t d devices and
//   (work + transfers of both directions) / d + 4 (d - 1) parameters / (d bandwidth micro-batches)
// per sample, work and parameters those of the configuration ("TMPC") chosen for each of its nodes, of which a device must hold
//   A y + B,    y = ceil(replicas of this and all later stages / d),    in sum.
// d divides the micro-batches of a batch, and all replicas together are no more than these. Read off the figures that the published
// program prints, since the paper leaves it open: each edge that crosses a border is charged twice, its tensor-parallel exchange too.
// The plan of least bottleneck is found exactly (the paper's program over downset, devices and sum of replicas, section 4): for a given
// bottleneck, fewer devices and fewer replicas behind a cut are never worse, and of the replicas of a stage the least number that meets the
// bottleneck is best for both, so a short frontier (devices, replicas) per downset answers whether it can be met; bisection does the
// rest. The choice of configurations, a knapsack, is exact up to about six nodes that must recompute and near to it beyond.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/training/peers/cuts.hpp"
#include "sluice/training/peers/least_bottleneck.hpp"
#include "sluice/training/peers/recompute_choice.hpp"
#include "sluice/training/registry.hpp"

namespace sluice::training {

/// What goes from one node to others, once per stage border.
struct PiperTensor : CutTensor {  // bytes: of one sample
    /// For every sample in flight, in a stage that it enters and that has not the first choice; 0 in published files, where A says it.
    Bytes kept = {};
    /// Per degree: what the devices of a reader exchange when it comes from another stage, those of its producer when a gradient does.
    std::vector<Bytes> sync_in = {}, sync_out = {};
};

struct PiperInstance {
    std::int64_t devices = 1;
    std::optional<Bytes> memory;
    ByteRate bandwidth{1};
    std::int64_t micro_batches = 1;
    std::vector<std::int64_t> degrees;                           // of tensor parallelism, ascending
    std::vector<std::vector<std::vector<PiperChoice>>> choices;  // per node, degree; none: not possible
    std::vector<PiperTensor> tensors;
    bool one_choice = false;  // all nodes of a stage make the same choice
    Rows<NodeId> predecessors, successors;
};

/// The published JSON, every configuration. Nodes are numbered in a topological order.
[[nodiscard]] Result<PiperInstance> read_piper_instance(const json::Node& document);

struct PiperStage {
    std::vector<NodeId> nodes;
    std::int64_t degree = 1, replicas = 1;
    std::int64_t in_flight = 1;       // y
    std::vector<std::size_t> chosen;  // per node of `nodes`
    Duration time{0};                 // per sample
    friend bool operator==(const PiperStage&, const PiperStage&) = default;
};

struct PiperPlan {
    std::vector<PiperStage> stages;
    Duration bottleneck{0};  // per sample
    std::size_t cuts = 0, pairs = 0;
};

/// As published: more downsets than this are not searched.
inline constexpr std::size_t kPiperDownsets = 40'000;

/// The best plan with stages between these cuts, to within 2^-40 of the optimum; stopped, the best so far. no_plan: the memory is too
/// small.
[[nodiscard]] std::expected<PiperPlan, Missed> piper_plan(const PiperInstance& instance, const Cuts& cuts, const Limits& limits);

[[nodiscard]] Result<PlannerResult> plan_by_piper(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                                  const Limits& limits);

}  // namespace sluice::training
