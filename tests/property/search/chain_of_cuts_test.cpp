#include "sluice/search/chain_of_cuts.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "sluice/search/counting.hpp"
#include "tests/support/random_serial.hpp"
#include "tests/support/serial_enumeration.hpp"

namespace sluice::search {
namespace {

using Index = SerialProblem::Index;
using test::SerialEnumeration;
using Set = SerialEnumeration::Set;
using test::some_order, test::some_problem;

std::size_t type_of(const ChainOfCuts& chain, Set downset) {
    std::size_t type = chain.mirrored() ? 0 : chain.order().size();
    for (std::size_t p = chain.order().size(); p-- > 0;) {
        const bool inside = downset >> chain.order()[p] & 1;
        if (chain.mirrored() && inside) return p + 1;
        if (!chain.mirrored() && !inside) type = p;
    }
    return type;
}

std::int64_t work_of(const SerialProblem& problem, const ChainOfCuts& chain, Set set) {
    std::int64_t sum = 0;
    for (std::size_t g = 0; g < problem.group_count(); ++g)
        if (set >> g & 1) sum += chain.factor() * problem.work[g] + chain.share()[g];
    return sum;
}

struct CutCase {
    SerialProblem problem;
    ChainOfCuts chain;
};
void for_each_cut_case(std::uint64_t count, std::size_t operators, const std::function<void(RandomStream&, const CutCase&)>& check) {
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 3);
        auto problem = some_problem(random, operators);
        if (!problem || problem->devices < 1) continue;
        const auto order = some_order(*problem, random);
        auto chain = ChainOfCuts::build(*problem, order, random.between(0, 2), {}, random.chance(0.5));
        ASSERT_TRUE(chain.has_value());
        check(random, {*std::move(problem), *std::move(chain)});
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(ChainOfCuts, TypesAreWhatEnumerationFinds) {
    for_each_cut_case(10'000, 9, [](RandomStream&, const CutCase& c) {
        const SerialEnumeration sets(c.problem);
        const std::size_t types = c.chain.types().size();
        ASSERT_EQ(types, c.problem.group_count() + 1);
        std::vector<std::optional<ChainOfCuts::Type>> found(types);
        std::vector<std::vector<char>> leaves(types, std::vector<char>(c.problem.tensor_count()));
        for (Set downset : sets.downsets()) {
            const std::size_t type = type_of(c.chain, downset);
            const std::int64_t work = work_of(c.problem, c.chain, downset), cut = c.chain.factor() * sets.cut(downset);
            auto& known = found[type];
            if (!known) known = ChainOfCuts::Type{work + cut, work - cut, cut, 0};
            known->least_sum = std::min(known->least_sum, work + cut);
            known->most_difference = std::max(known->most_difference, work - cut);
            known->least_cut = std::min(known->least_cut, cut);
            for (std::size_t t = 0; t < c.problem.tensor_count(); ++t)
                if (sets.leaves(t, downset) && !std::exchange(leaves[type][t], 1))
                    known->across += 2 * c.chain.factor() * c.problem.transfer[t];
        }
        for (std::size_t i = 0; i < types; ++i) {
            SCOPED_TRACE(i);
            ASSERT_TRUE(found[i].has_value());
            EXPECT_EQ(c.chain.types()[i].least_sum, found[i]->least_sum);
            EXPECT_EQ(c.chain.types()[i].most_difference, found[i]->most_difference);
            EXPECT_EQ(c.chain.types()[i].least_cut, found[i]->least_cut);
            EXPECT_EQ(c.chain.types()[i].across, found[i]->across);
        }
    });
}

TEST(ChainOfCuts, RefutesNothingThatIs) {
    std::size_t tight = 0, cases = 0;
    for_each_cut_case(20'000, 9, [&](RandomStream& random, const CutCase& c) {
        const std::int64_t optimum = SerialEnumeration(c.problem).optimum();
        EXPECT_FALSE(c.chain.refutes(optimum));
        EXPECT_FALSE(c.chain.refutes(optimum + random.between(1, 20)));
        ++cases;
        tight += optimum == 0 || c.chain.refutes(optimum - 1);
    });
    EXPECT_GT(tight * 2, cases);  // and it is the optimum that is refuted up to, more often than not
}

