#include "sluice/plan/training_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "sluice/plan/plan_file.hpp"
#include "sluice/plan/validate.hpp"
#include "tests/unit/plan/read_text.hpp"
#include "tests/unit/plan/sample.hpp"
#include "tests/unit/plan/training_sample.hpp"

namespace sluice::plan {
namespace {

using nlohmann::ordered_json;
using test::read_text;

void expect_training_refused(const std::function<void(ordered_json&)>& change, std::string_view part) {
    ordered_json document = ordered_json::parse(to_json_text(sample::training_plan()));
    change(document);
    const auto plan = read_text(json::to_file_text(document));
    ASSERT_FALSE(plan) << "accepted, expected: " << part;
    EXPECT_NE(plan.error().message.find(part), std::string::npos) << plan.error().message;
    EXPECT_GT(plan.error().where.line, 0u);
}

TEST(TrainingPlanFile, ReadsBackWhatItWrote) {
    Plan plan = sample::training_plan();
    plan.costs = {.model = {}, .device_class = {}, .machine = {}, .entries = {{.operators = {"op1"}, .type = {}, .time = Duration{7}}}};
    plan.costs->entries[0].passes = {{.samples = 2, .forward = Duration{5}, .weight_gradient = Duration{6}}};
    for (int bounds = 0; bounds < 3; ++bounds) {
        const std::string text = to_json_text(plan);
        const auto again = read_text(text);
        ASSERT_TRUE(again) << to_text(again.error());
        EXPECT_EQ(*again, plan);
        EXPECT_EQ(to_json_text(*again), text);
        (bounds == 0 ? plan.bottleneck_bound : plan.bound).reset();
    }
}

TEST(TrainingPlanFile, KeysThatScriptsRelyOn) {
    const ordered_json d = ordered_json::parse(to_json_text(sample::training_plan()));
    EXPECT_EQ(d.at("job"), "training");
    EXPECT_EQ(d.at("k"), 5);
    EXPECT_EQ(d.at("training"), (ordered_json{{"mini_batch", 16}, {"optimizer", "momentum"}, {"schedule", "1f1b"}}));
    EXPECT_EQ(d.at("predicted").at("iteration_ps"), 1'000'000);
    EXPECT_TRUE(d.at("predicted").at("latency_ps").is_null());
    EXPECT_DOUBLE_EQ(d.at("predicted").at("throughput_per_s").get<double>(), 16e6);
    EXPECT_EQ(d.at("bound"), d.at("bounds").at("iteration"));
    EXPECT_EQ(d.at("bounds").at("bottleneck").at("value_ps"), 5'000);
    EXPECT_DOUBLE_EQ(d.at("gap").get<double>(), 1 - 90'000.0 / 1'000'000.0);
    const auto& stage = d.at("stages")[1];
    EXPECT_EQ(stage.at("first_device"), 2);
    EXPECT_EQ(stage.at("micro_batch"), 2);
    EXPECT_EQ(stage.at("k"), 2);
    EXPECT_EQ(stage.at("recompute"), true);
    EXPECT_EQ(stage.at("joint_backward"), true);
    EXPECT_FALSE(d.at("stages")[0].contains("joint_backward")) << "as plans were before there was a choice";
    EXPECT_EQ(stage.at("operators"), ordered_json::array({ordered_json::array({1, "t1"})}));
    // two samples of a micro-batch on one device; recomputation before the gradient of the input
    EXPECT_EQ(stage.at("predicted").at("forward_ps"), 6000);
    EXPECT_EQ(stage.at("predicted").at("input_gradient_ps").get<int>() + stage.at("predicted").at("weight_gradient_ps").get<int>(),
              2 * 4000 + 6000);
    EXPECT_EQ(d.at("stages")[0].at("predicted").at("forward_ps"), 2000) << "four samples, two to each replica";
    EXPECT_EQ(d.at("stages")[2].at("predicted").at("state_bytes"), 120) << "parameter, gradient, moment";
}

TEST(TrainingPlanFile, GradientsAreSplitWhereItSaysNothing) {
    ordered_json document = ordered_json::parse(to_json_text(sample::training_plan()));
    document["stages"][1].erase("joint_backward");
    Plan expected = sample::training_plan();
    expected.stages[1].training->joint_backward = false;
    EXPECT_EQ(read_text(json::to_file_text(document)).value(), expected);
}

TEST(TrainingPlanFile, RefusesWhatItDoesNotKnow) {
    expect_training_refused([](auto& d) { d["stages"][1]["joint_backward"] = 1; }, "true or false");
    expect_training_refused([](auto& d) { d["training"]["batch"] = 1; }, "unknown key 'batch'");
    expect_training_refused([](auto& d) { d["bounds"]["latency"] = nullptr; }, "unknown key 'latency'");
    expect_training_refused([](auto& d) { d["stages"][0]["predicted"]["work_ps"] = 1; }, "unknown key 'work_ps'");
    expect_training_refused([](auto& d) { d["stages"][0].erase("recompute"); }, "recompute");
    expect_training_refused([](auto& d) { d.erase("training"); }, "training");
    expect_training_refused([](auto& d) { d["cost"] = nullptr; }, "unknown key 'cost'");
    expect_training_refused([](auto& d) { d["objective"] = "latency"; }, "throughput");
    expect_training_refused([](auto& d) { d["training"]["schedule"] = "2f2b"; }, "2f2b");
    expect_training_refused([](auto& d) { d["training"]["optimizer"] = "adamw"; }, "adamw");
    expect_training_refused([](auto& d) { d["training"]["mini_batch"] = 0; }, "'mini_batch'");
    expect_training_refused([](auto& d) { d["stages"][0]["micro_batch"] = (1 << 24) + 1; }, "'micro_batch'");
    expect_training_refused([](auto& d) { d["predicted"]["latency_ps"] = 1; }, "latency_ps");
    expect_training_refused([](auto& d) { d["predicted"]["iteration_ps"] = 999'999; }, "throughput_per_s");
    expect_training_refused([](auto& d) { d["bounds"]["iteration"]["value_ps"] = 1; }, "bounds.iteration");
    expect_training_refused([](auto& d) { d["job"] = "inference"; }, "unknown key 'training'");
    expect_training_refused([](auto& d) { d["job"] = "guessing"; }, "guessing");
}

class ValidateTraining : public ::testing::Test {
protected:
    std::vector<Diagnostic> failures(const Plan& plan) const { return validate_training(plan, graph, sample::freeze_training(graph)); }
    void expect_failure(const std::function<void(Plan&)>& change, std::string_view part) const {
        Plan plan = sample::training_plan();
        change(plan);
        const auto found = failures(plan);
        std::string all;
        for (const Diagnostic& failure : found) {
            EXPECT_EQ(failure.kind, DiagnosticKind::verification);
            all += to_text(failure);
        }
        EXPECT_TRUE(all.contains(part)) << "expected " << part << ", found: " << all;
    }

    graph::Graph graph = sample::training_model();
};

TEST_F(ValidateTraining, HoldsForTheExampleAndBack) {
    const Plan plan = sample::training_plan();
    const auto found = failures(plan);
    EXPECT_TRUE(found.empty()) << to_text(found.front());
    const auto problem = sample::freeze_training(graph).problem;
    EXPECT_EQ(training_partition_of(plan, graph, problem).value(), sample::training_partition(problem));
}

TEST_F(ValidateTraining, EveryNumberOfAStageIsRecomputed) {
    for (std::size_t s = 0; s < 5; ++s) {
        const auto changed = [&](auto change) {
            expect_failure([&](Plan& p) { change(*p.stages[s].training); }, std::format("stage {}: ", s));
        };
        changed([](PlannedTraining& t) { t.predicted.pass.forward += Duration{1}; });
        changed([](PlannedTraining& t) { t.predicted.pass.input_gradient += Duration{1}; });
        changed([](PlannedTraining& t) { t.predicted.pass.weight_gradient += Duration{1}; });
        changed([](PlannedTraining& t) { t.predicted.all_reduce += Duration{1}; });
        changed([](PlannedTraining& t) { t.predicted.optimizer += Duration{1}; });
        changed([](PlannedTraining& t) { t.predicted.parameters += Bytes{1}; });
        changed([](PlannedTraining& t) { t.predicted.state += Bytes{1}; });
        changed([](PlannedTraining& t) { t.predicted.kept += Bytes{1}; });
        changed([](PlannedTraining& t) { t.predicted.kept_for_weights += Bytes{1}; });
        changed([](PlannedTraining& t) { t.predicted.recomputed += Bytes{1}; });
        changed([](PlannedTraining& t) { t.memory += Bytes{1}; });
    }
    expect_failure([](Plan& p) { p.predicted.bottleneck -= Duration{1}; }, "bottleneck");
    expect_failure([](Plan& p) { p.predicted.peak_memory -= Bytes{1}; }, "peak memory");
}

TEST_F(ValidateTraining, StagesThatCannotBe) {
    expect_failure([](Plan& p) { p.stages[3].training->first_device = 5; }, "those of class 'device' are 0 to 4");
    expect_failure([](Plan& p) { p.stages[1].training->first_device = 1; }, "share some of their devices");
    expect_failure([](Plan& p) { p.stages[1].training->micro_batch = 3; }, "do not divide");
    expect_failure([](Plan& p) { p.stages[1].training->in_flight -= 2; }, "in flight");
    expect_failure([](Plan& p) { p.stages[1].training->k = 9; }, "in a row");
    expect_failure([](Plan& p) { std::swap(p.stages[0], p.stages[3]); }, "stage");
    expect_failure([](Plan& p) { p.stages[2].operators.clear(); }, "no stage");
    expect_failure([](Plan& p) { p.stages[2].training.reset(); }, "stage 2");
    expect_failure([](Plan& p) { p.stage_limit = 4; }, "5");
    expect_failure([](Plan& p) { p.cost_source = "guessed"; }, "guessed");
    expect_failure([](Plan& p) { p.model.fingerprint = "0"; }, "another model");
    expect_failure([](Plan& p) { p.bound->value = Duration{1'000'001}; }, "iteration time");
    expect_failure([](Plan& p) { p.bottleneck_bound->value = p.predicted.bottleneck + Duration{1}; }, "bottleneck");
    expect_failure([](Plan& p) { p.bound->kind = "wish"; }, "wish");
}

TEST_F(ValidateTraining, APlanOfTheOtherJobIsRefused) {
    const graph::Graph other = sample::model();
    const Plan plan = sample::plan(other, sample::machine());
    EXPECT_FALSE(training_partition_of(plan, graph, sample::freeze_training(graph).problem));
}

}  // namespace
}  // namespace sluice::plan
