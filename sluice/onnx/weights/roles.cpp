#include "sluice/onnx/weights/roles.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

namespace sluice::onnx {

namespace {

using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

constexpr double kSpread = 0.1;  // of what stands near 1: at most 3.47 deviations away, so never near 0

std::int64_t attribute_of(const NodeProto& node, std::string_view name, std::int64_t otherwise) {
    for (const auto& attribute : node.attribute()) {
        if (attribute.name() == name) return attribute.i();
    }
    return otherwise;
}

bool one_of(std::string_view type, std::initializer_list<std::string_view> types) { return std::ranges::contains(types, type); }

class Roles {
public:
    void walk(const GraphProto& graph) {
        for (const TensorProto& tensor : graph.initializer()) sources_[tensor.name()] = {&tensor, false};
        for (const NodeProto& node : graph.node()) {
            if (is_view(node)) {
                if (const auto* source = source_of(node, 0))
                    sources_[node.output(0)] = {source->tensor, source->transposed != (node.op_type() == "Transpose")};
                continue;
            }
            for (int i = 0; i < node.input_size(); ++i) {
                if (const auto* source = source_of(node, i)) roles_.try_emplace(source->tensor->name(), role_of(node, i, *source));
            }
            for (const auto& attribute : node.attribute()) {
                if (attribute.has_g()) walk(attribute.g());
                for (const auto& body : attribute.graphs()) walk(body);
            }
        }
        for (const TensorProto& tensor : graph.initializer()) roles_.try_emplace(tensor.name(), by_shape(tensor));
    }

    [[nodiscard]] std::unordered_map<std::string, Normal> take() && { return std::move(roles_); }

private:
    struct Source {
        const TensorProto* tensor;
        bool transposed;
    };

    static bool is_view(const NodeProto& node) {
        return node.output_size() > 0 &&
               one_of(node.op_type(), {"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DequantizeLinear"});
    }

    [[nodiscard]] const Source* source_of(const NodeProto& node, int input) const {
        if (input >= node.input_size()) return nullptr;
        const auto found = sources_.find(node.input(input));
        return found == sources_.end() ? nullptr : &found->second;
    }

    static double size(const TensorProto& tensor, int from_end) {
        return tensor.dims_size() >= from_end ? static_cast<double>(std::max<std::int64_t>(1, tensor.dims(tensor.dims_size() - from_end)))
                                              : 1;
    }
    static double product(const TensorProto& tensor, int first) {
        double total = 1;
        for (int d = first; d < tensor.dims_size(); ++d) total *= static_cast<double>(std::max<std::int64_t>(1, tensor.dims(d)));
        return total;
    }
    static Normal by_fan_in(double fan_in) { return {0, 1 / std::sqrt(std::max(1.0, fan_in))}; }

    /// Nothing is known of the reader.
    static Normal by_shape(const TensorProto& tensor) { return tensor.dims_size() < 2 ? Normal{} : by_fan_in(product(tensor, 1)); }

    static Normal role_of(const NodeProto& node, int input, const Source& source) {
        const std::string& type = node.op_type();
        const TensorProto& tensor = *source.tensor;
        const bool weight = input == 1, near_one = one_of(type, {"Mul", "Div", "Pow", "Sqrt", "Log", "Reciprocal"});
        if (near_one) return {1, kSpread};
        if (one_of(type, {"BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization",
                          "SimplifiedLayerNormalization", "SkipLayerNormalization"})) {
            return weight || (type == "BatchNormalization" && input == 4) ? Normal{1, kSpread} : Normal{};
        }
        if (type == "PRelu" && weight) return {0.25, 0.02};
        if (type == "Conv" && weight) return by_fan_in(product(tensor, 1));
        if (type == "ConvTranspose" && weight) return by_fan_in(size(tensor, tensor.dims_size()) * product(tensor, 2));
        if (type == "Gemm" && weight) return by_fan_in(size(tensor, (attribute_of(node, "transB", 0) != 0) != source.transposed ? 1 : 2));
        if (type == "MatMul" && weight) return by_fan_in(size(tensor, source.transposed ? 1 : 2));
        if (type == "MatMul" || type == "Gather" || type == "Einsum") return by_fan_in(size(tensor, 1));
        if (one_of(type, {"LSTM", "GRU", "RNN"}) && (input == 1 || input == 2)) return by_fan_in(size(tensor, 1));
        if (one_of(type, {"Add", "Sub", "Sum", "LSTM", "GRU", "RNN", "Gemm", "Conv", "ConvTranspose"})) return {};
        return by_shape(tensor);
    }

    std::unordered_map<std::string, Source> sources_;
    std::unordered_map<std::string, Normal> roles_;
};

}  // namespace

std::unordered_map<std::string, Normal> fill_roles(const GraphProto& graph) {
    Roles roles;
    roles.walk(graph);
    return std::move(roles).take();
}

}  // namespace sluice::onnx
