#include "sluice/onnx/nodes.hpp"

#include <onnx/common/version.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "sluice/base/files.hpp"
#include "sluice/onnx/import/parse.hpp"

namespace sluice::onnx {

namespace {

void collect_nested(const ::onnx::GraphProto& graph, bool outermost, std::vector<std::string>& names) {
    for (const ::onnx::NodeProto& node : graph.node()) {
        if (!outermost) names.push_back(node.name());
        for (const ::onnx::AttributeProto& attribute : node.attribute()) {
            if (attribute.has_g()) collect_nested(attribute.g(), false, names);
            for (const ::onnx::GraphProto& body : attribute.graphs()) collect_nested(body, false, names);
        }
    }
}

}  // namespace

Result<ModelNodes> read_model_nodes(const std::filesystem::path& path) {
    const auto bytes = read_file(path, kLargestModelFile);
    if (!bytes) return fail(bytes.error());
    const auto model = parse_model(*bytes, path.string());
    if (!model) return fail(model.error());
    ModelNodes result;
    for (const ::onnx::NodeProto& node : (*model)->graph().node()) {
        result.nodes.push_back({.name = node.name(),
                                .op_type = node.op_type(),
                                .domain = node.domain(),
                                .inputs = {node.input().begin(), node.input().end()},
                                .outputs = {node.output().begin(), node.output().end()}});
    }
    collect_nested((*model)->graph(), true, result.nested);
    std::ranges::sort(result.nested);
    return result;
}

void register_operators() { static_cast<void>(::onnx::OpSchemaRegistry::Schema("Relu")); }

std::string library_version() { return ::onnx::LAST_RELEASE_VERSION; }

}  // namespace sluice::onnx
