// The ends of a program's channels at one rank: rings of message buffers, receives posted ahead, sends waited for, waits with a watchdog.
// Private to this layer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "sluice/program/program.hpp"
#include "sluice/runtime/kernel.hpp"
#include "sluice/runtime/pipeline.hpp"
#include "sluice/runtime/reporter.hpp"

namespace sluice::runtime {

/// A header and its data in one piece, so that one message carries both; both 64-byte aligned.
class Buffer {
public:
    explicit Buffer(std::int64_t bytes);

    [[nodiscard]] MessageHeader* header() const { return reinterpret_cast<MessageHeader*>(memory_.get()); }
    [[nodiscard]] std::span<std::byte> whole() const { return {memory_.get(), size_}; }
    [[nodiscard]] std::span<std::byte> data() const { return whole().subspan(sizeof(MessageHeader)); }
    [[nodiscard]] Message message() const { return {header(), data()}; }
    /// Header and data as far as the header says; or the header alone.
    [[nodiscard]] std::span<const std::byte> meant(bool header_only) const {
        return whole().first(sizeof(MessageHeader) + (header_only ? 0 : static_cast<std::size_t>(header()->bytes)));
    }
    /// Ready to be filled: what a channel's message says unless its maker knows better.
    void reset(std::int64_t input) const;
    /// Whether whoever filled it stayed within it.
    [[nodiscard]] bool fits() const { return header()->bytes >= 0 && std::cmp_less_equal(header()->bytes, data().size()); }

private:
    struct Free {
        void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte[], Free> memory_;
};

/// "the host", "stage 2", "stage 2, replica 1 (rank 5)".
[[nodiscard]] std::string name_of_rank(const program::Program& program, std::int64_t rank);
/// How many receives of a channel all its receivers together have posted past the last input.
[[nodiscard]] std::int64_t posted_receives(const program::Program& program, program::ChannelId channel);
/// Buffers that could not be had, at most so many bytes.
[[nodiscard]] Diagnostic no_memory(const program::Program& program, const program::InstructionList& list);
/// The input of a turn of a list; -1 before the first.
[[nodiscard]] inline std::int64_t input_of(const program::InstructionList& list, std::int64_t turn) {
    return turn < 0 ? -1 : list.first + turn * list.stride;
}

/// How long the receives (sends) of a list wait. When one stage hangs everybody comes to wait at nearly the same time, for each other: so
/// the patience grows by up to a fifth with the distance from a stage that would be to blame, its readers first, then its makers. The first
/// to lose it then waits for the culprit itself.
struct Patience {
    Patience(const program::Program& program, const program::InstructionList& list, std::chrono::nanoseconds patience);
    std::chrono::nanoseconds receive, send;
};

/// Where a list's messages go through, and who is told about it.
struct Context {
    const program::Program& program;
    const program::InstructionList& list;
    Transport& transport;
    std::stop_token stop;
    Patience patience;
    Reporter& reporter;
    std::string who = name_of_rank(program, list.rank);

    [[nodiscard]] Result<void> check_stop(std::int64_t input) const;
    /// Adds to `waited`; the watchdog's diagnostic names `what()`: "'x' of input 7 from stage 1".
    template <typename What>
    [[nodiscard]] Result<void> wait(const Request& request, std::chrono::nanoseconds at_most, double& waited, What&& what) const {
        if (transport.done(request)) return {};
        const auto start = Clock::now();
        const bool done = transport.wait(request, stop, at_most);
        waited += seconds_since(start);
        if (done) return {};
        return fail(why(at_most, what()));
    }

private:
    [[nodiscard]] Diagnostic why(std::chrono::nanoseconds waited, const std::string& what) const;
};

/// The receives of one list, each channel a ring of `credits` buffers, posted in turn.
class Incoming {
public:
    Incoming(const Context& context, bool header_only);

    void post_first();
    void post_again(std::int64_t turn);  // what was received in `turn` is done with
    /// Waits for the messages of a turn. The number of inputs when they are the end; else messages of the turn's input, checked.
    [[nodiscard]] Result<std::optional<std::int64_t>> take(std::int64_t turn);
    /// Waits for the ends still under way. `turn`: the first past the last input.
    [[nodiscard]] Result<void> drain(std::int64_t turn, std::int64_t inputs);

    [[nodiscard]] bool empty() const { return rings_.empty(); }
    [[nodiscard]] std::vector<Message> messages(std::int64_t turn) const;
    [[nodiscard]] std::shared_ptr<const void> memory() const { return memory_; }
    [[nodiscard]] double waited() const { return waited_; }

private:
    struct Ring {
        program::ChannelId channel;
        std::string state;  // "receive 'x'"
        std::span<const Buffer> buffers;
        std::vector<std::shared_ptr<Request>> requests;
    };
    void post(Ring& ring, std::int64_t turn);
    [[nodiscard]] const std::string& tensor(const Ring& ring) const;
    [[nodiscard]] std::int64_t sender(const Ring& ring, std::int64_t turn) const;
    [[nodiscard]] Result<std::optional<std::int64_t>> take(const Ring& ring, std::int64_t turn);

    const Context& context_;
    bool header_only_;
    std::shared_ptr<std::vector<std::vector<Buffer>>> memory_ = std::make_shared<std::vector<std::vector<Buffer>>>();
    std::vector<Ring> rings_;
    double waited_ = 0;
};

/// The sends of one list. Several may go from one ring of buffers: a tensor that several stages read.
class Outgoing {
public:
    /// `sources`: for each send of the list, in its order, the ring it goes from. `deliver`: as PipelineOptions has it.
    Outgoing(const Context& context, std::shared_ptr<const std::vector<std::vector<Buffer>>> rings, const std::vector<std::size_t>& sources,
             bool deliver);

    [[nodiscard]] std::size_t size() const { return sends_.size(); }
    [[nodiscard]] const Buffer& buffer(std::size_t send, std::int64_t turn) const;
    [[nodiscard]] const std::string& tensor(std::size_t send) const;
    /// Waits until the buffers of a turn may be written again.
    [[nodiscard]] Result<void> wait_for_buffers(std::int64_t turn);
    /// Diagnostic: a message that is said to be larger than its buffer.
    [[nodiscard]] Result<void> send(std::size_t send, std::int64_t turn);
    /// Tells every receiver that there are no more than `inputs`, waits for all sends. `turn`: the first past the last input.
    [[nodiscard]] Result<void> end(std::int64_t turn, std::int64_t inputs);

    [[nodiscard]] std::shared_ptr<const void> memory() const { return memory_; }
    [[nodiscard]] double waited() const { return waited_; }

private:
    struct Send {
        program::ChannelId channel;
        std::string state;  // "wait for send 'y'"
        std::span<const Buffer> buffers;
        bool header_only;
        std::vector<std::shared_ptr<Request>> requests;  // by buffer
    };
    struct Memory {
        std::shared_ptr<const std::vector<std::vector<Buffer>>> rings;
        MessageHeader end;
    };
    [[nodiscard]] Result<void> wait(const Send& send, const Request& request, std::int64_t input);

    const Context& context_;
    std::shared_ptr<Memory> memory_;
    std::vector<Send> sends_;
    double waited_ = 0;
};

}  // namespace sluice::runtime
