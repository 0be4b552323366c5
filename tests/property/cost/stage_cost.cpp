// The objective against an independent slow form written from design §3.1's words: sets of tensors, one loop a sentence.
#include "sluice/cost/stage_cost.hpp"
#include "sluice/base/wide.hpp"

#include <gtest/gtest.h>

#include <set>

#include "sluice/cost/partition.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice::cost {
namespace {

/// "consumed in S", "produced in S" and so on from the edges' own lists only.
struct SlowTerms {
    std::int64_t work = 0, in = 0, out = 0, spill = 0, parameters = 0, peak = 0;
};

SlowTerms slow_terms(const StageProblem& problem, const std::vector<NodeId>& stage, const DeviceCosts& device) {
    const std::set<NodeId> inside(stage.begin(), stage.end());
    SlowTerms terms;
    for (NodeId node : stage) terms.work += device.work[node.index()].count();
    std::set<std::size_t> entering, leaving, internal, made;
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        const bool produced = problem.producer[e].valid() && inside.contains(problem.producer[e]);
        bool consumed = false, consumed_outside = problem.to_host[e] != 0;
        for (NodeId consumer : problem.consumers[e]) (inside.contains(consumer) ? consumed : consumed_outside) = true;
        if (consumed && !produced) entering.insert(e);
        if (produced) made.insert(e);
        if (produced && consumed_outside) leaving.insert(e);
        if (produced && !consumed_outside) internal.insert(e);
    }
    for (std::size_t e : entering) terms.in += problem.transfer[e].count();
    for (std::size_t e : leaving) terms.out += problem.transfer[e].count();
    for (std::size_t w = 0; w < problem.weight_count(); ++w) {
        bool used = false;
        for (NodeId user : problem.weight_users[w]) used = used || inside.contains(user);
        if (used) terms.parameters += problem.weight_bytes[w].count;
    }
    if (device.overflow == Overflow::spill && terms.parameters > device.fast_memory.count) {
        // The smallest t with t x rate >= excess x 10^12.
        const auto excess = static_cast<Wide>(terms.parameters - device.fast_memory.count) * 1'000'000'000'000;
        Wide t = excess / device.spill_rate.bytes_per_second;
        while (t * device.spill_rate.bytes_per_second < excess) ++t;
        terms.spill = static_cast<std::int64_t>(t);
    }
    // Run the stage: what is in memory while each node runs?
    for (std::size_t now = 0; now < stage.size(); ++now) {
        std::int64_t alive = problem.scratch[stage[now].index()].count;
        for (std::size_t e : entering) alive += problem.bytes[e].count;
        for (std::size_t e : made) {
            const auto born = static_cast<std::size_t>(std::ranges::find(stage, problem.producer[e]) - stage.begin());
            bool needed = leaving.contains(e) || born == now;
            for (std::size_t later = now; later < stage.size(); ++later)
                for (NodeId consumer : problem.consumers[e]) needed = needed || consumer == stage[later];
            if (born <= now && needed) alive += problem.bytes[e].count;
        }
        terms.peak = std::max(terms.peak, alive);
    }
    return terms;
}

std::int64_t slow_time(StageModel model, const SlowTerms& terms) {
    if (model == StageModel::overlap) return std::max(std::max(terms.in, terms.out), terms.work + terms.spill);
    return terms.work + terms.in + terms.out + terms.spill;
}

void expect_equal(const StageTerms& terms, const SlowTerms& slow) {
    EXPECT_EQ(terms.work.count(), slow.work);
    EXPECT_EQ(terms.in.count(), slow.in);
    EXPECT_EQ(terms.out.count(), slow.out);
    EXPECT_EQ(terms.spill.count(), slow.spill);
    EXPECT_EQ(terms.parameters.count, slow.parameters);
    EXPECT_EQ(terms.peak.count, slow.peak);
}

test::RandomProblemOptions everything() { return test::RandomProblemOptions::everything(12); }

TEST(StageCostProperty, ReferenceEqualsTheSlowForm) {
    for (std::uint64_t seed = 0; seed < 5000; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed);
        const StageProblem problem = test::random_problem(random, everything());
        const Partition partition = test::random_partition(problem, 1 + random.below(5), random);
        for (const Stage& stage : partition.stages) {
            const StageTerms terms = stage_terms(problem, stage.nodes, stage.device);
            const SlowTerms slow = slow_terms(problem, stage.nodes, problem.classes[stage.device.index()]);
            expect_equal(terms, slow);
            EXPECT_EQ(stage_time(problem.model, terms).count(), slow_time(problem.model, slow));
        }
        if (HasFailure()) return;
    }
}

