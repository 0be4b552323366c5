// The checker of covering weights against every stage there is, and what it accepts against the optimum over all partitions.
#include <gtest/gtest.h>

#include <vector>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/covering.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::CheckedCharge;
using bound::CheckedSerial;
using bound::CheckedWide;
using bound::CoveringWitness;

/// Where each group lies: 0 before the stage, 1 in it, 2 behind.
using Places = std::vector<int>;

/// All places that charged tensors allow, with the cost of the stage.
template <class Visit>
void for_each_stage(const CheckedSerial& serial, const CheckedCharge& charge, const std::vector<char>& charged, Visit visit) {
    Places places(serial.group_count(), 0);
    for (bool more = true; more;) {
        std::int64_t cost = 0;
        bool possible = true;
        for (std::size_t g = 0; g < places.size(); ++g)
            if (places[g] == 1) cost += charge.work[g];
        for (const auto& tensor : serial.tensors) {
            if (!charged[tensor.producer]) continue;
            const int made = places[tensor.producer];
            bool pays = false;
            for (std::uint32_t reader : tensor.consumers) {
                possible = possible && made <= places[reader];
                pays = pays || (made != places[reader] && (made == 1 || places[reader] == 1));
            }
            if (pays) cost += charge.factor * tensor.transfer;
        }
        if (possible) visit(places, cost);
        more = false;
        for (std::size_t g = 0; g < places.size() && !more; ++g) {
            places[g] = (places[g] + 1) % 3;
            more = places[g] != 0;
        }
    }
}

/// The least devices that a stage of this cost needs; 0: none are enough.
std::int64_t devices_for(const std::vector<CheckedWide>& limits, std::int64_t cost) {
    for (std::size_t r = 0; r < limits.size(); ++r)
        if (cost <= limits[r]) return static_cast<std::int64_t>(r) + 1;
    return 0;
}

std::int64_t sum_inside(const Places& places, const std::vector<std::int64_t>& of_group) {
    std::int64_t sum = 0;
    for (std::size_t g = 0; g < places.size(); ++g)
        if (places[g] == 1) sum += of_group[g];
    return sum;
}

struct WeightCounts {
    std::size_t right = 0, overweight = 0, accepted_with_few = 0;
};

