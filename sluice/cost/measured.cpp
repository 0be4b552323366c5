#include "sluice/cost/measured.hpp"

#include <algorithm>
#include <format>
#include <nlohmann/json.hpp>
#include <span>
#include <unordered_set>

#include "sluice/graph/json_fields.hpp"
#include "sluice/graph/rewrite.hpp"

namespace sluice::cost {

namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMostSamples = std::int64_t{1} << 24;  // of a mini-batch

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    const std::string_view near = nearest_match(word, candidates);
    return near.empty() ? std::string() : std::format("did you mean '{}'?", near);
}

MeasuredPasses read_passes(const json::Node& node, graph::Fields& entry) {
    graph::Fields fields(node, {"samples", "forward_ps", "input_gradient_ps", "weight_gradient_ps"});
    const auto gradient = [&](std::string_view key) -> std::optional<Duration> {
        if (node.find(key) == nullptr) return std::nullopt;
        return fields.required(key, &json::Node::as_duration);
    };
    MeasuredPasses passes;
    passes.samples = fields.required("samples", &json::Node::as_count);
    passes.forward = fields.required("forward_ps", &json::Node::as_duration);
    passes.input_gradient = gradient("input_gradient_ps");
    passes.weight_gradient = gradient("weight_gradient_ps");
    if (fields.good() && (passes.samples < 1 || passes.samples > kMostSamples))
        fields.refuse(
            input_error(std::format("'samples' is {}: 1 to {} are possible", passes.samples, kMostSamples)).at(fields.where("samples")));
    if (!fields.good()) entry.refuse(std::move(fields.fault().error()));
    return passes;
}

MeasuredEntry read_entry(const json::Node& node, graph::Fields& file) {
    graph::Fields fields(node, {"operators", "type", "time_ps", "spread", "passes"});
    MeasuredEntry entry;
    for (const json::Node& name : fields.items("operators")) {
        auto text = name.as_string();
        if (!text)
            fields.refuse(std::move(text.error()));
        else if (text->empty())
            fields.refuse(input_error("an operator's name is empty").at(name.where()).fix("name it by its first output"));
        else
            entry.operators.push_back(std::move(*text));
    }
    entry.type = fields.optional<std::string>("type", &json::Node::as_string, {});
    entry.time = fields.required("time_ps", &json::Node::as_duration);
    entry.spread = fields.optional("spread", &json::Node::as_number, 0.0);
    for (const json::Node& item : fields.items("passes")) {
        entry.passes.push_back(read_passes(item, fields));
        const std::size_t last = entry.passes.size() - 1;
        if (fields.good() && last > 0 && entry.passes[last].samples <= entry.passes[last - 1].samples)
            fields.refuse(input_error(std::format("passes over {} samples come after those over {}", entry.passes[last].samples,
                                                  entry.passes[last - 1].samples))
                              .at(item.where())
                              .fix("in ascending order, each number of samples once"));
    }
    if (fields.good() && ((node.find("operators") && node.find("type")) || entry.operators.empty() == entry.type.empty()))
        fields.refuse(input_error("an entry needs either 'operators' (names) or 'type'").at(node.where()));
    if (fields.good() && entry.spread < 0)
        fields.refuse(input_error(std::format("'spread' is {}, below zero", entry.spread)).at(fields.where("spread")));
    if (!fields.good()) file.refuse(std::move(fields.fault().error()));
    return entry;
}

}  // namespace

ordered_json to_json(const MeasuredCosts& costs) {
    const auto or_null = [](const std::string& text) { return text.empty() ? ordered_json(nullptr) : ordered_json(text); };
    ordered_json machine = ordered_json::object(), entries = ordered_json::array();
    for (const auto& [name, value] : costs.machine) machine[name] = value;
    for (const MeasuredEntry& entry : costs.entries) {
        ordered_json& out = entries.emplace_back(ordered_json::object());
        if (entry.type.empty())
            out["operators"] = entry.operators;
        else
            out["type"] = entry.type;
        out["time_ps"] = entry.time.count();
        if (entry.spread != 0) out["spread"] = entry.spread;
        for (const MeasuredPasses& passes : entry.passes) {
            ordered_json& item = out["passes"].emplace_back(ordered_json::object());
            item["samples"] = passes.samples;
            item["forward_ps"] = passes.forward.count();
            if (passes.input_gradient) item["input_gradient_ps"] = passes.input_gradient->count();
            if (passes.weight_gradient) item["weight_gradient_ps"] = passes.weight_gradient->count();
        }
    }
    return {{"format", kCostsFormat},
            {"model", or_null(costs.model)},
            {"device_class", or_null(costs.device_class)},
            {"machine", std::move(machine)},
            {"entries", std::move(entries)}};
}

std::string to_json_text(const MeasuredCosts& costs) { return json::to_file_text(to_json(costs)); }

