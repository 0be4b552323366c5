#include "sluice/report/actions.hpp"

#include <algorithm>
#include <format>
#include <numeric>
#include <vector>

namespace sluice::report {

namespace {

using program::TrainingInstruction;
using program::TrainingProgram;
using program::TrainingStep;

Result<void> check(const TrainingProgram& program) {
    constexpr const char* kHelp = "what reads this sends to the next stage alone, from as many devices: fewer stages, or another --method";
    for (std::size_t s = 1; s < program.stages.size(); ++s)
        if (program.stages[s].micro_batch != program.stages[0].micro_batch)
            return fail(
                input_error(std::format("stage {} has micro-batches of {} samples, stage 0 of {}: the pipelines that read this have one "
                                        "size for all",
                                        s, program.stages[s].micro_batch, program.stages[0].micro_batch))
                    .fix("plan again with --micro-batch N"));
    std::vector<char> fed(program.stages.size(), 0);
    for (const program::TrainingChannel& channel : program.channels) {
        if (channel.gradient || channel.tensors.empty()) continue;  // nothing travels where a stage only waits for another
        if (channel.to != channel.from + 1)
            return fail(
                input_error(std::format("the stages are no chain: stage {} sends to stage {}", channel.from, channel.to)).fix(kHelp));
        fed[channel.to] = 1;
    }
    for (std::size_t s = 1; s < program.stages.size(); ++s)
        if (!fed[s])
            return fail(input_error(std::format("the stages are no chain: stage {} reads nothing of stage {}", s, s - 1)).fix(kHelp));
    for (const program::DeviceGroup& group : program.groups)
        if (group.devices != program.groups[0].devices)
            return fail(
                input_error(std::format("the stage on device {} has {} replicas, that on device {} has {}: the pipelines that read this "
                                        "have as many of each",
                                        group.first_device, group.devices, program.groups[0].first_device, program.groups[0].devices))
                    .fix(kHelp));
    return {};
}

}  // namespace

Result<std::string> actions_csv(const TrainingProgram& program) {
    if (auto checked = check(program); !checked) return fail(std::move(checked.error()));
    std::vector<std::size_t> ranks(program.groups.size());
    std::iota(ranks.begin(), ranks.end(), std::size_t{0});
    std::ranges::sort(ranks, {}, [&](std::size_t g) { return program.groups[g].first_device; });
    std::string text;
    for (const std::size_t g : ranks) {
        std::vector<TrainingInstruction> passes;
        for (const TrainingInstruction& instruction : program.lists[g])
            if (instruction.step == TrainingStep::forward || instruction.step == TrainingStep::backward_input ||
                instruction.step == TrainingStep::backward_weight)
                passes.push_back(instruction);
        for (std::size_t i = 0; i < passes.size(); ++i) {
            const auto [step, stage, index] = passes[i];
            char letter = step == TrainingStep::forward ? 'F' : step == TrainingStep::backward_input ? 'I' : 'W';
            const bool joint = letter == 'I' && i + 1 < passes.size() && passes[i + 1].step == TrainingStep::backward_weight &&
                               passes[i + 1].of == stage && passes[i + 1].index == index;
            text += std::format("{}{}{}{}", text.empty() || text.back() == '\n' ? "" : ",", stage, joint ? 'B' : letter, index);
            i += joint;
        }
        text += '\n';
    }
    return text;
}

}  // namespace sluice::report
