#include "sluice/program/program.hpp"

namespace sluice::program {

namespace {

std::int64_t rank_at(const Program& program, StageId stage, std::int64_t input) {
    if (!stage.valid()) return 0;
    const Stage& at = program.stages[stage.index()];
    return at.first_rank + input % at.replicas;
}

}  // namespace

std::string_view to_text(InstructionKind kind) {
    switch (kind) {
        case InstructionKind::receive:
            return "receive";
        case InstructionKind::forward:
            return "forward";
        case InstructionKind::send:
            break;
    }
    return "send";
}

std::int64_t sender_of(const Program& program, ChannelId channel, std::int64_t input) {
    return rank_at(program, program.channels[channel.index()].from, input);
}

std::int64_t receiver_of(const Program& program, ChannelId channel, std::int64_t input) {
    return rank_at(program, program.channels[channel.index()].to, input);
}

}  // namespace sluice::program