Result<MeasuredCosts> read_costs(const json::Node& document) {
    if (auto tagged = document.expect_format(kCostsFormat); !tagged) return fail(std::move(tagged.error()));
    graph::Fields fields(document, {"format", "model", "device_class", "machine", "entries"});
    MeasuredCosts costs;
    costs.model = fields.nullable("model", &json::Node::as_string).value_or("");
    costs.device_class = fields.nullable("device_class", &json::Node::as_string).value_or("");
    if (const json::Object* machine = fields.optional<const json::Object*>("machine", &json::Node::as_object, nullptr))
        for (const auto& [name, value] : *machine) {
            auto text = value.as_string();
            if (!text) return fail(std::move(text.error()));
            costs.machine.emplace_back(name, std::move(*text));
        }
    const json::Array* entries = fields.required("entries", &json::Node::as_array);
    std::unordered_map<std::string, std::size_t> named;  // operator or type -> line; a type has a leading blank, so that both may be "Conv"
    for (std::size_t e = 0; fields.good() && e < entries->size(); ++e) {
        const json::Node& node = (*entries)[e];
        costs.entries.push_back(read_entry(node, fields));
        const MeasuredEntry& entry = costs.entries.back();
        const auto once = [&](std::string_view what, const std::string& name, const std::string& key) {
            const auto [first, fresh] = named.try_emplace(key, node.where().line);
            if (!fresh)
                fields.refuse(input_error(std::format("{} '{}' is there twice", what, name))
                                  .at(node.where())
                                  .note(std::format("first in line {}", first->second)));
        };
        for (const std::string& name : entry.operators) once("operator", name, name);
        if (!entry.type.empty()) once("type", entry.type, " " + entry.type);
    }
    if (!fields.good()) return fields.fault();
    return costs;
}

Result<MeasuredCosts> read_costs_file(const std::filesystem::path& path) {
    auto document = json::parse_file(path);
    if (!document) return fail(std::move(document.error()));
    return read_costs(*document);
}

OperatorNames::OperatorNames(const graph::Graph& graph) : graph_(&graph) {
    for (std::size_t o = 0; o < graph.operator_count(); ++o) {
        const OperatorId id(o);
        if (const std::string_view output = graph.first_output_name(id); !output.empty()) by_output_.emplace(output, id);
        if (graph[id].name.empty()) continue;
        by_name_.try_emplace(graph[id].name, id);
        ++uses_[graph[id].name];
    }
}

std::string_view OperatorNames::name_of(OperatorId id) const {
    const std::string& name = (*graph_)[id].name;
    const auto uses = uses_.find(name);
    const auto output = by_output_.find(name);
    const bool own = uses != uses_.end() && uses->second == 1 && (output == by_output_.end() || output->second == id);
    return own ? std::string_view(name) : graph_->first_output_name(id);
}

OperatorId OperatorNames::lookup(std::string_view name) const {
    if (const auto found = by_output_.find(name); found != by_output_.end()) return found->second;
    const auto found = by_name_.find(name);
    return found != by_name_.end() && uses_.find(name)->second == 1 ? found->second : OperatorId{};
}

Result<OperatorId> OperatorNames::find(std::string_view name) const {
    if (const OperatorId found = lookup(name); found.valid()) return found;
    const auto uses = uses_.find(name);
    if (uses == uses_.end()) {
        std::vector<std::string_view> names;
        for (std::size_t o = 0; o < graph_->operator_count(); ++o) {
            names.push_back(name_of(OperatorId(o)));
            if (const auto output = graph_->first_output_name(OperatorId(o)); output != names.back()) names.push_back(output);
        }
        return fail(input_error(std::format("'{}' has no operator '{}'", graph_->name(), name)).fix(did_you_mean(name, names)));
    }
    constexpr std::size_t kShown = 4;
    std::string outputs;
    std::size_t shown = 0;
    for (std::size_t o = 0; o < graph_->operator_count() && shown < kShown; ++o)
        if ((*graph_)[OperatorId(o)].name == name)
            outputs += std::format("{}'{}'", shown++ == 0 ? "" : ", ", graph_->first_output_name(OperatorId(o)));
    return fail(input_error(std::format("{} operators of '{}' are called '{}'", uses->second, graph_->name(), name))
                    .note(std::format("their first outputs: {}{}", outputs, uses->second > shown ? ", ..." : ""))
                    .fix("name each by its first output"));
}

namespace {

class Application {
public:
    Application(const graph::Graph& graph, const MeasuredCosts& costs) : graph_(graph), costs_(costs), entry_of_(graph.operator_count()) {
        applied_.time.resize(graph.operator_count());
        applied_.entry.resize(graph.operator_count(), nullptr);
        applied_.costs = {costs.model, costs.device_class, costs.machine, {}};
    }

