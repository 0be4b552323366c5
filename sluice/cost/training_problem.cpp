#include "sluice/cost/training_problem.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <map>
#include <span>

#include "sluice/base/files.hpp"
#include "sluice/base/wide.hpp"
#include "sluice/cost/analytic.hpp"
#include "sluice/cost/training_times.hpp"

namespace sluice::cost {

namespace {

/// ceil(bytes / batch)
Bytes of_one(Bytes bytes, std::int64_t batch) { return {bytes.count / batch + (bytes.count % batch != 0)}; }

class TrainingFreezer {
public:
    TrainingFreezer(const graph::Graph& graph, const platform::Platform& platform, const TrainingOptions& options,
                    const MeasuredCosts* measured)
        : graph_(graph),
          platform_(platform),
          given_(graph.given_costs() ? &*graph.given_costs() : nullptr),
          options_(options),
          measured_(measured) {}

    Result<FrozenTraining> run() {
        if (options_.mini_batch < 1 || options_.mini_batch > kLargestMiniBatch)
            return fail(
                usage_error(std::format("a mini-batch of {} samples; 1 to {} are possible", options_.mini_batch, kLargestMiniBatch)));
        if (platform_.stage_link.rate.bytes_per_second <= 0)
            return fail(
                input_error(std::format("the links of '{}' have {}no rate, which every micro-batch needs", platform_.name,
                                        platform_.given_transfers ? "times for whole tensors and " : ""))
                    .fix(given_
                             ? "-p with devices, memory and links, for example -p v100-summit:devices=8; the operators' times stay those "
                               "of the file"
                             : "name a platform that has one: -p PLATFORM"));
        auto frozen = freeze(graph_, platform_, 0, measured_);
        if (!frozen) return fail(std::move(frozen.error()));
        problem_.structure = std::move(frozen->problem);
        // Memory is told below, for training; the structure has none of its own.
        for (DeviceCosts& device : problem_.structure.classes) device.overflow = Overflow::unlimited;
        problem_.options = options_;
        problem_.file_batch = given_ ? 1 : batch_of(graph_);
        report_ = std::move(frozen->report);
        if (given_ && std::ranges::all_of(given_->classes, [](const auto& device) { return device.backward.empty(); }))
            report_.warnings.emplace_back("the file gives no backward times: each gradient is taken to last as long as the forward pass");
        trained_ = trained_operators(graph_);
        if (measured_) apply_measured();
        add_interconnect();
        add_bytes();
        if (auto added = add_classes(); !added) return fail(std::move(added.error()));
        problem_.fingerprint = fingerprint();
        if (deviation_ >= kMuch)
            report_.warnings.push_back(std::format("measured passes are met but for {}.{} % at worst, by two straight lines each",
                                                   deviation_ / 10, deviation_ % 10));
        return FrozenTraining{std::move(problem_), std::move(report_), std::move(frozen->costs)};
    }

private:
    static constexpr std::int64_t kMuch = 100;  // thousandths

    /// freeze() accepted them.
    void apply_measured() {
        applied_ = *apply(graph_, *measured_);
        const auto found = std::ranges::find(platform_.classes, measured_->device_class, &platform::DeviceClass::name);
        measured_class_ = measured_->device_class.empty() ? 0 : static_cast<std::size_t>(found - platform_.classes.begin());
        for (const std::vector<OperatorId>& group : applied_.groups) group_of_.emplace(group.front(), group);
    }

    void add_interconnect() {
        problem_.interconnect.inside = platform_.stage_link;
        problem_.interconnect.between = platform_.stage_link;
        if (platform_.topology != platform::Topology::hierarchy || !platform_.node_link) return;
        problem_.interconnect.devices_per_node = platform_.devices_per_node;
        problem_.interconnect.between = *platform_.node_link;
    }

