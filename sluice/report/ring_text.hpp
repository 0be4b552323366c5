// A plan on a ring of chips as the judge sees it: a row for each chip, the busiest links, what comes out. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::report {

/// `detail`: of a plan that compiles.
[[nodiscard]] std::string ring_text(const plan::Plan& plan, const mcm::JudgeDetail& detail);
/// Keys of design §6, and more: every chip, every link.
[[nodiscard]] nlohmann::ordered_json ring_json(const plan::Plan& plan, const mcm::JudgeDetail& detail);

}  // namespace sluice::report
