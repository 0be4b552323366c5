#include "sluice/mcm/search/lns.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "sluice/mcm/search/baselines.hpp"
#include "sluice/mcm/search/budget.hpp"
#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/order_dp.hpp"
#include "sluice/mcm/search/random_search.hpp"
#include "sluice/mcm/search/repair.hpp"
#include "sluice/mcm/search/window.hpp"

namespace sluice::mcm {

namespace {

class Neighbourhoods {
public:
    Neighbourhoods(const ChipProblem& problem, std::uint64_t seed, Trials& trials, const Limits& limits)
        : problem_(problem),
          trials_(trials),
          limits_(limits),
          random_(seed, 0x1a5),
          repair_(problem),
          windows_(problem),
          walk_(bisection_order(*problem.costs)) {}

    /// True: it was judged, and compiles. Takes it as the current one if there is none or it is better.
    bool ask(const Assignment& chips, std::string_view source) {
        if (seen_.contains(chips) || has_failed(chips)) return false;
        const Verdict* verdict = trials_.ask(chips, source);
        if (verdict == nullptr) return false;
        seen_.insert(chips);
        if (!verdict->fits()) {
            if (repair_.learn(*verdict))
                problem_.nogoods.push_back(verdict->failure->nodes);
            else if (verdict->failure->nodes.empty() && verdict->failure->chip != kUnknownChip)
                failed_.insert(content(chips, verdict->failure->chip));
            return false;
        }
        consider(chips, *verdict);
        return true;
    }
    void consider(const Assignment& chips, const Verdict& verdict) {
        const std::vector<Duration> planned = chip_times(problem_, chips);
        const std::vector<Duration>& times = verdict.chip_times.size() == planned.size() ? verdict.chip_times : planned;
        const auto period = static_cast<double>(std::max(verdict.period, Duration(1)).count());
        double norm = 0;
        for (const Duration time : times) norm += std::pow(static_cast<double>(time.count()) / period, 8);
        if (!current_.empty() && (verdict.period > period_ || (verdict.period == period_ && norm >= norm_))) return;
        current_ = chips;
        period_ = verdict.period;
        norm_ = norm;
        heaviest_ = static_cast<std::size_t>(std::ranges::max_element(times) - times.begin());
        factor_.assign(planned.size(), 1);
        for (std::size_t d = 0; d < planned.size(); ++d)
            if (planned[d] > Duration(0) && times[d] > Duration(0))
                factor_[d] = static_cast<double>(times[d].count()) / static_cast<double>(planned[d].count());
    }

    /// Something that compiles to begin with.
    Result<void> begin(const Assignment* start) {
        std::vector<Assignment> candidates;
        std::vector<NodeId> order;
        if (start != nullptr) {
            candidates.push_back(*start);
        } else {
            if (auto orders = sliced_orders(problem_, limits_); !orders.empty()) {
                order = std::move(orders.front().order);
                candidates.push_back(std::move(orders.front().chips));
            }
            auto shares = equal_shares(problem_, Share::work, repair_, random_);
            if (shares)
                candidates.push_back(std::move(shares->front()));
            else if (candidates.empty())
                return fail(std::move(shares.error()));
            std::ranges::stable_sort(candidates, {}, [&](const Assignment& chips) { return bottleneck(problem_, chips); });
        }
        for (const Assignment& candidate : candidates) ask(candidate, start != nullptr ? "start" : "orders and shares");
        if (current_.empty() && !order.empty()) {
            Lessons lessons(problem_);
            if (judge_slicings(problem_, order, "orders", lessons, trials_, limits_)) consider(trials_.best(), trials_.best_verdict());
        }
        for (std::size_t i = 0; current_.empty() && !trials_.over() && i < candidates.size(); ++i)
            for (std::size_t known = ~std::size_t{0}; known != repair_.learnt().size() && current_.empty() && !trials_.over();) {
                known = repair_.learnt().size();
                auto fixed = repair_.fix(candidates[i], walk_, random_);
                if (!fixed) return fail(std::move(fixed.error()));
                ask(*fixed, "repaired");
            }
        constexpr int kMostSamples = 2'000, kSpreads = 16;
        std::vector<std::vector<float>> priors;  // wider and wider
        for (int i = 0; current_.empty() && !trials_.over() && i < kMostSamples; ++i) {
            if (i < kSpreads) priors.push_back(equal_work_prior(problem_, order_of_numbers(), 0.25 * (1 + i)));
            auto drawn = repair_.sample(priors[static_cast<std::size_t>(i % kSpreads)], walk_, random_);
            if (!drawn) return fail(std::move(drawn.error()));
            ask(*drawn, "samples");
        }
        return {};
    }

