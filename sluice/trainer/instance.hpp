// What training needs of one model on one platform: the problem, what is sampled, what the network sees, and who judges. Deterministic.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sluice/graph/graph.hpp"
#include "sluice/mcm/judge/find_judge.hpp"
#include "sluice/mcm/policy/features.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::trainer {

enum class Split { train, validation, test };
[[nodiscard]] std::string_view to_text(Split split);

/// One model on one platform, ready to be sampled. Stays where it is: problems point to costs.
struct Instance {
    std::string name, platform, family;
    std::string graph_fingerprint;
    Split split = Split::train;
    graph::Graph graph;  // rewritten where that was asked for
    platform::Platform ring;
    cost::StageProblem costs;
    mcm::ChipProblem problem, strict;
    mcm::policy::Features features;
};

struct InstanceOptions {
    /// Drop the chips' memory limit where the parameters would fill more than 60 % of it all, so that every graph of a corpus has legal
    /// assignments.
    bool lift_memory = false;
    bool rewrites = false;  // clones of what is shared, rule relay: the problem that `plan` solves unless told otherwise
};
/// Diagnostics: those of import, platform, freezing and features.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_instance(const std::string& model, const std::string& platform,
                                                              const InstanceOptions& options);
/// Also: a graph with another fingerprint than `fingerprint`, where that is not empty.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_instance(const std::string& model, const std::string& platform,
                                                              const InstanceOptions& options, const std::string& fingerprint);

using mcm::kPlanner, mcm::kSimulator;
/// mcm::find_judge for the instance, which outlives it; a chip whose memory is too small is refused by any. Diagnostics: another name; an
/// operator that no chip can hold.
[[nodiscard]] Result<std::unique_ptr<mcm::Judge>> make_judge(const Instance& instance, std::string_view name);

}  // namespace sluice::trainer
