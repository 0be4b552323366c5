// What the command line said, as values. The table in flags.cpp says which flag fills which member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/units.hpp"

namespace sluice::cli {

struct Arguments {
    // Positional words
    std::optional<std::string> model, plan, certificate, action, name, shell;
    // Flags
    std::optional<std::string> platform, job, method, output, weights;
    std::optional<std::int64_t> stages, evaluations, seed, threads, assume_size;
    std::optional<Duration> time;
    std::optional<double> gap, require_gap;
    std::vector<std::pair<std::string, std::int64_t>> dimensions;
    bool json = false, quiet = false;
    bool help = false, version = false, man = false;
};

}  // namespace sluice::cli
