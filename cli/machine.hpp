// What this process may use: processors after affinity and cgroup quota, memory after the cgroup limit, the cache folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sluice/base/units.hpp"

namespace sluice::cli {

struct Machine {
    std::string processor;                  // model name, empty when unknown
    int processors = 1;                     // of the machine
    int allowed = 1;                        // by affinity
    std::optional<double> processor_quota;  // by cgroup; none: unlimited
    Bytes memory;                           // of the machine
    std::optional<Bytes> memory_limit;      // by cgroup; none: unlimited
};

[[nodiscard]] Machine this_machine();

/// Threads to use when --threads does not say: affinity and quota, rounded up, at least 1.
[[nodiscard]] int default_threads();

/// $XDG_CACHE_HOME/sluice, else ~/.cache/sluice; nullopt when neither is set.
[[nodiscard]] std::optional<std::filesystem::path> cache_folder();

}  // namespace sluice::cli
