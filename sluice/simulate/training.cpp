#include "sluice/simulate/training.hpp"

#include <algorithm>
#include <array>
#include <format>
#include <map>

#include "sluice/base/stop_check.hpp"
#include "sluice/base/wide.hpp"

namespace sluice::simulate {

namespace {

using program::TrainingChannel;
using program::TrainingInstruction;
using program::TrainingProgram;
using program::TrainingStep;

/// A part of every chunk of a channel: over these links, each for so long.
struct Part {
    std::uint32_t channel = 0, hops = 0;
    std::array<std::uint32_t, 4> links{};
    Time on_wire = 0;
    Bytes bytes;
};

/// Which links there are and what each channel puts on them.
class Routes {
public:
    Routes(const TrainingProgram& program, const cost::Interconnect& interconnect, bool serial)
        : program_(program), interconnect_(interconnect) {
        first_part_.reserve(program.channels.size() + 1);
        for (std::uint32_t c = 0; c < program.channels.size(); ++c) {
            first_part_.push_back(static_cast<std::uint32_t>(parts_.size()));
            if (!serial) add_parts(c);
        }
        first_part_.push_back(static_cast<std::uint32_t>(parts_.size()));
    }

    [[nodiscard]] std::span<const Part> parts_of(std::uint32_t channel) const {
        return std::span(parts_).subspan(first_part_[channel], first_part_[channel + 1] - first_part_[channel]);
    }
    [[nodiscard]] std::uint32_t first_part(std::uint32_t channel) const { return first_part_[channel]; }
    [[nodiscard]] const Part& operator[](std::uint32_t part) const { return parts_[part]; }
    [[nodiscard]] const std::vector<std::string>& links() const { return names_; }

private:
    [[nodiscard]] std::int64_t node_of(std::int64_t device) const {
        return interconnect_.devices_per_node > 0 ? device / interconnect_.devices_per_node : 0;
    }
    /// Replicas [first, last) of a group that are on a node.
    [[nodiscard]] std::pair<std::int64_t, std::int64_t> replicas_on(const program::DeviceGroup& group, std::int64_t node) const {
        if (interconnect_.devices_per_node == 0) return {0, group.devices};
        const std::int64_t first = node * interconnect_.devices_per_node - group.first_device;
        return {std::max<std::int64_t>(0, first), std::min(group.devices, first + interconnect_.devices_per_node)};
    }

    std::uint32_t link(std::string name) {
        const auto [place, fresh] = numbers_.emplace(std::move(name), static_cast<std::uint32_t>(names_.size()));
        if (fresh) names_.push_back(place->first);
        return place->second;
    }

    void add_parts(std::uint32_t c) {
        const TrainingChannel& channel = program_.channels[c];
        const std::uint32_t u = program_.stages[channel.from].group, v = program_.stages[channel.to].group;
        if (u == v) return;
        const program::DeviceGroup &from = program_.groups[u], &to = program_.groups[v];
        // Of a chunk's n samples replica i of r has [i n / r, (i + 1) n / r), both rounded up; sample x is thus on replica x r / n.
        const auto samples = [&](const program::DeviceGroup& group, std::pair<std::int64_t, std::int64_t> replicas) {
            const auto until = [&](std::int64_t i) { return (i * channel.samples + group.devices - 1) / group.devices; };
            return std::pair{until(replicas.first), until(replicas.second)};
        };
        const auto node_with = [&](std::int64_t sample) { return node_of(to.first_device + sample * to.devices / channel.samples); };
        for (std::int64_t a = node_of(from.first_device); a <= node_of(from.first_device + from.devices - 1); ++a) {
            const auto senders = replicas_on(from, a);
            const auto [begin, end] = samples(from, senders);
            if (begin == end) continue;
            for (std::int64_t b = node_with(begin); b <= node_with(end - 1); ++b) {
                const auto receivers = replicas_on(to, b);
                const auto [first, last] = samples(to, receivers);
                const std::int64_t count = std::min(end, last) - std::max(begin, first);
                if (count > 0) add_part(c, u, v, a, b, count, std::min(senders.second - senders.first, receivers.second - receivers.first));
            }
        }
    }
    void add_part(std::uint32_t c, std::uint32_t u, std::uint32_t v, std::int64_t a, std::int64_t b, std::int64_t samples,
                  std::int64_t pairs) {
        const std::int64_t sample = program_.channels[c].bytes.count / program_.channels[c].samples;
        Part part{.channel = c, .bytes = {sample * samples}};
        const auto by = [&](std::string name) { part.links[part.hops++] = link(std::move(name)); };
        const platform::Link& wire = a == b ? interconnect_.inside : interconnect_.between;
        const std::int64_t ways = a == b ? pairs : 1;
        by(std::format("group {} out{}", u, interconnect_.devices_per_node > 0 ? std::format(" (node {})", a) : ""));
        if (a != b) {
            by(std::format("node {} uplink", a));
            by(std::format("node {} downlink", b));
        }
        by(std::format("group {} in{}", v, interconnect_.devices_per_node > 0 ? std::format(" (node {})", b) : ""));
        const auto time = time_for({sample * ((samples + ways - 1) / ways)}, wire.rate);
        part.on_wire = time.value_or(kLargestTotal).count() + wire.latency.count();
        if (part.on_wire > 0) parts_.push_back(part);
    }

