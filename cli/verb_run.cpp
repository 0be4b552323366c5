#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_run(Session&) { return fail({DiagnosticKind::internal, "'run' is being built", {}, {}, {}}); }

}  // namespace sluice::cli
