#include "sluice/mcm/search/anneal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "sluice/mcm/search/baselines.hpp"
#include "sluice/mcm/search/budget.hpp"
#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/repair.hpp"

namespace sluice::mcm {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

class Annealing {
public:
    Annealing(const ChipProblem& problem, const AnnealOptions& how, const PlannerOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem),
          how_(how),
          options_(options),
          trials_(problem, options, observer, limits),
          budget_(trials_, limits),
          repair_(problem),
          random_(options.seed),
          walk_(bisection_order(*problem.costs)) {}

    Result<PlannerResult> run() {
        if (auto began = begin(); !began) return fail(std::move(began.error()));
        measure(current_);
        int idle = 0;
        while (!budget_.spent() && idle < kMostIdle) {
            share_ = budget_.share();
            State next = propose();
            if (next.chips.empty() || next.chips == current_.chips) {
                ++idle;
                continue;
            }
            idle = measure(next) ? 0 : idle + 1;
            if (accepts(next.energy - current_.energy)) current_ = std::move(next);
        }
        return std::move(trials_).finish();
    }

private:
    static constexpr int kMostIdle = 2'000;    // proposals in a row that are known already
    static constexpr std::size_t kFirst = 20;  // moves whose changes set the temperature

    struct State {
        Assignment chips;               // legal
        std::vector<std::size_t> cuts;  // of order_, when these are moved
        double energy = kInfinite;
        std::size_t heaviest = 0;
        bool told = false;
    };

    Result<void> begin() {
        if (options_.start) {
            current_.chips = *options_.start;
        } else if (how_.start == AnnealStart::equal_work || how_.moves == AnnealMoves::cut) {
            auto shares = equal_shares(problem_, Share::work, repair_, random_);
            if (!shares) return fail(std::move(shares.error()));
            current_.chips = std::move(shares->front());
        } else {
            auto drawn = repair_.sample({}, walk_, random_);
            if (!drawn) return fail(std::move(drawn.error()));
            current_.chips = *std::move(drawn);
        }
        if (how_.moves != AnnealMoves::cut) return {};
        // An order that the assignment is slices of.
        for (std::size_t v = 0; v < problem_.node_count(); ++v) order_.emplace_back(v);
        std::ranges::stable_sort(order_, {}, [&](NodeId v) { return current_.chips[v.index()]; });
        current_.cuts.assign(problem_.chips - 1, 0);
        if (how_.start == AnnealStart::random && !options_.start) {
            for (std::size_t& cut : current_.cuts) cut = random_.below(order_.size() + 1);
            std::ranges::sort(current_.cuts);
            auto fixed = express(current_.cuts);
            if (!fixed) return fail(std::move(fixed.error()));
            current_.chips = *std::move(fixed);
            return {};
        }
        for (const std::uint8_t chip : current_.chips)
            for (std::size_t d = chip; d < current_.cuts.size(); ++d) ++current_.cuts[d];
        return {};
    }

    Result<Assignment> express(std::span<const std::size_t> cuts) { return repair_.fix(cut_at(order_, cuts), walk_, random_); }

    State propose() { return how_.moves == AnnealMoves::cut ? shift() : move(); }

    State move() {
        const std::size_t nodes = problem_.node_count();
        NodeId node(random_.below(nodes));
        if (how_.moves == AnnealMoves::smooth && current_.told && random_.chance(how_.heavy)) {
            heavy_.clear();
            for (std::size_t v = 0; v < nodes; ++v)
                if (current_.chips[v] == current_.heaviest) heavy_.emplace_back(v);
            if (!heavy_.empty()) node = heavy_[random_.below(heavy_.size())];
        }
        const std::size_t from = current_.chips[node.index()];
        std::size_t step = 1;
        while (random_.chance(how_.far * (1 - share_))) ++step;
        const bool up = random_.chance(0.5);
        if (up ? from + step >= problem_.chips : from < step) return {};
        Assignment wish = current_.chips;
        wish[node.index()] = static_cast<std::uint8_t>(up ? from + step : from - step);
        // It decides first, the others stay where they can.
        order_.assign(1, node);
        for (const NodeId other : walk_)
            if (other != node) order_.push_back(other);
        auto fixed = repair_.fix(wish, order_, random_);
        State next;
        if (fixed) next.chips = *std::move(fixed);
        return next;
    }

