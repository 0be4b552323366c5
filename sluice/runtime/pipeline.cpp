// A stage's rank.
#include "sluice/runtime/pipeline.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <new>
#include <numeric>

#include "sluice/runtime/channels.hpp"

namespace sluice::runtime {

using program::ChannelId;
using program::InstructionKind;

namespace {

Result<void> check_body(const program::Program& program, const program::InstructionList& list) {
    const std::string who = name_of_rank(program, list.rank);
    // Lists are made with their receives first and their sends last; anything else would need messages that nobody holds any more.
    if (!std::ranges::is_sorted(list.body, {}, &program::Instruction::kind) ||
        std::ranges::count(list.body, InstructionKind::forward, &program::Instruction::kind) != 1)
        return fail(input_error(std::format("the list of {} is not receives, one forward, sends", who)));
    if (list.body.front().kind != InstructionKind::receive)
        return fail(input_error(std::format("{} receives nothing, neither from the host nor from another stage: it would never end", who))
                        .fix("let it share a stage with an operator that reads a model input"));
    return {};
}

class StageRun {
public:
    StageRun(const program::Program& program, const program::InstructionList& list, Transport& transport, StageKernel& kernel,
             const PipelineOptions& options, Reporter& reporter)
        : context_{program, list, transport, options.stop, Patience(program, list, options.patience), reporter},
          kernel_(kernel),
          incoming_(context_, false),
          outputs_(make_outputs()),
          outgoing_(context_, outputs_, sources(), options.deliver) {
        for (std::int64_t slot = 0, slots = slots_of(program, list); slot < slots; ++slot) {
            auto& [inputs, outputs] = bound_.emplace_back(incoming_.messages(slot), std::vector<Message>{});
            for (const auto& ring : *outputs_) outputs.push_back(ring[static_cast<std::size_t>(slot) % ring.size()].message());
        }
    }

    Result<Finished> run() {
        incoming_.post_first();
        auto result = turns();
        if (!result) {
            context_.transport.keep(incoming_.memory());
            context_.transport.keep(outgoing_.memory());
        }
        return result;
    }

private:
    Result<Finished> turns() {
        for (std::int64_t turn = 0;; ++turn) {
            if (auto going = context_.check_stop(input(turn)); !going) return fail(std::move(going.error()));
            const auto inputs = incoming_.take(turn);
            if (!inputs) return fail(inputs.error());
            if (*inputs) {
                if (auto sent = outgoing_.end(turn, **inputs); !sent) return fail(std::move(sent.error()));
                if (auto drained = incoming_.drain(turn, **inputs); !drained) return fail(std::move(drained.error()));
                context_.reporter.at("done", input(turn - 1));
                return finished(turn);
            }
            if (auto free = outgoing_.wait_for_buffers(turn); !free) return fail(std::move(free.error()));
            if (auto forwarded = forward(turn); !forwarded) return fail(std::move(forwarded.error()));
            incoming_.post_again(turn);
            for (std::size_t s = 0; s < outgoing_.size(); ++s)
                if (auto sent = outgoing_.send(s, turn); !sent) return fail(std::move(sent.error()));
            context_.reporter.done(turn + 1);
        }
    }

    Result<void> forward(std::int64_t turn) {
        for (std::size_t s = 0; s < outgoing_.size(); ++s) outgoing_.buffer(s, turn).reset(input(turn));
        context_.reporter.at("forward", input(turn));
        const std::size_t slot = static_cast<std::size_t>(turn) % bound_.size();
        const auto start = Clock::now();
        const double cpu = cpu_seconds();
        auto ran = kernel_.run(static_cast<std::int64_t>(slot), bound_[slot].first, bound_[slot].second);
        const double wall = seconds_since(start), cpu_used = cpu_seconds() - cpu;
        if (!ran) return fail(std::move(ran.error()).note(std::format("{}, input {}", context_.who, input(turn))));
        context_.reporter.forwarded(wall, cpu_used);
        forward_.add(wall);
        forward_min_ = std::min(forward_min_, wall);
        forward_sum_ += wall;
        forward_cpu_ += cpu_used;
        return {};
    }

