// A platform whole inside a plan file: every field there and back, numbers exact (doubles are written in their shortest exact form).
#include "sluice/base/json.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "sluice/platform/platform.hpp"
#include "sluice/platform/values.hpp"

namespace sluice::platform {

namespace {

using nlohmann::ordered_json;

ordered_json to_json(const Link& link) { return {{"bytes_per_second", link.rate.bytes_per_second}, {"latency_ps", link.latency.count()}}; }

ordered_json to_json(const DeviceClass& device) {
    ordered_json out = ordered_json::object();
    out["name"] = device.name;
    out["count"] = device.count;
    ordered_json& rates = out["operations_per_second"] = ordered_json::object();
    for (std::size_t type = 0; type < graph::kDataTypes; ++type)
        if (device.flops_per_second[type] != 0)
            rates[std::string(to_text(static_cast<graph::DataType>(type)))] = device.flops_per_second[type];
    if (device.vector_elements_per_second != 0) out["vector_elements_per_second"] = device.vector_elements_per_second;
    ordered_json shares = ordered_json::object();
    for (std::size_t c = 0; c < graph::kOperatorClasses; ++c)
        if (device.efficiency[c] != 1) shares[std::string(to_text(static_cast<graph::OperatorClass>(c)))] = device.efficiency[c];
    if (!shares.empty()) out["efficiency"] = std::move(shares);
    if (device.half_rows != 0) out["half_rows"] = device.half_rows;
    if (device.launch != Duration{0}) out["launch_ps"] = device.launch.count();
    out["overflow"] = to_text(device.overflow);
    if (device.fast_memory != Bytes{}) out["memory_bytes"] = device.fast_memory.count;
    if (device.memory_rate != ByteRate{}) out["memory_bytes_per_second"] = device.memory_rate.bytes_per_second;
    if (device.spill_rate) out["spill_bytes_per_second"] = device.spill_rate->bytes_per_second;
    return out;
}

/// Reads members of one object; keeps the first fault.
class Reader {
public:
    explicit Reader(const json::Node& node, std::initializer_list<std::string_view> keys) : node_(node) { keep(node.expect_keys(keys)); }

    template <typename T>
    void keep(const Result<T>& result) {
        if (!result && !fault) fault = result.error();
    }
    template <typename T>
    void take(Result<T> result, auto& target) {
        keep(result);
        if (result) target = *std::move(result);
    }
    const json::Node* find(std::string_view key) const { return node_.find(key); }
    const json::Node* need(std::string_view key) {
        const auto found = node_.get(key);
        keep(found);
        return found ? *found : nullptr;
    }
    /// A member that may be absent: `target` keeps its value then.
    template <typename Read>
    void optional(std::string_view key, Read read, auto& target) {
        if (const json::Node* node = find(key)) take(read(*node), target);
    }
    template <typename Read>
    void required(std::string_view key, Read read, auto& target) {
        if (const json::Node* node = need(key)) take(read(*node), target);
    }

