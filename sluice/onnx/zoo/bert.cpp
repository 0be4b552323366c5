// BERT encoder (Devlin et al. 2019) with pooler: one attention mask, computed from the input mask, feeds every layer.
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
/// [batch, sequence] of 1 (look) and 0 (do not) -> [batch, 1, 1, sequence] of 0 and -10000.
Value additive_mask(ModelBuilder& builder, const Value& mask) {
    const Value wide = builder.unsqueeze("mask.heads", builder.unsqueeze("mask.query", mask, 1), 2);
    const Value numbers = builder.cast("mask.cast", wide, Element::float32);
    const Value hidden = builder.binary("Sub", "mask.hidden", builder.scalar("mask.one", 1.0F), numbers);
    return builder.with_scalar("Mul", "mask", hidden, -10000.0F);
}

Value embeddings(ModelBuilder& builder, const Sizes& sizes, const Value& tokens, const Value& segments) {
    const std::int64_t hidden = sizes["hidden"];
    const auto table = [&](const std::string& what, std::int64_t rows) {
        return builder.parameter("embeddings." + what + ".weight", {rows, hidden}, 0.0, 0.02);
    };
    const Value words = builder.gather("embeddings.word", table("word", sizes["vocab"]), tokens);
    const Value kinds = builder.gather("embeddings.segment", table("segment", 2), segments);
    const Value places = builder.gather("embeddings.position", table("position", sizes["positions"]),
                                        builder.range("embeddings.position.ids", sizes["seq"]));
    const Value sum = builder.binary("Add", "embeddings.sum", builder.binary("Add", "embeddings.word_segment", words, kinds), places);
    return layer_norm(builder, "embeddings.norm", sum);
}

void build_bert(ModelBuilder& builder, const Sizes& sizes) {
    const std::int64_t batch = sizes["batch"], sequence = sizes["seq"], hidden = sizes["hidden"];
    check_heads(hidden, sizes["heads"]);
    check_positions(sequence, sizes["positions"]);
    const Value tokens = builder.input("input_ids", {batch, sequence}, Element::int64);
    const Value input_mask = builder.input("attention_mask", {batch, sequence}, Element::int64);
    const Value segments = builder.input("token_type_ids", {batch, sequence}, Element::int64);
    const Value mask = additive_mask(builder, input_mask);
    Value x = embeddings(builder, sizes, tokens, segments);
    for (std::int64_t i = 0; i < sizes["layers"]; ++i) {
        x = encoder_layer(builder, "layer" + std::to_string(i), x, {sizes["heads"], sizes["ff"]}, &mask);
    }
    builder.output(x);
    const Value first = builder.gather("pooler.first", x, builder.integers("pooler.first.index", {0}), 1);
    const Value pooled = linear(builder, "pooler.dense", builder.reshape("pooler.flat", first, {batch, hidden}), hidden);
    builder.output(builder.unary("Tanh", "pooler", pooled));
}

std::vector<Size> bert_sizes(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t feed_forward) {
    return {{"layers", layers, "encoder layers", 1, kMany},
            {"hidden", hidden, "features of a token"},
            {"heads", heads, "attention heads"},
            {"ff", feed_forward, "features inside the feed-forward block"},
            {"seq", 128, "tokens of a sample"},
            {"positions", 512, "rows of the position table"},
            {"vocab", 30522, "rows of the word table"},
            {"batch", 1, "samples"}};
}
}  // namespace

std::vector<Family> bert_families() {
    return {
        {"bert-base", "BERT encoder, 110 M parameters; one attention mask feeds every layer", bert_sizes(12, 768, 12, 3072), build_bert},
        {"bert-large", "BERT encoder, 335 M parameters; one attention mask feeds every layer", bert_sizes(24, 1024, 16, 4096), build_bert}};
}

}  // namespace sluice::onnx::zoo
