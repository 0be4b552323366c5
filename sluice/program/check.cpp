#include "sluice/program/check.hpp"

#include <algorithm>
#include <bit>
#include <format>
#include <span>

namespace sluice::program {

namespace {

constexpr std::size_t kNamed = 8;  // members of a cycle that the message itself names

bool power_of_two(std::int64_t count) { return count > 0 && std::has_single_bit(static_cast<std::uint64_t>(count)); }

class Check {
public:
    explicit Check(const Program& program) : program_(program) {}

    std::vector<Diagnostic> run() {
        check_stages();
        check_channels();
        if (faults_.empty()) check_lists();  // what they speak of exists
        if (faults_.empty()) check_order();
        return std::move(faults_);
    }

private:
    void refuse(std::string message) { faults_.push_back(input_error(std::move(message))); }

    [[nodiscard]] std::string name_of(ChannelId id) const {
        return std::format("channel {} ('{}')", id.index(), program_.channels[id.index()].tensor);
    }
    [[nodiscard]] static std::string name_of(const InstructionList& list) {
        if (list.role == Role::stage) return std::format("rank {} (stage {})", list.rank, list.stage.index());
        return list.role == Role::feed ? "the host's feed" : "the host's collect";
    }

    void check_stages() {
        const auto& ranks = program_.ranks;
        if (ranks < 1 || ranks > kMostRanks)
            return refuse(std::format("the program has {} ranks; 1 to {} are possible", ranks, kMostRanks));
        std::int64_t next = 1;
        for (std::size_t s = 0; s < program_.stages.size(); ++s) {
            const Stage& stage = program_.stages[s];
            if (stage.replicas < 1 || stage.replicas > ranks)
                return refuse(std::format("stage {} has {} replicas; the program has {} ranks", s, stage.replicas, ranks));
            if (stage.first_rank != next)
                return refuse(std::format("stage {} begins at rank {}, not at rank {}: the ranks of stages follow each other from 1", s,
                                          stage.first_rank, next));
            next += stage.replicas;
            if (!power_of_two(stage.output_slots))
                refuse(std::format("stage {} has {} output slots, no power of two", s, stage.output_slots));
            if (std::min(stage.work, stage.spill) < Duration{0} || std::min(stage.parameters, stage.peak) < Bytes{})
                refuse(std::format("stage {} has a time or size below zero", s));
        }
        if (next != ranks) refuse(std::format("host and stages have {} ranks, the program {}", next, ranks));
    }

    void check_channels() {
        const auto exists = [&](StageId stage) { return !stage.valid() || stage.index() < program_.stages.size(); };
        for (std::size_t c = 0; c < program_.channels.size(); ++c) {
            const Channel& channel = program_.channels[c];
            const std::string name = name_of(ChannelId(c));
            if (!exists(channel.from) || !exists(channel.to))
                refuse(std::format("{} leads to or from a stage that does not exist; there are {}", name, program_.stages.size()));
            else if (channel.from == channel.to)
                refuse(channel.from.valid() ? std::format("{} leads from stage {} to itself", name, channel.from.index())
                                            : std::format("{} leads from the host to the host", name));
            if (!power_of_two(channel.credits)) refuse(std::format("{} has {} credits, no power of two", name, channel.credits));
            if (channel.bytes < Bytes{} || channel.transfer < Duration{0}) refuse(std::format("{} has a time or size below zero", name));
        }
    }

