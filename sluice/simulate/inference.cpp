#include "sluice/simulate/inference.hpp"

#include <bit>
#include <format>
#include <numeric>
#include <ranges>

#include "sluice/program/check.hpp"
#include "sluice/simulate/inference_tables.hpp"

namespace sluice::simulate {

namespace {

__extension__ using Wide = __int128;
using program::Program;
constexpr std::uint32_t kNone = ~std::uint32_t{0};

/// One after another: the list of a device that does one thing at a time, or a third of it.
struct Process {
    std::uint32_t list = 0;
    std::uint32_t begin = 0, end = 0, step = 0;  // of Tables::steps
    std::int64_t turn = 0;
    Time started = 0;                    // the step under way
    std::uint32_t next_waiter = kNone;   // of the list it waits for
    bool busy = false, waiting = false;  // waiting: among a list's waiters
};

struct List {
    std::uint32_t stage = 0;
    std::int64_t replica = 0, turns = 0;
    std::int64_t entered = 0, worked = 0;  // turns whose inputs are all in, whose work is done
    std::int64_t begun = 0;
    std::uint32_t waiters = kNone;                 // processes that wait for this list to work
    std::uint32_t enter = 0, work = 0, leave = 0;  // its processes; the same one on a serial device
    std::uint32_t last = 0;                        // the one that ends a turn
    std::size_t arrived = 0, open = 0;             // first of its windows in `arrived_` and `open_`
    std::int64_t queue = 0, longest = 0;
    Time queue_since = 0;
    Wide queue_area = 0;  // inputs x picoseconds
};

struct Snapshot {
    Time time = -1;
    std::vector<Time> machines, links;
    std::vector<Wide> queues;
};

class Run {
public:
    Run(const Program& program, const Tables& tables, const Wires& wires, const InferenceOptions& options)
        : program_(program),
          tables_(tables),
          wires_(wires),
          options_(options),
          inputs_(options.inputs),
          engine_(*this, tables.overlap ? 3 * std::size_t{tables.lists} : tables.lists, wires.link_count(), options.sharing),
          ledger_(tables.lists) {
        make_lists();
        find_sources();
        outputs_.reserve(static_cast<std::size_t>(std::min<std::int64_t>(inputs_, 1 << 24)));
        flags_.resize(tables_.flags);
        grow_under_way(64);
        if (options_.trace) begin_trace();
        for (std::size_t l = 1; l < lists_.size(); ++l)
            account(static_cast<std::uint32_t>(l), program_.stages[lists_[l].stage].parameters.count);
    }

    InferenceResult run() {
        for (std::uint32_t p = 0; p < processes_.size(); ++p) ready_.push_back(p);
        advance_ready();
        engine_.run();
        return result();
    }

    // --- what the engine tells ---------------------------------------------------------------------------------------

    void finished(MachineId machine) {
        const auto p = static_cast<std::uint32_t>(machine.index());
        processes_[p].busy = false;
        end_step(p);
        ready_.push_back(p);
        advance_ready();
    }
    void delivered(const Message& message) {
        deliver(message.key, static_cast<std::int64_t>(message.tag));
        advance_ready();
    }
    LinkId link_of(const Message& message, std::uint32_t hop) const { return wires_.link_of(route_of(message), hop); }
    void carried(LinkId link, const Message& message, Time start) {
        link_bytes_[link.index()] += tables_.channels[message.key].bytes;
        if (options_.trace && start != kShared)
            trace(link_tracks_ + static_cast<std::uint32_t>(link.index()), message.key, static_cast<std::int64_t>(message.tag), start,
                  flow_of(message.key, static_cast<std::int64_t>(message.tag)));
    }
    bool proceed() {
        if (options_.progress) options_.progress(static_cast<std::int64_t>(outputs_.size()), engine_.events());
        return !options_.stop.stop_requested();
    }

private:
    struct UnderWay {
        Time start = -1;
        std::uint32_t open = 0;  // lists that have not done with it
    };

    // --- set-up --------------------------------------------------------------------------------------------------------

