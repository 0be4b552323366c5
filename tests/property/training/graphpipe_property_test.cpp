// GraphPipe's planner against every split there is on small models, and its promises on random ones.
#include "sluice/training/graphpipe/graphpipe.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>

#include "sluice/base/random.hpp"
#include "sluice/onnx/load_model.hpp"
#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

using cost::TrainingPartition;
using cost::TrainingProblem;
using cost::TrainingStage;
using test::GivenOperator;

/// Branches of nodes that all meet in the first node of the tail.
struct Shape {
    std::vector<std::vector<std::size_t>> branches;
    std::vector<std::size_t> tail;
};

/// What GraphPipe's moves can make one stage of.
bool is_aligned(const Shape& shape, const std::vector<char>& in) {
    const auto count = [&](const std::vector<std::size_t>& list) {
        return std::ranges::count_if(list, [&](std::size_t v) { return in[v] != 0; });
    };
    const auto interval = [&](const std::vector<std::size_t>& list) {
        std::int64_t changes = 0;
        for (std::size_t i = 0; i < list.size(); ++i) changes += in[list[i]] && (i == 0 || !in[list[i - 1]]) ? 1 : 0;
        return changes == 1;
    };
    std::size_t touched = 0, whole = 0, ends = 0;
    for (const auto& branch : shape.branches) {
        const auto inside = static_cast<std::size_t>(count(branch));
        if (inside == 0) continue;
        ++touched;
        if (inside == branch.size())
            ++whole;
        else if (interval(branch) && in[branch.back()])
            ++ends;
    }
    if (count(shape.tail) == 0) {
        if (touched == whole) return true;
        return touched == 1 &&
               std::ranges::any_of(shape.branches, [&](const auto& branch) { return count(branch) > 0 && interval(branch); });
    }
    if (!interval(shape.tail)) return false;
    return touched == 0 || (in[shape.tail.front()] && whole + ends == touched && ends <= 1);
}

/// The least bottleneck of all aligned splits with every number of replicas; nullopt: none fits.
std::optional<Duration> least_bottleneck(const TrainingProblem& problem, const Shape& shape, std::int64_t devices,
                                         std::int64_t micro_batch) {
    const std::size_t nodes = problem.node_count();
    std::optional<Duration> best;
    std::vector<std::size_t> stage_of(nodes);
    const auto price_all = [&](std::size_t stages) {
        if (stages > static_cast<std::size_t>(devices)) return;
        for (std::size_t s = 0; s < stages; ++s) {
            std::vector<char> in(nodes);
            for (std::size_t v = 0; v < nodes; ++v) in[v] = stage_of[v] == s;
            if (!is_aligned(shape, in)) return;
        }
        std::vector<std::int64_t> replicas(stages, 1);
        const std::function<void(std::size_t, std::int64_t)> choose = [&](std::size_t s, std::int64_t left) {
            if (s < stages) {
                for (replicas[s] = 1; replicas[s] <= left - static_cast<std::int64_t>(stages - s - 1); ++replicas[s])
                    choose(s + 1, left - replicas[s]);
                return;
            }
            TrainingPartition partition;
            std::int64_t first = 0;
            for (std::size_t i = 0; i < stages; ++i) {
                partition.stages.push_back({.nodes = {}, .first_device = first, .replicas = replicas[i], .micro_batch = micro_batch});
                first += replicas[i];
            }
            for (std::size_t v = 0; v < nodes; ++v) partition.stages[stage_of[v]].nodes.emplace_back(v);
            auto sorted = cost::normalise(problem, std::move(partition));
            if (!sorted) return;
            cost::set_in_flight(problem, *sorted);
            if (!cost::faults_of(problem, *sorted).empty()) return;
            const Duration bottleneck = cost::price(problem, *sorted).bottleneck;
            if (!best || bottleneck < *best) best = bottleneck;
        };
        choose(0, devices);
    };
    const std::function<void(std::size_t, std::size_t)> assign = [&](std::size_t v, std::size_t stages) {
        if (v == nodes) return price_all(stages);
        for (std::size_t s = 0; s <= stages; ++s) {
            stage_of[v] = s;
            assign(v + 1, std::max(stages, s + 1));
        }
    };
    assign(0, 0);
    return best;
}

GivenOperator random_operator(RandomStream& random) {
    const std::int64_t forward = random.between(50'000, 200'000);
    return {.forward = forward,
            .backward = forward * random.between(1, 3),
            .reads = {},
            .made = {random.between(1, 8)},
            .parameters = {4 * random.between(1, 8)}};
}

