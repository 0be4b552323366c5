// A planner by its name.
#pragma once

#include <string_view>

#include "sluice/inference/registry.hpp"

namespace sluice::test {

inline Result<inference::PlannerResult> plan(std::string_view name, const cost::StageProblem& problem,
                                             const inference::PlannerOptions& options, const Limits& limits = {}) {
    SilentObserver observer;
    return (*inference::find_planner(name).value()).plan(problem, options, observer, limits);
}

}  // namespace sluice::test
