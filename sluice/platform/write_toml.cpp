// The writer of `sluice.platform/1`: what the reader reads back as the same platform. Times and sizes in their smallest units, so that
// nothing is rounded; rates of arithmetic are whole operations a second, as the reader takes them.
#include <cmath>
#include <format>
#include <sstream>
#include <toml++/toml.hpp>

#include "sluice/platform/platform.hpp"

namespace sluice::platform {

namespace {

std::string text(Duration time) { return std::format("{} ps", time.count()); }
std::string text(Bytes bytes) { return std::format("{} B", bytes.count); }
std::string text(ByteRate rate) { return std::format("{} B/s", rate.bytes_per_second); }
std::string operations(double rate, std::string_view unit) { return std::format("{} {}/s", rate, unit); }

toml::table to_table(const Link& link) { return toml::table{{"rate", text(link.rate)}, {"latency", text(link.latency)}}; }

toml::table to_table(const DeviceClass& device) {
    toml::table out{{"name", device.name}, {"count", device.count}};
    toml::table rates, shares;
    for (std::size_t type = 0; type < graph::kDataTypes; ++type)
        if (device.flops_per_second[type] != 0)
            rates.insert(to_text(static_cast<graph::DataType>(type)), operations(device.flops_per_second[type], "OP"));
    for (std::size_t c = 0; c < graph::kOperatorClasses; ++c)
        if (device.efficiency[c] != 1) shares.insert(to_text(static_cast<graph::OperatorClass>(c)), device.efficiency[c]);
    rates.is_inline(true);
    out.insert("compute", std::move(rates));
    if (device.vector_elements_per_second != 0) out.insert("vector", operations(device.vector_elements_per_second, "elements"));
    if (!shares.empty()) out.insert("efficiency", std::move(shares));
    if (device.half_rows != 0) out.insert("half_rows", device.half_rows);
    if (device.launch != Duration{0}) out.insert("launch", text(device.launch));
    const bool limited = device.overflow != Overflow::unlimited;
    out.insert("memory", limited ? text(device.fast_memory) : std::string("unlimited"));
    if (limited) out.insert("overflow", to_text(device.overflow));
    out.insert("memory_rate", text(device.memory_rate));
    if (device.spill_rate) out.insert("spill_rate", text(*device.spill_rate));
    return out;
}

}  // namespace

std::string to_toml(const Platform& platform) {
    toml::table out{{"format", "sluice.platform/1"}, {"name", platform.name}};
    if (!platform.assumptions.empty()) out.insert("assumptions", platform.assumptions);
    out.insert("topology", to_text(platform.topology));
    if (platform.devices_per_node != 0) out.insert("devices_per_node", platform.devices_per_node);
    out.insert("model", to_text(platform.model));
    if (platform.tensor_type) out.insert("tensor_type", to_text(*platform.tensor_type));
    if (platform.chip_rules) out.insert("chip_rules", true);
    toml::array devices;
    for (const DeviceClass& device : platform.classes) devices.push_back(to_table(device));
    out.insert("devices", std::move(devices));
    out.insert("link", to_table(platform.stage_link));
    if (platform.node_link) out.insert("node_link", to_table(*platform.node_link));
    if (platform.host_link) out.insert("host", to_table(*platform.host_link));
    std::ostringstream stream;
    stream << toml::toml_formatter(out, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
    return std::move(stream).str() + '\n';
}

}  // namespace sluice::platform