    void make_lists() {
        lists_.resize(tables_.lists);
        std::size_t arrived = 0, open = 0;
        for (std::uint32_t s = 0; s < tables_.stages.size(); ++s) {
            const StageSteps& stage = tables_.stages[s];
            for (std::int64_t q = 0; q < stage.replicas; ++q) {
                const std::uint32_t l = stage.first_list + static_cast<std::uint32_t>(q);
                List& list = lists_[l];
                list.stage = s;
                list.replica = q;
                list.turns = q < inputs_ ? (inputs_ - q + stage.replicas - 1) / stage.replicas : 0;
                list.arrived = arrived;
                arrived += stage.window;
                list.open = open;
                open += stage.slots;
            }
        }
        arrived_.resize(arrived);
        open_.resize(open);
        link_bytes_.resize(wires_.link_count());

        const std::uint32_t engines = tables_.overlap ? 3 : 1;
        processes_.resize(std::size_t{engines} * tables_.lists);
        for (std::uint32_t l = 0; l < lists_.size(); ++l) {
            List& list = lists_[l];
            const StageSteps& stage = tables_.stages[list.stage];
            list.enter = engines * l;
            list.work = engines * l + (engines > 1 ? 1 : 0);
            list.leave = engines * l + (engines > 1 ? 2 : 0);
            list.last = stage.leave < stage.end ? list.leave : list.work;
            const auto place = [&](std::uint32_t p, std::uint32_t begin, std::uint32_t end) {
                processes_[p].list = l;
                processes_[p].begin = processes_[p].step = begin;
                processes_[p].end = end;
            };
            if (engines == 1) {
                place(list.enter, stage.enter, stage.end);
            } else {
                place(list.enter, stage.enter, stage.work);
                place(list.work, stage.work, stage.leave);
                place(list.leave, stage.leave, stage.end);
            }
        }
        const bool collects = tables_.stages.back().messages > 0;
        lists_an_input_ = static_cast<std::uint32_t>(tables_.stages.size()) - (collects ? 0 : 1);
        if (!collects) lists_[0].turns = 0;
    }

    /// The slowest stage, and the lists that feed it and are fed by none.
    void find_sources() {
        const std::size_t stages = program_.stages.size();
        if (stages == 0) return;
        for (std::uint32_t s = 1; s < stages; ++s) {
            const StageSteps &a = tables_.stages[s], &b = tables_.stages[slowest_];
            if (Wide{a.busy} * b.replicas > Wide{b.busy} * a.replicas) slowest_ = s;
        }
        std::vector<char> feeds(stages), fed(stages);
        feeds[slowest_] = 1;
        for (bool more = true; more;) {  // once, where channels are in the order of their senders
            more = false;
            for (const ChannelPlace& channel : std::views::reverse(tables_.channels)) {
                if (channel.from_host || channel.to == stages) continue;
                fed[channel.to] = 1;
                if (feeds[channel.to] && !feeds[channel.from]) feeds[channel.from] = 1, more = true;
            }
        }
        source_.resize(lists_.size());
        for (std::size_t l = 1; l < lists_.size(); ++l)
            if (feeds[lists_[l].stage] && !fed[lists_[l].stage]) {
                source_[l] = 1;
                ++sources_;
            }
    }

    // --- lists ---------------------------------------------------------------------------------------------------------

    [[nodiscard]] std::int64_t input_of(const List& list, std::int64_t turn) const {
        return list.replica + turn * tables_.stages[list.stage].replicas;
    }
    struct Place {
        std::uint32_t list;
        std::int64_t turn;
    };
    /// Which list of a stage serves an input, as which of its turns.
    [[nodiscard]] Place place_of(std::uint32_t stage, std::int64_t input) const {
        const StageSteps& at = tables_.stages[stage];
        if (at.replicas == 1) return {at.first_list, input};
        const std::int64_t turn = input / at.replicas;
        return {at.first_list + static_cast<std::uint32_t>(input - turn * at.replicas), turn};
    }
    [[nodiscard]] std::size_t flag_of(const ChannelPlace& channel, const Place& at) const {
        const auto replica = static_cast<std::size_t>(at.list - tables_.stages[channel.to].first_list);
        return channel.flags + replica * channel.credits + (static_cast<std::size_t>(at.turn) & (channel.credits - 1));
    }
    [[nodiscard]] Wires::Route route_of(const Message& message) const {
        const ChannelPlace& channel = tables_.channels[message.key];
        const auto input = static_cast<std::int64_t>(message.tag);
        return wires_.route(std::int64_t{place_of(channel.from, input).list} - 1, std::int64_t{place_of(channel.to, input).list} - 1);
    }

    void advance_ready() {
        for (std::size_t i = 0; i < ready_.size(); ++i)  // grows on the way
            if (!processes_[ready_[i]].busy) advance(ready_[i]);
        ready_.clear();
    }

