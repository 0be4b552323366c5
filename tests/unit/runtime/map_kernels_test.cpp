// Kernels to operators: profiles recorded from ONNX Runtime 1.21 (tests/unit/runtime/kernels, by `sluice-worker profile` on the zoo's
// models of these sizes), and small ones by hand for what those do not have.
#include "sluice/runtime/map_kernels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/onnx/load_model.hpp"

namespace sluice::runtime {
namespace {

struct Recorded {
    graph::Graph graph;
    RawProfile profile;
    MappedKernels mapped;
};

Recorded recorded(const std::string& file, const std::string& model) {
    auto loaded = onnx::load_model(model);
    auto document = json::parse_file(std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/unit/runtime/kernels" / file);
    auto profile = document ? read_raw_profile(*document) : fail(document.error());
    EXPECT_TRUE(loaded && profile);
    auto mapped = map_kernels(loaded->graph, *profile);
    EXPECT_TRUE(mapped) << to_text(mapped.error());
    return {std::move(loaded->graph), std::move(*profile), std::move(*mapped)};
}

std::set<std::string> names(const graph::Graph& graph, const KernelGroup& group) {
    std::set<std::string> set;
    for (const OperatorId id : group.operators) set.insert(graph.label(id));
    return set;
}

const KernelGroup& group_of(const Recorded& recorded, std::string_view name) {
    for (const KernelGroup& group : recorded.mapped.groups)
        if (names(recorded.graph, group).contains(std::string(name))) return group;
    ADD_FAILURE() << name << " is in no group";
    return recorded.mapped.groups.front();
}

std::vector<std::string> kernel_types(const Recorded& recorded, std::string_view name) {
    std::vector<std::string> types;
    for (const std::size_t k : group_of(recorded, name).kernels) types.push_back(recorded.profile.kernels[k].op_type);
    return types;
}

/// All the time is mapped, no operator is missing or twice, and the costs make a problem whose work is one whole run.
void expect_whole(const Recorded& recorded) {
    const auto& [graph, profile, mapped] = recorded;
    std::vector<int> kernels(profile.kernels.size()), operators(graph.operator_count());
    double sum = mapped.free_us;
    for (const KernelGroup& group : mapped.groups) {
        EXPECT_FALSE(group.operators.empty());
        EXPECT_TRUE(std::ranges::is_sorted(group.operators));
        double own = 0;
        for (const std::size_t k : group.kernels) {
            ++kernels[k];
            own += profile.kernels[k].min_us;
        }
        EXPECT_DOUBLE_EQ(own, group.min_us);
        sum += own;
        for (const OperatorId id : group.operators) ++operators[id.index()];
    }
    EXPECT_NEAR(sum, mapped.kernels_us, 1e-6);
    for (std::size_t k = 0; k < kernels.size() && mapped.free_us == 0; ++k) EXPECT_EQ(kernels[k], 1) << profile.kernels[k].name;
    for (std::size_t o = 0; o < operators.size(); ++o)
        EXPECT_EQ(operators[o], graph[OperatorId(o)].replicated ? 0 : 1) << graph.label(OperatorId(o));

    const cost::MeasuredCosts costs = to_costs(graph, profile, mapped);
    const auto frozen = cost::freeze(graph, platform::load_platform("cpu").value(), 2, &costs);
    ASSERT_TRUE(frozen) << to_text(frozen.error());
    EXPECT_EQ(frozen->report.cost_source, "measured");
    Duration work{0};
    for (const Duration time : frozen->problem.classes[0].work) work += time;
    EXPECT_NEAR(static_cast<double>(work.count()), mapped.whole_us * 1e6, static_cast<double>(mapped.groups.size()));
}

using Names = std::set<std::string>;
using Types = std::vector<std::string>;

TEST(MapKernels, ConvolutionsOnBlockedLayouts) {
    const Recorded resnet = recorded("resnet.json", "zoo:resnet50:blocks1=1,blocks2=1,blocks3=1,blocks4=1,width=16,image=64");
    expect_whole(resnet);
    EXPECT_EQ(names(resnet.graph, group_of(resnet, "stem")), (Names{"stem", "stem.norm", "stem.relu"}));
    EXPECT_EQ(names(resnet.graph, group_of(resnet, "layer1.0.conv3")),
              (Names{"layer1.0.conv3", "layer1.0.conv3.norm", "layer1.0.residual", "layer1.0.relu"}));
    EXPECT_EQ(names(resnet.graph, group_of(resnet, "layer1.0.shortcut")), (Names{"layer1.0.shortcut", "layer1.0.shortcut.norm"}));
    EXPECT_EQ(names(resnet.graph, group_of(resnet, "layer2.0.conv1")),
              (Names{"layer2.0.conv1", "layer2.0.conv1.norm", "layer2.0.conv1.relu"}));
    EXPECT_EQ(kernel_types(resnet, "pool"), (Types{"GlobalAveragePool", "ReorderOutput"}));
    EXPECT_EQ(kernel_types(resnet, "stem.pool"), (Types{"MaxPool"}));
    EXPECT_EQ(resnet.mapped.groups.size(), 21u);
}

TEST(MapKernels, Transformers) {
    const Recorded bert = recorded("bert.json", "zoo:bert-base:layers=1,hidden=64,heads=2,ff=128,seq=16,positions=16,vocab=100");
    expect_whole(bert);
    EXPECT_EQ(kernel_types(bert, "layer0.intermediate.gelu.erf"), (Types{"Gelu"}));
    EXPECT_EQ(group_of(bert, "layer0.intermediate.gelu.erf").operators.size(), 5u);
    // helpers: a Reshape before and after the Gemm that MatMul and Add became
    EXPECT_EQ(names(bert.graph, group_of(bert, "layer0.output.matmul")), (Names{"layer0.output.matmul", "layer0.output"}));
    EXPECT_EQ(kernel_types(bert, "layer0.output"), (Types{"Reshape", "Gemm", "Reshape"}));
    EXPECT_EQ(names(bert.graph, group_of(bert, "layer0.attention.scores")),
              (Names{"layer0.attention.scores.matmul", "layer0.attention.scores"}));
    const Recorded gpt2 = recorded("gpt2.json", "zoo:gpt2:layers=1,hidden=64,heads=2,ff=128,seq=16,positions=16,vocab=100");
    expect_whole(gpt2);
    EXPECT_EQ(group_of(gpt2, "layer0.mlp.gelu").operators.size(), 8u);
    EXPECT_EQ(names(gpt2.graph, group_of(gpt2, "layer0.attention.context")),
              (Names{"layer0.attention.context", "layer0.attention.output.flat"}));  // two views made one
}

TEST(MapKernels, WithoutOptimisationEachOperatorIsAKernel) {
    const Recorded inception = recorded("inception-level-0.json", "zoo:inception:groups=1,modules=1,channels=32,image=64");
    expect_whole(inception);
    EXPECT_EQ(inception.mapped.groups.size(), inception.graph.operator_count());
    for (const KernelGroup& group : inception.mapped.groups) EXPECT_EQ(group.kernels.size(), 1u);
}

// --- by hand --------------------------------------------------------------------------------------------------------

/// A chain x -> a -> b -> …, operators as {name, type, output}.
struct Step {
    std::string name, type, output;
    bool replicated = false;
};
graph::Graph chain(const std::vector<Step>& steps) {
    graph::GraphBuilder builder("chain");
    const auto tensor = [&](const std::string& name) {
        graph::Tensor made;
        made.name = name;
        made.bytes = {8};
        return builder.add_tensor(std::move(made));
    };
    TensorId before = tensor("x");
    for (const Step& step : steps) {
        graph::Operator op;
        op.name = step.name;
        op.type = step.type;
        op.replicated = step.replicated;
        const TensorId made = tensor(step.output);
        builder.add_operator(std::move(op), std::array{before}, std::array{made});
        before = made;
    }
    return std::move(builder).build().value();
}

RawKernel kernel(std::string name, std::string type, std::vector<std::string> inputs, std::vector<std::string> outputs, double us) {
    return {std::move(name), std::move(type), "", std::move(inputs), std::move(outputs), us, us * 1.5, 10};
}

RawProfile profile_of(std::vector<RawKernel> kernels, double whole_us, double cpu_us) {
    RawProfile profile;
    profile.kernels = std::move(kernels);
    profile.whole_min_us = profile.whole_median_us = whole_us;
    profile.whole_cpu_us = cpu_us;
    profile.runs = 10;
    return profile;
}

std::vector<std::vector<std::size_t>> operators(const MappedKernels& mapped) {
    std::vector<std::vector<std::size_t>> lists;
    for (const KernelGroup& group : mapped.groups) {
        auto& list = lists.emplace_back();
        for (const OperatorId id : group.operators) list.push_back(id.index());
    }
    return lists;
}

using Lists = std::vector<std::vector<std::size_t>>;

TEST(MapKernels, NamesThatRepeatDoNotMatter) {
    const graph::Graph graph = chain({{"same", "Relu", "a"}, {"same", "Relu", "b"}, {"", "Exp", "c"}});
    const RawProfile profile = profile_of(
        {kernel("same", "Relu", {"x"}, {"a"}, 1), kernel("same", "Relu", {"a"}, {"b"}, 2), kernel("Exp_2", "Exp", {"b"}, {"c"}, 3)}, 12, 9);
    const auto mapped = map_kernels(graph, profile);
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{0}, {1}, {2}}));
    EXPECT_DOUBLE_EQ(mapped->scale, 9.0 / 6);  // one thread: the CPU time, which sharing the core does not change
    const cost::MeasuredCosts costs = to_costs(graph, profile, *mapped);
    ASSERT_EQ(costs.entries.size(), 3u);
    EXPECT_EQ(costs.entries[1].operators, std::vector<std::string>{"b"});
    EXPECT_EQ(costs.entries[1].time, Duration{3'000'000});
    EXPECT_EQ(costs.entries[1].spread, 0.5);
    EXPECT_EQ(share_above(*mapped, 0.1), 0.5);  // the third: 4.5 over 3 us; of the others' half and whole microsecond nothing is known
    EXPECT_EQ(share_above(*mapped, 0.6), 0);
}

