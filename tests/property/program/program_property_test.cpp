// What lower makes passes the check and runs; what the check says of a changed program is what executing it shows.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sluice/program/check.hpp"
#include "sluice/program/program_file.hpp"
#include "tests/support/execute_program.hpp"
#include "tests/support/random_program.hpp"

namespace sluice::program {
namespace {

using test::ProgramExecution;
using test::RandomProblemOptions;

constexpr std::int64_t kInputs = 17;
constexpr int kProgramsACase = 20;

bool deadlocks(const std::vector<Diagnostic>& faults) {
    return std::ranges::any_of(faults, [](const Diagnostic& fault) { return fault.message.starts_with("deadlock"); });
}

RC_GTEST_PROP(Lower, PassesTheCheckRunsAndAgreesWithTheObjective, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < kProgramsACase; ++i) {
        const auto plan = test::random_lowered_plan(random, RandomProblemOptions::everything(24), 1 + random.below(9), 4);
        const auto faults = faults_of(plan.program);
        if (!faults.empty()) RC_FAIL(to_text(faults.front()));
        RC_ASSERT(ProgramExecution(plan.program, kInputs).run());

        // Entering and leaving times are those of the objective: distinct tensors in, each tensor out once.
        for (std::size_t s = 0; s < plan.partition.stages.size(); ++s) {
            Duration in{0}, out{0};
            TensorId last;
            for (const Channel& channel : plan.program.channels) {
                if (channel.to == StageId(s)) in += channel.transfer;
                if (channel.from == StageId(s) && channel.transfer > Duration{0} && channel.tensor_id != last) {
                    out += channel.transfer;
                    last = channel.tensor_id;
                }
            }
            const auto terms = cost::stage_terms(plan.problem, plan.partition.stages[s].nodes, plan.partition.stages[s].device);
            RC_ASSERT(in == terms.in);
            RC_ASSERT(out == terms.out);
            RC_ASSERT(plan.program.stages[s].work == terms.work);
            RC_ASSERT(plan.program.stages[s].spill == terms.spill);
        }
        const auto read =
            json::parse(json::to_file_text(to_json(plan.program)), "p").and_then([](const json::Node& n) { return read_program(n); });
        RC_ASSERT(read.has_value());
        RC_ASSERT(*read == plan.program);
    }
}

/// One change that a hand or a faulty tool might make.
void mutate(Program& program, RandomStream& random) {
    const auto list = [&]() -> InstructionList& { return program.lists[random.below(program.lists.size())]; };
    switch (random.below(8)) {
        case 0:  // drop an instruction
            if (auto& body = list().body; !body.empty()) body.erase(body.begin() + static_cast<std::ptrdiff_t>(random.below(body.size())));
            break;
        case 1: {  // reorder
            auto& body = list().body;
            if (body.size() > 1) std::swap(body[random.below(body.size())], body[random.below(body.size())]);
            break;
        }
        case 2:  // too few credits
            if (!program.channels.empty())
                program.channels[random.below(program.channels.size())].credits = std::int64_t{1} << random.below(3);
            break;
        case 3:
            if (!program.channels.empty()) program.channels[random.below(program.channels.size())].credits = random.between(-1, 3);
            break;
        case 4:
            program.stages[random.below(program.stages.size())].output_slots = random.between(0, 2);
            break;
        case 5:  // another channel in an instruction
            if (auto& body = list().body; !body.empty() && !program.channels.empty())
                body[random.below(body.size())].channel = ChannelId(random.below(program.channels.size()));
            break;
        case 6:
            list().first += 1;
            break;
        default: {  // a shuffled list, replicas of a stage each in an order of its own
            auto& body = list().body;
            random.shuffle(std::span(body));
        }
    }
}

RC_GTEST_PROP(Check, WhatPassesRunsAfterAnyChange, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < kProgramsACase; ++i) {
        const auto plan = test::random_lowered_plan(random, RandomProblemOptions::everything(16), 1 + random.below(6), 3);
        Program changed = plan.program;
        for (std::size_t m = 0, count = 1 + random.below(3); m < count; ++m) mutate(changed, random);
        const auto faults = faults_of(changed);
        if (faults.empty()) RC_ASSERT(ProgramExecution(changed, kInputs).run());
        if (changed == plan.program) RC_ASSERT(faults.empty());
    }
}

RC_GTEST_PROP(Check, SaysDeadlockExactlyWhenExecutionStops, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < kProgramsACase; ++i) {
        const std::size_t stages = 1 + random.below(6);
        std::vector<test::StageSketch> sketches;
        for (std::size_t s = 0; s < stages; ++s) sketches.push_back({1, random.between(1, 3)});
        std::vector<test::ChannelSketch> channels;
        for (std::size_t c = 0, count = random.below(12); c < count; ++c) {
            const int from = static_cast<int>(random.below(stages + 1)) - 1, to = static_cast<int>(random.below(stages + 1)) - 1;
            if (from != to && (from < to || to < 0 || random.chance(0.3)))
                channels.push_back({from, to, 0, std::int64_t{1} << random.below(3)});
        }
        Program program = test::program_of(sketches, channels);
        for (Stage& stage : program.stages) stage.output_slots = std::int64_t{1} << random.below(2);
        const auto faults = faults_of(program);
        const bool runs = ProgramExecution(program, kInputs).run();
        RC_ASSERT(deadlocks(faults) == !runs);
    }
}

}  // namespace
}  // namespace sluice::program
