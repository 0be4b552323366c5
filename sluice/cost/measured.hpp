// Measured operator times (`sluice.costs/1` JSON): what `sluice profile` writes, what a user may write by hand, and what a plan embeds.
// Applying them to a graph is O((operators + names) log) and deterministic.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::cost {

inline constexpr std::string_view kCostsFormat = "sluice.costs/1";

/// What the passes of training take over `samples` at once.
struct MeasuredPasses {
    std::int64_t samples = 1;
    Duration forward{0};
    std::optional<Duration> input_gradient = {}, weight_gradient = {};
    friend bool operator==(const MeasuredPasses&, const MeasuredPasses&) = default;
};

/// Time of an operator, or of a group of operators that ran as one fused kernel (its time, to be planned as one).
struct MeasuredEntry {
    std::vector<std::string> operators;  // as OperatorNames finds them; or
    std::string type;                    // every operator of this type that no other entry names
    Duration time{0};
    double spread = 0;                        // median/minimum - 1 of the runs
    std::vector<MeasuredPasses> passes = {};  // training alone: ascending by samples, each once
    friend bool operator==(const MeasuredEntry&, const MeasuredEntry&) = default;
};

struct MeasuredCosts {
    std::string model;                                         // fingerprint of the graph; empty: any (a file by type)
    std::string device_class;                                  // of the platform that these are for; empty: its first
    std::vector<std::pair<std::string, std::string>> machine;  // cpu, threads, library, optimisation, …: what it was measured on
    std::vector<MeasuredEntry> entries;
    friend bool operator==(const MeasuredCosts&, const MeasuredCosts&) = default;
};

/// Equal costs give equal bytes.
[[nodiscard]] std::string to_json_text(const MeasuredCosts& costs);
[[nodiscard]] nlohmann::ordered_json to_json(const MeasuredCosts& costs);
/// Diagnostics, with their line: unknown keys, an entry with both operators and type or with neither, times or spreads below zero, an
/// operator or a type named twice, passes over a number of samples that no mini-batch has, or not in ascending order.
[[nodiscard]] Result<MeasuredCosts> read_costs(const json::Node& document);
[[nodiscard]] Result<MeasuredCosts> read_costs_file(const std::filesystem::path& path);

/// One name for each operator of a graph, which must outlive this: its own where it has one that no other has and that is no other's first
/// output, else that of its first output. First outputs are looked up before names: they never repeat.
class OperatorNames {
public:
    explicit OperatorNames(const graph::Graph& graph);
    /// Empty when the operator has no output and no name of its own.
    [[nodiscard]] std::string_view name_of(OperatorId id) const;
    /// Invalid: none, or several.
    [[nodiscard]] OperatorId lookup(std::string_view name) const;
    /// Diagnostics: no such operator (with the nearest name), several of this name (with their first outputs).
    [[nodiscard]] Result<OperatorId> find(std::string_view name) const;

private:
    const graph::Graph* graph_;
    std::unordered_map<std::string_view, OperatorId> by_output_, by_name_;  // by_name_: the first of that name
    std::unordered_map<std::string_view, std::size_t> uses_;
};

/// Costs as one graph sees them.
struct AppliedCosts {
    MeasuredCosts costs;                          // without the entries that concern nothing here: what a plan embeds
    std::vector<std::optional<Duration>> time;    // per operator; a group's stands at its first one that is placed, the others have 0
    std::vector<const MeasuredEntry*> entry;      // per operator, of the costs applied: where `time` is an entry's; else null
    std::vector<std::vector<OperatorId>> groups;  // operators to be planned as one, two or more each; free ones are none
    std::vector<std::string> warnings;            // "3 types of the costs file are not in this model: …"
};

/// Diagnostics: costs of another model; an operator that does not exist or is named twice; nothing that concerns this graph. The result
/// points into `costs`.
[[nodiscard]] Result<AppliedCosts> apply(const graph::Graph& graph, const MeasuredCosts& costs);

}  // namespace sluice::cost
