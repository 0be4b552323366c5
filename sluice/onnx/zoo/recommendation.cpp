// dlrm: deep learning recommendation model, and candle-uno: drug response, both with the sizes of GraphPipe (Jeon et al., ASPLOS 2025,
// section 7): dense branches and embedding bags whose entries are concatenated, joined by one Concat. The number of layers after it is not
// published: four, the default of the FlexFlow originals.
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
void add_dense_branches(ModelBuilder& builder, const Sizes& sizes, std::vector<Value>& ends) {
    for (std::int64_t i = 0; i < sizes["branches"]; ++i) {
        const std::string branch = "dense" + std::to_string(i);
        const Value x = builder.input(branch + ".input", {sizes["batch"], sizes["width"]});
        ends.push_back(perceptron(builder, branch + ".layer", x, sizes["layers"], sizes["width"]));
    }
}

Value top(ModelBuilder& builder, const Sizes& sizes, const std::vector<Value>& ends) {
    const Value joined = builder.concat("interaction", ends, 1);
    return linear(builder, "top.output", perceptron(builder, "top.layer", joined, sizes["post"], sizes["width"]), 1);
}

void build_dlrm(ModelBuilder& builder, const Sizes& sizes) {
    std::vector<Value> ends;
    add_dense_branches(builder, sizes, ends);
    const std::int64_t batch = sizes["batch"], bag = sizes["bag"], features = sizes["embedding"];
    for (std::int64_t i = 0; i < sizes["tables"]; ++i) {
        const std::string table = "sparse" + std::to_string(i);
        const Value indices = builder.input(table + ".indices", {batch, bag}, Element::int64);
        const Value rows = builder.parameter(table + ".weight", {sizes["rows"], features}, 0.0, 1.0);
        ends.push_back(builder.reshape(table, builder.gather(table + ".entries", rows, indices), {batch, bag * features}));
    }
    builder.output(builder.unary("Sigmoid", "click", top(builder, sizes, ends)));
}

void build_candle(ModelBuilder& builder, const Sizes& sizes) {
    std::vector<Value> ends;
    add_dense_branches(builder, sizes, ends);
    builder.output(top(builder, sizes, ends));
}

std::vector<Size> dense_sizes() {
    return {{"branches", 7, "dense branches", 1, kMany},
            {"layers", 4, "linear layers of a branch", 1, kMany},
            {"width", 4096, "features of every layer"},
            {"post", 4, "linear layers after the Concat", 0, kMany},
            {"batch", 1, "samples"}};
}
}  // namespace

std::vector<Family> recommendation_families() {
    std::vector<Size> dlrm = dense_sizes();
    dlrm.insert(dlrm.begin() + 4, {{"tables", 7, "embedding tables", 1, kMany},
                                   {"rows", 1'000'000, "rows of a table"},
                                   {"embedding", 64, "features of a row"},
                                   {"bag", 100, "rows looked up in a table for one sample"}});
    return {{"dlrm", "recommendation model: dense branches, embedding tables of 1 M rows, 1.27 G parameters", std::move(dlrm), build_dlrm},
            {"candle-uno", "drug response model: dense branches and four layers on top, 638 M parameters", dense_sizes(), build_candle}};
}

}  // namespace sluice::onnx::zoo
