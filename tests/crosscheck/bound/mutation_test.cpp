// The checker against hostile certificates: whatever is changed, an accepted claim is true. The oracle is the optimum over all partitions.
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/covering.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::CutWitness;
using test::PartitionOptimum;

std::int64_t hostile_number(RandomStream& random) {
    constexpr std::array numbers{std::numeric_limits<std::int64_t>::max(),
                                 std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max() - 1,
                                 std::int64_t{-1},
                                 std::int64_t{0},
                                 std::int64_t{1} << 61,
                                 std::int64_t{1} << 32,
                                 bound::kLargestScale,
                                 bound::kLargestScale + 1};
    return numbers[random.below(numbers.size())];
}

std::int64_t nudged(std::int64_t value, RandomStream& random) {
    if (random.chance(0.1)) return hostile_number(random);
    const std::int64_t change = random.chance(0.5) ? 1 : random.between(2, 1000);
    if (random.chance(0.5)) return value > std::numeric_limits<std::int64_t>::min() + change ? value - change : value;
    return value < std::numeric_limits<std::int64_t>::max() - change ? value + change : value;
}

void mutate_flows(CutWitness& witness, RandomStream& random) {
    auto& flows = witness.flows;
    const auto any = [&]() -> CutWitness::ArcFlow& { return flows[random.below(flows.size())]; };
    const auto new_arc = [&] {
        return random.chance(0.05) ? std::numeric_limits<std::uint32_t>::max() : static_cast<std::uint32_t>(random.below(80));
    };
    if (flows.empty() || random.chance(0.2)) {
        flows.insert(flows.begin() + static_cast<std::ptrdiff_t>(random.below(flows.size() + 1)), {new_arc(), nudged(5, random)});
        if (random.chance(0.8)) std::ranges::sort(flows, {}, &CutWitness::ArcFlow::arc);
        return;
    }
    switch (random.below(6)) {
        case 0:
            any().flow = nudged(any().flow, random);
            break;
        case 1:
            flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(random.below(flows.size())));
            break;
        case 2:
            std::swap(any().flow, any().flow);
            break;
        case 3:
            std::swap(any().arc, any().arc);
            break;
        case 4:
            any().arc = new_arc();
            break;
        default:  // more of everything keeps conservation: only capacities can object
            for (auto& [arc, flow] : flows) flow = flow < 0 || flow > (std::int64_t{1} << 40) ? flow : flow * 2;
    }
}

NodeId some_node(const cost::StageProblem& problem, RandomStream& random) {
    return random.chance(0.05) ? NodeId{} : NodeId(random.below(problem.node_count() + 1));
}

void mutate_terms(bound::SerialTerms& terms, const cost::StageProblem& problem, RandomStream& random) {
    auto& merges = terms.merges;
    const auto any = [&]() -> auto& { return merges[random.below(merges.size())]; };
    switch (random.below(merges.empty() ? 2 : 6)) {
        case 0: {
            constexpr std::array parts{&bound::SerialTerms::scale, &bound::SerialTerms::work, &bound::SerialTerms::transfer};
            auto& part = terms.*parts[random.below(parts.size())];
            part = nudged(part, random);
            break;
        }
        case 1:
            merges.insert(merges.begin() + static_cast<std::ptrdiff_t>(random.below(merges.size() + 1)),
                          {some_node(problem, random), some_node(problem, random)});
            break;
        case 2:
            merges.erase(merges.begin() + static_cast<std::ptrdiff_t>(random.below(merges.size())));
            break;
        case 3:
            std::swap(any(), any());
            break;
        case 4:
            std::swap(any().first, any().second);
            break;
        default:
            any().second = some_node(problem, random);
    }
}

void mutate_chain(bound::ChainWitness& chain, const cost::StageProblem& problem, RandomStream& random) {
    auto& order = chain.order;
    switch (random.below(6)) {
        case 0:
            chain.theta_halves = nudged(chain.theta_halves, random);
            break;
        case 1:
            chain.mirrored = !chain.mirrored;
            break;
        case 2:
            if (!order.empty()) order[random.below(order.size())] = some_node(problem, random);
            break;
        case 3:
            if (!order.empty()) std::swap(order[random.below(order.size())], order[random.below(order.size())]);
            break;
        case 4:
            order.insert(order.begin() + static_cast<std::ptrdiff_t>(random.below(order.size() + 1)), some_node(problem, random));
            break;
        default:
            mutate_terms(chain.serial, problem, random);
    }
}

