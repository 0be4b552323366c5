#include "sluice/training/peers/candidates.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <map>
#include <utility>

#include "sluice/search/poll.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::training {

namespace {

/// Bytes that the fullest device lacks; at most 0: it fits.
std::int64_t lacking(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    std::map<std::int64_t, std::int64_t> needs;
    std::int64_t most = std::numeric_limits<std::int64_t>::min();
    for (const cost::TrainingStage& stage : partition.stages) {
        const cost::TrainingDevice& device = problem.classes[stage.device.index()];
        if (!device.limited) continue;
        std::int64_t& need = needs[stage.first_device];
        need += memory_need(stage, training_terms(problem, stage), partition.schedule).count;
        most = std::max(most, need - device.memory.count);
    }
    return most;
}

std::string name_of(const cost::TrainingProblem& problem, NodeId node) {
    return std::format("operator {}", problem.structure.operators[node.index()].front().index());
}

}  // namespace

Result<std::vector<DeviceRange>> usable_ranges(const cost::TrainingProblem& problem) {
    std::vector<DeviceRange> ranges;
    std::int64_t first = 0;
    std::optional<Diagnostic> unsupported;
    for (std::size_t c = 0; c < problem.classes.size(); ++c) {
        const cost::DeviceCosts& device = problem.structure.classes[c];
        std::size_t v = 0;
        while (v < problem.node_count() && device.supported.contains(v)) ++v;
        if (v == problem.node_count() && device.count > 0)
            ranges.push_back({ClassId(c), first, device.count});
        else if (!unsupported && v < problem.node_count())
            unsupported =
                Diagnostic{DiagnosticKind::infeasible,
                           std::format("the method uses equal devices, and '{}' cannot run {}", device.name, name_of(problem, NodeId(v))),
                           {},
                           {},
                           "another method, or a device class that supports every operator"};
        first += device.count;
    }
    if (!ranges.empty()) return ranges;
    return fail(unsupported ? *std::move(unsupported) : Diagnostic{DiagnosticKind::infeasible, "there are no devices", {}, {}, {}});
}

Result<std::vector<std::int64_t>> micro_batches_to_try(const cost::TrainingProblem& problem, const PlannerOptions& options) {
    if (!options.micro_batch) {  // large ones first: they are quick to simulate, and what they reach spares the small ones
        auto sizes = micro_batches(problem, true);
        std::ranges::reverse(sizes);
        const std::int64_t largest = sizes.front();
        std::erase_if(sizes, [&](std::int64_t size) { return size != largest && problem.options.mini_batch / size > kMostMicroBatches; });
        return sizes;
    }
    if (*options.micro_batch < 1 || problem.options.mini_batch % *options.micro_batch != 0)
        return fail(usage_error(std::format("a micro-batch of {} samples does not divide the mini-batch of {}", *options.micro_batch,
                                            problem.options.mini_batch)));
    return std::vector{*options.micro_batch};
}

cost::TrainingPartition place(const cost::TrainingProblem& problem, const Shape& shape, const DeviceRange& range, std::int64_t micro_batch,
                              cost::Schedule schedule) {
    cost::TrainingPartition partition{.stages = {}, .schedule = schedule};
    std::int64_t device = range.first;
    for (const Shape::Stage& stage : shape.stages) {
        partition.stages.push_back({.nodes = stage.nodes,
                                    .device = range.device,
                                    .first_device = device,
                                    .replicas = stage.replicas,
                                    .micro_batch = micro_batch,
                                    .recompute = stage.recompute});
        device += stage.replicas;
    }
    set_in_flight(problem, partition);
    return partition;
}

std::optional<cost::TrainingPartition> roomier(const cost::TrainingProblem& problem, cost::TrainingPartition partition) {
    using enum cost::Schedule;
    if (partition.schedule != one_f_one_b && partition.schedule != chain && partition.schedule != zero_bubble) return std::nullopt;
    const std::vector<cost::TrainingStage> before = partition.stages;
    set_in_flight(problem, partition);
    for (cost::TrainingStage& stage : partition.stages) {
        if (stage.k > 1) return std::nullopt;
        stage.in_flight = std::min(problem.options.mini_batch, 2 * stage.in_flight - stage.micro_batch);
    }
    if (partition.stages == before || lacking(problem, partition) > 0) return std::nullopt;
    return partition;
}

