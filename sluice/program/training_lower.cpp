#include <algorithm>
#include <map>

#include "sluice/base/stop_check.hpp"
#include "sluice/program/pipeline.hpp"
#include "sluice/program/training_order.hpp"
#include "sluice/program/training_program.hpp"

namespace sluice::program {

namespace {

class Lowering {
public:
    Lowering(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition, const Limits& limits)
        : problem_(problem), partition_(partition), limits_(limits), stopped_(limits), pipeline_(pipeline_of(problem, partition)) {
        program_.mini_batch = problem.options.mini_batch;
        entering_.resize(partition.stages.size());
        leaving_.resize(partition.stages.size());
        reductions_.resize(partition.stages.size());
    }

    std::optional<TrainingProgram> run() {
        add_stages();
        add_channels();
        add_reductions();
        const std::optional<WorkOrder> order = order_work(pipeline_, partition_.schedule, limits_);
        if (!order) return std::nullopt;
        for (const auto& group : order->groups) add_list(group);
        if (stopped_()) return std::nullopt;
        return std::move(program_);
    }

private:
    void add_stages() {
        program_.groups.resize(pipeline_.groups);
        for (std::size_t s = 0; s < partition_.stages.size(); ++s) {
            const cost::TrainingStage& stage = partition_.stages[s];
            const PipelineStage& timed = pipeline_.stages[s];
            const cost::TrainingTerms terms = cost::training_terms(problem_, stage);
            const std::int64_t samples = cost::samples_of_replica(stage);
            program_.groups[timed.group] = {stage.first_device, stage.replicas, static_cast<std::uint32_t>(stage.device.index())};
            program_.stages.push_back({.group = timed.group,
                                       .micro_batch = stage.micro_batch,
                                       .count = timed.count,
                                       .forward = timed.forward,
                                       .backward_input = timed.input_gradient,
                                       .backward_weight = timed.weight_gradient,
                                       .optimizer = terms.optimizer,
                                       .state = terms.state,
                                       .kept = {terms.kept.count * samples},
                                       .kept_for_weights = {terms.kept_for_weights.count * samples},
                                       .recomputed = terms.recomputed,
                                       .in_flight = timed.in_flight});
            if (terms.all_reduce > Duration{0})
                reductions_of(s, {{static_cast<std::uint32_t>(s)}, cost::gradients_of(problem_, stage), terms.all_reduce});
        }
    }

    void add_channels() {
        for (const cost::StageEdge& edge : cost::stage_edges(problem_, partition_)) {
            const auto from = static_cast<std::uint32_t>(edge.from), to = static_cast<std::uint32_t>(edge.to);
            const std::int64_t samples = cost::chunk_of(partition_.stages[from], partition_.stages[to]);
            std::vector<TensorId> tensors, with_gradient;
            for (const EdgeId tensor : edge.tensors) {
                tensors.push_back(problem_.structure.tensor[tensor.index()]);
                if (problem_.has_gradient[tensor.index()]) with_gradient.push_back(tensors.back());
            }
            // What was sent and not yet read, forth or back, is in flight at the sender of activations: so many buffers throttle nothing.
            // Where no gradient comes back the sender may be through with a sample that its reader has not begun.
            const std::int64_t credits = (edge.has_gradient ? partition_.stages[from].in_flight : program_.mini_batch) / samples;
            const auto add = [&](std::uint32_t sender, std::uint32_t receiver, bool gradient, Bytes one, std::vector<TensorId> which) {
                if (pipeline_.stages[sender].group != pipeline_.stages[receiver].group) {  // else it is there already
                    leaving_[sender].push_back(static_cast<std::uint32_t>(program_.channels.size()));
                    entering_[receiver].push_back(static_cast<std::uint32_t>(program_.channels.size()));
                }
                program_.channels.push_back({.from = sender,
                                             .to = receiver,
                                             .gradient = gradient,
                                             .samples = samples,
                                             .chunks = program_.mini_batch / samples,
                                             .bytes = {one.count * samples},
                                             .credits = credits,
                                             .tensors = std::move(which)});
            };
            add(from, to, false, edge.activation, std::move(tensors));
            if (edge.has_gradient) add(to, from, true, edge.gradient, std::move(with_gradient));
        }
    }

