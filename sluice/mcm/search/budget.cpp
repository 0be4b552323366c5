#include "sluice/mcm/search/budget.hpp"

#include <algorithm>

namespace sluice::mcm {

double Budget::share() const {
    const auto of = [](double done, double all) { return all > 0 ? std::clamp(done / all, 0.0, 1.0) : 1.0; };
    double share = 0;
    if (limits_.evaluations || !limits_.deadline)
        share = of(static_cast<double>(trials_.evaluations()), static_cast<double>(limits_.evaluations.value_or(kEvaluations)));
    if (limits_.deadline) {
        const std::chrono::duration<double> all = *limits_.deadline - start_, done = Limits::Clock::now() - start_;
        share = std::max(share, of(done.count(), all.count()));
    }
    return share;
}

}  // namespace sluice::mcm
