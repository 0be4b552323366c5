// Runs a program's ranks as threads over the in-process transport, with kernels whose outputs depend on every byte of their inputs, on the
// stage and on the input's number; and evaluates the same directly.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/program/program.hpp"
#include "sluice/runtime/pipeline.hpp"

namespace sluice::test {

using Contents = std::vector<std::byte>;

/// What a tensor holds for an input: any change of what it was made from changes it. Its length varies up to the channel's bytes.
inline Contents contents_of(TensorId tensor, std::int64_t input, Bytes bytes, const std::vector<Contents>& from) {
    std::uint64_t seed = 0x9e3779b97f4a7c15U * static_cast<std::uint64_t>(input + 1);
    for (const Contents& one : from) {
        seed = (seed ^ one.size()) * 0x100000001b3U;
        for (std::byte b : one) seed = (seed ^ static_cast<std::uint64_t>(b)) * 0x100000001b3U;
    }
    RandomStream random(seed, tensor.index());
    Contents result(static_cast<std::size_t>(random.chance(0.7) ? bytes.count : random.between(0, bytes.count)));
    for (std::byte& b : result) b = static_cast<std::byte>(random());
    return result;
}

inline Contents contents_of(const runtime::Message& message) {
    const auto data = message.data.first(static_cast<std::size_t>(message.header->bytes));
    return {data.begin(), data.end()};
}

inline void fill(const runtime::Message& message, const Contents& contents) {
    std::ranges::copy(contents, message.data.begin());
    message.header->bytes = static_cast<std::int64_t>(contents.size());
}

/// Every tensor of the program for one input.
inline std::map<TensorId, Contents> evaluate(const program::Program& program, std::int64_t input) {
    std::map<TensorId, Contents> values;
    const auto at = [&](const program::Instruction& i) -> const program::Channel& { return program.channels[i.channel.index()]; };
    for (const program::InstructionList& list : program.lists) {
        if (list.role == program::Role::collect || list.replica != 0) continue;  // feed, then stages in topological order
        std::vector<Contents> from;
        for (const program::Instruction& i : list.body)
            if (i.kind == program::InstructionKind::receive) from.push_back(values.at(at(i).tensor_id));
        for (const program::Instruction& i : list.body)
            if (i.kind == program::InstructionKind::send) values[at(i).tensor_id] = contents_of(at(i).tensor_id, input, at(i).bytes, from);
    }
    return values;
}

class ArithmeticKernel : public runtime::StageKernel {
public:
    ArithmeticKernel(const program::Program& program, const program::InstructionList& list)
        : program_(program),
          outputs_(runtime::outputs_of(program, list)),
          seen_(static_cast<std::size_t>(runtime::slots_of(program, list))) {}

    Result<void> run(std::int64_t slot, std::span<const runtime::Message> inputs, std::span<const runtime::Message> outputs) override {
        // Equal slots mean equal buffers, aligned for any kernel.
        std::vector<const std::byte*> buffers;
        for (const auto& messages : {inputs, outputs})
            for (const runtime::Message& message : messages) buffers.push_back(message.data.data());
        std::vector<const std::byte*>& before = seen_.at(static_cast<std::size_t>(slot));
        if (before.empty()) before = buffers;
        if (before != buffers) return fail(input_error("a slot has other buffers than before"));
        for (const std::byte* buffer : buffers)
            if (reinterpret_cast<std::uintptr_t>(buffer) % 64 != 0) return fail(input_error("a buffer is not aligned"));

        std::vector<Contents> from;
        for (const runtime::Message& message : inputs) from.push_back(contents_of(message));
        for (std::size_t o = 0; o < outputs.size(); ++o) {
            const program::Channel& channel = program_.channels[outputs_[o].index()];
            fill(outputs[o], contents_of(channel.tensor_id, inputs.front().header->input, channel.bytes, from));
        }
        return {};
    }

private:
    const program::Program& program_;
    std::vector<program::ChannelId> outputs_;
    std::vector<std::vector<const std::byte*>> seen_;
};

/// Feeds `inputs` inputs and holds every output against direct evaluation.
class CheckingHost : public runtime::HostIo {
public:
    CheckingHost(const program::Program& program, std::int64_t inputs, bool deliver = true)
        : program_(program), inputs_(inputs), deliver_(deliver) {
        for (const program::InstructionList& list : program.lists)
            for (const program::Instruction& i : list.body) {
                if (list.role == program::Role::feed) feeds_.push_back(i.channel);
                if (list.role == program::Role::collect) collects_.push_back(i.channel);
            }
    }

