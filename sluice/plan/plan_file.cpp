#include "sluice/plan/plan_file.hpp"

#include <array>
#include <cassert>
#include <cmath>
#include <format>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "sluice/base/observer.hpp"
#include "sluice/plan/members.hpp"
#include "sluice/plan/training_json.hpp"

namespace sluice::plan {

namespace {

using nlohmann::ordered_json;

constexpr double kPicosecondsPerSecond = 1e12;

constexpr std::array kReasons{StopReason::finished, StopReason::optimal,     StopReason::gap,
                              StopReason::time,     StopReason::evaluations, StopReason::interrupted};

/// Numbers that a script wants and that follow from the integers; no JSON number may be infinite, so absent where they would be.
std::optional<double> throughput_of(const Plan& plan) {
    const auto time = plan.predicted.iteration.value_or(plan.predicted.bottleneck).count();
    if (time <= 0) return std::nullopt;
    return kPicosecondsPerSecond * static_cast<double>(plan.training ? plan.training->mini_batch : 1) / static_cast<double>(time);
}
std::optional<double> gap_of(const Plan& plan) {
    if (!plan.bound) return std::nullopt;
    return sluice::gap_of(objective_value(plan), plan.bound->value);
}

// --- writing ---------------------------------------------------------------------------------------------------------

ordered_json or_null(std::optional<double> value) { return value ? ordered_json(*value) : ordered_json(nullptr); }
ordered_json or_null(std::optional<Duration> value) { return value ? ordered_json(value->count()) : ordered_json(nullptr); }

ordered_json to_json(const PlannedStage& stage) {
    if (stage.training) return training_stage_json(stage);
    const cost::StageTerms& terms = stage.predicted;
    return {{"device_class", stage.device_class},
            {"replicas", stage.replicas},
            {"predicted",
             {{"work_ps", terms.work.count()},
              {"in_ps", terms.in.count()},
              {"out_ps", terms.out.count()},
              {"spill_ps", terms.spill.count()},
              {"parameter_bytes", terms.parameters.count},
              {"peak_bytes", terms.peak.count}}},
            {"operators", to_json(stage.operators)}};
}

ordered_json to_json(const ModelReference& model) {
    ordered_json dimensions = ordered_json::object();
    for (const auto& [name, value] : model.dimensions) dimensions[name] = value;
    return {{"name", model.name},
            {"fingerprint", model.fingerprint},
            {"dimensions", std::move(dimensions)},
            {"assume_size", model.assume_size ? ordered_json(*model.assume_size) : ordered_json(nullptr)},
            {"assumptions", model.assumptions}};
}

ordered_json to_json(const Judged& judged) {
    return {{"judge", judged.judge},
            {"period_ps", judged.period.count()},
            {"throughput_per_s", kPicosecondsPerSecond / static_cast<double>(judged.period.count())},
            {"latency_ps", judged.latency.count() > 0 ? ordered_json(judged.latency.count()) : ordered_json(nullptr)}};
}

// --- reading ---------------------------------------------------------------------------------------------------------

PlannedStage read_stage(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node, {"device_class", "replicas", "predicted", "operators"}, failure);
    PlannedStage stage;
    stage.device_class = members.text("device_class");
    stage.replicas = members.integer("replicas", 1, kMostDevices);
    const Members terms(members.node("predicted"), {"work_ps", "in_ps", "out_ps", "spill_ps", "parameter_bytes", "peak_bytes"}, failure);
    stage.predicted = {.work = terms.duration("work_ps"),
                       .in = terms.duration("in_ps"),
                       .out = terms.duration("out_ps"),
                       .spill = terms.duration("spill_ps"),
                       .parameters = terms.bytes("parameter_bytes"),
                       .peak = terms.bytes("peak_bytes")};
    stage.operators = read_operators(members, "operators");
    return stage;
}

ModelReference read_model(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node, {"name", "fingerprint", "dimensions", "assume_size", "assumptions"}, failure);
    ModelReference model{
        .name = members.text("name"), .fingerprint = members.text("fingerprint"), .dimensions = {}, .assume_size = {}, .assumptions = {}};
    for (const auto& [name, value] : members.object("dimensions")) model.dimensions.emplace_back(name, members.take(value.as_int()));
    if (!members.is_null("assume_size")) model.assume_size = members.take(members.node("assume_size").as_int());
    for (const json::Node& text : members.array("assumptions")) model.assumptions.push_back(members.take(text.as_string()));
    return model;
}