TEST(ChainOfCuts, TablesExcludeNothingThatCompletes) {
    std::size_t excluded = 0;
    for_each_cut_case(20'000, 8, [&](RandomStream& random, const CutCase& c) {
        const SerialEnumeration sets(c.problem);
        const std::int64_t threshold = sets.optimum() + random.between(0, 6);
        CompletionTable table;
        ASSERT_FALSE(c.chain.refutes(threshold, &table));
        const auto fewest = sets.devices_to_complete(threshold);
        for (Set downset : sets.downsets()) {
            const std::size_t type = type_of(c.chain, downset);
            const std::int64_t value = work_of(c.problem, c.chain, downset) - c.chain.factor() * sets.cut(downset);
            for (std::int64_t d = 0; d <= c.problem.devices; ++d) {
                const bool whole = downset == sets.all(), completes = whole || fewest[downset] <= d;
                if (completes && !whole) { EXPECT_GE(value, table.need(d, type)); }
                excluded += !completes && value < table.need(d, type);
                // A node of a search that only grows: the needs of all types from its own on.
                for (std::size_t i = 0; completes && d > 0 && i <= type; ++i) EXPECT_GE(value, table.need_from(d, i));
            }
        }
    });
    EXPECT_GT(excluded, 10'000u);
}

TEST(ChainOfCuts, SameAtAnyNumberOfThreadsAndUnderLimits) {
    RandomStream random(5, 1);
    test::RandomProblemOptions options;
    options.min_operators = options.max_operators = 200;
    const auto problem = relax_to_serial(test::random_problem(random, options, 4), 4, 1);
    const auto order = heavy_cone_order(*problem);
    const auto one = ChainOfCuts::build(*problem, order, 0, {}), four = ChainOfCuts::build(*problem, order, 0, {}, false, 4);
    for (std::size_t i = 0; i <= problem->group_count(); ++i) {
        EXPECT_EQ(one->types()[i].least_sum, four->types()[i].least_sum);
        EXPECT_EQ(one->types()[i].most_difference, four->types()[i].most_difference);
        EXPECT_EQ(one->types()[i].least_cut, four->types()[i].least_cut);
    }
    std::stop_source stop;
    stop.request_stop();
    EXPECT_FALSE(ChainOfCuts::build(*problem, order, 0, {.deadline = {}, .evaluations = {}, .stop = stop.get_token()}).has_value());
}

TEST(CountingWeights, NoStageWeighsMoreThanItsReplicas) {
    std::size_t stages = 0, refuted = 0;
    for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 4);
        const auto problem = some_problem(random, 8);
        if (!problem || problem->devices < 1) continue;
        const SerialEnumeration sets(*problem);
        const std::int64_t optimum = sets.optimum();
        const std::int64_t threshold = std::max<std::int64_t>(0, optimum + random.between(-5, 5)), theta = random.between(0, 2);
        const auto counting = counting_weights(*problem, threshold, 1, {}, theta);
        ASSERT_TRUE(counting.has_value());
        if (counting->refuted) {
            EXPECT_GT(optimum, threshold);
            ++refuted;
            continue;
        }
        EXPECT_LE(counting->total, problem->devices << kCountingShift);
        for (Set before : sets.downsets())
            for (Set after : sets.downsets()) {
                if ((before & after) != before || before == after) continue;
                std::int64_t weight = 0;
                for (std::size_t g = 0; g < problem->group_count(); ++g)
                    if ((after & ~before) >> g & 1) weight += counting->weight[g];
                for (std::int64_t r = 1; r <= std::min(problem->replicas, problem->devices); ++r)
                    if (sets.cost(after & ~before) <= r * threshold) {
                        EXPECT_LE(weight, r << kCountingShift);
                        ++stages;
                        break;
                    }
            }
        const auto more = counting_weights(*problem, threshold, 3, {}, theta);
        EXPECT_EQ(more->weight, counting->weight);
        if (HasFailure()) return;
    }
    EXPECT_GT(stages, 10'000u);
    EXPECT_GT(refuted, 200u);
}

}  // namespace
}  // namespace sluice::search
