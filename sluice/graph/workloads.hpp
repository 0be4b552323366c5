// Readers of published partitioning inputs; all give a Graph with GivenCosts.
//   msr      JSON of dnn-partitioning (NeurIPS 2020): times per class in ms, one transfer cost per source, colour classes, device
//            support, a memory limit. Training files are read as plain graphs: a colour ties nodes of one direction only.
//   pipedream graph.txt of PipeDream (SOSP 2019): milliseconds forward and backward, bytes; no devices (assumed, and said so).
//   piper    JSON of Piper (NeurIPS 2021): degree 1, first configuration; seconds, bytes, bandwidth, memory per device.
#pragma once

#include <string>
#include <string_view>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/json.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::graph {

enum class JsonFormat { sluice_graph, msr, piper, unknown };
/// Tells the formats apart by their top-level keys.
[[nodiscard]] JsonFormat detect_format(const json::Node& document);

[[nodiscard]] Result<Graph> read_msr(const json::Node& document, std::string name);
[[nodiscard]] Result<Graph> read_piper(const json::Node& document, std::string name);
/// `file` is what diagnostics call the text.
[[nodiscard]] Result<Graph> read_pipedream(std::string_view text, const std::string& file, std::string name);

}  // namespace sluice::graph
