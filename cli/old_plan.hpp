// `plan --from`: an old plan file as what a new one begins with. Says on stderr what became of it.
#pragma once

#include <optional>

#include "cli/planning.hpp"

namespace sluice::cli {

struct OldPlan {
    plan::Plan plan;
    std::string fingerprint;  // of the file's content
};

/// Refuses a plan of another job.
[[nodiscard]] Result<OldPlan> read_old_plan(const std::string& path, std::string_view job = plan::kInference);

/// The arguments with everything that they leave open as the plan has it: --dim, --assume-size, -k, --replicas,
/// --objective.
[[nodiscard]] Arguments filled_from(const Arguments& arguments, const plan::Plan& plan);
/// `prepare`, on the plan's own platform and costs where -p and --costs name none. Measured costs of a model that has changed are left out.
[[nodiscard]] Result<Prepared> prepare_like(Session& session, const plan::Plan& plan);

/// The old plan on this problem; nothing, with a warning, when it does not hold here.
[[nodiscard]] std::optional<Start> start_of(Session& session, const OldPlan& old, const Prepared& prepared);

}  // namespace sluice::cli
