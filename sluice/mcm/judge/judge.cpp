#include "sluice/mcm/judge/judge.hpp"

#include <algorithm>

namespace sluice::mcm {

Result<Verdict> AnalyticJudge::judge(std::span<const std::uint8_t> assignment) {
    Verdict verdict;
    verdict.chip_times = chip_times(problem_, assignment);
    verdict.period = std::ranges::max(verdict.chip_times);
    return verdict;
}

}  // namespace sluice::mcm
