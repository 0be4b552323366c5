// One function a verb, each in its own file.
#pragma once

#include "cli/session.hpp"

namespace sluice::cli {

[[nodiscard]] Result<Outcome> run_inspect(Session& session);
[[nodiscard]] Result<Outcome> run_plan(Session& session);
[[nodiscard]] Result<Outcome> run_bound(Session& session);
[[nodiscard]] Result<Outcome> run_compare(Session& session);
[[nodiscard]] Result<Outcome> run_sweep(Session& session);
[[nodiscard]] Result<Outcome> run_verify(Session& session);
[[nodiscard]] Result<Outcome> run_export(Session& session);
[[nodiscard]] Result<Outcome> run_simulate(Session& session);
[[nodiscard]] Result<Outcome> run_profile(Session& session);
[[nodiscard]] Result<Outcome> run_run(Session& session);
[[nodiscard]] Result<Outcome> run_policy(Session& session);
[[nodiscard]] Result<Outcome> run_zoo(Session& session);
[[nodiscard]] Result<Outcome> run_demo(Session& session);
[[nodiscard]] Result<Outcome> run_doctor(Session& session);
[[nodiscard]] Result<Outcome> run_completions(Session& session);

}  // namespace sluice::cli
