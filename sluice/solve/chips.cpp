#include "sluice/solve/chips.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <format>
#include <iterator>
#include <numeric>
#include <ranges>
#include <utility>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/bound/triangle.hpp"
#include "sluice/bound/waypoints.hpp"
#include "sluice/mcm/chip_faults.hpp"
#include "sluice/mcm/judge/fitting_judge.hpp"
#include "sluice/mcm/rewrite/finish.hpp"
#include "sluice/mcm/rewrite/shared_clones.hpp"
#include "sluice/solve/accept.hpp"

namespace sluice::solve {

namespace {

constexpr std::array<std::string_view, 3> kRewriteNames{"clone", "recompute", "relay"};
/// Of all kinds the one that pays without transfers: `auto`, given 8 s on seven models of the bench, got no further on any.
constexpr std::string_view kRaisingBound = "chain";
constexpr std::chrono::seconds kChecking{2};  // of a certificate, at most: some checks take as long as the proof

/// Every parameter lies on some chip, whatever is rewritten.
Result<void> parameters_fit(const cost::StageProblem& problem) {
    const cost::DeviceCosts& chip = problem.classes.front();
    if (chip.overflow != cost::Overflow::hard) return {};
    const Bytes all = std::accumulate(problem.weight_bytes.begin(), problem.weight_bytes.end(), Bytes{});
    const Bytes share{(all.count + chip.count - 1) / chip.count};
    if (share <= chip.fast_memory) return {};
    return fail(Diagnostic{
        DiagnosticKind::infeasible,
        std::format("the model has {} of parameters: {} for each of {} chips, which have {}", sluice::to_text(all), sluice::to_text(share),
                    chip.count, sluice::to_text(chip.fast_memory)),
        {},
        {},
        {}}.fix("more chips (devices=N) or larger ones (memory=SIZE)"));
}

Duration bottleneck(const ChipSolveResult& result) { return cost::price(result.frozen.problem, result.partition).bottleneck; }

Result<mcm::Verdict> judge_finished(const mcm::Finished& finished, const mcm::MakeJudge& make_judge) {
    auto judge = make_judge(finished.graph, finished.problem);
    if (!judge) return fail(std::move(judge.error()));
    return (*judge)->judge(finished.chips);
}

}  // namespace

Result<ChipRewrites> parse_rewrites(std::string_view text) {
    if (text == "all") return ChipRewrites{};
    ChipRewrites rewrites{false, false, false};
    if (text == "none") return rewrites;
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view name(part.begin(), part.end());
        if (name == "clone")
            rewrites.clone = true;
        else if (name == "recompute")
            rewrites.recompute = true;
        else if (name == "relay")
            rewrites.relay = true;
        else {
            Diagnostic unknown = usage_error(std::format("unknown rewrite '{}'", name));
            if (const auto near = nearest_match(name, kRewriteNames); !near.empty())
                unknown.help = std::format("did you mean '{}'?", near);
            else
                unknown.help = "all, none, or some of clone, recompute, relay";
            return fail(std::move(unknown));
        }
    }
    return rewrites;
}

std::string to_text(const ChipRewrites& rewrites) {
    if (rewrites == ChipRewrites{}) return "all";
    std::string text;
    const auto add = [&](bool used, std::string_view name) {
        if (used) text += std::format("{}{}", text.empty() ? "" : ",", name);
    };
    add(rewrites.clone, "clone");
    add(rewrites.recompute, "recompute");
    add(rewrites.relay, "relay");
    return text.empty() ? "none" : text;
}

cost::Partition chip_partition(const cost::StageProblem& problem, std::span<const std::uint8_t> chips) {
    cost::Partition partition;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        if (partition.stages.size() <= chips[v]) partition.stages.resize(chips[v] + std::size_t{1});
        partition.stages[chips[v]].nodes.emplace_back(v);
    }
    return partition;
}

