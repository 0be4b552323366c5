#include "sluice/report/model_text.hpp"

#include <algorithm>
#include <array>
#include <format>
#include <nlohmann/json.hpp>
#include <numeric>

#include "sluice/report/plan_text.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::report {

namespace {

constexpr std::size_t kModelLabelWidth = 44;

/// The `count` ids of largest key, largest first; those of key 0 left out.
template <typename Id, typename Key>
std::vector<Id> largest(std::size_t size, std::size_t count, Key key) {
    std::vector<std::size_t> order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, size));
    std::ranges::partial_sort(order, end, [&](std::size_t a, std::size_t b) { return std::pair(key(b), a) < std::pair(key(a), b); });
    std::vector<Id> ids;
    for (auto it = order.begin(); it != end && key(*it) > 0; ++it) ids.emplace_back(*it);
    return ids;
}

double total_time(const ModelView& view) {
    double total = 0;
    for (const auto& time : view.times->time) total += time ? static_cast<double>(time->count()) : 0;
    return total;
}

bool has_flops(const ModelView& view) { return view.summary.flops > 0; }

std::string shape_text(const graph::Tensor& tensor) {
    if (!tensor.shape_known) return "?";
    std::string text = std::string(to_text(tensor.type)) + " ";
    if (tensor.shape.empty()) return text + "scalar";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) text += std::format("{}{}", i == 0 ? "" : "x", tensor.shape[i]);
    return text;
}

std::array<double, graph::kOperatorClasses> time_per_class(const ModelView& view) {
    std::array<double, graph::kOperatorClasses> sums{};
    for (std::size_t i = 0; i < view.graph->operator_count(); ++i)
        if (view.times->time[i])
            sums[static_cast<std::size_t>(view.graph->operators()[i].features.operator_class)] +=
                static_cast<double>(view.times->time[i]->count());
    return sums;
}

Duration picoseconds(double count) { return Duration{static_cast<std::int64_t>(count)}; }

Table class_table(const ModelView& view) {
    Table table{{{"class", Align::left}, {"operators"}, {"FLOPs"}, {"of FLOPs"}, {"time"}, {"of time"}, {"", Align::left}}, {}};
    const auto& summary = view.summary;
    const auto times = view.times ? time_per_class(view) : std::array<double, graph::kOperatorClasses>{};
    const double all = view.times ? std::max(total_time(view), 1.0) : 1;
    for (std::size_t c = 0; c < graph::kOperatorClasses; ++c) {
        if (summary.per_class[c] == 0) continue;
        const double share = has_flops(view) ? summary.flops_per_class[c] / summary.flops : 0;
        const double shown = view.times ? times[c] / all : share;
        table.rows.push_back({std::string(to_text(static_cast<graph::OperatorClass>(c))), grouped(summary.per_class[c]),
                              has_flops(view) ? count_to_text(summary.flops_per_class[c]) : "", has_flops(view) ? percent(share) : "",
                              view.times ? to_text(picoseconds(times[c])) : "", view.times ? percent(times[c] / all) : "",
                              bar(shown, kBarWidth)});
    }
    return table;
}

Table operator_table(const ModelView& view) {
    Table table{{{"operator", Align::left, kModelLabelWidth},
                 {"type", Align::left, 24},
                 {"class", Align::left},
                 {"FLOPs"},
                 {"parameters"},
                 {"time"},
                 {"share"}},
                {}};
    const graph::Graph& graph = *view.graph;
    for (OperatorId id : heaviest_operators(view)) {
        const graph::Operator& op = graph[id];
        Bytes parameters;
        for (ParameterId parameter : graph.parameters(id)) parameters += graph[parameter].bytes;
        std::string share;
        if (view.times)
            share = percent(static_cast<double>(view.times->time[id.index()]->count()) / std::max(total_time(view), 1.0));
        else if (has_flops(view))
            share = percent(op.features.flops / view.summary.flops);
        table.rows.push_back({printable(graph.label(id)), printable(op.type), std::string(to_text(op.features.operator_class)),
                              has_flops(view) ? count_to_text(op.features.flops) : "", parameters.count > 0 ? to_text(parameters) : "",
                              view.times ? to_text(*view.times->time[id.index()]) : "", share});
    }
    return table;
}

