#include "sluice/runtime/channels.hpp"

#include <algorithm>
#include <cstring>
#include <format>
#include <utility>

namespace sluice::runtime {

using program::ChannelId;
using program::InstructionKind;

namespace {

Diagnostic broken(std::string message) { return {DiagnosticKind::internal, std::move(message), {}, {}, {}}; }

int tag(ChannelId channel) { return static_cast<int>(channel.index()); }

template <typename Sequence>
auto& in_turn(Sequence&& ring, std::int64_t turn) {
    return ring[static_cast<std::size_t>(turn) % ring.size()];
}

}  // namespace

Buffer::Buffer(std::int64_t bytes)
    : size_(sizeof(MessageHeader) + static_cast<std::size_t>(bytes)), memory_(new(std::align_val_t{64}) std::byte[size_]) {
    std::memset(memory_.get(), 0, size_);  // its pages exist before the clock starts
    reset(0);
}

void Buffer::reset(std::int64_t input) const {
    *header() = {.input = input, .bytes = static_cast<std::int64_t>(data().size()), .rank = -1, .shape = {}};
}

std::string name_of_rank(const program::Program& program, std::int64_t rank) {
    for (std::size_t s = 0; s < program.stages.size(); ++s) {
        const program::Stage& stage = program.stages[s];
        if (rank < stage.first_rank || rank >= stage.first_rank + stage.replicas) continue;
        if (stage.replicas == 1) return std::format("stage {}", s);
        return std::format("stage {}, replica {} (rank {})", s, rank - stage.first_rank, rank);
    }
    return rank == 0 ? "the host" : std::format("rank {}", rank);
}

std::int64_t posted_receives(const program::Program& program, ChannelId channel) {
    const program::Channel& at = program.channels[channel.index()];
    return at.credits * (at.to.valid() ? program.stages[at.to.index()].replicas : 1);
}

Diagnostic no_memory(const program::Program& program, const program::InstructionList& list) {
    std::int64_t bytes = 0;
    for (const program::Instruction& instruction : list.body) {
        if (instruction.kind == InstructionKind::forward) continue;
        const program::Channel& channel = program.channels[instruction.channel.index()];
        const bool receives = instruction.kind == InstructionKind::receive;
        bytes += channel.bytes.count * (receives             ? channel.credits
                                        : list.stage.valid() ? program.stages[list.stage.index()].output_slots
                                                             : posted_receives(program, instruction.channel));
    }
    return input_error(std::format("{} has no memory for {} of message buffers", name_of_rank(program, list.rank), to_text(Bytes{bytes})))
        .fix("plan fewer stages for this host, or cut where tensors are smaller");
}

Patience::Patience(const program::Program& program, const program::InstructionList& list, std::chrono::nanoseconds patience) {
    const auto stages = static_cast<double>(program.stages.size());
    const double position = list.role == program::Role::feed      ? -1
                            : list.role == program::Role::collect ? stages
                                                                  : static_cast<double>(list.stage.index());
    const auto times = [&](double factor) {
        const auto longest = std::chrono::hours(24 * 365);
        return std::chrono::nanoseconds(
            static_cast<std::int64_t>(static_cast<double>(std::min<std::chrono::nanoseconds>(patience, longest).count()) * factor));
    };
    receive = times(1 + 0.1 * (position + 1) / (stages + 1));
    send = times(1.1 + 0.1 * (stages - position) / (stages + 1));
}

Result<void> Context::check_stop(std::int64_t input) const {
    if (!stop.stop_requested()) return {};
    return fail({DiagnosticKind::stopped, std::format("{} was stopped before input {}", who, input), {}, {}, {}});
}

Diagnostic Context::why(std::chrono::nanoseconds waited, const std::string& what) const {
    if (auto failure = transport.failure()) return std::move(*failure).note(std::format("{} was waiting for {}", who, what));
    if (stop.stop_requested())
        return {DiagnosticKind::stopped, std::format("{} was stopped while it waited for {}", who, what), {}, {}, {}};
    return broken(std::format("{} has waited {:.4g} s for {}", who, std::chrono::duration<double>(waited).count(), what))
        .fix("a stage that needs longer than this for one input needs a larger --watchdog; else it hangs");
}

// --- receives

Incoming::Incoming(const Context& context, bool header_only) : context_(context), header_only_(header_only) {
    for (const program::Instruction& instruction : context.list.body) {
        if (instruction.kind != InstructionKind::receive) continue;
        const program::Channel& channel = context.program.channels[instruction.channel.index()];
        std::vector<Buffer>& buffers = memory_->emplace_back();
        for (std::int64_t slot = 0; slot < channel.credits; ++slot) buffers.emplace_back(header_only ? 0 : channel.bytes.count);
        rings_.push_back({instruction.channel, std::format("receive '{}'", channel.tensor), {}, {}});
    }
    for (std::size_t r = 0; r < rings_.size(); ++r) {
        rings_[r].buffers = (*memory_)[r];
        rings_[r].requests.resize(rings_[r].buffers.size());
    }
}

void Incoming::post(Ring& ring, std::int64_t turn) {
    in_turn(ring.requests, turn) = context_.transport.irecv(in_turn(ring.buffers, turn).whole(), sender(ring, turn), tag(ring.channel));
}

void Incoming::post_first() {
    for (Ring& ring : rings_)
        for (std::size_t turn = 0; turn < ring.buffers.size(); ++turn) post(ring, static_cast<std::int64_t>(turn));
}

void Incoming::post_again(std::int64_t turn) {
    for (Ring& ring : rings_) post(ring, turn + static_cast<std::int64_t>(ring.buffers.size()));
}

const std::string& Incoming::tensor(const Ring& ring) const { return context_.program.channels[ring.channel.index()].tensor; }

std::int64_t Incoming::sender(const Ring& ring, std::int64_t turn) const {
    return sender_of(context_.program, ring.channel, input_of(context_.list, turn));
}

Result<std::optional<std::int64_t>> Incoming::take(const Ring& ring, std::int64_t turn) {
    const std::int64_t input = input_of(context_.list, turn);
    const auto from = [&] { return name_of_rank(context_.program, sender(ring, turn)); };
    context_.reporter.at(ring.state, input);
    auto waited = context_.wait(*in_turn(ring.requests, turn), context_.patience.receive, waited_,
                                [&] { return std::format("'{}' of input {} from {}", tensor(ring), input, from()); });
    if (!waited) return fail(std::move(waited.error()));

    const auto wrong = [&](std::string found) {
        return fail(
            broken(std::format("{} expected '{}' of input {} from {} and got {}", context_.who, tensor(ring), input, from(), found)));
    };
    const Buffer& buffer = in_turn(ring.buffers, turn);
    const MessageHeader& header = *buffer.header();
    if (header.input == -1) {
        const std::int64_t inputs = header.shape[0];
        // The end cannot come later than the turn after the last input, nor before inputs that came.
        if (inputs < 0 || inputs > input) return wrong(std::format("the end of {} inputs", inputs));
        return inputs;
    }
    if (header.input != input) return wrong(std::format("that of input {}", header.input));
    if (!header_only_ && !buffer.fits())
        return wrong(std::format("{} B, where the channel holds {} B", header.bytes, buffer.data().size()));
    return std::nullopt;
}

Result<std::optional<std::int64_t>> Incoming::take(std::int64_t turn) {
    std::optional<std::int64_t> inputs;
    for (const Ring& ring : rings_) {
        auto ended = take(ring, turn);
        if (!ended) return ended;
        if (&ring == &rings_.front())
            inputs = *ended;
        else if (inputs != *ended) {
            const auto says = [](const std::optional<std::int64_t>& end) {
                return end ? std::format("ends after {} inputs", *end) : std::string("goes on");
            };
            return fail(broken(std::format("{}, input {}: '{}' {}, '{}' {}", context_.who, input_of(context_.list, turn),
                                           tensor(rings_.front()), says(inputs), tensor(ring), says(*ended))));
        }
    }
    return inputs;
}

Result<void> Incoming::drain(std::int64_t turn, std::int64_t inputs) {
    for (const Ring& ring : rings_)
        for (std::int64_t t = turn; t < turn + static_cast<std::int64_t>(ring.buffers.size()); ++t) {
            auto ended = take(ring, t);
            if (!ended) return fail(std::move(ended.error()));
            if (*ended != inputs)
                return fail(broken(std::format("{} got '{}' of input {} after the end of {} inputs", context_.who, tensor(ring),
                                               input_of(context_.list, t), inputs)));
        }
    return {};
}

std::vector<Message> Incoming::messages(std::int64_t turn) const {
    std::vector<Message> result;
    for (const Ring& ring : rings_) result.push_back(in_turn(ring.buffers, turn).message());
    return result;
}

// --- sends

Outgoing::Outgoing(const Context& context, std::shared_ptr<const std::vector<std::vector<Buffer>>> rings,
                   const std::vector<std::size_t>& sources, bool deliver)
    : context_(context), memory_(std::make_shared<Memory>(std::move(rings), MessageHeader{})) {
    for (const program::Instruction& instruction : context.list.body) {
        if (instruction.kind != InstructionKind::send) continue;
        const program::Channel& channel = context.program.channels[instruction.channel.index()];
        const std::vector<Buffer>& ring = (*memory_->rings)[sources[sends_.size()]];
        sends_.push_back({instruction.channel, std::format("wait for send '{}'", channel.tensor), ring, !deliver && !channel.to.valid(),
                          std::vector<std::shared_ptr<Request>>(ring.size())});
    }
}

const Buffer& Outgoing::buffer(std::size_t send, std::int64_t turn) const { return in_turn(sends_[send].buffers, turn); }
const std::string& Outgoing::tensor(std::size_t send) const { return context_.program.channels[sends_[send].channel.index()].tensor; }

Result<void> Outgoing::wait(const Send& send, const Request& request, std::int64_t input) {
    return context_.wait(request, context_.patience.send, waited_, [&] {
        return std::format("{} to take '{}' of input {}",
                           name_of_rank(context_.program, receiver_of(context_.program, send.channel, input)),
                           context_.program.channels[send.channel.index()].tensor, input);
    });
}

Result<void> Outgoing::wait_for_buffers(std::int64_t turn) {
    for (const Send& send : sends_) {
        const auto& request = in_turn(send.requests, turn);
        if (!request) continue;
        context_.reporter.at(send.state, input_of(context_.list, turn));
        const std::int64_t before = turn - static_cast<std::int64_t>(send.buffers.size());
        if (auto sent = wait(send, *request, input_of(context_.list, before)); !sent) return sent;
    }
    return {};
}

Result<void> Outgoing::send(std::size_t index, std::int64_t turn) {
    Send& send = sends_[index];
    const Buffer& buffer = in_turn(send.buffers, turn);
    const std::int64_t input = input_of(context_.list, turn);
    if (!buffer.fits())
        return fail(broken(std::format("{} made {} B of '{}' for input {}, the channel holds {} B", context_.who, buffer.header()->bytes,
                                       tensor(index), input, buffer.data().size())));
    in_turn(send.requests, turn) =
        context_.transport.isend(buffer.meant(send.header_only), receiver_of(context_.program, send.channel, input), tag(send.channel));
    return {};
}

Result<void> Outgoing::end(std::int64_t turn, std::int64_t inputs) {
    context_.reporter.at("end", input_of(context_.list, turn - 1));
    memory_->end = {.input = -1, .bytes = 0, .rank = -1, .shape = {inputs}};
    struct Last {
        const Send& send;
        std::int64_t input;
        std::shared_ptr<Request> request;
    };
    std::vector<Last> last;
    for (const Send& send : sends_) {
        for (std::int64_t t = std::max<std::int64_t>(0, turn - static_cast<std::int64_t>(send.buffers.size())); t < turn; ++t)
            last.emplace_back(send, input_of(context_.list, t), in_turn(send.requests, t));
        for (std::int64_t t = turn; input_of(context_.list, t) < inputs + posted_receives(context_.program, send.channel); ++t) {
            const std::int64_t input = input_of(context_.list, t);
            last.emplace_back(send, input,
                              context_.transport.isend(std::as_bytes(std::span(&memory_->end, 1)),
                                                       receiver_of(context_.program, send.channel, input), tag(send.channel)));
        }
    }
    for (const Last& one : last)
        if (auto sent = wait(one.send, *one.request, one.input); !sent) return sent;
    return {};
}

}  // namespace sluice::runtime
