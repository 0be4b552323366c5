// A program executed by the letter of program/program.hpp, without time: every list goes as far as it can, again and again, under
// rendezvous sends. Slow and plain; what the deadlock check is held against.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sluice/program/program.hpp"

namespace sluice::test {

class ProgramExecution {
public:
    ProgramExecution(const program::Program& program, std::int64_t inputs) : program_(program), inputs_(inputs) {}

    /// True when every list gets through all its inputs.
    bool run() {
        at_.assign(program_.lists.size(), {});
        for (std::size_t l = 0; l < at_.size(); ++l) at_[l].input = program_.lists[l].first;
        for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t l = 0; l < at_.size(); ++l)
                while (step(l)) moved = true;
        }
        for (const Position& position : at_)
            if (position.input < inputs_) return false;
        return true;
    }

private:
    using Message = std::pair<std::size_t, std::int64_t>;  // channel, input
    struct Position {
        std::int64_t input = 0;
        std::size_t instruction = 0;
    };

    /// The turn after which the receiver is done with an input: forward of a stage, the end of the body of collect.
    bool consumed(StageId stage, std::int64_t input) const { return consumed_.contains({stage, input}); }

    bool posted(std::size_t channel, std::int64_t input) const {
        const program::Channel& c = program_.channels[channel];
        const std::int64_t stride = c.to.valid() ? program_.stages[c.to.index()].replicas : 1;
        const std::int64_t freeing = input - c.credits * stride;
        return freeing < 0 || consumed(c.to, freeing);
    }
    bool complete(std::size_t channel, std::int64_t input) const { return sent_.contains({channel, input}) && posted(channel, input); }

    bool step(std::size_t l) {
        const program::InstructionList& list = program_.lists[l];
        Position& at = at_[l];
        if (at.input >= inputs_) return false;
        if (at.instruction == list.body.size()) {
            if (list.role == program::Role::collect) consumed_.insert({StageId{}, at.input});
            at = {at.input + list.stride, 0};
            return true;
        }
        const program::Instruction& instruction = list.body[at.instruction];
        switch (instruction.kind) {
            case program::InstructionKind::receive:
                if (!complete(instruction.channel.index(), at.input)) return false;
                break;
            case program::InstructionKind::forward: {
                const std::int64_t before = at.input - program_.stages[list.stage.index()].output_slots * list.stride;
                for (const program::Instruction& other : list.body)
                    if (before >= 0 && other.kind == program::InstructionKind::send && !complete(other.channel.index(), before))
                        return false;
                consumed_.insert({list.stage, at.input});
                break;
            }
            case program::InstructionKind::send:
                sent_.insert({instruction.channel.index(), at.input});
                break;
        }
        ++at.instruction;
        return true;
    }

    const program::Program& program_;
    std::int64_t inputs_;
    std::vector<Position> at_;
    std::set<Message> sent_;
    std::set<std::pair<StageId, std::int64_t>> consumed_;
};

}  // namespace sluice::test
