#include "sluice/report/training_text.hpp"

#include <algorithm>
#include <format>
#include <vector>

#include "sluice/base/observer.hpp"
#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

constexpr std::size_t kTrainingLabelWidth = 24;

std::string readers_of(const TrainingPlanView& view, std::size_t stage) {
    std::string list;
    for (const cost::StageEdge& edge : view.edges)
        if (edge.to == stage) list += std::format("{}{}", list.empty() ? "" : ",", edge.from);
    return list;
}

/// Stages on the longest path of the stage graph.
std::size_t depth_of(const TrainingPlanView& view) {
    std::vector<std::size_t> depth(view.plan->stages.size(), 1);
    for (const cost::StageEdge& edge : view.edges)
        depth[edge.to] = std::max(depth[edge.to], depth[edge.from] + 1);  // by `from`: sources first
    return depth.empty() ? 0 : std::ranges::max(depth);
}

Table stage_table(const TrainingPlanView& view) {
    const plan::Plan& plan = *view.plan;
    Table table{{{"stage"},
                 {"devices"},
                 {"class", Align::left},
                 {"reads"},
                 {"operators"},
                 {"first", Align::left, kTrainingLabelWidth},
                 {"last", Align::left, kTrainingLabelWidth},
                 {"micro-batch"},
                 {"k"},
                 {"in flight"},
                 {"forward"},
                 {"backward"},
                 {"recompute", Align::left},
                 {"gradients", Align::left},
                 {"parameters"},
                 {"memory"}},
                {}};
    const bool several_classes = plan.platform.classes.size() > 1;
    double parameters = 0;
    for (const plan::PlannedStage& stage : plan.stages) parameters += static_cast<double>(stage.training->predicted.parameters.count);
    for (std::size_t s = 0; s < plan.stages.size(); ++s) {
        const plan::PlannedStage& stage = plan.stages[s];
        const plan::PlannedTraining& training = *stage.training;
        const cost::TrainingTerms& terms = training.predicted;
        const auto label = [&](const plan::OperatorReference& reference) { return printable(view.graph->label(reference.id)); };
        table.rows.push_back(
            {std::to_string(s), device_range(training.first_device, stage.replicas), several_classes ? printable(stage.device_class) : "",
             readers_of(view, s), grouped(stage.operators.size()), stage.operators.empty() ? "" : label(stage.operators.front()),
             stage.operators.empty() ? "" : label(stage.operators.back()), std::to_string(training.micro_batch),
             training.k > 1 ? std::to_string(training.k) : "", std::to_string(training.in_flight), to_text(terms.pass.forward),
             to_text(terms.pass.input_gradient + terms.pass.weight_gradient), training.recompute ? "yes" : "",
             training.joint_backward ? "joint" : "",
             parameters > 0 ? percent(static_cast<double>(terms.parameters.count) / parameters) : "", to_text(training.memory)});
    }
    return table;
}

}  // namespace

std::string device_range(std::int64_t first, std::int64_t count) {
    return count == 1 ? std::to_string(first) : std::format("{}-{}", first, first + count - 1);
}

std::string samples_text(std::int64_t samples, Duration time) {
    const double seconds = std::chrono::duration<double>(time).count();
    return seconds > 0 ? rate_text(static_cast<double>(samples) / seconds) + " samples/s" : "";
}

std::string training_plan_text(const TrainingPlanView& view) {
    const plan::Plan& plan = *view.plan;
    const Duration iteration = objective_value(plan);
    std::vector<std::pair<std::string, std::string>> facts{
        {"iteration",
         std::format("{} for {}, {} schedule", to_text(iteration), counted(static_cast<std::size_t>(plan.training->mini_batch), "sample"),
                     cost::to_text(plan.training->schedule))},
        {"throughput", samples_text(plan.training->mini_batch, iteration)},
        {"bottleneck", to_text(plan.predicted.bottleneck) + " a sample"},
        {"bubble", percent(view.bubble) + " of the devices in use"},
        {"memory", std::format("{} reserved on one device at most, optimiser {}", to_text(plan.predicted.peak_memory),
                               cost::to_text(plan.training->optimizer))}};
    if (plan.bound) {
        const auto asked = std::ranges::find(plan.options, "micro-batch", &std::pair<std::string, std::string>::first);
        facts.emplace_back(
            "bound", bound_text(*plan.bound) + (asked == plan.options.end() ? "" : ", over plans with micro-batches of " + asked->second));
        facts.emplace_back("gap", percent(gap_of(iteration, plan.bound->value)));
    } else {
        facts.emplace_back("bound", "none proven");
    }
    facts.emplace_back(
        "stopped", std::format("{}; {:.2f} s, {}", why_stopped(plan.termination, plan.limit), plan.termination.seconds,
                               counted(static_cast<std::size_t>(std::max<std::int64_t>(0, plan.termination.evaluations)), "evaluation")));
    facts.emplace_back("method", std::format("{}, seed {}", plan.method, plan.seed));
    for (const std::string& assumption : plan.model.assumptions) facts.emplace_back("assumed", printable(assumption));
    return std::format("{} on {}: {}, depth {}, {}, {} cost, times {}\n\n", printable(plan.model.name), printable(plan.platform.name),
                       counted(plan.stages.size(), "stage"), depth_of(view), plan.job, platform::to_text(plan.platform.model),
                       plan.cost_source) +
           table_text(stage_table(view)) + "\n" + facts_text(facts);
}

}  // namespace sluice::report
