#include <format>
#include <string_view>

#include "cli/training.hpp"

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

}  // namespace

bool is_training(const Arguments& arguments) { return arguments.job == plan::kTraining; }

Result<void> check_job(const Arguments& arguments) {
    const Arguments& a = arguments;
    if (!is_training(a)) {
        constexpr std::string_view kAdd = "add --for training, or leave it out";
        return refuse({{a.batch.has_value(), "--batch", "add --for training; the batch of an inference is --dim batch=N"},
                       {a.micro_batch.has_value(), "--micro-batch", kAdd},
                       {a.schedule.has_value(), "--schedule", kAdd},
                       {a.optimizer.has_value(), "--optimizer", kAdd},
                       {a.recompute, "--recompute", kAdd}},
                      "is for training plans alone");
    }
    constexpr std::string_view kOut = "leave it out";
    if (auto meant = refuse({{a.stages.has_value(), "-k", "a training plan uses the platform's devices: -p v100-summit:devices=8"},
                             {a.replicas.has_value(), "--replicas",
                              "the planner chooses how many devices share a stage; --method data-parallel uses them all"},
                             {a.objective.has_value(), "--objective", "a training plan has the least iteration time"},
                             {a.from.has_value(), "--from", kOut},
                             {a.gap.has_value(), "--gap", "--time and --evals limit a training planner"},
                             {a.bounds.has_value(), "--bounds", kOut},
                             {a.genetic.has_value(), "--genetic", kOut},
                             {a.costs.has_value(), "--costs", "a graph file with given forward and backward times is planned with these"}},
                            "means nothing with --for training");
        !meant)
        return meant;
    if (!a.batch)
        return fail(
            usage_error("--for training needs --batch N: how many samples make a mini-batch").fix("for example --for training --batch 64"));
    if (*a.batch > cost::kLargestMiniBatch)
        return fail(usage_error(std::format("--batch is {}: the largest it can be is {}", *a.batch, cost::kLargestMiniBatch)));
    return {};
}

training::PlannerOptions training_options(const Arguments& arguments) {
    training::PlannerOptions options;
    options.micro_batch = arguments.micro_batch;
    if (arguments.schedule) options.schedule = cost::schedule_of(*arguments.schedule);
    if (arguments.recompute) options.recompute = true;
    options.seed = static_cast<std::uint64_t>(arguments.seed.value_or(0));
    return options;
}

}  // namespace sluice::cli
