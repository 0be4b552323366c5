// Training plans from end to end: a planner's result judged, its file, and a verification that a changed file does not pass.
#include "sluice/solve/training.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sluice/plan/plan_file.hpp"
#include "sluice/plan/training_plan.hpp"
#include "sluice/solve/training_sweep.hpp"
#include "sluice/solve/verify.hpp"
#include "sluice/training/evaluate.hpp"
#include "tests/unit/plan/training_sample.hpp"

namespace sluice::solve {
namespace {

using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

plan::Plan example(cost::Schedule schedule = cost::Schedule::one_f_one_b) {
    const graph::Graph graph = sample::training_model();
    const cost::FrozenTraining frozen = sample::freeze_training(graph);
    cost::TrainingPartition partition = sample::training_partition(frozen.problem);
    partition.schedule = schedule;
    cost::set_in_flight(frozen.problem, partition);
    return plan::make_training_plan(graph, sample::training_machine(), frozen, partition,
                                    training::iteration_time(frozen.problem, partition));
}

/// Everything on the first device.
cost::TrainingPartition one_stage(const cost::TrainingProblem& problem) {
    return test::stages_of(problem, {{0, 1, 2, 3, 4}}, 2, cost::Schedule::one_f_one_b);
}

bool accepts(const ordered_json& document) {
    const auto parsed = json::parse(json::to_file_text(document), "plan.json");
    if (!parsed) return false;
    const auto plan = plan::read_plan(*parsed);
    return plan && verify_training(sample::training_model(), *plan).valid;
}

TEST(VerifyTraining, AcceptsPlansOfEverySchedule) {
    for (const cost::Schedule schedule : cost::kSchedules) {
        const VerifyReport report = verify_training(sample::training_model(), example(schedule));
        EXPECT_TRUE(report.valid) << cost::to_text(schedule) << ": " << to_text(report.failures.front());
        EXPECT_FALSE(report.certified);
    }
}

TEST(VerifyTraining, TheIterationTimeIsSimulatedAgain) {
    plan::Plan plan = example();
    *plan.predicted.iteration -= Duration{1};
    const VerifyReport report = verify_training(sample::training_model(), plan);
    ASSERT_FALSE(report.valid);
    EXPECT_TRUE(report.failures.front().message.contains("iteration time")) << report.failures.front().message;
}

/// Every number and word of the file, changed: only what describes the search, or allows more than is used, may differ.
TEST(VerifyTraining, NoChangedFilePasses) {
    const ordered_json document = ordered_json::parse(plan::to_json_text(example()));
    ASSERT_TRUE(accepts(document));
    std::size_t changes = 0;
    const std::function<void(const Pointer&)> vary = [&](const Pointer& at) {
        const ordered_json value = document.at(at);
        if (value.is_structured()) {
            for (const auto& [key, child] : value.items()) vary(at / key);
            return;
        }
        const std::string path = at.to_string();
        for (const char* described : {"/seed", "/method", "/seconds", "/evaluations", "/termination", "/model/name", "/model/dimensions",
                                      "/model/assume_size", "/platform/name", "/platform/assumptions", "/platform/topology"})
            if (path.starts_with(described)) return;
        ordered_json changed = document;
        const auto expect_no = [&](const ordered_json& other) {
            if (other == value) return;
            changed.at(at) = other;
            EXPECT_FALSE(accepts(changed)) << path << " = " << other.dump();
            ++changes;
        };
        if (path.ends_with("/k") || path.ends_with("/joint_backward")) return;  // another plan, which may well take as long
        if (value.is_number_integer()) {
            if (path.starts_with("/platform")) return;  // what no time depends on may differ: the platform's own tests
            expect_no(value.get<std::int64_t>() + 1);
            expect_no(value.get<std::int64_t>() - 1);
        } else if (value.is_boolean() && !path.starts_with("/platform")) {
            expect_no(!value.get<bool>());
        } else if (value.is_string() && !path.starts_with("/platform")) {
            expect_no(value.get<std::string>() + "x");
        }
    };
    vary(Pointer(""));
    EXPECT_GT(changes, 150u);
}

TEST(VerifyTraining, AProgramTooLargeIsRefusedBeforeItIsMade) {
    const graph::Graph graph = sample::training_model();
    const auto problem = cost::freeze_training(graph, sample::training_machine(), {.mini_batch = cost::kLargestMiniBatch}).value().problem;
    const auto partition = test::stages_of(problem, {{0, 1, 2, 3, 4}}, 1, cost::Schedule::one_f_one_b);
    const auto program = training_program_of(problem, partition);
    ASSERT_FALSE(program);
    EXPECT_TRUE(program.error().message.contains("4194304"));
}

TEST(VerifyTraining, APlanOfTheOtherJobIsRefusedByBoth) {
    plan::Plan plan = example();
    EXPECT_FALSE(verify(sample::training_model(), plan).valid);
    plan.training.reset();
    EXPECT_FALSE(verify_training(sample::training_model(), plan).valid);
}

TEST(SolveTraining, MakesAPlanThatVerifies) {
    const graph::Graph graph = sample::training_model();
    const cost::FrozenTraining frozen = sample::freeze_training(graph);
    SilentObserver silent;
    for (const training::Planner& planner : training::planners()) {
        const TrainingSolveOptions options{.method = std::string(planner.name), .planner = {.seed = 5}, .model = graph.fingerprint()};
        const auto result = solve_training(frozen.problem, options, silent, {.deadline = {}, .evaluations = 40, .stop = {}});
        ASSERT_TRUE(result) << planner.name << ": " << to_text(result.error());
        const plan::Plan plan = make_training_plan(graph, sample::training_machine(), frozen, options, *result);
        ASSERT_TRUE(result->bounds.iteration && result->bounds.bottleneck);
        EXPECT_EQ(plan.bound->value, result->bounds.iteration->value);
        for (const bound::TrainingCertificate& certificate : {*result->bounds.iteration, *result->bounds.bottleneck}) {
            const VerifyReport report = verify_training(graph, plan, &certificate);
            EXPECT_TRUE(report.valid) << planner.name << ": " << to_text(report.failures.front());
            EXPECT_TRUE(report.certified);
            bound::TrainingCertificate more = certificate;
            more.value += Duration{1};
            EXPECT_FALSE(verify_training(graph, plan, &more).valid) << "the plan claims another bound";
            bound::TrainingCertificate narrow = certificate;
            narrow.micro_batch = plan.stages.front().training->micro_batch == 16 ? 8 : 16;
            EXPECT_FALSE(verify_training(graph, plan, &narrow).valid) << "it says nothing about this plan";
            bound::TrainingCertificate foreign = certificate;
            foreign.model = "0";
            EXPECT_FALSE(verify_training(graph, plan, &foreign).valid);
        }
        EXPECT_EQ(plan.method, planner.name);
        EXPECT_EQ(plan.seed, 5u);
    }
}

TEST(SolveTraining, AMicroBatchThatIsAskedForIsTheBoundsToo) {
    const graph::Graph graph = sample::training_model();
    const cost::FrozenTraining frozen = sample::freeze_training(graph);
    SilentObserver silent;
    for (const training::Planner& planner : training::planners()) {
        const TrainingSolveOptions options{
            .method = std::string(planner.name), .planner = {.micro_batch = 2}, .model = graph.fingerprint()};
        const auto result = solve_training(frozen.problem, options, silent, {.deadline = {}, .evaluations = 40, .stop = {}});
        ASSERT_TRUE(result) << planner.name << ": " << to_text(result.error());
        ASSERT_TRUE(result->bounds.iteration && result->bounds.bottleneck);
        EXPECT_EQ(result->bounds.iteration->micro_batch, 2);
        const plan::Plan plan = make_training_plan(graph, sample::training_machine(), frozen, options, *result);
        EXPECT_TRUE(verify_training(graph, plan, &*result->bounds.iteration).certified) << planner.name;
    }
}

TEST(SolveTraining, RefusesWhatCannotBe) {
    const auto problem = sample::freeze_training(sample::training_model()).problem;
    SilentObserver silent;
    const auto unknown = solve_training(problem, {.method = "best-of-all"}, silent, {});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().kind, DiagnosticKind::usage);
    const auto uneven = solve_training(problem, {.method = "data-parallel", .planner = {.micro_batch = 3}}, silent, {});
    ASSERT_FALSE(uneven);
    EXPECT_EQ(uneven.error().kind, DiagnosticKind::usage);
    EXPECT_TRUE(uneven.error().help.contains("1, 2, 4, 8, 16")) << uneven.error().help;
}

TEST(SolveTraining, RefusesMicroBatchesThatNothingCanSimulateBeforeAnyWork) {
    const auto problem =
        cost::freeze_training(sample::training_model(), sample::training_machine(), {.mini_batch = cost::kLargestMiniBatch})
            .value()
            .problem;
    const auto refused = check_training_options(problem, {.micro_batch = 16});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, DiagnosticKind::usage);
    EXPECT_TRUE(refused.error().message.contains("5242880 over all devices")) << refused.error().message;
    EXPECT_TRUE(refused.error().help.contains("--micro-batch 32 or more")) << refused.error().help;
    EXPECT_TRUE(check_training_options(problem, {.micro_batch = 32}));
}

