#include "tests/property/solve/plan_oracle.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <map>
#include <set>

namespace sluice::oracle {

using nlohmann::ordered_json;

Oracle::Oracle(const graph::Graph& graph, platform::Platform platform, std::int64_t k, const ordered_json& costs)
    : graph_(graph), platform_(std::move(platform)), k_(k), measured_(graph.operator_count()) {
    std::map<std::uint32_t, std::size_t> unit_of_colour;
    for (std::size_t v = 0; v < graph.operator_count(); ++v) {
        const graph::Operator& op = graph[OperatorId(v)];
        if (op.replicated) continue;
        if (op.colour && unit_of_colour.contains(*op.colour)) {
            units_[unit_of_colour[*op.colour]].push_back(v);
            continue;
        }
        if (op.colour) unit_of_colour[*op.colour] = units_.size();
        units_.push_back({v});
    }
    if (!costs.is_null()) measure(costs);
    close_units();
}

void Oracle::measure(const ordered_json& costs) {
    has_measured_ = true;
    const std::string of_class =
        !costs.contains("device_class") || costs["device_class"].is_null() ? std::string() : costs["device_class"].get<std::string>();
    for (std::size_t c = 0; c < platform_.classes.size(); ++c)
        if (platform_.classes[c].name == of_class) measured_class_ = c;
    std::vector<bool> named(graph_.operator_count());
    for (const auto& entry : costs.at("entries")) {
        if (!entry.contains("operators")) continue;
        std::vector<std::size_t> members;
        for (const auto& item : entry["operators"]) {
            const auto name = item.get<std::string>();
            std::size_t found = graph_.operator_count();
            for (std::size_t v = 0; v < graph_.operator_count(); ++v)  // no operator of the sample has another's output for a name
                if (graph_.first_output_name(OperatorId(v)) == name || graph_[OperatorId(v)].name == name) found = v;
            named.at(found) = true;
            if (!graph_[OperatorId(found)].replicated) members.push_back(found);
        }
        std::ranges::sort(members);
        Unit joined;
        for (const std::size_t v : members) {
            measured_[v] = v == members.front() ? entry["time_ps"].get<std::int64_t>() : 0;
            const auto unit = std::ranges::find_if(units_, [&](const Unit& u) { return std::ranges::contains(u, v); });
            if (unit == units_.end()) continue;  // in `joined` already
            joined.insert(joined.end(), unit->begin(), unit->end());
            units_.erase(unit);
        }
        if (!joined.empty()) units_.push_back(joined);
    }
    for (const auto& entry : costs.at("entries"))
        for (std::size_t v = 0; v < graph_.operator_count() && entry.contains("type"); ++v)
            if (!named[v] && graph_[OperatorId(v)].type == entry["type"].get<std::string>())
                measured_[v] = entry["time_ps"].get<std::int64_t>();
}

void Oracle::close_units() {
    for (bool again = true; again;) {
        again = false;
        const std::size_t n = units_.size();
        std::vector<std::vector<bool>> reaches(n, std::vector<bool>(n));
        for (std::size_t a = 0; a < n; ++a)
            for (std::size_t b = 0; b < n; ++b) reaches[a][b] = a != b && feeds({.units = {units_[a]}}, {.units = {units_[b]}});
        for (std::size_t via = 0; via < n; ++via)
            for (std::size_t a = 0; a < n; ++a)
                for (std::size_t b = 0; b < n; ++b)
                    if (reaches[a][via] && reaches[via][b]) reaches[a][b] = true;
        for (std::size_t a = 0; a < n && !again; ++a)
            for (std::size_t b = a + 1; b < n && !again; ++b) {
                if (!reaches[a][b] || !reaches[b][a]) continue;
                units_[a].insert(units_[a].end(), units_[b].begin(), units_[b].end());
                units_.erase(units_.begin() + static_cast<std::ptrdiff_t>(b));
                again = true;
            }
    }
    for (Unit& unit : units_) std::ranges::sort(unit);
    std::ranges::sort(units_);
}

std::string Oracle::cost_source() const {
    if (!has_measured_) return "given";
    double measured = 0, rest = 0;
    bool all = true;
    for (std::size_t v = 0; v < graph_.operator_count(); ++v) {
        if (graph_[OperatorId(v)].replicated) continue;
        (measured_[v] ? measured : rest) += static_cast<double>(time_on(v, measured_class_).value_or(0));
        all = all && measured_[v];
    }
    const double share = measured + rest > 0 ? measured / (measured + rest) : -1;  // the tests have no model without any time
    const int tenths = static_cast<int>(std::floor(1000 * share + 0.5));
    std::string text =
        all ? "measured"
            : std::format("measured {}.{} %, given {}.{} %", tenths / 10, tenths % 10, (1000 - tenths) / 10, (1000 - tenths) % 10);
    if (platform_.classes.size() > 1) text += std::format(" on '{}', given elsewhere", platform_.classes[measured_class_].name);
    return text;
}

bool Oracle::in(const Stage& stage, std::size_t op) const {
    return std::ranges::any_of(stage.units, [&](const Unit& unit) { return std::ranges::contains(unit, op); });
}

std::optional<std::int64_t> Oracle::time_on(std::size_t op, std::size_t device) const {
    if (has_measured_ && device == measured_class_ && measured_[op]) return measured_[op];
    const auto& given = graph_.given_costs()->classes;
    std::size_t c = 0;
    for (std::size_t i = given.size(); i-- > 0;)
        if (given[i].name == platform_.classes[device].name) c = i;
    const auto time = given[c].time[op];
    return time ? std::optional(std::int64_t{time->count()}) : std::nullopt;
}

std::int64_t Oracle::transfer(TensorId tensor) const {
    const auto over = [&](const platform::Link& link) { return time_for(graph_[tensor].bytes, link.rate)->count() + link.latency.count(); };
    if (!graph_.producer(tensor).valid()) return platform_.host_link ? over(*platform_.host_link) : 0;
    bool to_stages = false;
    for (const OperatorId reader : graph_.consumers(tensor)) to_stages = to_stages || !graph_[reader].replicated;
    std::int64_t time = to_stages ? over(platform_.stage_link) : 0;
    if (graph_[tensor].model_output && platform_.host_link) time = std::max(time, over(*platform_.host_link));
    return time;
}

Terms Oracle::terms(const Stage& stage) const {
    Terms terms;
    std::set<std::size_t> parameters;
    for (const Unit& unit : stage.units)
        for (const std::size_t op : unit) {
            terms.work += time_on(op, stage.device).value_or(0);
            for (const ParameterId p : graph_.parameters(OperatorId(op))) parameters.insert(p.index());
        }
    for (const std::size_t p : parameters) terms.parameters += graph_[ParameterId(p)].bytes.count;

    const auto position = [&](std::size_t op) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < stage.units.size(); ++i)
            if (std::ranges::contains(stage.units[i], op)) return i;
        return std::nullopt;
    };
    std::vector<std::int64_t> alive(stage.units.size(), 0);
    for (std::size_t t = 0; t < graph_.tensor_count(); ++t) {
        const TensorId tensor(t);
        const OperatorId maker = graph_.producer(tensor);
        const std::int64_t bytes = graph_[tensor].bytes.count;
        if (maker.valid() && graph_[maker].replicated) continue;
        bool read_here = false, read_elsewhere = graph_[tensor].model_output && platform_.host_link;
        std::size_t last = 0;
        for (const OperatorId reader : graph_.consumers(tensor)) {
            if (graph_[reader].replicated) continue;
            const auto at = position(reader.index());
            read_here = read_here || at;
            read_elsewhere = read_elsewhere || !at;
            last = std::max(last, at.value_or(0));
        }
        const auto made = maker.valid() ? position(maker.index()) : std::nullopt;
        if (made) {
            if (read_elsewhere) terms.out += transfer(tensor);
            last = read_elsewhere ? stage.units.size() - 1 : std::max(last, *made);
            for (std::size_t i = *made; i <= last; ++i) alive[i] += bytes;
        } else if (read_here) {
            terms.in += transfer(tensor);
            for (std::int64_t& sum : alive) sum += bytes;
        }
    }
    terms.peak = std::ranges::max(alive);
    const platform::DeviceClass& device = platform_.classes[stage.device];
    if (device.overflow == platform::Overflow::spill && terms.parameters > device.fast_memory.count)
        terms.spill =
            time_for(Bytes{terms.parameters - device.fast_memory.count}, device.spill_rate.value_or(platform_.stage_link.rate))->count();
    return terms;
}

