// Rewrites that make assignments legal: what `finish` gives on any graph, any copies and any assignment.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>
#include <set>

#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/mcm/rewrite/finish.hpp"
#include "sluice/mcm/rewrite/shared_clones.hpp"
#include "sluice/mcm/rewrite/usable_chips.hpp"
#include "tests/support/chips.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_rewrites.hpp"

namespace sluice::mcm {
namespace {

platform::Platform ring(const graph::Graph& graph, RandomStream& random, std::size_t chips, const test::RandomProblemOptions& options) {
    platform::Platform platform = test::random_platform(graph, random, options);
    platform.topology = platform::Topology::ring;
    platform.classes.front().count = static_cast<std::int64_t>(chips);
    return platform;
}

/// A random order cut into pieces, none empty, on chips 0, 1, ...
Assignment random_assignment(const cost::StageProblem& costs, std::size_t chips, RandomStream& random) {
    const auto order = test::random_order(costs, random);
    Assignment assignment(costs.node_count());
    std::uint8_t chip = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i > 0 && chip + 1U < chips && random.chance(static_cast<double>(chips) / static_cast<double>(order.size()))) ++chip;
        assignment[order[i].index()] = chip;
    }
    return assignment;
}

struct RewriteCase {
    graph::Graph model, planned;
    platform::Platform platform;
    cost::FrozenProblem frozen;
    ChipProblem problem;
    Assignment chips;
    bool host_link;
};

