#include "sluice/bound/training_bound.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <optional>

#include "sluice/base/wide.hpp"
#include "sluice/bound/check_training.hpp"
#include "sluice/bound/training_refutation.hpp"

namespace sluice::bound {

namespace {

using cost::TrainingProblem;

constexpr std::size_t kPolishedOptions = 200'000;  // to try: more take too long
constexpr double kPrecision = 5e-4;

class Prover {
public:
    Prover(const TrainingProblem& problem, TrainingObjective objective, const Limits& limits, std::optional<std::int64_t> micro_batch)
        : problem_(problem),
          objective_(objective),
          limits_(limits),
          micro_batch_(micro_batch),
          refutation_(problem, objective, micro_batch) {
        best_.classes.resize(problem.classes.size());
    }

    TrainingCertificate run() {
        const double first = simple_bound();
        double low = first, high = kInfinite;
        if (refute(low)) keep(low);
        // Up while it works, then between.
        for (const double factor : {1.02, 1.08, 1.25, 1.6, 2.5, 4.0, 8.0, 16.0}) {
            if (stopped()) break;
            if (!refute(first * factor)) {
                high = first * factor;
                break;
            }
            keep(low = first * factor);
        }
        bisect(low, high);
        try_parts(low);
        return certificate();
    }

private:
    [[nodiscard]] bool stopped() const { return limits_.interrupted() || limits_.out_of_time(); }

    void bisect(double& low, double high) {
        while (high < kInfinite && high > low * (1 + kPrecision) && !stopped()) {
            const double middle = (low + high) / 2;
            if (refute(middle))
                keep(low = middle);
            else
                high = middle;
        }
    }
    [[nodiscard]] bool refute(double limit) { return refutation_.refute(limit, best_); }
    void keep(double limit) {
        best_ = kept_ = refutation_.prices();
        kept_limit_ = limit;
    }

    /// Also counts what else fills a device.
    void try_parts(double& low) {
        const bool limited = std::ranges::any_of(problem_.classes, &cost::TrainingDevice::limited);
        const bool links = objective_ == TrainingObjective::iteration || problem_.structure.model == cost::StageModel::overlap;
        for (const auto& [link, memory] : {std::pair{0.1, 0.0}, {0.3, 0.0}, {0.0, 0.02}, {0.0, 0.1}, {0.0, 0.3}}) {
            if (stopped() || (link > 0 && !links) || (memory > 0 && !limited)) continue;
            const TrainingPrices before = best_;
            for (std::size_t c = 0; c < best_.classes.size(); ++c) {
                best_.classes[c].links = link;
                best_.classes[c].memory = problem_.classes[c].limited ? memory : 0;
                best_.classes[c].work = 1 - best_.classes[c].links - best_.classes[c].memory;
            }
            if (refute(low * 1.002)) {
                keep(low *= 1.002);
                for (double high = low * 1.2; !stopped();) {
                    if (!refute(high)) {
                        bisect(low, high);
                        break;
                    }
                    keep(low = high);
                    high *= 1.2;
                }
            } else {
                best_ = before;
            }
        }
    }

    /// All work at its most efficient over all devices, and the slowest node.
    [[nodiscard]] double simple_bound() const {
        double work = 0, longest = 0;
        for (const std::size_t kind : refutation_.options().kind_of()) {
            double least = kInfinite, needs = kInfinite;
            for (const Option& option : refutation_.options().kinds()[kind]) {
                least = std::min(least, static_cast<double>(option.replicas) * option.work);
                needs = std::min(needs, option.needs);
            }
            work += least;
            longest = std::max(longest, needs);
        }
        return std::max({1.0, work / refutation_.devices() * 0.9999, longest * 0.9999});
    }