void mutate_covering(bound::CoveringWitness& covering, const cost::StageProblem& problem, RandomStream& random) {
    auto& weights = covering.weights;
    auto& uncharged = covering.uncharged;
    switch (random.below(7)) {
        case 0:
        case 1: {
            if (weights.empty()) return;
            std::int64_t& weight = weights[random.below(weights.size())];
            weight = random.chance(0.5) ? nudged(weight, random) : random.between(0, std::int64_t{3} << 32);
            break;
        }
        case 2:
            if (!weights.empty() && random.chance(0.5))
                weights.pop_back();
            else
                weights.push_back(nudged(5, random));
            break;
        case 3: {
            uncharged.push_back(static_cast<std::uint32_t>(random.below(weights.size() + 1)));
            if (random.chance(0.9)) std::ranges::sort(uncharged);
            break;
        }
        case 4:
            covering.labels = random.chance(0.5) ? random.between(0, 4) : nudged(covering.labels, random);
            break;
        case 5:
            if (!covering.order.empty())
                std::swap(covering.order[random.below(covering.order.size())], covering.order[random.below(covering.order.size())]);
            break;
        default:
            if (random.chance(0.3))
                covering.theta_halves = nudged(covering.theta_halves, random);
            else
                mutate_terms(covering.serial, problem, random);
    }
}

void mutate_waypoints(std::vector<NodeId>& nodes, const cost::StageProblem& problem, RandomStream& random) {
    const auto any = [&]() -> NodeId& { return nodes[random.below(nodes.size())]; };
    switch (random.below(nodes.empty() ? 1 : 4)) {
        case 0:
            nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(random.below(nodes.size() + 1)), some_node(problem, random));
            break;
        case 1:
            any() = some_node(problem, random);
            break;
        case 2:
            std::swap(any(), any());
            break;
        default:
            nodes.erase(nodes.begin() + static_cast<std::ptrdiff_t>(random.below(nodes.size())));
    }
}

void mutate(Certificate& certificate, const cost::StageProblem& problem, RandomStream& random) {
    if (auto* waypoints = std::get_if<bound::WaypointsWitness>(&certificate.witness); waypoints && random.chance(0.6))
        return mutate_waypoints(waypoints->nodes, problem, random);
    auto* cut = std::get_if<CutWitness>(&certificate.witness);
    if (auto* chain = std::get_if<bound::ChainWitness>(&certificate.witness); chain && random.chance(0.6))
        return mutate_chain(*chain, problem, random);
    if (auto* covering = std::get_if<bound::CoveringWitness>(&certificate.witness); covering && random.chance(0.6))
        return mutate_covering(*covering, problem, random);
    if (auto* counting = std::get_if<bound::CountingWitness>(&certificate.witness); counting && random.chance(0.6)) {
        if (random.chance(0.8)) return mutate_terms(counting->serial, problem, random);
        counting->theta_halves = nudged(counting->theta_halves, random);
        return;
    }
    switch (random.below(cut ? 12 : 6)) {
        case 0:
            certificate.value = Duration{nudged(certificate.value.count(), random)};
            break;
        case 1:
            certificate.stages = nudged(certificate.stages, random);
            break;
        case 2:
            certificate.max_replicas = nudged(certificate.max_replicas, random);
            break;
        case 3:
            certificate.problem[random.below(certificate.problem.size())] ^= 1;
            break;
        case 4:
            certificate.witness = bound::LargestOperatorWitness{NodeId(random.below(problem.node_count() + 1))};
            break;
        case 5:
            certificate.witness = bound::TotalWorkWitness{};
            break;
        case 6:
            cut->anchor = random.chance(0.1) ? NodeId{} : NodeId(random.below(problem.node_count() + 2));
            break;
        case 7:
            cut->scale = nudged(cut->scale, random);
            break;
        case 8: {
            constexpr std::array parts{&CutWitness::work, &CutWitness::in, &CutWitness::out, &CutWitness::theta};
            auto& part = cut->*parts[random.below(parts.size())];
            part = nudged(part, random);
            break;
        }
        default:
            mutate_flows(*cut, random);
    }
}