TEST(SolveTraining, EnoughIsTheLongestTimeWithinTheGap) {
    for (const std::int64_t bound : {1L, 7L, 1'000'003L, 123'456'789'012'345L})
        for (const double gap : {0.0, 0.01, 0.3, 0.999}) {
            const Duration enough = enough_for(Duration{bound}, gap);
            EXPECT_LE(gap_of(enough, Duration{bound}), gap) << bound << " " << gap;
            EXPECT_GE(gap_of(enough + Duration{2}, Duration{bound}), gap * (1 - 1e-12)) << bound << " " << gap;
        }
    EXPECT_EQ(enough_for(Duration{1000}, 0), Duration{1000});
    EXPECT_EQ(enough_for(Duration{0}, 0.5), Duration{0});
}

TEST(SolveTraining, NothingWorseThanTheStartComesBack) {
    const auto problem = sample::freeze_training(sample::training_model()).problem;
    SilentObserver silent;
    const Limits few{.deadline = {}, .evaluations = 40, .stop = {}};
    const auto best = solve_training(problem, {.method = "auto"}, silent, few);
    ASSERT_TRUE(best);
    // A method that finds something slower, and one that finds nothing at all.
    for (const char* method : {"gpipe", "data-parallel"}) {
        const auto result = solve_training(problem, {.method = method, .start = best->found.partition}, silent, few);
        ASSERT_TRUE(result) << to_text(result.error());
        EXPECT_LE(result->found.iteration, best->found.iteration) << method;
        EXPECT_EQ(result->found.method, method);
    }
    const auto slow = one_stage(problem);
    const auto better = solve_training(problem, {.method = "auto", .start = slow}, silent, few);
    ASSERT_TRUE(better);
    EXPECT_LT(better->found.iteration, training::iteration_time(problem, slow));
    EXPECT_NE(better->found.winner, "start");
}

