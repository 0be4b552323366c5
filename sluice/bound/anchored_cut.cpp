#include "sluice/bound/anchored_cut.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <optional>

#include "sluice/bound/cut_network.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::bound {

namespace {

using cost::StageModel;
using cost::StageProblem;

constexpr std::size_t kLargestBatch = 8;  // fixed: results must not depend on the number of threads
constexpr std::size_t kProbes = 4;        // anchors that tell which weighting to try first
constexpr std::size_t kRefined = 4;       // anchors whose weights are refined
constexpr std::int64_t kRefinedScale = 48;
constexpr double kSecondsBetweenSigns = 0.1;

std::vector<CutWeights> starting_weights(StageModel model, bool spills) {
    std::vector<CutWeights> weights;
    if (model == StageModel::serial) {
        weights.push_back({});
        if (spills) {
            weights.push_back({.scale = 1, .work = 1, .in = 1, .out = 1, .theta = 1});
            weights.push_back({.scale = 2, .work = 2, .in = 2, .out = 2, .theta = 1});
        }
        return weights;
    }
    // λ of work, in and out. A single one of in or out proves nothing (the whole model has none); work alone is the largest operator.
    for (const auto& [work, in, out] : {std::array<std::int64_t, 3>{2, 1, 1}, {2, 2, 0}, {2, 0, 2}, {4, 0, 0}}) {
        if (spills) weights.push_back({.scale = 4, .work = work, .in = in, .out = out, .theta = work});
        weights.push_back({.scale = 4, .work = work, .in = in, .out = out, .theta = 0});
    }
    return weights;
}

/// Neighbours of a weighting at distance `step`: shares moved between the parts, more or less spill.
std::vector<CutWeights> neighbours(const CutWeights& centre, StageModel model, bool spills, std::int64_t step) {
    std::vector<CutWeights> result;
    const auto propose = [&](CutWeights w) {
        const std::int64_t most = model == StageModel::serial ? w.scale : w.work;
        w.theta = spills ? std::clamp<std::int64_t>(w.theta, 0, most) : 0;
        if (w != centre) result.push_back(w);
    };
    constexpr std::array parts{&CutWeights::work, &CutWeights::in, &CutWeights::out};
    if (model == StageModel::overlap)
        for (auto from : parts)
            for (auto to : parts) {
                if (from == to || centre.*from == 0) continue;
                CutWeights w = centre;
                const std::int64_t moved = std::min(step, centre.*from);
                w.*from -= moved;
                w.*to += moved;
                propose(w);
                if (to != &CutWeights::work || centre.theta != centre.work) continue;
                w.theta = w.work;
                propose(w);
            }
    for (std::int64_t change : {step, -step}) {
        CutWeights w = centre;
        w.theta += change;
        propose(w);
    }
    return result;
}

class AnchoredCuts {
public:
    AnchoredCuts(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits, Duration floor)
        : problem_(problem),
          options_(options),
          observer_(observer),
          limits_(limits),
          relaxation_(relax(problem, options.stages, options.max_replicas)),
          best_{floor, {}, {}},
          arena_(std::max(options.threads, 1)) {}

    /// The best certificate above the floor, if any.
    std::optional<Certificate> run();
    [[nodiscard]] Certificate certificate(CutWitness witness, Duration value) const {
        return {problem_.fingerprint, {}, options_.stages, options_.max_replicas, value, std::move(witness), options_.objective};
    }
    [[nodiscard]] Termination termination() const { return {reason_, seconds(), flows_}; }

private:
    struct Found {
        Duration value{0};
        CutWeights weights;
        NodeId anchor;
    };
    struct Solved {
        Duration value{0};
        std::vector<std::uint32_t> side;
        bool done = false;
    };

    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }
    [[nodiscard]] bool reached() const { return options_.enough && best_.value >= *options_.enough; }
    bool ended();
    void note(const Found& found);
    [[nodiscard]] std::vector<NodeId> by_promise(const CutNetwork& network) const;
    void probe();
    void sweep(const CutWeights& weights);
    void refine(Found from);

