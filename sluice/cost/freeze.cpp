#include <algorithm>
#include <format>
#include <map>
#include <span>

#include "sluice/base/distinct.hpp"
#include "sluice/base/wide.hpp"
#include "sluice/cost/analytic.hpp"
#include "sluice/cost/contract.hpp"
#include "sluice/cost/fingerprint.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::cost {

namespace {

/// Adds up everything that could ever be charged, in a wider type, so that no sum downstream overflows; remembers who contributes most.
class Tally {
public:
    template <typename Describe>
    void add(Wide amount, Describe&& describe) {
        total_ += amount;
        if (amount <= largest_) return;
        largest_ = amount;
        largest_name_ = describe();
    }
    [[nodiscard]] bool within() const { return total_ <= kLargestTotal.count(); }
    [[nodiscard]] const std::string& largest() const { return largest_name_; }

private:
    Wide total_ = 0, largest_ = 0;
    std::string largest_name_;
};

std::unexpected<Diagnostic> refuse(std::string message) { return fail(input_error(std::move(message))); }

class Freezer {
public:
    Freezer(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages, const MeasuredCosts* measured)
        : graph_(graph),
          platform_(platform),
          given_(graph.given_costs() ? &*graph.given_costs() : nullptr),
          stages_(stages),
          measured_(measured) {}

    Result<FrozenProblem> run() {
        auto done = check()
                        .and_then([this] { return apply_measured(); })
                        .and_then([this] { return add_nodes(); })
                        .and_then([this] { return add_edges(); })
                        .and_then([this] { return add_weights(); })
                        .and_then([this] { return add_classes(); });
        if (!done) return fail(std::move(done.error()));
        if (!given_) warn_of_unmodelled();
        frozen_.report.cost_source = cost_source();
        problem_.fingerprint = fingerprint_of(problem_);
        return std::move(frozen_);
    }

private:
    /// What the steps below divide by or index; the platform may be one made by hand or a workload's own. A plan must be able to hold it.
    [[nodiscard]] Result<void> check() const {
        if (auto sound = platform::check(platform_); !sound) return sound;
        if (stages_ < 0) return fail(usage_error(std::format("{} stages asked for; at least 1 is needed", stages_)));
        if (given_ && given_->classes.empty()) return refuse("the model's given costs have no device class");
        if (platform_.given_transfers && (!given_ || given_->transfer.size() != graph_.tensor_count()))
            return refuse("the platform takes its transfer times from the model, and the model has none");
        if (given_) return {};
        for (const platform::DeviceClass& device : platform_.classes)
            if (device.memory_rate.bytes_per_second <= 0)
                return refuse(std::format("device class '{}' has no memory rate, and the model no times of its own", device.name));
        return {};
    }

    [[nodiscard]] ByteRate spill_rate_of(const platform::DeviceClass& device) const {
        return device.spill_rate.value_or(platform_.stage_link.rate);
    }

    [[nodiscard]] Result<void> count_time(Wide picoseconds, auto describe) {
        times_.add(picoseconds, describe);
        if (times_.within()) return {};
        return fail(input_error(std::format("all work, transfers and spill add up to more than {}, the most that is counted",
                                            to_text(kLargestTotal)))
                        .note("the largest part is " + times_.largest())
                        .fix("check the units of the numbers that the model and the platform give"));
    }
    [[nodiscard]] Result<void> count_bytes(Wide bytes, auto describe) {
        bytes_.add(bytes, describe);
        if (bytes_.within()) return {};
        return fail(input_error(std::format("all tensors and parameters add up to more than {}, the most that is counted",
                                            to_text(Bytes{kLargestTotal.count()})))
                        .note("the largest part is " + bytes_.largest()));
    }

