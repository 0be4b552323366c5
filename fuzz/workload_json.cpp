// Any bytes as an msr or piper workload: read, or refused with a Diagnostic; what was read has a graph file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/graph/serialise.hpp"
#include "sluice/graph/workloads.hpp"

using namespace sluice;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::parse({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!document) return 0;
    const graph::JsonFormat format = graph::detect_format(*document);
    if (format != graph::JsonFormat::msr && format != graph::JsonFormat::piper) return 0;
    const auto graph = format == graph::JsonFormat::msr ? graph::read_msr(*document, "w") : graph::read_piper(*document, "w");
    if (!graph) {
        if (graph.error().message.empty() || graph.error().where.file.empty()) std::abort();
        return 0;
    }
    const auto written = json::parse(graph::to_json_text(*graph), "again.json");
    if (!written) std::abort();
    const auto again = graph::read_graph(*written);
    if (!again || again->fingerprint() != graph->fingerprint()) std::abort();
    return 0;
}
