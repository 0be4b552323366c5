#include <algorithm>
#include <format>

#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/report/text.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::cli {

namespace {

/// "v100-summit with 8 devices"
std::string described(const platform::Platform& platform) {
    return std::format("{} with {}", report::printable(platform.name),
                       report::counted(static_cast<std::size_t>(platform::device_count(platform)), "device"));
}

Result<void> check_asked(const Arguments& arguments, const cost::TrainingPartition& start) {
    const auto refuse = [&](std::string what, std::string_view flag) {
        return fail(usage_error(std::format("'{}' {}", *arguments.from, what)).fix(std::format("leave {} out, or --from", flag)));
    };
    for (std::size_t s = 0; s < start.stages.size(); ++s) {
        const cost::TrainingStage& stage = start.stages[s];
        if (arguments.micro_batch && stage.micro_batch != *arguments.micro_batch)
            return refuse(std::format("has micro-batches of {} samples in stage {}, --micro-batch asks for {}", stage.micro_batch, s,
                                      *arguments.micro_batch),
                          "--micro-batch");
        if (arguments.recompute && !stage.recompute)
            return refuse(std::format("recomputes nothing in stage {}, --recompute asks for it everywhere", s), "--recompute");
    }
    if (arguments.schedule && cost::to_text(start.schedule) != *arguments.schedule)
        return refuse(std::format("has the {} schedule, --schedule asks for {}", cost::to_text(start.schedule), *arguments.schedule),
                      "--schedule");
    return {};
}

}  // namespace

Arguments filled_from_training(const Arguments& arguments, const plan::Plan& plan) {
    Arguments filled = arguments;
    for (const auto& dimension : plan.model.dimensions)
        if (!std::ranges::contains(filled.dimensions, dimension.first, &std::pair<std::string, std::int64_t>::first))
            filled.dimensions.push_back(dimension);
    if (!filled.assume_size) filled.assume_size = plan.model.assume_size;
    if (!filled.batch) filled.batch = plan.training->mini_batch;
    if (!filled.optimizer) filled.optimizer = std::string(to_text(plan.training->optimizer));
    return filled;
}

Result<cost::TrainingPartition> partition_of_old(const std::string& file, const OldPlan& old, const PreparedTraining& prepared) {
    const cost::TrainingProblem& problem = prepared.frozen.problem;
    auto partition = plan::training_partition_of(old.plan, prepared.model.graph, problem);
    std::optional<Diagnostic> fault;
    if (!partition)
        fault = std::move(partition.error());
    else if (auto faults = cost::faults_of(problem, *partition); !faults.empty())
        fault = std::move(faults.front());
    if (!fault)
        if (auto program = solve::training_program_of(problem, *partition); !program) fault = std::move(program.error());
    if (!fault) return partition;
    Diagnostic diagnostic = with_labels(std::move(*fault), prepared.model.graph);
    diagnostic.kind = DiagnosticKind::input;
    diagnostic.message = std::format("'{}' is no plan for this: {}", file, diagnostic.message);
    if (old.plan.platform != prepared.platform) {
        diagnostic.notes.push_back(
            std::format("it was made for {}; this is {}", described(old.plan.platform), described(prepared.platform)));
        if (diagnostic.help.empty()) diagnostic.help = "leave -p out: the platform is then the plan's own";
    }
    if (const std::int64_t was = old.plan.training->mini_batch, is = problem.options.mini_batch; was != is)
        diagnostic.notes.push_back(std::format("it was made for mini-batches of {} samples; these have {}", was, is));
    return fail(std::move(diagnostic));
}

Result<cost::TrainingPartition> start_of_training(Session& session, const OldPlan& old, const PreparedTraining& prepared) {
    const std::string& file = *session.arguments.from;
    auto start = partition_of_old(file, old, prepared);
    if (!start) return start;
    if (auto asked = check_asked(session.arguments, *start); !asked) return fail(std::move(asked.error()));
    session.terminal.say(std::format("from {}: {}, {} an iteration", file, report::counted(start->stages.size(), "stage"),
                                     to_text(training::iteration_time(prepared.frozen.problem, *start))));
    return start;
}

}  // namespace sluice::cli
