#include "sluice/runtime/pipeline.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>

#include "sluice/runtime/channels.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/sanitized.hpp"

namespace sluice::runtime {
namespace {

using program::Program;
using test::CheckingHost;
using test::ProgramMaker;
using test::RunOutcome;

/// host -x-> 0 -a-> 1 -b-> 2 -y-> host, with a skip connection s from 0 to 2.
Program chain_of_three(std::int64_t middle_replicas = 1) {
    ProgramMaker maker;
    const StageId first = maker.stage(), middle = maker.stage(middle_replicas), last = maker.stage(), host;
    maker.channel("x", 0, host, first);
    maker.channel("a", 1, first, middle);
    maker.channel("s", 2, first, last, 64, 4);
    maker.channel("b", 3, middle, last);
    maker.channel("y", 4, last, host);
    return maker.make();
}

/// Does something else at one input of one stage.
class SpecialKernel : public test::ArithmeticKernel {
public:
    using Act = std::function<Result<void>(std::span<const Message> outputs)>;
    SpecialKernel(const Program& program, const program::InstructionList& list, std::int64_t input, Act act)
        : ArithmeticKernel(program, list), input_(input), act_(std::move(act)) {}
    Result<void> run(std::int64_t slot, std::span<const Message> inputs, std::span<const Message> outputs) override {
        if (auto ran = ArithmeticKernel::run(slot, inputs, outputs); !ran) return ran;
        return inputs.front().header->input == input_ ? act_(outputs) : Result<void>();
    }

private:
    std::int64_t input_;
    Act act_;
};

test::MakeKernel special(std::size_t stage, std::int64_t input, SpecialKernel::Act act) {
    return [=](const Program& program, const program::InstructionList& list) -> std::unique_ptr<StageKernel> {
        if (list.stage.index() != stage) return std::make_unique<test::ArithmeticKernel>(program, list);
        return std::make_unique<SpecialKernel>(program, list, input, act);
    };
}

constexpr TransportOptions kSynchronous{.synchronous_sends = true};

TEST(Pipeline, AKernelThatFailsEndsTheRunWithItsDiagnostic) {
    for (std::size_t stage = 0; stage < 3; ++stage)
        for (const std::int64_t input : {0, 1, 7, 49}) {
            const Program program = chain_of_three(2);
            CheckingHost host(program, 50);
            const RunOutcome outcome = run_program(program, host, kSynchronous, {},
                                                   special(stage, input, [](auto) -> Result<void> { return fail(input_error("boom")); }));
            ASSERT_TRUE(outcome.first_failure);
            EXPECT_EQ(outcome.first_failure->message, "boom");
            const std::string who =
                stage != 1 ? std::format("stage {}", stage) : std::format("stage 1, replica {} (rank {})", input % 2, 2 + input % 2);
            EXPECT_EQ(outcome.first_failure->notes, std::vector{std::format("{}, input {}", who, input)});
            ASSERT_FALSE(outcome.host);
            EXPECT_EQ(outcome.host.error().kind, DiagnosticKind::stopped);
            EXPECT_LE(host.collected(), input);
            EXPECT_EQ(host.faults, "");
        }
}

TEST(Pipeline, AKernelThatHangsEndsTheRunAndIsNamedByWhoWaitsForIt) {
    for (const auto& [stage, waiting] : {std::pair<std::size_t, std::string>{0, "for 'a' of input 5 from stage 0"},
                                         {1, "for 'b' of input 5 from stage 1"},
                                         {2, "for 'y' of input 5 from stage 2"}}) {
        const Program program = chain_of_three();
        CheckingHost host(program, 50);
        PipelineOptions options;
        options.patience = std::chrono::seconds(1);
        std::stop_source stop;
        // The hung kernel comes back when the run is given up.
        const auto act = [&](auto) -> Result<void> {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any().wait(lock, stop.get_token(), [] { return false; });
            return {};
        };
        const RunOutcome outcome = run_program(program, host, kSynchronous, options, special(stage, 5, act), stop);
        ASSERT_TRUE(outcome.first_failure);
        EXPECT_TRUE(outcome.first_failure->message.contains(" has waited 1")) << outcome.first_failure->message;
        EXPECT_FALSE(outcome.first_failure->help.empty());
        // On a machine that is not overloaded the first failure says so (see HangPatience); on any, the next reader does.
        const auto& reader = stage == 2 ? outcome.host : outcome.stages[stage + 1];
        ASSERT_FALSE(reader);
        EXPECT_TRUE(reader.error().message.contains(waiting)) << reader.error().message;
        EXPECT_LE(host.collected(), 5);
        EXPECT_EQ(host.faults, "");
    }
}

/// Whichever stage hangs: its readers lose patience first, the nearest before the others, then its makers, the nearest before the others.
TEST(HangPatience, WhoWaitsForTheCulpritSpeaksFirst) {
    const Program program = chain_of_three();
    const auto of = [&](std::size_t list) { return Patience(program, program.lists[list], std::chrono::seconds(60)); };
    const std::vector<std::chrono::nanoseconds> order{of(2).receive, of(3).receive, of(4).receive, of(1).receive,
                                                      of(4).send,    of(3).send,    of(2).send,    of(0).send};
    EXPECT_TRUE(std::ranges::is_sorted(order, std::less_equal<>()));
    EXPECT_GE(order.front(), std::chrono::seconds(60));
    EXPECT_LE(order.back(), std::chrono::seconds(72));
    const auto for_ever = Patience(program, program.lists[0], std::chrono::nanoseconds::max());
    EXPECT_GT(for_ever.send, std::chrono::hours(24 * 365));
}

TEST(Pipeline, AnOutputLargerThanItsChannelIsRefused) {
    const Program program = chain_of_three();
    CheckingHost host(program, 10);
    const RunOutcome outcome =
        run_program(program, host, kSynchronous, {}, special(1, 3, [](std::span<const Message> outputs) -> Result<void> {
                        outputs[0].header->bytes = 65;
                        return {};
                    }));
    ASSERT_TRUE(outcome.first_failure);
    EXPECT_EQ(outcome.first_failure->message, "stage 1 made 65 B of 'b' for input 3, the channel holds 64 B");
}

TEST(Pipeline, AMessageOfAnotherInputIsRefusedByBothNumbers) {
    const Program program = chain_of_three();
    CheckingHost host(program, 10);
    const RunOutcome outcome =
        run_program(program, host, kSynchronous, {}, special(0, 4, [](std::span<const Message> outputs) -> Result<void> {
                        outputs[0].header->input = 3;
                        return {};
                    }));
    ASSERT_TRUE(outcome.first_failure);
    EXPECT_EQ(outcome.first_failure->message, "stage 1 expected 'a' of input 4 from stage 0 and got that of input 3");
    EXPECT_EQ(host.faults, "");
}

TEST(Pipeline, AChannelThatEndsBeforeAnotherIsRefused) {
    const Program program = chain_of_three();
    CheckingHost host(program, 10);
    const RunOutcome outcome =
        run_program(program, host, kSynchronous, {}, special(0, 4, [](std::span<const Message> outputs) -> Result<void> {
                        *outputs[1].header = {.input = -1, .bytes = 0, .rank = -1, .shape = {4}};
                        return {};
                    }));
    ASSERT_TRUE(outcome.first_failure);
    EXPECT_EQ(outcome.first_failure->message, "stage 2, input 4: 's' ends after 4 inputs, 'b' goes on");
    EXPECT_LE(host.collected(), 4);
    EXPECT_EQ(host.faults, "");
}

TEST(Pipeline, AStopEndsEveryRankAtOnce) {
    const Program program = chain_of_three(3);
    CheckingHost host(program, std::numeric_limits<std::int64_t>::max());
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        stop.request_stop();
    });
    const RunOutcome outcome = run_program(program, host, kSynchronous, {}, {}, stop);
    ASSERT_FALSE(outcome.host);
    EXPECT_EQ(outcome.host.error().kind, DiagnosticKind::stopped);
    for (const auto& stage : outcome.stages) {
        ASSERT_FALSE(stage);
        EXPECT_EQ(stage.error().kind, DiagnosticKind::stopped);
    }
    EXPECT_GT(host.collected(), 0);
    EXPECT_EQ(host.faults, "");
}

