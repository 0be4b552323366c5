// Any bytes as a model: what imports can be cut anywhere, or is refused with a Diagnostic.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "sluice/onnx/export.hpp"

using namespace sluice;
namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fs::path folder = [] {
        fs::path path = fs::path("/dev/shm") / ("sluice_fuzz_export." + std::to_string(::getpid()));
        fs::create_directories(path);
        return path;
    }();
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const onnx::ImportOptions import{.dimensions = {}, .assume_size = 4};
    const auto model = onnx::import_bytes(bytes, "fuzz.onnx", import);
    if (!model) return 0;
    const fs::path file = folder / "fuzz.onnx";
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
    std::vector<std::vector<OperatorId>> stages(2);
    const std::size_t count = model->graph.operator_count();
    for (std::size_t i = 0; i < count; ++i) stages[i <= size % count ? 0 : 1].push_back(OperatorId(i));
    const auto manifest = onnx::export_stages(file, model->graph, stages, folder / "stages",
                                              {.import = import, .self_contained = false, .adopt_weights = false, .stop = {}});
    if (!manifest) {
        if (manifest.error().message.empty() || manifest.error().kind == DiagnosticKind::internal) std::abort();
        return 0;
    }
    if (manifest->stages.size() != 2) std::abort();
    return 0;
}
