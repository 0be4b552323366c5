// A plan as a person reads it: a table of stages, then what is known and why planning stopped. Pure.
#pragma once

#include <string>

#include "sluice/graph/graph.hpp"
#include "sluice/plan/plan.hpp"

namespace sluice::report {

/// `graph` must be the plan's own: operators are looked up by their index.
[[nodiscard]] std::string plan_text(const plan::Plan& plan, const graph::Graph& graph);

/// "plan and bound met", "the time was up (--time 10 s)", …
[[nodiscard]] std::string why_stopped(const Termination& termination, const std::string& limit);

/// "3.573 ms (cut, certified)"
[[nodiscard]] std::string bound_text(const plan::BoundClaim& bound);

/// Label/value lines with the values aligned: what follows each table.
[[nodiscard]] std::string facts_text(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace sluice::report
