// GraphBuilder: checks, sorts, renumbers and freezes.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <format>
#include <functional>
#include <queue>
#include <unordered_set>

#include "sluice/graph/fingerprint.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::graph {

namespace {

template <typename Id>
std::vector<Id> distinct(std::span<const Id> ids) {
    std::vector<Id> kept;
    kept.reserve(ids.size());
    if (ids.size() <= 16) {
        for (Id id : ids)
            if (std::ranges::find(kept, id) == kept.end()) kept.push_back(id);
        return kept;
    }
    std::unordered_set<Id> seen;
    for (Id id : ids)
        if (seen.insert(id).second) kept.push_back(id);
    return kept;
}

std::string label_of(const Operator& op, std::size_t index) {
    if (!op.name.empty()) return std::format("'{}'", op.name);
    return op.type.empty() ? std::format("operator #{}", index) : std::format("{} operator #{}", op.type, index);
}

/// Names the nameless ("t17"), so that every tensor can be pointed at; fails when two have one name.
template <typename Item>
Result<void> settle_names(std::vector<Item>& items, std::string_view what, char prefix) {
    std::unordered_set<std::string_view> names;
    names.reserve(items.size());
    for (const Item& item : items)
        if (!item.name.empty() && !names.insert(item.name).second)
            return fail(input_error(std::format("two {}s are named '{}'", what, item.name)).fix("give each its own name"));
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!items[i].name.empty()) continue;
        std::string name = std::format("{}{}", prefix, i);
        while (names.contains(name)) name += '_';
        items[i].name = std::move(name);  // a view of it enters `names`: the element does not move again
        names.insert(items[i].name);
    }
    return {};
}

/// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        if (first < 0x80) continue;
        const int more = first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0;
        if (more == 0) return false;
        unsigned char low = 0x80, high = 0xbf;  // of the byte after the first
        if (first == 0xe0) low = 0xa0;
        if (first == 0xed) high = 0x9f;
        if (first == 0xf0) low = 0x90;
        if (first == 0xf4) high = 0x8f;
        for (int k = 0; k < more; ++k, ++i) {
            if (i == text.size()) return false;
            const auto byte = static_cast<unsigned char>(text[i]);
            if (byte < low || byte > high) return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

template <typename Item>
Result<void> check_sizes(const std::vector<Item>& items, std::string_view what) {
    std::int64_t total = 0;
    for (const Item& item : items) {
        if (!is_utf8(item.name)) return fail(input_error(std::format("the name of a {} is not UTF-8 text", what)));
        if (item.bytes.count < 0)
            return fail(input_error(std::format("{} '{}' has {} bytes: sizes are not negative", what, item.name, item.bytes.count)));
        bool known = true;
        if constexpr (requires { item.shape_known; }) known = item.shape_known;
        if (known && std::ranges::any_of(item.shape, [](std::int64_t extent) { return extent < 0; }))
            return fail(input_error(std::format("{} '{}' has a negative dimension", what, item.name)));
        if (__builtin_add_overflow(total, item.bytes.count, &total))
            return fail(input_error(std::format("the {}s together have 2^63 bytes or more", what))
                            .note(std::format("the sum overflows at '{}', {} bytes", item.name, item.bytes.count)));
    }
    return {};
}

Result<void> check_costs(const GivenCosts& costs, std::size_t operators, std::size_t tensors) {
    std::unordered_set<std::string_view> names;
    for (const auto& device : costs.classes) {
        if (!names.insert(device.name).second) return fail(input_error(std::format("two device classes are named '{}'", device.name)));
        if (!is_utf8(device.name)) return fail(input_error("the name of a device class is not UTF-8 text"));
        if (device.time.size() != operators)
            return fail(input_error(
                std::format("device class '{}' gives {} times, the graph has {} operators", device.name, device.time.size(), operators)));
        if (device.count < 0) return fail(input_error(std::format("device class '{}' has {} devices", device.name, device.count)));
        if (device.memory && device.memory->count < 0)
            return fail(input_error(std::format("device class '{}' has {} bytes of memory", device.name, device.memory->count)));
        for (std::size_t i = 0; i < operators; ++i)
            if (device.time[i] && device.time[i]->count() < 0)
                return fail(input_error(std::format("device class '{}' gives operator #{} a negative time", device.name, i)));
        if (!device.backward.empty() && device.backward.size() != operators)
            return fail(input_error(std::format("device class '{}' gives {} backward times, the graph has {} operators", device.name,
                                                device.backward.size(), operators)));
        if (std::ranges::any_of(device.backward, [](Duration time) { return time.count() < 0; }))
            return fail(input_error(std::format("device class '{}' gives a negative backward time", device.name)));
    }
    if (!costs.transfer.empty() && costs.transfer.size() != tensors)
        return fail(input_error(std::format("{} transfer times are given, the graph has {} tensors", costs.transfer.size(), tensors)));
    if (std::ranges::any_of(costs.transfer, [](Duration time) { return time.count() < 0; }))
        return fail(input_error("a given transfer time is negative"));
    if (costs.link && costs.link->bytes_per_second <= 0)
        return fail(input_error(std::format("the given link has {} bytes a second", costs.link->bytes_per_second)));
    return {};
}

}  // namespace

