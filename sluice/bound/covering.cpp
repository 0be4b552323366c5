#include "sluice/bound/covering.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "sluice/base/wide.hpp"
#include "sluice/bound/ascent.hpp"
#include "sluice/bound/covering_program.hpp"
#include "sluice/bound/serial_terms.hpp"
#include "sluice/search/chain_of_cuts.hpp"
#include "sluice/search/counting.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/stage_pricing.hpp"

namespace sluice::bound {

namespace {

using search::SerialProblem;
using search::StagePricing;
using Index = SerialProblem::Index;
using Stage = std::vector<Index>;

constexpr double kOne = std::int64_t{1} << search::kCountingShift;  // a device
constexpr std::int64_t kCoveringResolution = 2048;                  // of a bisection
constexpr std::int64_t kFirstLabels = 64, kLeastLabels = 16, kManyLabels = 4096;
constexpr std::int64_t kFirstEffort = 20'000'000;     // labels that the first round may make: a fraction of a second,
constexpr std::int64_t kTimedEffort = 2'000'000'000;  // and where a deadline ends it anyway
constexpr std::int64_t kProgramEffort = 500'000;      // what a linear program costs, in labels: a millisecond or two
constexpr std::int64_t kCallsAtLeast = 10;            // of pricing, before anything may be proven
constexpr std::int64_t kAttempts = 4;                 // that share what effort a round has left
constexpr std::int64_t kGrowth = 4;
constexpr std::int64_t kCoveringRounds = 2;  // when no limit ends the search
constexpr std::int64_t kRoundsToHope = 8;    // between programs without a box
constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
constexpr double kFirstBox = 0.3, kLeastBox = 0.01, kWholeBox = 1, kNoBox = 1e9;  // of the weights, to both sides

class Covering {
public:
    Covering(Ascent& ascent, const SerialProblem& serial, const StagePricing& pricing, std::int64_t theta_halves, int threads,
             const Limits& limits)
        : ascent_(ascent),
          serial_(serial),
          pricing_(pricing),
          theta_halves_(theta_halves),
          threads_(threads),
          limits_(limits),
          replicas_(std::min(serial.replicas, serial.devices)),
          most_labels_(std::clamp(StagePricing::kMostLabels / pricing.states(), kLeastLabels, kManyLabels)),
          labels_(std::min(kFirstLabels, most_labels_)) {}

    /// Bisection from what is known towards what can be proven at all. True: more effort may prove more.
    bool climb(Duration most, std::int64_t effort);

private:
    struct Judgement {
        double value = 0;     // the weights' sum, in stages of the heaviest stage's weight per device
        double heaviest = 0;  // of a device
        bool complete = false;
    };
    enum class Answer { proven, not_so, too_much_effort, stopped };

    /// More labels than that were made, or all evaluations are used up.
    [[nodiscard]] bool spent(std::int64_t until) const {
        return work_ > until || ascent_.evaluations() >= limits_.evaluations.value_or(kUnlimited);
    }
    Answer attempt(Duration value, std::int64_t effort);
    [[nodiscard]] bool prepare(std::int64_t threshold);
    void fill_program(std::int64_t threshold);
    Judgement judge(const std::vector<double>& weights, std::int64_t threshold, bool list_stages);
    void try_lower(const std::vector<std::int64_t>& whole, const std::vector<StagePricing::Point>& frontier);
    bool confirm(Duration value, const std::vector<double>& weights);
    bool add_stage(Stage stage, std::int64_t threshold);
    [[nodiscard]] std::int64_t limit_for(std::int64_t devices, std::int64_t threshold) const {
        return search::stage_limit(pricing_.charge(), devices, threshold);
    }
    [[nodiscard]] std::int64_t devices_for(const Stage& stage, std::int64_t threshold) const;
    /// In devices: what fits no stage may weigh more than all of them, and more is of no use.
    [[nodiscard]] double heaviest_possible() const { return static_cast<double>(serial_.devices + 1); }

