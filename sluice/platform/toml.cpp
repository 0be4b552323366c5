// The reader of `sluice.platform/1`. Every complaint has a line; keys that were not asked for are refused.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <format>
#include <toml++/toml.hpp>
#include <utility>

#include "sluice/platform/platform.hpp"
#include "sluice/platform/values.hpp"

namespace sluice::platform {

namespace {

constexpr std::string_view kFormat = "sluice.platform/1";

Location at(const toml::source_region& region, const std::string& file) { return {file, region.begin.line, region.begin.column}; }

/// Reads one table: asks for keys, keeps the first fault, and at the end knows which keys nobody asked for.
class Table {
public:
    Table(const toml::table& table, std::string name, const std::string& file, std::optional<Diagnostic>& fault)
        : table_(table), name_(std::move(name)), file_(file), fault_(fault) {}

    void refuse(const toml::node& node, std::string message) { keep(input_error(std::move(message)).at(at(node.source(), file_))); }
    void keep(Diagnostic diagnostic) {
        if (!fault_) fault_ = std::move(diagnostic);
    }

    const toml::node* find(std::string_view key) {
        asked_.push_back(key);
        return table_.get(key);
    }
    const toml::node* need(std::string_view key) {
        const toml::node* node = find(key);
        if (!node) missing_.push_back(key);
        return node;
    }

    /// A string that `parse` understands; `wanted` says what it should be: "a rate such as '8 GB/s'".
    template <typename Parse>
    auto text(const toml::node* node, std::string_view key, Parse parse, std::string_view wanted) -> decltype(parse(std::string_view{})) {
        if (!node) return std::nullopt;
        const auto* string = node->as_string();
        auto value = string ? parse(std::string_view(string->get())) : std::nullopt;
        if (!value)
            refuse(*node,
                   std::format("'{}' must be {}{}", key, wanted, string ? std::format(", it is '{}'", string->get()) : std::string{}));
        return value;
    }
    template <typename Enum>
    std::optional<Enum> word(const toml::node* node, std::string_view key) {
        if (!node) return std::nullopt;
        const auto* string = node->as_string();
        if (auto value = string ? parse_word<Enum>(string->get()) : std::nullopt) return value;
        Diagnostic diagnostic = input_error(std::format("'{}' must be {}", key, choices(words_of<Enum>()))).at(at(node->source(), file_));
        keep(string ? with_nearest(std::move(diagnostic), string->get(), words_of<Enum>()) : std::move(diagnostic));
        return std::nullopt;
    }
    std::optional<std::int64_t> integer(const toml::node* node, std::string_view key) {
        if (!node) return std::nullopt;
        if (const auto* value = node->as_integer()) return value->get();
        refuse(*node, std::format("'{}' must be an integer", key));
        return std::nullopt;
    }
    std::optional<double> number(const toml::node* node, std::string_view key) {
        if (!node) return std::nullopt;
        if (const auto* value = node->as_integer()) return static_cast<double>(value->get());
        if (const auto* value = node->as_floating_point()) return value->get();
        refuse(*node, std::format("'{}' must be a number", key));
        return std::nullopt;
    }
    std::optional<bool> flag(const toml::node* node, std::string_view key) {
        if (!node) return std::nullopt;
        if (const auto* value = node->as_boolean()) return value->get();
        refuse(*node, std::format("'{}' must be true or false", key));
        return std::nullopt;
    }
    std::optional<std::string> string(const toml::node* node, std::string_view key) {
        return text(node, key, [](std::string_view value) { return std::optional(std::string(value)); }, "a string");
    }
    std::optional<Table> table(const toml::node* node, std::string_view key) {
        if (!node) return std::nullopt;
        if (const auto* value = node->as_table()) return Table(*value, std::format("[{}]", key), file_, fault_);
        refuse(*node, std::format("'{}' must be a table", key));
        return std::nullopt;
    }

    /// Every key of a table that maps names of `parse` to values.
    template <typename Parse, typename Read>
    void each(std::string_view kind, Parse parse, Read read) {
        for (const auto& [key, node] : table_) {
            asked_.push_back(key.str());
            if (const auto name = parse(key.str()))
                read(*name, key.str(), node);
            else
                keep(input_error(std::format("'{}' is no {}", key.str(), kind)).at(at(key.source(), file_)));
        }
    }