    void check_lists() {
        const auto& lists = program_.lists;
        if (lists.size() != static_cast<std::size_t>(program_.ranks) + 1)
            return refuse(std::format("the program has {} lists; {} ranks need {}: feed, collect and one for each replica", lists.size(),
                                      program_.ranks, program_.ranks + 1));
        std::vector<std::int64_t> sends(program_.stages.size() + 1), receives(program_.stages.size() + 1);  // the host last
        const auto at = [&](StageId stage) { return stage.valid() ? stage.index() : program_.stages.size(); };
        for (const Channel& channel : program_.channels) {
            ++sends[at(channel.from)];
            ++receives[at(channel.to)];
        }
        std::vector<std::size_t> seen(program_.channels.size(), lists.size());  // the last list that has an instruction for it
        for (std::size_t l = 0; l < lists.size(); ++l) {
            const InstructionList& list = lists[l];
            if (!check_place(list, l)) continue;
            const std::size_t stage = list.role == Role::stage ? list.stage.index() : program_.stages.size();
            if (!check_body(list, l, seen)) continue;
            const auto count = [&](InstructionKind kind) { return std::ranges::count(list.body, kind, &Instruction::kind); };
            const auto wanted_receives = list.role == Role::feed ? 0 : receives[stage];
            const auto wanted_sends = list.role == Role::collect ? 0 : sends[stage];
            if (count(InstructionKind::receive) != wanted_receives || count(InstructionKind::send) != wanted_sends)
                name_missing(list, l, seen);
            if (count(InstructionKind::forward) != (list.role == Role::stage ? 1 : 0))
                refuse(std::format("{} has {} forwards", name_of(list), count(InstructionKind::forward)));
        }
    }

    /// Who the list says it is, and that the lists of a stage share out the inputs.
    bool check_place(const InstructionList& list, std::size_t l) {
        const std::size_t before = faults_.size();
        const Role role = l == 0 ? Role::feed : l == 1 ? Role::collect : Role::stage;
        if (list.role != role) {
            refuse(std::format("list {} is not in its place: feed, collect, then the stages' replicas by rank", l));
        } else if (role != Role::stage) {
            if (list.rank != 0 || list.first != 0 || list.stride != 1)
                refuse(std::format("{} is at rank {} and takes inputs {}, {} + {}, …; the host is rank 0 and takes all", name_of(list),
                                   list.rank, list.first, list.first, list.stride));
        } else if (!list.stage.valid() || list.stage.index() >= program_.stages.size()) {
            refuse(std::format("list {} is of a stage that does not exist; there are {}", l, program_.stages.size()));
        } else {
            const Stage& stage = program_.stages[list.stage.index()];
            if (list.rank != static_cast<std::int64_t>(l) - 1 || list.replica < 0 || list.replica >= stage.replicas ||
                list.rank != stage.first_rank + list.replica)
                refuse(std::format("list {} is replica {} of stage {} at rank {}: each rank has one list, in the order of ranks", l,
                                   list.replica, list.stage.index(), list.rank));
            else if (list.first != list.replica || list.stride != stage.replicas)
                refuse(std::format("{} takes inputs {}, {} + {}, …; replica {} of {} takes {}, {} + {}, …", name_of(list), list.first,
                                   list.first, list.stride, list.replica, stage.replicas, list.replica, list.replica, stage.replicas));
        }
        return faults_.size() == before;
    }

    /// Each instruction on its own: a channel of this stage, once, on its side of the forward.
    bool check_body(const InstructionList& list, std::size_t l, std::vector<std::size_t>& seen) {
        const std::size_t before = faults_.size();
        const StageId stage = list.role == Role::stage ? list.stage : StageId{};
        bool forwarded = list.role == Role::feed;
        for (const Instruction& instruction : list.body) {
            if (instruction.kind == InstructionKind::forward) {
                forwarded = true;
                continue;
            }
            if (!instruction.channel.valid() || instruction.channel.index() >= program_.channels.size()) {
                refuse(std::format("{} has a {} of a channel that does not exist; there are {}", name_of(list), to_text(instruction.kind),
                                   program_.channels.size()));
                continue;
            }
            const Channel& channel = program_.channels[instruction.channel.index()];
            const bool sends = instruction.kind == InstructionKind::send;
            if ((sends ? channel.from : channel.to) != stage)
                refuse(std::format("{} has a {} of {}, which does not {} there", name_of(list), to_text(instruction.kind),
                                   name_of(instruction.channel), sends ? "begin" : "end"));
            else if (seen[instruction.channel.index()] == l)
                refuse(std::format("{} has the {} of {} twice", name_of(list), to_text(instruction.kind), name_of(instruction.channel)));
            else if (sends != forwarded)
                refuse(std::format("{} has the {} of {} {} its forward", name_of(list), to_text(instruction.kind),
                                   name_of(instruction.channel), sends ? "before" : "after"));
            seen[instruction.channel.index()] = l;
        }
        return faults_.size() == before;
    }

