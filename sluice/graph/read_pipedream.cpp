// graph.txt of PipeDream's profiler (Narayanan et al., SOSP 2019).
#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <optional>

#include "sluice/graph/workload_builder.hpp"
#include "sluice/graph/workloads.hpp"

namespace sluice::graph {

namespace {

constexpr std::string_view kSeparator = " -- ";
constexpr std::int64_t kAssumedDevices = 4;
constexpr ByteRate kAssumedLink{16'000'000'000};

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
    std::vector<std::string_view> parts;
    for (std::size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
        parts.push_back(text.substr(0, end));
        text.remove_prefix(end + separator.size());
    }
    parts.push_back(text);
    return parts;
}

std::optional<std::int64_t> number(std::string_view text, int power) {
    text = trim(text);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return scaled(value, power);
}

/// "12.5", or the sum of a list "[12.5; 3; 4]".
std::optional<std::int64_t> sum(std::string_view text, int power) {
    text = trim(text);
    if (!text.starts_with('[')) return number(text, power);
    if (!text.ends_with(']')) return std::nullopt;
    std::int64_t total = 0;
    for (std::string_view part : split(text.substr(1, text.size() - 2), ";")) {
        const auto value = number(part, power);
        if (!value || __builtin_add_overflow(total, *value, &total)) return std::nullopt;
    }
    return total;
}

class PipedreamReader {
public:
    PipedreamReader(const std::string& file, std::string name) : file_(file), builder_(std::move(name)) {}

    Result<Graph> read(std::string_view text) {
        // Edges may name nodes of later lines.
        std::vector<std::pair<std::string_view, std::size_t>> edges;
        std::size_t line_number = 0;
        for (std::string_view line : split(text, "\n")) {
            ++line_number;
            if (trim(line).empty()) continue;
            if (line.starts_with('\t'))
                edges.emplace_back(trim(line), line_number);
            else if (auto done = read_node(trim(line), {file_, line_number, 0}); !done)
                return std::unexpected(std::move(done.error()));
        }
        for (const auto& [line, at] : edges)
            if (auto done = read_edge(line, {file_, at, 0}); !done) return std::unexpected(std::move(done.error()));

        for (WorkloadOutput& output : outputs_) output.model_output = output.readers.empty();
        GivenCosts costs;
        costs.classes.push_back(
            {.name = "gpu", .count = kAssumedDevices, .memory = {}, .time = std::move(times_), .backward = std::move(backward_)});
        costs.link = kAssumedLink;
        builder_.assume(std::format("{} devices of unlimited memory: a profile names none", kAssumedDevices));
        builder_.assume(std::format("link of {}: a profile names none", to_text(kAssumedLink)));
        return std::move(builder_).build(outputs_, std::move(costs), {file_, 0, 0});
    }

private:
    /// id -- description -- forward_compute_time=…, … [-- stage_id=N]; the description may hold the separator itself.
    Result<void> read_node(std::string_view line, const Location& where) {
        auto fields = split(line, kSeparator);
        if (fields.back().starts_with("stage_id=")) fields.pop_back();
        if (fields.size() < 3)
            return fail(
                input_error(std::format("a node line has {} fields, 3 are needed", fields.size()))
                    .at(where)
                    .fix("id -- description -- forward_compute_time=…, backward_compute_time=…, activation_size=…, parameter_size=…"));
        constexpr std::array<std::pair<std::string_view, int>, 4> kKeys{{{"forward_compute_time", kMilliseconds},
                                                                         {"backward_compute_time", kMilliseconds},
                                                                         {"activation_size", kWholeBytes},
                                                                         {"parameter_size", kWholeBytes}}};
        std::array<std::optional<std::int64_t>, 4> values;
        for (std::string_view item : split(fields.back(), ",")) {
            const std::string_view key = trim(item.substr(0, item.find('=')));
            const auto known = std::ranges::find(kKeys, key, &std::pair<std::string_view, int>::first);
            if (known == kKeys.end()) return fail(input_error(std::format("unknown key '{}'", key)).at(where));
            const std::string_view text = item.size() > item.find('=') ? item.substr(item.find('=') + 1) : std::string_view();
            auto& value = values[static_cast<std::size_t>(known - kKeys.begin())];
            if (value) return fail(input_error(std::format("key '{}' is there twice", key)).at(where));
            value = sum(text, known->second);
            if (!value)
                return fail(input_error(std::format("{} is '{}': a number of at least 0 is needed, below 2^63 {}", key, trim(text),
                                                    known->second == kWholeBytes ? "bytes" : "picoseconds"))
                                .at(where));
        }
        for (std::size_t i = 0; i < kKeys.size(); ++i)
            if (!values[i]) return fail(input_error(std::format("missing key '{}'", kKeys[i].first)).at(where));

        const std::string id(trim(fields.front()));
        if (id.empty()) return fail(input_error("a node has an empty id").at(where));
        const auto node = builder_.add_node(id, id, Bytes{*values[3]}, where);
        if (!node) return std::unexpected(node.error());
        const std::string_view description = trim(fields[1]);
        builder_[*node].type = std::string(description.substr(0, description.find('(')));
        times_.emplace_back(Duration{*values[0]});
        backward_.emplace_back(*values[1]);
        outputs_.push_back({.producer = *node, .bytes = Bytes{*values[2]}, .readers = {}});
        return {};
    }

    Result<void> read_edge(std::string_view line, const Location& where) {
        const auto ends = split(line, kSeparator);
        if (ends.size() != 2)
            return fail(input_error(std::format("an edge line has {} fields, 2 are needed", ends.size())).at(where).fix("<TAB>id -- id"));
        const auto from = builder_.node(std::string(trim(ends[0])), where), to = builder_.node(std::string(trim(ends[1])), where);
        if (!from) return std::unexpected(from.error());
        if (!to) return std::unexpected(to.error());
        outputs_[*from].readers.push_back(*to);
        return {};
    }

    const std::string& file_;
    WorkloadBuilder builder_;
    std::vector<std::optional<Duration>> times_;
    std::vector<Duration> backward_;
    std::vector<WorkloadOutput> outputs_;  // one a node
};

}  // namespace

Result<Graph> read_pipedream(std::string_view text, const std::string& file, std::string name) {
    return PipedreamReader(file, std::move(name)).read(text);
}

}  // namespace sluice::graph
