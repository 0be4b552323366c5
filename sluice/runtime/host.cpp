// The host's rank: feeds inputs in one thread, collects outputs in another.
#include <algorithm>
#include <deque>
#include <format>
#include <limits>
#include <new>
#include <numeric>
#include <utility>

#include "sluice/runtime/channels.hpp"
#include "sluice/runtime/pipeline.hpp"

namespace sluice::runtime {

namespace {

/// When each input under way set off; and how many may be.
class UnderWay {
public:
    explicit UnderWay(std::int64_t most) : most_(most) {}

    /// False when stopped.
    bool wait_for_room(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        return changed_.wait(lock, stop, [&] { return std::cmp_less(started_.size(), most_); });
    }
    void start() {
        const std::lock_guard lock(mutex_);
        started_.push_back(Clock::now());
    }
    /// When the input that is longest under way set off; it has arrived.
    Clock::time_point arrive() {
        const std::lock_guard lock(mutex_);
        const auto start = started_.front();
        started_.pop_front();
        changed_.notify_all();
        return start;
    }

private:
    std::int64_t most_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Clock::time_point> started_;
};

/// As many inputs as all buffers of the program together can hold: under rendezvous sends it never binds.
std::int64_t capacity(const program::Program& program) {
    std::vector<std::int64_t> credits(program.stages.size(), 1);
    std::int64_t total = 1;
    for (const program::Channel& channel : program.channels) {
        std::int64_t& at = channel.to.valid() ? credits[channel.to.index()] : total;
        at = std::max(at, channel.credits);
    }
    for (std::size_t s = 0; s < credits.size(); ++s)
        total += program.stages[s].replicas * (credits[s] + 1 + program.stages[s].output_slots);
    return total;
}

class HostRun {
public:
    HostRun(const program::Program& program, const program::InstructionList& feed, const program::InstructionList& collect,
            Transport& transport, HostIo& io, const PipelineOptions& options, Reporter& reporter)
        : feed_{program, feed, transport, stop_.get_token(), Patience(program, feed, options.patience), unseen_},
          collect_{program, collect, transport, stop_.get_token(), Patience(program, collect, options.patience), reporter},
          io_(io),
          outer_stop_(options.stop),
          incoming_(collect_, !options.deliver),
          outgoing_(feed_, make_rings(), make_sources(), true),
          under_way_(capacity(program)) {}

    Result<Finished> run() {
        incoming_.post_first();
        {
            const std::stop_callback forward(outer_stop_, [this] { stop_.request_stop(); });
            const std::jthread feeder([this] {
                try {
                    ended(feed());
                } catch (const std::bad_alloc&) { ended(fail(no_memory(feed_.program, feed_.list))); }
            });
            ended(collect());
        }
        if (failure_) {
            feed_.transport.keep(incoming_.memory());
            feed_.transport.keep(outgoing_.memory());
            return fail(*std::move(failure_));
        }
        collect_.reporter.at("done", inputs_ - 1);
        return finished();
    }

private:
    Result<void> feed() {
        for (std::int64_t input = 0;; ++input) {
            // Everything that can make an input wait comes before the question whether there is one: its answer may depend on the time.
            if (!incoming_.empty()) under_way_.wait_for_room(feed_.stop);
            if (auto free = outgoing_.wait_for_buffers(input); !free) return free;
            if (auto going = feed_.check_stop(input); !going) return going;
            if (!io_.wanted(input)) {
                inputs_ = input;
                return outgoing_.end(input, input);
            }
            for (std::size_t s = 0; s < outgoing_.size(); ++s) {
                const Buffer& buffer = outgoing_.buffer(s, input);
                buffer.reset(input);
                if (auto fed = io_.feed(input, s, buffer.message()); !fed)
                    return fail(std::move(fed.error()).note(std::format("'{}' of input {}", outgoing_.tensor(s), input)));
            }
            if (!incoming_.empty()) under_way_.start();
            if (input == 0) first_ = Clock::now();
            for (std::size_t s = 0; s < outgoing_.size(); ++s)
                if (auto sent = outgoing_.send(s, input); !sent) return sent;
        }
    }