TensorId GraphBuilder::add_tensor(Tensor tensor) {
    tensors_.push_back(std::move(tensor));
    return TensorId(tensors_.size() - 1);
}

ParameterId GraphBuilder::add_parameter(Parameter parameter) {
    parameters_.push_back(std::move(parameter));
    return ParameterId(parameters_.size() - 1);
}

OperatorId GraphBuilder::add_operator(Operator op, std::span<const TensorId> inputs, std::span<const TensorId> outputs,
                                      std::span<const ParameterId> parameters) {
    operators_.push_back(std::move(op));
    inputs_.push_back(distinct(inputs));
    outputs_.emplace_back(outputs.begin(), outputs.end());
    operator_parameters_.push_back(distinct(parameters));
    return OperatorId(operators_.size() - 1);
}

void GraphBuilder::set_location(OperatorId id, Location where) {
    if (locations_.size() <= id.index()) locations_.resize(id.index() + 1);
    locations_[id.index()] = std::move(where);
}

Location GraphBuilder::location(OperatorId id) const { return id.index() < locations_.size() ? locations_[id.index()] : Location{}; }

Result<Graph> GraphBuilder::build() && {
    if (operators_.empty()) return fail(input_error(std::format("'{}' has no operators: there is nothing to plan", name_)));
    if (auto done = settle_names(tensors_, "tensor", 't'); !done) return fail(std::move(done.error()));
    if (auto done = settle_names(parameters_, "parameter", 'p'); !done) return fail(std::move(done.error()));
    if (auto done = check(); !done) return fail(std::move(done.error()));

    std::vector<OperatorId> producers(tensors_.size());
    for (std::size_t v = 0; v < operators_.size(); ++v)
        for (TensorId t : outputs_[v]) {
            assert(t.index() < tensors_.size());
            if (const OperatorId other = producers[t.index()]; other.valid())
                return fail(
                    input_error(std::format("tensor '{}' has two producers", tensors_[t.index()].name))
                        .at(location(OperatorId(v)))
                        .note(std::format("{} and {}", label_of(operators_[other.index()], other.index()), label_of(operators_[v], v))));
            producers[t.index()] = OperatorId(v);
        }

    auto order = sort(producers);
    if (!order) return fail(std::move(order.error()));
    return freeze(*order);
}