    Result<AppliedCosts> run() && {
        if (!costs_.model.empty() && costs_.model != graph_.model_fingerprint())
            return fail(input_error(std::format("the costs are of another model: fingerprint {}, '{}' has {}", costs_.model, graph_.name(),
                                                graph_.model_fingerprint()))
                            .fix("profile this model, with the same --dim and --assume-size; or remove 'model' from the file if its names "
                                 "fit all the same"));
        const OperatorNames names(graph_);
        for (const MeasuredEntry& entry : costs_.entries)
            if (entry.type.empty())
                if (auto added = add_named(entry, names); !added) return fail(std::move(added.error()));
        add_made();
        for (const MeasuredEntry& entry : costs_.entries)
            if (!entry.type.empty()) add_type(entry);
        for (const MeasuredEntry& entry : costs_.entries)
            if (used_.contains(&entry)) applied_.costs.entries.push_back(entry);
        if (applied_.costs.entries.empty())
            return fail(input_error(std::format("the costs say nothing about '{}': none of their {} entries concerns it", graph_.name(),
                                                costs_.entries.size())));
        warn_of_types();
        if (free_ > 0)
            applied_.warnings.push_back(std::format("{} of the costs are for operators that every stage makes again for free: not counted",
                                                    free_ == 1 ? "1 entry" : std::format("{} entries", free_)));
        return std::move(applied_);
    }

private:
    Result<void> add_named(const MeasuredEntry& entry, const OperatorNames& names) {
        std::vector<OperatorId> placed;
        for (const std::string& name : entry.operators) {
            const auto id = names.find(name);
            if (!id) return fail(Diagnostic(id.error()).note("in the costs"));
            if (const MeasuredEntry* other = std::exchange(entry_of_[id->index()], &entry))
                return fail(input_error(std::format("the costs name operator '{}' twice", graph_.label(*id)))
                                .note(std::format("{} and {}", to_text(other->time), to_text(entry.time))));
            if (!graph_[*id].replicated) placed.push_back(*id);
        }
        used_.insert(&entry);
        std::ranges::sort(placed);
        for (OperatorId id : placed) applied_.time[id.index()] = Duration{0};
        if (!placed.empty()) {
            applied_.time[placed.front().index()] = entry.time;
            applied_.entry[placed.front().index()] = &entry;
        } else if (entry.time > Duration{0}) {
            ++free_;
        }
        if (placed.size() > 1) applied_.groups.push_back(std::move(placed));
        return {};
    }

    /// What rewrites made: a copy takes what the operator takes that it is a copy of (of one kernel with others, the whole kernel), a relay
    /// nothing.
    void add_made() {
        const graph::Derivation* derivation = graph_.derivation();
        if (!derivation) return;
        std::vector<const MeasuredEntry*> entry_of_model(graph_.operator_count(), nullptr);
        for (std::size_t o = 0; o < graph_.operator_count(); ++o)
            if (!derivation->made[o]) entry_of_model[derivation->origin[o].index()] = entry_of_[o];
        for (std::size_t o = 0; o < graph_.operator_count(); ++o) {
            if (!derivation->made[o]) continue;
            if (!derivation->origin[o].valid()) {
                applied_.time[o] = Duration{0};
            } else if (const MeasuredEntry* entry = entry_of_model[derivation->origin[o].index()]) {
                entry_of_[o] = applied_.entry[o] = entry;
                applied_.time[o] = entry->time;
            }
        }
    }

    void add_type(const MeasuredEntry& entry) {
        bool present = false;
        for (std::size_t o = 0; o < graph_.operator_count(); ++o) {
            const graph::Operator& op = graph_[OperatorId(o)];
            if (op.type != entry.type) continue;
            present = true;
            if (op.replicated || entry_of_[o] || applied_.time[o]) continue;
            applied_.time[o] = entry.time;
            applied_.entry[o] = &entry;
            used_.insert(&entry);
        }
        if (!present) absent_.push_back(entry.type);
    }

    void warn_of_types() {
        if (absent_.empty()) return;
        std::vector<std::string_view> types;
        for (const graph::Operator& op : graph_.operators()) types.push_back(op.type);
        std::ranges::sort(types);
        types.erase(std::ranges::unique(types).begin(), types.end());
        constexpr std::size_t kShown = 4;
        std::string text;
        for (std::size_t t = 0; t < std::min(absent_.size(), kShown); ++t) {
            const std::string_view near = nearest_match(absent_[t], types);
            text += std::format("{}'{}'{}", t == 0 ? "" : ", ", absent_[t], near.empty() ? "" : std::format(" (did you mean '{}'?)", near));
        }
        applied_.warnings.push_back(std::format("{} of the costs {} not in this model: {}{}",
                                                absent_.size() == 1 ? "1 type" : std::format("{} types", absent_.size()),
                                                absent_.size() == 1 ? "is" : "are", text, absent_.size() > kShown ? ", ..." : ""));
    }

    const graph::Graph& graph_;
    const MeasuredCosts& costs_;
    AppliedCosts applied_;
    std::vector<const MeasuredEntry*> entry_of_;  // per operator: the entry that names it
    std::unordered_set<const MeasuredEntry*> used_;
    std::vector<std::string> absent_;  // types
    std::size_t free_ = 0;
};

}  // namespace

Result<AppliedCosts> apply(const graph::Graph& graph, const MeasuredCosts& costs) { return Application(graph, costs).run(); }

}  // namespace sluice::cost