TEST(Mutations, NoneThatClaimsTooMuchIsAccepted) {
    std::size_t mutated = 0, wrong = 0, accepted = 0;
    SilentObserver observer;
    test::RandomProblemOptions everything = test::RandomProblemOptions::everything(5);
    for (std::uint64_t i = 0; i < 5000 && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(21, i);
        const auto stages = random.between(1, 4);
        const auto problem = test::random_problem(random, random.chance(0.5) ? everything : test::RandomProblemOptions{.max_operators = 6},
                                                  random.chance(0.5) ? stages : 0);
        const PartitionOptimum optimum(problem);
        const auto& method = bound::bounds()[random.below(bound::bounds().size())];
        const auto proven = method.prove(problem, {.stages = stages, .max_replicas = random.between(1, 2)}, observer,
                                         {.deadline = {}, .evaluations = 4, .stop = {}});
        ASSERT_TRUE(proven);
        Certificate original = proven->certificate;
        if (random.chance(0.2))
            if (auto covering = test::share_of_work(problem, stages, random.between(1, 2))) original = *std::move(covering);
        ASSERT_TRUE(bound::check_certificate(problem, original).empty());

        Certificate raised = original;
        raised.value += Duration{1};
        // A search, or weights, may stop short of what the witness proves.
        const std::int64_t true_value =
            optimum.at(std::clamp<std::int64_t>(raised.stages, 1, 12), std::clamp<std::int64_t>(raised.max_replicas, 1, 12));
        const bool none = raised.kind() == "waypoints" && true_value == PartitionOptimum::kImpossible;  // any value is true of it
        if (!none && ((raised.kind() != "exact-dp" && raised.kind() != "covering") || raised.value.count() > true_value)) {
            ASSERT_FALSE(bound::check_certificate(problem, raised).empty()) << "raised by 1 ps, " << raised.kind();
        }
        Certificate foreign = original;
        foreign.problem += "0";
        ASSERT_FALSE(bound::check_certificate(problem, foreign).empty());

        for (int m = 0; m < 20; ++m) {
            Certificate changed = original;
            for (std::uint64_t times = 1 + random.below(3); times > 0; --times) mutate(changed, problem, random);
            // Any number of devices beyond what fits the table is the same as one each node.
            const std::int64_t devices = std::clamp<std::int64_t>(changed.stages, 1, 12);
            const std::int64_t replicas = std::clamp<std::int64_t>(changed.max_replicas, 1, 12);
            const auto best = [&] { return optimum.at(devices, std::min(replicas, devices)); };
            if (random.chance(0.5)) {
                const std::int64_t least = best();
                if (least != PartitionOptimum::kImpossible)
                    changed.value = Duration{least + 1 + static_cast<std::int64_t>(random.below(3))};
            }
            ++mutated;
            const auto objections = bound::check_certificate(problem, changed);
            if (!objections.empty()) {
                ++wrong;
                for (const auto& objection : objections) EXPECT_EQ(objection.kind, DiagnosticKind::verification);
                continue;
            }
            ++accepted;
            ASSERT_EQ(changed.problem, problem.fingerprint);
            ASSERT_GE(changed.stages, 1);
            ASSERT_LE(changed.value.count(), best());
        }
    }
    EXPECT_GE(mutated, 100'000u);
    EXPECT_GT(wrong, mutated / 2);
    EXPECT_GT(accepted, mutated / 100) << "mutations must be subtle enough that some are harmless";
}

/// A change that keeps the claim and breaks the flow is seen, not only one that claims too much.
TEST(Mutations, OneUnitTooMuchIsSeen) {
    SilentObserver observer;
    std::size_t seen = 0;
    for (std::uint64_t i = 0; i < 300; ++i) {
        RandomStream random(22, i);
        const auto problem = test::random_problem(random, {.min_operators = 4, .max_operators = 30}, 4);
        const auto proven = (*bound::find_bound("cut").value()).prove(problem, {.stages = 4}, observer, {});
        ASSERT_TRUE(proven);
        const auto& witness = std::get<CutWitness>(proven->certificate.witness);
        for (std::size_t f = 0; f < witness.flows.size(); ++f) {
            Certificate changed = proven->certificate;
            ++std::get<CutWitness>(changed.witness).flows[f].flow;
            ASSERT_FALSE(bound::check_certificate(problem, changed).empty()) << "arc " << witness.flows[f].arc;
            ++seen;
        }
    }
    EXPECT_GT(seen, 1000u);
}

}  // namespace
}  // namespace sluice
