// Stages of a rewritten model compute what the model computes: copies, relays, bodies that capture what is passed on, weights in several
// stages.
#include <onnx/onnx_pb.h>

#include <map>

#include "sluice/graph/rewrite.hpp"
#include "sluice/onnx/weights.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_rewrites.hpp"
#include "tests/unit/export/check_cuts.hpp"
#include "tests/unit/zoo/samples.hpp"

namespace sluice::test {
namespace {

using graph::Rewrite;
using graph::RewriteKind;

OperatorId maker(const graph::Graph& graph, std::string_view tensor) {
    for (std::size_t t = 0; t < graph.tensor_count(); ++t)
        if (graph[TensorId(t)].name == tensor) return graph.producer(TensorId(t));
    ADD_FAILURE() << "no tensor " << tensor;
    return {};
}

graph::OperatorName named(const graph::Graph& graph, OperatorId id) { return {id, std::string(graph.first_output_name(id))}; }

struct Model {
    std::filesystem::path file;
    graph::Graph graph;
};

Model zoo(const std::string& name, const TemporaryFolder& folder) {
    const auto file = onnx::materialise("zoo:" + name, onnx::WeightSource::random, 7, folder / "model");
    EXPECT_TRUE(file) << to_text(file.error());
    return {*file, onnx::load_model(file->string()).value().graph};
}

onnx::Manifest check(const Model& model, const graph::Graph& graph, const Stages& stages, const TemporaryFolder& folder,
                     bool self_contained = false) {
    const auto manifest = onnx::export_stages(model.file, graph, stages, folder / "stages",
                                              {.import = {}, .self_contained = self_contained, .adopt_weights = false, .stop = {}});
    EXPECT_TRUE(manifest) << to_text(manifest.error());
    if (!manifest) return {};
    EXPECT_EQ(manifest->fingerprint, model.graph.fingerprint());
    check_borders(graph, stages, *manifest);
    const Comparison exact = Reference(model.file, 0, 1).compare(folder / "stages", *manifest);
    EXPECT_TRUE(exact.bitwise) << exact.worst << " in " << exact.worst_tensor;
    EXPECT_EQ(exact.not_finite, 0U);
    EXPECT_GT(exact.values, 0U);
    EXPECT_GT(exact.spread, 0.01);
    EXPECT_LE(Reference(model.file, 99, 1).compare(folder / "stages", *manifest).worst, 1e-5);
    return *manifest;
}

bool mentions(const onnx::Manifest& manifest, std::size_t stage, const std::string& name) {
    for (const auto& input : manifest.stages[stage].inputs)
        if (input.name == name) return true;
    return false;
}

/// The mask is made once for each layer, from the model's input on: no stage hands it to another.
TEST(ExportedRewrites, AMaskForEachLayerOfBert) {
    const TemporaryFolder folder;
    const Model model = zoo("bert-base:layers=3,hidden=16,heads=2,ff=32,seq=8,positions=12,vocab=50,batch=2", folder);
    const graph::Graph& graph = model.graph;
    std::vector<OperatorId> chain{maker(graph, "mask")};  // back to the input
    while (graph.predecessors(chain.back()).size() == 1) chain.push_back(graph.predecessors(chain.back())[0]);
    ASSERT_EQ(graph.predecessors(chain.back()).size(), 0U);
    ASSERT_GE(chain.size(), 3U);
    const auto readers = graph.consumers(graph.outputs(chain[0])[0]);
    ASSERT_EQ(readers.size(), 3U);
    std::vector<Rewrite> rewrites;
    graph::NewNames names(graph);
    for (std::size_t layer = 1; layer < 3; ++layer) {
        graph::OperatorName reader = named(graph, readers[layer]);
        for (const OperatorId id : chain) {
            rewrites.push_back({.kind = RewriteKind::clone,
                                .copied = named(graph, id),
                                .tensor = {},
                                .makes = {names.take(graph.first_output_name(id), "copy")},
                                .readers = {reader}});
            reader = {{}, rewrites.back().makes[0]};
        }
    }
    const graph::Graph cloned = graph::rewritten(graph, rewrites).value();
    // One stage a layer, in the order of the operators: a copy stands before its reader.
    Stages stages(3);
    std::size_t stage = 0;
    for (std::size_t v = 0; v < cloned.operator_count(); ++v) {
        const OperatorId id(v);
        if (stage < 2 && cloned.first_output_name(id) ==
                             cloned[cloned.outputs(maker(cloned, rewrites[stage * chain.size() + chain.size() - 1].makes[0]))[0]].name)
            ++stage;
        stages[stage].push_back(id);
    }
    const auto manifest = check(model, cloned, stages, folder);
    for (std::size_t s = 1; s < 3; ++s) {
        EXPECT_FALSE(mentions(manifest, s, "mask"));
        EXPECT_TRUE(mentions(manifest, s, "attention_mask"));
    }
}

/// Every skip connection of a U-Net goes from stage to stage: each stage reads from the one before alone.
TEST(ExportedRewrites, SkipsOfAUNetAreRelayed) {
    const TemporaryFolder folder;
    const Model model = zoo("unet:depth=2,width=4,image=16,channels=1,classes=3,batch=2", folder);
    const std::size_t count = model.graph.operator_count(), chips = 5;
    const auto chip_of = [&](OperatorId id) { return id.index() * chips / count; };
    std::vector<Rewrite> rewrites;
    graph::NewNames names(model.graph);
    std::map<std::string, std::size_t> chip_of_relay;
    for (std::size_t t = 0; t < model.graph.tensor_count(); ++t) {
        const OperatorId from = model.graph.producer(TensorId(t));
        if (!from.valid()) continue;
        std::string passed = model.graph[TensorId(t)].name;
        for (std::size_t chip = chip_of(from) + 1; chip < chips; ++chip) {
            Rewrite relay{.kind = RewriteKind::relay, .copied = {}, .tensor = passed, .makes = {}, .readers = {}};
            for (const OperatorId reader : model.graph.consumers(TensorId(t)))
                if (chip_of(reader) > chip) relay.readers.push_back(named(model.graph, reader));
            if (relay.readers.empty()) break;
            relay.makes = {passed = names.take(model.graph[TensorId(t)].name, "relay")};
            chip_of_relay[passed] = chip;
            rewrites.push_back(std::move(relay));
        }
    }
    ASSERT_GE(rewrites.size(), 2U);
    const graph::Graph relayed = graph::rewritten(model.graph, rewrites).value();
    Stages stages(chips);
    for (std::size_t v = 0; v < relayed.operator_count(); ++v) {
        const OperatorId origin = relayed.derivation()->origin[v];
        stages[origin.valid() ? chip_of(origin) : chip_of_relay.at(std::string(relayed.first_output_name(OperatorId(v))))].push_back(
            OperatorId(v));
    }
    const auto manifest = check(model, relayed, stages, folder);
    for (std::size_t s = 1; s < chips; ++s)
        for (const auto& input : manifest.stages[s].inputs) {
            const auto& before = manifest.stages[s - 1].outputs;
            const bool of_model = std::ranges::any_of(manifest.inputs, [&](const auto& i) { return i.name == input.name; });
            EXPECT_TRUE(of_model || std::ranges::any_of(before, [&](const auto& o) { return o.name == input.name; }))
                << s << " " << input.name;
        }
}

/// A matrix product with its weights, made again where it is read late; its weights are one file's same bytes in both stages.
TEST(ExportedRewrites, AnOperatorIsMadeAgainFromTheSameWeights) {
    const TemporaryFolder folder;
    auto proto = onnx::parse_text(R"(
        g (float[2, 8] x) => (float[2, 8] y) {
            a = Relu(x)
            big = MatMul(a, w)
            b = Sigmoid(big)
            c = Tanh(b)
            y = Add(c, big)
        })",
                                  17);
    add_floats(*proto.mutable_graph(), "w", {8, 8});
    auto& w = *proto.mutable_graph()->mutable_initializer(0);
    ASSERT_EQ(w.name(), "w");
    save(proto, folder / "model.onnx");
    const Model model{folder / "model.onnx", onnx::load_model((folder / "model.onnx").string()).value().graph};
    const std::vector<Rewrite> rewrites{{.kind = RewriteKind::recompute,
                                         .copied = named(model.graph, maker(model.graph, "big")),
                                         .tensor = {},
                                         .makes = {"big@copy1"},
                                         .readers = {named(model.graph, maker(model.graph, "y"))}}};
    const graph::Graph again = graph::rewritten(model.graph, rewrites).value();
    Stages stages(3);
    for (const char* name : {"a", "big"}) stages[0].push_back(maker(again, name));
    for (const char* name : {"b", "c"}) stages[1].push_back(maker(again, name));
    for (const char* name : {"big@copy1", "y"}) stages[2].push_back(maker(again, name));
    for (const bool self_contained : {false, true}) {
        const auto manifest = check(model, again, stages, folder, self_contained);
        EXPECT_FALSE(mentions(manifest, 2, "big"));
        EXPECT_TRUE(mentions(manifest, 2, "a"));
    }
    EXPECT_EQ(load(folder / "stages/stage-2.onnx").graph().initializer_size(), 1);
}

/// A body of If reads what was passed on, also where it has an Identity between; another name of its own stays.
TEST(ExportedRewrites, BodiesReadWhatIsPassedOn) {
    const TemporaryFolder folder;
    auto proto = onnx::parse_text(R"(
        g (float[2, 8] x, bool[1] choice) => (float[2, 8] y, float[2, 8] z) {
            a = Relu(x)
            b = Sigmoid(a)
            same = Identity(a)
            z = Add(same, b)
            y = If(choice) <then_branch = then_graph () => (float[2, 8] t) { one = Tanh(a)  t = Mul(one, b) },
                            else_branch = else_graph () => (float[2, 8] e) { two = Neg(same)  e = Add(two, b) }>
        })",
                                  17);
    save(proto, folder / "model.onnx");
    const Model model{folder / "model.onnx", onnx::load_model((folder / "model.onnx").string()).value().graph};
    const auto& graph = model.graph;
    const std::vector<Rewrite> rewrites{
        {.kind = RewriteKind::relay,
         .copied = {},
         .tensor = "a",
         .makes = {"a@relay1"},
         .readers = {named(graph, maker(graph, "y")), named(graph, maker(graph, "z"))}},
        {.kind = RewriteKind::recompute,
         .copied = named(graph, maker(graph, "b")),
         .tensor = {},
         .makes = {"b@copy1"},
         .readers = {named(graph, maker(graph, "y"))}},
        {.kind = RewriteKind::relay, .copied = {}, .tensor = "a", .makes = {"a@relay2"}, .readers = {{{}, "b@copy1"}}}};
    const graph::Graph changed = graph::rewritten(graph, rewrites).value();
    Stages stages(3);
    for (const char* name : {"a", "b"}) stages[0].push_back(maker(changed, name));
    for (const char* name : {"a@relay1", "a@relay2"}) stages[1].push_back(maker(changed, name));
    for (const char* name : {"b@copy1", "y", "z"}) stages[2].push_back(maker(changed, name));
    const auto manifest = check(model, changed, stages, folder);
    EXPECT_FALSE(mentions(manifest, 2, "a"));
    EXPECT_TRUE(mentions(manifest, 2, "a@relay1"));
    // A copy of the If itself.
    const std::vector<Rewrite> copied{{.kind = RewriteKind::recompute,
                                       .copied = named(graph, maker(graph, "a")),
                                       .tensor = {},
                                       .makes = {"a@copy1"},
                                       .readers = {named(graph, maker(graph, "y"))}}};
    std::vector<Rewrite> settled = copied;
    ASSERT_TRUE(graph::settle_kinds(graph, settled));
    EXPECT_EQ(settled[0].kind, RewriteKind::clone);
    const graph::Graph cloned = graph::rewritten(graph, settled).value();
    Stages two(2);
    for (const char* name : {"a", "b", "z"}) two[0].push_back(maker(cloned, name));
    for (const char* name : {"a@copy1", "y"}) two[1].push_back(maker(cloned, name));
    EXPECT_FALSE(mentions(check(model, cloned, two, folder), 1, "a"));
}

