// ResNet with bottleneck blocks (He et al. 2016, table 1), stride in the 3x3 convolution as usual implementations have it.
#include "sluice/onnx/zoo/convolution.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
constexpr std::int64_t kExpansion = 4;

Value bottleneck(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t width, std::int64_t stride) {
    const Value reduced = convolution_norm_relu(builder, name + ".conv1", x, width, {1});
    const Value spatial = convolution_norm_relu(builder, name + ".conv2", reduced, width, {3, stride, 1});
    const Value expanded =
        batch_norm(builder, name + ".conv3.norm", convolution(builder, name + ".conv3", spatial, width * kExpansion, {1}, false));
    const bool same = stride == 1 && x.shape[1] == width * kExpansion;
    const Value shortcut = same ? x
                                : batch_norm(builder, name + ".shortcut.norm",
                                             convolution(builder, name + ".shortcut", x, width * kExpansion, {1, stride}, false));
    return builder.unary("Relu", name + ".relu", builder.binary("Add", name + ".residual", expanded, shortcut));
}

void build_resnet(ModelBuilder& builder, const Sizes& sizes) {
    const Value image = builder.input("image", {sizes["batch"], 3, sizes["image"], sizes["image"]});
    std::int64_t width = sizes["width"];
    Value x = max_pool(builder, "stem.pool", convolution_norm_relu(builder, "stem", image, width, {7, 2, 3}), {3, 2, 1});
    for (int stage = 1; stage <= 4; ++stage, width *= 2) {
        const std::string name = "layer" + std::to_string(stage);
        for (std::int64_t i = 0; i < sizes["blocks" + std::to_string(stage)]; ++i) {
            x = bottleneck(builder, name + "." + std::to_string(i), x, width, stage > 1 && i == 0 ? 2 : 1);
        }
    }
    builder.output(classifier(builder, x, sizes["classes"]));
}
}  // namespace

std::vector<Family> resnet_families() {
    return {{"resnet50",
             "ResNet-50 with its batch norms, 25.6 M parameters (blocks3=23 is ResNet-101)",
             {{"blocks1", 3, "blocks of the first stage", 1, kMany},
              {"blocks2", 4, "blocks of the second stage", 1, kMany},
              {"blocks3", 6, "blocks of the third stage", 1, kMany},
              {"blocks4", 3, "blocks of the fourth stage", 1, kMany},
              {"width", 64, "channels of the stem"},
              {"image", 224, "pixels of a side"},
              {"classes", 1000, "outputs"},
              {"batch", 1, "samples"}},
             build_resnet}};
}

}  // namespace sluice::onnx::zoo
