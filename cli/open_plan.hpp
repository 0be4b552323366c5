// What simulate, export and run share: a plan file read against its model, ready to lower.
#pragma once

#include <string_view>
#include <vector>

#include "cli/session.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::cli {

struct OpenPlan {
    plan::Plan plan;
    onnx::LoadedModel model;  // its graph with the plan's rewrites
    cost::FrozenProblem frozen;
    cost::Partition partition;
};

/// MODEL imported as the plan says, the plan valid for it. Diagnostics: files that are not what they should be; a plan for another model;
/// whatever plan::validate finds, the first of it with the number of others.
[[nodiscard]] Result<OpenPlan> open_plan(Session& session);
[[nodiscard]] Result<OpenPlan> open_plan(std::string_view model, plan::Plan plan);

/// The operators of each stage, in execution order.
[[nodiscard]] std::vector<std::vector<OperatorId>> operators_of(const plan::Plan& plan);

}  // namespace sluice::cli
