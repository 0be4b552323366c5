// What a transformer layer keeps for its backward pass against the closed form of Korthikanti et al., Reducing Activation Recomputation in
// Large Transformer Models (2022), section 4.1: s·b·h·(34 + 5·a·s/h) bytes a layer in 16 bits, of which 2·s·b·h are the masks of two
// dropouts outside attention and, of the 5, one is the mask and two the output of the dropout on the scores. Without dropout: s·b·h·(32 +
// 2·a·s/h), beside the statistics of the norms, which that count leaves out.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <set>
#include <string>

#include "node_builder.hpp"

namespace sluice::onnx::test {
namespace {

class Layer {
public:
    void tensor(const std::string& name, Shape shape, bool parameter = false) {
        tensors_[name] = {.type = DataType::f16, .shape = std::move(shape), .shape_known = true, .parameter = parameter, .value = {}};
    }
    /// Adds the tensors that the operator keeps, each once, and its statistics.
    void add(const std::string& type, const std::vector<std::string>& inputs, const std::string& output, Shape shape) {
        tensor(output, std::move(shape));
        ::onnx::NodeProto node;
        node.set_op_type(type);
        OperatorFacts facts;
        facts.node = &node;
        facts.opset = 20;
        for (const auto& name : inputs) {
            node.add_input(name);
            facts.inputs.push_back(tensors_.at(name));
        }
        node.add_output(output);
        facts.outputs.push_back(tensors_.at(output));
        const auto kept = kept_by(facts);
        for (const std::size_t i : kept.inputs) kept_.insert(inputs[i]);
        if (!kept.outputs.empty()) kept_.insert(output);
        beside_ += kept.beside.count;
        summed_ += features_of(facts).kept_for_backward.count;
    }
    [[nodiscard]] std::int64_t kept_bytes() const {
        std::int64_t total = 0;
        for (const auto& name : kept_) {
            std::int64_t bytes = 2;
            for (const std::int64_t size : tensors_.at(name).shape) bytes *= size;
            total += bytes;
        }
        return total;
    }
    [[nodiscard]] std::int64_t beside() const { return beside_; }
    [[nodiscard]] std::int64_t summed() const { return summed_; }

private:
    std::map<std::string, TensorFacts> tensors_;
    std::set<std::string> kept_;
    std::int64_t beside_ = 0, summed_ = 0;
};

TEST(Kept, ATransformerLayerKeepsWhatThePaperCounts) {
    const std::int64_t s = 2048, b = 4, h = 2304, a = 24, d = h / a;
    Layer layer;
    layer.tensor("x", {b, s, h});
    for (const char* weight : {"wq", "wk", "wv", "wo"}) layer.tensor(weight, {h, h}, true);
    layer.tensor("w1", {h, 4 * h}, true);
    layer.tensor("w2", {4 * h, h}, true);
    for (const char* vector : {"g1", "b1", "g2", "b2"}) layer.tensor(vector, {h}, true);
    layer.tensor("scale", {}, true);

    layer.add("LayerNormalization", {"x", "g1", "b1"}, "n1", {b, s, h});
    for (const std::string name : {"q", "k", "v"}) {
        layer.add("MatMul", {"n1", "w" + name}, name, {b, s, h});
        layer.add("Reshape", {name}, name + "4", {b, s, a, d});
        layer.add("Transpose", {name + "4"}, name + "t", name == "k" ? Shape{b, a, d, s} : Shape{b, a, s, d});
    }
    layer.add("MatMul", {"qt", "kt"}, "raw", {b, a, s, s});
    layer.add("Mul", {"raw", "scale"}, "scores", {b, a, s, s});
    layer.add("Softmax", {"scores"}, "p", {b, a, s, s});
    layer.add("MatMul", {"p", "vt"}, "heads", {b, a, s, d});
    layer.add("Transpose", {"heads"}, "context4", {b, s, a, d});
    layer.add("Reshape", {"context4"}, "context", {b, s, h});
    layer.add("MatMul", {"context", "wo"}, "o", {b, s, h});
    layer.add("Add", {"o", "x"}, "y", {b, s, h});
    layer.add("LayerNormalization", {"y", "g2", "b2"}, "n2", {b, s, h});
    layer.add("MatMul", {"n2", "w1"}, "wide", {b, s, 4 * h});
    layer.add("Gelu", {"wide"}, "gelu", {b, s, 4 * h});
    layer.add("MatMul", {"gelu", "w2"}, "narrow", {b, s, h});
    layer.add("Add", {"narrow", "y"}, "z", {b, s, h});

    EXPECT_EQ(layer.kept_bytes(), 32 * s * b * h + 2 * a * s * s * b);
    EXPECT_EQ(layer.beside(), 2 * (2 * 4 * s * b)) << "two norms, two statistics a row";
    EXPECT_EQ(layer.summed(), layer.kept_bytes() + layer.beside() + 2 * (2 * s * b * h) + 2 * a * s * s * b)
        << "the sum over operators counts the input of q, k and v three times and the probabilities twice";
}

}  // namespace
}  // namespace sluice::onnx::test
