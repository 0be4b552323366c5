#include "cli/machine.hpp"

#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace sluice::cli {

namespace {

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

std::optional<std::int64_t> integer_of(const std::string& word) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return value;
}

/// Folders of this process's cgroup, innermost first, for version 2 and for version 1's `controller`.
std::vector<std::filesystem::path> cgroup_folders(std::string_view controller) {
    std::vector<std::filesystem::path> folders;
    std::istringstream lines(text_of("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        std::filesystem::path root;
        if (controllers.empty())
            root = "/sys/fs/cgroup";
        else if (("," + controllers + ",").find("," + std::string(controller) + ",") != std::string::npos)
            root = std::filesystem::path("/sys/fs/cgroup") / controller;
        else
            continue;
        // A limit of any folder on the way up holds; inside a container the path may not exist, its root then stands for it.
        for (std::filesystem::path inner = std::filesystem::path(line.substr(second + 1)).relative_path();; inner = inner.parent_path()) {
            folders.push_back(root / inner);
            if (inner.empty()) break;
        }
    }
    return folders;
}

std::optional<double> processor_quota() {
    std::optional<double> least;
    for (const auto& folder : cgroup_folders("cpu")) {
        auto words = words_of(text_of(folder / "cpu.max"));
        if (words.size() != 2) {
            words = words_of(text_of(folder / "cpu.cfs_quota_us"));
            const auto period = words_of(text_of(folder / "cpu.cfs_period_us"));
            if (words.size() != 1 || period.size() != 1) continue;
            words.push_back(period[0]);
        }
        const auto quota = integer_of(words[0]), period = integer_of(words[1]);  // "max" and -1 are no limit
        if (!quota || !period || *quota <= 0 || *period <= 0) continue;
        const double share = static_cast<double>(*quota) / static_cast<double>(*period);
        least = least ? std::min(*least, share) : share;
    }
    return least;
}

std::optional<Bytes> memory_limit(Bytes machine) {
    std::optional<Bytes> least;
    for (const auto& folder : cgroup_folders("memory"))
        for (const char* name : {"memory.max", "memory.limit_in_bytes"}) {
            const auto words = words_of(text_of(folder / name));
            const auto limit = words.size() == 1 ? integer_of(words[0]) : std::nullopt;
            if (limit && *limit > 0 && *limit < machine.count) least = least ? std::min(*least, Bytes{*limit}) : Bytes{*limit};
        }
    return least;
}

int allowed_processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::max(1, CPU_COUNT(&set));
}

std::string processor_name() {
    std::istringstream lines(text_of("/proc/cpuinfo"));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("model name"))
            if (const std::size_t colon = line.find(": "); colon != std::string::npos) return line.substr(colon + 2);
    return {};
}

}  // namespace

Machine this_machine() {
    Machine machine;
    machine.processor = processor_name();
    machine.processors = std::max(1, ::get_nprocs());
    machine.allowed = allowed_processors();
    machine.processor_quota = processor_quota();
    machine.memory = {static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE)};
    machine.memory_limit = memory_limit(machine.memory);
    return machine;
}

int default_threads() {
    const auto quota = processor_quota();
    const int allowed = allowed_processors();
    return quota ? std::clamp(static_cast<int>(std::ceil(*quota)), 1, allowed) : allowed;
}

std::optional<std::filesystem::path> cache_folder() {
    if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/') return std::filesystem::path(xdg) / "sluice";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return std::filesystem::path(home) / ".cache" / "sluice";
    return std::nullopt;
}

}  // namespace sluice::cli
