// chain: linear and Relu in a row. residual: blocks x + W2 relu(W1 x).
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
void build_chain(ModelBuilder& builder, const Sizes& sizes) {
    const Value x = builder.input("x", {sizes["batch"], sizes["width"]});
    builder.output(perceptron(builder, "layer", x, sizes["layers"], sizes["width"]));
}

void build_residual(ModelBuilder& builder, const Sizes& sizes) {
    Value x = builder.input("x", {sizes["batch"], sizes["width"]});
    for (std::int64_t i = 0; i < sizes["blocks"]; ++i) {
        const std::string block = "block" + std::to_string(i);
        const Value inner = builder.unary("Relu", block + ".relu", linear(builder, block + ".expand", x, sizes["inner"]));
        x = builder.binary("Add", block + ".residual", linear(builder, block + ".contract", inner, sizes["width"]), x);
    }
    builder.output(x);
}
}  // namespace

std::vector<Family> chain_families() {
    return {{"chain",
             "linear layers and Relu in a row",
             {{"layers", 16, "linear layers", 1, kMany}, {"width", 1024, "features of every layer"}, {"batch", 1, "samples"}},
             build_chain},
            {"residual",
             "residual blocks of two linear layers",
             {{"blocks", 16, "blocks", 1, kMany},
              {"width", 1024, "features between blocks"},
              {"inner", 4096, "features inside a block"},
              {"batch", 1, "samples"}},
             build_residual}};
}

}  // namespace sluice::onnx::zoo
