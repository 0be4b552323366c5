// Planners and bounds together until they meet or a limit stops them: what `plan`, `bound` and the Python module call.
#pragma once

#include <optional>
#include <string>

#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::solve {

struct SolveOptions {
    std::int64_t stages = 1;
    std::string method = "auto";
    std::string bound = "auto";
    std::uint64_t seed = 0;
    int threads = 1;
    double gap = 0;  // stop once 1 - bound/bottleneck <= gap
};

struct SolveResult {
    cost::Partition partition;
    cost::PartitionCost cost;
    bound::Certificate certificate;
    bool certified = false;     // the independent checker agreed with the certificate
    Termination termination;
};

[[nodiscard]] Result<SolveResult> solve(const cost::StageProblem& problem, const SolveOptions& options, Observer& observer, const Limits& limits);

}  // namespace sluice::solve