/// Any set of nodes has terms, convex or not: local search passes through such sets.
TEST(StageCostProperty, ReferenceEqualsTheSlowFormOnAnySet) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 1);
        const StageProblem problem = test::random_problem(random, everything());
        std::vector<NodeId> stage;
        for (std::size_t v = 0; v < problem.node_count(); ++v)
            if (random.chance(0.5)) stage.emplace_back(v);
        expect_equal(stage_terms(problem, stage, ClassId(0)), slow_terms(problem, stage, problem.classes[0]));
        if (HasFailure()) return;
    }
}

TEST(StageCostProperty, IncrementalEqualsReferenceAlongAnOrder) {
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 2);
        const StageProblem problem = test::random_problem(random, everything());
        const ClassId device(random.below(problem.classes.size()));
        IncrementalStage incremental(problem, device);
        for (int round = 0; round < 2; ++round) {  // the second one finds whatever clear() left behind
            const std::vector<NodeId> order = test::random_order(problem, random);
            const std::size_t begin = random.below(order.size());
            std::vector<NodeId> stage;
            for (std::size_t i = begin; i < order.size(); ++i) {
                stage.push_back(order[i]);
                incremental.add(order[i]);
                const StageTerms reference = stage_terms(problem, stage, device);
                EXPECT_EQ(incremental.terms(), reference);
                EXPECT_EQ(incremental.time(), stage_time(problem.model, reference));
                EXPECT_TRUE(incremental.contains(order[i]));
            }
            incremental.clear();
            EXPECT_EQ(incremental.terms(), StageTerms{});
        }
        if (HasFailure()) return;
    }
}

TEST(StageCostProperty, IncrementalEqualsReferenceAfterAnyAdditionsAndRemovals) {
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 3);
        const StageProblem problem = test::random_problem(random, everything());
        const ClassId device(random.below(problem.classes.size()));
        IncrementalStage incremental(problem, device);
        std::set<NodeId> inside;
        for (int step = 0; step < 40; ++step) {
            const NodeId node(random.below(problem.node_count()));
            if (inside.erase(node)) {
                incremental.remove(node);
            } else {
                inside.insert(node);
                incremental.add(node);
            }
            StageTerms reference = stage_terms(problem, std::vector<NodeId>(inside.begin(), inside.end()), device);
            StageTerms found = incremental.terms();
            reference.peak = found.peak = Bytes{};  // not kept through removals
            EXPECT_EQ(found, reference);
            EXPECT_EQ(incremental.contains(node), inside.contains(node));
            if (random.chance(0.05)) {
                incremental.clear();
                inside.clear();
            }
        }
        if (HasFailure()) return;
    }
}

TEST(StageCostProperty, PeakIsZeroOnceTheOrderIsNoExecutionOrder) {
    int seen = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        RandomStream random(seed, 4);
        const StageProblem problem = test::random_problem(random, everything());
        for (std::size_t v = 0; v < problem.node_count(); ++v)
            for (NodeId next : problem.successors[v]) {
                IncrementalStage incremental(problem, ClassId(0));
                incremental.add(next);
                incremental.add(NodeId(v));
                EXPECT_EQ(incremental.terms().peak, Bytes{});
                incremental.clear();
                incremental.add(NodeId(v));
                incremental.remove(NodeId(v));
                incremental.add(next);
                EXPECT_EQ(incremental.terms().peak, Bytes{});
                ++seen;
            }
    }
    EXPECT_GT(seen, 100);
}

/// The draws must reach every feature, or the properties above say little.
TEST(StageCostProperty, RandomProblemsHaveEveryFeature) {
    int spills = 0, overlaps = 0, to_host = 0, host_inputs = 0, classes = 0, merged = 0, replicated = 0, shared = 0, fans = 0,
        unsupported = 0, hard = 0, zero = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        RandomStream random(seed);
        const StageProblem problem = test::random_problem(random, everything());
        overlaps += problem.model == StageModel::overlap;
        classes += problem.classes.size() == 2;
        spills += problem.classes[0].overflow == Overflow::spill;
        hard += problem.classes[0].overflow == Overflow::hard;
        for (std::size_t e = 0; e < problem.edge_count(); ++e) {
            to_host += problem.to_host[e] != 0;
            host_inputs += !problem.producer[e].valid() && problem.transfer[e] > Duration{0};
            fans += problem.consumers[e].size() > 1;
        }
        for (std::size_t v = 0; v < problem.node_count(); ++v) {
            merged += problem.operators[v].size() > 1;
            unsupported += !problem.classes[0].supported.contains(v);
            zero += problem.classes[0].work[v] == Duration{0};
        }
        for (std::size_t w = 0; w < problem.weight_count(); ++w) shared += problem.weight_users[w].size() > 1;
        for (NodeId node : problem.node_of) replicated += !node.valid();
    }
    for (int count : {spills, overlaps, to_host, host_inputs, classes, merged, replicated, shared, fans, unsupported, hard, zero})
        EXPECT_GT(count, 20);
}

}  // namespace
}  // namespace sluice::cost