    [[nodiscard]] TrainingCertificate certificate() const {
        TrainingCertificate made{
            .problem = problem_.fingerprint, .model = {}, .objective = objective_, .micro_batch = micro_batch_, .value = {}, .witness = {}};
        double most = 1e-300;
        for (const TrainingPrices::Class& one : kept_.classes) most = std::max(most, one.price);
        const double unit = static_cast<double>(1 << 20) / most;
        for (const TrainingPrices::Class& one : kept_.classes) {
            TrainingWitness::ClassPrice& price = made.witness.classes.emplace_back();
            price.price = std::llround(one.price * unit);
            price.links = std::llround(one.links * kTrainingShares);
            price.memory = std::llround(one.memory * kTrainingShares);
            price.work = kTrainingShares - price.links - price.memory;
            const auto used = std::ranges::find_if(one.roundings.rbegin(), one.roundings.rend(), [](std::int64_t k) { return k > 0; });
            price.roundings.assign(one.roundings.begin(), used.base());
        }
        for (const TrainingPath& path : kept_.paths) {
            const auto price = std::llround(path.price * unit * 0x1p32 / kept_limit_ / (path.window ? refutation_.devices() : 1));
            if (price > 0 && path.window) made.witness.windows.push_back({price, path.nodes});
            if (price > 0 && !path.window) made.witness.paths.push_back({price, path.turn, path.nodes});
        }
        const double samples = objective_ == TrainingObjective::iteration ? 1 : static_cast<double>(problem_.options.mini_batch);
        // The last whole time below which everything is refuted, less what floating point made of it.
        for (double slack = 0; slack < 1; slack = std::max(1e-9, 8 * slack)) {
            made.value = Duration{static_cast<std::int64_t>(std::floor(kept_limit_ * (1 - slack) / samples)) + 1};
            if (check_training(problem_, made).empty()) return polished(std::move(made));
        }
        made.value = Duration{0};
        return made;
    }
    /// The same witness may prove a little more.
    [[nodiscard]] TrainingCertificate polished(TrainingCertificate certificate) const {
        std::size_t work = 0;
        for (const std::size_t kind : refutation_.options().kind_of()) work += refutation_.options().kinds()[kind].size();
        Duration high = certificate.value + certificate.value / 500 + Duration{2};
        while (work < kPolishedOptions && high - certificate.value > certificate.value / 100'000 + Duration{1}) {
            TrainingCertificate more = certificate;
            more.value += (high - certificate.value) / 2;
            if (check_training(problem_, more).empty())
                certificate.value = more.value;
            else
                high = more.value;
        }
        return certificate;
    }

    const TrainingProblem& problem_;
    const TrainingObjective objective_;
    const Limits& limits_;
    const std::optional<std::int64_t> micro_batch_;
    TrainingRefutation refutation_;
    TrainingPrices best_, kept_;
    double kept_limit_ = 0;
};

Diagnostic infeasible(std::string message) { return {DiagnosticKind::infeasible, std::move(message), {}, {}, {}}; }

Bytes saturated(Wide bytes) { return {static_cast<std::int64_t>(std::min<Wide>(bytes, std::numeric_limits<std::int64_t>::max()))}; }

/// What cannot be on any device, or on all devices together, with so many samples at a time on all devices of a group.
std::optional<Diagnostic> beyond_memory(const TrainingProblem& problem, std::int64_t samples) {
    const auto count = [](std::int64_t n) { return n == 1 ? std::string("one sample") : std::format("{} samples", n); };
    Wide all = 0, there = 0;
    bool limited = true;
    for (std::size_t c = 0; c < problem.classes.size(); ++c) {
        limited = limited && problem.classes[c].limited;
        there += Wide{problem.classes[c].memory.count} * problem.structure.classes[c].count;
    }
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        Bytes state, most{-1};
        for (const WeightId weight : problem.structure.weights[v]) {
            state += problem.state[weight.index()];
            if (problem.structure.weight_users[weight.index()].front() == NodeId(v)) all += problem.state[weight.index()].count;
        }
        all += Wide{problem.kept[v].count} * samples;
        bool fits = false;
        std::int64_t least = samples;  // on one device
        for (std::size_t c = 0; c < problem.classes.size(); ++c) {
            if (!problem.structure.classes[c].supported.contains(v)) continue;
            const std::int64_t here = (samples + problem.structure.classes[c].count - 1) / problem.structure.classes[c].count;
            fits = fits || !problem.classes[c].limited || state + Bytes{problem.kept[v].count * here} <= problem.classes[c].memory;
            least = std::min(least, here);
            most = std::max(most, problem.classes[c].memory);
        }
        if (!fits) {
            const Bytes kept{problem.kept[v].count * least};
            return infeasible(std::format("operator {} needs {} of one device, which has {}",
                                          problem.structure.operators[v].front().index(), to_text(state + kept), to_text(most)))
                .note(std::format("{} for its parameters, their gradients and the optimiser, {} for {}", to_text(state), to_text(kept),
                                  count(least)))
                .fix(std::format("an optimiser that keeps less, {}devices with more memory",
                                 samples > 1 ? "a smaller --micro-batch, " : "or "));
        }
    }
    if (!limited || all <= there) return std::nullopt;
    return infeasible(std::format("parameters, gradients, optimiser and {} need {}, all devices together have {}", count(samples),
                                  to_text(saturated(all)), to_text(saturated(there))))
        .fix("more devices, an optimiser that keeps less, or devices with more memory");
}

}  // namespace

Result<TrainingCertificate> bound_training(const TrainingProblem& problem, TrainingObjective objective, const Limits& limits,
                                           std::optional<std::int64_t> micro_batch) {
    if (auto reason = beyond_memory(problem, micro_batch.value_or(1))) return fail(*std::move(reason));
    return Prover(problem, objective, limits, micro_batch).run();
}

}  // namespace sluice::bound