    Result<void> apply_measured() {
        if (!measured_) return {};
        if (!measured_->device_class.empty()) {
            std::vector<std::string_view> names;
            for (const platform::DeviceClass& device : platform_.classes) names.push_back(device.name);
            const auto found = std::ranges::find(names, measured_->device_class);
            if (found == names.end()) {
                const std::string_view near = nearest_match(measured_->device_class, names);
                return fail(input_error(std::format("the costs are for device class '{}', and '{}' has none of that name",
                                                    measured_->device_class, platform_.name))
                                .fix(near.empty() ? "leave 'device_class' out: the platform's first class is meant then"
                                                  : std::format("did you mean '{}'?", near)));
            }
            measured_class_ = static_cast<std::size_t>(found - names.begin());
        }
        auto applied = apply(graph_, *measured_);
        if (!applied) return fail(std::move(applied.error()));
        applied_ = std::move(*applied);
        frozen_.costs = applied_.costs;
        frozen_.report.warnings = applied_.warnings;
        return {};
    }

    [[nodiscard]] bool is_measured(OperatorId id, std::size_t device) const {
        return measured_ && device == measured_class_ && applied_.time[id.index()].has_value();
    }

    /// Which share of the total time of the measured class came from where; of the operators where all that is 0.
    [[nodiscard]] std::string cost_source() const {
        const std::string_view model = given_ ? "given" : "analytic";
        if (!measured_) return std::string(model);
        const bool all = covered_.operators[1] == 0;
        const Wide measured = covered_.time[0] + covered_.time[1] > 0 ? covered_.time[0] : covered_.operators[0];
        const Wide rest = covered_.time[0] + covered_.time[1] > 0 ? covered_.time[1] : covered_.operators[1];
        const auto tenths = static_cast<std::int64_t>((1000 * measured + (measured + rest) / 2) / (measured + rest));
        std::string text =
            all ? "measured"
                : std::format("measured {}.{} %, {} {}.{} %", tenths / 10, tenths % 10, model, (1000 - tenths) / 10, (1000 - tenths) % 10);
        if (platform_.classes.size() > 1) text += std::format(" on '{}', {} elsewhere", platform_.classes[measured_class_].name, model);
        return text;
    }

    Result<void> add_nodes() {
        Contraction contraction = contract(graph_, applied_.groups);
        if (contraction.operators.size() == 0)
            return refuse(std::format("'{}' has nothing to plan: all its {} operators are constants or shape arithmetic", graph_.name(),
                                      graph_.operator_count()));
        problem_.model = platform_.model;
        problem_.operators = std::move(contraction.operators);
        problem_.node_of = std::move(contraction.node_of);
        return {};
    }

    /// Distinct nodes of these operators, ascending, without `self`; replicated operators are none.
    [[nodiscard]] std::vector<NodeId> nodes_of(std::span<const OperatorId> operators, NodeId self) const {
        std::vector<NodeId> nodes;
        for (OperatorId op : operators)
            if (const NodeId node = problem_.node_of[op.index()]; node.valid() && node != self) nodes.push_back(node);
        keep_distinct(nodes);
        return nodes;
    }

    [[nodiscard]] Result<Duration> time_over(const platform::Link& link, TensorId id) const {
        const graph::Tensor& tensor = graph_[id];
        if (given_ && !given_->transfer.empty() && tensor.bytes == Bytes{} && given_->transfer[id.index()] > Duration{0})
            return fail(
                input_error(std::format("tensor '{}' has a transfer time but no bytes: a link's rate says nothing about it", tensor.name))
                    .fix("plan with the devices and times of the file itself: leave -p out"));
        const Bytes bytes = counted_bytes(tensor.bytes, tensor.type, platform_.tensor_type);
        const auto time = time_for(bytes, link.rate);
        const auto total = time ? checked_add(time->count(), link.latency.count()) : std::nullopt;
        if (total) return Duration{*total};
        return refuse(std::format("tensor '{}' of {} takes longer than can be counted over a link of {}", tensor.name, to_text(bytes),
                                  to_text(link.rate)));
    }

