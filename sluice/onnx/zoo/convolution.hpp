// Convolution layers of the image models, on [batch, channels, height, width] with square kernels.
#pragma once

#include <string>

#include "sluice/onnx/zoo/builder.hpp"

namespace sluice::onnx::zoo {

struct Window {
    std::int64_t kernel, stride = 1, padding = 0;
};

Value convolution(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels, Window window, bool bias);
/// Inference form: scale, bias and running statistics are parameters.
Value batch_norm(ModelBuilder& builder, const std::string& name, const Value& x);
/// Convolution without bias, batch_norm, Relu.
Value convolution_norm_relu(ModelBuilder& builder, const std::string& name, const Value& x, std::int64_t channels, Window window);
Value max_pool(ModelBuilder& builder, const std::string& name, const Value& x, Window window);
/// GlobalAveragePool, Flatten, linear.
Value classifier(ModelBuilder& builder, const Value& x, std::int64_t classes);

}  // namespace sluice::onnx::zoo