Result<std::unique_ptr<const PreparedChips>> prepare_chips(const graph::Graph& model, const platform::Platform& platform,
                                                           const cost::MeasuredCosts* measured, std::int64_t chips,
                                                           const ChipRewrites& rewrites, Observer& observer, const Limits& limits) {
    auto plain = cost::freeze(model, platform, chips, measured);
    if (!plain) return fail(std::move(plain.error()));
    if (auto fits = parameters_fit(plain->problem); !fits) return fail(std::move(fits.error()));

    // The bound: all work over all chips, the largest operator, work and memory along a way. Whatever is rewritten, each operator of the
    // model runs at least once. Where nothing is, the triangle rule speaks, too.
    const auto combinatorial = bound::find_bound("combinatorial");
    if (!combinatorial) return fail(combinatorial.error());
    auto proven = (*combinatorial)->prove(plain->problem, {.stages = plain->problem.classes.front().count}, observer, {});
    if (!proven) return fail(std::move(proven.error()));
    auto prepared = std::make_unique<PreparedChips>(
        PreparedChips{model, platform, measured, rewrites, std::move(proven->certificate), false, {}, {}, model, {}, {}});
    prepared->certificate.model = model.fingerprint();
    prepared->work = cost::without_transfers(plain->problem);
    const auto objections = bound::check_certificate(plain->problem, prepared->certificate);
    prepared->certified = objections.empty();
    if (!objections.empty()) prepared->warnings.push_back(refused(prepared->certificate, objections.front().message));
    Limits proving;  // no deadline: what follows would depend on the time that they took
    proving.stop = limits.stop;
    const bound::BoundOptions raising{.stages = prepared->certificate.stages};
    const auto offer = [&](bound::Raised raised, bound::Partitions of) {
        if (!raised.certificate) return;
        raised.certificate->transfers = of == bound::Partitions::triangle;
        raised.certificate->model = model.fingerprint();
        if (const auto faults = bound::check_certificate(plain->problem, *raised.certificate, {}, of); !faults.empty()) {
            prepared->warnings.push_back(refused(*raised.certificate, faults.front().message));
            return;
        }
        prepared->certificate = *std::move(raised.certificate);
        prepared->certified = true;
    };
    offer(bound::raise_by_waypoints(prepared->work, raising, observer, proving, prepared->certificate.value), bound::Partitions::all);
    if (rewrites == ChipRewrites{false, false, false})
        offer(bound::raise_by_triangles(plain->problem, raising, observer, proving, prepared->certificate.value),
              bound::Partitions::triangle);

    if (rewrites.clone)
        if (const auto clones = mcm::shared_clones(model, plain->problem); !clones.rewrites.empty()) {
            auto rewritten = graph::rewritten(model, clones.rewrites);
            if (!rewritten) return fail(std::move(rewritten.error()));
            prepared->graph = *std::move(rewritten);
        }
    auto frozen = cost::freeze(prepared->graph, platform, chips, measured);
    if (!frozen) return fail(std::move(frozen.error()));
    prepared->frozen = *std::move(frozen);
    auto problem = mcm::chip_problem(prepared->graph, prepared->frozen.problem, platform, {.relay = rewrites.relay});
    if (!problem) return fail(std::move(problem.error()));
    prepared->problem = *std::move(problem);
    return prepared;
}