    /// One number per tensor. What other stages and the host both read is charged at the slower of the two links.
    [[nodiscard]] Result<Duration> transfer_of(TensorId id, bool from_host, bool to_host, bool to_stages) const {
        Result<Duration> host = Duration{0}, stages = Duration{0};
        if ((from_host || to_host) && platform_.host_link) host = time_over(*platform_.host_link, id);
        if (!from_host && to_stages)
            stages = platform_.given_transfers ? given_->transfer[id.index()] : time_over(platform_.stage_link, id);
        if (!host || !stages) return host ? stages : host;
        return std::max(*host, *stages);
    }

    Result<void> add_edges() {
        const std::size_t nodes = problem_.operators.size();
        problem_.scratch.resize(nodes);
        std::vector<std::vector<EdgeId>> inputs(nodes), outputs(nodes);
        std::vector<std::vector<NodeId>> predecessors(nodes), successors(nodes);
        for (std::size_t t = 0; t < graph_.tensor_count(); ++t) {
            const TensorId id(t);
            const graph::Tensor& tensor = graph_[id];
            const bool from_host = !graph_.producer(id).valid();
            const NodeId producer = from_host ? NodeId{} : problem_.node_of[graph_.producer(id).index()];
            if (!from_host && !producer.valid()) continue;  // made again wherever it is needed
            const std::vector<NodeId> consumers = nodes_of(graph_.consumers(id), producer);
            if (from_host && consumers.empty()) continue;
            const Bytes bytes = counted_bytes(tensor.bytes, tensor.type, platform_.tensor_type);
            const auto describe = [&] { return std::format("tensor '{}' of {}", tensor.name, to_text(bytes)); };
            if (auto counted = count_bytes(bytes.count, describe); !counted) return counted;
            const bool to_host = !from_host && tensor.model_output && platform_.host_link.has_value();
            if (consumers.empty() && !to_host) {
                problem_.scratch[producer.index()] += bytes;
                continue;
            }
            const auto transfer = transfer_of(id, from_host, to_host, !consumers.empty());
            if (!transfer) return fail(transfer.error());
            if (*transfer < Duration{0})
                return refuse(std::format("tensor '{}' has the transfer time {}", tensor.name, to_text(*transfer)));
            if (auto counted = count_time(static_cast<Wide>(transfer->count()) * static_cast<Wide>(1 + consumers.size()), describe);
                !counted)
                return counted;

            const EdgeId edge(problem_.producer.size());
            problem_.producer.push_back(producer);
            problem_.tensor.push_back(id);
            problem_.consumers.push_row(consumers);
            problem_.transfer.push_back(*transfer);
            problem_.bytes.push_back(bytes);
            problem_.to_host.push_back(to_host);
            if (producer.valid()) outputs[producer.index()].push_back(edge);
            for (NodeId consumer : consumers) {
                inputs[consumer.index()].push_back(edge);
                if (!producer.valid()) continue;
                predecessors[consumer.index()].push_back(producer);
                successors[producer.index()].push_back(consumer);
            }
        }
        for (auto* rows : {&predecessors, &successors})
            for (auto& row : *rows) keep_distinct(row);
        problem_.inputs = Rows<EdgeId>(inputs);
        problem_.outputs = Rows<EdgeId>(outputs);
        problem_.predecessors = Rows<NodeId>(predecessors);
        problem_.successors = Rows<NodeId>(successors);
        return {};
    }

    Result<void> add_weights() {
        std::vector<std::vector<WeightId>> weights(problem_.operators.size());
        for (std::size_t p = 0; p < graph_.parameter_count(); ++p) {
            const graph::Parameter& parameter = graph_[ParameterId(p)];
            const std::vector<NodeId> users = nodes_of(graph_.users(ParameterId(p)), NodeId{});
            if (users.empty()) continue;
            const Bytes bytes = counted_bytes(parameter.bytes, parameter.type, platform_.tensor_type);
            const auto describe = [&] { return std::format("parameter '{}' of {}", parameter.name, to_text(bytes)); };
            if (auto counted = count_bytes(bytes.count, describe); !counted) return counted;
            for (NodeId user : users) weights[user.index()].push_back(WeightId(problem_.weight_bytes.size()));
            problem_.weight_bytes.push_back(bytes);
            problem_.weight_users.push_row(users);
        }
        problem_.weights = Rows<WeightId>(weights);
        return {};
    }