    const TrainingProgram& program_;
    const cost::Interconnect& interconnect_;
    std::vector<Part> parts_;
    std::vector<std::uint32_t> first_part_;
    std::vector<std::string> names_;
    std::map<std::string, std::uint32_t> numbers_;
};

class TrainingRun {
public:
    TrainingRun(const TrainingProgram& program, const Routes& routes, const TrainingSimulation& options, const Limits& limits)
        : program_(program),
          routes_(routes),
          options_(options),
          stopped_(limits),
          engine_(*this, 2 * program.groups.size(), routes.links().size(), LinkSharing::fifo),
          ledger_(program.groups.size()),
          groups_(program.groups.size()),
          arrived_(program.channels.size(), 0),
          parts_left_(program.channels.size()),
          awaits_(program.reductions.size(), 0),
          followers_(program.reductions.size()),
          open_(program.stages.size(), 0),
          link_bytes_(routes.links().size(), 0) {
        for (std::uint32_t c = 0; c < program.channels.size(); ++c)
            if (routes.parts_of(c).size() > 1)
                parts_left_[c].assign(static_cast<std::size_t>(program.channels[c].chunks),
                                      static_cast<std::uint32_t>(routes.parts_of(c).size()));
        std::vector<std::uint32_t> own(program.stages.size(), kNone);
        for (std::uint32_t r = 0; r < program.reductions.size(); ++r) {
            const std::vector<std::uint32_t>& stages = program.reductions[r].stages;
            for (const std::uint32_t s : stages) ++open_[s], ++awaits_[r];
            if (stages.size() == 1) own[stages.front()] = r;
        }
        // What several stages share is summed over the replicas of each before.
        for (std::uint32_t r = 0; r < program.reductions.size(); ++r)
            for (const std::uint32_t s : program.reductions[r].stages)
                if (own[s] != kNone && own[s] != r) followers_[own[s]].push_back(r), ++awaits_[r];
        if (options_.trace) begin_trace();
        for (const program::ProgramStage& stage : program.stages) account(stage.group, stage.state.count);
    }

    std::optional<TrainingResult> run() {
        for (std::uint32_t g = 0; g < groups_.size(); ++g) ready_.push_back(g);
        advance_ready();
        engine_.run();
        if (stopped_()) return std::nullopt;
        return result();
    }

    // --- what the engine tells ---------------------------------------------------------------------------------------

    void finished(MachineId machine) {
        const auto m = static_cast<std::uint32_t>(machine.index());
        if (m < groups_.size()) {
            end_pass(m);
            ready_.push_back(m);
        } else {
            end_reduction(m - static_cast<std::uint32_t>(groups_.size()));
        }
        advance_ready();
    }
    void delivered(const Message& message) {
        const Part& part = routes_[message.key];
        arrive(part.channel, static_cast<std::uint32_t>(message.tag));
        advance_ready();
    }
    LinkId link_of(const Message& message, std::uint32_t hop) const { return LinkId(routes_[message.key].links[hop]); }
    void carried(LinkId link, const Message& message, Time start) {
        link_bytes_[link.index()] += routes_[message.key].bytes.count;
        if (options_.trace)
            trace(static_cast<std::uint32_t>(2 * groups_.size() + link.index()), channel_names_ + routes_[message.key].channel,
                  static_cast<std::int64_t>(message.tag), start);
    }
    bool proceed() { return !stopped_.ask(); }

private:
    struct Group {
        std::size_t at = 0;
        bool busy = false;
        std::uint32_t awaits = kNone;  // channel
        Time started = 0;
        std::vector<std::uint32_t> reductions;  // that wait for the one under way, which is the first
    };
    void advance_ready() {
        while (!ready_.empty()) {
            const std::uint32_t g = ready_.back();
            ready_.pop_back();
            advance(g);
        }
    }
    void advance(std::uint32_t g) {
        Group& group = groups_[g];
        const auto& list = program_.lists[g];
        group.awaits = kNone;
        while (!group.busy && group.at < list.size()) {
            const TrainingInstruction& instruction = list[group.at];
            switch (instruction.step) {
                case TrainingStep::receive:
                    if (arrived_[instruction.of] <= instruction.index) {
                        group.awaits = instruction.of;
                        return;
                    }
                    ++group.at;
                    break;
                case TrainingStep::send:
                    ++group.at;
                    send(instruction.of, instruction.index);
                    break;
                case TrainingStep::all_reduce:
                    ++group.at;
                    come_to(instruction.of);
                    break;
                case TrainingStep::optimizer_step:
                    if (open_[instruction.of] > 0) return;  // end_reduction wakes it
                    begin_pass(g, program_.stages[instruction.of].optimizer);
                    break;
                case TrainingStep::forward:
                    account(g, program_.stages[instruction.of].kept.count);
                    begin_pass(g, program_.stages[instruction.of].forward);
                    break;
                case TrainingStep::backward_input:
                    account(g, program_.stages[instruction.of].recomputed.count);
                    begin_pass(g, program_.stages[instruction.of].backward_input);
                    break;
                case TrainingStep::backward_weight:
                    begin_pass(g, program_.stages[instruction.of].backward_weight);
                    break;
            }
        }
    }