    void name_missing(const InstructionList& list, std::size_t l, std::span<const std::size_t> seen) {
        const StageId stage = list.role == Role::stage ? list.stage : StageId{};
        for (std::size_t c = 0; c < program_.channels.size(); ++c) {
            const Channel& channel = program_.channels[c];
            const bool sends = list.role != Role::collect && channel.from == stage;
            const bool receives = list.role != Role::feed && channel.to == stage;
            if ((sends || receives) && seen[c] != l)
                refuse(std::format("{} has no {} of {}", name_of(list), sends ? "send" : "receive", name_of(ChannelId(c))));
        }
    }

    /// The stage graph sorted; what is left has a cycle, which is a deadlock.
    void check_order() {
        const std::size_t stages = program_.stages.size();
        std::vector<std::vector<ChannelId>> after(stages);
        std::vector<std::size_t> waiting(stages), ready;
        for (std::size_t c = 0; c < program_.channels.size(); ++c) {
            const Channel& channel = program_.channels[c];
            if (!channel.from.valid() || !channel.to.valid()) continue;
            after[channel.from.index()].push_back(ChannelId(c));
            ++waiting[channel.to.index()];
        }
        for (std::size_t s = 0; s < stages; ++s)
            if (waiting[s] == 0) ready.push_back(s);
        std::size_t sorted = 0;
        for (; !ready.empty(); ++sorted) {
            const std::size_t s = ready.back();
            ready.pop_back();
            for (ChannelId c : after[s])
                if (--waiting[program_.channels[c.index()].to.index()] == 0) ready.push_back(program_.channels[c.index()].to.index());
        }
        if (sorted < stages) return name_cycle(waiting);
        for (std::size_t c = 0; c < program_.channels.size(); ++c) {
            const Channel& channel = program_.channels[c];
            if (channel.from.valid() && channel.to.valid() && channel.to < channel.from)
                refuse(std::format("{} leads from stage {} back to stage {}: stages are in topological order", name_of(ChannelId(c)),
                                   channel.from.index(), channel.to.index()));
        }
    }

    /// Every stage that still waits receives from one that still waits: walk back until a stage repeats.
    void name_cycle(std::span<const std::size_t> waiting) {
        std::vector<ChannelId> by(waiting.size());
        for (std::size_t c = program_.channels.size(); c-- > 0;) {
            const Channel& channel = program_.channels[c];
            if (channel.from.valid() && channel.to.valid() && waiting[channel.from.index()] > 0 && waiting[channel.to.index()] > 0)
                by[channel.to.index()] = ChannelId(c);
        }
        const auto source = [&](std::size_t s) { return program_.channels[by[s].index()].from.index(); };
        std::vector<char> seen(waiting.size());
        auto start = static_cast<std::size_t>(std::ranges::find_if(waiting, [](std::size_t count) { return count > 0; }) - waiting.begin());
        for (; !seen[start]; start = source(start)) seen[start] = 1;

        const auto who = [&](std::size_t s) { return std::format("rank {} (stage {})", program_.stages[s].first_rank, s); };
        std::string text = "deadlock: " + who(start);
        std::size_t named = 0, length = 0, s = start;
        do {
            if (named < kNamed) {
                text += std::format("{} waits to receive '{}' of input 0 from {}", length == 0 ? "" : ", which",
                                    program_.channels[by[s].index()].tensor, who(source(s)));
                ++named;
            }
            ++length;
            s = source(s);
        } while (s != start);
        if (length > named) text += std::format(", which waits, and so on: {} stages wait for each other", length);
        faults_.push_back(input_error(std::move(text)).fix("a stage must not need what is made from its own output"));
    }

    const Program& program_;
    std::vector<Diagnostic> faults_;
};

}  // namespace

std::vector<Diagnostic> faults_of(const Program& program) { return Check(program).run(); }

}  // namespace sluice::program
