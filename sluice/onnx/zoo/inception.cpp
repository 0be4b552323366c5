// Inception-like: modules of four parallel branches joined by Concat (after Szegedy et al. 2015), with batch norm.
#include "sluice/onnx/zoo/convolution.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
Value module(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels) {
    const auto convolve = [&](const std::string& what, const Value& from, std::int64_t width, std::int64_t kernel) {
        return convolution_norm_relu(builder, name + what, from, width, {kernel, 1, kernel / 2});
    };
    const Value branches[] = {
        convolve(".point", x, channels / 4, 1),
        convolve(".middle", convolve(".middle.reduce", x, channels / 4, 1), channels / 2, 3),
        convolve(".wide", convolve(".wide.reduce", x, channels / 16, 1), channels / 8, 5),
        convolve(".pooled", max_pool(builder, name + ".pool", x, {3, 1, 1}), channels / 8, 1),
    };
    return builder.concat(name, branches, 1);
}

void build_inception(ModelBuilder& builder, const Sizes& sizes) {
    std::int64_t channels = sizes["channels"];
    if (channels % 16 != 0) {
        refuse("channels=" + std::to_string(channels) + " is no multiple of 16, the share of a module's narrowest branch",
               "take channels=" + std::to_string((channels / 16 + 1) * 16));
    }
    const Value image = builder.input("image", {sizes["batch"], 3, sizes["image"], sizes["image"]});
    Value x = max_pool(builder, "stem.pool", convolution_norm_relu(builder, "stem", image, channels / 4, {7, 2, 3}), {3, 2, 1});
    for (std::int64_t group = 0; group < sizes["groups"]; ++group, channels *= 2) {
        const std::string name = "group" + std::to_string(group);
        if (group > 0) x = max_pool(builder, name + ".pool", x, {3, 2, 1});
        for (std::int64_t i = 0; i < sizes["modules"]; ++i) x = module(builder, name + ".module" + std::to_string(i), x, channels);
    }
    builder.output(classifier(builder, x, sizes["classes"]));
}
}  // namespace

std::vector<Family> inception_families() {
    return {{"inception",
             "image classifier of modules with four parallel branches",
             {{"groups", 3, "groups; each halves the image and doubles the channels", 1, 20},
              {"modules", 3, "modules of a group", 1, kMany},
              {"channels", 256, "channels of the first group's modules"},
              {"image", 224, "pixels of a side"},
              {"classes", 1000, "outputs"},
              {"batch", 1, "samples"}},
             build_inception}};
}

}  // namespace sluice::onnx::zoo
