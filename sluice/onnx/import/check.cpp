#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <format>
#include <functional>

#include "sluice/onnx/features.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

using Check = std::function<Result<void>(const TensorProto&, const std::string& what)>;

Result<void> visit(const GraphProto& graph, const Check& check);

Result<void> visit(const AttributeProto& attribute, const std::string& owner, const Check& check) {
    const auto what = [&] { return std::format("attribute '{}' of {}", attribute.name(), owner); };
    if (attribute.has_t()) {
        if (auto done = check(attribute.t(), what()); !done) return done;
    }
    for (const auto& tensor : attribute.tensors()) {
        if (auto done = check(tensor, what()); !done) return done;
    }
    const auto sparse = [&](const ::onnx::SparseTensorProto& tensor) -> Result<void> {
        if (auto done = check(tensor.values(), what()); !done) return done;
        return check(tensor.indices(), what());
    };
    if (attribute.has_sparse_tensor()) {
        if (auto done = sparse(attribute.sparse_tensor()); !done) return done;
    }
    for (const auto& tensor : attribute.sparse_tensors()) {
        if (auto done = sparse(tensor); !done) return done;
    }
    if (attribute.has_g()) {
        if (auto done = visit(attribute.g(), check); !done) return done;
    }
    for (const auto& graph : attribute.graphs()) {
        if (auto done = visit(graph, check); !done) return done;
    }
    return {};
}

template <typename Nodes>
Result<void> visit_nodes(const Nodes& nodes, const Check& check) {
    for (const NodeProto& node : nodes) {
        for (const AttributeProto& attribute : node.attribute()) {
            const bool heavy = attribute.has_t() || attribute.has_g() || attribute.has_sparse_tensor() || attribute.tensors_size() > 0 ||
                               attribute.graphs_size() > 0 || attribute.sparse_tensors_size() > 0;
            if (!heavy) continue;
            if (auto done = visit(attribute, std::format("operator '{}' ({})", node.name(), node.op_type()), check); !done) return done;
        }
    }
    return {};
}

Result<void> visit(const GraphProto& graph, const Check& check) {
    for (const TensorProto& tensor : graph.initializer()) {
        if (auto done = check(tensor, std::format("initializer '{}'", tensor.name())); !done) return done;
    }
    for (const auto& tensor : graph.sparse_initializer()) {
        for (const TensorProto* part : {&tensor.values(), &tensor.indices()}) {
            if (auto done = check(*part, std::format("sparse initializer '{}'", tensor.values().name())); !done) return done;
        }
    }
    return visit_nodes(graph.node(), check);
}

/// Weight paths come with the file, so they are somebody else's choice: nothing outside the model's folder may be named.
bool leaves_folder(std::string_view path) {
    if (path.starts_with('/') || path.starts_with('\\') || path.contains('\0')) return true;
    if (path.size() >= 2 && path[1] == ':') return true;  // a drive letter
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find_first_of("/\\", begin), path.size());
        if (path.substr(begin, end - begin) == "..") return true;
        begin = end + 1;
    }
    return false;
}

/// Control characters of a hostile name stay off the terminal.
std::string printable(std::string_view text) {
    std::string result(text.substr(0, 200));
    for (char& c : result) {
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
    }
    return result;
}

Result<void> check_external(const TensorProto& tensor, const std::string& what, std::int64_t bytes, const std::string& file) {
    const ::onnx::StringStringEntryProto* location = nullptr;
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == "location") location = &entry;
        if (entry.key() != "offset" && entry.key() != "length") continue;
        std::int64_t number = 0;
        const std::string& text = entry.value();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size() || number < 0) {
            return fail(input_error(std::format("{}: the {} of its external data is '{}', not a size", what, entry.key(), printable(text)))
                            .at({file, 0, 0}));
        }
        if (entry.key() == "length" && number != bytes) {
            return fail(
                input_error(std::format("{}: its shape needs {} bytes, its external data has {}", what, bytes, number)).at({file, 0, 0}));
        }
    }
    if (!location || location->value().empty()) {
        return fail(input_error(std::format("{}: its data is external, but no location is given", what)).at({file, 0, 0}));
    }
    if (leaves_folder(location->value())) {
        return fail(
            input_error(std::format("{}: its external data '{}' lies outside the model's folder", what, printable(location->value())))
                .at({file, 0, 0})
                .fix("weights must lie in the model's folder or below it; move them there and save the model again"));
    }
    return {};
}

