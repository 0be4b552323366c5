#include "sluice/search/spill_share.hpp"

#include <algorithm>
#include <cassert>

#include "sluice/base/wide.hpp"

namespace sluice::search {

SpillShare spill_share(const SerialProblem& problem, std::int64_t theta_halves) {
    assert(theta_halves >= 0 && theta_halves <= 2);
    SpillShare result;
    result.share.assign(problem.group_count(), 0);
    if (theta_halves == 0 || !problem.spills) return result;
    if (theta_halves == 1) result.factor = 2;
    const Wide rate = problem.rate.bytes_per_second;
    const auto scaled = [&](std::int64_t bytes) { return Wide{bytes} * problem.charge.work * kPicosecondsPerSecond; };
    for (std::size_t g = 0; g < problem.group_count(); ++g)
        result.share[g] = static_cast<std::int64_t>(scaled(problem.charged_bytes[g]) / rate);
    result.allowance = static_cast<std::int64_t>(std::min<Wide>((scaled(problem.memory) + rate - 1) / rate, kLargestLimit));
    return result;
}

std::int64_t stage_limit(const SpillShare& spill, std::int64_t replicas, std::int64_t threshold) {
    return static_cast<std::int64_t>(std::min<Wide>(Wide{spill.factor} * replicas * threshold + spill.allowance, kLargestLimit));
}

}  // namespace sluice::search
