// Waypoints where memory is hard and tight, against the optimum over all acyclic partitions; the triangle rule's bound against all legal
// assignments to chips.
#include <gtest/gtest.h>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/triangle.hpp"
#include "sluice/bound/waypoints.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"

namespace sluice {
namespace {

using test::objection;

TEST(Waypoints, NeverAboveTheOptimumWhereMemoryIsTight) {
    std::size_t raised = 0, tight = 0, above_any_memory = 0;
    for (std::uint64_t i = 0; i < test::cases(3000); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(81, i);
        const auto stages = random.between(2, 5);
        auto problem =
            test::random_problem(random, {.min_operators = 3, .max_operators = 8, .shared_weights = 1, .spill = 0, .classes = 0.4}, stages);
        std::int64_t largest = 0, total = 0;
        for (std::size_t v = 0; v < problem.node_count(); ++v) {
            std::int64_t bytes = 0;
            for (const WeightId w : problem.weights[v]) bytes += problem.weight_bytes[w.index()].count;
            largest = std::max(largest, bytes);
            total += bytes;
        }
        const auto loose = problem;
        for (Bytes& weight : problem.weight_bytes) weight.count *= 1000;  // beside which activations are nothing
        for (cost::DeviceCosts& device : problem.classes) {
            device.overflow = cost::Overflow::hard;
            device.fast_memory = Bytes{1000 * random.between(largest, std::max(largest, total / 2)) + 500};
        }
        const std::int64_t replicas = random.between(1, 2);
        const test::PartitionOptimum optimum(problem);
        const std::int64_t best = optimum.at(stages, replicas);
        const bound::BoundOptions options{.stages = stages, .max_replicas = replicas};
        SilentObserver observer;
        const auto proven = bound::prove_waypoints(problem, options, observer, {});
        ASSERT_TRUE(proven);
        ASSERT_EQ(objection(problem, proven->certificate), "");
        ASSERT_LE(proven->certificate.value.count(), best);
        if (best == test::PartitionOptimum::kImpossible || best == 0) continue;
        tight += proven->certificate.value.count() == best;
        raised += bound::raise_by_waypoints(problem, options, observer, {}, Duration{best - 1}).certificate.has_value();
        above_any_memory += proven->certificate.value > bound::prove_waypoints(loose, options, observer, {})->certificate.value;
        bound::Certificate more = proven->certificate;
        ++more.value;
        EXPECT_NE(objection(problem, more), "") << "what it could still prove it would have";
    }
    EXPECT_EQ(raised, tight);
    EXPECT_GT(tight, test::cases(3000) / 20);
    EXPECT_GT(above_any_memory, test::cases(3000) / 100);
}

TEST(Triangle, NeverAboveAnyLegalAssignment) {
    std::size_t above_even_share = 0, tight = 0;
    for (std::uint64_t i = 0; i < test::cases(2000); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(82, i);
        const auto chips = static_cast<std::size_t>(random.between(2, 4));
        auto costs = test::random_problem(random, {.min_operators = 3, .max_operators = 6, .spill = 0}, static_cast<std::int64_t>(chips));
        if (random.chance(0.5)) costs = cost::without_transfers(costs);  // as only work is proven
        const auto problem = test::on_chips(costs, chips);
        std::int64_t best = std::numeric_limits<std::int64_t>::max(), even = 0;
        for (const auto& assignment : test::legal_assignments(problem)) best = std::min(best, mcm::bottleneck(problem, assignment).count());
        for (const Duration work : costs.classes.front().work) even += work.count();
        even = (even + static_cast<std::int64_t>(chips) - 1) / static_cast<std::int64_t>(chips);
        SilentObserver observer;
        const auto raised = bound::raise_by_triangles(costs, {.stages = static_cast<std::int64_t>(chips)}, observer, {}, Duration{0});
        if (!raised.certificate) continue;
        const auto on_ring = [&](const bound::Certificate& shown) {
            return test::first_of(bound::check_certificate(costs, shown, {}, bound::Partitions::triangle));
        };
        ASSERT_EQ(on_ring(*raised.certificate), "");
        ASSERT_LE(raised.certificate->value.count(), best);
        // No pair proves more.
        for (std::size_t u = 0; u < costs.node_count(); ++u)
            for (const NodeId next : costs.successors[u]) {
                if (next.index() == u + 1) continue;  // two operators alone: no more than the larger one
                bound::Certificate other = *raised.certificate;
                ++other.value;
                other.witness = bound::TriangleWitness{NodeId(u), next};
                ASSERT_NE(on_ring(other), "");
            }
        above_even_share += raised.certificate->value.count() > even;
        tight += raised.certificate->value.count() == best;
    }
    EXPECT_GT(above_even_share, test::cases(2000) / 50);
    EXPECT_GT(tight, test::cases(2000) / 100);
}

}  // namespace
}  // namespace sluice
