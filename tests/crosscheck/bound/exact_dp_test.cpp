// The exact-dp checker against refutations made by brute force, and hostile ones. The oracle is the optimum over all partitions.
#include <gtest/gtest.h>

#include <cstdlib>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/check_dominance.hpp"
#include "sluice/bound/exact_dp.hpp"
#include "sluice/search/downset_engine.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/brute_refutation.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/random_problem.hpp"

namespace sluice {
namespace {

using bound::Certificate;
using bound::CheckedGroups;
using bound::ExactDpWitness;
using test::BruteRelaxation;
using test::first_of;
using test::PartitionOptimum;

/// SLUICE_LONG_TESTS=N: N times as many.
std::uint64_t times(std::uint64_t count) {
    const char* longer = std::getenv("SLUICE_LONG_TESTS");
    return count * (longer ? std::strtoull(longer, nullptr, 10) : 1);
}

struct Case {
    cost::StageProblem problem;
    std::int64_t stages = 1, devices = 1, replicas = 1;
    std::int64_t scale = 1, work = 1, transfer = 1;
};

Case random_case(RandomStream& random, std::size_t most_operators = 7) {
    Case made;
    made.stages = random.between(1, 4);
    test::RandomProblemOptions options = random.chance(0.4) ? test::RandomProblemOptions::everything(most_operators)
                                                            : test::RandomProblemOptions{.max_operators = most_operators};
    options.min_operators = 2;
    if (random.chance(0.4)) options.largest_transfer = 30;
    made.problem = test::random_problem(random, options, random.chance(0.7) ? made.stages : 0);
    std::int64_t devices = 0;
    for (const auto& device : made.problem.classes) devices += device.count;
    made.devices = std::min(made.stages, devices);
    made.replicas = random.between(1, 3);
    const bool overlap = made.problem.model == cost::StageModel::overlap;
    if (overlap || random.chance(0.2)) {
        made.scale = random.between(1, 6);
        made.transfer = random.between(0, overlap ? made.scale / 2 : made.scale);
        made.work = random.between(0, overlap ? made.scale - 2 * made.transfer : made.scale);
    }
    return made;
}

Result<Certificate> certificate_for(const Case& of, const BruteRelaxation& relaxation, std::int64_t threshold,
                                    std::vector<std::pair<NodeId, NodeId>> merges = {}) {
    auto refutation = test::brute_refutation(of.problem, relaxation, threshold, of.stages, of.devices, of.replicas);
    refutation.scale = of.scale;
    refutation.work = of.work;
    refutation.transfer = of.transfer;
    refutation.merges = std::move(merges);
    return bound::certificate_of(of.problem, refutation);
}

TEST(ExactDp, AcceptedExactlyBelowTheOptimum) {
    std::size_t accepted = 0, refused = 0;
    for (std::uint64_t i = 0; i < times(1500) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(31, i);
        const Case of = random_case(random);
        const BruteRelaxation relaxation(of.problem, of.scale, of.work, of.transfer);
        const std::int64_t least = relaxation.optimum(of.devices, of.replicas);
        const PartitionOptimum optimum(of.problem);
        ASSERT_LE(least, optimum.at(of.devices, of.replicas)) << "it is no relaxation";
        for (const std::int64_t threshold : {least - 1, least, least + 1, random.between(0, least)}) {
            const auto certificate = certificate_for(of, relaxation, threshold);
            ASSERT_TRUE(certificate);
            const auto objections = bound::check_certificate(of.problem, *certificate);
            if (threshold < least) {
                ASSERT_EQ(first_of(objections), "") << "threshold " << threshold << ", optimum " << least;
                ++accepted;
            } else {
                ASSERT_FALSE(objections.empty()) << "threshold " << threshold << ", optimum " << least;
                ASSERT_EQ(objections.front().kind, DiagnosticKind::verification);
                ++refused;
            }
        }
    }
    EXPECT_GT(accepted, 2000u);
    EXPECT_GT(refused, 2000u);
}

/// Drops kept downsets, one after the other in random order, as long as the checker still agrees.
Certificate without_the_dominated(const cost::StageProblem& problem, const Certificate& certificate, RandomStream& random) {
    // On resolved sets: differences of a level mean another thing once one is gone.
    Certificate best = certificate;
    const auto& witness = std::get<ExactDpWitness>(certificate.witness);
    std::vector<std::vector<ExactDpWitness::Changes>> resolved = witness.kept;
    for (auto& level : resolved)
        for (std::size_t i = 1; i < level.size(); ++i) {
            ExactDpWitness::Changes changes;
            std::ranges::set_symmetric_difference(level[i - 1], level[i], std::back_inserter(changes));
            level[i] = std::move(changes);
        }
    std::vector<std::pair<std::size_t, ExactDpWitness::Changes>> all;
    for (std::size_t l = 0; l < resolved.size(); ++l)
        for (const auto& changes : resolved[l]) all.emplace_back(l, changes);
    random.shuffle(std::span(all));
    for (const auto& [l, changes] : all) {
        auto fewer = resolved;
        std::erase(fewer[l], changes);
        Certificate without = certificate;
        auto& kept = std::get<ExactDpWitness>(without.witness).kept;
        kept = fewer;
        for (auto& level : kept)
            for (std::size_t i = level.size(); i-- > 1;) {
                ExactDpWitness::Changes difference;
                std::ranges::set_symmetric_difference(level[i], level[i - 1], std::back_inserter(difference));
                level[i] = std::move(difference);
            }
        if (!bound::check_certificate(problem, without).empty()) continue;
        best = std::move(without);
        resolved = std::move(fewer);
    }
    return best;
}

std::size_t kept_in(const Certificate& certificate) {
    std::size_t count = 0;
    for (const auto& level : std::get<ExactDpWitness>(certificate.witness).kept) count += level.size();
    return count;
}

TEST(ExactDp, DominanceAndLeafRuleStandForMostDownsets) {
    std::size_t all = 0, needed = 0;
    for (std::uint64_t i = 0; i < times(150) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(32, i);
        const Case of = random_case(random, 6);
        const BruteRelaxation relaxation(of.problem, of.scale, of.work, of.transfer);
        const auto certificate = certificate_for(of, relaxation, relaxation.optimum(of.devices, of.replicas) - 1);
        ASSERT_TRUE(certificate);
        const Certificate fewer = without_the_dominated(of.problem, *certificate, random);
        all += kept_in(*certificate);
        needed += kept_in(fewer);
    }
    EXPECT_LT(2 * needed, all);
    EXPECT_GT(needed, 0u);
}

Result<bound::CheckedSerial> groups_of(const Case& of, const std::vector<std::pair<NodeId, NodeId>>& merges) {
    const Limits limits;
    const bound::Claim claim{of.problem, of.devices, of.replicas, cost::Objective::throughput, Duration{0}, limits};
    return bound::check_serial(claim, {.scale = of.scale, .work = of.work, .transfer = of.transfer, .merges = merges});
}

/// Pairs in random order, as long as the checker finds them safe.
std::vector<std::pair<NodeId, NodeId>> random_merges(const Case& of, RandomStream& random) {
    std::vector<std::pair<NodeId, NodeId>> pairs, merges;
    for (std::size_t v = 0; v < of.problem.node_count(); ++v)
        for (NodeId next : of.problem.successors[v]) pairs.emplace_back(NodeId(v), next);
    random.shuffle(std::span(pairs));
    for (auto pair : pairs) {
        if (random.chance(0.5)) std::swap(pair.first, pair.second);
        if (!merges.empty()) {  // groups go by their first nodes
            const auto serial = groups_of(of, merges);
            for (NodeId* name : {&pair.first, &pair.second}) *name = NodeId(serial->members[serial->group_of[name->index()]].front());
            if (pair.first == pair.second) continue;
        }
        merges.push_back(pair);
        if (!groups_of(of, merges)) merges.pop_back();
    }
    return merges;
}

TEST(ExactDp, MergesThatPassKeepAnOptimum) {
    std::size_t merged = 0;
    for (std::uint64_t i = 0; i < times(1500) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(33, i);
        const Case of = random_case(random);
        const BruteRelaxation relaxation(of.problem, of.scale, of.work, of.transfer);
        const auto merges = random_merges(of, random);
        merged += merges.size();
        const auto serial = groups_of(of, merges);
        ASSERT_TRUE(serial);
        // Partitions of whole groups only: the same optimum.
        std::vector<std::size_t> masks(serial->group_count(), 0);
        for (std::size_t v = 0; v < of.problem.node_count(); ++v) masks[serial->group_of[v]] |= std::size_t{1} << v;
        const auto whole = [&](std::size_t set) {
            return std::ranges::all_of(masks, [&](std::size_t mask) { return (set & mask) == 0 || (set & mask) == mask; });
        };
        const std::int64_t least = relaxation.optimum(of.devices, of.replicas);
        std::vector<std::int64_t> fewest(relaxation.sets(), BruteRelaxation::kUnreached);
        fewest[0] = 0;
        const std::size_t everything = relaxation.sets() - 1;
        for (std::size_t done = 0; done < everything; ++done)
            for (std::size_t set = everything & ~done; set != 0 && fewest[done] < of.devices; set = (set - 1) & everything & ~done) {
                if (!relaxation.downset(done | set) || !whole(done | set)) continue;
                std::int64_t r = 1;
                while (r <= of.replicas && relaxation.cost(set) > r * of.scale * least) ++r;
                if (r <= of.replicas) fewest[done | set] = std::min(fewest[done | set], fewest[done] + r);
            }
        ASSERT_LE(fewest.back(), of.devices) << "a merge cost the optimum";
        // And the certificate of the merged problem, its kept sets whole groups.
        auto refutation = test::brute_refutation(of.problem, relaxation, least - 1, of.stages, of.devices, of.replicas);
        for (auto& level : refutation.kept)
            std::erase_if(level, [&](const graph::NodeSet& set) {
                std::size_t mask = 0;
                set.for_each([&](std::size_t v) { mask |= std::size_t{1} << v; });
                return !whole(mask);
            });
        refutation.scale = of.scale, refutation.work = of.work, refutation.transfer = of.transfer;
        refutation.merges = merges;
        const auto certificate = bound::certificate_of(of.problem, refutation);
        ASSERT_TRUE(certificate);
        ASSERT_EQ(first_of(bound::check_certificate(of.problem, *certificate)), "");
    }
    EXPECT_GT(merged, 1000u);
}

/// From the definition: every subset Y of X.
bool dominates_by_definition(const CheckedGroups& groups, const graph::NodeSet& larger, const graph::NodeSet& smaller) {
    std::vector<std::uint32_t> rest;
    for (std::uint32_t g = 0; g < groups.size(); ++g)
        if (larger.contains(g) && !smaller.contains(g)) rest.push_back(g);
    for (std::size_t mask = 0; mask < std::size_t{1} << rest.size(); ++mask) {
        const auto taken = [&](std::uint32_t g) {
            const auto at = std::ranges::find(rest, g);
            return at != rest.end() && (mask >> (at - rest.begin()) & 1) != 0;
        };
        std::int64_t spared = 0;
        for (std::uint32_t g : rest)
            if (taken(g)) spared += groups.work[g];
        for (std::uint32_t t = 0; t < groups.tensors(); ++t) {
            const auto readers = groups.consumers[t];
            const bool made = taken(groups.producer[t]);
            if (std::ranges::all_of(readers, [&](std::uint32_t reader) { return larger.contains(reader); })) {
                const bool split = made ? !std::ranges::all_of(readers, taken) : std::ranges::any_of(readers, taken);
                if (split) spared += groups.transfer[t];
            } else if (made &&
                       std::ranges::all_of(readers, [&](std::uint32_t reader) { return !larger.contains(reader) || taken(reader); })) {
                spared -= groups.transfer[t];
            }
        }
        if (spared < 0) return false;
    }
    return true;
}

TEST(Dominance, IsWhatTheDefinitionSaysAndCompletesNoWorse) {
    std::size_t shown = 0, not_shown = 0;
    for (std::uint64_t i = 0; i < times(400) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(34, i);
        const Case of = random_case(random);
        const auto serial = groups_of(of, {});
        ASSERT_TRUE(serial);
        const std::vector<std::uint32_t> order = bound::lowest_first(*serial);
        const auto groups = bound::numbered(*serial, order);
        ASSERT_TRUE(groups);
        std::vector<std::uint32_t> number(order.size());
        for (std::uint32_t at = 0; at < order.size(); ++at) number[order[at]] = at;
        const std::size_t nodes = of.problem.node_count(), all = (std::size_t{1} << nodes) - 1;
        const BruteRelaxation relaxation(of.problem, of.scale, of.work, of.transfer);
        // Least bottleneck, one device a stage, from each downset to everything.
        std::vector<std::vector<std::int64_t>> best(4, std::vector<std::int64_t>(all + 1, BruteRelaxation::kUnreached));
        for (std::size_t left = 0; left < best.size(); ++left) {
            best[left][all] = 0;
            for (std::size_t done = all; left > 0 && done-- > 0;)
                for (std::size_t set = all & ~done; set != 0; set = (set - 1) & all & ~done)
                    if (relaxation.downset(done | set))
                        best[left][done] = std::min(best[left][done], std::max(relaxation.cost(set), best[left - 1][done | set]));
        }
        bound::CheckedDominance dominance(*groups);
        for (std::size_t larger = 1; larger <= all; ++larger) {
            if (!relaxation.downset(larger)) continue;
            for (std::size_t smaller = (larger - 1) & larger;; smaller = (smaller - 1) & larger) {
                if (relaxation.downset(smaller) && random.chance(0.3)) {
                    graph::NodeSet big(nodes), small(nodes);
                    for (std::size_t v = 0; v < nodes; ++v) {
                        if (larger >> v & 1) big.insert(number[v]);
                        if (smaller >> v & 1) small.insert(number[v]);
                    }
                    const bool claimed = dominance.shown(big, small);
                    ASSERT_EQ(claimed, dominates_by_definition(*groups, big, small)) << larger << " over " << smaller;
                    (claimed ? shown : not_shown) += 1;
                    for (std::size_t left = 0; claimed && left < best.size(); ++left) ASSERT_LE(best[left][larger], best[left][smaller]);
                }
                if (smaller == 0) break;
            }
        }
    }
    EXPECT_GT(shown, 1000u);
    EXPECT_GT(not_shown, 1000u);
}

/// The engine's own refutations, with its merges, tables and counting weights, up to the last threshold that it refutes.
TEST(ExactDp, WhatTheEngineRefutesIsCertified) {
    std::size_t certified = 0, kept = 0, merged = 0, tables = 0;
    for (std::uint64_t i = 0; i < times(400) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(36, i);
        const std::int64_t stages = random.between(2, 5), replicas = random.chance(0.7) ? 1 : random.between(2, 3);
        test::RandomProblemOptions options =
            random.chance(0.3) ? test::RandomProblemOptions::everything(14) : test::RandomProblemOptions{.max_operators = 24};
        options.min_operators = 6;
        options.largest_transfer = random.chance(0.5) ? 10 : 30;
        const auto problem = test::random_problem(random, options, stages);
        const auto engine = search::DownsetEngine::build(problem, {.stages = stages, .max_replicas = replicas}, {});
        if (!engine) continue;
        std::int64_t low = -1, high = 2;  // refuted at low, not at high
        const auto attempt = [&](std::int64_t threshold) {
            const auto outcome = engine->attempt(Duration{threshold}, {.witness = true}, {});
            if (outcome.outcome == search::DownsetOutcome::found) return false;
            EXPECT_EQ(outcome.outcome, search::DownsetOutcome::refuted);
            if (!outcome.refutation) {
                ADD_FAILURE() << "refuted without a witness at " << threshold;
                return false;
            }
            const auto certificate = bound::certificate_of(problem, *outcome.refutation);
            EXPECT_TRUE(certificate) << certificate.error().message;
            if (!certificate) return false;
            EXPECT_EQ(first_of(bound::check_certificate(problem, *certificate)), "") << "threshold " << threshold;
            EXPECT_EQ(certificate->value, Duration{threshold + 1});
            ++certified;
            kept += kept_in(*certificate);
            merged += outcome.refutation->merges.size();
            tables += outcome.refutation->completion.size();
            return true;
        };
        while (attempt(high) && !HasFailure()) low = high, high *= 2;
        while (high - low > 1 && !HasFailure()) {
            const std::int64_t middle = low + (high - low) / 2;
            (attempt(middle) ? low : high) = middle;
        }
    }
    EXPECT_GT(certified, 1000u);
    EXPECT_GT(kept, 1000u);
    EXPECT_GT(merged, 100u);
    EXPECT_GT(tables, 1000u);
}

void mutate_exact_dp(Certificate& certificate, const cost::StageProblem& problem, RandomStream& random) {
    auto& witness = std::get<ExactDpWitness>(certificate.witness);
    const auto any_node = [&] { return NodeId(random.below(problem.node_count() + (random.chance(0.05) ? 1 : 0))); };
    const auto nudge = [&](std::int64_t& number) { number += random.chance(0.5) ? 1 : -1; };
    const auto any_level = [&]() -> std::vector<ExactDpWitness::Changes>* {
        if (witness.kept.empty()) return nullptr;
        auto& level = witness.kept[random.below(witness.kept.size())];
        return level.empty() ? nullptr : &level;
    };
    switch (random.below(13)) {
        case 0:
            certificate.value += Duration{random.chance(0.5) ? 1 : random.between(-5, 5)};
            break;
        case 1:
            nudge(certificate.stages);
            break;
        case 2:
            nudge(certificate.max_replicas);
            break;
        case 3:
            nudge(witness.serial.scale);
            break;
        case 4:
            nudge(random.chance(0.5) ? witness.serial.work : witness.serial.transfer);
            break;
        case 5:
            if (witness.serial.merges.empty() || random.chance(0.5))
                witness.serial.merges.emplace_back(any_node(), any_node());
            else if (random.chance(0.5))
                witness.serial.merges.erase(witness.serial.merges.begin() +
                                            static_cast<std::ptrdiff_t>(random.below(witness.serial.merges.size())));
            else
                witness.serial.merges[random.below(witness.serial.merges.size())].second = any_node();
            break;
        case 6: {
            auto& tables = witness.completion;
            if (tables.empty() || random.chance(0.2)) {
                tables.emplace_back();
                for (std::size_t v = 0; v < problem.node_count(); ++v) tables.back().order.emplace_back(v);
            } else if (auto& order = tables[random.below(tables.size())].order; !order.empty()) {
                std::swap(order[random.below(order.size())], order[random.below(order.size())]);
            }
            break;
        }
        case 7:
            if (witness.completion.empty()) break;
            if (auto& table = witness.completion[random.below(witness.completion.size())]; random.chance(0.5))
                table.mirrored = !table.mirrored;
            else
                nudge(table.theta_halves);
            break;
        case 8:
            witness.counting = !witness.counting;
            break;
        case 9:
            if (auto* level = any_level()) level->erase(level->begin() + static_cast<std::ptrdiff_t>(random.below(level->size())));
            break;
        case 10:
            if (auto* level = any_level()) {
                auto& changes = (*level)[random.below(level->size())];
                const auto at = static_cast<std::uint32_t>(random.below(problem.node_count()));
                if (const auto found = std::ranges::find(changes, at); found != changes.end())
                    changes.erase(found);
                else
                    changes.insert(std::ranges::upper_bound(changes, at), at);
            }
            break;
        case 11:
            if (witness.kept.size() > 1)
                std::swap(witness.kept[random.below(witness.kept.size())], witness.kept[random.below(witness.kept.size())]);
            break;
        default:
            if (random.chance(0.5))
                witness.kept.emplace_back();
            else if (!witness.kept.empty())
                witness.kept.pop_back();
    }
}

TEST(ExactDp, NoMutationThatClaimsTooMuchIsAccepted) {
    std::size_t mutated = 0, refused = 0;
    for (std::uint64_t i = 0; i < times(500) && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(35, i);
        const Case of = random_case(random, 5);
        const BruteRelaxation relaxation(of.problem, of.scale, of.work, of.transfer);
        auto certificate = certificate_for(of, relaxation, relaxation.optimum(of.devices, of.replicas) - 1);
        ASSERT_TRUE(certificate);
        Certificate original = without_the_dominated(of.problem, *certificate, random);
        if (random.chance(0.6)) {  // the engine's, with merges, tables and counting weights
            const auto engine = search::DownsetEngine::build(of.problem, {.stages = of.stages, .max_replicas = of.replicas}, {});
            std::int64_t threshold = 0;
            while (engine) {
                const auto attempt = engine->attempt(Duration{threshold++}, {.witness = true}, {});
                if (!attempt.refutation) break;
                original = *bound::certificate_of(of.problem, *attempt.refutation);
            }
            ASSERT_EQ(first_of(bound::check_certificate(of.problem, original)), "");
        }
        const PartitionOptimum optimum(of.problem);
        Certificate raised = original;
        raised.value += Duration{1};
        ASSERT_FALSE(bound::check_certificate(of.problem, raised).empty());
        for (int m = 0; m < 24; ++m) {
            Certificate changed = original;
            for (std::uint64_t count = 1 + random.below(3); count > 0; --count) mutate_exact_dp(changed, of.problem, random);
            if (changed == original) continue;
            ++mutated;
            if (!bound::check_certificate(of.problem, changed).empty()) {
                ++refused;
                continue;
            }
            const std::int64_t devices = std::clamp<std::int64_t>(changed.stages, 1, 12);
            ASSERT_LE(changed.value.count(), optimum.at(devices, std::clamp<std::int64_t>(changed.max_replicas, 1, devices)));
        }
    }
    EXPECT_GE(mutated, times(10'000));
    EXPECT_GT(refused, mutated / 2);
    EXPECT_LT(refused, mutated) << "mutations must be subtle enough that some are harmless";
}

}  // namespace
}  // namespace sluice