    const StageProblem& problem_;
    const BoundOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    Relaxation relaxation_;
    std::vector<CutWeights> starts_;
    Found best_;
    std::vector<Found> leaders_;  // the best anchors, each with its best weights
    tbb::task_arena arena_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    double signed_at_ = 0;
    std::int64_t flows_ = 0;
    StopReason reason_ = StopReason::finished;
};

bool AnchoredCuts::ended() {
    if (reached())
        reason_ = StopReason::optimal;
    else if (const auto reason = search::limit_reached(limits_))
        reason_ = *reason;
    else
        return false;
    return true;
}

void AnchoredCuts::note(const Found& found) {
    const auto same = std::ranges::find(leaders_, found.anchor, &Found::anchor);
    if (same == leaders_.end())
        leaders_.push_back(found);
    else if (same->value < found.value)
        *same = found;
    std::ranges::stable_sort(leaders_, std::ranges::greater{}, &Found::value);
    if (leaders_.size() > kRefined) leaders_.pop_back();
    if (found.value > best_.value) {
        best_ = found;
        observer_.on_event({signed_at_ = seconds(), "cuts", std::nullopt, best_.value, "cut"});
    } else if (seconds() - signed_at_ >= kSecondsBetweenSigns) {
        observer_.on_event({signed_at_ = seconds(), "cuts", std::nullopt, best_.value, ""});
    }
}

std::vector<NodeId> AnchoredCuts::by_promise(const CutNetwork& network) const {
    std::vector<NodeId> anchors;
    for (std::size_t v = 0; v < problem_.node_count(); ++v) anchors.emplace_back(v);
    std::ranges::stable_sort(anchors, std::ranges::greater{}, [&](NodeId v) { return network.alone(v); });
    return anchors;
}

/// Puts first the weighting under which a few promising anchors prove most; drops those whose numbers are too large.
void AnchoredCuts::probe() {
    std::vector<std::pair<Duration, CutWeights>> order;
    for (const CutWeights& weights : starting_weights(problem_.model, relaxation_.spills)) {
        if (ended()) return;
        auto network = CutNetwork::build(problem_, relaxation_, weights);
        if (!network) continue;
        Duration most{0};
        const auto anchors = by_promise(*network);
        for (std::size_t i = 0; i < std::min(kProbes, anchors.size()) && !ended(); ++i) {
            most = std::max(most, network->solve(anchors[i], options_.enough));
            ++flows_;
        }
        order.emplace_back(most, weights);
    }
    std::ranges::stable_sort(order, std::ranges::greater{}, [](const auto& entry) { return entry.first; });
    for (const auto& entry : order) starts_.push_back(entry.second);
}

void AnchoredCuts::sweep(const CutWeights& weights) {
    auto built = CutNetwork::build(problem_, relaxation_, weights);
    if (!built) return;
    const std::vector<NodeId> anchors = by_promise(*built);
    std::vector<CutNetwork> networks(static_cast<std::size_t>(arena_.max_concurrency()), *built);
    std::vector<char> settled(problem_.node_count(), 0);
    std::size_t next = 0;
    for (std::size_t size = 1; !ended(); size = std::min(2 * size, kLargestBatch)) {
        std::vector<NodeId> batch;
        for (; next < anchors.size() && batch.size() < size; ++next) {
            if (built->at_most(anchors[next]) <= best_.value)
                next = anchors.size() - 1;  // and so for all after it
            else if (!settled[anchors[next].index()])
                batch.push_back(anchors[next]);
        }
        if (batch.empty()) return;
        std::array<Solved, kLargestBatch> solved;
        const auto solve = [&](std::size_t slot, CutNetwork& network) {
            if (search::must_stop(limits_)) return;
            solved[slot].value = network.solve(batch[slot], options_.enough);
            solved[slot].done = true;
            const auto side = network.side();
            for (std::size_t v = 0; v < side.size(); ++v)
                if (side[v]) solved[slot].side.push_back(static_cast<std::uint32_t>(v));
        };
        if (networks.size() == 1) {
            for (std::size_t slot = 0; slot < batch.size(); ++slot) solve(slot, networks[0]);
        } else {
            arena_.execute([&] {
                tbb::parallel_for(
                    std::size_t{0}, batch.size(),
                    [&](std::size_t slot) {
                        solve(slot, networks[static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())]);
                    },
                    tbb::simple_partitioner{});
            });
        }
        for (std::size_t slot = 0; slot < batch.size(); ++slot) {
            if (!solved[slot].done) continue;
            ++flows_;
            for (std::uint32_t v : solved[slot].side) settled[v] = 1;
            note({solved[slot].value, weights, batch[slot]});
        }
    }
}