std::int64_t Oracle::time(const Terms& t) const {
    return platform_.model == platform::StageModel::serial ? t.work + t.in + t.out + t.spill : std::max({t.work + t.spill, t.in, t.out});
}

bool Oracle::feeds(const Stage& from, const Stage& to) const {
    for (const Unit& unit : from.units)
        for (const std::size_t op : unit)
            for (const OperatorId next : graph_.successors(OperatorId(op)))
                if (in(to, next.index())) return true;
    return false;
}

std::int64_t Oracle::devices_of(std::size_t device) const {
    const std::int64_t count = platform_.classes[device].count;
    return device == 0 ? std::max(count, k_ - platform::device_count(platform_) + count) : count;
}

bool Oracle::legal(const std::vector<Stage>& stages) const {
    std::size_t placed = 0;
    std::int64_t devices = 0;
    for (const Unit& unit : units_)
        if (std::ranges::count_if(stages, [&](const Stage& stage) { return std::ranges::contains(stage.units, unit); }) != 1) return false;
    for (std::size_t s = 0; s < stages.size(); ++s) {
        const Stage& stage = stages[s];
        if (stage.units.empty() || stage.replicas < 1) return false;
        placed += stage.units.size();
        devices += stage.replicas;
        for (std::size_t i = 0; i < stage.units.size(); ++i)
            for (const std::size_t op : stage.units[i]) {
                if (!time_on(op, stage.device)) return false;
                for (std::size_t j = 0; j < i; ++j)
                    for (const OperatorId next : graph_.successors(OperatorId(op)))
                        if (std::ranges::contains(stage.units[j], next.index())) return false;
            }
        for (std::size_t earlier = 0; earlier < s; ++earlier)
            if (feeds(stage, stages[earlier])) return false;
        const platform::DeviceClass& device = platform_.classes[stage.device];
        const Terms t = terms(stage);
        if (device.overflow == platform::Overflow::hard && t.parameters + t.peak > device.fast_memory.count) return false;
    }
    for (std::size_t c = 0; c < platform_.classes.size(); ++c) {
        std::int64_t used = 0;
        for (const Stage& stage : stages)
            if (stage.device == c) used += stage.replicas;
        if (used > devices_of(c)) return false;
    }
    return placed == units_.size() && devices <= k_;
}