GraphBuilder::GraphBuilder(std::string name) : name_(std::move(name)) {
    if (!is_utf8(name_)) std::ranges::replace_if(name_, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
}

Result<void> GraphBuilder::check() const {
    if (auto done = check_sizes(tensors_, "tensor"); !done) return done;
    if (auto done = check_sizes(parameters_, "parameter"); !done) return done;
    for (std::size_t v = 0; v < operators_.size(); ++v) {
        const Operator& op = operators_[v];
        const Location where = location(OperatorId(v));
        if (!is_utf8(op.name) || !is_utf8(op.type))
            return fail(input_error(std::format("name or type of operator #{} is not UTF-8 text", v)).at(where));
        for (double flops : {op.features.flops, op.features.input_gradient_flops, op.features.weight_gradient_flops})
            if (!(flops >= 0 && std::isfinite(flops)))
                return fail(input_error(std::format("{} has {} FLOPs", label_of(op, v), flops)).at(where));
    }
    if (given_costs_) return check_costs(*given_costs_, operators_.size(), tensors_.size());
    return {};
}

// Kahn's algorithm; a heap keeps the ready operators by insertion number, so that an order that is already topological stays.
Result<std::vector<OperatorId>> GraphBuilder::sort(const std::vector<OperatorId>& producers) const {
    const std::size_t n = operators_.size();
    std::vector<std::uint32_t> waiting(n, 0);  // inputs not made yet
    std::vector<std::vector<OperatorId>> readers(tensors_.size());
    for (std::size_t v = 0; v < n; ++v)
        for (TensorId t : inputs_[v]) {
            assert(t.index() < tensors_.size());
            if (!producers[t.index()].valid()) continue;
            ++waiting[v];
            readers[t.index()].push_back(OperatorId(v));
        }
    std::priority_queue<OperatorId, std::vector<OperatorId>, std::greater<>> ready;
    for (std::size_t v = 0; v < n; ++v)
        if (waiting[v] == 0) ready.push(OperatorId(v));
    std::vector<OperatorId> order;
    order.reserve(n);
    while (!ready.empty()) {
        const OperatorId v = ready.top();
        ready.pop();
        order.push_back(v);
        for (TensorId t : outputs_[v.index()])
            for (OperatorId reader : readers[t.index()])
                if (--waiting[reader.index()] == 0) ready.push(reader);
    }
    if (order.size() == n) return order;
    return fail(describe_cycle(producers, waiting));
}

// Every operator that still waits reads a tensor of another one that does: walking back meets itself.
Diagnostic GraphBuilder::describe_cycle(const std::vector<OperatorId>& producers, const std::vector<std::uint32_t>& waiting) const {
    const auto blocking_input = [&](OperatorId v) {
        return *std::ranges::find_if(inputs_[v.index()],
                                     [&](TensorId t) { return producers[t.index()].valid() && waiting[producers[t.index()].index()] > 0; });
    };
    OperatorId v(static_cast<std::size_t>(std::ranges::find_if(waiting, [](std::uint32_t w) { return w > 0; }) - waiting.begin()));
    std::vector<char> seen(operators_.size(), 0);
    while (!seen[v.index()]) {
        seen[v.index()] = 1;
        v = producers[blocking_input(v).index()];
    }
    std::vector<std::pair<OperatorId, TensorId>> cycle;  // an operator and the tensor that it makes for the one before it in this list
    OperatorId reader = v;
    do {
        const TensorId t = blocking_input(reader);
        reader = producers[t.index()];
        cycle.emplace_back(reader, t);
    } while (reader != v);
    std::ranges::reverse(cycle);

    const auto name = [&](OperatorId id) { return label_of(operators_[id.index()], id.index()); };
    Diagnostic diagnostic =
        input_error(cycle.size() == 1 ? std::format("{} reads its own output '{}'", name(v), tensors_[cycle.front().second.index()].name)
                                      : std::format("the graph has a cycle of {} operators through {}", cycle.size(), name(v)));
    diagnostic.where = location(v);
    constexpr std::size_t kShown = 12;
    for (std::size_t i = 0; i < std::min(cycle.size(), kShown); ++i)
        diagnostic.notes.push_back(std::format("{} makes '{}', which {} reads", name(cycle[i].first),
                                               tensors_[cycle[i].second.index()].name, name(cycle[(i + 1) % cycle.size()].first)));
    if (cycle.size() > kShown) diagnostic.notes.push_back(std::format("and {} more", cycle.size() - kShown));
    diagnostic.help = "a model must be acyclic: break the cycle where the file was written";
    return diagnostic;
}

Graph GraphBuilder::freeze(const std::vector<OperatorId>& order) {
    Graph graph;
    graph.name_ = std::move(name_);
    graph.tensors_ = std::move(tensors_);
    graph.parameters_ = std::move(parameters_);
    graph.given_costs_ = std::move(given_costs_);
    graph.assumptions_ = std::move(assumptions_);

    const std::size_t n = order.size();
    graph.operators_.reserve(n);
    graph.producers_.resize(graph.tensors_.size());
    std::vector<std::vector<OperatorId>> consumers(graph.tensors_.size()), users(graph.parameters_.size());
    for (std::size_t v = 0; v < n; ++v) {
        const std::size_t old = order[v].index();
        graph.operators_.push_back(std::move(operators_[old]));
        graph.inputs_.push_row(inputs_[old]);
        graph.outputs_.push_row(outputs_[old]);
        graph.operator_parameters_.push_row(operator_parameters_[old]);
        for (TensorId t : outputs_[old]) graph.producers_[t.index()] = OperatorId(v);
        for (TensorId t : inputs_[old]) consumers[t.index()].push_back(OperatorId(v));
        for (ParameterId p : operator_parameters_[old]) users[p.index()].push_back(OperatorId(v));
    }
    graph.consumers_ = Rows<OperatorId>(consumers);
    graph.users_ = Rows<OperatorId>(users);

    std::vector<OperatorId> row;
    const auto push_sorted = [&](Rows<OperatorId>& rows) {
        std::ranges::sort(row);
        const auto repeated = std::ranges::unique(row);
        row.erase(repeated.begin(), repeated.end());
        rows.push_row(row);
        row.clear();
    };
    for (std::size_t v = 0; v < n; ++v) {
        for (TensorId t : graph.inputs_[v])
            if (graph.producers_[t.index()].valid()) row.push_back(graph.producers_[t.index()]);
        push_sorted(graph.predecessors_);
        for (TensorId t : graph.outputs_[v]) row.insert(row.end(), graph.consumers_[t.index()].begin(), graph.consumers_[t.index()].end());
        push_sorted(graph.successors_);
    }

    if (graph.given_costs_)
        for (auto& device : graph.given_costs_->classes) {
            std::vector<std::optional<Duration>> times(n);
            for (std::size_t v = 0; v < n; ++v) times[v] = device.time[order[v].index()];
            device.time = std::move(times);
            if (device.backward.empty()) continue;
            std::vector<Duration> backward(n);
            for (std::size_t v = 0; v < n; ++v) backward[v] = device.backward[order[v].index()];
            device.backward = std::move(backward);
        }
    graph.fingerprint_ = fingerprint(graph);
    return graph;
}

}  // namespace sluice::graph