    void begin_pass(std::uint32_t g, Duration time) {
        Group& group = groups_[g];
        group.started = engine_.now();
        if (time > Duration{0}) {
            group.busy = true;
            engine_.start(MachineId(g), time.count());
        } else {
            end_pass(g);
        }
    }
    void end_pass(std::uint32_t g) {
        Group& group = groups_[g];
        const TrainingInstruction& instruction = program_.lists[g][group.at];
        group.busy = false;
        if (options_.trace)
            trace(g, instruction.of * kSteps + static_cast<std::uint32_t>(instruction.step), instruction.index, group.started);
        ++group.at;
        end_ = std::max(end_, engine_.now());
        if (instruction.step != TrainingStep::backward_input && instruction.step != TrainingStep::backward_weight) return;
        const program::ProgramStage& stage = program_.stages[instruction.of];
        const auto is_joint = [&](const TrainingInstruction& other, TrainingStep step) {
            return other.step == step && other.of == instruction.of && other.index == instruction.index;
        };
        const auto& list = program_.lists[g];
        if (instruction.step == TrainingStep::backward_input) {
            if (group.at < list.size() && is_joint(list[group.at], TrainingStep::backward_weight)) return;  // kept until that is done
            account(g, stage.kept_for_weights.count - stage.kept.count - stage.recomputed.count);
        } else {
            const bool joint = group.at >= 2 && is_joint(list[group.at - 2], TrainingStep::backward_input);
            account(g, joint ? -stage.kept.count - stage.recomputed.count : -stage.kept_for_weights.count);
        }
    }

    void send(std::uint32_t c, std::uint32_t chunk) {
        const auto parts = routes_.parts_of(c);
        if (parts.empty()) return arrive(c, chunk);
        for (std::uint32_t p = 0; p < parts.size(); ++p) engine_.send(chunk, routes_.first_part(c) + p, parts[p].hops, parts[p].on_wire);
    }
    void arrive(std::uint32_t c, std::uint32_t chunk) {
        if (!parts_left_[c].empty() && --parts_left_[c][chunk] > 0) return;
        // Links are queues and every chunk goes the same ways: chunks are complete in order.
        arrived_[c] = chunk + 1;
        const std::uint32_t g = program_.stages[program_.channels[c].to].group;
        if (groups_[g].awaits == c) ready_.push_back(g);
    }

    void come_to(std::uint32_t r) {
        if (--awaits_[r] == 0) begin_reduction(r);
    }
    void begin_reduction(std::uint32_t r) {
        const program::Reduction& reduction = program_.reductions[r];
        const std::uint32_t g = program_.stages[reduction.stages.front()].group;
        groups_[g].reductions.push_back(r);
        if (groups_[g].reductions.size() == 1) start_reduction(g);
    }
    void start_reduction(std::uint32_t g) {
        const Duration time = program_.reductions[groups_[g].reductions.front()].time;
        engine_.start(MachineId(groups_.size() + g), std::max<Time>(1, time.count()));
    }
    void end_reduction(std::uint32_t g) {
        const std::uint32_t r = groups_[g].reductions.front();
        groups_[g].reductions.erase(groups_[g].reductions.begin());
        if (options_.trace)
            trace(static_cast<std::uint32_t>(groups_.size()) + g, reduction_names_ + r, 0,
                  engine_.now() - std::max<Time>(1, program_.reductions[r].time.count()));
        if (!groups_[g].reductions.empty()) start_reduction(g);
        for (const std::uint32_t f : followers_[r]) come_to(f);
        for (const std::uint32_t s : program_.reductions[r].stages)
            if (--open_[s] == 0 && !groups_[program_.stages[s].group].busy) ready_.push_back(program_.stages[s].group);
    }