    void advance(std::uint32_t p) {
        while (true) {
            Process& process = processes_[p];
            const List& list = lists_[process.list];
            if (process.begin == process.end || process.turn == list.turns || !may_begin(p)) return;
            begin_step(p);
            const Time duration = tables_.steps[process.step].duration;
            if (duration > 0) {
                process.busy = true;
                engine_.start(MachineId(p), duration);
                return;
            }
            end_step(p);
        }
    }

    [[nodiscard]] bool may_begin(std::uint32_t p) {
        Process& process = processes_[p];
        const List& list = lists_[process.list];
        const Step& step = tables_.steps[process.step];
        switch (step.kind) {
            case StepKind::enter: {
                const ChannelPlace& channel = tables_.channels[step.first];
                if (channel.from_host) return list.worked + channel.credits > process.turn;
                return flags_[flag_of(channel, {process.list, process.turn})] != 0;
            }
            case StepKind::work: {
                const StageSteps& stage = tables_.stages[list.stage];
                return (list.entered > process.turn || process.begin < process.step || stage.enter == stage.work) &&
                       open_[list.open + (static_cast<std::size_t>(process.turn) & (stage.slots - 1))] == 0;
            }
            case StepKind::leave:
                if (list.worked <= process.turn) return false;
                for (std::uint32_t i = step.first; i < step.first + step.count; ++i) {
                    const ChannelPlace& channel = tables_.channels[tables_.leaving[i]];
                    const Place to = place_of(channel.to, input_of(list, process.turn));
                    List& reader = lists_[to.list];
                    if (reader.worked + channel.credits > to.turn) continue;
                    if (!process.waiting) {
                        process.waiting = true;
                        process.next_waiter = std::exchange(reader.waiters, p);
                    }
                    return false;
                }
                return true;
        }
        return false;
    }

    void begin_step(std::uint32_t p) {
        Process& process = processes_[p];
        List& list = lists_[process.list];
        const Step& step = tables_.steps[process.step];
        const std::int64_t input = input_of(list, process.turn);
        process.started = engine_.now();
        if (process.turn == list.begun) begin_turn(list, input);
        switch (step.kind) {
            case StepKind::enter:
                if (const ChannelPlace& channel = tables_.channels[step.first]; channel.from_host) account(process.list, channel.bytes);
                break;
            case StepKind::work: {
                const StageSteps& stage = tables_.stages[list.stage];
                open_[list.open + (static_cast<std::size_t>(process.turn) & (stage.slots - 1))] = stage.sends;
                account(process.list, stage.out_bytes + stage.scratch);
                break;
            }
            case StepKind::leave:
                for (std::uint32_t i = step.first; i < step.first + step.count; ++i) {
                    const std::uint32_t c = tables_.leaving[i];
                    const ChannelPlace& channel = tables_.channels[c];
                    account(place_of(channel.to, input).list, channel.bytes);
                    if (channel.on_wire == 0) continue;
                    if (const auto hops = route_of({.tag = static_cast<std::uint64_t>(input), .key = c}).hops; hops > 0)
                        engine_.send(static_cast<std::uint64_t>(input), c, hops, channel.on_wire);
                }
        }
    }

    void end_step(std::uint32_t p) {
        const Step& step = tables_.steps[processes_[p].step];
        const std::uint32_t l = processes_[p].list;
        const std::int64_t turn = processes_[p].turn, input = input_of(lists_[l], turn);
        if (options_.trace) trace_step(p, input);
        switch (step.kind) {
            case StepKind::enter:
                if (const ChannelPlace& channel = tables_.channels[step.first]; !channel.from_host) flags_[flag_of(channel, {l, turn})] = 0;
                break;
            case StepKind::work:
                end_work(l, turn);
                break;
            case StepKind::leave:
                for (std::uint32_t i = step.first; i < step.first + step.count; ++i) {
                    const std::uint32_t c = tables_.leaving[i];
                    if (tables_.channels[c].on_wire == 0 || route_of({.tag = static_cast<std::uint64_t>(input), .key = c}).hops == 0)
                        deliver(c, input);
                }
        }
        Process& process = processes_[p];
        if (++process.step < process.end) return;
        process.step = process.begin;
        ++process.turn;
        List& list = lists_[l];
        const StageSteps& stage = tables_.stages[list.stage];
        if (p == list.enter && list.enter != list.work) {
            ++list.entered;
            ready_.push_back(list.work);
        }
        if (l > 0 && source_[l] && p == (stage.enter < stage.work ? list.enter : list.work)) note_progress(list, process.turn);
        if (p == list.last) end_turn(input);
    }

