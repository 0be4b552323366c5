#include "cli/open_plan.hpp"

#include <format>

#include "cli/planning.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/plan/validate.hpp"
#include "sluice/solve/chips.hpp"

namespace sluice::cli {

Result<OpenPlan> open_plan(Session& session) {
    auto plan = plan::read_plan_file(*session.arguments.plan);
    if (!plan) return fail(std::move(plan.error()));
    return open_plan(*session.arguments.model, std::move(*plan));
}

Result<OpenPlan> open_plan(std::string_view model, plan::Plan plan) {
    if (plan.training)
        return fail(
            input_error("this is a plan for training: this version runs plans for inference")
                .fix("a training plan can be simulated (`sluice simulate MODEL PLAN`), and its schedule exported (`sluice export MODEL "
                     "PLAN --actions FILE`)"));
    auto loaded = onnx::load_model(model, {.dimensions = plan.model.dimensions, .assume_size = plan.model.assume_size});
    if (!loaded) return fail(std::move(loaded.error()));
    auto graph = plan::planned_graph(plan, loaded->graph);
    if (!graph) {
        graph.error().kind = DiagnosticKind::input;
        return fail(std::move(graph.error()));
    }
    loaded->graph = std::move(*graph);
    auto frozen = cost::freeze(loaded->graph, plan.platform, plan.stage_limit, plan.costs ? &*plan.costs : nullptr);
    if (!frozen) return fail(std::move(frozen.error()));
    auto failures = plan::validate(plan, loaded->graph, *frozen);
    if (!failures.empty()) {
        Diagnostic first = with_labels(std::move(failures.front()), loaded->graph);
        if (failures.size() > 1) first.notes.push_back(std::format("and {} more; `sluice verify` names them all", failures.size() - 1));
        first.kind = DiagnosticKind::input;
        return fail(std::move(first));
    }
    auto partition = plan::partition_of(plan, loaded->graph, frozen->problem);
    if (!partition) return fail(std::move(partition.error()));
    if (auto illegal = solve::chip_failures(loaded->graph, plan.platform, frozen->problem, *partition); !illegal.empty()) {
        illegal.front().kind = DiagnosticKind::input;
        return fail(std::move(illegal.front()));
    }
    return OpenPlan{std::move(plan), std::move(*loaded), std::move(*frozen), std::move(*partition)};
}

std::vector<std::vector<OperatorId>> operators_of(const plan::Plan& plan) {
    std::vector<std::vector<OperatorId>> stages;
    for (const plan::PlannedStage& stage : plan.stages) {
        auto& list = stages.emplace_back();
        for (const plan::OperatorReference& reference : stage.operators) list.push_back(reference.id);
    }
    return stages;
}

}  // namespace sluice::cli
