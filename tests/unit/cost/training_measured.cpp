// Measured passes of training: from what was measured at a few numbers of samples to a pass over any.
#include <gtest/gtest.h>

#include "sluice/base/random.hpp"
#include "sluice/cost/measured.hpp"
#include "sluice/cost/training_problem.hpp"
#include "tests/support/training.hpp"

namespace sluice::cost {
namespace {

/// op0 -> op1 -> op2, of 1000 ps forward and 2000 ps back a sample.
graph::Graph chain() { return test::given_graph(test::chain_of(3, {.forward = 1000, .backward = 2000})); }

FrozenTraining frozen_training(std::vector<MeasuredEntry> entries) {
    const MeasuredCosts costs{.model = {}, .device_class = {}, .machine = {}, .entries = std::move(entries)};
    return freeze_training(chain(), test::given_devices(2), {.mini_batch = 64}, &costs).value();
}

MeasuredEntry entry(std::vector<std::string> operators, std::int64_t time, std::vector<MeasuredPasses> passes = {}) {
    return {.operators = std::move(operators), .type = {}, .time = Duration{time}, .passes = std::move(passes)};
}

MeasuredPasses passes(std::int64_t samples, std::int64_t forward, std::int64_t input, std::int64_t weights) {
    return {.samples = samples, .forward = Duration{forward}, .input_gradient = Duration{input}, .weight_gradient = Duration{weights}};
}

PassTimes times(const FrozenTraining& training, std::size_t node, std::int64_t samples) {
    return pass_times(training.problem, ClassId(0), samples)[node];
}
PassTimes times(std::int64_t forward, std::int64_t input, std::int64_t weights) {
    return {Duration{forward}, Duration{input}, Duration{weights}};
}

TEST(MeasuredTraining, FlatAndThenSteepIsMetExactly) {
    const auto training = frozen_training({entry({"op1"}, 7,
                                                 {passes(1, 1000, 2000, 500), passes(2, 1000, 2000, 500), passes(4, 1000, 2000, 500),
                                                  passes(8, 2000, 4000, 500), passes(16, 4000, 8000, 500)})});
    EXPECT_EQ(times(training, 1, 1), times(1000, 2000, 500));
    EXPECT_EQ(times(training, 1, 3), times(1000, 2000, 500));
    EXPECT_EQ(times(training, 1, 8), times(2000, 4000, 500));
    EXPECT_EQ(times(training, 1, 16), times(4000, 8000, 500));
    EXPECT_EQ(times(training, 1, 32), times(8000, 16000, 500)) << "on along the last line";
    EXPECT_EQ(times(training, 2, 4), times(4000, 4000, 4000)) << "not measured: as modelled";
    EXPECT_TRUE(training.report.warnings.empty());
    ASSERT_TRUE(training.costs);
    EXPECT_EQ(training.costs->entries.size(), 1u);
}

TEST(MeasuredTraining, OneTimeSlowsTheModelDown) {
    const auto training = frozen_training({entry({"op1"}, 3000)});
    EXPECT_EQ(times(training, 1, 1), times(3000, 3000, 3000)) << "gradients as the forward pass";
    EXPECT_EQ(times(training, 1, 5), times(15000, 15000, 15000));
    const auto first = frozen_training({entry({"op0"}, 3000)});
    EXPECT_EQ(times(first, 0, 1), times(3000, 0, 6000)) << "nothing upstream is trained";
    const auto eight =
        frozen_training({entry({"op1"}, 1, {{.samples = 8, .forward = Duration{4000}, .weight_gradient = Duration{16000}}})});
    EXPECT_EQ(times(eight, 1, 8), times(4000, 4000, 16000)) << "half as long as modelled, but what was measured as that";
}

TEST(MeasuredTraining, AKernelOfSeveralOperatorsIsOneNode) {
    const auto training = frozen_training({entry({"op1", "op2"}, 7, {passes(1, 10, 20, 30), passes(2, 15, 30, 45)})});
    ASSERT_EQ(training.problem.node_count(), 2u);
    EXPECT_EQ(times(training, 1, 2), times(15, 30, 45));
    EXPECT_EQ(times(training, 1, 4), times(25, 50, 75));
}

TEST(MeasuredTraining, WhatTwoLinesCannotMeetIsSaid) {
    const auto training = frozen_training({entry({"op1"}, 7, {passes(1, 100, 1, 1), passes(2, 1000, 1, 1), passes(4, 1001, 1, 1)})});
    ASSERT_EQ(training.report.warnings.size(), 1u);
    EXPECT_TRUE(training.report.warnings[0].contains("two straight lines")) << training.report.warnings[0];
}

TEST(MeasuredTraining, MoreSamplesAtOnceNeverTakeLongerEach) {
    RandomStream random(5);
    for (int round = 0; round < 300; ++round) {
        std::vector<MeasuredPasses> measured;
        for (std::int64_t samples = 1; samples <= 64; samples *= 2)
            if (random.below(3) != 0) {
                const auto any = [&] { return static_cast<std::int64_t>(random.below(1000)); };
                measured.push_back(passes(samples, any(), any(), any()));
            }
        if (measured.empty()) continue;
        const auto training = frozen_training({entry({"op1"}, 7, measured)});
        for (std::int64_t samples = 1; samples < 64; ++samples) {
            const PassTimes less = times(training, 1, samples), more = times(training, 1, samples + 1);
            EXPECT_LE(less.forward, more.forward);
            EXPECT_LE(more.forward.count() * samples, less.forward.count() * (samples + 1));
            EXPECT_LE(more.weight_gradient.count() * samples, less.weight_gradient.count() * (samples + 1));
        }
    }
}

TEST(MeasuredTraining, TheLongestTimesAreRefused) {
    const MeasuredCosts costs{
        .model = {},
        .device_class = {},
        .machine = {},
        .entries = {entry({"op1"}, 1, {passes(1, kLargestTotal.count(), 1, 1), passes(2, kLargestTotal.count(), 1, 1)})}};
    EXPECT_FALSE(freeze_training(chain(), test::given_devices(2), {.mini_batch = 64}, &costs));
}

}  // namespace
}  // namespace sluice::cost
