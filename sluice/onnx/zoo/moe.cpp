// Mixture of experts, densely gated (Jacobs et al. 1991, in the place of a transformer's feed-forward block): every expert computes every
// token, a softmax weighs their sum. No shape depends on data, and a layer is as wide as it has experts.
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
Value mixture(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t experts, std::int64_t width) {
    const std::vector<Value> gates =
        builder.split(name + ".gates", builder.softmax(name + ".gate.softmax", linear(builder, name + ".gate", x, experts)), 2, experts);
    std::vector<Value> weighted;
    for (std::int64_t i = 0; i < experts; ++i) {
        const std::string expert = name + ".expert" + std::to_string(i);
        const Value up = builder.unary("Relu", expert + ".relu", linear(builder, expert + ".up", x, width));
        const Value down = linear(builder, expert + ".down", up, x.shape.back());
        weighted.push_back(builder.binary("Mul", expert + ".weighted", down, gates[static_cast<std::size_t>(i)]));
    }
    const Value sum = builder.variadic("Sum", name + ".sum", weighted);
    return layer_norm(builder, name + ".norm", builder.binary("Add", name + ".residual", sum, x));
}

void build_moe(ModelBuilder& builder, const Sizes& sizes) {
    check_heads(sizes["hidden"], sizes["heads"]);
    Value x = builder.input("x", {sizes["batch"], sizes["seq"], sizes["hidden"]});
    for (std::int64_t i = 0; i < sizes["layers"]; ++i) {
        const std::string layer = "layer" + std::to_string(i);
        x = mixture(builder, layer, attention_block(builder, layer + ".attention", x, sizes["heads"], nullptr), sizes["experts"],
                    sizes["ff"]);
    }
    builder.output(x);
}
}  // namespace

std::vector<Family> moe_families() {
    return {{"moe",
             "transformer with densely gated mixtures of experts; as wide as it has experts",
             {{"layers", 4, "layers", 1, kMany},
              {"experts", 16, "experts of a layer", 1, kMany},
              {"hidden", 512, "features of a token"},
              {"heads", 8, "attention heads"},
              {"ff", 1024, "features inside an expert"},
              {"seq", 128, "tokens of a sample"},
              {"batch", 1, "samples"}},
             build_moe}};
}

}  // namespace sluice::onnx::zoo
