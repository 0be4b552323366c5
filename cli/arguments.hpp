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
    std::optional<std::string> platform, job, method, output, weights, costs, trace, input_file, hostfile, against, sharing, level;
    std::optional<std::string> objective, genetic, methods, bounds, from, stage_list, schedule, optimizer, actions, judge, rewrites;
    std::optional<std::string> policy, corpus, models, head, spread;  // policy
    std::optional<std::int64_t> updates, width, layers, passes;
    std::optional<std::string> batch_list, micro_batch_list, device_list, memory_list;  // sweep --for training
    std::optional<std::int64_t> stages, evaluations, seed, threads, assume_size, inputs, replicas, batch, micro_batch;
    std::optional<Duration> time, duration, patience;
    std::optional<double> gap, require_gap;
    std::vector<std::pair<std::string, std::int64_t>> dimensions;
    bool json = false, quiet = false, check = false, self_contained = false, synchronous_sends = false, recompute = false,
         skip_broken = false;
    bool help = false, version = false, man = false;
};

}  // namespace sluice::cli