    bool wanted(std::int64_t input) override { return input < inputs_; }
    Result<void> feed(std::int64_t input, std::size_t channel, const runtime::Message& message) override {
        const program::Channel& at = program_.channels[feeds_[channel].index()];
        fill(message, contents_of(at.tensor_id, input, at.bytes, {}));
        return {};
    }
    Result<void> collect(std::int64_t input, std::span<const runtime::Message> messages) override {
        if (input != collected_) wrong("an output out of order");
        ++collected_;
        const auto expected = evaluate(program_, input);
        for (std::size_t c = 0; c < collects_.size(); ++c) {
            if (messages[c].header->input != input) wrong("a header of another input");
            if (deliver_ && contents_of(messages[c]) != expected.at(program_.channels[collects_[c].index()].tensor_id))
                wrong("a wrong output");
        }
        return {};
    }

    std::int64_t collected() const { return collected_; }
    std::string faults;

private:
    void wrong(std::string_view what) { faults += what, faults += "; "; }

    const program::Program& program_;
    std::int64_t inputs_, collected_ = 0;
    bool deliver_;
    std::vector<program::ChannelId> feeds_, collects_;
};

struct RunOutcome {
    std::optional<Diagnostic> first_failure;
    Result<runtime::Finished> host;
    std::vector<Result<runtime::Finished>> stages;  // by rank - 1
};

using MakeKernel = std::function<std::unique_ptr<runtime::StageKernel>(const program::Program&, const program::InstructionList&)>;

/// Every rank a thread. The first rank that fails stops the others through `stop`, as the launcher would.
inline RunOutcome run_program(const program::Program& program, runtime::HostIo& io, const runtime::TransportOptions& transport_options = {},
                              runtime::PipelineOptions options = {}, const MakeKernel& make_kernel = {}, std::stop_source stop = {}) {
    auto transports = runtime::make_local_transports(program.ranks, transport_options);
    options.stop = stop.get_token();
    RunOutcome outcome;
    std::mutex mutex;
    const auto ended = [&](const Result<runtime::Finished>& result) {
        const std::lock_guard lock(mutex);
        if (result) return;
        if (!outcome.first_failure) outcome.first_failure = result.error();
        stop.request_stop();
    };
    outcome.stages.resize(static_cast<std::size_t>(program.ranks - 1));
    {
        std::vector<std::jthread> threads;
        for (const program::InstructionList& list : program.lists) {
            if (list.role != program::Role::stage) continue;
            threads.emplace_back([&, options] {
                const auto kernel = make_kernel ? make_kernel(program, list) : std::make_unique<ArithmeticKernel>(program, list);
                auto& result = outcome.stages[static_cast<std::size_t>(list.rank - 1)];
                result = run_stage(program, list, *transports[static_cast<std::size_t>(list.rank)], *kernel, options);
                ended(result);
            });
        }
        outcome.host = run_host(program, *transports[0], io, options);
        ended(outcome.host);
    }
    return outcome;
}

/// A program by hand: stages in topological order, then tensors with their makers and readers.
class ProgramMaker {
public:
    StageId stage(std::int64_t replicas = 1, std::int64_t output_slots = 2) {
        program::Stage& stage = program_.stages.emplace_back();
        stage.replicas = replicas;
        stage.first_rank = program_.ranks;
        stage.output_slots = output_slots;
        program_.ranks += replicas;
        return StageId(program_.stages.size() - 1);
    }
    /// An invalid stage is the host.
    program::ChannelId channel(std::string tensor, std::size_t tensor_id, StageId from, StageId to, std::int64_t bytes = 64,
                               std::int64_t credits = 2) {
        program_.channels.push_back({std::move(tensor), TensorId(tensor_id), from, to, {bytes}, Duration{0}, credits});
        return program::ChannelId(program_.channels.size() - 1);
    }
    program::Program make() {
        using program::InstructionKind;
        const auto add = [&](program::InstructionList list, bool host_feeds, bool host_collects) {
            for (std::size_t c = 0; c < program_.channels.size(); ++c)
                if (host_collects ? !program_.channels[c].to.valid() : !host_feeds && program_.channels[c].to == list.stage)
                    list.body.push_back({InstructionKind::receive, program::ChannelId(c)});
            if (list.role == program::Role::stage) list.body.push_back({InstructionKind::forward, {}});
            for (std::size_t c = 0; c < program_.channels.size(); ++c)
                if (host_feeds ? !program_.channels[c].from.valid() : !host_collects && program_.channels[c].from == list.stage)
                    list.body.push_back({InstructionKind::send, program::ChannelId(c)});
            program_.lists.push_back(std::move(list));
        };
        program::InstructionList list;
        list.role = program::Role::feed;
        add(list, true, false);
        list.role = program::Role::collect;
        add(list, false, true);
        list.role = program::Role::stage;
        for (std::size_t s = 0; s < program_.stages.size(); ++s) {
            list.stage = StageId(s);
            list.stride = program_.stages[s].replicas;
            for (list.replica = 0; list.replica < list.stride; ++list.replica) {
                list.rank = program_.stages[s].first_rank + list.replica;
                list.first = list.replica;
                add(list, false, false);
            }
        }
        return program_;
    }

private:
    program::Program program_;
};

/// A random DAG of stages: chains, skip connections, diamonds, replicas, several model inputs and outputs.
inline program::Program random_program(RandomStream& random) {
    ProgramMaker maker;
    std::vector<StageId> stages;
    const auto power = [&] { return std::int64_t{1} << random.below(4); };
    const auto count = random.between(1, 7);
    for (std::int64_t s = 0; s < count; ++s) stages.push_back(maker.stage(random.chance(0.3) ? random.between(2, 4) : 1, power()));
    std::size_t tensor = 0;
    std::vector<bool> fed(stages.size());
    const auto bytes = [&] { return random.chance(0.1) ? 0 : random.between(1, random.chance(0.1) ? 20'000 : 500); };
    const auto connect = [&](StageId from, const std::vector<StageId>& readers, std::int64_t size) {
        for (StageId to : readers) maker.channel("t" + std::to_string(tensor), tensor, from, to, size, power());
        ++tensor;
    };
    for (std::size_t s = 0; s < stages.size(); ++s) {
        for (std::int64_t t = 0, made = random.between(1, 2); t < made; ++t) {
            std::vector<StageId> readers;
            for (std::size_t r = s + 1; r < stages.size(); ++r)
                if (random.chance(r == s + 1 ? 0.7 : 0.25)) {
                    readers.push_back(stages[r]);
                    fed[r] = true;
                }
            if (readers.empty() || random.chance(0.1)) readers.emplace_back();  // a model output
            connect(stages[s], readers, bytes());
        }
    }
    std::vector<StageId> first;
    for (std::size_t s = 0; s < stages.size(); ++s)
        if (!fed[s]) first.push_back(stages[s]);
    connect({}, first, bytes());
    if (random.chance(0.3)) connect({}, {stages[random.below(stages.size())]}, bytes());
    return maker.make();
}

}  // namespace sluice::test