    void begin_turn(List& list, std::int64_t input) {
        const StageSteps& stage = tables_.stages[list.stage];
        if (stage.messages > 0 && arrived_[list.arrived + (static_cast<std::size_t>(list.begun) & (stage.window - 1))] == stage.messages)
            change_queue(list, -1);
        ++list.begun;
        UnderWay& record = under_way(input);
        if (record.start < 0) record.start = engine_.now();
    }

    void end_work(std::uint32_t l, std::int64_t turn) {
        List& list = lists_[l];
        const StageSteps& stage = tables_.stages[list.stage];
        arrived_[list.arrived + (static_cast<std::size_t>(turn) & (stage.window - 1))] = 0;
        ++list.worked;
        account(l, -stage.in_bytes - stage.scratch - (stage.sends == 0 ? stage.out_bytes : 0));
        for (std::uint32_t w = std::exchange(list.waiters, kNone); w != kNone;) {
            Process& waiter = processes_[w];
            ready_.push_back(w);
            waiter.waiting = false;
            w = std::exchange(waiter.next_waiter, kNone);
        }
        if (list.leave != list.work) {
            ready_.push_back(list.leave);
            ready_.push_back(list.enter);  // what comes from the host waits for a buffer
        }
    }

    /// The message of channel c for this input lies in its buffer; the sender's is free once all of them do.
    void deliver(std::uint32_t c, std::int64_t input) {
        const ChannelPlace& channel = tables_.channels[c];
        const Place to = place_of(channel.to, input), from = place_of(channel.from, input);
        flags_[flag_of(channel, to)] = 1;
        List& reader = lists_[to.list];
        const StageSteps& stage = tables_.stages[reader.stage];
        if (++arrived_[reader.arrived + (static_cast<std::size_t>(to.turn) & (stage.window - 1))] == stage.messages &&
            to.turn >= reader.begun)
            change_queue(reader, 1);
        ready_.push_back(reader.enter);

        List& sender = lists_[from.list];
        const StageSteps& at = tables_.stages[sender.stage];
        if (--open_[sender.open + (static_cast<std::size_t>(from.turn) & (at.slots - 1))] > 0) return;
        account(from.list, -at.out_bytes);
        ready_.push_back(sender.work);
    }

    void change_queue(List& list, std::int64_t by) {
        list.queue_area += Wide{list.queue} * (engine_.now() - list.queue_since);
        if (engine_.now() > list.queue_since) list.longest = std::max(list.longest, list.queue);  // what no time passes in is no queue
        list.queue_since = engine_.now();
        list.queue += by;
    }

    // --- inputs on their way -------------------------------------------------------------------------------------------

    UnderWay& under_way(std::int64_t input) {
        const auto ahead = static_cast<std::size_t>(input) - outputs_.size();
        if (ahead >= under_way_.size()) grow_under_way(ahead + 1);
        return under_way_[static_cast<std::size_t>(input) & (under_way_.size() - 1)];
    }
    void grow_under_way(std::size_t least) {
        std::vector<UnderWay> grown(std::bit_ceil(least), UnderWay{.start = -1, .open = lists_an_input_});
        for (std::size_t i = outputs_.size(); i < outputs_.size() + under_way_.size(); ++i)
            grown[i & (grown.size() - 1)] = under_way_[i & (under_way_.size() - 1)];
        under_way_ = std::move(grown);
    }

    void end_turn(std::int64_t input) {
        --under_way(input).open;
        while (static_cast<std::int64_t>(outputs_.size()) < inputs_) {
            UnderWay& next = under_way(static_cast<std::int64_t>(outputs_.size()));
            if (next.open > 0) break;
            const Time latency = engine_.now() - next.start;
            if (outputs_.empty()) first_latency_ = latency;
            largest_latency_ = std::max(largest_latency_, latency);
            latencies_ += latency;
            next = {.start = -1, .open = lists_an_input_};
            outputs_.push_back(engine_.now());
        }
    }

    /// Of a list that feeds the slowest stage: the steady part begins and ends here.
    void note_progress(const List& list, std::int64_t done) {
        if (done == list.turns / 2 && ++half_done_ == sources_) take(half_);
        if (done == list.turns && end_.time < 0) take(end_);
    }

