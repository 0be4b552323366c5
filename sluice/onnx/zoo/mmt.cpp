// The multi-modal transformer of GraphPipe (Jeon et al., ASPLOS 2025, section 7): branches that meet only at the end, in one Concat.
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
void build_mmt(ModelBuilder& builder, const Sizes& sizes) {
    const std::int64_t hidden = sizes["hidden"];
    check_heads(hidden, sizes["heads"]);
    std::vector<Value> ends;
    for (std::int64_t i = 0; i < sizes["branches"]; ++i) {
        const std::string branch = "branch" + std::to_string(i);
        Value x = builder.input(branch + ".input", {sizes["batch"], sizes["seq"], hidden});
        for (std::int64_t layer = 0; layer < sizes["layers"]; ++layer) {
            x = encoder_layer(builder, branch + ".layer" + std::to_string(layer), x, {sizes["heads"], sizes["ff"]}, nullptr);
        }
        ends.push_back(x);
    }
    Value x = builder.concat("concat", ends, 2);
    for (std::int64_t i = 0; i < sizes["fusion"]; ++i) {
        const std::string name = "fusion" + std::to_string(i);
        x = gelu(builder, name + ".gelu", linear(builder, name, x, hidden));
    }
    builder.output(x);
}
}  // namespace

std::vector<Family> mmt_families() {
    return {{"mmt",
             "GraphPipe's multi-modal transformer: branches of encoder layers that meet in one Concat, 407 M parameters",
             {{"branches", 4, "branches, one a modality", 1, kMany},
              {"layers", 8, "encoder layers of a branch", 1, kMany},
              {"fusion", 1, "linear layers after the Concat", 0, kMany},
              {"hidden", 1024, "features of a token"},
              {"heads", 16, "attention heads"},
              {"ff", 4096, "features inside the feed-forward block"},
              {"seq", 256, "tokens of a sample"},
              {"batch", 1, "samples"}},
             build_mmt}};
}

}  // namespace sluice::onnx::zoo
