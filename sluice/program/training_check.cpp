#include <algorithm>
#include <format>

#include "sluice/program/training_program.hpp"

namespace sluice::program {

namespace {

/// Executes the lists without time: an instruction is done as soon as it may be.
class Execution {
public:
    explicit Execution(const TrainingProgram& program) : program_(program) {}

    std::vector<Diagnostic> run() {
        check_parts();
        if (!faults_.empty()) return std::move(faults_);
        stages_.resize(program_.stages.size());
        channels_.resize(program_.channels.size());
        came_.resize(program_.reductions.size());
        at_.resize(program_.lists.size(), 0);
        for (std::uint32_t c = 0; c < program_.channels.size(); ++c) stages_[program_.channels[c].to].entering.push_back(c);
        for (std::uint32_t r = 0; r < program_.reductions.size(); ++r)
            for (const std::uint32_t s : program_.reductions[r].stages) stages_[s].reductions.push_back(r);
        for (bool moved = true; moved && faults_.empty();) {
            moved = false;
            for (std::uint32_t g = 0; g < at_.size(); ++g)
                while (faults_.empty() && at_[g] < program_.lists[g].size() && advance(g, program_.lists[g][at_[g]])) {
                    ++at_[g];
                    moved = true;
                }
        }
        if (faults_.empty()) check_end();
        return std::move(faults_);
    }

private:
    struct Stage {
        std::int64_t forward = 0, input = 0, weight = 0;
        bool stepped = false;
        std::vector<std::uint32_t> entering;    // channels
        std::vector<std::uint32_t> reductions;  // of it
    };
    struct Channel {
        std::int64_t sent = 0, received = 0, consumed = 0;
    };

    template <typename... Parts>
    bool complain(std::format_string<Parts...> text, Parts&&... parts) {
        faults_.push_back(verification_error(std::format(text, std::forward<Parts>(parts)...)));
        return false;
    }

    void check_parts() {
        if (program_.mini_batch < 1) complain("a mini-batch of {} samples", program_.mini_batch);
        if (program_.lists.size() != program_.groups.size())
            complain("{} lists for {} groups of devices", program_.lists.size(), program_.groups.size());
        for (std::size_t s = 0; s < program_.stages.size(); ++s) {
            const ProgramStage& stage = program_.stages[s];
            if (stage.group >= program_.groups.size())
                complain("stage {} is on group {}; there are {}", s, stage.group, program_.groups.size());
            if (stage.micro_batch < 1 || stage.count < 1 || stage.count > program_.mini_batch ||
                stage.micro_batch != program_.mini_batch / stage.count || program_.mini_batch % stage.count != 0)
                complain("stage {}: {} micro-batches of {} samples are no mini-batch of {}", s, stage.count, stage.micro_batch,
                         program_.mini_batch);
        }
        if (!faults_.empty()) return;
        for (std::size_t c = 0; c < program_.channels.size(); ++c) {
            const TrainingChannel& channel = program_.channels[c];
            if (channel.from >= program_.stages.size() || channel.to >= program_.stages.size()) {
                complain("channel {} joins stages {} and {}; there are {}", c, channel.from, channel.to, program_.stages.size());
                continue;
            }
            if (channel.gradient ? channel.from <= channel.to : channel.from >= channel.to)
                complain("channel {} goes from stage {} to stage {}, against their order", c, channel.from, channel.to);
            if (channel.credits < 1) complain("channel {} has no buffer", c);
            for (const std::uint32_t s : {channel.from, channel.to})
                if (channel.samples < 1 || program_.stages[s].micro_batch % channel.samples != 0 ||
                    channel.chunks != program_.mini_batch / channel.samples)
                    complain("channel {}: {} chunks of {} samples do not make micro-batches of {}", c, channel.chunks, channel.samples,
                             program_.stages[s].micro_batch);
        }
        for (std::size_t r = 0; r < program_.reductions.size(); ++r)
            for (const std::uint32_t s : program_.reductions[r].stages)
                if (s >= program_.stages.size()) complain("reduction {} is of stage {}; there are {}", r, s, program_.stages.size());
    }

    /// True when the instruction could be done.
    bool advance(std::uint32_t group, const TrainingInstruction& instruction) {
        const std::uint32_t of = instruction.of;
        switch (instruction.step) {
            case TrainingStep::receive:
            case TrainingStep::send:
                if (of >= channels_.size()) return complain("group {}: there is no channel {}", group, of);
                return instruction.step == TrainingStep::send ? send(group, of, instruction.index) : receive(group, of, instruction.index);
            case TrainingStep::all_reduce:
                if (of >= came_.size()) return complain("group {}: there is no reduction {}", group, of);
                ++came_[of];
                return true;
            case TrainingStep::forward:
            case TrainingStep::backward_input:
            case TrainingStep::backward_weight:
            case TrainingStep::optimizer_step:
                break;
        }
        if (of >= stages_.size() || program_.stages[of].group != group) return complain("group {} has no stage {}", group, of);
        return instruction.step == TrainingStep::optimizer_step ? step(of) : pass(of, instruction);
    }

