// `-p`: a preset, a preset with overrides, or a file.
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <format>
#include <set>
#include <utility>

#include "sluice/base/files.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/platform/values.hpp"

namespace sluice::platform {

namespace {

constexpr std::size_t kLargestPlatform = std::size_t{1} << 22;

/// What an override does with its value; an error is what the value should have been.
using Applied = std::expected<void, std::string_view>;
struct Override {
    std::string_view key;
    Applied (*apply)(Platform&, std::string_view);
};

constexpr auto kWantedRate = std::string_view("a rate such as 8GB/s");
constexpr auto kWantedTime = std::string_view("a time such as 20us");
constexpr auto kWantedCount = std::string_view("a whole number");

std::optional<std::int64_t> parse_count(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Stores a parsed value in every device class.
template <typename Value, typename Store>
Applied in_each_class(Platform& platform, const std::optional<Value>& value, std::string_view wanted, Store store) {
    if (!value) return std::unexpected(wanted);
    for (DeviceClass& device : platform.classes) store(device, *value);
    return {};
}

template <typename Value>
Applied store(Value& target, const std::optional<std::type_identity_t<Value>>& value, std::string_view wanted) {
    if (!value) return std::unexpected(wanted);
    target = *value;
    return {};
}

Applied set_memory(Platform& platform, std::string_view text) {
    if (text == "unlimited") {
        for (DeviceClass& device : platform.classes) {
            device.overflow = Overflow::unlimited;
            device.fast_memory = Bytes{};
            device.spill_rate.reset();
        }
        return {};
    }
    return in_each_class(platform, parse_bytes(text), "a size such as 32MiB, or unlimited", [](DeviceClass& device, Bytes bytes) {
        device.fast_memory = bytes;
        if (device.overflow == Overflow::unlimited) device.overflow = Overflow::spill;
    });
}

Applied set_spill(Platform& platform, std::string_view text) {
    const bool link = text == "link";
    return in_each_class(platform, link ? std::optional(ByteRate{}) : parse_byte_rate(text), "a rate such as 8GB/s, or link",
                         [&](DeviceClass& device, ByteRate rate) { device.spill_rate = link ? std::nullopt : std::optional(rate); });
}

Applied set_host(Platform& platform, std::string_view text) {
    if (text == "none") {
        platform.host_link.reset();
        return {};
    }
    if (!platform.host_link) platform.host_link.emplace();
    return store(platform.host_link->rate, parse_byte_rate(text), "a rate such as 16GB/s, or none");
}

Applied set_compute(Platform& platform, std::string_view text) {
    return in_each_class(platform, parse_operation_rate(text), "a rate such as 20TFLOP/s", [](DeviceClass& device, double rate) {
        for (double& of_type : device.flops_per_second)
            if (of_type > 0) of_type = rate;
    });
}

// In the order they take effect: an overflow rule comes after the memory it is about, a latency after its link.
constexpr std::array kOverrides{
    Override{"devices", [](Platform& p, std::string_view v) { return store(p.classes.front().count, parse_count(v), kWantedCount); }},
    Override{"compute", set_compute},
    Override{"vector",
             [](Platform& p, std::string_view v) {
                 return in_each_class(p, parse_operation_rate(v), "a rate such as 64Gelements/s",
                                      [](DeviceClass& device, double rate) { device.vector_elements_per_second = rate; });
             }},
    Override{"half_rows",
             [](Platform& p, std::string_view v) {
                 return in_each_class(p, parse_number(v), "a number", [](DeviceClass& device, double rows) { device.half_rows = rows; });
             }},
    Override{"launch",
             [](Platform& p, std::string_view v) {
                 return in_each_class(p, parse_duration(v), kWantedTime, [](DeviceClass& device, Duration time) { device.launch = time; });
             }},
    Override{"memory", set_memory},
    Override{"overflow",
             [](Platform& p, std::string_view v) {
                 return in_each_class(p, parse_word<Overflow>(v), "unlimited, spill or hard",
                                      [](DeviceClass& device, Overflow rule) { device.overflow = rule; });
             }},
    Override{"spill", set_spill},
    Override{"memory_rate",
             [](Platform& p, std::string_view v) {
                 return in_each_class(p, parse_byte_rate(v), kWantedRate,
                                      [](DeviceClass& device, ByteRate rate) { device.memory_rate = rate; });
             }},
    Override{"link", [](Platform& p, std::string_view v) { return store(p.stage_link.rate, parse_byte_rate(v), kWantedRate); }},
    Override{"latency", [](Platform& p, std::string_view v) { return store(p.stage_link.latency, parse_duration(v), kWantedTime); }},
    Override{"host", set_host},
    Override{"host_latency",
             [](Platform& p, std::string_view v) {
                 return p.host_link ? store(p.host_link->latency, parse_duration(v), kWantedTime)
                                    : Applied(std::unexpected("given with host=RATE"));
             }},
    Override{"devices_per_node", [](Platform& p, std::string_view v) { return store(p.devices_per_node, parse_count(v), kWantedCount); }},
    Override{"node_link",
             [](Platform& p, std::string_view v) {
                 return p.node_link ? store(p.node_link->rate, parse_byte_rate(v), kWantedRate)
                                    : Applied(std::unexpected("left out: this preset has no nodes"));
             }},
    Override{"node_latency",
             [](Platform& p, std::string_view v) {
                 return p.node_link ? store(p.node_link->latency, parse_duration(v), kWantedTime)
                                    : Applied(std::unexpected("left out: this preset has no nodes"));
             }},
    Override{"model", [](Platform& p, std::string_view v) { return store(p.model, parse_word<StageModel>(v), "serial or overlap"); }},
    Override{"tensor_type",
             [](Platform& p, std::string_view v) {
                 if (v == "none") {
                     p.tensor_type.reset();
                     return Applied{};
                 }
                 return store(p.tensor_type, graph::parse_data_type(v).transform([](graph::DataType type) { return std::optional(type); }),
                              "a data type such as i8, or none");
             }},
};

Result<Platform> with_overrides(Platform platform, std::string_view text) {
    std::array<std::optional<std::string_view>, kOverrides.size()> values;
    std::array<std::string_view, kOverrides.size()> keys;
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = kOverrides[i].key;
    const std::string specification = platform.name + ":" + std::string(text);

    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view item = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = item.find('=');
        if (equals == std::string_view::npos)
            return fail(usage_error(std::format("'{}' in '{}' is no key=value", item, specification))
                            .fix("such as " + platform.name + ":link=8GB/s"));
        const std::string_view key = item.substr(0, equals);
        const auto found = std::ranges::find(keys, key);
        if (found == keys.end()) return fail(with_nearest(usage_error(std::format("platforms have no '{}' to override", key)), key, keys));
        auto& value = values[static_cast<std::size_t>(found - keys.begin())];
        if (value) return fail(usage_error(std::format("'{}' is overridden twice in '{}'", key, specification)));
        value = item.substr(equals + 1);
    }
    for (std::size_t i = 0; i < kOverrides.size(); ++i) {
        if (!values[i]) continue;
        if (const Applied applied = kOverrides[i].apply(platform, *values[i]); !applied)
            return fail(usage_error(std::format("'{}={}': it must be {}", keys[i], *values[i], applied.error())));
    }
    const auto given = [&](std::string_view key) {
        return values[static_cast<std::size_t>(std::ranges::find(keys, key) - keys.begin())].has_value();
    };
    for (DeviceClass& device : platform.classes) {
        const bool limited = device.overflow != Overflow::unlimited;
        if (limited && device.fast_memory == Bytes{} && !given("memory"))
            return fail(usage_error(std::format("'{}' limits a memory that has no size", specification)).fix("add memory=SIZE"));
        if (!limited && device.fast_memory != Bytes{}) {
            if (given("memory")) return fail(usage_error(std::format("'{}' gives a memory that is unlimited a size", specification)));
            device.fast_memory = Bytes{};
        }
        if (!given("spill") && device.overflow != Overflow::spill) device.spill_rate.reset();
    }
    platform.name = specification;
    if (auto sound = check(platform); !sound) {
        sound.error().kind = DiagnosticKind::usage;
        sound.error().message = std::format("'{}': {}", specification, sound.error().message);
        return fail(std::move(sound.error()));
    }
    return platform;
}

}  // namespace

Result<Platform> load_platform(std::string_view specification) {
    const std::size_t colon = specification.find(':');
    const std::string_view name = specification.substr(0, colon);
    if (const std::string_view text = preset_text(name); !text.empty()) {
        auto preset = parse_platform(text, std::string(name) + ".toml");
        if (!preset || colon == std::string_view::npos) return preset;
        return with_overrides(*std::move(preset), specification.substr(colon + 1));
    }
    const std::filesystem::path path(specification);
    std::error_code missing;
    if (path.extension() != ".toml" && path.filename() == path && !std::filesystem::exists(path, missing)) {
        Diagnostic diagnostic = with_nearest(usage_error(std::format("there is no platform preset '{}'", name)), name, preset_names());
        diagnostic.notes.emplace_back("a platform file is told by its name: it ends in .toml");
        return fail(std::move(diagnostic));
    }
    auto text = read_file(path, kLargestPlatform);
    if (!text) return fail(std::move(text.error()));
    return parse_platform(*text, path.string());
}

}  // namespace sluice::platform