Result<ChipSolveResult> solve_chips(const PreparedChips& prepared, const ChipSolveOptions& options, Observer& observer,
                                    const Limits& limits) {
    const mcm::Planner* planner = &mcm::planners().front();
    if (!options.method.empty()) {
        const auto found = mcm::find_planner(options.method);
        if (!found) return fail(found.error());
        planner = *found;
    }
    mcm::MakeJudge make_judge = options.make_judge;
    if (!make_judge) {
        auto found = mcm::find_judge(options.judge, prepared.platform, {.or_command = true});
        if (!found) return fail(std::move(found.error()));
        make_judge = *std::move(found);
    }
    const mcm::ChipProblem& problem = prepared.problem;
    auto inner = make_judge(prepared.graph, problem);
    if (!inner) return fail(std::move(inner.error()));
    auto judge = mcm::fitting_judge(problem, *std::move(inner));
    if (!judge) return fail(std::move(judge.error()));
    mcm::PlannerOptions asked{.seed = options.seed, .threads = options.threads, .judge = judge->get(), .policy = options.policy.get()};
    if (prepared.certified && !options.make_judge) {  // a machine may be faster than planned
        const auto value = static_cast<double>(prepared.certificate.value.count());
        asked.proven = Duration(static_cast<std::int64_t>(value / (1 - std::clamp(options.gap, 0.0, 0.999))));
    }
    auto planned = planner->plan(problem, asked, observer, limits);
    if (!planned) return fail(std::move(planned.error()));
    if (auto faults = mcm::chip_faults(problem, planned->chips); !faults.empty())
        return fail(internal_error(std::format("planner '{}' made a plan that is not legal: {}", planner->name, faults.front().message)));

    const bool recompute = prepared.rewrites.recompute && prepared.rewrites.relay;
    const auto finish = [&](bool with) {
        return mcm::finish(prepared.model, prepared.graph, problem, planned->chips, prepared.platform, prepared.measured,
                           {.recompute = with});
    };
    auto finished = finish(recompute);
    if (!finished) return fail(std::move(finished.error()));
    mcm::Verdict verdict = std::move(planned->verdict);
    if (!options.make_judge) {  // ours is asked again: merging takes work away. Another's has seen the finished plan
        auto judged = judge_finished(*finished, make_judge);
        if (!judged) return fail(std::move(judged.error()));
        if (recompute && finished->recomputed > 0) {  // which is sure to pay by the planners' cost alone
            auto plainer = finish(false);
            if (!plainer) return fail(std::move(plainer.error()));
            auto other = judge_finished(*plainer, make_judge);
            if (!other) return fail(std::move(other.error()));
            if (other->fits() && (!judged->fits() || other->period < judged->period)) {
                *finished = *std::move(plainer);
                *judged = *std::move(other);
            }
        }
        if (judged->failure)
            return fail(std::move(judged->failure->why).note("it compiled before copies were merged and relays were put in"));
        verdict = *std::move(judged);
    }
    ChipSolveResult result{.graph = std::move(finished->graph),
                           .frozen = *finished->frozen,
                           .partition = chip_partition(finished->frozen->problem, finished->chips),
                           .verdict = std::move(verdict),
                           .certificate = prepared.certificate,
                           .certified = prepared.certified,
                           .method = std::string(planner->name),
                           .winner = std::move(planned->winner),
                           .curve = std::move(planned->curve),
                           .failed = planned->failed,
                           .termination = planned->termination,
                           .warnings = std::move(planned->warnings)};
    auto faults = cost::faults_of(result.frozen.problem, result.partition, result.frozen.problem.classes.front().count);
    std::ranges::move(chip_failures(result.graph, prepared.platform, result.frozen.problem, result.partition), std::back_inserter(faults));
    if (!faults.empty()) return fail(internal_error(std::format("the finished plan does not hold: {}", faults.front().message)));
    return result;
}

