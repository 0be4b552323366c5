#include "sluice/plan/plan_file.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <format>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "sluice/base/observer.hpp"
#include "sluice/plan/read_partition.hpp"

namespace sluice::plan {

namespace {

using nlohmann::ordered_json;

constexpr double kPicosecondsPerSecond = 1e12;
constexpr double kAgreement = 1e-9;  // what a writer's rounding of a derived number may cost

constexpr std::array kReasons{StopReason::finished, StopReason::optimal,     StopReason::gap,
                              StopReason::time,     StopReason::evaluations, StopReason::interrupted};

/// Numbers that a script wants and that follow from the integers; no JSON number may be infinite, so absent where they would be.
std::optional<double> throughput_of(const Plan& plan) {
    const auto bottleneck = plan.predicted.bottleneck.count();
    if (bottleneck <= 0) return std::nullopt;
    return kPicosecondsPerSecond / static_cast<double>(bottleneck);
}
std::optional<double> gap_of(const Plan& plan) {
    if (!plan.bound) return std::nullopt;
    return sluice::gap_of(objective_value(plan), plan.bound->value);
}

// --- writing ---------------------------------------------------------------------------------------------------------

ordered_json or_null(std::optional<double> value) { return value ? ordered_json(*value) : ordered_json(nullptr); }

ordered_json to_json(std::span<const OperatorReference> operators) {
    ordered_json list = ordered_json::array();
    for (const OperatorReference& reference : operators)
        list.push_back(ordered_json::array({static_cast<std::int64_t>(reference.id.index()), reference.output}));
    return list;
}

ordered_json to_json(const PlannedStage& stage) {
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

// --- reading ---------------------------------------------------------------------------------------------------------

/// The members of one object. The first failure of a whole document is kept and everything after it is read as a default,
/// so that a reader is one line a key and still reports the earliest line.
class Members {
public:
    Members(const json::Node& object, std::initializer_list<std::string_view> keys, std::optional<Diagnostic>& failure)
        : object_(&object), failure_(&failure) {
        if (auto known = object.expect_keys(keys); !known) refuse(std::move(known.error()));
    }

    [[nodiscard]] std::optional<Diagnostic>& failure() const { return *failure_; }
    void refuse(Diagnostic diagnostic) const {
        if (!*failure_) *failure_ = std::move(diagnostic);
    }
    [[nodiscard]] Location where(std::string_view key) const {
        const json::Node* node = object_->find(key);
        return node ? node->where() : object_->where();
    }

    /// Never null after a failure either: an empty node then.
    [[nodiscard]] const json::Node& node(std::string_view key) const {
        static const json::Node kNothing;
        auto member = object_->get(key);
        if (member) return **member;
        refuse(std::move(member.error()));
        return kNothing;
    }
    [[nodiscard]] bool is_null(std::string_view key) const { return node(key).is_null(); }

    template <typename T>
    T take(Result<T> value) const {
        if (value) return *std::move(value);
        refuse(std::move(value.error()));
        return T{};
    }
    std::string text(std::string_view key) const { return take(node(key).as_string()); }
    Duration duration(std::string_view key) const { return take(node(key).as_duration()); }
    Bytes bytes(std::string_view key) const { return take(node(key).as_bytes()); }
    bool truth(std::string_view key) const { return take(node(key).as_bool()); }

    std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const {
        const std::int64_t value = take(node(key).as_int());
        if (value < low || value > high)
            refuse(input_error(std::format("'{}' is {}; {} to {} are possible", key, value, low, high)).at(where(key)));
        return value;
    }
    double seconds(std::string_view key) const {
        const double value = take(node(key).as_number());
        if (value < 0) refuse(input_error(std::format("'{}' is {}, below zero", key, value)).at(where(key)));
        return value;
    }
    const json::Array& array(std::string_view key) const {
        static const json::Array kNothing;
        const auto* items = take(node(key).as_array());
        return items ? *items : kNothing;
    }
    const json::Object& object(std::string_view key) const {
        static const json::Object kNothing;
        const auto* members = take(node(key).as_object());
        return members ? *members : kNothing;
    }

    /// A number that others in the file determine: it must be there and agree to 1e-9 of `scale`.
    void agree(std::string_view key, std::optional<double> is, double scale, std::string_view because) const {
        const json::Node& member = node(key);
        if (*failure_) return;
        if (!is) {
            if (!member.is_null())
                refuse(claim_error(std::format("'{}' must be null: it has no value by {}", key, because)).at(where(key)));
            return;
        }
        const double said = take(member.as_number());
        if (!*failure_ && !(std::abs(said - *is) <= kAgreement * scale))
            refuse(claim_error(std::format("'{}' is {}, but {} by {}", key, said, *is, because)).at(where(key)));
    }

private:
    const json::Node* object_;
    std::optional<Diagnostic>* failure_;
};

std::vector<OperatorReference> read_operators(const Members& members, std::string_view key) {
    std::vector<OperatorReference> operators;
    for (const json::Node& item : members.array(key)) {
        const auto* pair = members.take(item.as_array());
        if (members.failure()) break;
        if (pair->size() != 2) {
            members.refuse(input_error(std::format("an operator is [index, \"first output\"], this list has {} entries", pair->size()))
                               .at(item.where()));
            break;
        }
        const std::int64_t index = members.take((*pair)[0].as_count());
        if (index >= std::numeric_limits<std::uint32_t>::max()) {
            members.refuse(input_error(std::format("{} is no operator's index", index)).at(item.where()));
            break;
        }
        operators.push_back({OperatorId(static_cast<std::size_t>(index)), members.take((*pair)[1].as_string())});
    }
    return operators;
}

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

Predicted read_predicted(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node, {"bottleneck_ps", "throughput_per_s", "latency_ps", "iteration_ps", "peak_memory_bytes"}, failure);
    if (!members.is_null("iteration_ps"))
        members.refuse(input_error("'iteration_ps' must be null: only a training plan has iterations").at(members.where("iteration_ps")));
    return {.bottleneck = members.duration("bottleneck_ps"),
            .latency = members.duration("latency_ps"),
            .peak_memory = members.bytes("peak_memory_bytes")};
}

BoundClaim read_bound(const json::Node& node, std::optional<Diagnostic>& failure) {
    const Members members(node, {"value_ps", "kind", "certified"}, failure);
    BoundClaim bound{.value = members.duration("value_ps"), .kind = members.text("kind"), .certified = members.truth("certified")};
    if (!failure && !std::ranges::contains(kBoundKinds, std::string_view(bound.kind))) {
        const auto near = nearest_match(bound.kind, std::span<const std::string_view>(kBoundKinds));
        members.refuse(input_error(std::format("no bound is of kind '{}'", bound.kind))
                           .at(members.where("kind"))
                           .fix(near.empty() ? std::string{} : std::format("did you mean '{}'?", near)));
    }
    return bound;
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

Plan read(const json::Node& document, std::optional<Diagnostic>& failure) {
    const Members members(document, {"format",      "job",     "model",       "platform",  "k",          "cost_source", "costs",
                                     "method",      "options", "seed",        "objective", "predicted",  "bound",       "gap",
                                     "termination", "seconds", "evaluations", "stages",    "replicated", "rewrites"},
                          failure);
    Plan plan;
    plan.job = members.text("job");
    if (!failure && plan.job != "inference")
        members.refuse(input_error(std::format("job '{}' is not known to this version", plan.job))
                           .at(members.where("job"))
                           .fix("this version reads plans for 'inference'"));
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
    plan.predicted = read_predicted(members.node("predicted"), failure);
    if (!members.is_null("bound")) plan.bound = read_bound(members.node("bound"), failure);
    read_termination(members, plan);
    for (const json::Node& stage : members.array("stages")) plan.stages.push_back(read_stage(stage, failure));
    plan.replicated = read_operators(members, "replicated");
    if (!members.array("rewrites").empty())
        members.refuse(input_error("this version knows no rewrites, the plan has some").at(members.where("rewrites")));

    if (failure) return plan;
    const Members predicted(members.node("predicted"),
                            {"bottleneck_ps", "throughput_per_s", "latency_ps", "iteration_ps", "peak_memory_bytes"}, failure);
    const auto throughput = throughput_of(plan);
    predicted.agree("throughput_per_s", throughput, throughput.value_or(0), "1 s over 'bottleneck_ps'");
    members.agree("gap", gap_of(plan), 1,
                  plan.objective == cost::Objective::latency ? "'bound' and 'latency_ps'" : "'bound' and 'bottleneck_ps'");
    return plan;
}

}  // namespace

std::string to_json_text(const Plan& plan) {
    assert(std::isfinite(plan.termination.seconds) && plan.seed <= std::numeric_limits<std::int64_t>::max());
    ordered_json options = ordered_json::object();
    for (const auto& [name, value] : plan.options) options[name] = value;
    ordered_json stages = ordered_json::array();
    for (const PlannedStage& stage : plan.stages) stages.push_back(to_json(stage));
    ordered_json bound = nullptr;
    if (plan.bound) bound = {{"value_ps", plan.bound->value.count()}, {"kind", plan.bound->kind}, {"certified", plan.bound->certified}};

    ordered_json document = {
        {"format", kPlanFormat},
        {"job", plan.job},
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
          {"latency_ps", plan.predicted.latency.count()},
          {"iteration_ps", nullptr},
          {"peak_memory_bytes", plan.predicted.peak_memory.count}}},
        {"bound", std::move(bound)},
        {"gap", or_null(gap_of(plan))},
        {"termination",
         {{"reason", to_text(plan.termination.reason)}, {"limit", plan.limit.empty() ? ordered_json(nullptr) : ordered_json(plan.limit)}}},
        {"seconds", plan.termination.seconds},
        {"evaluations", plan.termination.evaluations},
        {"stages", std::move(stages)},
        {"replicated", to_json(plan.replicated)},
        {"rewrites", ordered_json::array()}};
    if (!plan.costs) document.erase("costs");
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
