#include "sluice/graph/rewrite.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sluice::graph {
namespace {

/// mask (from the input) and x feed a, b, c; weight is a's and mask's. Times 1, 2, 3, …
class Rewriting : public ::testing::Test {
protected:
    Rewriting() : graph_(make()) {}

    static Graph make() {
        GraphBuilder builder("small");
        GivenCosts costs;
        costs.classes.resize(1);
        costs.classes[0].name = "chip";
        const auto tensor = [&](const char* name, bool output = false) {
            Tensor t;
            t.name = name;
            t.bytes.count = 8;
            t.model_output = output;
            costs.transfer.push_back(Duration{static_cast<std::int64_t>(100 + costs.transfer.size())});
            return builder.add_tensor(std::move(t));
        };
        Parameter weight;
        weight.name = "weight";
        weight.bytes.count = 5;
        const ParameterId w = builder.add_parameter(weight);
        const auto add = [&](const char* name, std::vector<TensorId> in, std::vector<TensorId> out, std::vector<ParameterId> p = {}) {
            Operator op;
            op.name = name;
            op.type = "T";
            op.source = static_cast<std::int64_t>(costs.classes[0].time.size()) + 10;
            costs.classes[0].time.emplace_back(Duration{static_cast<std::int64_t>(costs.classes[0].time.size()) + 1});
            return builder.add_operator(std::move(op), in, out, p);
        };
        const TensorId input = tensor("input"), wide = tensor("wide"), mask = tensor("mask"), a = tensor("a"), b = tensor("b"),
                       c = tensor("c", true);
        add("Wide", {input}, {wide}, {w});
        add("Mask", {wide}, {mask});
        add("A", {input, mask}, {a}, {w});
        add("B", {a, mask}, {b});
        add("C", {b, mask, a}, {c});
        builder.set_given_costs(std::move(costs));
        return std::move(builder).build().value();
    }

    static OperatorId find(const Graph& graph, std::string_view output) {
        for (std::size_t t = 0; t < graph.tensor_count(); ++t)
            if (graph[TensorId(t)].name == output) return graph.producer(TensorId(t));
        return {};
    }
    static std::vector<std::string> reads(const Graph& graph, std::string_view output) {
        std::vector<std::string> names;
        for (const TensorId t : graph.inputs(find(graph, output))) names.push_back(graph[t].name);
        return names;
    }
    [[nodiscard]] std::string error(const std::vector<Rewrite>& rewrites) const {
        const auto graph = rewritten(graph_, rewrites);
        return graph ? "" : graph.error().message + " | " + graph.error().help;
    }