    /// Unknown keys before missing ones: a misspelt key is both.
    void finish() {
        for (const auto& [key, node] : table_) {
            if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
            Diagnostic diagnostic = input_error(std::format("unknown key '{}' in {}", key.str(), name_)).at(at(key.source(), file_));
            const std::string_view near = nearest_match(key.str(), std::span<const std::string_view>(asked_));
            if (!near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
            keep(std::move(diagnostic));
        }
        if (!missing_.empty()) keep(input_error(std::format("{} has no '{}'", name_, missing_.front())).at(at(table_.source(), file_)));
    }

private:
    const toml::table& table_;
    std::string name_;
    const std::string& file_;
    std::optional<Diagnostic>& fault_;
    std::vector<std::string_view> asked_, missing_;
};

constexpr std::string_view kQuotedRate = "a rate such as \"8 GB/s\"";
constexpr std::string_view kQuotedTime = "a time such as \"20 us\"";

std::optional<Link> read_link_table(Table& parent, const toml::node* node, std::string_view key) {
    auto table = parent.table(node, key);
    if (!table) return std::nullopt;
    Link link;
    link.rate = table->text(table->need("rate"), "rate", parse_byte_rate, kQuotedRate).value_or(ByteRate{});
    link.latency = table->text(table->find("latency"), "latency", parse_duration, kQuotedTime).value_or(Duration{0});
    table->finish();
    return link;
}

DeviceClass read_class_table(Table table) {
    DeviceClass device;
    device.name = table.string(table.need("name"), "name").value_or("");
    if (const toml::node* count = table.need("count"); count && count->is_string()) {
        const auto cores = [](std::string_view text) { return text == "cores" ? std::optional(usable_cores()) : std::nullopt; };
        device.count = table.text(count, "count", cores, "a number, or \"cores\" for the cores of this machine").value_or(1);
    } else {
        device.count = table.integer(count, "count").value_or(1);
    }
    if (auto compute = table.table(table.need("compute"), "compute"))
        compute->each("data type", graph::parse_data_type, [&](graph::DataType type, std::string_view key, const toml::node& node) {
            device.flops_per_second[static_cast<std::size_t>(type)] =
                compute->text(&node, key, parse_operation_rate, "a rate such as \"10 TFLOP/s\"").value_or(0);
        });
    device.vector_elements_per_second =
        table.text(table.find("vector"), "vector", parse_operation_rate, "a rate such as \"64 Gelements/s\"").value_or(0);
    if (auto efficiency = table.table(table.find("efficiency"), "efficiency"))
        efficiency->each("operator class", graph::parse_operator_class,
                         [&](graph::OperatorClass c, std::string_view key, const toml::node& node) {
                             device.efficiency[static_cast<std::size_t>(c)] = efficiency->number(&node, key).value_or(1);
                         });
    device.half_rows = table.number(table.find("half_rows"), "half_rows").value_or(0);
    device.launch = table.text(table.find("launch"), "launch", parse_duration, kQuotedTime).value_or(Duration{0});

    const auto memory = [](std::string_view text) -> std::optional<std::optional<Bytes>> {
        if (text == "unlimited") return std::optional<Bytes>{};
        const auto bytes = parse_bytes(text);
        return bytes ? std::optional(bytes) : std::nullopt;
    };
    const toml::node* memory_node = table.need("memory");
    const std::optional<Bytes> limit =
        table.text(memory_node, "memory", memory, "a size such as \"8 MiB\", or \"unlimited\"").value_or(std::nullopt);
    const toml::node* overflow_node = table.find("overflow");
    const auto overflow = table.word<Overflow>(overflow_node, "overflow");
    device.fast_memory = limit.value_or(Bytes{});
    device.overflow = overflow.value_or(Overflow::unlimited);
    if (memory_node && limit.has_value() != (device.overflow != Overflow::unlimited))
        table.refuse(overflow_node ? *overflow_node : *memory_node,
                     limit ? "memory has a size: 'overflow' must be 'spill' or 'hard'" : "memory is unlimited: there is no 'overflow'");
    device.memory_rate = table.text(table.need("memory_rate"), "memory_rate", parse_byte_rate, kQuotedRate).value_or(ByteRate{});
    const auto spill = [](std::string_view text) -> std::optional<std::optional<ByteRate>> {
        if (text == "link") return std::optional<ByteRate>{};
        const auto rate = parse_byte_rate(text);
        return rate ? std::optional(rate) : std::nullopt;
    };
    device.spill_rate =
        table.text(table.find("spill_rate"), "spill_rate", spill, "a rate such as \"2 GB/s\", or \"link\" for the stage link's")
            .value_or(std::nullopt);
    table.finish();
    return device;
}

void read_class_tables(Table& top, const std::string& file, std::optional<Diagnostic>& fault, std::vector<DeviceClass>& classes) {
    const toml::node* node = top.need("devices");
    if (!node) return;
    const auto* array = node->as_array();
    if (!array || !array->is_array_of_tables()) return top.refuse(*node, "'devices' must be tables: [[devices]]");
    for (const auto& item : *array) classes.push_back(read_class_table(Table(*item.as_table(), "[[devices]]", file, fault)));
}

/// Wrong formats are told before anything else: their other keys mean nothing here.
std::optional<Diagnostic> format_fault(const toml::table& document, const std::string& file) {
    const toml::node* node = document.get("format");
    if (!node)
        return input_error("missing key 'format'").at({file, 1, 0}).fix(std::format("a platform begins with: format = \"{}\"", kFormat));
    const auto* text = node->as_string();
    if (text && text->get() == kFormat) return std::nullopt;
    const std::string found = text ? text->get() : "no string";
    const bool version = found.starts_with("sluice.platform/");
    return input_error(version ? std::format("this is '{}', and this sluice reads '{}'", found, kFormat)
                               : std::format("this is '{}', a '{}' file is needed", found, kFormat))
        .at(at(node->source(), file));
}

Result<Platform> read_document(const toml::table& document, const std::string& file) {
    if (auto wrong = format_fault(document, file)) return fail(std::move(*wrong));
    std::optional<Diagnostic> fault;
    Table top(document, "the platform", file, fault);
    Platform platform;
    (void)top.find("format");
    platform.name = top.string(top.find("name"), "name").value_or(std::filesystem::path(file).stem().string());
    platform.assumptions = top.string(top.find("assumptions"), "assumptions").value_or("");
    platform.topology = top.word<Topology>(top.find("topology"), "topology").value_or(Topology::uniform);
    platform.devices_per_node = top.integer(top.find("devices_per_node"), "devices_per_node").value_or(0);
    platform.model = top.word<StageModel>(top.find("model"), "model").value_or(StageModel::serial);
    platform.tensor_type = top.text(top.find("tensor_type"), "tensor_type", graph::parse_data_type, "a data type such as \"i8\"");
    platform.chip_rules = top.flag(top.find("chip_rules"), "chip_rules").value_or(false);
    read_class_tables(top, file, fault, platform.classes);
    platform.stage_link = read_link_table(top, top.need("link"), "link").value_or(Link{});
    platform.node_link = read_link_table(top, top.find("node_link"), "node_link");
    platform.host_link = read_link_table(top, top.find("host"), "host");
    top.finish();
    if (!fault)
        if (auto sound = check(platform); !sound) fault = std::move(sound.error()).at({file, 0, 0});
    if (fault) return fail(std::move(*fault));
    return platform;
}

}  // namespace

Result<Platform> parse_platform(std::string_view text, const std::string& file) {
    try {
        return read_document(toml::parse(text, file), file);
    } catch (const toml::parse_error& error) {
        return fail(input_error(std::format("not valid TOML: {}", error.description())).at(at(error.source(), file)));
    } catch (const std::exception& error) {
        return fail(input_error(std::format("cannot read the platform: {}", error.what())).at({file, 0, 0}));
    }
}

}  // namespace sluice::platform