RC_GTEST_PROP(GraphPipeProperty, FindsTheBestOfAllAlignedSplits, (std::uint64_t seed)) {
    RandomStream random(seed);
    std::vector<GivenOperator> operators;
    Shape shape;
    const auto add_chain = [&](std::size_t length, std::vector<std::size_t> reads) {
        std::vector<std::size_t> chain;
        for (std::size_t i = 0; i < length; ++i) {
            operators.push_back(random_operator(random));
            operators.back().reads = chain.empty() ? reads : std::vector<std::size_t>(1, chain.back());
            chain.push_back(operators.size() - 1);
        }
        return chain;
    };
    const auto branches = static_cast<std::size_t>(random.between(0, 3));
    std::vector<std::size_t> ends;
    for (std::size_t b = 0; b < branches; ++b) {
        const auto length = static_cast<std::size_t>(random.between(1, branches == 1 ? 1 : 2));
        if (b > 0 && random.between(0, 1) == 0 && shape.branches.back().size() == length) {  // an equal one
            std::vector<std::size_t> twin;
            for (const std::size_t v : shape.branches.back()) {
                operators.push_back(operators[v]);
                if (!operators.back().reads.empty()) operators.back().reads.assign(1, twin.back());
                twin.push_back(operators.size() - 1);
            }
            shape.branches.push_back(twin);
        } else {
            shape.branches.push_back(add_chain(length, {}));
        }
        ends.push_back(shape.branches.back().back());
    }
    shape.tail = add_chain(static_cast<std::size_t>(random.between(branches == 0 ? 3 : 1, branches == 0 ? 5 : 2)), ends);
    const std::int64_t devices = random.between(1, 4), batch = 16, micro_batch = std::int64_t{1} << random.between(0, 3);
    // From memory for a few samples of a few operators to enough for all
    const Bytes memory{random.between(0, 2) == 0 ? 0 : random.between(60, 600)};
    const TrainingProblem problem = test::training_problem(test::given_graph(operators), test::given_devices(devices, memory), batch);
    const auto best = least_bottleneck(problem, shape, devices, micro_batch);
    SilentObserver observer;
    const auto plan = plan_by_graphpipe(problem, {.micro_batch = micro_batch}, observer, {});
    RC_ASSERT(plan.has_value() == best.has_value());
    if (!plan) return;
    RC_ASSERT(cost::faults_of(problem, plan->partition).empty());
    const auto found = static_cast<double>(cost::price(problem, plan->partition).bottleneck.count());
    RC_ASSERT(found <= static_cast<double>(best->count()) * 1.0002 + 1);
    RC_ASSERT(found + 1 >= static_cast<double>(best->count()));
}

RC_GTEST_PROP(GraphPipeProperty, AnyGraphAnyMemory, (std::uint64_t seed)) {
    RandomStream random(seed);
    std::vector<GivenOperator> operators;
    const std::int64_t nodes = random.between(1, 90), reach = random.between(1, 30);
    for (std::int64_t v = 0; v < nodes; ++v) {
        operators.push_back(random_operator(random));
        if (v > 0)
            for (std::int64_t i = random.between(0, 2); i > 0; --i)
                operators.back().reads.push_back(static_cast<std::size_t>(random.between(std::max<std::int64_t>(0, v - reach), v - 1)));
    }
    const std::int64_t devices = random.between(1, 12);
    const TrainingProblem problem = test::training_problem(
        test::given_graph(operators), test::given_devices(devices, {random.between(0, 1) == 0 ? 0 : random.between(300, 6000)}),
        std::int64_t{1} << random.between(0, 6));
    SilentObserver observer;
    const auto plan = plan_by_graphpipe(problem, {}, observer, {}), full = plan_by_graphpipe_full(problem, {}, observer, {});
    RC_ASSERT(plan.has_value() == full.has_value());
    if (!plan) {
        RC_ASSERT(plan.error().kind == DiagnosticKind::infeasible);
        return;
    }
    RC_ASSERT(cost::faults_of(problem, plan->partition).empty());
    RC_ASSERT(cost::faults_of(problem, full->partition).empty());
    RC_ASSERT(full->iteration <= plan->iteration);
}

TEST(GraphPipeZoo, EveryModelOfThePaper) {
    const auto platform = platform::load_platform("v100-summit:devices=8");
    ASSERT_TRUE(platform.has_value());
    for (const std::string name : {"zoo:mmt:branches=2,layers=2", "zoo:candle-uno:branches=3", "zoo:dlrm:branches=2,tables=2"}) {
        const auto model = onnx::load_model(name);
        ASSERT_TRUE(model.has_value()) << name;
        const auto frozen = cost::freeze_training(model->graph, *platform, {.mini_batch = 64});
        ASSERT_TRUE(frozen.has_value()) << name;
        SilentObserver observer;
        const auto plan = plan_by_graphpipe(frozen->problem, {}, observer, {});
        ASSERT_TRUE(plan.has_value()) << name;
        EXPECT_TRUE(cost::faults_of(frozen->problem, plan->partition).empty()) << name;
        // Better than all on one device, whose bottleneck is the work of all.
        Duration all{0};
        for (const cost::PassTimes& one : cost::pass_times(frozen->problem, ClassId(0), 64)) all += one.total();
        EXPECT_LT(cost::price(frozen->problem, plan->partition).bottleneck.count(), all.count() / 64) << name;
    }
}

}  // namespace
}  // namespace sluice::training