    void add_bytes() {
        const StageProblem& structure = problem_.structure;
        const std::int64_t batch = problem_.file_batch;
        problem_.kept.resize(structure.node_count());
        problem_.kept_for_weights.resize(structure.node_count());
        for (std::size_t v = 0; v < structure.node_count(); ++v)
            for (const OperatorId id : structure.operators[v]) {
                Bytes made, kept = demand_of(graph_, id, platform_, platform_.classes.front()).kept;
                for (const TensorId output : graph_.outputs(id))
                    made += counted_bytes(graph_[output].bytes, graph_[output].type, platform_.tensor_type);
                if (given_) kept = made;
                const Trained trained = trained_[id.index()];
                if (trained.input || trained.weights) problem_.kept[v] += of_one(kept, batch);
                // For the weights' gradient: what the operator kept, and the gradient of what it made.
                if (trained.weights) problem_.kept_for_weights[v] += of_one(kept + made, batch);
            }
        const std::vector<char> with = tensors_with_gradient(graph_);
        for (std::size_t e = 0; e < structure.edge_count(); ++e) {
            problem_.activation.push_back(of_one(structure.bytes[e], batch));
            problem_.has_gradient.push_back(with[structure.tensor[e].index()]);
            problem_.gradient.push_back(problem_.has_gradient.back() ? problem_.activation.back() : Bytes{});
        }
        for (std::size_t p = 0; p < graph_.parameter_count(); ++p) {  // as freeze() numbers the weights
            const auto users = graph_.users(ParameterId(p));
            if (std::ranges::none_of(users, [&](OperatorId user) { return structure.node_of[user.index()].valid(); })) continue;
            const Bytes bytes = structure.weight_bytes[problem_.state.size()];
            const bool trained = is_floating(graph_[ParameterId(p)].type);
            problem_.state.push_back(trained ? state_of(bytes, graph_[ParameterId(p)].type) : bytes);
            const Bytes state = problem_.state.back();
            problem_.weight_gradient.push_back(!trained                                      ? Bytes{}
                                               : options_.optimizer == Optimizer::adam_mixed ? Bytes{state.count / 8}
                                                                                             : bytes);
        }
    }

    [[nodiscard]] Bytes state_of(Bytes parameter, graph::DataType type) const {
        switch (options_.optimizer) {
            case Optimizer::sgd:
                return {2 * parameter.count};
            case Optimizer::momentum:
                return {3 * parameter.count};
            case Optimizer::adam:
                return {4 * parameter.count};
            case Optimizer::adam_mixed:  // 2 + 2 + 4 + 4 + 4 bytes an element
                return {16 / graph::bytes_of(platform_.tensor_type.value_or(type), 1)->count * parameter.count};
        }
        return parameter;
    }

    [[nodiscard]] const graph::GivenCosts::DeviceClass& given_class_of(const platform::DeviceClass& device) const {
        const auto found = std::ranges::find(given_->classes, device.name, &graph::GivenCosts::DeviceClass::name);
        return found == given_->classes.end() ? given_->classes.front() : *found;
    }

    [[nodiscard]] std::optional<OperatorPasses> passes_of(OperatorId id, std::size_t c) {
        if (!measured_ || c != measured_class_ || !applied_.time[id.index()]) return modelled_passes(id, platform_.classes[c]);
        const MeasuredEntry* entry = applied_.entry[id.index()];
        if (entry == nullptr) return OperatorPasses{};  // counted with the first of its kernel
        const auto group = group_of_.find(id);
        OperatorPasses modelled;
        Trained trained;
        for (const OperatorId member : group == group_of_.end() ? std::span(&id, 1) : std::span<const OperatorId>(group->second)) {
            const auto passes = modelled_passes(member, platform_.classes[c]);
            if (!passes) return std::nullopt;
            modelled += *passes;
            trained.input |= trained_[member.index()].input;
            trained.weights |= trained_[member.index()].weights;
        }
        const auto fit = measured_passes(*entry, modelled, trained, problem_.file_batch);
        if (!fit) return std::nullopt;
        deviation_ = std::max(deviation_, fit->deviation);
        return fit->passes;
    }

    [[nodiscard]] std::optional<OperatorPasses> modelled_passes(OperatorId id, const platform::DeviceClass& device) const {
        const Trained trained = trained_[id.index()];
        if (!given_) return analytic_passes(graph_, id, platform_, device, problem_.file_batch, trained);
        const graph::GivenCosts::DeviceClass& given = given_class_of(device);
        const auto backward = given.backward.empty() ? std::nullopt : std::optional(given.backward[id.index()]);
        if (backward > kLargestTotal) return std::nullopt;  // freeze() held the forward times against it
        return given_passes(given.time[id.index()].value_or(Duration{0}), backward, trained);
    }