    bool send(std::uint32_t group, std::uint32_t c, std::uint32_t n) {
        const TrainingChannel& channel = program_.channels[c];
        Channel& state = channels_[c];
        const Stage& sender = stages_[channel.from];
        if (program_.stages[channel.from].group != group) return complain("group {} sends on channel {}, which leaves another", group, c);
        if (n != state.sent || n >= channel.chunks)
            return complain("channel {}: chunk {} is sent after {} chunks of {}", c, n, state.sent, channel.chunks);
        const std::int64_t made = (channel.gradient ? sender.input : sender.forward) * program_.stages[channel.from].micro_batch;
        if ((n + std::int64_t{1}) * channel.samples > made) return complain("channel {}: chunk {} is sent before it was made", c, n);
        if (n - state.consumed >= 2 * channel.credits) return false;  // chunk n - credits has not been taken over: rendezvous
        ++state.sent;
        return true;
    }
    bool receive(std::uint32_t group, std::uint32_t c, std::uint32_t n) {
        const TrainingChannel& channel = program_.channels[c];
        Channel& state = channels_[c];
        if (program_.stages[channel.to].group != group) return complain("group {} receives on channel {}, which enters another", group, c);
        if (n != state.received || n >= channel.chunks)
            return complain("channel {}: chunk {} is received after {} chunks of {}", c, n, state.received, channel.chunks);
        if (n - state.consumed >= channel.credits)
            return complain("channel {}: chunk {} has no buffer: {} wait to be read", c, n, channel.credits);
        if (state.sent <= n) return false;
        ++state.received;
        return true;
    }

    [[nodiscard]] bool is_local(const TrainingChannel& channel) const {
        return program_.stages[channel.from].group == program_.stages[channel.to].group;
    }

    /// Samples that every channel of one kind into a stage, and every stage of its own group that feeds it, has brought.
    bool has_read(std::uint32_t s, std::int64_t samples, bool gradient) {
        for (const std::uint32_t c : stages_[s].entering) {
            const TrainingChannel& channel = program_.channels[c];
            if (channel.gradient != gradient) continue;
            if (is_local(channel)) {
                const std::int64_t made =
                    (gradient ? stages_[channel.from].input : stages_[channel.from].forward) * program_.stages[channel.from].micro_batch;
                if (made < samples)
                    return complain("stage {} works on sample {} before stage {} of its own group made it", s, samples - 1, channel.from);
                continue;
            }
            if (channels_[c].received * channel.samples < samples)
                return complain("stage {} works on sample {} before channel {} brought it", s, samples - 1, c);
        }
        for (const std::uint32_t c : stages_[s].entering)
            if (program_.channels[c].gradient == gradient) channels_[c].consumed = samples / program_.channels[c].samples;
        return true;
    }

    bool pass(std::uint32_t s, const TrainingInstruction& instruction) {
        const ProgramStage& stage = program_.stages[s];
        Stage& state = stages_[s];
        const std::int64_t i = instruction.index, samples = (i + 1) * stage.micro_batch;
        std::int64_t& done = instruction.step == TrainingStep::forward          ? state.forward
                             : instruction.step == TrainingStep::backward_input ? state.input
                                                                                : state.weight;
        if (i != done || i >= stage.count)
            return complain("stage {}: {} {} comes after {} of {}", s, to_text(instruction.step), i, done, stage.count);
        if (instruction.step == TrainingStep::forward) {
            if (state.forward - state.weight >= stage.in_flight)
                return complain("stage {}: forward {} with {} micro-batches in flight, its cap", s, i, stage.in_flight);
            if (!has_read(s, samples, false)) return false;
        } else if (instruction.step == TrainingStep::backward_input) {
            if (state.forward <= i) return complain("stage {}: backward_input {} comes before its forward pass", s, i);
            if (!has_read(s, samples, true)) return false;
        } else if (state.input <= i) {
            return complain("stage {}: backward_weight {} comes before backward_input", s, i);
        }
        ++done;
        return true;
    }

    bool step(std::uint32_t s) {
        if (stages_[s].weight < program_.stages[s].count) return complain("stage {}: its weights change before its last gradient", s);
        for (const std::uint32_t r : stages_[s].reductions)
            if (came_[r] < program_.reductions[r].stages.size()) return false;
        if (stages_[s].stepped) return complain("stage {} has two optimizer steps", s);
        stages_[s].stepped = true;
        return true;
    }

    void check_end() {
        Diagnostic stuck = verification_error("deadlock: no group can go on when every send waits for its receive");
        for (std::size_t g = 0; g < at_.size(); ++g)
            if (at_[g] < program_.lists[g].size()) {
                const TrainingInstruction& instruction = program_.lists[g][at_[g]];
                stuck.notes.push_back(
                    std::format("group {} is stuck at {} {} of {}", g, to_text(instruction.step), instruction.index, instruction.of));
            }
        if (!stuck.notes.empty()) {
            faults_.push_back(std::move(stuck));
            return;
        }
        for (std::size_t s = 0; s < stages_.size(); ++s)
            if (const Stage& state = stages_[s]; state.weight < program_.stages[s].count || !state.stepped)
                complain("stage {} ends after {} of {} micro-batches{}", s, state.weight, program_.stages[s].count,
                         state.stepped ? "" : ", without an optimizer step");
        for (std::size_t c = 0; c < channels_.size(); ++c)
            if (!is_local(program_.channels[c]) && channels_[c].received < program_.channels[c].chunks)
                complain("channel {}: {} of {} chunks are received", c, channels_[c].received, program_.channels[c].chunks);
    }

    const TrainingProgram& program_;
    std::vector<Diagnostic> faults_;
    std::vector<Stage> stages_;
    std::vector<Channel> channels_;
    std::vector<std::size_t> came_;
    std::vector<std::size_t> at_;
};

}  // namespace

std::string_view to_text(TrainingStep step) {
    switch (step) {
        case TrainingStep::receive:
            return "receive";
        case TrainingStep::forward:
            return "forward";
        case TrainingStep::backward_input:
            return "backward_input";
        case TrainingStep::backward_weight:
            return "backward_weight";
        case TrainingStep::send:
            return "send";
        case TrainingStep::all_reduce:
            return "all_reduce";
        case TrainingStep::optimizer_step:
            return "optimizer_step";
    }
    return "";
}

std::vector<Diagnostic> faults_of(const TrainingProgram& program) { return Execution(program).run(); }

}  // namespace sluice::program