    /// Given classes are found by name; a platform that knows none of them plans with the first one's times.
    [[nodiscard]] const graph::GivenCosts::DeviceClass& given_class_of(const platform::DeviceClass& device) const {
        const auto found = std::ranges::find(given_->classes, device.name, &graph::GivenCosts::DeviceClass::name);
        return found == given_->classes.end() ? given_->classes.front() : *found;
    }

    /// nullopt: this class does not support the operator.
    [[nodiscard]] Result<std::optional<Duration>> time_of(OperatorId id, std::size_t c) const {
        if (is_measured(id, c)) return applied_.time[id.index()];
        const platform::DeviceClass& device = platform_.classes[c];
        if (given_) {
            const std::optional<Duration> time = given_class_of(device).time[id.index()];
            if (time && *time < Duration{0})
                return refuse(std::format("operator '{}' has the time {} on '{}'", graph_.label(id), to_text(*time), device.name));
            return time;
        }
        const auto time = operator_time(graph_, id, platform_, device);
        if (time) return time;
        if (rate_of(device, graph_[id].features.compute_type) <= 0)
            return fail(input_error(std::format("device class '{}' has no arithmetic rate, and operator '{}' needs one", device.name,
                                                graph_.label(id)))
                            .fix("give the class a `compute` table"));
        return refuse(std::format("operator '{}' takes longer than can be counted on '{}'", graph_.label(id), device.name));
    }

    Result<void> add_classes() {
        const std::size_t nodes = problem_.operators.size();
        // -k counts the devices of all classes: the first gets what the platform lacks.
        const std::int64_t wanted_of_first = stages_ - (platform::device_count(platform_) - platform_.classes.front().count);
        for (std::size_t c = 0; c < platform_.classes.size(); ++c) {
            const platform::DeviceClass& device = platform_.classes[c];
            problem_.classes.push_back({.name = device.name,
                                        .count = c == 0 ? std::max(device.count, wanted_of_first) : device.count,
                                        .work = std::vector<Duration>(nodes, Duration{0}),
                                        .supported = graph::NodeSet(nodes),
                                        .overflow = device.overflow,
                                        .fast_memory = device.overflow == Overflow::unlimited ? Bytes{} : device.fast_memory,
                                        .spill_rate = device.overflow == Overflow::spill ? spill_rate_of(device) : ByteRate{1}});
            if (auto counted = count_spill(device); !counted) return counted;
        }
        for (std::size_t v = 0; v < nodes; ++v)
            if (auto added = add_work(NodeId(v)); !added) return added;
        return {};
    }

    /// Every weight streamed once per user, which no partition exceeds, and one picosecond of rounding a stage.
    [[nodiscard]] Result<void> count_spill(const platform::DeviceClass& device) {
        if (device.overflow != Overflow::spill) return {};
        Wide bytes = 0;
        for (std::size_t w = 0; w < problem_.weight_count(); ++w)
            bytes += static_cast<Wide>(problem_.weight_bytes[w].count) * static_cast<Wide>(problem_.weight_users[w].size());
        const Wide seconds = bytes / spill_rate_of(device).bytes_per_second + 1;
        const Wide picoseconds = seconds > kLargestTotal.count() ? seconds : seconds * kPicosecondsPerSecond;
        return count_time(picoseconds + static_cast<Wide>(problem_.operators.size()), [&] {
            return std::format("the spill of {} of parameters on '{}'", to_text(Bytes{static_cast<std::int64_t>(bytes)}), device.name);
        });
    }