Table tensor_table(const ModelView& view) {
    Table table{{{"tensor", Align::left, kModelLabelWidth}, {"shape", Align::left, 28}, {"bytes"}, {"readers"}}, {}};
    for (TensorId id : heaviest_tensors(view)) {
        const graph::Tensor& tensor = (*view.graph)[id];
        table.rows.push_back(
            {printable(tensor.name), shape_text(tensor), to_text(tensor.bytes), grouped(view.graph->consumers(id).size())});
    }
    return table;
}

std::string section(std::string_view title, const Table& table) {
    return table.rows.empty() ? std::string() : std::format("\n{}\n", title) + table_text(table, 2);
}

std::string use_text(const ChipsView::Use& use, std::size_t chips) {
    std::string text = std::format("{} of {}, worth {:.1f} by work", use.usable.chips, chips, use.usable.worth);
    if (const auto& blocking = use.usable.blocking)
        text += std::format(": '{}' is read by {}, all on its chip or the next one", printable(use.tensor),
                            counted(blocking->readers, "operator"));
    return text;
}

/// What could be done about it.
std::string ways_text(const mcm::BlockingTensor& blocking) {
    return std::format("relayed {} a chip, recomputed {}, cloned from the inputs on {}{}; then {}", to_text(blocking.relay),
                       to_text(blocking.recompute), to_text(blocking.clone),
                       blocking.clone_parameters > Bytes{} ? " with " + to_text(blocking.clone_parameters) + " of parameters" : "",
                       counted(blocking.usable_without, "chip"));
}

void add_chips(const ChipsView& view, std::vector<std::pair<std::string, std::string>>& facts) {
    facts.emplace_back("usable chips", use_text(view.before, view.chips));
    if (view.clones > 0)
        facts.emplace_back(
            "with clones",
            std::format("{}; {}, {} of the work", use_text(view.after, view.chips), counted(view.clones, "clone"),
                        percent(static_cast<double>(view.clone_work.count()) / std::max(1.0, static_cast<double>(view.work.count())))));
    const ChipsView::Use& left = view.clones > 0 ? view.after : view.before;
    if (left.usable.blocking) facts.emplace_back("to free it", ways_text(*left.usable.blocking));
}

nlohmann::ordered_json use_json(const ChipsView::Use& use) {
    nlohmann::ordered_json out{{"usable", use.usable.chips}, {"span", use.usable.span}, {"worth", use.usable.worth}, {"blocking", nullptr}};
    if (const auto& blocking = use.usable.blocking)
        out["blocking"] = {{"tensor", use.tensor},
                           {"readers", blocking->readers},
                           {"between_ps", blocking->between.count()},
                           {"usable_without", blocking->usable_without},
                           {"relay_ps", blocking->relay.count()},
                           {"recompute_ps", blocking->recompute.count()},
                           {"clone_ps", blocking->clone.count()},
                           {"clone_parameter_bytes", blocking->clone_parameters.count}};
    return out;
}

}  // namespace

std::vector<OperatorId> heaviest_operators(const ModelView& view) {
    const auto operators = view.graph->operators();
    return largest<OperatorId>(operators.size(), view.heaviest, [&](std::size_t i) -> double {
        if (view.times) return view.times->time[i] ? static_cast<double>(view.times->time[i]->count()) : 0;
        return has_flops(view) ? operators[i].features.flops : static_cast<double>(operators[i].features.written.count);
    });
}

std::vector<TensorId> heaviest_tensors(const ModelView& view) {
    const auto tensors = view.graph->tensors();
    return largest<TensorId>(tensors.size(), view.heaviest, [&](std::size_t i) { return tensors[i].bytes.count; });
}

