#include "sluice/report/training_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sluice/plan/training_plan.hpp"
#include "sluice/report/actions.hpp"
#include "sluice/report/training_compare.hpp"
#include "sluice/report/training_simulation.hpp"
#include "tests/unit/plan/training_sample.hpp"

namespace sluice::report {
namespace {

struct Example {
    graph::Graph graph = sample::training_model();
    cost::TrainingProblem problem = sample::freeze_training(graph).problem;
    cost::TrainingPartition partition = sample::training_partition(problem);
    program::TrainingProgram program = program::lower_training(problem, partition);
    simulate::TrainingResult result = simulate::simulate_training(program, problem.interconnect, false, {.trace = true});
    plan::Plan plan = sample::training_plan(result.iteration);
};

bool says(const std::string& text, std::string_view part) {
    EXPECT_TRUE(text.contains(part)) << "no '" << part << "' in\n" << text;
    return text.contains(part);
}

TEST(TrainingPlanText, SaysWhatAUserAsks) {
    const Example example;
    const auto edges = cost::stage_edges(example.problem, example.partition);
    const std::string text = training_plan_text({.plan = &example.plan, .graph = &example.graph, .edges = edges, .bubble = 0.25});
    says(text, "given on given: 5 stages, depth 4, training, overlap cost");
    says(text, "    0      0-1");  // stage and devices
    says(text, "1,2");             // what the fourth stage reads
    says(text, "iteration   " + to_text(example.result.iteration) + " for 16 samples, 1f1b schedule");
    says(text, "samples/s");
    says(text, "25.0% of the devices in use");
    says(text, "optimiser momentum");
    says(text, "certified");
    says(text, "the evaluations were used up (--evals 3)");
    plan::Plan unbounded = example.plan;
    unbounded.bound.reset();
    says(training_plan_text({.plan = &unbounded, .graph = &example.graph, .edges = edges, .bubble = 0}), "none proven");
}

TEST(TrainingSimulationText, GroupsLinksAndTheIteration) {
    const Example example;
    const TrainingSimulationView view{.plan = &example.plan, .program = &example.program, .result = &example.result};
    const std::string text = training_simulation_text(view);
    says(text, "as planned");
    says(text, "3,4");  // the stages of the last device
    says(text, "link");
    const auto json = training_simulation_json(view);
    EXPECT_EQ(json.at("iteration_ps"), example.result.iteration.count());
    EXPECT_DOUBLE_EQ(json.at("throughput_per_s").get<double>(), 16e12 / static_cast<double>(example.result.iteration.count()));
    EXPECT_DOUBLE_EQ(json.at("error").get<double>(), 0);
    ASSERT_EQ(json.at("groups").size(), 4u);
    EXPECT_EQ(json.at("groups")[3].at("stages"), nlohmann::ordered_json::array({3, 4}));
    std::int64_t busiest = 0, device = 0;
    for (const auto& group : json.at("groups"))
        if (group.at("busy_ps").get<std::int64_t>() > busiest) {
            busiest = group.at("busy_ps").get<std::int64_t>();
            device = group.at("first_device").get<std::int64_t>();
        }
    EXPECT_EQ(json.at("busiest_device"), device);
}

TEST(TrainingCompare, RowsRatiosAndFailures) {
    const Example example;
    solve::TrainingRow good{.method = "good", .partition = example.partition, .iteration = Duration{1000}};
    solve::TrainingRow slow = good;
    slow.method = "slow";
    slow.iteration = Duration{1500};
    solve::TrainingRow bad{.method = "bad", .failure = input_error("no memory for it")};
    const std::vector rows{slow, bad, good};
    const std::string text =
        training_compare_text(rows, 16, plan::BoundClaim{.value = Duration{900}, .kind = "work-and-path", .certified = true});
    says(text, "1.5000");
    says(text, "no memory for it");
    says(text, "10.0%");
    says(text, "good");
    const auto json = nlohmann::json::parse(training_compare_json(rows));
    EXPECT_DOUBLE_EQ(json[0].at("ratio_to_best").get<double>(), 1.5);
    EXPECT_EQ(json[2].at("iteration_ps"), 1000);
    EXPECT_TRUE(json[1].at("iteration_ps").is_null());
    EXPECT_EQ(json[1].at("error"), "no memory for it");
    EXPECT_TRUE(nlohmann::json::parse(training_compare_json(std::span(rows).subspan(1, 1)))[0].at("ratio_to_best").is_null());
}

TEST(Actions, OneFOneBOfAChain) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2)), test::given_devices(2), 3);
    const auto partition = test::one_node_a_stage(problem, 1, cost::Schedule::one_f_one_b);
    const auto csv = actions_csv(program::lower_training(problem, partition));
    ASSERT_TRUE(csv) << to_text(csv.error());
    EXPECT_EQ(*csv, "0F0,0F1,0B0,0F2,0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n");
}

TEST(Actions, GradientsOfWeightsThatComeLater) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(3)), test::given_devices(3), 6);
    const auto program = program::lower_training(problem, test::one_node_a_stage(problem, 1, cost::Schedule::zero_bubble));
    const auto csv = actions_csv(program);
    ASSERT_TRUE(csv);
    EXPECT_TRUE(csv->contains("W")) << *csv;
    // Every micro-batch of every stage forward once and backward once, whole or in two halves.
    for (std::size_t s = 0; s < 3; ++s)
        for (std::size_t i = 0; i < 6; ++i) {
            const auto count = [&](char letter) {
                std::size_t times = 0;
                const std::string action = std::format("{}{}{}", s, letter, i);
                for (std::size_t at = csv->find(action); at != std::string::npos; at = csv->find(action, at + 1)) ++times;
                return times;
            };
            EXPECT_EQ(count('F'), 1u);
            EXPECT_EQ(count('B') + count('I'), 1u);
            EXPECT_EQ(count('B') + count('W'), 1u);
        }
}

TEST(Actions, WaitingForAStageIsNotReadingFromIt) {
    auto operators = test::chain_of(4);
    operators[2].reads = {};  // two chains that do not meet, one stage after the other
    const auto problem = test::training_problem(test::given_graph(operators), test::given_devices(2), 2);
    auto partition = test::stages_of(problem, {{0, 1}, {2, 3}}, 1, cost::Schedule::chain);
    cost::set_in_flight(problem, partition);
    const auto csv = actions_csv(program::lower_training(problem, partition));
    ASSERT_FALSE(csv);
    EXPECT_TRUE(csv.error().message.contains("stage 1 reads nothing of stage 0")) << csv.error().message;
}

TEST(Actions, RefusesWhatTheNotationCannotSay) {
    const auto refused = [](const program::TrainingProgram& program, std::string_view part) {
        const auto csv = actions_csv(program);
        ASSERT_FALSE(csv);
        EXPECT_TRUE(csv.error().message.contains(part)) << csv.error().message;
    };
    const Example example;
    refused(example.program, "micro-batches");
    cost::TrainingPartition equal = example.partition;
    for (cost::TrainingStage& stage : equal.stages) {
        stage.micro_batch = 4;
        stage.k = 1;
    }
    cost::set_in_flight(example.problem, equal);
    refused(program::lower_training(example.problem, equal), "no chain");
    const auto problem = test::training_problem(test::given_graph(test::chain_of(2)), test::given_devices(3), 4);
    auto uneven = test::one_node_a_stage(problem, 2, cost::Schedule::one_f_one_b);
    uneven.stages[1].replicas = 2;
    refused(program::lower_training(problem, uneven), "replicas");
}

}  // namespace
}  // namespace sluice::report
