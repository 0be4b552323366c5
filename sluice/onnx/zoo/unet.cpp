// U-Net (Ronneberger et al. 2015) with padded convolutions: every skip connection is a tensor with a long life.
#include "sluice/onnx/zoo/convolution.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
Value double_convolution(ModelBuilder& builder, const std::string& name, Value x, std::int64_t channels) {
    for (const char* part : {".conv1", ".conv2"}) {
        x = builder.unary("Relu", name + part + ".relu", convolution(builder, name + part, x, channels, {3, 1, 1}, true));
    }
    return x;
}

Value upsample(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels) {
    const std::int64_t depth = x.shape[1];
    const Value weight = builder.weight(name + ".weight", {depth, channels, 2, 2}, depth);
    const Value bias = builder.parameter(name + ".bias", {channels}, 0.0, 0.02);
    const std::vector<std::int64_t> two(2, 2);
    return builder.node("ConvTranspose", name, {x.name, weight.name, bias.name}, {x.shape[0], channels, x.shape[2] * 2, x.shape[3] * 2},
                        {{"kernel_shape", two}, {"strides", two}});
}

void build_unet(ModelBuilder& builder, const Sizes& sizes) {
    const std::int64_t depth = sizes["depth"], image = sizes["image"];
    if (image % (std::int64_t{1} << depth) != 0) {
        refuse("image=" + std::to_string(image) + " cannot be halved depth=" + std::to_string(depth) + " times",
               "take a multiple of " + std::to_string(std::int64_t{1} << depth));
    }
    std::int64_t width = sizes["width"];
    Value x = builder.input("image", {sizes["batch"], sizes["channels"], image, image});
    std::vector<Value> skips;
    for (std::int64_t level = 0; level < depth; ++level, width *= 2) {
        const std::string name = "down" + std::to_string(level);
        skips.push_back(double_convolution(builder, name, x, width));
        x = max_pool(builder, name + ".pool", skips.back(), {2, 2});
    }
    x = double_convolution(builder, "bottom", x, width);
    for (std::int64_t level = depth; level-- > 0;) {
        width /= 2;
        const std::string name = "up" + std::to_string(level);
        const Value joined[] = {skips[static_cast<std::size_t>(level)], upsample(builder, name + ".upsample", x, width)};
        x = double_convolution(builder, name, builder.concat(name + ".concat", joined, 1), width);
    }
    builder.output(convolution(builder, "head", x, sizes["classes"], {1}, true));
}
}  // namespace

std::vector<Family> unet_families() {
    return {{"unet",
             "U-Net for segmentation, 31 M parameters; skip connections over the whole model",
             {{"depth", 4, "times the image is halved", 1, 20},
              {"width", 64, "channels of the first level"},
              {"image", 256, "pixels of a side"},
              {"channels", 3, "channels of the image"},
              {"classes", 2, "outputs of a pixel"},
              {"batch", 1, "samples"}},
             build_unet}};
}

}  // namespace sluice::onnx::zoo