/// Fails at one input, in feed or in collect.
class FailingHost : public CheckingHost {
public:
    FailingHost(const Program& program, bool feeding) : CheckingHost(program, 50), feeding_(feeding) {}
    Result<void> feed(std::int64_t input, std::size_t channel, const Message& message) override {
        if (feeding_ && input == 6) return fail(input_error("no such file"));
        return CheckingHost::feed(input, channel, message);
    }
    Result<void> collect(std::int64_t input, std::span<const Message> messages) override {
        if (!feeding_ && input == 6) return fail(input_error("disk full"));
        return CheckingHost::collect(input, messages);
    }

private:
    bool feeding_;
};

TEST(Pipeline, AHostThatFailsEndsTheRun) {
    for (const bool feeding : {true, false}) {
        const Program program = chain_of_three();
        FailingHost host(program, feeding);
        const RunOutcome outcome = run_program(program, host);
        ASSERT_FALSE(outcome.host);
        EXPECT_EQ(outcome.host.error().message, feeding ? "no such file" : "disk full");
        EXPECT_EQ(outcome.host.error().notes, std::vector<std::string>{feeding ? "'x' of input 6" : "outputs of input 6"});
    }
}

TEST(Pipeline, AStageThatReceivesNothingIsRefusedBeforeItRuns) {
    ProgramMaker maker;
    const StageId lonely = maker.stage();
    maker.channel("y", 0, lonely, {});
    const Program program = maker.make();
    CheckingHost host(program, 5);
    const RunOutcome outcome = run_program(program, host);
    ASSERT_FALSE(outcome.stages[0]);
    EXPECT_EQ(outcome.stages[0].error().message,
              "stage 0 receives nothing, neither from the host nor from another stage: it would never end");
}

