#include "sluice/platform/values.hpp"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <format>
#include <fstream>
#include <sstream>
#include <thread>

namespace sluice::platform {

namespace {

constexpr std::array<std::string_view, 2> kModels{"serial", "overlap"};
constexpr std::array<std::string_view, 3> kOverflows{"unlimited", "spill", "hard"};
constexpr std::array<std::string_view, 4> kTopologies{"uniform", "chain", "ring", "hierarchy"};

std::string first_line(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

}  // namespace

template <>
std::span<const std::string_view> words_of<StageModel>() {
    return kModels;
}
template <>
std::span<const std::string_view> words_of<Overflow>() {
    return kOverflows;
}
template <>
std::span<const std::string_view> words_of<Topology>() {
    return kTopologies;
}

std::string_view to_text(StageModel model) { return kModels[static_cast<std::size_t>(model)]; }
std::string_view to_text(Overflow overflow) { return kOverflows[static_cast<std::size_t>(overflow)]; }
std::string_view to_text(Topology topology) { return kTopologies[static_cast<std::size_t>(topology)]; }

std::optional<double> parse_operation_rate(std::string_view text) {
    text = trimmed(text);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    std::string_view unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
    double scale = 1;
    for (double thousands = 1e3; const char prefix : std::string_view("kMGTPE")) {
        if (!unit.empty() && unit.front() == prefix) {
            unit.remove_prefix(1);
            scale = thousands;
            break;
        }
        thousands *= 1e3;
    }
    constexpr std::array<std::string_view, 5> kUnits{"FLOP/s", "OP/s", "FLOPS", "OPS", "elements/s"};
    if (std::ranges::find(kUnits, unit) == kUnits.end()) return std::nullopt;
    const double rate = std::nearbyint(value * scale);  // 9.4 T is 9.4e12 exactly
    return std::isfinite(rate) && rate > 0 ? std::optional(rate) : std::nullopt;
}

std::optional<ByteRate> parse_byte_rate(std::string_view text) {
    text = trimmed(text);
    return text.ends_with("/s") ? parse_rate(text) : std::nullopt;
}

std::string choices(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i)
        text += std::format("{}'{}'", i == 0 ? "" : i + 1 == words.size() ? " or " : ", ", words[i]);
    return text;
}

Diagnostic with_nearest(Diagnostic diagnostic, std::string_view text, std::span<const std::string_view> words) {
    const std::string_view near = nearest_match(text, words);
    diagnostic.help = near.empty() ? std::format("it is one of {}", choices(words)) : std::format("did you mean '{}'?", near);
    return diagnostic;
}

std::int64_t limit_cores(std::int64_t cores, std::string_view cpu_max) {
    const char* const end = cpu_max.data() + cpu_max.size();
    std::int64_t quota = 0, period = 0;
    const auto first = std::from_chars(cpu_max.data(), end, quota);
    if (first.ec != std::errc{} || first.ptr == end) return cores;  // "max"
    const auto second = std::from_chars(first.ptr + 1, end, period);
    if (second.ec != std::errc{} || quota <= 0 || period <= 0) return cores;
    return std::clamp<std::int64_t>(quota / period, 1, cores);
}

std::int64_t usable_cores() {
    // Counts the cores of the affinity mask.
    std::int64_t cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
    // cgroup v2: every group from ours to the root may limit. Inside a container the root is ours.
    const std::string own = first_line("/proc/self/cgroup");
    std::filesystem::path group = own.starts_with("0::") ? own.substr(3) : "/";
    for (;; group = group.parent_path()) {
        cores = limit_cores(cores, first_line("/sys/fs/cgroup" + (group == "/" ? std::string{} : group.string()) + "/cpu.max"));
        if (group == "/" || group.empty()) break;
    }
    // cgroup v1
    return limit_cores(cores, first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " + first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

}  // namespace sluice::platform
