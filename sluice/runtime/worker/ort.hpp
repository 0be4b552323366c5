// ONNX Runtime as the worker uses it: quiet, one thread pool a session, exceptions turned into Diagnostics here.
// Private to this layer.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <format>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

struct SessionSettings {
    std::int64_t threads = 1;  // intra-op
    int optimisation = 99;     // 0, 1, 2, 99
    bool shapes_vary = false;  // then no memory pattern, which ONNX Runtime keeps one of for every combination of shapes
    std::vector<std::pair<std::string, std::int64_t>> dimensions = {};  // sizes of symbolic dimensions
    std::filesystem::path profile_prefix = {}, optimised_model = {};    // set: as profiling needs them
};

/// The one environment of the process. Debian's build registers libonnx's operators a second time and says so in some 570 lines on
/// std::cerr at the first look-up; that look-up happens in here, with std::cerr turned away.
[[nodiscard]] Ort::Env& ort_env();
[[nodiscard]] std::string ort_name();  // "ONNX Runtime 1.21.0"

/// Diagnostics: a level that is none; what ONNX Runtime says of the file.
[[nodiscard]] Result<Ort::Session> make_session(const std::filesystem::path& model, const SessionSettings& settings);

struct Port {
    std::string name;
    std::int32_t element_type = 0;
    std::vector<std::int64_t> shape;  // -1: not fixed
};
struct Ports {
    std::vector<Port> inputs, outputs;
};
/// Diagnostics: an input or output that is no tensor.
[[nodiscard]] Result<Ports> ports_of(const Ort::Session& session, const std::string& model);

/// `call()`, with ONNX Runtime's exception made a Diagnostic that starts with `what`.
template <typename Call>
[[nodiscard]] auto guarded(std::string_view what, Call call) -> Result<decltype(call())> {
    try {
        if constexpr (std::is_void_v<decltype(call())>) {
            call();
            return {};
        } else {
            return call();
        }
    } catch (const std::exception& error) {
        return fail(input_error(std::string(what)).note(std::format("ONNX Runtime says: {}", error.what())));
    }
}

}  // namespace sluice::runtime