TEST(Pipeline, BuffersThatNoMachineHasAreADiagnostic) {
#ifdef SLUICE_SANITIZED
    GTEST_SKIP() << "sanitizers end the program where an allocation is too large";
#endif
    ProgramMaker maker;
    const StageId stage = maker.stage(), host_side;
    maker.channel("x", 0, host_side, stage, std::int64_t{1} << 60);
    maker.channel("y", 1, stage, host_side);
    const Program program = maker.make();
    CheckingHost host(program, 5);
    const RunOutcome outcome = run_program(program, host);
    ASSERT_FALSE(outcome.host);
    EXPECT_TRUE(outcome.host.error().message.starts_with("the host has no memory for 2")) << outcome.host.error().message;
    ASSERT_FALSE(outcome.stages[0]);
    EXPECT_TRUE(outcome.stages[0].error().message.starts_with("stage 0 has no memory for 2")) << outcome.stages[0].error().message;
}

/// A stage that takes a known time: what the figures are held against.
TEST(Pipeline, FiguresAreThoseOfTheRun) {
    const Program program = chain_of_three();
    CheckingHost host(program, 40);
    PipelineOptions options;
    std::mutex mutex;
    std::map<std::int64_t, std::vector<Status>> seen;
    options.status = [&](const Status& status) {
        const std::lock_guard lock(mutex);
        seen[status.rank].push_back(status);
    };
    const auto slow = [](const Program& p, const program::InstructionList& list) -> std::unique_ptr<StageKernel> {
        struct Slow : test::ArithmeticKernel {
            using ArithmeticKernel::ArithmeticKernel;
            Result<void> run(std::int64_t slot, std::span<const Message> inputs, std::span<const Message> outputs) override {
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
                return ArithmeticKernel::run(slot, inputs, outputs);
            }
        };
        if (list.stage.index() != 1) return std::make_unique<test::ArithmeticKernel>(p, list);
        return std::make_unique<Slow>(p, list);
    };
    const RunOutcome outcome = run_program(program, host, kSynchronous, options, slow);
    ASSERT_TRUE(outcome.host);
    const Finished& whole = *outcome.host;
    EXPECT_EQ(whole.inputs, 40);
    EXPECT_GE(whole.seconds, 0.4);
    EXPECT_GT(whole.steady_per_s, 0);
    EXPECT_LE(whole.steady_per_s, 100) << "the middle stage sleeps 10 ms an input";
    EXPECT_GE(whole.latency_min_ms, 10);
    EXPECT_LE(whole.latency_min_ms, whole.latency_mean_ms);
    EXPECT_LE(whole.latency_mean_ms, whole.latency_max_ms);
    EXPECT_LE(whole.latency_max_ms, whole.seconds * 1e3);
    const Finished& middle = *outcome.stages[1];
    EXPECT_EQ(middle.rank, 2);
    EXPECT_EQ(middle.inputs, 40);
    EXPECT_GE(middle.forward_min_ms, 10);
    EXPECT_LE(middle.forward_min_ms, middle.forward_median_ms);
    EXPECT_LE(middle.forward_min_ms, middle.forward_mean_ms);
    EXPECT_GT(outcome.stages[0]->waited_send, 0) << "the first stage waits for the second to take its outputs";
    EXPECT_GT(outcome.stages[2]->waited_receive, 0);
    for (std::int64_t rank = 0; rank < 4; ++rank) {
        const Status& last = seen[rank].back();
        EXPECT_EQ(last.state, "done");
        EXPECT_EQ(last.done, 40);
        EXPECT_EQ(last.input, 39);
        EXPECT_GE(seen[rank].size(), 2U) << "also while it runs";
        EXPECT_LE(static_cast<double>(seen[rank].size()), last.seconds * 10 + 2);
    }
    EXPECT_GE(seen[2].back().busy, 0.4);
    EXPECT_GE(seen[2].back().busy_cpu, 0);
}

/// Small messages are sent eagerly and nobody waits for them: still no more inputs are under way than the program has room for.
TEST(Pipeline, TheHostDoesNotRunAwayFromASlowStage) {
    const Program program = chain_of_three();
    struct Counting : CheckingHost {
        using CheckingHost::CheckingHost;
        Result<void> feed(std::int64_t input, std::size_t channel, const Message& message) override {
            fed = input + 1;
            return CheckingHost::feed(input, channel, message);
        }
        Result<void> collect(std::int64_t input, std::span<const Message> messages) override {
            most = std::max<std::int64_t>(most, fed - input);
            return CheckingHost::collect(input, messages);
        }
        std::atomic<std::int64_t> fed = 0;
        std::int64_t most = 0;
    } host(program, 200);
    // The first stage works on its first input until the host has fed what it may.
    const auto act = [&](auto) -> Result<void> {
        const auto start = Clock::now();
        while (host.fed < 8 && seconds_since(start) < 30) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return {};
    };
    const RunOutcome outcome = run_program(program, host, {}, {}, special(0, 0, act));
    ASSERT_TRUE(outcome.host);
    EXPECT_LE(host.most, 3 * 5 + 2 + 3 + 1);  // credits, output slots and one at work in each stage; the host's own
    EXPECT_GE(host.most, 8) << "and a pipeline is kept filled";
}

}  // namespace
}  // namespace sluice::runtime
