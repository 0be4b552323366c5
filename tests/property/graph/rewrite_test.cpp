// Any rewrites of any graph leave every value what it was: values as hashes of how they are computed.
#include "sluice/graph/rewrite.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/support/effort.hpp"
#include "tests/support/random_problem.hpp"
#include "tests/support/random_rewrites.hpp"

namespace sluice::graph {
namespace {

/// Per tensor: a name of its value, from the operator of the model that makes it and the values that one reads.
std::vector<std::string> values_of(const Graph& graph, const std::function<std::size_t(OperatorId)>& number) {
    std::map<std::string, std::string> short_names;
    std::vector<std::string> values(graph.tensor_count());
    for (std::size_t t = 0; t < values.size(); ++t)
        if (!graph.producer(TensorId(t)).valid()) values[t] = graph[TensorId(t)].name;
    for (std::size_t v = 0; v < graph.operator_count(); ++v) {
        const OperatorId id(v);
        const std::size_t of_model = number(id);
        std::string text = std::format("{}(", of_model);
        for (const TensorId input : graph.inputs(id)) text += values[input.index()] + ",";
        const auto shorter = short_names.try_emplace(text, std::format("v{}", short_names.size())).first->second;
        for (std::size_t o = 0; o < graph.outputs(id).size(); ++o)
            values[graph.outputs(id)[o].index()] =
                of_model == ~std::size_t{0} ? values[graph.inputs(id)[0].index()] : std::format("{}.{}", shorter, o);
    }
    return values;
}

TEST(RewriteProperty, EveryTensorKeepsItsValue) {
    std::size_t rewrites_seen = 0, copies = 0;
    for (std::uint64_t seed = 0; seed < test::cases(3'000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 40);
        const Graph model = test::random_graph(random, test::RandomProblemOptions::everything(12));
        const auto rewrites = test::random_rewrites(model, 1 + random.below(8), random);
        const auto made = rewritten(model, rewrites);
        ASSERT_TRUE(made) << made.error().message;
        const Graph& graph = *made;
        rewrites_seen += rewrites.size();
        ASSERT_EQ(graph.operator_count(), model.operator_count() + rewrites.size());
        const auto before = values_of(model, [](OperatorId id) { return id.index(); });
        if (rewrites.empty()) continue;
        const Derivation& derivation = *graph.derivation();
        const auto after = values_of(graph, [&](OperatorId id) {
            return derivation.origin[id.index()].valid() ? derivation.origin[id.index()].index() : ~std::size_t{0};
        });
        // Short names differ between the graphs: equal exactly where they were equal.
        std::map<std::string, std::string> same;
        for (std::size_t t = 0; t < after.size(); ++t) {
            const TensorId origin = derivation.stands_for[t];
            ASSERT_TRUE(t >= model.tensor_count() || origin.index() == t);
            const auto [known, fresh] = same.try_emplace(before[origin.index()], after[t]);
            ASSERT_EQ(known->second, after[t]);
            ASSERT_EQ(graph[TensorId(t)].bytes, model[origin].bytes);
            ASSERT_TRUE(t >= model.tensor_count() || graph[TensorId(t)] == model[origin]);
        }
        std::size_t last = 0;
        for (std::size_t v = 0; v < graph.operator_count(); ++v) {
            const OperatorId origin = derivation.origin[v];
            copies += derivation.made[v] && origin.valid();
            if (!derivation.made[v]) {
                ASSERT_TRUE(origin.index() == 0 || origin.index() > last);  // the model's order
                last = origin.index();
                ASSERT_EQ(graph[OperatorId(v)], model[origin]);
            }
            if (!origin.valid()) continue;
            ASSERT_TRUE(std::ranges::equal(graph.parameters(OperatorId(v)), model.parameters(origin)));
            for (std::size_t c = 0; c < model.given_costs()->classes.size(); ++c)
                ASSERT_EQ(graph.given_costs()->classes[c].time[v], model.given_costs()->classes[c].time[origin.index()]);
        }
    }
    EXPECT_GT(copies, rewrites_seen / 4);
    EXPECT_GT(rewrites_seen, 3 * test::cases(3'000) / 2);
}

}  // namespace
}  // namespace sluice::graph