    Result<void> add_classes() {
        StageProblem& structure = problem_.structure;
        for (std::size_t c = 0; c < structure.classes.size(); ++c) {
            const platform::DeviceClass& device = platform_.classes[c];
            TrainingDevice& made = problem_.classes.emplace_back();
            made.limited = device.overflow == Overflow::hard;
            made.memory = made.limited ? device.fast_memory : Bytes{};
            if (!given_) made.memory_rate = device.memory_rate;
            Wide total = 0;
            for (std::size_t v = 0; v < structure.node_count(); ++v) {
                std::vector<OperatorPasses> row;
                for (const OperatorId id : structure.operators[v]) {
                    const auto passes = passes_of(id, c);
                    if (!passes)
                        return fail(input_error(
                            std::format("operator '{}' takes longer than can be counted on '{}'", graph_.label(id), device.name)));
                    if (structure.classes[c].supported.contains(v)) row.push_back(*passes);
                    // As one call a sample: at least what any micro-batch takes together.
                    total += static_cast<Wide>(passes->at(1).total().count()) * options_.mini_batch;
                }
                made.passes.push_row(row);
            }
            if (total > kLargestTotal.count())
                return fail(input_error(std::format("a mini-batch of {} samples takes more than {} on '{}', the most that is counted",
                                                    options_.mini_batch, sluice::to_text(kLargestTotal), device.name))
                                .fix("a smaller --batch"));
        }
        // Every chunk is one sample and goes over the slower link, there and back, to every reader.
        Wide transfers = 0;
        const platform::Link &inside = problem_.interconnect.inside, &between = problem_.interconnect.between;
        for (std::size_t e = 0; e < structure.edge_count(); ++e) {
            const Bytes both = problem_.activation[e] + problem_.gradient[e];
            const Wide slower = std::max(time_for(both, inside.rate).value_or(kLargestTotal).count(),
                                         time_for(both, between.rate).value_or(kLargestTotal).count());
            transfers += (slower + 2 * Wide{std::max(inside.latency, between.latency).count()}) * options_.mini_batch *
                         static_cast<Wide>(structure.consumers[e].size());
        }
        constexpr Wide kLongest = 4 * Wide{kLargestTotal.count()};  // with all work still far below 2^63
        if (transfers > kLongest)
            return fail(
                input_error(std::format("the tensors of a mini-batch of {} samples travel for more than {}, the most that is counted",
                                        options_.mini_batch, sluice::to_text(Duration{static_cast<std::int64_t>(kLongest)})))
                    .fix("a smaller --batch, or a faster link"));
        // Rings over all devices, once for each stage and once more for what stages share.
        Wide gradients = 0, steps = 2 * Wide{structure.node_count()};
        for (const Bytes one : problem_.weight_gradient) gradients += one.count;
        Wide devices = 0;
        for (const DeviceCosts& device : structure.classes) devices += device.count;
        steps *= devices;
        const Wide slowest = std::min(inside.rate.bytes_per_second, between.rate.bytes_per_second);
        const Wide rings = slowest > 0 ? 4 * gradients * kPicosecondsPerSecond / slowest +
                                             2 * steps * (std::max(inside.latency, between.latency).count() + 1)
                                       : 0;
        if (rings > kLargestTotal.count())
            return fail(input_error(std::format("the sums of all gradients take more than {}, the most that is counted",
                                                sluice::to_text(kLargestTotal)))
                            .fix("a faster link"));
        Wide bytes = 0;
        for (const auto* list : {&problem_.kept, &problem_.kept_for_weights, &problem_.activation, &problem_.gradient})
            for (const Bytes one : *list) bytes += static_cast<Wide>(one.count) * options_.mini_batch;
        for (const Bytes one : problem_.state) bytes += static_cast<Wide>(one.count) * 2;
        if (bytes > kLargestTotal.count())
            return fail(
                input_error(std::format("the tensors of a mini-batch of {} samples add up to more than {}, the most that is counted",
                                        options_.mini_batch, sluice::to_text(Bytes{kLargestTotal.count()})))
                    .fix("a smaller --batch"));
        return {};
    }