    State shift() {
        State next;
        if (current_.cuts.empty()) return next;
        next.cuts = current_.cuts;
        const std::size_t first = random_.below(next.cuts.size());
        std::size_t last = first + 1;
        while (last < next.cuts.size() && random_.chance(how_.far * (1 - share_))) ++last;
        std::size_t step = 1;
        const double mean = 1 + how_.step * (1 - share_) * static_cast<double>(order_.size()) / static_cast<double>(problem_.chips);
        while (random_.chance(1 - 1 / mean)) ++step;
        const bool up = random_.chance(0.5);
        for (std::size_t d = first; d < last; ++d) {
            std::size_t& cut = next.cuts[d];
            cut = up ? std::min(cut + step, order_.size()) : cut - std::min(cut, step);
        }
        std::ranges::sort(next.cuts);
        if (auto fixed = express(next.cuts)) next.chips = *std::move(fixed);
        return next;
    }

    /// False: the judge was not asked.
    bool measure(State& state) {
        std::uint64_t hash = 0x9e3779b97f4a7c15;
        for (const std::uint8_t chip : state.chips) hash = (hash ^ (chip + 1)) * 0x100000001b3 + (hash >> 29);
        const auto known = known_.find(hash);
        if (known != known_.end()) {
            state.energy = known->second.energy;
            state.heaviest = known->second.heaviest;
            state.told = known->second.told;
            return false;
        }
        const Verdict* verdict = trials_.ask(state.chips, source());
        if (verdict == nullptr) return true;
        if (verdict->fits()) {
            state.told = !verdict->chip_times.empty();
            state.energy = std::log(objective(*verdict));
            if (state.told)
                state.heaviest = static_cast<std::size_t>(std::ranges::max_element(verdict->chip_times) - verdict->chip_times.begin());
        } else {
            repair_.learn(*verdict);
        }
        known_.emplace(hash, Known{state.energy, state.heaviest, state.told});
        return true;
    }

    [[nodiscard]] double objective(const Verdict& verdict) const {
        const auto period = std::max(static_cast<double>(verdict.period.count()), 1.0);
        if (how_.moves != AnnealMoves::smooth || verdict.chip_times.empty()) return period;
        double sum = 0;
        for (const Duration time : verdict.chip_times) sum += std::pow(static_cast<double>(time.count()) / period, how_.norm);
        return period * std::pow(std::max(sum, 1e-30), 1 / how_.norm);
    }

    bool accepts(double change) {
        if (current_.energy == kInfinite) return true;  // it does not compile: look elsewhere
        if (std::isnan(change) || change == kInfinite) return false;
        if (change > 0 && changes_ < kFirst) mean_ += (change - mean_) / static_cast<double>(++changes_);
        if (change <= 0) return true;
        const double temperature = mean_ * how_.hot * std::pow(how_.cold / how_.hot, share_);
        return random_.unit() < std::exp(-change / temperature);
    }

    [[nodiscard]] std::string_view source() const {
        return how_.moves == AnnealMoves::node ? "node moves" : how_.moves == AnnealMoves::cut ? "cut moves" : "smooth moves";
    }

    struct Known {
        double energy;
        std::size_t heaviest;
        bool told;
    };
    const ChipProblem& problem_;
    const AnnealOptions how_;
    const PlannerOptions& options_;
    Trials trials_;
    Budget budget_;
    Repair repair_;
    RandomStream random_;
    std::vector<NodeId> walk_, order_, heavy_;
    State current_;
    std::unordered_map<std::uint64_t, Known> known_;
    double mean_ = 0, share_ = 0;
    std::size_t changes_ = 0;
};

}  // namespace

Result<PlannerResult> plan_by_annealing(const ChipProblem& problem, const AnnealOptions& how, const PlannerOptions& options,
                                        Observer& observer, const Limits& limits) {
    return Annealing(problem, how, options, observer, limits).run();
}

}  // namespace sluice::mcm