/// Elements that the typed fields must hold for `count` elements of the type; nullopt: not checked.
std::optional<std::int64_t> stored_elements(const TensorProto& tensor) {
    switch (tensor.data_type()) {
        case TensorProto::FLOAT:
        case TensorProto::COMPLEX64:
            return tensor.float_data_size();
        case TensorProto::DOUBLE:
        case TensorProto::COMPLEX128:
            return tensor.double_data_size();
        case TensorProto::INT64:
            return tensor.int64_data_size();
        case TensorProto::UINT32:
        case TensorProto::UINT64:
            return tensor.uint64_data_size();
        case TensorProto::STRING:
            return tensor.string_data_size();
        case TensorProto::INT4:
        case TensorProto::UINT4:
            return std::nullopt;
        default:
            return tensor.int32_data_size();
    }
}

Result<void> check_tensor(const TensorProto& tensor, const std::string& what, const std::string& file) {
    if (!data_type_of(tensor.data_type())) {
        return fail(input_error(std::format("{}: its data type {} is none that ONNX knows", what, tensor.data_type())).at({file, 0, 0}));
    }
    const Shape dims(tensor.dims().begin(), tensor.dims().end());
    const auto bytes = bytes_of(tensor.data_type(), dims);
    if (!bytes) {
        std::string shape;
        for (int d = 0; d < std::min(tensor.dims_size(), 8); ++d) shape += std::format("{}{}", d == 0 ? "" : ", ", tensor.dims(d));
        return fail(input_error(std::format("{}: its shape [{}] is no size that can exist", what, shape)).at({file, 0, 0}));
    }
    if (tensor.data_location() == TensorProto::EXTERNAL) return check_external(tensor, what, bytes->count, file);
    if (tensor.has_segment()) return fail(input_error(std::format("{}: segmented tensors are not supported", what)).at({file, 0, 0}));
    if (tensor.has_raw_data()) {
        const auto size = static_cast<std::int64_t>(tensor.raw_data().size());
        if (size == bytes->count) return {};
        return fail(input_error(std::format("{}: its shape needs {} bytes, its data has {}", what, bytes->count, size)).at({file, 0, 0}));
    }
    const bool complex = tensor.data_type() == TensorProto::COMPLEX64 || tensor.data_type() == TensorProto::COMPLEX128;
    const auto stored = stored_elements(tensor);
    if (!stored || *stored == *element_count(dims) * (complex ? 2 : 1)) return {};
    // A graph whose weights were cut out keeps the shapes: that is all a plan needs.
    if (*stored == 0) return {};
    return fail(
        input_error(std::format("{}: its shape needs {} elements, its data has {}", what, *element_count(dims), *stored)).at({file, 0, 0}));
}

Result<void> check_opset(const ::onnx::ModelProto& model, const std::string& file) {
    std::optional<std::int64_t> opset;
    for (const auto& import : model.opset_import()) {
        if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
    }
    if (!opset && model.opset_import_size() == 0) {
        return fail(input_error("the model states no opset: it is truncated or not written by an ONNX tool").at({file, 0, 0}));
    }
    if (opset && (*opset < kOldestOpset || *opset > kNewestOpset)) {
        return fail(input_error(std::format("the model uses opset {}; opsets {} to {} are read", *opset, kOldestOpset, kNewestOpset))
                        .at({file, 0, 0})
                        .fix(std::format("convert it: onnx.version_converter.convert_version(model, {})",
                                         *opset < kOldestOpset ? 17 : kNewestOpset)));
    }
    const bool standard = std::ranges::any_of(model.graph().node(),
                                              [](const NodeProto& node) { return node.domain().empty() || node.domain() == "ai.onnx"; });
    if (!opset && standard) return fail(input_error("the model uses standard operators and states no opset for them").at({file, 0, 0}));
    return {};
}

}  // namespace

Result<void> check_model(const ::onnx::ModelProto& model, const std::string& file) {
    if (auto done = check_opset(model, file); !done) return done;
    const Check check = [&](const TensorProto& tensor, const std::string& what) { return check_tensor(tensor, what, file); };
    if (auto done = visit(model.graph(), check); !done) return done;
    for (const auto& function : model.functions()) {
        if (auto done = visit_nodes(function.node(), check); !done) return done;
        for (const auto& attribute : function.attribute_proto()) {
            if (auto done = visit(attribute, std::format("function '{}'", function.name()), check); !done) return done;
        }
    }
    for (const auto& training : model.training_info()) {
        for (const GraphProto* graph : {&training.initialization(), &training.algorithm()}) {
            if (auto done = visit(*graph, check); !done) return done;
        }
    }
    return {};
}

}  // namespace sluice::onnx