void check_one(RandomStream& random, const test::RandomProblemOptions& options, WeightCounts& counts) {
    const auto stages = random.between(1, 4), replicas = random.between(1, 2);
    const auto problem = test::random_problem(random, options, random.chance(0.7) ? stages : 0);
    const std::int64_t optimum = test::PartitionOptimum(problem).at(stages, replicas);
    SilentObserver observer;
    const auto chain = (*bound::find_bound("chain").value()).prove(problem, {.stages = stages, .max_replicas = replicas}, observer, {});
    ASSERT_TRUE(chain);
    const auto* merged = std::get_if<bound::ChainWitness>(&chain->certificate.witness);
    if (!merged || merged->order.empty()) return;
    Certificate certificate = chain->certificate;
    certificate.value = Duration{random.between(1, optimum == test::PartitionOptimum::kImpossible ? 30 : optimum + 2)};
    CoveringWitness witness{.serial = merged->serial, .order = merged->order, .weights = {}, .uncharged = {}};
    witness.theta_halves = bound::spill_floor(problem) ? random.between(0, 2) : 0;

    const Limits no_limits;
    const std::int64_t devices = bound::devices_of(problem, stages);
    const bound::Claim claim{problem, devices, std::min(replicas, devices), certificate.objective, certificate.value, no_limits};
    const auto serial = bound::check_serial(claim, witness.serial);
    ASSERT_TRUE(serial) << serial.error().message;
    const auto order = bound::check_order(*serial, witness.order);
    ASSERT_TRUE(order) << order.error().message;
    const auto charge = bound::check_charge(*serial, witness.theta_halves);
    ASSERT_TRUE(charge) << charge.error().message;
    const auto limits = bound::stage_limits(*serial, *charge, certificate.value);
    std::vector<char> charged(order->size(), 1);
    for (std::uint32_t p = 0; p < order->size(); ++p)
        if (random.chance(0.1)) {
            charged[(*order)[p]] = 0;
            witness.uncharged.push_back(p);
        }

    // Any numbers, and the most that all stages allow of them.
    std::vector<std::int64_t> number(order->size());
    for (std::size_t g = 0; g < number.size(); ++g) number[g] = random.chance(0.5) ? charge->work[g] : random.between(0, 20);
    std::int64_t most = 0, on = 1;
    for_each_stage(*serial, *charge, charged, [&](const Places& places, std::int64_t cost) {
        const std::int64_t r = devices_for(limits, cost), sum = r == 0 ? 0 : sum_inside(places, number);
        if (sum * on > most * r) most = sum, on = r;
    });
    std::vector<std::int64_t> weights(number.size());
    for (std::size_t g = 0; g < number.size(); ++g)
        weights[g] = most == 0 ? std::int64_t{5} << 32 : static_cast<std::int64_t>((CheckedWide{number[g]} * on << 32) / most);
    if (random.chance(0.5)) weights[random.below(weights.size())] += random.chance(0.5) ? 1 : random.between(1, std::int64_t{1} << 32);

    bool light = true;
    for_each_stage(*serial, *charge, charged, [&](const Places& places, std::int64_t cost) {
        const std::int64_t r = devices_for(limits, cost);
        if (r > 0 && sum_inside(places, weights) > r << 32) light = false;
    });
    std::int64_t total = 0;
    for (std::uint32_t g : *order) {
        witness.weights.push_back(weights[g]);
        total += weights[g];
    }
    const bool enough = total > serial->devices << 32;

    witness.labels = bound::kMostCoveringLabels;  // more than there are stages
    certificate.witness = witness;
    const auto objections = bound::check_certificate(problem, certificate);
    ASSERT_EQ(objections.empty(), light && enough) << (objections.empty() ? "" : objections.front().message);
    if (objections.empty()) { ASSERT_LE(certificate.value.count(), optimum); }
    counts.right += light && enough;
    counts.overweight += enough && !light;
    std::get<CoveringWitness>(certificate.witness).labels = random.between(1, 4);
    if (bound::check_certificate(problem, certificate).empty()) {
        ++counts.accepted_with_few;
        ASSERT_TRUE(light && enough);
    }
}

TEST(CoveringCheck, AcceptsExactlyWhatNoStageExceeds) {
    WeightCounts counts;
    for (std::uint64_t i = 0; i < 3000 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(41, i);
        check_one(random, {.min_operators = 3, .max_operators = 7}, counts);
    }
    for (std::uint64_t i = 0; i < 2000 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(42, i);
        check_one(random, test::RandomProblemOptions::everything(6), counts);
    }
    EXPECT_GT(counts.right, 1000u);
    EXPECT_GT(counts.overweight, 300u);
    EXPECT_GT(counts.accepted_with_few, 300u);
    EXPECT_LT(counts.accepted_with_few, counts.right) << "few labels prove less";
}

TEST(CoveringCheck, SharesOfWorkProveTheTotalWork) {
    std::size_t made = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        SCOPED_TRACE(i);
        RandomStream random(43, i);
        const auto stages = random.between(1, 4), replicas = random.between(1, 2);
        const auto problem = test::random_problem(random, test::RandomProblemOptions::everything(9), stages);
        const auto certificate = test::share_of_work(problem, stages, replicas);
        if (!certificate) continue;
        ++made;
        const auto objections = bound::check_certificate(problem, *certificate);
        ASSERT_TRUE(objections.empty()) << objections.front().message;
    }
    EXPECT_GT(made, 800u);
}

}  // namespace
}  // namespace sluice