TEST(MapKernels, HelpersGoToTheirReaderElseTheirMakerElseWhoRanBefore) {
    const graph::Graph graph = chain({{"p", "Relu", "a"}, {"q", "Exp", "b"}});
    const auto mapped =
        map_kernels(graph, profile_of({kernel("h0", "Cast", {"x"}, {"x.cast"}, 1), kernel("h1", "Reorder", {"x.cast"}, {"x.new"}, 2),
                                       kernel("p", "Relu", {"x.new"}, {"a"}, 4), kernel("q", "Exp", {"a"}, {"b"}, 8),
                                       kernel("h2", "Cast", {"b"}, {"renamed output"}, 16), kernel("h3", "Noise", {}, {"unread"}, 32)},
                                      63, 0));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{0}, {1}}));
    EXPECT_DOUBLE_EQ(mapped->groups[0].min_us, 7);
    EXPECT_DOUBLE_EQ(mapped->groups[1].min_us, 56);
}

TEST(MapKernels, VanishedOperatorsGoWithTheirReaderElseTheirMaker) {
    // c and e have no kernel: c was fused into d, e (the model's end) was eliminated and its kernel renamed.
    const graph::Graph graph = chain({{"", "A", "a"}, {"", "B", "b"}, {"", "C", "c"}, {"", "D", "d"}, {"", "E", "e"}});
    const auto mapped = map_kernels(
        graph,
        profile_of({kernel("1", "A", {"x"}, {"a"}, 1), kernel("2", "B", {"a"}, {"b"}, 2), kernel("3", "FusedD", {"b"}, {"d"}, 3)}, 6, 6));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{0}, {1}, {2, 3, 4}}));
}

