// The machine: device classes, memory, the stage link, the cost rule. Read from TOML (`sluice.platform/1`), a preset, or a
// preset with overrides (`asic-16:link=8GB/s,memory=32MiB`); stored whole inside every plan as JSON.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/units.hpp"
#include "sluice/graph/features.hpp"
#include "sluice/graph/graph.hpp"

namespace sluice::platform {

/// How a stage's work and transfers combine (design §3.1).
enum class StageModel : std::uint8_t { serial, overlap };
/// What happens to parameters beyond fast memory (design §3.1): nothing is limited, they are streamed, or the plan is rejected.
enum class Overflow : std::uint8_t { unlimited, spill, hard };
enum class Topology : std::uint8_t { uniform, chain, ring, hierarchy };
[[nodiscard]] std::string_view to_text(StageModel model);
[[nodiscard]] std::string_view to_text(Overflow overflow);
[[nodiscard]] std::string_view to_text(Topology topology);

[[nodiscard]] constexpr std::array<double, graph::kOperatorClasses> full_efficiency() {
    std::array<double, graph::kOperatorClasses> shares{};
    shares.fill(1);
    return shares;
}

struct DeviceClass {
    std::string name;
    std::int64_t count = 1;
    /// Effective operations a second per data type, 0: no such unit (the cost model then falls back to the nearest wider type).
    std::array<double, graph::kDataTypes> flops_per_second{};
    /// Elements a second of the vector unit for reduction, elementwise classes; 0: they run at flops_per_second.
    double vector_elements_per_second = 0;
    /// Share of the effective rate an operator class reaches, in (0, 1].
    std::array<double, graph::kOperatorClasses> efficiency = full_efficiency();
    double half_rows = 0;  // rows of the matrix at which half the rate is reached; 0: no curve
    Duration launch{0};    // per operator that is no view
    Overflow overflow = Overflow::unlimited;
    Bytes fast_memory;                   // no meaning when unlimited
    ByteRate memory_rate;                // roofline
    std::optional<ByteRate> spill_rate;  // none: the stage link's
    friend bool operator==(const DeviceClass&, const DeviceClass&) = default;
};

struct Link {
    ByteRate rate;
    Duration latency{0};
    friend bool operator==(const Link&, const Link&) = default;
};

struct Platform {
    std::string name;                  // preset or file stem
    std::vector<DeviceClass> classes;  // the first is what -k counts
    Topology topology = Topology::uniform;
    std::int64_t devices_per_node = 0;  // hierarchy only
    std::optional<Link> node_link;      // hierarchy only: between nodes
    Link stage_link;                    // one number for planning (design §3.1)
    std::optional<Link> host_link;      // none: model inputs and outputs are free
    StageModel model = StageModel::serial;
    /// Count every floating-point tensor and parameter as this type ("tensors counted as int8"); none: as in the model.
    std::optional<graph::DataType> tensor_type;
    bool chip_rules = false;  // legality of §3.2
    /// Transfers are those that came with the workload file (GivenCosts::transfer), the link is for nothing else.
    bool given_transfers = false;
    std::string assumptions;  // the preset's own words
    friend bool operator==(const Platform&, const Platform&) = default;
};

/// 2^63 - 1 where there are more: an unchecked platform may say anything.
[[nodiscard]] std::int64_t device_count(const Platform& platform);

/// A preset, `PRESET:key=value,…`, or the path of a TOML file. Keys: link, latency, devices, memory, memory_rate, spill, host,
/// model, overflow and the rest that docs/formats/platform.md lists. Misspelt presets and keys get a nearest match.
[[nodiscard]] Result<Platform> load_platform(std::string_view specification);
/// `file` is what diagnostics call the text; its stem is the platform's name when the text has none.
[[nodiscard]] Result<Platform> parse_platform(std::string_view toml, const std::string& file);
/// The file that parse_platform reads as this platform. A workload's own transfer times (given_transfers) and classes without a compute
/// rate have no place in it: such a platform lives in its plan.
[[nodiscard]] std::string to_toml(const Platform& platform);
/// What makes the numbers usable: devices, rates, sizes and times within their ranges, parts that belong together. Readers call it.
[[nodiscard]] Result<void> check(const Platform& platform);
[[nodiscard]] std::span<const std::string_view> preset_names();
/// The preset's TOML text with its assumptions; empty when there is none of that name.
[[nodiscard]] std::string_view preset_text(std::string_view name);

/// The devices, memory and link that a workload file carries.
[[nodiscard]] Platform given_platform(const graph::Graph& graph);

[[nodiscard]] nlohmann::ordered_json to_json(const Platform& platform);
[[nodiscard]] Result<Platform> read_platform(const json::Node& node);

}  // namespace sluice::platform
