#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_export(Session&) { return fail({DiagnosticKind::internal, "'export' is being built", {}, {}, {}}); }

}  // namespace sluice::cli