    void run(std::int64_t last_evaluation, const Budget& budget) {
        constexpr int kMostIdle = 400;  // windows in a row that bring nothing new
        for (int idle = 0; idle < kMostIdle && !budget.spent() && trials_.evaluations() < last_evaluation && !current_.empty();) {
            const std::int64_t before = trials_.evaluations();
            Assignment next = propose();
            if (next.empty()) {
                ++idle;
                continue;
            }
            if (!seen_.contains(next)) {
                // Legal already it stays as it is.
                if (auto fixed = repair_.fix(next, walk_, random_)) ask(*fixed, "neighbourhoods");
            }
            idle = trials_.evaluations() > before ? 0 : idle + 1;
        }
    }

private:
    [[nodiscard]] std::vector<NodeId> order_of_numbers() const {
        std::vector<NodeId> order;
        for (std::size_t v = 0; v < problem_.node_count(); ++v) order.emplace_back(v);
        return order;
    }

    Assignment propose() {
        constexpr double kSpreads[] = {0, 0.02, 0.1, 0.3};
        const std::size_t used = std::size_t{1} + *std::ranges::max_element(current_);
        Window window;
        window.count = std::min<std::size_t>(used, 3 + random_.below(4));
        window.first = random_.below(used - window.count + 1);
        if (heaviest_ < used && random_.below(3) != 0) {
            const std::size_t back = random_.below(window.count);
            window.first = std::min(heaviest_ - std::min(heaviest_, back), used - window.count);
        }
        window.most = window.count + (used < problem_.chips ? 1 : 0);
        std::vector<double> factor = factor_;
        // The same window solved again is the same: half of the time the cost is shaken.
        if (random_.chance(0.5))
            for (double& f : factor) f *= 1 + 0.2 * (random_.unit() - 0.5);
        return windows_.solve(problem_, current_, window, factor, kSpreads[random_.below(std::size(kSpreads))], random_);
    }

    [[nodiscard]] static std::vector<std::uint32_t> content(std::span<const std::uint8_t> chips, std::size_t chip) {
        std::vector<std::uint32_t> nodes;
        for (std::uint32_t v = 0; v < chips.size(); ++v)
            if (chips[v] == chip) nodes.push_back(v);
        return nodes;
    }
    [[nodiscard]] bool has_failed(std::span<const std::uint8_t> chips) const {
        for (std::size_t d = 0; d < problem_.chips && !failed_.empty(); ++d)
            if (failed_.contains(content(chips, d))) return true;
        return false;
    }

    ChipProblem problem_;  // and what failed to compile
    Trials& trials_;
    const Limits& limits_;
    RandomStream random_;
    Repair repair_;
    WindowSolver windows_;
    std::vector<NodeId> walk_;
    Assignment current_;
    Duration period_{0};
    double norm_ = 0;
    std::size_t heaviest_ = 0;
    std::vector<double> factor_;  // per chip: judged over planned
    std::set<Assignment> seen_;
    std::set<std::vector<std::uint32_t>> failed_;  // what lay on chips that did not compile
};

}  // namespace

Result<PlannerResult> plan_by_lns(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    Neighbourhoods search(problem, options.seed, trials, limits);
    if (auto began = search.begin(options.start); !began && trials.evaluations() == 0) return fail(std::move(began.error()));
    search.run(std::numeric_limits<std::int64_t>::max(), Budget(trials, limits));
    return std::move(trials).finish();
}

void improve_by_lns(const ChipProblem& problem, std::uint64_t seed, Trials& trials, const Limits& limits, std::int64_t evaluations) {
    Neighbourhoods search(problem, seed, trials, limits);
    search.consider(trials.best(), trials.best_verdict());
    search.run(trials.evaluations() + evaluations, Budget(trials, limits));
}

}  // namespace sluice::mcm