    /// A class supports a node when it supports all its operators.
    Result<void> add_work(NodeId node) {
        const std::size_t v = node.index();
        for (DeviceCosts& device : problem_.classes) device.supported.insert(v);
        for (OperatorId id : problem_.operators[v]) {
            Duration slowest{0};
            for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
                const auto time = time_of(id, c);
                if (!time) return fail(time.error());
                if (measured_ && c == measured_class_) {
                    const std::size_t from = is_measured(id, c) ? 0 : 1;
                    covered_.time[from] += time->value_or(Duration{0}).count();
                    ++covered_.operators[from];
                }
                if (!*time) problem_.classes[c].supported.erase(v);
                times_of_operator_[c] = time->value_or(Duration{0});
                slowest = std::max(slowest, times_of_operator_[c]);
            }
            auto counted =
                count_time(slowest.count(), [&] { return std::format("operator '{}' of {}", graph_.label(id), to_text(slowest)); });
            if (!counted) return counted;
            for (std::size_t c = 0; c < problem_.classes.size(); ++c) problem_.classes[c].work[v] += times_of_operator_[c];
        }
        bool anywhere = false;
        for (DeviceCosts& device : problem_.classes) {
            if (device.supported.contains(v))
                anywhere = true;
            else
                device.work[v] = Duration{0};
        }
        if (anywhere) return {};
        const auto operators = problem_.operators[v];
        Diagnostic diagnostic =
            input_error(std::format("no device class of the platform supports operator '{}'", graph_.label(operators[0])));
        if (operators.size() > 1)
            diagnostic.notes.push_back(
                std::format("{} operators must share a device with it, and no class supports all of them", operators.size() - 1));
        return fail(std::move(diagnostic));
    }

    void warn_of_unmodelled() {
        std::map<std::string, std::size_t> counts;
        std::size_t total = 0;
        for (std::size_t o = 0; o < graph_.operator_count(); ++o) {
            const graph::Operator& op = graph_[OperatorId(o)];
            if (op.replicated || !costed_by_bytes(op.features)) continue;
            if (platform_.classes.size() == 1 && is_measured(OperatorId(o), 0)) continue;
            ++counts[op.type.empty() ? "(no type)" : op.type];
            ++total;
        }
        if (total == 0) return;
        std::string text = std::format("{} operator{} of types without a cost model, costed by bytes: ", total, total == 1 ? "" : "s");
        for (bool first = true; const auto& [type, count] : counts) {
            text += std::format("{}{} ({})", first ? "" : ", ", type, count);
            first = false;
        }
        frozen_.report.warnings.push_back(std::move(text));
    }

    const graph::Graph& graph_;
    const platform::Platform& platform_;
    const graph::GivenCosts* given_;
    std::int64_t stages_;
    const MeasuredCosts* measured_;
    std::size_t measured_class_ = 0;
    AppliedCosts applied_;  // empty without measured costs
    struct {
        Wide time[2] = {0, 0}, operators[2] = {0, 0};
    } covered_;  // on the measured class: by measurement, by the model
    FrozenProblem frozen_;
    StageProblem& problem_ = frozen_.problem;
    std::vector<Duration> times_of_operator_ = std::vector<Duration>(platform_.classes.size());
    Tally times_, bytes_;
};

}  // namespace

Result<FrozenProblem> freeze(const graph::Graph& graph, const platform::Platform& platform, std::int64_t stages,
                             const MeasuredCosts* measured) {
    return Freezer(graph, platform, stages, measured).run();
}

StageProblem without_transfers(StageProblem problem) {
    std::ranges::fill(problem.transfer, Duration{0});
    return problem;
}

void allow_stages(StageProblem& problem, std::int64_t stages) {
    std::int64_t others = 0;
    for (std::size_t c = 1; c < problem.classes.size(); ++c) others += problem.classes[c].count;
    if (stages - others <= problem.classes.front().count) return;
    problem.classes.front().count = stages - others;
    problem.fingerprint = fingerprint_of(problem);
}

}  // namespace sluice::cost
