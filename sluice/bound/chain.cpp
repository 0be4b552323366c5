#include "sluice/bound/chain.hpp"

#include <algorithm>
#include <array>

#include "sluice/bound/ascent.hpp"
#include "sluice/bound/serial_terms.hpp"
#include "sluice/search/chain_of_cuts.hpp"

namespace sluice::bound {

namespace {

using search::ChainOfCuts;
using search::SerialProblem;
using Index = SerialProblem::Index;

constexpr std::size_t kHopeless = 2;       // orders far from proving anything new, after which others are not tried,
constexpr std::size_t kWorthSaving = 256;  // from so many groups on

/// Depth first from the sources: an operator as soon as it is ready, the latest made ready first.
std::vector<Index> latest_ready_order(const SerialProblem& serial) {
    std::vector<Index> order, ready;
    std::vector<std::size_t> waiting(serial.group_count());
    for (std::size_t g = waiting.size(); g-- > 0;)
        if ((waiting[g] = serial.predecessors[g].size()) == 0) ready.push_back(static_cast<Index>(g));
    while (!ready.empty()) {
        order.push_back(ready.back());
        ready.pop_back();
        for (Index next : serial.successors[order.back()])
            if (--waiting[next] == 0) ready.push_back(next);
    }
    return order;
}

/// By expected strength: the first usually wins.
std::vector<std::pair<std::vector<Index>, bool>> orders_and_types(const SerialProblem& serial) {
    std::vector<std::pair<std::vector<Index>, bool>> result;
    const auto add = [&](const std::vector<Index>& order, bool mirrored) {
        if (std::ranges::find(result, std::pair{order, mirrored}) == result.end()) result.emplace_back(order, mirrored);
    };
    const auto from_sinks = search::heavy_cone_order(serial), from_sources = search::heavy_cone_order(serial, true);
    add(from_sinks, false);
    add(from_sources, true);
    add(from_sinks, true);
    add(from_sources, false);
    add(latest_ready_order(serial), false);
    return result;
}

void try_chains(Ascent& ascent, const cost::StageProblem& problem, const BoundOptions& options, const Limits& limits,
                const search::Charge& charge) {
    auto relaxed = search::relax_to_serial(problem, options.stages, options.max_replicas, charge);
    if (!relaxed || ascent.ended()) return;
    const SerialProblem serial = search::merge_safely(*std::move(relaxed));
    const Duration most = most_provable(serial);
    std::size_t hopeless = 0;  // orders that do not refute far less than is known
    for (const auto& [order, mirrored] : orders_and_types(serial)) {
        bool hope = false;
        for (std::int64_t theta = serial.spills ? 2 : 0; theta >= 0; --theta) {
            if (ascent.ended() || ascent.best() >= most) return;
            const auto chain = ChainOfCuts::build(serial, order, theta, limits, mirrored, options.threads);
            if (!chain) return;
            hope = hope || serial.group_count() < kWorthSaving ||
                   chain->refutes(threshold_below(serial, std::max(ascent.best() / 4 * 3, Duration{1})));
            ascent.raise(
                even_share(serial), most, [&](Duration value) { return chain->refutes(threshold_below(serial, value)); },
                [&] {
                    ChainWitness witness{
                        .serial = terms_of(serial), .order = {}, .theta_halves = chain->theta_halves(), .mirrored = mirrored};
                    for (Index group : order) witness.order.push_back(serial.members[group].front());
                    return witness;
                });
        }
        if (!hope && ++hopeless == kHopeless) return;
    }
}

}  // namespace

Raised raise_by_chains(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                       Duration floor) {
    Ascent ascent(problem, options, observer, limits, floor, "chain");
    for (const search::Charge& charge : search::charges_for(problem.model)) try_chains(ascent, problem, options, limits, charge);
    return {ascent.take(), ascent.termination()};
}

Result<BoundResult> prove_chain(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    Raised raised = raise_by_chains(problem, options, observer, limits, Duration{0});
    if (raised.certificate) return BoundResult{*std::move(raised.certificate), raised.termination};
    // Any order proves zero.
    ChainWitness trivial;
    trivial.serial.transfer = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v) trivial.order.emplace_back(v);
    return BoundResult{Ascent(problem, options, observer, limits, Duration{0}, "chain").certificate(Duration{0}, std::move(trivial)),
                       raised.termination};
}

}  // namespace sluice::bound