Predicted read_predicted(const json::Node& node, bool training, std::optional<Diagnostic>& failure) {
    const Members members(node, {"bottleneck_ps", "throughput_per_s", "latency_ps", "iteration_ps", "peak_memory_bytes"}, failure);
    if (!training && !members.is_null("iteration_ps"))
        members.refuse(input_error("'iteration_ps' must be null: only a training plan has iterations").at(members.where("iteration_ps")));
    if (training && !members.is_null("latency_ps"))
        members.refuse(input_error("'latency_ps' must be null: a training plan has an iteration time").at(members.where("latency_ps")));
    Predicted predicted{.bottleneck = members.duration("bottleneck_ps"), .peak_memory = members.bytes("peak_memory_bytes")};
    if (training)
        predicted.iteration = members.duration("iteration_ps");
    else
        predicted.latency = members.duration("latency_ps");
    return predicted;
}

std::optional<Judged> read_judged(const json::Node& document, const Members& members) {
    if (document.find("judged") == nullptr || members.failure()) return std::nullopt;
    const Members judged_members(members.node("judged"), {"judge", "period_ps", "throughput_per_s", "latency_ps"}, members.failure());
    Judged judged{.judge = judged_members.text("judge"), .period = judged_members.duration("period_ps")};
    if (!judged_members.is_null("latency_ps")) judged.latency = judged_members.duration("latency_ps");
    if (judged.period.count() < 1) judged_members.refuse(input_error("'period_ps' must be above 0").at(judged_members.where("period_ps")));
    const double throughput = kPicosecondsPerSecond / static_cast<double>(judged.period.count());
    judged_members.agree("throughput_per_s", throughput, throughput, "1 s over 'period_ps'");
    return judged;
}

void read_termination(const Members& members, Plan& plan) {
    const Members termination(members.node("termination"), {"reason", "limit"}, members.failure());
    const std::string reason = termination.text("reason");
    if (!termination.is_null("limit")) plan.limit = termination.text("limit");
    plan.termination.seconds = members.seconds("seconds");
    plan.termination.evaluations = members.integer("evaluations", 0, std::numeric_limits<std::int64_t>::max());
    for (const StopReason known : kReasons)
        if (to_text(known) == reason) {
            plan.termination.reason = known;
            return;
        }
    termination.refuse(input_error(std::format("'{}' is no reason to stop", reason)).at(termination.where("reason")));
}

std::string job_of(const json::Node& document, std::optional<Diagnostic>& failure) {
    const auto node = document.get("job");
    auto job = node ? (*node)->as_string() : fail(node.error());
    if (!job) {
        failure = std::move(job.error());
        return {};
    }
    if (*job != kInference && *job != kTraining)
        failure = input_error(std::format("job '{}' is not known to this version", *job))
                      .at((*node)->where())
                      .fix("this version reads plans for 'inference' and 'training'");
    return *job;
}

Plan read(const json::Node& document, std::optional<Diagnostic>& failure) {
    Plan plan;
    plan.job = job_of(document, failure);
    const bool training = plan.job == kTraining;
    // Two lists: a key of the other job is an unknown one.
    const Members members =
        training ? Members(document, {"format",      "job",     "training",    "model",     "platform",   "k",       "cost_source", "costs",
                                      "method",      "options", "seed",        "objective", "predicted",  "bound",   "bounds",      "gap",
                                      "termination", "seconds", "evaluations", "stages",    "replicated", "rewrites"},
                           failure)
                 : Members(document, {"format", "job",         "model",   "platform",    "k",         "cost_source", "costs",
                                      "method", "options",     "seed",    "objective",   "predicted", "judged",      "bound",
                                      "gap",    "termination", "seconds", "evaluations", "stages",    "replicated",  "rewrites"},
                           failure);
    if (training) plan.training = read_training_settings(members.node("training"), failure);
    plan.model = read_model(members.node("model"), failure);
    if (!failure) plan.platform = members.take(platform::read_platform(members.node("platform")));
    plan.stage_limit = members.integer("k", 1, kMostDevices);
    plan.cost_source = members.text("cost_source");
    if (const json::Node* costs = document.find("costs"); costs && !failure) plan.costs = members.take(cost::read_costs(*costs));
    plan.method = members.text("method");
    for (const auto& [name, value] : members.object("options")) plan.options.emplace_back(name, members.take(value.as_string()));
    plan.seed = static_cast<std::uint64_t>(members.take(members.node("seed").as_count()));
    if (const json::Node* objective = document.find("objective"); objective && !failure) {  // absent in older files: throughput
        const std::string text = members.text("objective");
        if (const auto known = cost::objective_of(text))
            plan.objective = *known;
        else
            members.refuse(
                input_error(std::format("'{}' is no objective: 'throughput' and 'latency' are", text)).at(members.where("objective")));
    }
    if (training && plan.objective != cost::Objective::throughput)
        members.refuse(input_error("a training plan's objective is 'throughput': samples a second").at(members.where("objective")));
    plan.predicted = read_predicted(members.node("predicted"), training, failure);
    if (!training) plan.judged = read_judged(document, members);
    plan.bound = read_bound(members.node("bound"), failure);
    if (training) plan.bottleneck_bound = read_bounds(members, plan.bound);
    read_termination(members, plan);
    for (const json::Node& stage : members.array("stages"))
        plan.stages.push_back(training ? read_training_stage(stage, failure) : read_stage(stage, failure));
    plan.replicated = read_operators(members, "replicated");
    plan.rewrites = read_rewrites(members, "rewrites");
    if (training && !plan.rewrites.empty())
        members.refuse(input_error("a plan for training has no rewrites").at(members.where("rewrites")));

    if (failure) return plan;
    const Members predicted(members.node("predicted"),
                            {"bottleneck_ps", "throughput_per_s", "latency_ps", "iteration_ps", "peak_memory_bytes"}, failure);
    const auto throughput = throughput_of(plan);
    predicted.agree("throughput_per_s", throughput, throughput.value_or(0),
                    training ? "'mini_batch' over 'iteration_ps'" : "1 s over 'bottleneck_ps'");
    members.agree("gap", gap_of(plan), 1,
                  training                                     ? "'bound' and 'iteration_ps'"
                  : plan.objective == cost::Objective::latency ? "'bound' and 'latency_ps'"
                                                               : "'bound' and 'bottleneck_ps'");
    return plan;
}

}  // namespace

