#include "sluice/onnx/zoo/convolution.hpp"

#include <cassert>

#include "sluice/onnx/zoo/layers.hpp"

namespace sluice::onnx::zoo {

namespace {
std::int64_t slide(std::int64_t length, Window window) {
    assert(length + 2 * window.padding >= window.kernel);
    return (length + 2 * window.padding - window.kernel) / window.stride + 1;
}

std::vector<Attribute> attributes_of(Window window) {
    const std::vector<std::int64_t> kernel(2, window.kernel), stride(2, window.stride), padding(4, window.padding);
    return {{"kernel_shape", kernel}, {"strides", stride}, {"pads", padding}};
}
}  // namespace

Value convolution(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels, Window window, bool bias) {
    const std::int64_t depth = x.shape[1];
    const Shape kernel = {channels, depth, window.kernel, window.kernel};
    std::vector<std::string> inputs = {x.name, builder.weight(name + ".weight", kernel, depth * window.kernel * window.kernel).name};
    if (bias) inputs.push_back(builder.parameter(name + ".bias", {channels}, 0.0, 0.02).name);
    return builder.node("Conv", name, std::move(inputs), {x.shape[0], channels, slide(x.shape[2], window), slide(x.shape[3], window)},
                        attributes_of(window));
}

Value batch_norm(ModelBuilder& builder, const std::string& name, const Value& x) {
    const auto per_channel = [&](const std::string& what, double mean) {
        return builder.parameter(name + what, {x.shape[1]}, mean, 0.05).name;
    };
    return builder.node("BatchNormalization", name,
                        {x.name, per_channel(".weight", 1.0), per_channel(".bias", 0.0), per_channel(".running_mean", 0.0),
                         per_channel(".running_var", 1.0)},
                        x.shape, {{"epsilon", 1e-5F}});
}

Value convolution_norm_relu(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels, Window window) {
    const Value normed = batch_norm(builder, name + ".norm", convolution(builder, name, x, channels, window, false));
    return builder.unary("Relu", name + ".relu", normed);
}

Value max_pool(ModelBuilder& builder, const std::string& name, const Value& x, Window window) {
    return builder.node("MaxPool", name, {x.name}, {x.shape[0], x.shape[1], slide(x.shape[2], window), slide(x.shape[3], window)},
                        attributes_of(window));
}

Value classifier(ModelBuilder& builder, const Value& x, std::int64_t classes) {
    const Value pooled = builder.node("GlobalAveragePool", "pool", {x.name}, {x.shape[0], x.shape[1], 1, 1});
    return linear(builder, "classifier", builder.flatten("flat", pooled), classes);
}

}  // namespace sluice::onnx::zoo