    std::optional<Diagnostic> fault;

private:
    const json::Node& node_;
};

constexpr auto kString = [](const json::Node& node) { return node.as_string(); };
constexpr auto kCount = [](const json::Node& node) { return node.as_count(); };
constexpr auto kNumber = [](const json::Node& node) { return node.as_number(); };
constexpr auto kFlag = [](const json::Node& node) { return node.as_bool(); };
constexpr auto kDuration = [](const json::Node& node) { return node.as_duration(); };
constexpr auto kBytes = [](const json::Node& node) { return node.as_bytes(); };
constexpr auto kRate = [](const json::Node& node) { return node.as_count().transform([](std::int64_t rate) { return ByteRate{rate}; }); };

template <typename Value, typename Parse>
Result<Value> read_word(const json::Node& node, Parse parse, std::string_view kind) {
    auto text = node.as_string();
    if (!text) return fail(std::move(text.error()));
    if (const std::optional<Value> value = parse(*text)) return *value;
    return fail(input_error("'" + *text + "' is no " + std::string(kind)).at(node.where()));
}
template <typename Enum>
constexpr auto kWord = [](const json::Node& node) { return read_word<Enum>(node, parse_word<Enum>, choices(words_of<Enum>())); };
constexpr auto kType = [](const json::Node& node) { return read_word<graph::DataType>(node, graph::parse_data_type, "data type"); };

Result<Link> read_link(const json::Node& node) {
    Reader reader(node, {"bytes_per_second", "latency_ps"});
    Link link;
    reader.required("bytes_per_second", kRate, link.rate);
    reader.required("latency_ps", kDuration, link.latency);
    if (reader.fault) return fail(std::move(*reader.fault));
    return link;
}

/// {"f32": 1e12, …} into an array over an enum.
template <typename Enum, std::size_t n>
Result<std::array<double, n>> read_table(const json::Node& node, std::array<double, n> values,
                                         std::optional<Enum> (*parse)(std::string_view), std::string_view kind) {
    const auto members = node.as_object();
    if (!members) return fail(members.error());
    for (const auto& [key, member] : **members) {
        const std::optional<Enum> which = parse(key);
        if (!which) return fail(input_error("'" + key + "' is no " + std::string(kind)).at(member.where()));
        const auto value = member.as_number();
        if (!value) return fail(value.error());
        values[static_cast<std::size_t>(*which)] = *value;
    }
    return values;
}

Result<DeviceClass> read_class(const json::Node& node) {
    Reader reader(node, {"name", "count", "operations_per_second", "vector_elements_per_second", "efficiency", "half_rows", "launch_ps",
                         "overflow", "memory_bytes", "memory_bytes_per_second", "spill_bytes_per_second"});
    DeviceClass device;
    reader.required("name", kString, device.name);
    reader.required("count", kCount, device.count);
    reader.required(
        "operations_per_second",
        [&](const json::Node& rates) { return read_table(rates, device.flops_per_second, graph::parse_data_type, "data type"); },
        device.flops_per_second);
    reader.optional("vector_elements_per_second", kNumber, device.vector_elements_per_second);
    reader.optional(
        "efficiency",
        [&](const json::Node& shares) { return read_table(shares, device.efficiency, graph::parse_operator_class, "operator class"); },
        device.efficiency);
    reader.optional("half_rows", kNumber, device.half_rows);
    reader.optional("launch_ps", kDuration, device.launch);
    reader.required("overflow", kWord<Overflow>, device.overflow);
    reader.optional("memory_bytes", kBytes, device.fast_memory);
    reader.optional("memory_bytes_per_second", kRate, device.memory_rate);
    reader.optional("spill_bytes_per_second", kRate, device.spill_rate);
    if (reader.fault) return fail(std::move(*reader.fault));
    return device;
}

Result<std::vector<DeviceClass>> read_classes(const json::Node& node) {
    const auto items = node.as_array();
    if (!items) return fail(items.error());
    std::vector<DeviceClass> classes;
    for (const json::Node& item : **items) {
        auto device = read_class(item);
        if (!device) return fail(std::move(device.error()));
        classes.push_back(*std::move(device));
    }
    return classes;
}

}  // namespace

ordered_json to_json(const Platform& platform) {
    ordered_json out = ordered_json::object();
    out["name"] = platform.name;
    out["model"] = to_text(platform.model);
    out["topology"] = to_text(platform.topology);
    if (platform.devices_per_node != 0) out["devices_per_node"] = platform.devices_per_node;
    if (platform.tensor_type) out["tensor_type"] = to_text(*platform.tensor_type);
    if (platform.chip_rules) out["chip_rules"] = true;
    ordered_json& classes = out["classes"] = ordered_json::array();
    for (const DeviceClass& device : platform.classes) classes.push_back(to_json(device));
    if (platform.given_transfers) out["given_transfers"] = true;
    out["stage_link"] = to_json(platform.stage_link);
    if (platform.node_link) out["node_link"] = to_json(*platform.node_link);
    if (platform.host_link) out["host_link"] = to_json(*platform.host_link);
    out["assumptions"] = platform.assumptions;
    return out;
}

Result<Platform> read_platform(const json::Node& node) {
    Reader reader(node, {"name", "model", "topology", "devices_per_node", "tensor_type", "chip_rules", "classes", "given_transfers",
                         "stage_link", "node_link", "host_link", "assumptions"});
    Platform platform;
    reader.required("name", kString, platform.name);
    reader.required("model", kWord<StageModel>, platform.model);
    reader.required("topology", kWord<Topology>, platform.topology);
    reader.optional("devices_per_node", kCount, platform.devices_per_node);
    reader.optional("tensor_type", kType, platform.tensor_type);
    reader.optional("chip_rules", kFlag, platform.chip_rules);
    reader.required("classes", read_classes, platform.classes);
    reader.optional("given_transfers", kFlag, platform.given_transfers);
    reader.required("stage_link", read_link, platform.stage_link);
    reader.optional("node_link", read_link, platform.node_link);
    reader.optional("host_link", read_link, platform.host_link);
    reader.required("assumptions", kString, platform.assumptions);
    if (!reader.fault)
        if (auto sound = check(platform); !sound) reader.fault = std::move(sound.error()).at(node.where());
    if (reader.fault) return fail(std::move(*reader.fault));
    return platform;
}

}  // namespace sluice::platform
