// The judge of all planners: what it says, and that it can be stopped.
#include "sluice/training/evaluate.hpp"

#include <gtest/gtest.h>

#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

TEST(Evaluate, EndsWhenItIsStopped) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2)), test::given_devices(2), std::int64_t{1} << 16);
    const auto partition = test::one_node_a_stage(problem, 1, cost::Schedule::one_f_one_b);
    std::stop_source source;
    const Limits limits{.deadline = {}, .evaluations = {}, .stop = source.get_token()};
    EXPECT_EQ(iteration_time(problem, partition, limits), iteration_time(problem, partition));
    source.request_stop();
    EXPECT_EQ(iteration_time(problem, partition, limits), std::nullopt);
    EXPECT_EQ(iteration_time(problem, partition, {.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}}), std::nullopt);
}

}  // namespace
}  // namespace sluice::training