    void take(Snapshot& snapshot) {
        snapshot.time = engine_.now();
        for (std::size_t p = 0; p < processes_.size(); ++p) snapshot.machines.push_back(engine_.busy_time(MachineId(p)));
        for (std::size_t i = 0; i < wires_.link_count(); ++i) snapshot.links.push_back(engine_.busy_time(LinkId(i)));
        for (List& list : lists_) {
            change_queue(list, 0);
            snapshot.queues.push_back(list.queue_area);
        }
    }

    // --- memory and trace ----------------------------------------------------------------------------------------------

    void account(std::uint32_t l, std::int64_t bytes) {
        if (l == 0 || bytes == 0) return;  // the host's memory is not of interest
        ledger_.add(l, bytes);
        if (!options_.trace) return;
        const std::uint32_t track = lists_[l].work;
        auto& last = last_counter_[l];
        if (last != kNone && result_.counters[last].time.count() == engine_.now()) {
            result_.counters[last].value = ledger_.now(l).count;
        } else {
            last = static_cast<std::uint32_t>(result_.counters.size());
            result_.counters.push_back({track, Duration{engine_.now()}, ledger_.now(l).count});
        }
    }

    void begin_trace() {
        for (const program::Channel& channel : program_.channels) result_.names.push_back(channel.tensor);
        work_name_ = static_cast<std::uint32_t>(result_.names.size());
        result_.names.emplace_back("work");
        for (std::uint32_t p = 0; p < processes_.size(); ++p) {
            const List& list = lists_[processes_[p].list];
            const std::string group =
                processes_[p].list == 0
                    ? std::string("host")
                    : std::format("device {} (stage {}{})", processes_[p].list - 1, list.stage,
                                  tables_.stages[list.stage].replicas > 1 ? std::format(", replica {}", list.replica) : "");
            result_.tracks.push_back({group, !tables_.overlap ? "device" : p == list.enter ? "in" : p == list.work ? "compute" : "out"});
        }
        link_tracks_ = static_cast<std::uint32_t>(result_.tracks.size());
        for (std::size_t i = 0; i < wires_.link_count(); ++i) result_.tracks.push_back({"links", wires_.name_of(LinkId(i))});
        last_counter_.assign(lists_.size(), kNone);
        // Channels of one tensor share the flow of its leaving.
        flow_group_.resize(tables_.channels.size());
        for (const Step& step : tables_.steps)
            for (std::uint32_t i = step.first; step.kind == StepKind::leave && i < step.first + step.count; ++i)
                flow_group_[tables_.leaving[i]] = tables_.leaving[step.first];
    }
    [[nodiscard]] std::uint64_t flow_of(std::uint32_t channel, std::int64_t input) const {
        return static_cast<std::uint64_t>(input) * tables_.channels.size() + flow_group_[channel] + 1;
    }
    void trace(std::uint32_t track, std::uint32_t name, std::int64_t input, Time start, std::uint64_t flow) {
        if (start < engine_.now()) result_.tasks.push_back({track, name, input, Duration{start}, Duration{engine_.now()}, flow});
    }
    void trace_step(std::uint32_t p, std::int64_t input) {
        const Step& step = tables_.steps[processes_[p].step];
        if (step.kind == StepKind::work) return trace(p, work_name_, input, processes_[p].started, 0);
        const std::uint32_t c = step.kind == StepKind::enter ? step.first : tables_.leaving[step.first];
        trace(p, c, input, processes_[p].started, tables_.channels[c].from_host ? 0 : flow_of(c, input));
    }

    // --- what is known at the end --------------------------------------------------------------------------------------

    InferenceResult result() {
        InferenceResult& r = result_;
        r.events = engine_.events();
        r.outputs = static_cast<std::int64_t>(outputs_.size());
        r.bottleneck = StageId(slowest_);
        if (!program_.stages.empty()) {
            r.bottleneck_work = Duration{tables_.stages[slowest_].busy};
            r.bottleneck_replicas = tables_.stages[slowest_].replicas;
        }
        if (outputs_.empty()) return std::move(r);
        r.makespan = Duration{outputs_.back()};
        r.first_latency = Duration{first_latency_};
        r.largest_latency = Duration{largest_latency_};
        r.mean_latency = Duration{static_cast<std::int64_t>(latencies_ / static_cast<Wide>(outputs_.size()))};
        find_steady(r);
        if (end_.time < 0 || end_.time <= half_.time || half_.time < 0 || !r.steady) {  // too short: over everything
            half_ = {.time = 0,
                     .machines = std::vector<Time>(processes_.size()),
                     .links = std::vector<Time>(wires_.link_count()),
                     .queues = std::vector<Wide>(lists_.size())};
            end_ = {};
            take(end_);
        }
        add_stages(r);
        add_links(r);
        return std::move(r);
    }