TEST(MapKernels, AKernelOfAnotherNameIsTheOperatorOfItsOwnNameAndType) {
    const graph::Graph graph = chain({{"p", "Relu", "a"}, {"q", "Exp", "b"}, {"r", "Abs", "c"}});
    const auto mapped =
        map_kernels(graph, profile_of({kernel("p", "Relu", {"x"}, {"a"}, 1), kernel("q", "Exp", {"a"}, {"b.moved"}, 2),
                                       kernel("r", "Transpose", {"b.moved"}, {"b.turned"}, 4), kernel("r2", "Abs", {"b.turned"}, {"c"}, 8)},
                                      15, 15));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{0}, {1}, {2}}));
    EXPECT_DOUBLE_EQ(mapped->groups[1].min_us, 2);
    EXPECT_DOUBLE_EQ(mapped->groups[2].min_us, 12);  // 'r' is a Transpose, not the Abs of that name
}

TEST(MapKernels, ALastIdentityRenamesTheKernelBeforeIt) {
    const graph::Graph graph = chain({{"", "MatMul", "a"}, {"", "Relu", "b"}, {"", "MatMul", "c"}});  // and Identity(c) -> y
    const auto mapped =
        map_kernels(graph, profile_of({kernel("MatMul_0", "MatMul", {"x", "W"}, {"a"}, 1), kernel("Relu_1", "Relu", {"a"}, {"b"}, 2),
                                       kernel("MatMul_2", "MatMul", {"b", "W"}, {"y"}, 4)},
                                      7, 7));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{0}, {1}, {2}}));
    EXPECT_DOUBLE_EQ(mapped->groups[2].min_us, 4);
}

TEST(MapKernels, TimeOfFreeOperatorsIsSpreadOverTheOthers) {
    const graph::Graph graph = chain({{"s", "Shape", "a", true}, {"q", "Exp", "b"}, {"r", "Abs", "c"}});
    const auto mapped = map_kernels(
        graph, profile_of({kernel("s", "Shape", {"x"}, {"a"}, 1), kernel("q", "Exp", {"a"}, {"b"}, 2), kernel("r", "Abs", {"b"}, {"c"}, 2)},
                          10, 10));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(operators(*mapped), (Lists{{1}, {2}}));
    EXPECT_DOUBLE_EQ(mapped->free_us, 1);
    EXPECT_DOUBLE_EQ(mapped->scale, 2.5);
}

TEST(MapKernels, RefusesAProfileOfSomethingElse) {
    const graph::Graph graph = chain({{"p", "Relu", "a"}});
    const auto other = map_kernels(graph, profile_of({kernel("k", "Relu", {"y"}, {"z"}, 1)}, 1, 1));
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("none of the 1 kernels"), std::string::npos) << to_text(other.error());
    EXPECT_FALSE(map_kernels(graph, profile_of({}, 1, 1)));
    EXPECT_FALSE(map_kernels(graph, profile_of({kernel("p", "Relu", {"x"}, {"a"}, 0)}, 1, 1)));
    EXPECT_FALSE(map_kernels(graph, profile_of({kernel("p", "Relu", {"x"}, {"a"}, 1)}, 0, 0)));
}

}  // namespace
}  // namespace sluice::runtime
