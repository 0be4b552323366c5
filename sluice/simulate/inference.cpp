#include "sluice/simulate/inference.hpp"

#include <optional>
#include <ranges>

#include "sluice/base/wide.hpp"
#include "sluice/program/check.hpp"
#include "sluice/simulate/inference_outputs.hpp"
#include "sluice/simulate/inference_tables.hpp"
#include "sluice/simulate/inference_trace.hpp"

namespace sluice::simulate {

namespace {

using program::Program;

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

class InferenceRun {
public:
    InferenceRun(const Program& program, const Tables& tables, const Wires& wires, const InferenceOptions& options)
        : program_(program),
          tables_(tables),
          wires_(wires),
          options_(options),
          inputs_(options.inputs),
          outputs_(tables, options.inputs),
          engine_(*this, tables.overlap ? 3 * std::size_t{tables.lists} : tables.lists, wires.link_count(), options.sharing),
          ledger_(tables.lists) {
        make_lists();
        find_sources();
        flags_.resize(tables_.flags);
        if (options_.trace) trace_.emplace(program, tables, wires);
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
        if (trace_ && start != kShared) trace_->carried(link, message.key, static_cast<std::int64_t>(message.tag), start, engine_.now());
    }
    bool proceed() {
        if (options_.progress) options_.progress(std::ssize(outputs_.times()), engine_.events());
        return !options_.stop.stop_requested();
    }

private:
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
        if (tables_.stages.back().messages == 0) lists_[0].turns = 0;  // nothing to collect
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
        if (trace_) trace_->step(p, step, input, processes_[p].started, engine_.now());
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
        if (p == list.last) outputs_.end(input, engine_.now());
    }

    void begin_turn(List& list, std::int64_t input) {
        const StageSteps& stage = tables_.stages[list.stage];
        if (stage.messages > 0 && arrived_[list.arrived + (static_cast<std::size_t>(list.begun) & (stage.window - 1))] == stage.messages)
            change_queue(list, -1);
        ++list.begun;
        outputs_.begin(input, engine_.now());
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

    // --- memory ----------------------------------------------------------------------------------------------

    void account(std::uint32_t l, std::int64_t bytes) {
        if (l == 0 || bytes == 0) return;  // the host's memory is not of interest
        ledger_.add(l, bytes);
        if (trace_) trace_->memory(l, lists_[l].work, ledger_.now(l), engine_.now());
    }

    // --- what is known at the end --------------------------------------------------------------------------------------

    InferenceResult result() {
        InferenceResult& r = result_;
        r.events = engine_.events();
        r.outputs = std::ssize(outputs_.times());
        if (trace_) trace_->move_to(r);
        r.bottleneck = StageId(slowest_);
        if (!program_.stages.empty()) {
            r.bottleneck_work = Duration{tables_.stages[slowest_].busy};
            r.bottleneck_replicas = tables_.stages[slowest_].replicas;
        }
        if (r.outputs == 0) return std::move(r);
        outputs_.add_to(r, tables_, half_.time, end_.time);
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
    Outputs outputs_;
    Engine<InferenceRun> engine_;
    Ledger ledger_;
    std::vector<Process> processes_;
    std::vector<List> lists_;
    std::vector<std::uint32_t> ready_;
    std::vector<char> flags_;             // per channel, receiving replica and buffer: the message is there
    std::vector<std::uint32_t> arrived_;  // per list and turn of its window: messages that are there
    std::vector<std::uint32_t> open_;     // per list and output slot: sends that have not arrived
    std::vector<std::int64_t> link_bytes_;
    std::uint32_t slowest_ = 0, sources_ = 0, half_done_ = 0;
    std::vector<char> source_;  // per list
    Snapshot half_, end_;
    std::optional<InferenceTrace> trace_;
    InferenceResult result_;
};

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
    InferenceResult result = InferenceRun(program, *tables, wires, options).run();
    if (result.outputs == 0) return fail({DiagnosticKind::stopped, "stopped before the first of the inputs came out", {}, {}, {}});
    if (platform.topology == platform::Topology::uniform) add_uniform_links(program, result);
    return result;
}

}  // namespace sluice::simulate