    void find_steady(InferenceResult& r) const {
        const auto at = [&](std::ptrdiff_t i) { return outputs_[static_cast<std::size_t>(i)]; };
        std::ptrdiff_t first = 0, last = -1;
        if (half_.time >= 0 && end_.time > half_.time) {
            first = std::ranges::lower_bound(outputs_, half_.time) - outputs_.begin();
            last = std::ranges::upper_bound(outputs_, end_.time) - outputs_.begin() - 1;
        }
        r.steady = last > first && at(last) > at(first);
        if (!r.steady) {
            last = static_cast<std::ptrdiff_t>(outputs_.size()) - 1;
            first = last / 2;
            if (at(first) == at(last)) first = 0;
        }
        std::int64_t period = 1;
        for (const StageSteps& stage : tables_.stages) {
            const std::int64_t factor = stage.replicas / std::gcd(period, stage.replicas);
            if (factor > (last - first) / period) {
                period = 1;
                break;
            }
            period *= factor;
        }
        first = last - (last - first) / period * period;
        r.steady_inputs = last - first;
        r.steady_time = Duration{at(last) - at(first)};
        if (r.steady_time > Duration{0})
            r.throughput_per_s = static_cast<double>(r.steady_inputs) * 1e12 / static_cast<double>(r.steady_time.count());
    }

    void add_stages(InferenceResult& r) {
        const auto span = static_cast<double>(end_.time - half_.time);
        const auto share = [&](double part) { return span > 0 ? part / span : 0; };
        for (std::uint32_t s = 0; s < program_.stages.size(); ++s) {
            const StageSteps& stage = tables_.stages[s];
            StageUse use;
            use.busy = Duration{stage.busy};
            for (std::uint32_t l = stage.first_list; l < stage.first_list + stage.replicas; ++l) {
                const List& list = lists_[l];
                Time busy = 0;
                for (const std::uint32_t p : {list.enter, list.work, list.leave})
                    busy = std::max(busy, end_.machines[p] - half_.machines[p]);
                use.utilisation += share(static_cast<double>(busy)) / static_cast<double>(stage.replicas);
                use.mean_queue += share(static_cast<double>(end_.queues[l] - half_.queues[l])) / static_cast<double>(stage.replicas);
                use.longest_queue = std::max(use.longest_queue, list.longest);
                use.peak_memory = std::max(use.peak_memory, ledger_.peak(l));
            }
            use.reserved_memory = program_.stages[s].parameters + Bytes{stage.scratch + stage.out_bytes * stage.slots};
            for (const ChannelPlace& channel : tables_.channels)
                if (channel.to == s) use.reserved_memory += Bytes{channel.bytes * channel.credits};
            r.stages.push_back(use);
        }
    }

    void add_links(InferenceResult& r) {
        const auto span = static_cast<double>(end_.time - half_.time);
        for (std::size_t i = 0; i < wires_.link_count(); ++i) {
            const LinkId link(i);
            if (link_bytes_[i] == 0 && engine_.busy_time(link) == 0) continue;
            r.links.push_back({.name = wires_.name_of(link),
                               .utilisation = span > 0 ? static_cast<double>(end_.links[i] - half_.links[i]) / span : 0,
                               .longest_queue = engine_.longest_queue(link),
                               .bytes = {link_bytes_[i]}});
        }
    }

