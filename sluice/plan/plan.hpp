// Waist 1: the plan (design §1, §4). Planners write it, everything else reads it; one written by hand is as good.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/base/units.hpp"
#include "sluice/cost/objective.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/graph/rewrite.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::plan {

inline constexpr std::string_view kPlanFormat = "sluice.plan/1";

inline constexpr std::string_view kInference = "inference", kTraining = "training";  // jobs

/// Most devices and stages a plan may name: keeps every sum over them far inside int64.
inline constexpr std::int64_t kMostDevices = std::int64_t{1} << 30;

/// What a bound may rest on (design §5); the last is never certified.
inline constexpr std::string_view kSolverClaimed = "solver-claimed";
inline constexpr std::array<std::string_view, 12> kBoundKinds{"combinatorial", "waypoints",  "triangle",      "cut",
                                                              "chain",         "counting",   "covering",      "exact-dp",
                                                              "exact-lp",      "exact-tree", "work-and-path", kSolverClaimed};

/// What the plan is a plan for, and how the model must be imported to be that again.
struct ModelReference {
    std::string name;
    std::string fingerprint;                                       // graph::Graph::model_fingerprint
    std::vector<std::pair<std::string, std::int64_t>> dimensions;  // --dim; names distinct
    std::optional<std::int64_t> assume_size;                       // --assume-size
    std::vector<std::string> assumptions;
    friend bool operator==(const ModelReference&, const ModelReference&) = default;
};

/// Names an operator in a file: index in the graph and first output's name, since names repeat.
struct OperatorReference {
    OperatorId id;
    std::string output;
    friend bool operator==(const OperatorReference&, const OperatorReference&) = default;
};

/// What a stage of a training plan has beside (cost::TrainingStage), and its terms.
struct PlannedTraining {
    std::int64_t first_device = 0, micro_batch = 1, k = 1;
    bool recompute = false, joint_backward = false;
    std::int64_t in_flight = 1;
    cost::TrainingTerms predicted;
    Bytes memory;  // of one replica
    friend bool operator==(const PlannedTraining&, const PlannedTraining&) = default;
};

struct PlannedStage {
    std::vector<OperatorReference> operators;  // in execution order
    std::string device_class;
    std::int64_t replicas = 1;
    cost::StageTerms predicted = {};               // inference
    std::optional<PlannedTraining> training = {};  // training: of every stage
    friend bool operator==(const PlannedStage&, const PlannedStage&) = default;
};

struct Predicted {
    Duration bottleneck{0};  // training: per sample
    Duration latency{0};     // inference
    Bytes peak_memory = {};
    std::optional<Duration> iteration = {};  // training: of a mini-batch
    friend bool operator==(const Predicted&, const Predicted&) = default;
};

struct BoundClaim {
    Duration value{0};
    std::string kind;
    bool certified = false;  // the independent checker agreed
    friend bool operator==(const BoundClaim&, const BoundClaim&) = default;
};

/// What a judge said of the plan as it is: a simulator richer than the costs, or a machine.
struct Judged {
    std::string judge;    // "simulator", "planner" or the command
    Duration period{0};   // between two outputs in the steady state, > 0
    Duration latency{0};  // 0: not told
    friend bool operator==(const Judged&, const Judged&) = default;
};

struct TrainingSettings {
    std::int64_t mini_batch = 1;
    cost::Optimizer optimizer = cost::Optimizer::adam;
    cost::Schedule schedule = cost::Schedule::one_f_one_b;
    friend bool operator==(const TrainingSettings&, const TrainingSettings&) = default;
};

struct Plan {
    std::string job{kInference};
    std::optional<TrainingSettings> training;  // with job "training" alone
    ModelReference model;
    platform::Platform platform;
    std::int64_t stage_limit = 0;  // -k; training: devices of the platform
    std::string cost_source;       // "analytic", "given", "measured 98.2 %, analytic 1.8 %"
    std::optional<cost::MeasuredCosts> costs;
    std::vector<PlannedStage> stages;
    std::vector<OperatorReference> replicated;
    std::vector<graph::Rewrite> rewrites;  // of the model; the operators above are those of the rewritten graph
    Predicted predicted;
    std::optional<Judged> judged = {};                        // inference, on a platform with chip rules
    cost::Objective objective = cost::Objective::throughput;  // what it was optimised for; bound and gap are on that
    std::optional<BoundClaim> bound;                          // training: on the iteration time
    std::optional<BoundClaim> bottleneck_bound;               // training: on the bottleneck
    std::string method;
    std::vector<std::pair<std::string, std::string>> options;  // of the method; names distinct
    std::uint64_t seed = 0;                                    // below 2^63: JSON integers end there
    Termination termination;
    std::string limit;  // which limit ended it, in words ("--time 10 s"); empty: none
    friend bool operator==(const Plan&, const Plan&) = default;
};

/// What bound and gap are held against: the iteration time, the bottleneck, or the latency.
[[nodiscard]] inline Duration objective_value(const Plan& plan) {
    if (plan.predicted.iteration) return *plan.predicted.iteration;
    return plan.objective == cost::Objective::latency ? plan.predicted.latency : plan.predicted.bottleneck;
}

/// The graph that the plan's operators are of: the model's with the plan's rewrites. Everything that reads a plan against a model starts
/// here. Diagnostics: a plan for another model (validate.hpp: other_model); rewrites that the model does not allow (graph::rewritten).
[[nodiscard]] Result<graph::Graph> planned_graph(const Plan& plan, const graph::Graph& model);

/// The operators of these nodes as a plan names them.
[[nodiscard]] std::vector<OperatorReference> references(const graph::Graph& graph, const cost::StageProblem& problem,
                                                        std::span<const NodeId> nodes);
/// What a plan of any job says of model, with its rewrites, and platform; no stages yet.
[[nodiscard]] Plan describe(const graph::Graph& graph, const platform::Platform& platform, const cost::StageProblem& problem);

/// The stages of a partition as the plan names them, with predicted costs.
[[nodiscard]] Plan make_plan(const graph::Graph& graph, const platform::Platform& platform, const cost::FrozenProblem& frozen,
                             const cost::Partition& partition, std::int64_t stage_limit);

/// Back to nodes of the problem, which was frozen from `graph`, the planned_graph of the plan. Fails when an operator does not exist, is
/// named by another output, is missing, is there twice, or a node is split between stages.
[[nodiscard]] Result<cost::Partition> partition_of(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem);

}  // namespace sluice::plan
