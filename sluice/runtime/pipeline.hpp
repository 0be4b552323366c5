// Executes the instruction lists of one rank over a transport, exactly as program/program.hpp says they mean.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <vector>

#include "sluice/program/program.hpp"
#include "sluice/runtime/kernel.hpp"
#include "sluice/runtime/messages.hpp"
#include "sluice/runtime/transport.hpp"

namespace sluice::runtime {

/// The host's side: where inputs come from and outputs go.
class HostIo {
public:
    virtual ~HostIo() = default;
    /// Whether there is an input `input`; the last one is decided here (a count, or a time that is up).
    [[nodiscard]] virtual bool wanted(std::int64_t input) = 0;
    /// Fills the buffers of the feed list's channels. A model input that several stages read is asked for once a channel.
    [[nodiscard]] virtual Result<void> feed(std::int64_t input, std::size_t channel, const Message& message) = 0;
    /// The buffers of the collect list's channels, in input order.
    [[nodiscard]] virtual Result<void> collect(std::int64_t input, std::span<const Message> messages) = 0;
};

struct PipelineOptions {
    std::chrono::nanoseconds patience =
        std::chrono::seconds(60);  // of one wait; up to a fifth more, so that who waits for a culprit speaks first
    bool deliver = true;           // false: messages to the host carry their header only
    std::stop_token stop;
    std::function<void(const Status&)> status;  // called at most ten times a second
};

/// The first send of each distinct tensor of a stage's list, in their order: the `outputs` of StageKernel::run.
[[nodiscard]] std::vector<program::ChannelId> outputs_of(const program::Program& program, const program::InstructionList& list);
/// The slots that StageKernel::run will see are 0 to this - 1: the least common multiple of the list's credits and output slots.
[[nodiscard]] std::int64_t slots_of(const program::Program& program, const program::InstructionList& list);

/// Runs a stage's list until the host says that there are no more inputs.
/// The end: once the host has fed n inputs, a header with input -1 (and n in shape[0]) goes down every channel in place of each input from
/// n on whose receive is posted by then, credits x replicas of them, so that no request is left open anywhere. Diagnostics: the kernel's; a
/// message of another input than the next (named); patience exceeded: stage, tensor, input, peer; stopped; a stage without receives, which
/// would never end.
[[nodiscard]] Result<Finished> run_stage(const program::Program& program, const program::InstructionList& list, Transport& transport,
                                         StageKernel& kernel, const PipelineOptions& options);
/// Runs feed (wanted, feed: a thread of its own) and collect. No more inputs are under way than the program's buffers hold, also where
/// small messages are sent eagerly, so that `wanted` is asked about an input shortly before it can start.
[[nodiscard]] Result<Finished> run_host(const program::Program& program, Transport& transport, HostIo& io, const PipelineOptions& options);

}  // namespace sluice::runtime