    [[nodiscard]] std::string fingerprint() const {
        std::string text = problem_.structure.fingerprint;
        const auto add = [&](std::int64_t value) { text += std::format(" {}", value); };
        add(options_.mini_batch);
        for (const TrainingDevice& device : problem_.classes) {
            for (std::size_t v = 0; v < device.passes.size(); ++v) {
                add(static_cast<std::int64_t>(device.passes[v].size()));
                for (const OperatorPasses& passes : device.passes[v])
                    for (const PassCost* pass : {&passes.forward, &passes.input_gradient, &passes.weight_gradient})
                        for (const std::int64_t part : {pass->arithmetic_fixed, pass->arithmetic_per_sample, pass->memory_fixed,
                                                        pass->memory_per_sample, pass->launch})
                            add(part);
            }
            add(device.limited ? device.memory.count : -1);
            add(device.memory_rate.bytes_per_second);
        }
        add(problem_.interconnect.devices_per_node);
        for (const platform::Link& link : {problem_.interconnect.inside, problem_.interconnect.between}) {
            add(link.rate.bytes_per_second);
            add(link.latency.count());
        }
        for (const auto* list : {&problem_.kept, &problem_.kept_for_weights, &problem_.activation, &problem_.gradient, &problem_.state,
                                 &problem_.weight_gradient})
            for (const Bytes one : *list) add(one.count);
        for (const char flag : problem_.has_gradient) add(flag);
        return sluice::fingerprint_of(text);
    }

    const graph::Graph& graph_;
    const platform::Platform& platform_;
    const graph::GivenCosts* given_;
    TrainingOptions options_;
    const MeasuredCosts* measured_;
    std::size_t measured_class_ = 0;
    AppliedCosts applied_;                                    // empty without measured costs
    std::map<OperatorId, std::vector<OperatorId>> group_of_;  // by its first
    std::int64_t deviation_ = 0;                              // the largest from what was measured, in thousandths
    TrainingProblem problem_;
    ProblemReport report_;
    std::vector<Trained> trained_;
};

}  // namespace

std::string_view to_text(Optimizer optimizer) {
    switch (optimizer) {
        case Optimizer::sgd:
            return "sgd";
        case Optimizer::momentum:
            return "momentum";
        case Optimizer::adam:
            return "adam";
        case Optimizer::adam_mixed:
            return "adam-mixed";
    }
    return "";
}

std::optional<Optimizer> optimizer_of(std::string_view text) {
    for (const Optimizer optimizer : kOptimizers)
        if (to_text(optimizer) == text) return optimizer;
    return std::nullopt;
}

std::vector<PassTimes> pass_times(const TrainingProblem& problem, ClassId device, std::int64_t samples) {
    const Rows<OperatorPasses>& passes = problem.classes[device.index()].passes;
    std::vector<PassTimes> times(passes.size());
    for (std::size_t v = 0; v < passes.size(); ++v)
        for (const OperatorPasses& one : passes[v]) times[v] += one.at(samples);
    return times;
}

std::int64_t batch_of(const graph::Graph& graph) {
    std::int64_t first = 1;
    bool found = false;
    for (std::size_t t = 0; t < graph.tensor_count(); ++t) {
        const graph::Tensor& tensor = graph[TensorId(t)];
        if (graph.producer(TensorId(t)).valid() || !tensor.shape_known || tensor.shape.empty() || tensor.shape.front() < 1) continue;
        if (tensor.shape.size() >= 2) return tensor.shape.front();
        if (!found) first = tensor.shape.front();
        found = true;
    }
    return first;
}

Result<FrozenTraining> freeze_training(const graph::Graph& graph, const platform::Platform& platform, const TrainingOptions& options,
                                       const MeasuredCosts* measured) {
    return TrainingFreezer(graph, platform, options, measured).run();
}

}  // namespace sluice::cost
