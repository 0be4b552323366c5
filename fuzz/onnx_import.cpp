// Import on models that a byte string describes: small graphs of real operators, with names that clash, sizes that cannot be, bodies,
// functions and external data; and, one time in eight, on the bytes as they are. libonnx itself is not instrumented: ours is the target.
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sluice/onnx/import.hpp"

namespace {

class Bytes {
public:
    Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    std::uint8_t next() { return at_ < size_ ? data_[at_++] : 0; }
    std::uint8_t below(unsigned bound) { return static_cast<std::uint8_t>(next() % bound); }
    bool chance(unsigned in) { return next() % in == 0; }
    bool done() const { return at_ >= size_; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

constexpr std::array kTypes{"Relu",
                            "Add",
                            "MatMul",
                            "Conv",
                            "Shape",
                            "Gather",
                            "Concat",
                            "Slice",
                            "Reshape",
                            "Unsqueeze",
                            "Squeeze",
                            "Transpose",
                            "Expand",
                            "Range",
                            "Split",
                            "Where",
                            "Equal",
                            "Cast",
                            "Div",
                            "Mul",
                            "Sub",
                            "Mod",
                            "Pow",
                            "ReduceProd",
                            "Tile",
                            "Flatten",
                            "NonZero",
                            "ScatterND",
                            "TopK",
                            "Unique",
                            "Compress",
                            "Constant",
                            "Dropout",
                            "Identity",
                            "If",
                            "Loop",
                            "Scan",
                            "LSTM",
                            "Gemm",
                            "Resize",
                            "Softmax",
                            "OneHot",
                            "Pad",
                            "ConstantOfShape",
                            "ReduceSum",
                            "Clip",
                            "MaxPool",
                            "Einsum",
                            "NoSuch",
                            "f0",
                            "f1",
                            "SequenceAt",
                            "Size",
                            "BatchNormalization",
                            "DequantizeLinear",
                            "SplitToSequence",
                            "LayerNormalization",
                            "NonMaxSuppression"};
constexpr std::array kAttributes{"axis",        "axes",         "to",       "perm",  "keepdims",    "value",       "value_ints",
                                 "value_int",   "starts",       "ends",     "body",  "then_branch", "else_branch", "num_scan_inputs",
                                 "hidden_size", "kernel_shape", "equation", "start", "end",         "split",       "num_outputs",
                                 "mode"};
constexpr std::array<std::int64_t, 16> kSizes{
    0, 1, 2, 3, 4, 7, 64, -1, -2, 1024, 1025, 65536, std::int64_t{1} << 31, std::int64_t{1} << 62, INT64_MAX, INT64_MIN};

/// Mostly names that fit, so that most models get past linking; now and then any other.
class Names {
public:
    std::string fresh(Bytes& bytes) {
        if (bytes.chance(24)) return any(bytes);
        made_.push_back("t" + std::to_string(made_.size() + shift_));
        return made_.back();
    }
    std::string made(Bytes& bytes) {
        if (made_.empty() || bytes.chance(24)) return any(bytes);
        return made_[made_.size() - 1 - bytes.next() % std::min<std::size_t>(made_.size(), 12)];
    }
    Names inner() const {
        Names copy = *this;
        copy.shift_ += 1000;  // bodies have names of their own
        return copy;
    }

private:
    static std::string any(Bytes& bytes) {
        const std::uint8_t n = bytes.below(20);
        return n == 0 ? std::string() : "t" + std::to_string(n);
    }
    std::vector<std::string> made_;
    std::size_t shift_ = 0;
};

void fill(Bytes& bytes, ::onnx::TensorProto& tensor) {
    tensor.set_data_type(bytes.chance(8) ? bytes.next() : bytes.chance(2) ? 7 : 1);
    std::int64_t count = 1;
    for (int i = bytes.below(4); i > 0; --i) {
        const std::int64_t size = bytes.chance(6) ? kSizes[bytes.below(kSizes.size())] : bytes.below(4);
        tensor.add_dims(size);
        count = size >= 0 && size < 100 && count < 10'000 ? count * size : 0;
    }
    if (bytes.chance(6)) {
        tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
        auto& entry = *tensor.add_external_data();
        entry.set_key(bytes.chance(4) ? "length" : "location");
        entry.set_value(bytes.chance(3) ? "../w" : "w");
        return;
    }
    if (bytes.chance(8)) return;
    for (std::int64_t i = 0; i < count + (bytes.chance(10) ? 1 : 0); ++i) {
        const std::int64_t element = kSizes[bytes.below(kSizes.size())];
        if (tensor.data_type() == 1)
            tensor.add_float_data(static_cast<float>(element));
        else if (tensor.data_type() == 7)
            tensor.add_int64_data(element);
        else
            tensor.add_int32_data(static_cast<std::int32_t>(element & 0xff));
    }
}

void fill(Bytes& bytes, ::onnx::ValueInfoProto& info, const std::string& name) {
    info.set_name(name);
    if (bytes.chance(10)) return;
    if (bytes.chance(12)) {
        info.mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(1);
        return;
    }
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(bytes.chance(8) ? bytes.next() : bytes.chance(3) ? 7 : 1);
    if (bytes.chance(8)) return;
    type.mutable_shape();
    for (int i = bytes.below(4); i > 0; --i) {
        auto& size = *type.mutable_shape()->add_dim();
        if (bytes.chance(8))
            size.set_dim_param(bytes.chance(2) ? "a" : "b");
        else if (!bytes.chance(10))
            size.set_dim_value(bytes.chance(8) ? kSizes[bytes.below(kSizes.size())] : bytes.below(5));
    }
}

void fill(Bytes& bytes, ::onnx::GraphProto& graph, int depth, Names names);

void fill(Bytes& bytes, ::onnx::NodeProto& node, int depth, Names& names) {
    node.set_op_type(kTypes[bytes.below(kTypes.size())]);
    if (node.op_type() == "f0" || node.op_type() == "f1" || bytes.chance(20)) node.set_domain("d");
    if (bytes.chance(2)) node.set_name(names.made(bytes));
    for (int i = bytes.below(5); i > 0; --i) node.add_input(names.made(bytes));
    for (int i = bytes.below(4); i > 0; --i) {
        auto& attribute = *node.add_attribute();
        attribute.set_name(kAttributes[bytes.below(kAttributes.size())]);
        switch (bytes.below(5)) {
            case 0:
                attribute.set_type(::onnx::AttributeProto::INT);
                attribute.set_i(bytes.chance(6) ? kSizes[bytes.below(kSizes.size())] : bytes.below(4) - 2);
                break;
            case 1:
                attribute.set_type(::onnx::AttributeProto::INTS);
                for (int k = bytes.below(5); k > 0; --k)
                    attribute.add_ints(bytes.chance(6) ? kSizes[bytes.below(kSizes.size())] : bytes.below(6) - 2);
                break;
            case 2:
                attribute.set_type(::onnx::AttributeProto::TENSOR);
                fill(bytes, *attribute.mutable_t());
                break;
            case 3:
                if (depth > 3) break;
                attribute.set_type(::onnx::AttributeProto::GRAPH);
                fill(bytes, *attribute.mutable_g(), depth + 1, names.inner());
                break;
            default:
                attribute.set_type(::onnx::AttributeProto::STRING);
                attribute.set_s("ij,jk->ik");
        }
    }
    for (int i = bytes.chance(4) ? bytes.below(4) : 1; i > 0; --i) node.add_output(names.fresh(bytes));
}

void fill(Bytes& bytes, ::onnx::GraphProto& graph, int depth, Names names) {
    for (int i = bytes.below(4); i > 0; --i) fill(bytes, *graph.add_input(), names.fresh(bytes));
    for (int i = bytes.below(4); i > 0; --i) {
        auto& tensor = *graph.add_initializer();
        tensor.set_name(names.fresh(bytes));
        fill(bytes, tensor);
    }
    for (int i = bytes.below(depth == 0 ? 40 : 6); i > 0 && !bytes.done(); --i) fill(bytes, *graph.add_node(), depth, names);
    for (int i = bytes.below(3); i > 0; --i) fill(bytes, *graph.add_value_info(), names.made(bytes));
    for (int i = bytes.below(3); i > 0; --i) fill(bytes, *graph.add_output(), names.made(bytes));
}

std::string model(Bytes& bytes) {
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(bytes.chance(20) ? bytes.next() : 9 + bytes.below(13));
    auto& custom = *model.add_opset_import();
    custom.set_domain("d");
    custom.set_version(1);
    for (int i = bytes.below(3); i > 0; --i) {
        auto& function = *model.add_functions();
        function.set_name("f" + std::to_string(bytes.below(2)));
        function.set_domain("d");
        Names names;
        for (int k = bytes.below(3); k > 0; --k) function.add_input(names.fresh(bytes));
        *function.add_opset_import() = model.opset_import(0);
        *function.add_opset_import() = custom;
        for (int k = bytes.below(4); k > 0; --k) fill(bytes, *function.add_node(), 1, names);
        for (int k = bytes.below(3); k > 0; --k) function.add_output(names.made(bytes));
    }
    fill(bytes, *model.mutable_graph(), 0, Names{});
    return model.SerializeAsString();
}

void import(std::string_view bytes, const sluice::onnx::ImportOptions& options) {
    const auto imported = sluice::onnx::import_bytes(bytes, "fuzz.onnx", options);
    if (!imported) {
        if (imported.error().message.empty()) std::abort();
        return;
    }
    for (const auto& tensor : imported->graph.tensors()) {
        if (tensor.bytes.count < 0) std::abort();
        for (const std::int64_t size : tensor.shape) {
            if (size < 0) std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Bytes bytes(data + 1, size - 1);
    if (data[0] % 8 == 0) {
        import({reinterpret_cast<const char*>(data + 1), size - 1}, {});
        return 0;
    }
    const std::string text = model(bytes);
    import(text, {});
    import(text, {.dimensions = {{"a", 3}}, .assume_size = {}});
    import(text, {.dimensions = {}, .assume_size = 2});
    return 0;
}
