#include "sluice/plan/training_json.hpp"

#include <nlohmann/json.hpp>

namespace sluice::plan {

namespace {

using nlohmann::ordered_json;

/// The value of a key that is one of a few words; `of` reads one, `all` lists them.
template <typename Value, std::size_t Count>
Value word(const Members& members, std::string_view key, std::optional<Value> (*of)(std::string_view),
           const std::array<Value, Count>& all) {
    const std::string text = members.text(key);
    if (members.failure()) return all.front();
    if (const auto value = of(text)) return *value;
    std::string list;
    for (const Value value : all) list += std::format("{}{}", list.empty() ? "" : ", ", to_text(value));
    members.refuse(input_error(std::format("'{}' is '{}'", key, text)).at(members.where(key)).fix(std::format("it is one of: {}", list)));
    return all.front();
}

}  // namespace

ordered_json to_json(const TrainingSettings& settings) {
    return {{"mini_batch", settings.mini_batch},
            {"optimizer", cost::to_text(settings.optimizer)},
            {"schedule", cost::to_text(settings.schedule)}};
}

ordered_json training_stage_json(const PlannedStage& stage) {
    const PlannedTraining& training = *stage.training;
    const cost::TrainingTerms& terms = training.predicted;
    ordered_json json{{"device_class", stage.device_class},
                      {"first_device", training.first_device},
                      {"replicas", stage.replicas},
                      {"micro_batch", training.micro_batch},
                      {"k", training.k},
                      {"recompute", training.recompute}};
    if (training.joint_backward) json["joint_backward"] = true;
    json["in_flight"] = training.in_flight;
    json["predicted"] = {{"forward_ps", terms.pass.forward.count()},
                         {"input_gradient_ps", terms.pass.input_gradient.count()},
                         {"weight_gradient_ps", terms.pass.weight_gradient.count()},
                         {"all_reduce_ps", terms.all_reduce.count()},
                         {"optimizer_ps", terms.optimizer.count()},
                         {"parameter_bytes", terms.parameters.count},
                         {"state_bytes", terms.state.count},
                         {"kept_bytes", terms.kept.count},
                         {"kept_for_weights_bytes", terms.kept_for_weights.count},
                         {"recomputed_bytes", terms.recomputed.count},
                         {"memory_bytes", training.memory.count}};
    json["operators"] = to_json(stage.operators);
    return json;
}

TrainingSettings read_training_settings(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node, {"mini_batch", "optimizer", "schedule"}, failure);
    TrainingSettings settings;
    settings.mini_batch = members.integer("mini_batch", 1, cost::kLargestMiniBatch);
    settings.optimizer = word(members, "optimizer", &cost::optimizer_of, cost::kOptimizers);
    settings.schedule = word(members, "schedule", &cost::schedule_of, cost::kSchedules);
    return settings;
}

PlannedStage read_training_stage(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node,
                          {"device_class", "first_device", "replicas", "micro_batch", "k", "recompute", "joint_backward", "in_flight",
                           "predicted", "operators"},
                          failure);
    PlannedStage stage;
    stage.device_class = members.text("device_class");
    stage.replicas = members.integer("replicas", 1, kMostDevices);
    PlannedTraining training;
    training.first_device = members.integer("first_device", 0, kMostDevices);
    training.micro_batch = members.integer("micro_batch", 1, cost::kLargestMiniBatch);
    training.k = members.integer("k", 1, cost::kLargestMiniBatch);
    training.recompute = members.truth("recompute");
    training.joint_backward = members.truth("joint_backward", false);
    training.in_flight = members.integer("in_flight", 1, cost::kLargestMiniBatch);
    const Members terms(members.node("predicted"),
                        {"forward_ps", "input_gradient_ps", "weight_gradient_ps", "all_reduce_ps", "optimizer_ps", "parameter_bytes",
                         "state_bytes", "kept_bytes", "kept_for_weights_bytes", "recomputed_bytes", "memory_bytes"},
                        failure);
    training.predicted = {.pass = {.forward = terms.duration("forward_ps"),
                                   .input_gradient = terms.duration("input_gradient_ps"),
                                   .weight_gradient = terms.duration("weight_gradient_ps")},
                          .parameters = terms.bytes("parameter_bytes"),
                          .state = terms.bytes("state_bytes"),
                          .kept = terms.bytes("kept_bytes"),
                          .kept_for_weights = terms.bytes("kept_for_weights_bytes"),
                          .recomputed = terms.bytes("recomputed_bytes"),
                          .all_reduce = terms.duration("all_reduce_ps"),
                          .optimizer = terms.duration("optimizer_ps")};
    training.memory = terms.bytes("memory_bytes");
    stage.training = training;
    stage.operators = read_operators(members, "operators");
    return stage;
}

std::optional<BoundClaim> read_bounds(const Members& members, const std::optional<BoundClaim>& iteration) {
    const Members bounds(members.node("bounds"), {"bottleneck", "iteration"}, members.failure());
    auto bottleneck = read_bound(bounds.node("bottleneck"), members.failure());
    if (read_bound(bounds.node("iteration"), members.failure()) != iteration)
        bounds.refuse(
            verification_error("'bounds.iteration' is another than 'bound', which is on the iteration time").at(bounds.where("iteration")));
    return bottleneck;
}

}  // namespace sluice::plan