    Finished finished(std::int64_t turns) const {
        Finished result{.rank = context_.list.rank,
                        .inputs = turns,
                        .seconds = context_.reporter.seconds(),
                        .waited_receive = incoming_.waited(),
                        .waited_send = outgoing_.waited()};
        if (turns == 0) return result;
        const auto count = static_cast<double>(turns);
        result.forward_min_ms = forward_min_ * 1e3;
        result.forward_mean_ms = forward_sum_ / count * 1e3;
        result.forward_median_ms = forward_.median() * 1e3;
        result.forward_cpu_ms = forward_cpu_ / count * 1e3;
        return result;
    }

    std::int64_t input(std::int64_t turn) const { return input_of(context_.list, turn); }
    TensorId tensor(ChannelId channel) const { return context_.program.channels[channel.index()].tensor_id; }

    /// One ring of buffers for each distinct tensor, bound to the kernel and sent from.
    std::shared_ptr<const std::vector<std::vector<Buffer>>> make_outputs() const {
        auto rings = std::make_shared<std::vector<std::vector<Buffer>>>();
        const std::int64_t slots = context_.program.stages[context_.list.stage.index()].output_slots;
        for (const ChannelId channel : outputs_of(context_.program, context_.list)) {
            auto& ring = rings->emplace_back();
            for (std::int64_t slot = 0; slot < slots; ++slot) ring.emplace_back(context_.program.channels[channel.index()].bytes.count);
        }
        return rings;
    }
    std::vector<std::size_t> sources() const {
        std::vector<std::size_t> sources;
        const auto distinct = outputs_of(context_.program, context_.list);
        for (const program::Instruction& instruction : context_.list.body)
            if (instruction.kind == InstructionKind::send)
                sources.push_back(static_cast<std::size_t>(
                    std::ranges::find(distinct, tensor(instruction.channel), [&](ChannelId c) { return tensor(c); }) - distinct.begin()));
        return sources;
    }

    const Context context_;
    StageKernel& kernel_;
    Incoming incoming_;
    std::shared_ptr<const std::vector<std::vector<Buffer>>> outputs_;
    Outgoing outgoing_;
    std::vector<std::pair<std::vector<Message>, std::vector<Message>>> bound_;  // by slot: inputs, outputs
    Samples forward_;
    double forward_min_ = std::numeric_limits<double>::infinity(), forward_sum_ = 0, forward_cpu_ = 0;
};

}  // namespace

std::vector<ChannelId> outputs_of(const program::Program& program, const program::InstructionList& list) {
    std::vector<ChannelId> distinct;
    const auto tensor = [&](ChannelId channel) { return program.channels[channel.index()].tensor_id; };
    for (const program::Instruction& instruction : list.body)
        if (instruction.kind == InstructionKind::send && std::ranges::find(distinct, tensor(instruction.channel), tensor) == distinct.end())
            distinct.push_back(instruction.channel);
    return distinct;
}

std::int64_t slots_of(const program::Program& program, const program::InstructionList& list) {
    std::int64_t slots = program.stages[list.stage.index()].output_slots;
    for (const program::Instruction& instruction : list.body)
        if (instruction.kind == InstructionKind::receive) slots = std::lcm(slots, program.channels[instruction.channel.index()].credits);
    return slots;
}

Result<Finished> run_stage(const program::Program& program, const program::InstructionList& list, Transport& transport, StageKernel& kernel,
                           const PipelineOptions& options) {
    if (auto body = check_body(program, list); !body) return fail(body.error());
    try {
        Reporter reporter(list.rank, options.status);
        return StageRun(program, list, transport, kernel, options, reporter).run();
    } catch (const std::bad_alloc&) { return fail(no_memory(program, list)); }
}

}  // namespace sluice::runtime
