// Statements that hold for every plan, in integers.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "sluice/base/wide.hpp"
#include "sluice/cost/partition.hpp"
#include "sluice/simulate/inference.hpp"
#include "tests/support/random_program.hpp"

namespace sluice::simulate {
namespace {

using test::LoweredPlan;
using test::RandomProblemOptions;

constexpr int kPlansACase = 4;

RandomProblemOptions options() {
    RandomProblemOptions options = RandomProblemOptions::everything(14);
    options.hard = 0;
    return options;
}

InferenceResult simulated(const LoweredPlan& plan, const InferenceOptions& how) {
    return test::detail::must(simulate_inference(plan.program, plan.platform, how));
}

/// f of each stage, from the objective.
std::vector<std::int64_t> stage_times(const LoweredPlan& plan) {
    std::vector<std::int64_t> times;
    for (const cost::Stage& stage : plan.partition.stages)
        times.push_back(cost::stage_time(plan.problem.model, cost::stage_terms(plan.problem, stage.nodes, stage.device)).count());
    return times;
}

// The steady throughput is 1 / max f/r, exactly: steady_time x r = steady_inputs x f. The numbers are small, so transients are short
// against the inputs: two branches of nearly equal period need (difference in latency) / (difference in period) inputs to settle.
RC_GTEST_PROP(Inference, SteadyThroughputIsOneOverTheBottleneckExactly, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int round = 0; round < kPlansACase; ++round) {
        const auto plan = test::random_lowered_plan(random, options(), 1 + random.below(7), 4);
        const auto times = stage_times(plan);
        std::size_t slowest = 0;
        for (std::size_t s = 1; s < times.size(); ++s)
            if (times[s] * plan.partition.stages[slowest].replicas > times[slowest] * plan.partition.stages[s].replicas) slowest = s;
        if (times[slowest] == 0) continue;
        const auto result = simulated(plan, {.inputs = 6000});
        RC_ASSERT(result.steady);
        RC_ASSERT(result.bottleneck_work.count() * plan.partition.stages[slowest].replicas == times[slowest] * result.bottleneck_replicas);
        RC_ASSERT(Wide{result.steady_time.count()} * result.bottleneck_replicas ==
                  Wide{result.steady_inputs} * result.bottleneck_work.count());
        const StageUse& use = result.stages[result.bottleneck.index()];
        if (result.bottleneck_replicas == 1) RC_ASSERT(use.utilisation == 1.0);
        for (const StageUse& stage : result.stages) RC_ASSERT(stage.utilisation <= 1.0 && stage.peak_memory <= stage.reserved_memory);
    }
}

/// When each task of the first input ends, by definition: a longest path. Serial: one list a stage, in the program's order.
std::int64_t longest_path(const program::Program& program) {
    std::map<std::size_t, std::int64_t> arrives;  // channel
    std::int64_t end = 0, begin = -1;
    for (const program::InstructionList& list : program.lists) {
        if (list.role != program::Role::stage || list.replica != 0) continue;
        std::int64_t now = 0;
        const program::Stage& stage = program.stages[list.stage.index()];
        std::map<TensorId, std::vector<std::size_t>> left;
        std::vector<TensorId> order;
        for (const auto& instruction : list.body) {
            const std::size_t c = instruction.channel.index();
            if (instruction.kind == program::InstructionKind::receive) {
                const program::Channel& channel = program.channels[c];
                if (channel.from.valid()) now = std::max(now, arrives.at(c));
                if (begin < 0 || now < begin) begin = now;
                now += channel.transfer.count();
            } else if (instruction.kind == program::InstructionKind::forward) {
                if (begin < 0 || now < begin) begin = now;
                now += (stage.work + stage.spill).count();
            } else {
                const TensorId tensor = program.channels[c].tensor_id;
                if (!left.contains(tensor)) order.push_back(tensor);
                left[tensor].push_back(c);
            }
        }
        for (const TensorId tensor : order) {
            Duration time{0};
            for (const std::size_t c : left[tensor]) time = std::max(time, program.channels[c].transfer);
            now += time.count();
            for (const std::size_t c : left[tensor]) arrives[c] = now;
        }
        end = std::max(end, now);
    }
    return end;
}

RC_GTEST_PROP(Inference, LatencyOfOneInputIsTheLongestPath, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int round = 0; round < kPlansACase; ++round) {
        auto how = options();
        how.overlap = 0;
        const auto plan = test::random_lowered_plan(random, how, 1 + random.below(9), 3);
        const auto result = simulated(plan, {.inputs = 1});
        RC_ASSERT(result.makespan.count() == longest_path(plan.program));
        RC_ASSERT(result.makespan <= cost::price(plan.problem, plan.partition).latency);
        RC_ASSERT(result.first_latency <= result.makespan);
    }
}