    void account(std::uint32_t g, std::int64_t bytes) {
        if (bytes == 0) return;
        ledger_.add(g, bytes);
        if (options_.trace) result_.counters.push_back({.track = g, .time = Duration{engine_.now()}, .value = ledger_.now(g).count});
    }

    // --- trace and result --------------------------------------------------------------------------------------------

    static constexpr std::uint32_t kSteps = 7;

    void begin_trace() {
        for (std::size_t s = 0; s < program_.stages.size(); ++s)
            for (std::uint32_t step = 0; step < kSteps; ++step)
                result_.names.push_back(std::format("stage {} {}", s, program::to_text(static_cast<TrainingStep>(step))));
        channel_names_ = static_cast<std::uint32_t>(result_.names.size());
        for (const TrainingChannel& channel : program_.channels)
            result_.names.push_back(std::format("{} {} -> {}", channel.gradient ? "gradient" : "activation", channel.from, channel.to));
        reduction_names_ = static_cast<std::uint32_t>(result_.names.size());
        for (std::size_t r = 0; r < program_.reductions.size(); ++r)
            result_.names.push_back(std::format("all_reduce of stage {}", program_.reductions[r].stages.front()));
        for (const char* what : {"compute", "all-reduce"})
            for (const program::DeviceGroup& group : program_.groups)
                result_.tracks.push_back({group.devices == 1
                                              ? std::format("device {}", group.first_device)
                                              : std::format("devices {} to {}", group.first_device, group.first_device + group.devices - 1),
                                          what});
        for (const std::string& link : routes_.links()) result_.tracks.push_back({"links", link});
    }
    void trace(std::uint32_t track, std::uint32_t name, std::int64_t index, Time start) {
        result_.tasks.push_back({.track = track, .name = name, .input = index, .start = Duration{start}, .end = Duration{engine_.now()}});
    }

    TrainingResult result() {
        result_.iteration = Duration{end_};
        result_.events = engine_.events();
        double busy = 0, devices = 0;
        const auto whole = static_cast<double>(std::max<Time>(1, end_));
        for (std::uint32_t g = 0; g < groups_.size(); ++g) {
            GroupUse use{.busy = Duration{engine_.busy_time(MachineId(g))}, .peak_memory = ledger_.peak(g)};
            use.bubble = 1 - static_cast<double>(use.busy.count()) / whole;
            const auto count = static_cast<double>(program_.groups[g].devices);
            busy += count * static_cast<double>(use.busy.count());
            devices += count;
            result_.groups.push_back(use);
            result_.instructions += static_cast<std::int64_t>(program_.lists[g].size());
        }
        result_.bubble = 1 - busy / (devices * whole);
        for (std::uint32_t l = 0; l < link_bytes_.size(); ++l)
            if (link_bytes_[l] > 0)
                result_.links.push_back({.name = routes_.links()[l],
                                         .utilisation = static_cast<double>(engine_.busy_time(LinkId(l))) / whole,
                                         .longest_queue = engine_.longest_queue(LinkId(l)),
                                         .bytes = {link_bytes_[l]}});
        return std::move(result_);
    }

    const TrainingProgram& program_;
    const Routes& routes_;
    const TrainingSimulation& options_;
    StopCheck stopped_;
    Engine<TrainingRun> engine_;
    Ledger ledger_;
    std::vector<Group> groups_;
    std::vector<std::uint32_t> ready_;
    std::vector<std::uint32_t> arrived_;                  // chunks of each channel
    std::vector<std::vector<std::uint32_t>> parts_left_;  // of each chunk, where there are several
    std::vector<std::uint32_t> awaits_;                   // what each reduction waits for: its stages, their own reductions
    std::vector<std::vector<std::uint32_t>> followers_;   // reductions that wait for each one
    std::vector<std::uint32_t> open_;                     // reductions of each stage that are not done
    std::vector<std::int64_t> link_bytes_;
    Time end_ = 0;
    std::uint32_t channel_names_ = 0, reduction_names_ = 0;
    TrainingResult result_;
};

}  // namespace

TrainingResult simulate_training(const TrainingProgram& program, const cost::Interconnect& interconnect, bool serial,
                                 const TrainingSimulation& options) {
    return *simulate_training(program, interconnect, serial, options, Limits{});
}

std::optional<TrainingResult> simulate_training(const TrainingProgram& program, const cost::Interconnect& interconnect, bool serial,
                                                const TrainingSimulation& options, const Limits& limits) {
    const Routes routes(program, interconnect, serial);
    return TrainingRun(program, routes, options, limits).run();
}

}  // namespace sluice::simulate
