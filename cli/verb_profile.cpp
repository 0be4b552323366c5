#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_profile(Session&) { return fail({DiagnosticKind::internal, "'profile' is being built", {}, {}, {}}); }

}  // namespace sluice::cli
