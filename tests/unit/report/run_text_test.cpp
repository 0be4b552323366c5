#include "sluice/report/run_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::report {
namespace {

RunView free_run() {
    RunView run;
    run.model = "m";
    run.platform = "cpu";
    run.library = "ORT";
    run.ranks = 3;
    run.threads = 1;
    for (const double ms : {10.0, 8.0}) {
        RunStage& stage = run.stages.emplace_back();
        stage.predicted.work = std::chrono::milliseconds(10);
        stage.predicted_time = std::chrono::milliseconds(10);
        stage.hosts = {"vm"};
        stage.alone_ms = stage.alone_cpu_ms = ms;
        stage.forward_ms = ms * 1.05;
        stage.forward_cpu_ms = ms;
    }
    run.inputs = 100;
    run.seconds = 1.1;
    run.throughput_per_s = 95;
    run.latency_min_ms = 18, run.latency_mean_ms = 25, run.latency_max_ms = 40;
    run.predicted_per_s = 100;
    run.predicted_latency = std::chrono::milliseconds(20);
    return run;
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(RunText, MeasuredBesidePredicted) {
    const RunView run = free_run();
    EXPECT_DOUBLE_EQ(slowest_alone_ms(run), 10);
    EXPECT_DOUBLE_EQ(efficiency_of(run), 0.95);
    const std::string text = run_text(run);
    EXPECT_SAYS(text, "95/s over 100 inputs in 1.1 s, measured");
    EXPECT_SAYS(text, "-5.0%");
    EXPECT_SAYS(text, "0.950");
    EXPECT_EQ(text.find("BUSY"), std::string::npos);
    const auto json = run_json(run);
    EXPECT_EQ(json["throughput_per_s"], 95);
    EXPECT_EQ(json["latency_ps"], 25'000'000'000);
    EXPECT_EQ(json["predicted_throughput_per_s"], 100);
    EXPECT_NEAR(json["error"].get<double>(), -0.05, 1e-12);
    EXPECT_TRUE(json["measured"]);
}

TEST(RunText, ReplicasShareTheirStage) {
    RunView run = free_run();
    run.stages[0].replicas = 2;
    EXPECT_DOUBLE_EQ(slowest_alone_ms(run), 8);
}

TEST(RunText, BusyCoresAreNoMeasurement) {
    RunView run = free_run();
    EXPECT_TRUE(busy_stages(run.stages).empty());
    run.stages[1].forward_ms = 20;  // of which 8 on a core
    run.busy = busy_stages(run.stages);
    ASSERT_EQ(run.busy.size(), 1U);
    EXPECT_SAYS(run.busy[0], "stage 1 had 0.40 of a core in the pipeline");
    EXPECT_SAYS(run_text(run), "BUSY CORES");
    EXPECT_EQ(run_text(run).find("measured\n"), std::string::npos);
    EXPECT_FALSE(run_json(run)["measured"]);
    // Two threads use two cores alone: one core's worth in the pipeline is too little, though it is all of "a" core.
    run.stages[1] = run.stages[0];
    run.stages[0].alone_cpu_ms = 2 * run.stages[0].alone_ms;
    run.stages[0].forward_cpu_ms = run.stages[0].forward_ms;
    EXPECT_EQ(busy_stages(run.stages).size(), 1U);
}

TEST(RunText, ACheckThatFailsSaysWhere) {
    RunView run = free_run();
    run.check = RunCheck{100, 1000, 990, 2e-3, "output 'y' of input 3", 1e-5};
    EXPECT_FALSE(run.check->holds());
    EXPECT_SAYS(run_text(run), "NOT equal to the unsplit model");
    EXPECT_SAYS(run_text(run), "output 'y' of input 3");
    EXPECT_FALSE(run_json(run)["check"]["holds"]);
    run.check = RunCheck{100, 1000, 1000, 0, "", 1e-5};
    EXPECT_SAYS(run_text(run), "the same bits in each");
}

TEST(RunText, ALosingPipelineSaysSo) {
    RunView run = free_run();
    run.rivals = {{"single", "one process, 2 threads", 90, 11, false}, {"replicas", "2 times", 105, 20, false}};
    EXPECT_SAYS(run_text(run), "The pipeline loses here: replicas (2 times) gives 1.11 times its throughput");
    EXPECT_NEAR(run_json(run)["against"]["replicas"]["ratio_to_pipeline"].get<double>(), 105.0 / 95, 1e-12);
    EXPECT_EQ(run_text(run).find("measure again"), std::string::npos);
    run.rivals.pop_back();
    run.rivals[0].busy = true;
    EXPECT_SAYS(run_text(run), "measure again");
    EXPECT_SAYS(run_text(run), "The pipeline wins here: 1.06 times the throughput of single");
}

}  // namespace
}  // namespace sluice::report