/// Any rewrites of any model of the zoo, in any stages.
TEST(ExportedRewrites, AnyRewritesInAnyStages) {
    std::size_t seen = 0;
    for (std::size_t which = 0; which < samples().size(); which += sluice::test::one_in(6)) {
        const Sample& sample = samples()[which];
        SCOPED_TRACE(sample.name);
        const TemporaryFolder folder;
        const Model model = zoo(sample.name + ":" + sample.small, folder);
        RandomStream random(which, 44);
        const Reference plain(model.file, 0, 1);
        for (const std::size_t count : {2, 5}) {
            const auto rewrites = sluice::test::random_rewrites(model.graph, 6 * count, random);
            seen += rewrites.size();
            const auto graph = graph::rewritten(model.graph, rewrites);
            ASSERT_TRUE(graph) << to_text(graph.error());
            const auto stages = random_stages(*graph, count, random);
            const auto manifest = onnx::export_stages(model.file, *graph, stages, folder / "stages",
                                                      {.import = {}, .self_contained = count == 5, .adopt_weights = false, .stop = {}});
            ASSERT_TRUE(manifest) << to_text(manifest.error());
            check_borders(*graph, stages, *manifest);
            const Comparison exact = plain.compare(folder / "stages", *manifest);
            EXPECT_TRUE(exact.bitwise) << exact.worst << " in " << exact.worst_tensor;
            EXPECT_GT(exact.values, 0U);
        }
    }
    EXPECT_GT(seen, 30 * samples().size() / sluice::test::one_in(6));
}

}  // namespace
}  // namespace sluice::test
