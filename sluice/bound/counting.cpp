#include "sluice/bound/counting.hpp"

#include "sluice/bound/ascent.hpp"
#include "sluice/bound/serial_terms.hpp"
#include "sluice/search/counting.hpp"

namespace sluice::bound {

Raised raise_by_counting(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                         Duration floor) {
    Ascent ascent(problem, options, observer, limits, floor, "counting");
    for (const search::Charge& charge : search::charges_for(problem.model)) {
        auto relaxed = search::relax_to_serial(problem, options.stages, options.max_replicas, charge);
        if (!relaxed || ascent.ended()) continue;
        const search::SerialProblem serial = search::merge_safely(*std::move(relaxed));
        for (std::int64_t theta = serial.spills ? 2 : 0; theta >= 0 && !ascent.ended(); --theta) {
            search::Counting counting(serial, theta);
            ascent.raise(
                even_share(serial), most_provable(serial),
                [&](Duration value) -> std::optional<bool> {
                    const auto weights = counting.weights(threshold_below(serial, value), options.threads, limits);
                    if (!weights) return std::nullopt;
                    return weights->refuted;
                },
                [&] { return CountingWitness{.serial = terms_of(serial), .theta_halves = theta}; });
        }
    }
    return {ascent.take(), ascent.termination()};
}

Result<BoundResult> prove_counting(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                   const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    Raised raised = raise_by_counting(problem, options, observer, limits, Duration{0});
    if (!raised.certificate) {
        CountingWitness trivial;
        trivial.serial.transfer = 0;
        raised.certificate =
            Ascent(problem, options, observer, limits, Duration{0}, "counting").certificate(Duration{0}, std::move(trivial));
    }
    return BoundResult{*std::move(raised.certificate), raised.termination};
}

}  // namespace sluice::bound
