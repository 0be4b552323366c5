// The graph file, `sluice.graph/1` JSON (design §4): operators, tensors, parameters, optional costs per device class.
// Reading refuses unknown keys, wrong versions, dangling names, cycles, sizes below zero or beyond int64, each with its line.
#pragma once

#include <filesystem>
#include <string>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/json.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::graph {

inline constexpr std::string_view kGraphFormat = "sluice.graph/1";

[[nodiscard]] std::string to_json_text(const Graph& graph);
/// read_graph(to_json_text(g)) has g's fingerprint.
[[nodiscard]] Result<Graph> read_graph(const json::Node& document);

}  // namespace sluice::graph
