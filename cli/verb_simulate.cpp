#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_simulate(Session&) { return fail({DiagnosticKind::internal, "'simulate' is being built", {}, {}, {}}); }

}  // namespace sluice::cli