std::string model_text(const ModelView& view) {
    const graph::Summary& s = view.summary;
    std::vector<std::pair<std::string, std::string>> facts{
        {"format", view.format},
        {"operators", s.replicated > 0
                          ? std::format("{}, and {} free ones copied to every stage", grouped(s.operators), grouped(s.replicated))
                          : grouped(s.operators)},
        {"edges", grouped(s.edges)},
        {"inputs", grouped(s.inputs)},
        {"outputs", grouped(s.outputs)},
        {"work", has_flops(view) ? count_to_text(s.flops) + "FLOP" : ""},
        {"time",
         view.times ? std::format("{} on one device of {}", to_text(picoseconds(total_time(view))), printable(view.times->platform)) : ""},
        {"parameters", std::format("{} in {}", to_text(s.parameters), counted(view.graph->parameter_count(), "tensor"))},
        {"activations", std::format("{} in {}", to_text(s.activations), counted(view.graph->tensor_count(), "tensor"))},
        {"longest path", counted(s.longest_path, "operator")},
        {"widest level", counted(s.widest_level, "operator")}};
    if (view.chips) add_chips(*view.chips, facts);
    if (s.unshaped > 0) facts.emplace_back("shapes", std::format("{} unknown", counted(s.unshaped, "tensor")));
    if (s.assumed > 0) facts.emplace_back("shapes", std::format("{} of assumed size", counted(s.assumed, "tensor")));
    for (const auto& [name, value] : view.facts) facts.emplace_back(name, printable(value));
    for (const std::string& assumption : view.graph->assumptions()) facts.emplace_back("assumed", printable(assumption));
    return std::format("{}\n\n", printable(view.graph->name())) + facts_text(facts) + section("operators by class", class_table(view)) +
           section(view.times        ? "heaviest operators by time"
                   : has_flops(view) ? "heaviest operators by work"
                                     : "heaviest operators by bytes written",
                   operator_table(view)) +
           section("largest tensors", tensor_table(view));
}

nlohmann::ordered_json model_json(const ModelView& view) {
    using nlohmann::ordered_json;
    const graph::Graph& graph = *view.graph;
    const graph::Summary& s = view.summary;
    ordered_json out{{"model", graph.name()},
                     {"format", view.format},
                     {"fingerprint", graph.fingerprint()},
                     {"operators", s.operators},
                     {"replicated", s.replicated},
                     {"edges", s.edges},
                     {"inputs", s.inputs},
                     {"outputs", s.outputs},
                     {"sources", s.sources},
                     {"sinks", s.sinks},
                     {"stray_sinks", s.stray_sinks},
                     {"flops", s.flops},
                     {"parameters", graph.parameter_count()},
                     {"parameter_bytes", s.parameters.count},
                     {"tensors", graph.tensor_count()},
                     {"activation_bytes", s.activations.count},
                     {"longest_path", s.longest_path},
                     {"widest_level", s.widest_level},
                     {"tensors_unshaped", s.unshaped},
                     {"tensors_assumed", s.assumed}};
    const auto times = view.times ? time_per_class(view) : std::array<double, graph::kOperatorClasses>{};
    out["classes"] = ordered_json::array();
    for (std::size_t c = 0; c < graph::kOperatorClasses; ++c) {
        if (s.per_class[c] == 0) continue;
        ordered_json entry{
            {"class", to_text(static_cast<graph::OperatorClass>(c))}, {"operators", s.per_class[c]}, {"flops", s.flops_per_class[c]}};
        if (view.times) entry["time_ps"] = picoseconds(times[c]).count();
        out["classes"].push_back(std::move(entry));
    }
    out["heaviest_operators"] = ordered_json::array();
    for (OperatorId id : heaviest_operators(view)) {
        ordered_json entry{
            {"index", id.index()}, {"label", graph.label(id)}, {"type", graph[id].type}, {"flops", graph[id].features.flops}};
        if (view.times) entry["time_ps"] = view.times->time[id.index()]->count();
        out["heaviest_operators"].push_back(std::move(entry));
    }
    out["heaviest_tensors"] = ordered_json::array();
    for (TensorId id : heaviest_tensors(view))
        out["heaviest_tensors"].push_back(
            {{"name", graph[id].name}, {"bytes", graph[id].bytes.count}, {"readers", graph.consumers(id).size()}});
    if (view.chips)
        out["chips"] = {{"count", view.chips->chips},
                        {"before", use_json(view.chips->before)},
                        {"after", use_json(view.chips->after)},
                        {"clones", view.chips->clones},
                        {"clone_work_ps", view.chips->clone_work.count()}};
    out["import"] = ordered_json::object();
    for (const auto& [name, value] : view.facts) out["import"][name] = value;
    out["assumptions"] = graph.assumptions();
    out["warnings"] = view.warnings;
    return out;
}

}  // namespace sluice::report
