#include "cli/chips.hpp"
#include "cli/interrupt.hpp"
#include "cli/old_plan.hpp"
#include "cli/planning.hpp"
#include "cli/progress.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/report/plan_text.hpp"

namespace sluice::cli {

Result<Outcome> run_plan(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    if (auto meant = check_job(arguments); !meant) return fail(std::move(meant.error()));
    auto chips = chip_platform(arguments);
    if (!chips) return fail(std::move(chips.error()));
    if (*chips) return plan_chips(session, **chips);
    if (auto known = check_methods(arguments); !known) return fail(std::move(known.error()));
    if (is_training(arguments)) return plan_training(session);
    if (auto shares = genetic_shares(arguments); !shares) return fail(std::move(shares.error()));

    std::optional<OldPlan> old;
    Arguments filled = arguments;
    if (arguments.from) {
        auto read = read_old_plan(*arguments.from);
        if (!read) return fail(std::move(read.error()));
        old = std::move(*read);
        filled = filled_from(arguments, old->plan);
    }
    Session as_before{filled, terminal, session.start};

    InterruptGuard interrupt(terminal);
    auto prepared = old ? prepare_like(as_before, old->plan) : prepare(session);
    if (!prepared) return fail(std::move(prepared.error()));
    auto start = old ? start_of(as_before, *old, *prepared) : std::nullopt;
    Progress progress(session, "plan");
    auto planned = make_planned(as_before, *prepared, progress, limits_of(session, interrupt.token()), std::move(start));
    if (!planned) return fail(std::move(planned.error()));
    if (auto kept = keep_planned(session, *planned, "verify", "plan.json plan.certificate.json"); !kept)
        return fail(std::move(kept.error()));
    const plan::Plan& plan = planned->plan;
    return outcome_of(session, plan, arguments.json ? plan::to_json_text(plan) : report::plan_text(plan, prepared->model.graph));
}

}  // namespace sluice::cli