/// Walks uphill in the weights with shrinking steps. The bound of an anchor is a minimum of functions linear in them: no local maxima but
/// for rounding.
void AnchoredCuts::refine(Found from) {
    const std::int64_t factor = kRefinedScale / from.weights.scale;
    for (auto part : {&CutWeights::scale, &CutWeights::work, &CutWeights::in, &CutWeights::out, &CutWeights::theta})
        from.weights.*part *= factor;
    std::int64_t budget =
        std::clamp<std::int64_t>(2'000'000 / static_cast<std::int64_t>(problem_.node_count() + problem_.edge_count()), 32, 256);
    for (std::int64_t step = kRefinedScale / 4; step > 0; step /= 2) {
        for (bool improved = true; improved;) {
            improved = false;
            for (const CutWeights& weights : neighbours(from.weights, problem_.model, relaxation_.spills, step)) {
                if (budget-- <= 0 || ended()) return;
                auto network = CutNetwork::build(problem_, relaxation_, weights);
                if (!network) continue;
                ++flows_;
                const Duration value = network->solve(from.anchor, options_.enough);
                if (value <= from.value) continue;
                from = {value, weights, from.anchor};
                note(from);
                improved = true;
                break;
            }
        }
    }
}

std::optional<Certificate> AnchoredCuts::run() {
    probe();
    for (const CutWeights& weights : starts_) {
        if (ended()) break;
        sweep(weights);
    }
    if (problem_.model == StageModel::overlap || relaxation_.spills)
        for (const Found& leader : std::vector(leaders_)) {
            if (ended()) break;
            refine(leader);
        }
    (void)ended();  // the last flow may have reached what is enough
    if (!best_.anchor.valid()) return std::nullopt;
    auto network = CutNetwork::build(problem_, relaxation_, best_.weights);
    network->solve(best_.anchor, options_.enough);  // the same flow again: cheaper than to keep every candidate's
    return certificate(network->witness(best_.anchor), best_.value);
}

}  // namespace

Result<BoundResult> prove_cut(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    AnchoredCuts cuts(problem, options, observer, limits, Duration{0});
    auto best = cuts.run();
    // No flow at all is a witness for zero.
    if (!best) best = cuts.certificate({.anchor = NodeId(0), .work = 0, .in = 0, .out = 0, .flows = {}}, Duration{0});
    return BoundResult{*std::move(best), cuts.termination()};
}

Raised raise_by_cuts(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits, Duration floor) {
    // Where weights are refined, an anchor that proves little under the first weights may yet win.
    const bool refined = problem.model == StageModel::overlap || relax(problem, options.stages, options.max_replicas).spills;
    AnchoredCuts cuts(problem, options, observer, limits, refined ? Duration{0} : floor);
    auto best = cuts.run();
    if (best && best->value <= floor) best.reset();
    return {std::move(best), cuts.termination()};
}

}  // namespace sluice::bound
