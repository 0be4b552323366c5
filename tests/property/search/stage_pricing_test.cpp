#include "sluice/search/stage_pricing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <format>
#include <functional>
#include <numeric>
#include <optional>

#include "tests/support/random_serial.hpp"

namespace sluice::search {
namespace {

using Index = SerialProblem::Index;
using Stage = std::vector<Index>;

struct PricedCase {
    const SerialProblem& problem;
    const StagePricing& pricing;
    std::vector<std::int64_t> weights;
    std::int64_t limit = 0;
};

void for_each_priced_case(std::uint64_t count, const std::function<void(RandomStream&, const PricedCase&)>& check) {
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 7);
        auto problem = test::some_problem(random, 8);
        if (!problem) continue;
        auto pricing = StagePricing::build(*problem, test::some_order(*problem, random), random.between(0, 2), {});
        ASSERT_TRUE(pricing.has_value());
        std::vector<std::int64_t> weights;
        for (std::size_t g = 0; g < problem->group_count(); ++g) weights.push_back(random.chance(0.2) ? 0 : random.between(0, 30));
        const std::int64_t limit = random.between(0, 80);
        check(random, {*problem, *pricing, std::move(weights), limit});
        if (::testing::Test::HasFailure()) return;
    }
}

std::int64_t weight_of(const PricedCase& c, const Stage& stage) {
    std::int64_t sum = 0;
    for (Index g : stage) sum += c.weights[g];
    return sum;
}

/// Every way to lay the groups before, in and behind a stage in which nothing lies before what it reads.
void for_each_stage(const SerialProblem& problem, const std::function<void(const Stage&)>& see) {
    std::vector<int> place(problem.group_count(), 0);
    while (true) {
        bool possible = true;
        for (std::size_t t = 0; t < problem.tensor_count() && possible; ++t)
            for (Index reader : problem.consumers[t]) possible = possible && place[problem.producer[t]] <= place[reader];
        Stage stage;
        for (Index g = 0; g < place.size(); ++g)
            if (place[g] == 1) stage.push_back(g);
        if (possible) see(stage);
        std::size_t g = 0;
        while (g < place.size() && place[g] == 2) place[g++] = 0;
        if (g == place.size()) return;
        ++place[g];
    }
}

/// A tensor that the stage reads or makes and others read is paid once, wherever the others lie.
std::int64_t cost_of(const PricedCase& c, const Stage& stage) {
    const auto inside = [&](Index g) { return std::ranges::contains(stage, g); };
    const SpillShare& charge = c.pricing.charge();
    std::int64_t sum = 0;
    for (Index g : stage) sum += charge.factor * c.problem.work[g] + charge.share[g];
    for (std::size_t t = 0; t < c.problem.tensor_count(); ++t) {
        const bool made = inside(c.problem.producer[t]);
        if (std::ranges::any_of(c.problem.consumers[t], [&](Index g) { return inside(g) != made; }))
            sum += charge.factor * c.problem.transfer[t];
    }
    return sum;
}

std::int64_t heaviest_at(const StagePricing::Result& result, std::int64_t cost) {
    std::int64_t weight = -1;
    for (const auto& point : result.frontier)
        if (point.cost <= cost) weight = point.weight;
    return weight;
}

TEST(StagePricing, TheFrontierIsWhatEnumerationFinds) {
    for_each_priced_case(500, [](RandomStream&, const PricedCase& c) {
        const auto result = c.pricing.price(c.weights, {.limit = c.limit, .labels = 1 << 20}, {});
        ASSERT_TRUE(result.has_value());
        ASSERT_TRUE(c.pricing.uncharged().empty());
        std::vector<std::int64_t> heaviest(static_cast<std::size_t>(c.limit) + 1, 0);
        for_each_stage(c.problem, [&](const Stage& stage) {
            const std::int64_t cost = cost_of(c, stage);
            EXPECT_EQ(c.pricing.charged_cost(stage), cost);
            if (cost <= c.limit)
                heaviest[static_cast<std::size_t>(cost)] = std::max(heaviest[static_cast<std::size_t>(cost)], weight_of(c, stage));
        });
        for (std::size_t cost = 0; cost < heaviest.size(); ++cost) {
            if (cost > 0) heaviest[cost] = std::max(heaviest[cost], heaviest[cost - 1]);
            EXPECT_EQ(heaviest_at(*result, static_cast<std::int64_t>(cost)), heaviest[cost]) << cost;
        }
    });
}

/// A chain of `links`, p -> q -> p' -> ..., in which the sink reads all too. What q makes costs least; while it is known, few places of the
/// others are possible. Before the sink come sources that have nothing to do with it, whose places make too many states of any problem.
SerialProblem forgetful(std::size_t links) {
    graph::GraphBuilder builder("forgetful");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "d";
    given.classes[0].count = 2;
    std::vector<TensorId> ends;
    const auto add = [&](std::vector<TensorId> inputs, std::int64_t transfer) {
        graph::Operator op;
        op.name = std::format("op{}", given.classes[0].time.size());
        graph::Tensor tensor;
        tensor.name = "t" + op.name;
        tensor.bytes = Bytes{1};
        given.classes[0].time.emplace_back(Duration{10});
        given.transfer.push_back(Duration{transfer});
        const TensorId made = builder.add_tensor(std::move(tensor));
        builder.add_operator(std::move(op), inputs, std::vector{made}, {});
        ends.push_back(made);
        return made;
    };
    TensorId last = add({}, 1);
    for (std::size_t i = 0; i < links; ++i) last = add({add({last}, 1000)}, 1);
    for (int i = 0; i < 6; ++i) add({}, 30);
    add(std::vector(ends), 1);
    builder.set_given_costs(std::move(given));
    const graph::Graph graph = *std::move(builder).build();
    return *relax_to_serial(cost::freeze(graph, platform::given_platform(graph))->problem, 2, 1);
}

