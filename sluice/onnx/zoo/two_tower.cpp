// Two towers, text and image transformers that meet in one cosine similarity a pair (after CLIP, Radford et al. 2021). Similarity is taken
// pair by pair, so that no sample sees another.
#include "sluice/onnx/zoo/convolution.hpp"
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
/// Encoder layers, mean over tokens, projection, division by the length.
Value tower(ModelBuilder& builder, const std::string& name, Value x, const Sizes& sizes) {
    for (std::int64_t i = 0; i < sizes["layers"]; ++i) {
        x = encoder_layer(builder, name + ".layer" + std::to_string(i), x, {sizes["heads"], sizes["ff"]}, nullptr);
    }
    const std::vector<std::int64_t> tokens(1, 1), features(1, -1);
    const Value mean = builder.node("ReduceMean", name + ".mean", {x.name}, {x.shape[0], x.shape[2]}, {{"axes", tokens}, {"keepdims", 0}});
    const Value projected = linear(builder, name + ".projection", mean, sizes["projection"]);
    const Value length =
        builder.node("ReduceL2", name + ".length", {projected.name}, {x.shape[0], 1}, {{"axes", features}, {"keepdims", 1}});
    return builder.binary("Div", name, projected, length);
}

Value text_tokens(ModelBuilder& builder, const Sizes& sizes) {
    const Value ids = builder.input("text.input_ids", {sizes["batch"], sizes["seq"]}, Element::int64);
    const Value table = builder.parameter("text.embeddings.weight", {sizes["vocab"], sizes["hidden"]}, 0.0, 0.02);
    const Value places = builder.parameter("text.positions", {1, sizes["seq"], sizes["hidden"]}, 0.0, 0.02);
    return builder.binary("Add", "text.embeddings.placed", builder.gather("text.embeddings", table, ids), places);
}

Value image_tokens(ModelBuilder& builder, const Sizes& sizes) {
    const std::int64_t image = sizes["image"], patch = sizes["patch"], hidden = sizes["hidden"];
    if (image % patch != 0) {
        refuse("image=" + std::to_string(image) + " is no multiple of patch=" + std::to_string(patch),
               "take a patch that divides the image");
    }
    const std::int64_t patches = image / patch * (image / patch);
    const Value pixels = builder.input("image.pixels", {sizes["batch"], 3, image, image});
    const Value grid = convolution(builder, "image.patches", pixels, hidden, {patch, patch}, true);
    const Value rows = builder.transpose("image.tokens", builder.reshape("image.flat", grid, {sizes["batch"], hidden, patches}), {0, 2, 1});
    return builder.binary("Add", "image.tokens.placed", rows, builder.parameter("image.positions", {1, patches, hidden}, 0.0, 0.02));
}

void build_two_tower(ModelBuilder& builder, const Sizes& sizes) {
    check_heads(sizes["hidden"], sizes["heads"]);
    const Value text = tower(builder, "text", text_tokens(builder, sizes), sizes);
    const Value image = tower(builder, "image", image_tokens(builder, sizes), sizes);
    const Value product = builder.binary("Mul", "similarity.products", text, image);
    const Value axes = builder.integers("similarity.axes", {1});
    const Value cosine = builder.node("ReduceSum", "similarity.cosine", {product.name, axes.name}, {sizes["batch"]}, {{"keepdims", 0}});
    builder.output(builder.with_scalar("Mul", "similarity", cosine, 100.0F));
}
}  // namespace

std::vector<Family> two_tower_families() {
    return {{"two-tower",
             "text and image transformers that meet in one similarity",
             {{"layers", 12, "encoder layers of a tower", 1, kMany},
              {"hidden", 512, "features of a token"},
              {"heads", 8, "attention heads"},
              {"ff", 2048, "features inside the feed-forward block"},
              {"seq", 64, "tokens of a text"},
              {"vocab", 49408, "rows of the word table"},
              {"image", 224, "pixels of a side"},
              {"patch", 32, "pixels of a patch's side"},
              {"projection", 512, "features that are compared"},
              {"batch", 1, "samples"}},
             build_two_tower}};
}

}  // namespace sluice::onnx::zoo
