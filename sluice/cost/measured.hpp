// Measured operator times (`sluice.costs/1` JSON): what `sluice profile` writes, what a user may write by hand, and what a plan embeds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::cost {

inline constexpr std::string_view kCostsFormat = "sluice.costs/1";

/// Time of an operator, or of a group of operators that ran as one fused kernel (its time, to be planned as one).
struct MeasuredEntry {
    std::vector<std::string> operators;  // names; an operator without a name, or whose name repeats, by its first output's; or
    std::string type;                    // every operator of this type that no other entry names
    Duration time{0};
    double spread = 0;  // median/minimum - 1 of the runs
    friend bool operator==(const MeasuredEntry&, const MeasuredEntry&) = default;
};

struct MeasuredCosts {
    std::string model;                                         // fingerprint of the graph; empty: any (a file by type)
    std::string device_class;                                  // of the platform that these are for; empty: its first
    std::vector<std::pair<std::string, std::string>> machine;  // cpu, threads, library, optimisation, …: what it was measured on
    std::vector<MeasuredEntry> entries;
    friend bool operator==(const MeasuredCosts&, const MeasuredCosts&) = default;
};

[[nodiscard]] std::string to_json_text(const MeasuredCosts& costs);
[[nodiscard]] nlohmann::ordered_json to_json(const MeasuredCosts& costs);
[[nodiscard]] Result<MeasuredCosts> read_costs(const json::Node& document);
[[nodiscard]] Result<MeasuredCosts> read_costs_file(const std::filesystem::path& path);

}  // namespace sluice::cost