std::vector<Index> as_numbered(const SerialProblem& problem) {
    std::vector<Index> order(problem.group_count());
    std::iota(order.begin(), order.end(), Index{0});
    return order;
}

// Where tensors are left out, groups that they held together go apart: more states than there were with them, and more than have numbers.
TEST(StagePricing, TooManyStatesAreNoPricing) {
    const SerialProblem few = forgetful(3), many = forgetful(10);
    const auto pricing = StagePricing::build(few, as_numbered(few), 0, {});
    ASSERT_TRUE(pricing);
    EXPECT_FALSE(pricing->uncharged().empty());
    EXPECT_GT(pricing->states(), 100);
    EXPECT_FALSE(StagePricing::build(many, as_numbered(many), 0, {}));
}

TEST(StagePricing, FewLabelsOnlyOverrate) {
    std::size_t overrated = 0;
    for_each_priced_case(5'000, [&](RandomStream& random, const PricedCase& c) {
        const auto exact = c.pricing.price(c.weights, {.limit = c.limit, .labels = 1 << 20}, {});
        const auto rough = c.pricing.price(c.weights, {.limit = c.limit, .labels = random.between(1, 4)}, {});
        ASSERT_TRUE(exact && rough);
        for (const auto& point : exact->frontier) EXPECT_GE(heaviest_at(*rough, point.cost), point.weight);
        overrated += rough->frontier.back().weight > exact->frontier.back().weight;
    });
    EXPECT_GT(overrated, 0U);
}

TEST(StagePricing, ListsStagesThatAreAsHeavyAndAsCheapAsWanted) {
    std::size_t listed = 0, heaviest = 0;
    for_each_priced_case(5'000, [&](RandomStream& random, const PricedCase& c) {
        const std::int64_t wanted = random.between(0, 60);
        const auto result = c.pricing.price(c.weights, {.limit = c.limit, .labels = 1 << 20, .wanted = wanted}, {});
        ASSERT_TRUE(result.has_value());
        const std::int64_t most = result->frontier.back().weight;
        std::int64_t best = -1;
        for (const Stage& stage : result->stages) {
            EXPECT_LE(c.pricing.charged_cost(stage), c.limit);
            EXPECT_GT(weight_of(c, stage), wanted);
            best = std::max(best, weight_of(c, stage));
        }
        listed += result->stages.size();
        if (most > wanted) {
            EXPECT_EQ(best, most);  // the heaviest of all is among them
            ++heaviest;
        } else {
            EXPECT_TRUE(result->stages.empty());
        }
    });
    EXPECT_GT(heaviest, 0U);
    EXPECT_GT(listed, heaviest);
}

/// Far more tensors open than a state can tell of: what is left out makes stages cheaper, never dearer.
TEST(StagePricing, WideGraphsLeaveTensorsOut) {
    SerialProblem problem;
    problem.devices = 4;
    constexpr Index kWide = 60;
    std::vector<std::vector<Index>> inputs(2 * kWide), outputs(2 * kWide), consumers;
    for (Index i = 0; i < kWide; ++i) {
        problem.producer.push_back(i);
        problem.transfer.push_back(1 + i);
        consumers.push_back({static_cast<Index>(2 * kWide - 1 - i)});
        outputs[i].push_back(i);
        inputs[2 * kWide - 1 - i].push_back(i);
    }
    problem.work.assign(2 * kWide, 3);
    problem.inputs = Rows<Index>(inputs);
    problem.outputs = Rows<Index>(outputs);
    problem.consumers = Rows<Index>(consumers);
    problem.charged_bytes.assign(2 * kWide, 0);
    std::vector<Index> order;
    for (Index g = 0; g < 2 * kWide; ++g) order.push_back(g);
    const auto pricing = StagePricing::build(problem, order, 0, {});
    ASSERT_TRUE(pricing.has_value());
    EXPECT_FALSE(pricing->uncharged().empty());
    EXPECT_LE(pricing->states(), static_cast<std::int64_t>(StagePricing::kMostStates));
    std::vector<std::int64_t> weights(2 * kWide, 1);
    const auto result = pricing->price(weights, {.limit = 30, .labels = 64}, {});
    ASSERT_TRUE(result.has_value());
    // The pair of the cheapest tensor and what else of work 3 fits: never less than what can really be had.
    Stage pair{0, 2 * kWide - 1};
    EXPECT_LE(pricing->charged_cost(pair), 6);
    EXPECT_GE(result->frontier.back().weight, 2);
}

}  // namespace
}  // namespace sluice::search