TEST(SolveTraining, AStartThatIsGoodEnoughIsTheEnd) {
    const auto problem = sample::freeze_training(sample::training_model()).problem;
    SilentObserver silent;
    const auto result = solve_training(problem, {.method = "auto", .gap = 0.99, .start = one_stage(problem)}, silent, {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->found.winner, "start");
    EXPECT_EQ(result->found.termination.evaluations, 0);
    EXPECT_EQ(result->found.termination.reason, StopReason::gap);
    EXPECT_FALSE(solve_training(problem, {.method = "auto", .gap = 1}, silent, {}));
}

TEST(SolveTraining, APlannerEndsWhereItIsGoodEnough) {
    const auto problem = sample::freeze_training(sample::training_model()).problem;
    SilentObserver silent;
    const Limits many{.deadline = {}, .evaluations = 100'000, .stop = {}};
    const auto whole = solve_training(problem, {.method = "auto"}, silent, many),
               part = solve_training(problem, {.method = "auto", .gap = 0.9}, silent, many);
    ASSERT_TRUE(whole && part);
    EXPECT_LT(part->found.termination.evaluations, whole->found.termination.evaluations);
    EXPECT_EQ(part->found.termination.reason, StopReason::gap);
    EXPECT_LE(gap_of(part->found.iteration, part->bounds.iteration->value), 0.9);
}

TEST(SweepTraining, MoreIsNeverWorse) {
    const graph::Graph graph = sample::training_model();
    std::vector<TrainingCase> cases;
    for (const std::int64_t count : {1, 2, 3, 5}) {
        cases.push_back({.mini_batch = 16, .platform = sample::training_machine()});
        cases.back().platform.classes.front().count = count;
    }
    cases.push_back({.mini_batch = 16, .micro_batch = 3, .platform = sample::training_machine()});
    SilentObserver silent;
    const auto points =
        sweep_training({.graph = &graph, .optimizer = cost::Optimizer::momentum}, cases, {.method = "auto", .model = graph.fingerprint()},
                       [&](std::size_t) -> Observer& { return silent; }, {.deadline = {}, .evaluations = 3, .stop = {}});
    ASSERT_EQ(points.size(), cases.size());
    for (std::size_t i = 0; i + 1 < cases.size(); ++i) {
        ASSERT_TRUE(points[i].result) << to_text(*points[i].failure);
        const plan::Plan plan = make_training_plan(graph, points[i].of.platform, *points[i].frozen, points[i].options, *points[i].result);
        EXPECT_TRUE(verify_training(graph, plan, &*points[i].result->bounds.iteration).certified);
        if (i > 0) { EXPECT_LE(points[i].result->found.iteration, points[i - 1].result->found.iteration); }
    }
    ASSERT_TRUE(points.back().failure);
    EXPECT_TRUE(points.back().failure->message.contains("do not divide"));
}

Result<training::PlannerResult> lies(const cost::TrainingProblem& problem, const training::PlannerOptions&, Observer&, const Limits&) {
    return training::PlannerResult{.partition = sample::training_partition(problem), .iteration = Duration{1}, .termination = {}};
}
Result<training::PlannerResult> breaks(const cost::TrainingProblem& problem, const training::PlannerOptions&, Observer&, const Limits&) {
    auto partition = sample::training_partition(problem);
    partition.stages.pop_back();
    return training::PlannerResult{.partition = std::move(partition), .iteration = Duration{1}, .termination = {}};
}
Result<training::PlannerResult> throws(const cost::TrainingProblem&, const training::PlannerOptions&, Observer&, const Limits&) {
    throw std::runtime_error("out of luck");
}

TEST(TrainingRows, NothingOfAPlannersOwnIsBelieved) {
    const auto problem = sample::freeze_training(sample::training_model()).problem;
    SilentObserver silent;
    const auto row = [&](training::PlannerFunction plan) {
        return run_training_method(problem, {.name = "p", .description = "", .source = "", .plan = plan}, {}, silent, {});
    };
    const std::vector<TrainingRow> rows{row(throws), row(lies), row(breaks)};
    EXPECT_TRUE(rows[0].failure->message.contains("out of luck"));
    EXPECT_EQ(rows[1].iteration, training::iteration_time(problem, rows[1].partition));
    EXPECT_TRUE(rows[2].failure->message.contains("does not hold"));
    EXPECT_EQ(best_of(rows), &rows[1]);
    EXPECT_EQ(best_of(std::span(rows).first(1)), nullptr);
}

}  // namespace
}  // namespace sluice::solve
