#include "sluice/onnx/import/parse.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <format>

#include "sluice/base/units.hpp"

namespace sluice::onnx {

namespace {

bool is_text(std::string_view bytes) {
    return std::ranges::all_of(bytes.substr(0, 4096), [](char c) {
        const auto code = static_cast<unsigned char>(c);
        return code >= 32 ? code != 127 : code == '\n' || code == '\r' || code == '\t' || code == '\f';
    });
}

Diagnostic no_model(std::string_view bytes, const std::string& file, bool parsed) {
    if (is_text(bytes)) {
        return input_error(std::format("'{}' is a text file, not an ONNX model", file))
            .fix("give a .onnx or .onnx.gz file, a graph JSON or zoo:NAME");
    }
    const auto size = to_text(Bytes{static_cast<std::int64_t>(bytes.size())});
    if (parsed) { return input_error(std::format("'{}' is not an ONNX model: its {} decode to no graph", file, size)); }
    // Every serialised model begins with its IR version: field 1, a varint.
    if (bytes.starts_with('\x08')) {
        return input_error(std::format("'{}' is a damaged or truncated ONNX model: decoding fails within its {}", file, size))
            .fix("copy or download it again and compare the sizes");
    }
    return input_error(std::format("'{}' is not an ONNX model", file)).note(std::format("its {} do not decode as protobuf", size));
}

}  // namespace

Result<std::unique_ptr<::onnx::ModelProto>> parse_model(std::string_view bytes, const std::string& file) {
    if (bytes.empty()) return fail(input_error(std::format("'{}' is empty", file)));
    if (bytes.size() > kLargestModelFile) {
        return fail(input_error(std::format("'{}' holds {}; a model file ends at 2 GiB", file,
                                            to_text(Bytes{static_cast<std::int64_t>(bytes.size())})))
                        .fix("save it with its weights as external data"));
    }
    auto model = std::make_unique<::onnx::ModelProto>();
    google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    google::protobuf::io::CodedInputStream input(&stream);
    if (!model->ParsePartialFromCodedStream(&input) || !input.ConsumedEntireMessage()) return fail(no_model(bytes, file, false));
    if (!model->has_graph()) return fail(no_model(bytes, file, true));
    return model;
}

}  // namespace sluice::onnx