    Graph graph_;
    const Rewrite clone_mask_{
        .kind = RewriteKind::clone, .copied = {OperatorId(1), "mask"}, .makes = {"mask@copy1"}, .readers = {{OperatorId(4), "c"}}};
    const Rewrite clone_wide_{
        .kind = RewriteKind::clone, .copied = {OperatorId(0), "wide"}, .makes = {"wide@copy1"}, .readers = {{{}, "mask@copy1"}}};
    const Rewrite relay_{.kind = RewriteKind::relay, .tensor = "a", .makes = {"a@relay1"}, .readers = {{OperatorId(4), "c"}}};
};

using Names = std::vector<std::string>;

TEST_F(Rewriting, NothingIsTheGraphItself) {
    const Graph same = rewritten(graph_, {}).value();
    EXPECT_EQ(same.fingerprint(), graph_.fingerprint());
    EXPECT_EQ(same.derivation(), nullptr);
    EXPECT_EQ(same.model_fingerprint(), graph_.fingerprint());
}

TEST_F(Rewriting, ClonesAreReadByThoseNamedAndByNoOther) {
    const Graph graph = rewritten(graph_, std::vector{clone_mask_, clone_wide_, relay_}).value();
    EXPECT_EQ(reads(graph, "c"), (Names{"b", "mask@copy1", "a@relay1"}));
    EXPECT_EQ(reads(graph, "b"), (Names{"a", "mask"}));
    EXPECT_EQ(reads(graph, "mask@copy1"), Names{"wide@copy1"});
    EXPECT_EQ(reads(graph, "mask"), Names{"wide"});
    EXPECT_EQ(reads(graph, "a@relay1"), Names{"a"});
    // The model's order, each new one just before who reads it.
    Names order;
    for (std::size_t v = 0; v < graph.operator_count(); ++v) order.emplace_back(graph.first_output_name(OperatorId(v)));
    EXPECT_EQ(order, (Names{"wide", "mask", "a", "b", "wide@copy1", "mask@copy1", "a@relay1", "c"}));
}

TEST_F(Rewriting, CopiesAreAsWhatTheyCopyAndRelaysCostNothing) {
    const Graph graph = rewritten(graph_, std::vector{clone_mask_, clone_wide_, relay_}).value();
    const OperatorId wide = find(graph, "wide@copy1"), relay = find(graph, "a@relay1");
    EXPECT_EQ(graph[wide].name, "Wide@copy1");
    EXPECT_EQ(graph[wide].source, 10);
    EXPECT_EQ(graph.parameters(wide).size(), 1U);
    EXPECT_EQ(graph.users(ParameterId(0)).size(), 3U);
    EXPECT_EQ(graph[relay].type, "Identity");
    EXPECT_EQ(graph[relay].source, -1);
    EXPECT_EQ(graph[relay].features.operator_class, OperatorClass::view);
    const auto& costs = *graph.given_costs();
    EXPECT_EQ(costs.classes[0].time[wide.index()], Duration{1});
    EXPECT_EQ(costs.classes[0].time[find(graph, "mask@copy1").index()], Duration{2});
    EXPECT_EQ(costs.classes[0].time[relay.index()], Duration{0});
    EXPECT_EQ(costs.classes[0].time[find(graph, "c").index()], Duration{5});
    const TensorId passed = graph.outputs(relay)[0];
    EXPECT_EQ(costs.transfer[passed.index()], costs.transfer[3]);
    EXPECT_EQ(graph[passed].bytes, Bytes{8});
    const Derivation& derivation = *graph.derivation();
    EXPECT_EQ(derivation.model, graph_.fingerprint());
    EXPECT_EQ(derivation.origin[wide.index()], OperatorId(0));
    EXPECT_FALSE(derivation.origin[relay.index()].valid());
    EXPECT_EQ(derivation.stands_for[passed.index()], TensorId(3));
    EXPECT_NE(graph.fingerprint(), graph_.fingerprint());
    EXPECT_EQ(graph.model_fingerprint(), graph_.fingerprint());
}

TEST_F(Rewriting, OutputsOfTheModelStayWithTheModelsOwn) {
    Rewrite copy{.kind = RewriteKind::recompute, .copied = {OperatorId(2), "a"}, .makes = {"a@copy1"}, .readers = {{OperatorId(4), "c"}}};
    const Graph graph = rewritten(graph_, std::vector{copy}).value();
    for (const Tensor& tensor : graph.tensors()) EXPECT_EQ(tensor.model_output, tensor.name == "c") << tensor.name;
}

TEST_F(Rewriting, RelaysOfRelays) {
    Rewrite next{.kind = RewriteKind::relay, .tensor = "a@relay1", .makes = {"a@relay2"}, .readers = {{OperatorId(4), "c"}}};
    const Graph graph = rewritten(graph_, std::vector{relay_, next}).value();
    EXPECT_EQ(reads(graph, "c"), (Names{"b", "mask", "a@relay2"}));
    EXPECT_EQ(reads(graph, "a@relay2"), Names{"a@relay1"});
    Rewrite of_input{.kind = RewriteKind::relay, .tensor = "input", .makes = {"input@relay1"}, .readers = {{OperatorId(2), "a"}}};
    EXPECT_EQ(reads(rewritten(graph_, std::vector{of_input}).value(), "a"), (Names{"input@relay1", "mask"}));
}

TEST_F(Rewriting, SaysWhatIsWrong) {
    const auto with = [](Rewrite rewrite, auto change) {
        change(rewrite);
        return std::vector{rewrite};
    };
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.tensor = "maks"; })).find("there is no tensor 'maks' | did you mean 'mask'?"),
              std::string::npos);
    EXPECT_NE(error(with(clone_wide_,
                         [](Rewrite& r) {
                             r.copied.output = "wied";
                             r.readers = {{OperatorId(1), "mask"}};
                         }))
                  .find("operator 0 is said to make 'wied', in the model it makes 'wide'"),
              std::string::npos);
    EXPECT_NE(error(with(clone_wide_,
                         [](Rewrite& r) {
                             r.copied.output = "mask";
                             r.readers = {{OperatorId(1), "mask"}};
                         }))
                  .find("operator 1 makes 'mask'"),
              std::string::npos);
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.readers = {{OperatorId(9), "c"}}; })).find("the model has operators 0 to 4"),
              std::string::npos);
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.readers = {{OperatorId(1), "mask"}}; })).find("'Mask' does not read 'a'"),
              std::string::npos);
    EXPECT_NE(
        error({relay_, with(relay_, [](Rewrite& r) { r.makes = {"a@relay2"}; })[0]}).find("rewrite 1: operator 4 'C' does not read 'a'"),
        std::string::npos);
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.makes = {"wide"}; })).find("already a tensor 'wide'"), std::string::npos);
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.makes = {"x", "y"}; })).find("names 2 outputs"), std::string::npos);
    EXPECT_NE(error(with(relay_, [](Rewrite& r) { r.readers.clear(); })).find("nothing reads"), std::string::npos);
    EXPECT_NE(error(with(clone_mask_, [](Rewrite& r) { r.readers = {{{}, "b"}}; })).find("named with its index: [3, \"b\"]"),
              std::string::npos);
    EXPECT_NE(error({clone_wide_}).find("no earlier rewrite makes 'mask@copy1'"), std::string::npos);
    EXPECT_NE(error({clone_mask_}).find("is a recompute, since it is made from 'wide'"), std::string::npos);
    EXPECT_NE(error({with(clone_mask_, [](Rewrite& r) { r.kind = RewriteKind::recompute; })[0], clone_wide_}).find("say \"clone\""),
              std::string::npos);
    const Graph once = rewritten(graph_, std::vector{relay_}).value();
    EXPECT_FALSE(rewritten(once, std::vector{relay_}));
    EXPECT_FALSE(rewritten(once, {}));
}

TEST_F(Rewriting, KindsAreSettled) {
    std::vector<Rewrite> rewrites{clone_mask_, clone_wide_};
    rewrites[0].kind = rewrites[1].kind = RewriteKind::recompute;
    ASSERT_TRUE(settle_kinds(graph_, rewrites));
    EXPECT_EQ(rewrites, (std::vector{clone_mask_, clone_wide_}));
    rewrites.pop_back();
    ASSERT_TRUE(settle_kinds(graph_, rewrites));
    EXPECT_EQ(rewrites[0].kind, RewriteKind::recompute);
}

TEST_F(Rewriting, NewNamesAreNotTaken) {
    NewNames names(rewritten(graph_, std::vector{relay_}).value());
    EXPECT_EQ(names.take("a", "relay"), "a@relay2");
    EXPECT_EQ(names.take("a", "relay"), "a@relay3");
    EXPECT_EQ(names.take("a", "copy"), "a@copy1");
}

}  // namespace
}  // namespace sluice::graph
