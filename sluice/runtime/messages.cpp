#include "sluice/runtime/messages.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

namespace sluice::runtime {

namespace {

using nlohmann::ordered_json;

// Every line of ours begins with this; no library prints it by chance.
constexpr std::string_view kBegin = "{\"sluice\":\"";

// One list of fields a message, read and written by the same words.
template <typename M, typename F>
void fields(M& m, F&& field)
    requires std::is_same_v<std::remove_const_t<M>, Ready>
{
    field("rank", m.rank), field("host", m.host), field("process", m.process), field("seconds", m.seconds), field("library", m.library);
    field("alone_ms", m.alone_ms), field("alone_cpu_ms", m.alone_cpu_ms);
}
template <typename M, typename F>
void fields(M& m, F&& field)
    requires std::is_same_v<std::remove_const_t<M>, Status>
{
    field("rank", m.rank), field("input", m.input), field("state", m.state), field("done", m.done), field("seconds", m.seconds);
    field("busy", m.busy), field("busy_cpu", m.busy_cpu);
}
template <typename M, typename F>
void fields(M& m, F&& field)
    requires std::is_same_v<std::remove_const_t<M>, Delivered>
{
    field("inputs", m.inputs), field("seconds", m.seconds);
}
template <typename M, typename F>
void fields(M& m, F&& field)
    requires std::is_same_v<std::remove_const_t<M>, Finished>
{
    field("rank", m.rank), field("inputs", m.inputs), field("seconds", m.seconds), field("steady_per_s", m.steady_per_s);
    field("latency_min_ms", m.latency_min_ms), field("latency_mean_ms", m.latency_mean_ms), field("latency_max_ms", m.latency_max_ms);
    field("forward_min_ms", m.forward_min_ms), field("forward_mean_ms", m.forward_mean_ms), field("forward_median_ms", m.forward_median_ms);
    field("forward_cpu_ms", m.forward_cpu_ms), field("waited_receive", m.waited_receive), field("waited_send", m.waited_send);
}
template <typename M, typename F>
void fields(M& m, F&& field)
    requires std::is_same_v<std::remove_const_t<M>, Failed>
{
    auto& d = m.diagnostic;
    field("rank", m.rank), field("input", m.input), field("kind", d.kind), field("message", d.message), field("file", d.where.file);
    field("line", d.where.line), field("column", d.where.column), field("notes", d.notes), field("help", d.help);
}

constexpr std::array<std::string_view, std::variant_size_v<WorkerMessage>> kMessageTypes{"ready", "status", "delivered", "finished",
                                                                                         "failed"};

constexpr std::array<std::pair<DiagnosticKind, std::string_view>, 6> kKinds{{{DiagnosticKind::input, "input"},
                                                                             {DiagnosticKind::usage, "usage"},
                                                                             {DiagnosticKind::infeasible, "infeasible"},
                                                                             {DiagnosticKind::verification, "verification"},
                                                                             {DiagnosticKind::stopped, "stopped"},
                                                                             {DiagnosticKind::internal, "internal"}}};

struct Write {
    ordered_json& to;
    template <typename T>
    void operator()(std::string_view key, const T& value) const {
        to[std::string(key)] = value;  // not a number: null
    }
    void operator()(std::string_view key, DiagnosticKind kind) const {
        to[std::string(key)] = std::ranges::find(kKinds, kind, &std::pair<DiagnosticKind, std::string_view>::first)->second;
    }
};

/// Never throws: a field that is absent or of another type makes the line none of ours.
struct Read {
    const ordered_json& from;
    bool& good;

    void operator()(std::string_view key, DiagnosticKind& kind) const {
        std::string text;
        (*this)(key, text);
        const auto found = std::ranges::find(kKinds, text, &std::pair<DiagnosticKind, std::string_view>::second);
        found == kKinds.end() ? void(good = false) : void(kind = found->first);
    }
    template <typename T>
    void operator()(std::string_view key, T& value) const {
        const auto member = from.find(key);
        good = good && member != from.end() && read(*member, value);
    }

    static bool read(const ordered_json& json, std::string& value) {
        if (!json.is_string()) return false;
        value = json.get<std::string>();
        return true;
    }
    static bool read(const ordered_json& json, double& value) {
        if (!json.is_number() && !json.is_null()) return false;
        value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
        return true;
    }
    template <std::integral I>
    static bool read(const ordered_json& json, I& value) {
        if (json.is_number_unsigned() ? !std::in_range<I>(json.get<std::uint64_t>())
                                      : !json.is_number_integer() || !std::in_range<I>(json.get<std::int64_t>()))
            return false;
        value = json.get<I>();
        return true;
    }
    template <typename T>
    static bool read(const ordered_json& json, std::vector<T>& values) {
        if (!json.is_array()) return false;
        for (const ordered_json& element : json)
            if (!read(element, values.emplace_back())) return false;
        return true;
    }
};

/// The largest text or list in `json`, to be shortened.
void find_largest(ordered_json& json, ordered_json*& largest, std::size_t& size) {
    if (json.is_string() && json.get_ref<const std::string&>().size() > size) {
        largest = &json;
        size = json.get_ref<const std::string&>().size();
    }
    if (!json.is_structured()) return;
    if (json.is_array() && json.size() * 8 > size) {
        largest = &json;
        size = json.size() * 8;
    }
    for (ordered_json& element : json) find_largest(element, largest, size);
}

void halve(ordered_json& json) {
    if (json.is_array()) {
        json.erase(json.begin() + static_cast<std::ptrdiff_t>(json.size() / 2), json.end());
        return;
    }
    auto& text = json.get_ref<std::string&>();
    std::size_t keep = text.size() / 2;
    while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xc0) == 0x80) --keep;  // not inside a character
    text.resize(keep);
    if (!text.ends_with("…")) text += "…";
}

}  // namespace

std::string to_line(const WorkerMessage& message) {
    ordered_json json{{"sluice", kMessageTypes[message.index()]}};
    std::visit([&](const auto& m) { fields(m, Write{json}); }, message);
    // File names need not be UTF-8: what is not becomes U+FFFD.
    const auto text = [&] { return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace); };
    std::string line = text();
    while (line.size() > kLongestLine) {
        ordered_json* largest = nullptr;
        std::size_t size = 0;
        find_largest(json, largest, size);
        halve(*largest);
        line = text();
    }
    return line;
}

std::optional<WorkerMessage> read_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with(kBegin)) return std::nullopt;
    const ordered_json json = ordered_json::parse(line, nullptr, false);
    if (!json.is_object() || !json.at("sluice").is_string()) return std::nullopt;
    const auto type = std::ranges::find(kMessageTypes, json.at("sluice").get_ref<const std::string&>());
    if (type == kMessageTypes.end()) return std::nullopt;

    bool good = true;
    std::size_t known = 1;
    const auto read = [&]<typename M>(M m) -> std::optional<WorkerMessage> {
        fields(m, [&](std::string_view key, auto& value) {
            Read{json, good}(key, value);
            ++known;
        });
        if (!good || json.size() != known) return std::nullopt;
        return m;
    };
    switch (type - kMessageTypes.begin()) {
        case 0:
            return read(Ready{});
        case 1:
            return read(Status{});
        case 2:
            return read(Delivered{});
        case 3:
            return read(Finished{});
        default:
            return read(Failed{});
    }
}

}  // namespace sluice::runtime
