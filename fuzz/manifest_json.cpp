// Any bytes as an export's manifest: read, or refused with a Diagnostic; what was read comes back from its own text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/onnx/manifest.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::parse({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!document) return 0;
    const auto manifest = onnx::read_manifest(*document);
    if (!manifest) {
        if (manifest.error().message.empty() || manifest.error().where.file.empty()) std::abort();
        return 0;
    }
    const auto written = json::parse(onnx::to_json_text(*manifest), "again.json");
    if (!written) std::abort();
    const auto again = onnx::read_manifest(*written);
    if (!again || *again != *manifest) std::abort();
    return 0;
}