    Result<void> collect() {
        if (incoming_.empty()) return {};
        for (std::int64_t input = 0;; ++input) {
            if (auto going = collect_.check_stop(input); !going) return going;
            const auto inputs = incoming_.take(input);
            if (!inputs) return fail(inputs.error());
            if (*inputs) return incoming_.drain(input, **inputs);
            const auto started = under_way_.arrive();
            const double latency = seconds_since(started);
            latency_min_ = std::min(latency_min_, latency);
            latency_max_ = std::max(latency_max_, latency);
            latency_sum_ += latency;
            arrived_.add(collect_.reporter.seconds());
            if (auto collected = io_.collect(input, incoming_.messages(input)); !collected)
                return fail(std::move(collected.error()).note(std::format("outputs of input {}", input)));
            incoming_.post_again(input);
            collect_.reporter.done(input + 1);
        }
    }

    /// The first failure is told; it ends the other thread.
    void ended(Result<void> result) {
        if (result) return;
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::move(result.error());
        stop_.request_stop();
    }

    Finished finished() const {
        Finished result{
            .rank = feed_.list.rank, .inputs = inputs_, .waited_receive = incoming_.waited(), .waited_send = outgoing_.waited()};
        if (inputs_ == 0) return result;
        const double first = std::chrono::duration<double>(first_ - collect_.reporter.start()).count();
        if (arrived_.count() == 0) {  // a model without outputs
            result.seconds = collect_.reporter.seconds() - first;
            result.steady_per_s = static_cast<double>(inputs_) / result.seconds;
            return result;
        }
        result.seconds = arrived_.last() - first;
        const auto [index, since] = arrived_.from(inputs_ / 5);
        const auto intervals = inputs_ - 1 - index;
        result.steady_per_s =
            intervals > 0 ? static_cast<double>(intervals) / (arrived_.last() - since) : static_cast<double>(inputs_) / result.seconds;
        result.latency_min_ms = latency_min_ * 1e3;
        result.latency_mean_ms = latency_sum_ / static_cast<double>(inputs_) * 1e3;
        result.latency_max_ms = latency_max_ * 1e3;
        return result;
    }

    /// Buffers for as many inputs as the receivers of a channel can take.
    std::shared_ptr<const std::vector<std::vector<Buffer>>> make_rings() const {
        auto rings = std::make_shared<std::vector<std::vector<Buffer>>>();
        for (const program::Instruction& instruction : feed_.list.body) {
            auto& ring = rings->emplace_back();
            const std::int64_t slots = std::max<std::int64_t>(2, posted_receives(feed_.program, instruction.channel));
            for (std::int64_t slot = 0; slot < slots; ++slot)
                ring.emplace_back(feed_.program.channels[instruction.channel.index()].bytes.count);
        }
        return rings;
    }
    std::vector<std::size_t> make_sources() const {
        std::vector<std::size_t> sources(feed_.list.body.size());
        std::iota(sources.begin(), sources.end(), std::size_t{0});
        return sources;
    }

    std::stop_source stop_;
    Reporter unseen_{0, {}};  // the host is seen collecting
    const Context feed_, collect_;
    HostIo& io_;
    std::stop_token outer_stop_;
    Incoming incoming_;
    Outgoing outgoing_;
    UnderWay under_way_;

    std::mutex mutex_;
    std::optional<Diagnostic> failure_;
    std::int64_t inputs_ = 0;
    Clock::time_point first_;
    Samples arrived_;
    double latency_min_ = std::numeric_limits<double>::infinity(), latency_max_ = 0, latency_sum_ = 0;
};

}  // namespace

Result<Finished> run_host(const program::Program& program, Transport& transport, HostIo& io, const PipelineOptions& options) {
    const auto list_of = [&](program::Role role) { return std::ranges::find(program.lists, role, &program::InstructionList::role); };
    const auto feed = list_of(program::Role::feed), collect = list_of(program::Role::collect);
    if (feed == program.lists.end() || collect == program.lists.end()) return fail(input_error("the program has no list for the host"));
    try {
        Reporter reporter(feed->rank, options.status);
        return HostRun(program, *feed, *collect, transport, io, options, reporter).run();
    } catch (const std::bad_alloc&) { return fail(no_memory(program, *feed)); }
}

}  // namespace sluice::runtime