    void add_reductions() {
        for (cost::TiedGradient& tie : cost::tied_gradients(problem_, partition_)) {
            Reduction reduction{.stages = {}, .bytes = tie.bytes, .time = tie.all_reduce};
            for (const std::size_t s : tie.stages) reduction.stages.push_back(static_cast<std::uint32_t>(s));
            for (const std::size_t s : tie.stages) reductions_[s].push_back(static_cast<std::uint32_t>(program_.reductions.size()));
            program_.reductions.push_back(std::move(reduction));
        }
    }
    void reductions_of(std::size_t stage, Reduction reduction) {
        reductions_[stage].push_back(static_cast<std::uint32_t>(program_.reductions.size()));
        program_.reductions.push_back(std::move(reduction));
    }

    void add_list(const std::vector<Work>& order) {
        std::vector<TrainingInstruction>& list = program_.lists.emplace_back();
        std::vector<std::uint32_t> done;  // stages, in the order of their last pass
        const auto move = [&](TrainingStep step, const std::vector<std::uint32_t>& channels, const Work& work, bool gradient) {
            for (const std::uint32_t c : channels) {
                const TrainingChannel& channel = program_.channels[c];
                if (channel.gradient != gradient) continue;
                const std::int64_t each = partition_.stages[work.stage].micro_batch / channel.samples;
                for (std::int64_t n = work.micro_batch * each; n < (work.micro_batch + std::int64_t{1}) * each; ++n)
                    list.push_back({step, c, static_cast<std::uint32_t>(n)});
            }
        };
        for (std::size_t at = 0; at < order.size() && !stopped_(); ++at) {
            const Work& work = order[at];
            switch (work.pass) {
                case Pass::forward:
                    move(TrainingStep::receive, entering_[work.stage], work, false);
                    list.push_back({TrainingStep::forward, work.stage, work.micro_batch});
                    move(TrainingStep::send, leaving_[work.stage], work, false);
                    break;
                case Pass::input_gradient:
                    move(TrainingStep::receive, entering_[work.stage], work, true);
                    list.push_back({TrainingStep::backward_input, work.stage, work.micro_batch});
                    // Where the backward pass is split, what others wait for leaves first; elsewhere it is one pass.
                    if (!pipeline_.stages[work.stage].joint_backward) move(TrainingStep::send, leaving_[work.stage], work, true);
                    break;
                case Pass::weight_gradient:
                    list.push_back({TrainingStep::backward_weight, work.stage, work.micro_batch});
                    if (pipeline_.stages[work.stage].joint_backward) move(TrainingStep::send, leaving_[work.stage], work, true);
                    if (work.micro_batch + std::int64_t{1} == program_.stages[work.stage].count) {
                        for (const std::uint32_t r : reductions_[work.stage]) list.push_back({TrainingStep::all_reduce, r, 0});
                        done.push_back(work.stage);
                    }
                    break;
            }
        }
        for (const std::uint32_t s : done) list.push_back({TrainingStep::optimizer_step, s, 0});
    }

    const cost::TrainingProblem& problem_;
    const cost::TrainingPartition& partition_;
    const Limits& limits_;
    StopCheck stopped_;
    const Pipeline pipeline_;
    TrainingProgram program_;
    std::vector<std::vector<std::uint32_t>> entering_, leaving_;  // channels of each stage
    std::vector<std::vector<std::uint32_t>> reductions_;
};

}  // namespace

TrainingProgram lower_training(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    return *lower_training(problem, partition, Limits{});
}

std::optional<TrainingProgram> lower_training(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition,
                                              const Limits& limits) {
    return Lowering(problem, partition, limits).run();
}

}  // namespace sluice::program