    Ascent& ascent_;
    const SerialProblem& serial_;
    const StagePricing& pricing_;
    const std::int64_t theta_halves_;
    const int threads_;
    const Limits& limits_;
    const std::int64_t replicas_, most_labels_;
    std::int64_t labels_, work_ = 0;
    std::set<Stage> stages_;      // every one that the program was ever told of, less those that only rounding made
    std::set<Stage> rounded_;     // dearer than they were priced
    std::vector<Stage> fresh_;    // of the last judgement
    std::vector<double> centre_;  // per group, in devices: the best weights so far
    double box_ = kFirstBox;
    std::optional<CoveringProgram> program_;
};

/// The least number of devices that the stage fits; 0: none.
std::int64_t Covering::devices_for(const Stage& stage, std::int64_t threshold) const {
    const std::int64_t cost = pricing_.charged_cost(stage);
    for (std::int64_t r = 1; r <= replicas_; ++r)
        if (cost <= limit_for(r, threshold)) return r;
    return 0;
}

bool Covering::add_stage(Stage stage, std::int64_t threshold) {
    if (stage.empty()) return false;
    const std::int64_t devices = devices_for(stage, threshold);
    const bool added = devices > 0 ? stages_.insert(stage).second : rounded_.insert(stage).second;
    if (added) program_->add(stage, devices > 0 ? devices : replicas_);
    return added;
}

void Covering::fill_program(std::int64_t threshold) {
    program_.emplace(serial_.group_count());
    rounded_.clear();
    for (const Stage& stage : stages_)
        if (const std::int64_t devices = devices_for(stage, threshold); devices > 0) program_->add(stage, devices);
}

/// Stages to begin with, the longest along the order; and weights, the better of shares of work and counting weights. False: stopped.
bool Covering::prepare(std::int64_t threshold) {
    fill_program(threshold);
    const auto order = pricing_.order();
    const std::int64_t limit = limit_for(1, threshold);
    for (std::size_t begin = 0, end = 0; begin < order.size(); ++begin) {
        std::int64_t work = 0;
        for (end = begin; end < order.size() && work <= limit; ++end) work += pricing_.charge().factor * serial_.work[order[end]];
        for (; end > begin; --end) {
            Stage stage(order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end));
            std::ranges::sort(stage);
            if (pricing_.charged_cost(stage) > limit) continue;
            add_stage(std::move(stage), threshold);
            break;
        }
    }
    if (!centre_.empty()) return true;