void for_each_rewrite_case(std::uint64_t count, double copies, const std::function<void(const RewriteCase&, RandomStream&)>& check) {
    for (std::uint64_t seed = 0; seed < test::cases(count); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 41);
        test::RandomProblemOptions options{.min_operators = 2, .max_operators = 16};
        options.overlap = options.hard = options.colours = options.replicated = options.host_link = 0.3;
        const std::size_t chips = 1 + random.below(8);
        graph::Graph model = test::random_graph(random, options);
        const auto rewrites =
            random.chance(copies) ? test::random_rewrites(model, 1 + random.below(6), random, 0) : std::vector<graph::Rewrite>{};
        auto planned = graph::rewritten(model, rewrites);
        ASSERT_TRUE(planned) << planned.error().message;
        platform::Platform platform = ring(model, random, chips, options);
        auto frozen = cost::freeze(*planned, platform);
        ASSERT_TRUE(frozen) << frozen.error().message;
        RewriteCase c{std::move(model), std::move(*planned), std::move(platform), std::move(*frozen), {}, {}, false};
        c.host_link = c.platform.host_link.has_value();
        c.problem = chip_problem(c.planned, c.frozen.problem, c.platform, {.memory = false, .relay = true}).value();
        c.chips = random_assignment(c.frozen.problem, chips, random);
        check(c, random);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(Finish, EveryTransferIsToTheNextChipAndTimesAreThoseOfRelaying) {
    std::size_t relayed = 0, merged = 0, kept_copies = 0, closed = 0;
    for_each_rewrite_case(4'000, 0.7, [&](const RewriteCase& c, RandomStream&) {
        const auto before = chip_times(c.problem, c.chips);
        const auto finished = finish(c.model, c.planned, c.problem, c.chips, c.platform, nullptr, {.recompute = false});
        ASSERT_TRUE(finished) << finished.error().message;
        ChipProblem strict = finished->problem;
        EXPECT_FALSE(strict.rules.relay);
        EXPECT_TRUE(strict.rules.triangle);
        strict.rules.adjacent = true;
        const auto faults = chip_faults(strict, finished->chips);
        ASSERT_TRUE(faults.empty()) << faults.front().message;
        const auto after = chip_times(finished->problem, finished->chips);
        relayed += finished->relays;
        merged += finished->merged;
        kept_copies += finished->copies;
        const std::size_t chips_before = std::set<std::uint8_t>(c.chips.begin(), c.chips.end()).size();
        const std::size_t chips_after = std::set<std::uint8_t>(finished->chips.begin(), finished->chips.end()).size();
        ASSERT_LE(chips_after, chips_before);
        closed += chips_after < chips_before;
        // A chip that is closed is one time less; the others keep theirs, in their order.
        std::size_t next = 0;
        for (std::size_t chip = 0; chip < after.size() && !c.host_link; ++chip) {
            ASSERT_TRUE(finished->merged > 0 || after[chip] == before[chip]) << chip;
            while (next < before.size() && before[next] < after[chip]) ++next;
            ASSERT_LT(next, before.size()) << chip;
            ASSERT_TRUE(chips_after < chips_before || after[chip] <= before[chip]) << chip;
        }
        // Nothing twice on a chip.
        std::set<std::pair<std::size_t, int>> seen;
        const auto* derivation = finished->graph.derivation();
        for (std::size_t v = 0; derivation && v < finished->graph.operator_count(); ++v) {
            const NodeId node = finished->problem.costs->node_of[v];
            if (!node.valid() || !derivation->origin[v].valid()) continue;
            ASSERT_TRUE(seen.emplace(derivation->origin[v].index(), finished->chips[node.index()]).second) << v;
        }
        ASSERT_EQ(finished->graph.operator_count(), c.model.operator_count() + finished->copies + finished->relays);
        ASSERT_EQ(finished->graph.model_fingerprint(), c.model.fingerprint());
    });
    const std::size_t some = test::cases(4'000) / 8;
    EXPECT_GT(relayed, some);
    EXPECT_GT(merged, some);
    EXPECT_GT(kept_copies, some);
    EXPECT_GT(closed, some / 100);
}

/// What the search was told of an assignment is what the finished plan is worth: relays are kernels in both.
TEST(Finish, TheSimulatorSaysTheSameOfWhatIsFinished) {
    std::size_t judged = 0, relayed = 0, same = 0;
    for_each_rewrite_case(1'500, 0, [&](const RewriteCase& c, RandomStream&) {
        const auto finished = finish(c.model, c.planned, c.problem, c.chips, c.platform, nullptr, {.recompute = false});
        ASSERT_TRUE(finished) << finished.error().message;
        const auto search = event_judge(c.planned, c.problem, c.platform);
        if (!search) return;
        const auto judge = event_judge(finished->graph, finished->problem, c.platform);
        ASSERT_TRUE(judge) << judge.error().message;
        const auto before = (*search)->judge(c.chips), after = (*judge)->judge(finished->chips);
        ASSERT_TRUE(before && after);
        if (!before->fits() || !after->fits()) return;
        ++judged;
        relayed += finished->relays > 0;
        ASSERT_TRUE(c.host_link || after->chip_times == before->chip_times)
            << ::testing::PrintToString(after->chip_times) << ::testing::PrintToString(before->chip_times);
        same += after->period == before->period;
    });
    EXPECT_GT(judged, test::cases(1'500) / 3);
    EXPECT_GT(relayed, test::cases(1'500) / 8);
    EXPECT_GT(same, judged * 9 / 10);  // kernels of equal standing may go in another order
}

TEST(Finish, WithoutRelaysALegalAssignmentStaysLegal) {
    std::size_t legal = 0;
    for_each_rewrite_case(4'000, 0.7, [&](const RewriteCase& c, RandomStream& random) {
        ChipProblem problem = c.problem;
        problem.rules.relay = false;
        problem.rules.adjacent = random.chance(0.5);
        if (!chip_faults(problem, c.chips).empty()) return;
        ++legal;
        const auto before = bottleneck(problem, c.chips);
        const auto finished = finish(c.model, c.planned, problem, c.chips, c.platform);
        ASSERT_TRUE(finished);
        EXPECT_EQ(finished->relays, 0U);
        const auto faults = chip_faults(finished->problem, finished->chips);
        ASSERT_TRUE(faults.empty()) << faults.front().message;
        const auto after = bottleneck(finished->problem, finished->chips);
        ASSERT_TRUE(c.host_link || after <= before);
        ASSERT_TRUE(finished->merged > 0 || after == before);
    });
    EXPECT_GT(legal, test::cases(4'000) / 10);
}

/// Recomputing never raises the bottleneck, and leaves less to send.
TEST(Finish, RecomputesWhereThatIsBetter) {
    std::size_t better = 0, transfers = 0, steps = 0;
    for_each_rewrite_case(2'000, 0.5, [&](const RewriteCase& c, RandomStream&) {
        const auto plain = finish(c.model, c.planned, c.problem, c.chips, c.platform, nullptr, {.recompute = false});
        const auto again = finish(c.model, c.planned, c.problem, c.chips, c.platform, nullptr, {.recompute = true});
        ASSERT_TRUE(plain && again);
        ChipProblem strict = again->problem;
        strict.rules.adjacent = true;
        const auto faults = chip_faults(strict, again->chips);
        ASSERT_TRUE(faults.empty()) << faults.front().message;
        const auto before = bottleneck(plain->problem, plain->chips), after = bottleneck(again->problem, again->chips);
        ASSERT_LE(after, before);
        steps += again->recomputed;
        better += after < before;
        transfers += again->relays < plain->relays;
        ASSERT_TRUE(again->recomputed > 0 || again->graph.fingerprint() == plain->graph.fingerprint());
    });
    EXPECT_GT(steps, test::cases(2'000) / 20);
    EXPECT_GT(better, test::cases(2'000) / 100);
    EXPECT_GT(transfers, test::cases(2'000) / 50);
}

/// Copies of operators that all go to one chip vanish again.
TEST(Finish, OneChipNeedsNoRewrites) {
    for_each_rewrite_case(500, 1, [&](const RewriteCase& c, RandomStream&) {
        const Assignment together(c.frozen.problem.node_count(), 0);
        const auto finished = finish(c.model, c.planned, c.problem, together, c.platform);
        ASSERT_TRUE(finished);
        EXPECT_EQ(finished->graph.fingerprint(), c.model.fingerprint());
        EXPECT_EQ(finished->graph.derivation(), nullptr);
    });
}

/// The most chips that any assignment uses, by trying all.
TEST(UsableChips, AreTheMostOfAnyLegalAssignment) {
    std::size_t limited = 0, exact = 0, parts = 0, tight = 0;
    for (std::uint64_t seed = 0; seed < test::cases(400); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 42);
        const auto costs = test::random_problem(random, {.min_operators = 1, .max_operators = 6});
        Rules rules{.no_skip = true, .triangle = random.chance(0.7), .memory = false, .adjacent = random.chance(0.6)};
        rules.relay = !rules.adjacent && random.chance(0.3);
        const auto problem = test::on_chips(costs, 1 + random.below(5), rules);
        const UsableChips usable = usable_chips(problem);
        std::size_t most = 0;
        Duration least = Duration::max(), total{0};
        for (const Duration work : costs.classes[0].work) total += work;
        for (const Assignment& chips : test::legal_assignments(problem)) {
            most = std::max<std::size_t>(most, std::ranges::max(chips) + 1U);
            std::vector<Duration> work(problem.chips, Duration{0});
            for (std::size_t v = 0; v < chips.size(); ++v) work[chips[v]] += costs.classes[0].work[v];
            least = std::min(least, std::ranges::max(work));
        }
        if (total > Duration{0} && (rules.adjacent || rules.relay)) {
            const double is = static_cast<double>(total.count()) / static_cast<double>(least.count());
            ASSERT_LE(is, usable.worth * (1 + 1e-9));
            tight += is > usable.worth * (1 - 1e-9);
        }
        ASSERT_LE(usable.chips, most);
        ASSERT_TRUE(!usable.exact || usable.chips == most);
        ASSERT_TRUE(usable.exact || !(rules.adjacent || rules.relay));
        exact += usable.exact;
        if (most >= problem.chips) continue;
        limited += rules.adjacent;
        if (!usable.blocking) continue;
        ++parts;
        ASSERT_GE(usable.blocking->usable_without, usable.chips);
        ASSERT_GE(usable.blocking->readers, 2U);
    }
    EXPECT_GT(tight, test::cases(400) / 4);
    EXPECT_GT(limited, test::cases(400) / 20);
    EXPECT_GT(exact, test::cases(400) / 2);
    EXPECT_GE(parts, test::cases(400) / 50);
}

/// Whatever the options, clones keep to them, and copies are only of what is cheap.
TEST(SharedClones, KeepToTheirLimits) {
    std::size_t some = 0;
    for (std::uint64_t seed = 0; seed < test::cases(3'000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 43);
        test::RandomProblemOptions options{.min_operators = 4, .max_operators = 24};
        options.colours = options.replicated = options.hard = 0.2;
        const graph::Graph graph = test::random_graph(random, options);
        const std::size_t chips = 3 + random.below(6);
        const platform::Platform platform = ring(graph, random, chips, options);
        const auto frozen = cost::freeze(graph, platform);
        ASSERT_TRUE(frozen);
        const CloneOptions clone{
            .copy_share = random.unit(), .total_share = random.unit() / 2, .parameter_share = random.unit(), .spread = random.unit()};
        const SharedClones clones = shared_clones(graph, frozen->problem, clone);
        const auto made = graph::rewritten(graph, clones.rewrites);
        ASSERT_TRUE(made) << made.error().message << made.error().help;
        const auto again = cost::freeze(*made, platform);
        ASSERT_TRUE(again);
        const auto total = [](const cost::StageProblem& problem) {
            return std::accumulate(problem.classes[0].work.begin(), problem.classes[0].work.end(), Duration{0});
        };
        ASSERT_EQ(total(again->problem) - total(frozen->problem), clones.work);
        ASSERT_LE(static_cast<double>(clones.work.count()), clone.total_share * static_cast<double>(total(frozen->problem).count()));
        some += !clones.rewrites.empty();
        if (clones.rewrites.empty()) continue;
        for (const graph::Rewrite& rewrite : clones.rewrites) {
            ASSERT_EQ(rewrite.kind, graph::RewriteKind::clone);
            const auto work = frozen->problem.classes[0].work[frozen->problem.node_of[rewrite.copied.id.index()].index()];
            ASSERT_LE(static_cast<double>(work.count()),
                      clone.copy_share * static_cast<double>(total(frozen->problem).count()) / static_cast<double>(chips));
        }
    }
    EXPECT_GT(some, test::cases(3'000) / 20);
}

}  // namespace
}  // namespace sluice::mcm
