#include <format>
#include <nlohmann/json.hpp>

#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/json.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/plan/validate.hpp"
#include "sluice/report/actions.hpp"
#include "sluice/report/text.hpp"
#include "sluice/report/training_simulation.hpp"

namespace sluice::cli {

Result<OpenTrainingPlan> open_training_plan(std::string_view model, plan::Plan plan) {
    auto loaded = onnx::load_model(model, {.dimensions = plan.model.dimensions, .assume_size = plan.model.assume_size});
    if (!loaded) return fail(std::move(loaded.error()));
    if (auto other = plan::other_model(plan, loaded->graph)) {
        other->kind = DiagnosticKind::input;
        return fail(*std::move(other));
    }
    auto frozen = cost::freeze_training(loaded->graph, plan.platform, plan::training_options_of(plan), plan.costs ? &*plan.costs : nullptr);
    if (!frozen) return fail(with_labels(std::move(frozen.error()), loaded->graph));
    auto failures = plan::validate_training(plan, loaded->graph, *frozen);
    if (!failures.empty()) {
        Diagnostic first = with_labels(std::move(failures.front()), loaded->graph);
        if (failures.size() > 1) first.notes.push_back(std::format("and {} more; `sluice verify` names them all", failures.size() - 1));
        first.kind = DiagnosticKind::input;
        return fail(std::move(first));
    }
    auto partition = plan::training_partition_of(plan, loaded->graph, frozen->problem);
    if (!partition) return fail(std::move(partition.error()));
    auto program = solve::training_program_of(frozen->problem, *partition);
    if (!program) {
        program.error().kind = DiagnosticKind::input;
        return fail(std::move(program.error()));
    }
    return OpenTrainingPlan{std::move(plan), std::move(*loaded), std::move(frozen->problem), std::move(*partition), std::move(*program)};
}

Result<Outcome> simulate_training(Session& session, plan::Plan plan) {
    const Arguments& arguments = session.arguments;
    if (arguments.inputs || arguments.sharing)
        return fail(usage_error(std::format("{} means nothing for a training plan, which is simulated for one mini-batch with FIFO links",
                                            arguments.inputs ? "--inputs" : "--sharing"))
                        .fix("leave it out"));
    auto opened = open_training_plan(*arguments.model, std::move(plan));
    if (!opened) return fail(std::move(opened.error()));
    const auto result =
        simulate::simulate_training(opened->program, opened->problem.interconnect,
                                    opened->problem.structure.model == cost::StageModel::serial, {.trace = arguments.trace.has_value()});
    if (arguments.trace)
        if (auto written = write_trace(session, {result.names, result.tracks, result.tasks, result.counters}); !written)
            return fail(std::move(written.error()));
    const report::TrainingSimulationView view{.plan = &opened->plan, .program = &opened->program, .result = &result};
    return Outcome{arguments.json ? json::to_file_text(report::training_simulation_json(view)) : report::training_simulation_text(view)};
}

Result<Outcome> export_actions(Session& session) {
    const Arguments& arguments = session.arguments;
    if (arguments.output)
        return fail(usage_error("--actions writes a schedule, -o FOLDER writes stage models").fix("one of them at a time"));
    if (auto checked = check_output(arguments.actions); !checked) return fail(std::move(checked.error()));
    auto plan = plan::read_plan_file(*arguments.plan);
    if (!plan) return fail(std::move(plan.error()));
    if (!plan->training)
        return fail(input_error(std::format("'{}' is a plan for inference: it has no schedule of micro-batches", *arguments.plan))
                        .fix("--actions is for training plans; -o FOLDER writes the stages"));
    auto opened = open_training_plan(*arguments.model, std::move(*plan));
    if (!opened) return fail(std::move(opened.error()));
    const auto text = report::actions_csv(opened->program);
    if (!text) return fail(text.error());
    if (auto written = write_file(*arguments.actions, *text); !written) return fail(std::move(written.error()));
    session.terminal.say(
        std::format("wrote the actions of {} to {}", report::counted(opened->program.groups.size(), "rank"), *arguments.actions));
    if (arguments.json)
        return Outcome{json::to_file_text({{"actions", *arguments.actions},
                                           {"ranks", opened->program.groups.size()},
                                           {"stages", opened->program.stages.size()},
                                           {"replicas", opened->program.groups.front().devices}})};
    return Outcome{};
}

}  // namespace sluice::cli