bool Candidates::offer(cost::TrainingPartition partition, std::string_view winner) {
    if (const std::int64_t lack = lacking(problem_, partition); lack > 0) {
        if (!nearest_ || lack < missing_) {
            nearest_ = std::move(partition);
            missing_ = lack;
        }
        return false;
    }
    if (!faults_of(problem_, partition).empty()) return false;
    const Duration bottleneck = price(problem_, partition).bottleneck;
    // The bottleneck is rounded up to a picosecond a sample.
    if (found_ && (bottleneck.count() - 1) * problem_.options.mini_batch >= result_.iteration.count()) return true;
    const auto iteration = iteration_time(problem_, partition, limits_);
    ++result_.termination.evaluations;
    if (!iteration) return must_end();
    if (found_ && *iteration >= result_.iteration) return true;
    found_ = true;
    result_.partition = std::move(partition);
    result_.iteration = *iteration;
    result_.winner = winner;
    observer_.on_event({seconds(), phase_, result_.iteration, std::nullopt, result_.winner});
    if (auto more = roomier(problem_, result_.partition); more && !must_end())
        offer(*std::move(more), std::format("{}, {}", result_.winner, kRoomier));
    return true;
}

bool Candidates::must_end() {
    const auto reached = search::limit_reached(limits_);
    if (reached)
        result_.termination.reason = *reached;
    else if (limits_.evaluations && result_.termination.evaluations >= *limits_.evaluations)
        result_.termination.reason = StopReason::evaluations;
    return result_.termination.reason != StopReason::finished;
}

double Candidates::seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

Diagnostic Candidates::nothing_fits(std::string_view method) const {
    if (!nearest_) return {DiagnosticKind::infeasible, std::format("{} makes no plan that the platform's rules allow", method), {}, {}, {}};
    // Where the plan that lacks least lacks it, and the operator that takes most there.
    const cost::TrainingStage* fullest = nullptr;
    cost::TrainingTerms terms;
    Bytes need{-1};
    for (const cost::TrainingStage& stage : nearest_->stages) {
        const cost::TrainingTerms of = training_terms(problem_, stage);
        if (const Bytes one = memory_need(stage, of, nearest_->schedule); one > need) {
            fullest = &stage;
            terms = of;
            need = one;
        }
    }
    const std::int64_t samples = fullest->in_flight / fullest->micro_batch * samples_of_replica(*fullest);
    const auto takes = [&](NodeId node) {
        std::int64_t bytes = problem_.kept[node.index()].count * (fullest->recompute ? samples_of_replica(*fullest) : samples);
        for (const EdgeId edge : problem_.structure.inputs[node.index()])
            if (const NodeId producer = problem_.structure.producer[edge.index()];
                fullest->recompute && (!producer.valid() || !std::ranges::contains(fullest->nodes, producer)))
                bytes += problem_.activation[edge.index()].count * samples;
        for (const WeightId weight : problem_.structure.weights[node.index()]) bytes += problem_.state[weight.index()].count;
        return bytes;
    };
    const NodeId largest = *std::ranges::max_element(fullest->nodes, {}, takes);
    Diagnostic diagnostic{DiagnosticKind::infeasible,
                          std::format("no plan of {} fits the memory: the one that lacks least needs {} on a device of {}", method,
                                      to_text(problem_.classes[fullest->device.index()].memory + Bytes{missing_}),
                                      to_text(problem_.classes[fullest->device.index()].memory)),
                          {},
                          {},
                          "a smaller micro-batch, --recompute, or more devices"};
    diagnostic.notes.push_back(
        std::format("{} takes most of its fullest stage, {}", name_of(problem_, largest), to_text(Bytes{takes(largest)})));
    diagnostic.notes.push_back(std::format("the stage: {} for parameters, gradients and optimiser, {} for {} samples in flight",
                                           to_text(terms.state), to_text(need - terms.state), fullest->in_flight));
    return diagnostic;
}

Result<PlannerResult> Candidates::take(std::string_view method) && {
    result_.termination.seconds = seconds();
    if (found_) return std::move(result_);
    if (result_.termination.reason != StopReason::finished)
        return fail({result_.termination.reason == StopReason::interrupted ? DiagnosticKind::stopped : DiagnosticKind::input,
                     std::format("{} was stopped before its first plan", method),
                     {},
                     {},
                     "more --time"});
    return fail(nothing_fits(method));
}

}  // namespace sluice::training