RaisedBound raise_bound(const PreparedChips& prepared, Duration enough, int threads, Observer& observer, const Limits& limits,
                        const bound::Bound* by) {
    RaisedBound raised;
    if (enough <= prepared.certificate.value || limits.interrupted()) return raised;
    if (by == nullptr) {
        const auto chain = bound::find_bound(kRaisingBound);
        if (!chain) {
            raised.warnings.push_back(chain.error());
            return raised;
        }
        by = *chain;
    }
    auto proven =
        prove_with(*by, prepared.work, {.stages = prepared.certificate.stages, .threads = threads, .enough = enough}, observer, limits);
    if (!proven) {
        if (auto warning = failed_bound(by->name, std::move(proven.error()))) raised.warnings.push_back(*std::move(warning));
        return raised;
    }
    std::vector<bound::Certificate> offered = std::move(proven->weaker);
    offered.push_back(std::move(proven->certificate));
    std::erase_if(offered, [&](const bound::Certificate& certificate) {
        if (certificate.value > enough)
            raised.warnings.push_back(
                internal_error(std::format("a {} bound of {} ps is above the {} ps that a plan reaches and is not used", certificate.kind(),
                                           certificate.value.count(), enough.count()))
                    .fix("this is a defect of sluice: please report it with the model"));
        return certificate.value <= prepared.certificate.value || certificate.value > enough;
    });
    for (bound::Certificate& certificate : offered) {
        certificate.transfers = false;
        certificate.model = prepared.certificate.model;
    }
    const auto checking = [&] {
        Limits checks;
        if (limits.deadline) checks.deadline = Limits::Clock::now() + kChecking;
        return checks;
    };
    raised.certificate = first_accepted(prepared.work, std::move(offered), checking, raised.warnings);
    return raised;
}

Result<ChipSolveResult> solve_chips(const graph::Graph& model, const platform::Platform& platform, const cost::MeasuredCosts* measured,
                                    const ChipSolveOptions& options, Observer& observer, const Limits& limits) {
    auto prepared = prepare_chips(model, platform, measured, options.chips, options.rewrites, observer, limits);
    if (!prepared) return fail(std::move(prepared.error()));
    Limits planning = limits;
    if (limits.deadline) {
        const auto now = Limits::Clock::now();
        planning.deadline = now + (*limits.deadline - now) / 10 * 9;
    }
    auto result = solve_chips(**prepared, options, observer, planning);
    if (!result) return result;
    auto raised = raise_bound(**prepared, bottleneck(*result), options.threads, observer, limits);
    if (raised.certificate) {
        result->certificate = *std::move(raised.certificate);
        result->certified = true;
    }
    std::ranges::copy((*prepared)->warnings, std::back_inserter(result->warnings));
    std::ranges::move(raised.warnings, std::back_inserter(result->warnings));
    return result;
}

plan::Plan make_chip_plan(const platform::Platform& platform, const ChipSolveOptions& options, const ChipSolveResult& result) {
    plan::Plan plan = plan::make_plan(result.graph, platform, result.frozen, result.partition, result.frozen.problem.classes.front().count);
    plan.bound =
        plan::BoundClaim{.value = result.certificate.value, .kind = std::string(result.certificate.kind()), .certified = result.certified};
    plan.judged = plan::Judged{.judge = options.judge, .period = result.verdict.period, .latency = result.verdict.latency};
    plan.method = result.method;
    if (options.rewrites != ChipRewrites{}) plan.options.emplace_back("rewrites", to_text(options.rewrites));
    if (!result.winner.empty()) plan.options.emplace_back("winner", result.winner);
    plan.seed = options.seed;
    plan.termination = result.termination;
    return plan;
}

mcm::Assignment chip_assignment(const cost::StageProblem& problem, const cost::Partition& partition) {
    mcm::Assignment assignment(problem.node_count());
    for (std::size_t s = 0; s < partition.stages.size(); ++s)
        for (const NodeId node : partition.stages[s].nodes) assignment[node.index()] = static_cast<std::uint8_t>(s);
    return assignment;
}

std::vector<Diagnostic> chip_failures(const graph::Graph& graph, const platform::Platform& platform, const cost::StageProblem& problem,
                                      const cost::Partition& partition) {
    if (!platform.chip_rules) return {};
    auto chips = mcm::chip_problem(graph, problem, platform);
    if (!chips) return {std::move(chips.error())};
    if (partition.stages.size() > chips->chips)
        return {{DiagnosticKind::verification,
                 std::format("the plan has {} stages, the ring {} chips", partition.stages.size(), chips->chips),
                 {},
                 {},
                 {}}};
    auto faults = mcm::chip_faults(*chips, chip_assignment(problem, partition));
    for (Diagnostic& fault : faults) fault.kind = DiagnosticKind::verification;
    return faults;
}

}  // namespace sluice::solve