std::string to_json_text(const Plan& plan) {
    assert(std::isfinite(plan.termination.seconds) && plan.seed <= std::numeric_limits<std::int64_t>::max());
    ordered_json options = ordered_json::object();
    for (const auto& [name, value] : plan.options) options[name] = value;
    ordered_json stages = ordered_json::array();
    for (const PlannedStage& stage : plan.stages) stages.push_back(to_json(stage));

    ordered_json document = {
        {"format", kPlanFormat},
        {"job", plan.job},
        {"training", plan.training ? to_json(*plan.training) : ordered_json(nullptr)},
        {"model", to_json(plan.model)},
        {"platform", platform::to_json(plan.platform)},
        {"k", plan.stage_limit},
        {"cost_source", plan.cost_source},
        {"costs", plan.costs ? cost::to_json(*plan.costs) : ordered_json(nullptr)},
        {"method", plan.method},
        {"options", std::move(options)},
        {"seed", plan.seed},
        {"objective", cost::to_text(plan.objective)},
        {"predicted",
         {{"bottleneck_ps", plan.predicted.bottleneck.count()},
          {"throughput_per_s", or_null(throughput_of(plan))},
          {"latency_ps", plan.training ? ordered_json(nullptr) : ordered_json(plan.predicted.latency.count())},
          {"iteration_ps", or_null(plan.predicted.iteration)},
          {"peak_memory_bytes", plan.predicted.peak_memory.count}}},
        {"judged", plan.judged ? to_json(*plan.judged) : ordered_json(nullptr)},
        {"bound", to_json(plan.bound)},
        {"bounds", {{"bottleneck", to_json(plan.bottleneck_bound)}, {"iteration", to_json(plan.bound)}}},
        {"gap", or_null(gap_of(plan))},
        {"termination",
         {{"reason", to_text(plan.termination.reason)}, {"limit", plan.limit.empty() ? ordered_json(nullptr) : ordered_json(plan.limit)}}},
        {"seconds", plan.termination.seconds},
        {"evaluations", plan.termination.evaluations},
        {"stages", std::move(stages)},
        {"replicated", to_json(plan.replicated)},
        {"rewrites", to_json(plan.rewrites)}};
    if (!plan.costs) document.erase("costs");
    if (!plan.judged) document.erase("judged");
    if (!plan.training) {
        document.erase("training");
        document.erase("bounds");
    }
    return json::to_file_text(document);
}

Result<Plan> read_plan(const json::Node& document) {
    if (auto tagged = document.expect_format(kPlanFormat); !tagged) return fail(std::move(tagged.error()));
    std::optional<Diagnostic> failure;
    Plan plan = read(document, failure);
    if (failure) return fail(*std::move(failure));
    return plan;
}

Result<Plan> read_plan_file(const std::filesystem::path& path) {
    auto document = json::parse_file(path);
    if (!document) return fail(std::move(document.error()));
    return read_plan(*document);
}

}  // namespace sluice::plan
