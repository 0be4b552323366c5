#include <format>
#include <ranges>
#include <string_view>

#include "cli/planning.hpp"
#include "cli/training.hpp"
#include "sluice/inference/registry.hpp"
#include "sluice/mcm/registry.hpp"

namespace sluice::cli {

namespace {

struct Misplaced {
    bool given;
    std::string_view flag;
    std::string_view instead;
};

Result<void> refuse(std::initializer_list<Misplaced> flags, std::string_view why) {
    for (const auto& [given, flag, instead] : flags)
        if (given) return fail(usage_error(std::format("{} {}", flag, why)).fix(std::string(instead)));
    return {};
}

/// What makes an inference of `batch` inputs at once.
std::string batched(const std::string& model) {
    if (!model.starts_with("zoo:")) return "--dim batch=N";
    return std::format("the model {}{}batch=N", model, model.find(':', 4) == std::string::npos ? ":" : ",");
}

}  // namespace

bool is_training(const Arguments& arguments) { return arguments.job == plan::kTraining; }

Result<void> check_job(const Arguments& arguments) {
    const Arguments& a = arguments;
    if (!is_training(a)) {
        constexpr std::string_view kAdd = "add --for training, or leave it out";
        const std::string batch = std::format("add --for training; the batch of an inference is that of {}", batched(a.model.value_or("")));
        return refuse({{a.batch || a.batch_list, "--batch", batch},
                       {a.micro_batch || a.micro_batch_list, "--micro-batch", kAdd},
                       {a.device_list.has_value(), "--devices", "add --for training; -k has the numbers of stages of an inference"},
                       {a.memory_list.has_value(), "--memory", "add --for training; -p PLATFORM:memory=SIZE for an inference"},
                       {a.schedule.has_value(), "--schedule", kAdd},
                       {a.optimizer.has_value(), "--optimizer", kAdd},
                       {a.recompute, "--recompute", kAdd}},
                      "is for training plans alone");
    }
    return refuse(
        {{a.stages.has_value(), "-k", "a training plan uses the platform's devices: -p v100-summit:devices=8"},
         {a.stage_list.has_value(), "-k", "a training plan uses all devices there are: --devices 4..32*2"},
         {a.replicas.has_value(), "--replicas", "the planner chooses how many devices share a stage; --method data-parallel uses them all"},
         {a.objective.has_value(), "--objective", "a training plan has the least iteration time"},
         {a.bounds.has_value(), "--bounds", "training has one kind of bound: `sluice bound --for training`"},
         {a.judge.has_value(), "--judge", "iteration times are simulated"},
         {a.rewrites.has_value(), "--rewrites", "they are for chips on a ring: -p mcm-36"},
         {a.genetic.has_value(), "--genetic", "leave it out"}},
        "means nothing with --for training");
}

Result<void> check_methods(const Arguments& arguments) {
    const std::string list = arguments.methods.value_or(arguments.method.value_or(""));
    for (const auto part : std::views::split(list, ',')) {
        const std::string_view name(part);
        const bool inference = inference::find_planner(name).has_value(), training = training::find_planner(name).has_value();
        if (!inference && !training && mcm::find_planner(name))
            return fail(usage_error(std::format("'{}' is a method for chips", name)).fix("-p mcm-36, or another platform with chip rules"));
        if (training && !inference && !is_training(arguments))
            return fail(usage_error(std::format("'{}' is a method of training", name)).fix("add --for training --batch N"));
        if (inference && !training && is_training(arguments)) {
            std::string names;
            for (const training::Planner& planner : training::planners())
                names += std::format("{}{}", names.empty() ? "" : ", ", planner.name);
            return fail(usage_error(std::format("'{}' is a method of inference", name)).note("those of training are: " + names));
        }
    }
    return {};
}

Result<void> check_batch(const std::optional<std::int64_t>& batch) {
    if (!batch)
        return fail(
            usage_error("--for training needs --batch N: how many samples make a mini-batch").fix("for example --for training --batch 64"));
    if (*batch > cost::kLargestMiniBatch)
        return fail(usage_error(std::format("--batch is {}: the largest it can be is {}", *batch, cost::kLargestMiniBatch)));
    return {};
}

training::PlannerOptions training_options(const Arguments& arguments) {
    training::PlannerOptions options;
    options.micro_batch = arguments.micro_batch;
    if (arguments.schedule) options.schedule = cost::schedule_of(*arguments.schedule);
    if (arguments.recompute) options.recompute = true;
    options.seed = static_cast<std::uint64_t>(arguments.seed.value_or(0));
    options.threads = threads_of(arguments);
    return options;
}

}  // namespace sluice::cli
