// What the list schedule puts first.
#include "sluice/program/training_order.hpp"

#include <gtest/gtest.h>

namespace sluice::program {
namespace {

TEST(ListSchedule, LastWeightGradientsComeFirstWhereSumsOfGradientsWaitForThem) {
    // Two stages on one group of devices, one micro-batch. The sums take 10 each, one at a time: the second stage's may begin after its own
    // gradient of the weights at 1 + 1 + 4 + 1, the first stage's after that sum.
    const PipelineStage stage{.forward = Duration{1},
                              .input_gradient = Duration{4},
                              .weight_gradient = Duration{1},
                              .all_reduce = Duration{10},
                              .optimizer = Duration{2}};
    const Pipeline pipeline{.stages = {stage, stage}, .edges = {{.from = 0, .to = 1}}, .groups = 1};
    const WorkOrder order = order_work(pipeline, cost::Schedule::list);
    const std::vector<Work> expected{{Pass::forward, 0, 0},         {Pass::forward, 1, 0},        {Pass::input_gradient, 1, 0},
                                     {Pass::weight_gradient, 1, 0}, {Pass::input_gradient, 0, 0}, {Pass::weight_gradient, 0, 0}};
    EXPECT_EQ(order.groups.at(0), expected);
    EXPECT_EQ(order.makespan.count(), 7 + 10 + 10 + 2);
}

TEST(ListSchedule, WeightGradientsWaitWhereNothingIsSummed) {
    const PipelineStage stage{.forward = Duration{1}, .input_gradient = Duration{4}, .weight_gradient = Duration{1}};
    const Pipeline pipeline{.stages = {stage, stage}, .edges = {{.from = 0, .to = 1}}, .groups = 1};
    const std::vector<Work> expected{{Pass::forward, 0, 0},        {Pass::forward, 1, 0},         {Pass::input_gradient, 1, 0},
                                     {Pass::input_gradient, 0, 0}, {Pass::weight_gradient, 1, 0}, {Pass::weight_gradient, 0, 0}};
    const WorkOrder order = order_work(pipeline, cost::Schedule::list);
    EXPECT_EQ(order.groups.at(0), expected);
    EXPECT_EQ(order.makespan.count(), 12);
}

}  // namespace
}  // namespace sluice::program