    const Program& program_;
    const Tables& tables_;
    const Wires& wires_;
    const InferenceOptions& options_;
    const std::int64_t inputs_;
    Engine<Run> engine_;
    Ledger ledger_;
    std::vector<Process> processes_;
    std::vector<List> lists_;
    std::vector<std::uint32_t> ready_;
    std::vector<char> flags_;             // per channel, receiving replica and buffer: the message is there
    std::vector<std::uint32_t> arrived_;  // per list and turn of its window: messages that are there
    std::vector<std::uint32_t> open_;     // per list and output slot: sends that have not arrived
    std::vector<std::int64_t> link_bytes_;
    std::vector<UnderWay> under_way_;  // a ring, from the next output on
    std::vector<Time> outputs_;        // when each input's last part was out, in input order
    std::uint32_t lists_an_input_ = 0;
    Time first_latency_ = 0, largest_latency_ = 0;
    Wide latencies_ = 0;
    std::uint32_t slowest_ = 0, sources_ = 0, half_done_ = 0;
    std::vector<char> source_;  // per list
    Snapshot half_, end_;
    std::uint32_t work_name_ = 0, link_tracks_ = 0;
    std::vector<std::uint32_t> last_counter_, flow_group_;
    InferenceResult result_;
};

/// Nothing is shared there, so it follows from the messages alone: per pair of stages, mean over the pairs of devices.
void add_uniform_links(const Program& program, InferenceResult& result) {
    struct Pair {
        std::size_t from, to;
        std::int64_t bytes, transfer;
    };
    std::vector<Pair> pairs;
    for (const program::Channel& channel : program.channels)
        if (channel.from.valid() && channel.to.valid())
            pairs.push_back({channel.from.index(), channel.to.index(), channel.bytes.count, channel.transfer.count()});
    std::ranges::stable_sort(pairs, {}, [](const Pair& pair) { return std::pair(pair.from, pair.to); });
    for (std::size_t i = 0; i < pairs.size();) {
        Pair sum{pairs[i].from, pairs[i].to, 0, 0};
        for (; i < pairs.size() && pairs[i].from == sum.from && pairs[i].to == sum.to; ++i) {
            sum.bytes += pairs[i].bytes;
            sum.transfer += pairs[i].transfer;
        }
        const std::int64_t devices = std::lcm(program.stages[sum.from].replicas, program.stages[sum.to].replicas);
        result.links.push_back(
            {.name = std::format("stage {} -> stage {}", sum.from, sum.to),
             .utilisation = static_cast<double>(sum.transfer) * 1e-12 * result.throughput_per_s / static_cast<double>(devices),
             .longest_queue = 0,
             .bytes = {checked_multiply(sum.bytes, result.outputs).value_or(std::numeric_limits<std::int64_t>::max())}});
    }
}

/// Tasks of an input, with its messages on their links as the first input's are.
Result<void> check_trace(const Tables& tables, const Wires& wires, const InferenceOptions& options) {
    std::int64_t tasks = 0;
    for (const Step& step : tables.steps) tasks += step.duration > 0;
    for (const ChannelPlace& channel : tables.channels)
        if (channel.on_wire > 0)
            tasks +=
                wires
                    .route(std::int64_t{tables.stages[channel.from].first_list} - 1, std::int64_t{tables.stages[channel.to].first_list} - 1)
                    .hops;
    if (tasks == 0 || options.inputs <= options.most_tasks / tasks) return {};
    const std::int64_t possible = options.most_tasks / tasks;
    Diagnostic diagnostic = usage_error(
        std::format("a trace of {} inputs has {} tasks for each; {} in all are possible", options.inputs, tasks, options.most_tasks));
    diagnostic.help = possible > 0 ? std::format("trace at most {} inputs: --inputs {}", possible, possible) : "simulate without a trace";
    return fail(std::move(diagnostic));
}

}  // namespace

Result<InferenceResult> simulate_inference(const Program& program, const platform::Platform& platform, const InferenceOptions& options) {
    if (auto sound = platform::check(platform); !sound) return fail(std::move(sound.error()));
    if (auto faults = program::faults_of(program); !faults.empty()) return fail(std::move(faults.front()));
    if (options.inputs < 1 || options.inputs > kMostInputs)
        return fail(usage_error(std::format("{} inputs asked for; 1 to {} can be simulated", options.inputs, kMostInputs)));
    if (program.stages.empty()) return fail(input_error("the program has no stages"));
    const Wires wires(platform, program.ranks - 1);
    const auto tables = tables_of(program, platform, wires, options.sharing, options.inputs);
    if (!tables) return fail(tables.error());
    if (options.trace)
        if (auto small = check_trace(*tables, wires, options); !small) return fail(std::move(small.error()));
    InferenceResult result = Run(program, *tables, wires, options).run();
    if (result.outputs == 0) return fail({DiagnosticKind::stopped, "stopped before the first of the inputs came out", {}, {}, {}});
    if (platform.topology == platform::Topology::uniform) add_uniform_links(program, result);
    return result;
}

}  // namespace sluice::simulate