platform::Platform with_topology(platform::Platform platform, RandomStream& random) {
    platform.topology = static_cast<platform::Topology>(random.below(4));
    if (platform.topology == platform::Topology::hierarchy) {
        platform.devices_per_node = random.between(1, 3);
        platform.node_link = {ByteRate{random.between(100'000'000'000, 2'000'000'000'000)}, Duration{random.between(0, 3)}};
    }
    return platform;
}

RC_GTEST_PROP(Inference, SharedLinksNeverSpeedAnythingUpAndEverythingArrives, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int round = 0; round < kPlansACase; ++round) {
        auto plan = test::random_lowered_plan(random, options(), 1 + random.below(9), 3);
        plan.platform = with_topology(plan.platform, random);
        for (const LinkSharing sharing : {LinkSharing::fifo, LinkSharing::fair}) {
            const auto shared = simulated(plan, {.inputs = 300, .sharing = sharing});
            const auto free = simulated(plan, {.inputs = 300, .sharing = LinkSharing::free});
            RC_ASSERT(shared.outputs == 300);
            RC_ASSERT(shared.makespan >= free.makespan);
            for (const LinkUse& link : shared.links) RC_ASSERT(link.utilisation <= 1.0 + 1e-9);
            // Twice the same, to the last figure.
            const auto again = simulated(plan, {.inputs = 300, .sharing = sharing});
            RC_ASSERT(again.steady_time == shared.steady_time && again.events == shared.events &&
                      again.mean_latency == shared.mean_latency);
        }
    }
}

RC_GTEST_PROP(Inference, ATraceHoldsEveryTaskOnceAndNothingOverlapsOnATrack, ()) {
    RandomStream random(*rc::gen::arbitrary<std::uint64_t>());
    for (int round = 0; round < kPlansACase; ++round) {
        auto plan = test::random_lowered_plan(random, options(), 1 + random.below(6), 3);
        plan.platform = with_topology(plan.platform, random);
        constexpr std::int64_t kInputs = 40;
        const auto result = simulated(plan, {.inputs = kInputs, .trace = true});
        std::map<std::uint32_t, std::vector<TraceTask>> tracks;
        for (const TraceTask& task : result.tasks) {
            RC_ASSERT(task.track < result.tracks.size() && task.name < result.names.size());
            RC_ASSERT(task.start < task.end && task.end <= result.makespan);
            tracks[task.track].push_back(task);
        }
        for (auto& [track, tasks] : tracks) {
            std::ranges::sort(tasks, {}, &TraceTask::start);
            for (std::size_t i = 1; i < tasks.size(); ++i) RC_ASSERT(tasks[i - 1].end <= tasks[i].start);
        }
        std::size_t works = 0;
        for (const TraceTask& task : result.tasks) works += result.names[task.name] == "work";
        std::size_t working = 0;
        for (const program::Stage& stage : plan.program.stages) working += stage.work + stage.spill > Duration{0};
        RC_ASSERT(works == working * kInputs);
        // Memory ends where it began, and its highest value is what the table says.
        std::map<std::uint32_t, std::int64_t> highest;
        for (const TraceCounter& counter : result.counters) highest[counter.track] = std::max(highest[counter.track], counter.value);
        Bytes most, said;
        for (const auto& [track, value] : highest) most = std::max(most, Bytes{value});
        for (const StageUse& stage : result.stages) said = std::max(said, stage.peak_memory);
        RC_ASSERT(most <= said);
    }
}

}  // namespace
}  // namespace sluice::simulate
