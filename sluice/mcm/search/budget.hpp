// Private to this layer. How far a search is through what it may spend: schedules follow it, and a search without any limit ends by it.
#pragma once

#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

class Budget {
public:
    /// The largest budget that notes/mcm-policy.md compares methods at.
    static constexpr std::int64_t kEvaluations = 5'000;

    Budget(const Trials& trials, const Limits& limits) : trials_(trials), limits_(limits) {}

    /// The search must end.
    [[nodiscard]] bool spent() const { return trials_.over() || share() >= 1; }
    /// Of the evaluations or the time, whichever is further on; 0 … 1. Without either, of kEvaluations.
    [[nodiscard]] double share() const;

private:
    const Trials& trials_;
    const Limits& limits_;
    Limits::Clock::time_point start_ = Limits::Clock::now();
};

}  // namespace sluice::mcm