std::int64_t Oracle::bottleneck(const std::vector<Stage>& stages) const {
    std::int64_t worst = 0;
    for (const Stage& stage : stages) worst = std::max(worst, (time(terms(stage)) + stage.replicas - 1) / stage.replicas);
    return worst;
}

std::int64_t Oracle::latency(const std::vector<Stage>& stages) const {
    std::vector<std::int64_t> end(stages.size(), 0);
    for (std::size_t s = 0; s < stages.size(); ++s) {
        std::int64_t start = 0;
        for (std::size_t before = 0; before < s; ++before)
            if (feeds(stages[before], stages[s])) start = std::max(start, end[before]);
        end[s] = start + time(terms(stages[s]));
    }
    return stages.empty() ? 0 : std::ranges::max(end);
}

std::int64_t Oracle::optimum() const {
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    std::vector<Stage> blocks;
    // A legal plan's blocks, sorted topologically, are legal in that order; a cycle has no order.
    const auto sorted = [&](std::vector<Stage> rest) {
        std::vector<Stage> order;
        while (!rest.empty()) {
            const auto first = std::ranges::find_if(rest, [&](const Stage& stage) {
                return std::ranges::none_of(rest, [&](const Stage& other) { return other.units != stage.units && feeds(other, stage); });
            });
            if (first == rest.end()) return std::vector<Stage>{};
            order.push_back(*first);
            rest.erase(first);
        }
        return order;
    };
    const auto place = [&](auto&& self, std::size_t unit) -> void {
        if (unit == units_.size()) {
            std::size_t choices = 1;
            for (std::size_t s = 0; s < blocks.size(); ++s) choices *= platform_.classes.size();
            for (std::size_t choice = 0; choice < choices; ++choice) {
                std::size_t rest = choice;
                for (Stage& stage : blocks) {
                    stage.device = rest % platform_.classes.size();
                    rest /= platform_.classes.size();
                }
                if (const auto order = sorted(blocks); legal(order)) best = std::min(best, bottleneck(order));
            }
            return;
        }
        for (std::size_t s = 0; s < blocks.size(); ++s) {
            blocks[s].units.push_back(units_[unit]);
            self(self, unit + 1);
            blocks[s].units.pop_back();
        }
        if (std::cmp_less(blocks.size(), k_)) {
            blocks.push_back({.units = {units_[unit]}});
            self(self, unit + 1);
            blocks.pop_back();
        }
    };
    place(place, 0);
    return best;
}