    centre_.assign(serial_.group_count(), 0);
    for (std::size_t g = 0; g < centre_.size(); ++g)
        centre_[g] =
            static_cast<double>(pricing_.charge().factor * serial_.work[g]) / static_cast<double>(std::max<std::int64_t>(limit, 1));
    const auto counting = search::counting_weights(serial_, threshold, threads_, limits_, theta_halves_);
    if (!counting) return false;
    if (!counting->refuted) {
        std::vector<double> other;
        for (std::int64_t weight : counting->weight) other.push_back(static_cast<double>(weight) / kOne);
        if (judge(other, threshold, true).value > judge(centre_, threshold, true).value) centre_ = std::move(other);
    }
    return true;
}

Covering::Judgement Covering::judge(const std::vector<double>& weights, std::int64_t threshold, bool list_stages) {
    ascent_.count_evaluation();
    std::vector<std::int64_t> whole;
    double sum = 0;
    for (double weight : weights) {
        whole.push_back(std::llround(std::max(weight, 0.0) * kOne));
        sum += static_cast<double>(whole.back());
    }
    fresh_.clear();
    Judgement judgement;
    for (std::int64_t r = 1; r <= replicas_; ++r) {
        StagePricing::Options options{.limit = limit_for(r, threshold), .labels = labels_};
        if (list_stages) options.wanted = static_cast<std::int64_t>(static_cast<double>(r) * kOne * (1 + 1e-6));
        auto priced = pricing_.price(whole, options, limits_);
        if (!priced) return {};
        work_ += priced->work;
        judgement.heaviest = std::max(judgement.heaviest, static_cast<double>(priced->frontier.back().weight) / static_cast<double>(r));
        std::ranges::move(priced->stages, std::back_inserter(fresh_));
        if (replicas_ == 1) try_lower(whole, priced->frontier);
    }
    judgement.complete = true;
    if (judgement.heaviest == 0) judgement.heaviest = kOne;  // all weight is where no stage fits
    judgement.value = sum / judgement.heaviest;
    judgement.heaviest /= kOne;
    return judgement;
}

/// The weights may prove a lower value than they were made for: none of less than the first stage that is too heavy.
void Covering::try_lower(const std::vector<std::int64_t>& whole, const std::vector<StagePricing::Point>& frontier) {
    const std::int64_t sum = std::accumulate(whole.begin(), whole.end(), std::int64_t{0});
    std::int64_t heaviest = 0, below = 0;
    for (const auto& point : frontier) {
        if (Wide{point.weight} * serial_.devices >= sum) {
            below = point.cost;
            break;
        }
        heaviest = point.weight;
    }
    if (below == 0 || heaviest == 0) return;
    const std::int64_t threshold = (below - 1 - pricing_.charge().allowance) / pricing_.charge().factor;
    const Duration value{threshold / serial_.charge.scale + 1};
    if (threshold < 0 || value <= ascent_.best() + ascent_.best() / kCoveringResolution) return;
    std::vector<double> weights;
    for (std::int64_t weight : whole) weights.push_back(static_cast<double>(weight) / static_cast<double>(heaviest));
    confirm(value, weights);
}

/// As the checker will see it.
bool Covering::confirm(Duration value, const std::vector<double>& weights) {
    const std::int64_t threshold = threshold_below(serial_, value);
    std::vector<std::int64_t> whole(weights.size());
    std::int64_t sum = 0;
    for (std::size_t g = 0; g < whole.size(); ++g)
        sum += whole[g] = static_cast<std::int64_t>(std::clamp(weights[g], 0.0, heaviest_possible()) * kOne * (1 - 1e-9));
    if (sum <= serial_.devices << search::kCountingShift) return false;
    const auto priced = pricing_.price(whole, {.limit = limit_for(replicas_, threshold), .labels = labels_}, limits_);
    if (!priced) return false;
    work_ += priced->work;
    std::int64_t devices = 1;
    for (const auto& point : priced->frontier) {
        while (point.cost > limit_for(devices, threshold)) ++devices;
        if (point.weight > devices << search::kCountingShift) return false;
    }
    CoveringWitness witness;
    witness.serial = terms_of(serial_);
    witness.theta_halves = theta_halves_;
    witness.labels = labels_;
    for (Index group : pricing_.order()) {
        witness.order.push_back(serial_.members[group].front());
        witness.weights.push_back(whole[group]);
    }
    witness.uncharged.assign(pricing_.uncharged().begin(), pricing_.uncharged().end());
    ascent_.prove(value, std::move(witness));
    return true;
}

Covering::Answer Covering::attempt(Duration value, std::int64_t effort) {
    const std::int64_t threshold = threshold_below(serial_, value), until = work_ + effort;
    const auto groups = serial_.group_count();
    const auto devices = static_cast<double>(serial_.devices);
    if (!prepare(threshold)) return Answer::stopped;
    double best = 0;
    const auto judge_centre = [&] {
        const Judgement judged = judge(centre_, threshold, false);
        best = judged.value;
        if (judged.complete)
            for (double& weight : centre_) weight = std::min(weight / judged.heaviest, heaviest_possible());
        return judged.complete;
    };
    if (!judge_centre()) return Answer::stopped;
    box_ = std::clamp(box_, kFirstBox, kWholeBox);
    const std::vector<double> none(groups, 0), most(groups, heaviest_possible());
    std::vector<double> lower(groups), upper(groups);
    const double enough = devices * (1 + 1e-8);
    for (std::int64_t round = 1; best <= enough; ++round) {
        if (spent(until)) return Answer::too_much_effort;
        work_ += kProgramEffort;
        for (std::size_t g = 0; g < groups; ++g) {
            lower[g] = std::max(0.0, centre_[g] * (1 - box_) - 1e-4 * box_);
            upper[g] = std::min(most[g], centre_[g] * (1 + box_) + 1e-3 * box_);
            lower[g] = std::min(lower[g], upper[g]);
        }
        const auto [weights, infeasible] = program_->solve(lower, upper, limits_);
        if (infeasible && box_ < kWholeBox) {  // by stages that only rounding makes possible; the whole box holds zero
            box_ = std::min(kWholeBox, 2 * box_);
            continue;
        }
        if (weights.empty()) return Answer::stopped;
        const double hoped = std::reduce(weights.begin(), weights.end());
        const Judgement judged = judge(weights, threshold, true);
        if (!judged.complete) return Answer::stopped;
        const double before = best;
        if (judged.value > best) {
            best = judged.value;
            for (std::size_t g = 0; g < groups; ++g) centre_[g] = std::min(weights[g] / judged.heaviest, heaviest_possible());
        }
        if (best > enough) break;
        bool added = false;
        for (Stage& stage : fresh_) added = add_stage(std::move(stage), threshold) || added;

        const bool better = judged.value > before * (1 + 1e-6);
        const bool stuck = !better && (!added || hoped <= before * (1 + 1e-6));
        bool too_rough = stuck && (!rounded_.empty() || judged.value < hoped * 0.999);  // only rounding makes these stages possible
        if (better && judged.value - before > (hoped - before) / 2) {
            box_ = std::min(kWholeBox, box_ * 1.5);
        } else if (stuck && !too_rough) {
            if (box_ >= kNoBox) return Answer::not_so;
            box_ = box_ < kWholeBox ? std::min(kWholeBox, box_ * 4) : kNoBox;
        } else if (!better) {
            box_ = std::max(kLeastBox, box_ * 0.7);
        }
        if (!too_rough && (!added || round % kRoundsToHope == 0)) {  // is there hope at all?
            const auto all = program_->solve(none, most, limits_);
            if (all.weights.empty()) return Answer::stopped;
            if (std::reduce(all.weights.begin(), all.weights.end()) <= devices) {
                if (rounded_.empty()) return Answer::not_so;
                too_rough = true;
            }
        }
        if (too_rough) {
            if (labels_ >= most_labels_) return Answer::not_so;
            labels_ = std::min(2 * labels_, most_labels_);
            fill_program(threshold);
            box_ = std::max(box_, 0.1);
            if (!judge_centre()) return Answer::stopped;
        }
    }
    return confirm(value, centre_) ? Answer::proven : Answer::not_so;
}

bool Covering::climb(Duration most, std::int64_t effort) {
    if (pricing_.least_work() > effort / kCallsAtLeast) return true;
    const std::int64_t until = work_ + effort;
    const auto top = [&] { return std::min(most, ascent_.enough().value_or(most)); };
    const auto step = [&] { return std::max(Duration{1}, ascent_.best() / kCoveringResolution); };
    Duration high = top() + Duration{1};  // the least that was asked in vain
    // The first question is whether there is anything to be had; where nothing is known from above, the next go up step by step.
    Duration reach = std::max(even_share(serial_), ascent_.best() + step());
    bool cut_short = false;
    while (!ascent_.ended()) {
        const Duration most_left = std::min(high - Duration{1}, top());
        if (most_left <= ascent_.best() || (high <= top() && high - ascent_.best() <= step())) break;
        if (spent(until)) return true;
        const Duration middle = ascent_.best() + (most_left - ascent_.best() + Duration{1}) / 2;
        const Duration value =
            most_left - ascent_.best() <= step() ? most_left : std::min(middle, std::max(reach, ascent_.best() + step()));
        const Answer answer = attempt(value, (until - work_) / kAttempts + 1);
        if (answer == Answer::stopped) return false;
        if (answer == Answer::proven) {
            reach = ascent_.best() + ascent_.best() / 8;
            continue;
        }
        cut_short = cut_short || answer == Answer::too_much_effort;
        if (value <= ascent_.best() + step()) break;  // hardly more than is known
        high = value;
    }
    return cut_short;
}

/// `share`: when to stop, at the latest when `limits` say so.
Raised cover(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits, const Limits& share,
             Duration floor) {
    Ascent ascent(problem, options, observer, limits, floor, "covering");
    for (const search::Charge& charge : search::charges_for(problem.model)) {
        auto relaxed = search::relax_to_serial(problem, options.stages, options.max_replicas, charge);
        if (!relaxed || ascent.ended()) continue;
        const SerialProblem serial = search::merge_safely(*std::move(relaxed));
        for (std::int64_t theta = serial.spills ? 2 : 0; theta >= 0 && !ascent.ended() && !search::must_stop(share); --theta) {
            const auto pricing = StagePricing::build(serial, search::heavy_cone_order(serial), theta, share);
            if (!pricing) break;
            Covering covering(ascent, serial, *pricing, theta, options.threads, share);
            std::int64_t effort = share.deadline ? kTimedEffort : kFirstEffort;
            for (std::int64_t round = 0; !ascent.ended() && !search::must_stop(share) && (round < kCoveringRounds || share.deadline);
                 ++round) {
                if (!covering.climb(most_provable(serial), effort)) break;
                effort *= kGrowth;
            }
        }
    }
    return {ascent.take(), ascent.termination()};
}

}  // namespace

Raised raise_by_covering(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits,
                         Duration floor) {
    Limits share = limits;  // half of the time: exact search comes after
    if (limits.deadline) share.deadline = Limits::Clock::now() + (*limits.deadline - Limits::Clock::now()) / 2;
    return cover(problem, options, observer, limits, share, floor);
}

Result<BoundResult> prove_covering(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                   const Limits& limits) {
    if (auto sound = refuse_empty(problem, options); !sound) return fail(sound.error());
    Limits share = limits;  // the check repeats the dynamic program and needs time, too
    if (limits.deadline) share.deadline = Limits::Clock::now() + (*limits.deadline - Limits::Clock::now()) * 9 / 10;
    Raised raised = cover(problem, options, observer, limits, share, Duration{0});
    if (!raised.certificate) {
        CoveringWitness trivial;
        trivial.serial.transfer = 0;
        for (std::size_t v = 0; v < problem.node_count(); ++v) trivial.order.emplace_back(v);
        trivial.weights.assign(problem.node_count(), 0);
        raised.certificate =
            Ascent(problem, options, observer, limits, Duration{0}, "covering").certificate(Duration{0}, std::move(trivial));
    }
    return BoundResult{*std::move(raised.certificate), raised.termination};
}

}  // namespace sluice::bound