void Oracle::fill(ordered_json& document, const std::vector<Stage>& stages) const {
    ordered_json list = ordered_json::array();
    std::int64_t peak = 0;
    for (const Stage& stage : stages) {
        const Terms t = terms(stage);
        peak = std::max(peak, t.parameters + t.peak);
        ordered_json operators = ordered_json::array();
        for (const Unit& unit : stage.units)
            for (const std::size_t op : unit)
                operators.push_back(ordered_json::array({op, std::string(graph_.first_output_name(OperatorId(op)))}));
        list.push_back({{"device_class", platform_.classes[stage.device].name},
                        {"replicas", stage.replicas},
                        {"predicted",
                         {{"work_ps", t.work},
                          {"in_ps", t.in},
                          {"out_ps", t.out},
                          {"spill_ps", t.spill},
                          {"parameter_bytes", t.parameters},
                          {"peak_bytes", t.peak}}},
                        {"operators", operators}});
    }
    document["stages"] = list;
    auto& predicted = document["predicted"];
    const std::int64_t worst = bottleneck(stages);
    predicted["bottleneck_ps"] = worst;
    predicted["throughput_per_s"] = 1e12 / static_cast<double>(worst);
    predicted["latency_ps"] = latency(stages);
    predicted["peak_memory_bytes"] = peak;
    if (!document["bound"].is_null()) document["gap"] = 1.0 - document["bound"]["value_ps"].get<double>() / static_cast<double>(worst);
}

bool Oracle::is_true(const ordered_json& d) const {
    std::vector<Stage> stages;
    for (const auto& item : d.at("stages")) {
        Stage stage;
        stage.replicas = item.at("replicas").get<std::int64_t>();
        const auto device = std::ranges::find(platform_.classes, item.at("device_class").get<std::string>(), &platform::DeviceClass::name);
        if (device == platform_.classes.end()) return false;
        stage.device = static_cast<std::size_t>(device - platform_.classes.begin());
        for (std::size_t i = 0; i < item.at("operators").size();) {
            const auto op = item["operators"][i][0].get<std::size_t>();
            const auto unit = std::ranges::find_if(units_, [&](const Unit& u) { return u.front() == op; });
            if (unit == units_.end()) return false;
            for (const std::size_t member : *unit) {
                if (i >= item["operators"].size()) return false;
                const auto& entry = item["operators"][i++];
                if (entry[0].get<std::size_t>() != member || entry[1] != graph_.first_output_name(OperatorId(member))) return false;
            }
            stage.units.push_back(*unit);
        }
        stages.push_back(std::move(stage));
    }
    if (!legal(stages)) return false;

    std::set<std::size_t> replicated;
    for (const auto& entry : d.at("replicated")) {
        const auto op = entry[0].get<std::size_t>();
        if (op >= graph_.operator_count() || !graph_[OperatorId(op)].replicated || !replicated.insert(op).second ||
            entry[1] != graph_.first_output_name(OperatorId(op)))
            return false;
    }
    if (std::cmp_not_equal(replicated.size(), std::ranges::count_if(graph_.operators(), &graph::Operator::replicated))) return false;

    // Every number again, from nothing but the stages: whatever differs is a lie.
    ordered_json truth = d;
    fill(truth, stages);
    for (std::size_t s = 0; s < stages.size(); ++s)
        if (truth["stages"][s]["predicted"] != d["stages"][s]["predicted"]) return false;
    for (const char* key : {"bottleneck_ps", "latency_ps", "peak_memory_bytes"})
        if (truth["predicted"][key] != d["predicted"][key]) return false;
    const auto near = [](double a, double b, double scale) { return std::abs(a - b) <= 1e-9 * scale; };
    const auto throughput = truth["predicted"]["throughput_per_s"].get<double>();
    if (!near(d["predicted"]["throughput_per_s"].get<double>(), throughput, throughput)) return false;
    if (d["bound"].is_null()) return d["gap"].is_null();
    const auto bound = d["bound"]["value_ps"].get<std::int64_t>();
    return bound >= 0 && bound <= d["predicted"]["bottleneck_ps"].get<std::int64_t>() &&
           near(d["gap"].get<double>(), truth["gap"].get<double>(), 1) && d["format"] == "sluice.plan/1" && d["job"] == "inference" &&
           d["cost_source"] == cost_source() && d["predicted"]["iteration_ps"].is_null() && d["rewrites"].empty() &&
           d["model"]["fingerprint"] == graph_.fingerprint() && d["k"].get<std::int64_t>() == k_;
}

}  // namespace sluice::oracle
