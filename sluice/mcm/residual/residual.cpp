#include "sluice/mcm/residual/residual.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/mcm/residual/learners.hpp"

namespace sluice::mcm {

namespace {

constexpr std::string_view kAnalytical = "analytical", kReweighting = "reweighting", kPerceptron = "perceptron",
                           kBoth = "perceptron reweighted", kEvolution = "evolution";

/// Corrections become plans, plans verdicts; each plan is judged once.
class Residual {
public:
    Residual(const ChipProblem& problem, std::uint64_t seed, Lessons& lessons, Trials& trials, const Limits& limits)
        : problem_(problem),
          lessons_(lessons),
          trials_(trials),
          limits_(limits),
          random_(seed, 1),
          table_(local_features(problem)),
          replanner_(problem),
          base_{.log_work = std::vector<double>(problem.node_count(), 0)} {}

    void run(const ResidualOptions& options) {
        if (!attempt(base_, kAnalytical)) return;
        if (!seen_.empty()) learn_from_chip_times(options);
        evolve(options);
    }

private:
    struct Judged {
        std::optional<Duration> period;  // none: it does not compile
        bool fresh = false;
    };

    /// nullopt: it is over, or there is no plan.
    std::optional<Judged> attempt(const Correction& correction, std::string_view source) {
        constexpr int kMostFailures = 256;  // in a row
        for (int i = 0; i < kMostFailures && !trials_.over(); ++i) {
            const auto plan = replanner_.plan(correction, lessons_, limits_);
            if (!plan) return std::nullopt;
            if (const auto known = judged_.find(plan->chips); known != judged_.end()) return Judged{known->second, false};
            const Verdict* verdict = trials_.ask(plan->chips, source);
            if (verdict == nullptr) return std::nullopt;
            if (!verdict->failure) {
                judged_.emplace(plan->chips, verdict->period);
                if (!verdict->chip_times.empty()) seen_.push_back(observed(problem_, table_, plan->chips, verdict->chip_times));
                return Judged{verdict->period, true};
            }
            judged_.emplace(plan->chips, std::nullopt);
            if (!lessons_.learn(*verdict->failure, replanner_.order(plan->order), plan->chips)) return Judged{std::nullopt, true};
        }
        return std::nullopt;
    }

    void learn_from_chip_times(const ResidualOptions& options) {
        constexpr int kFirstSteps = 240, kSteps = 120;
        PerceptronLearner perceptron(problem_, table_, random_);
        int stale = 0;
        for (std::int64_t i = 0; i < options.with_chip_times && stale < 3 && !trials_.over(); ++i) {
            std::optional<Judged> judged;
            if (i % 3 == 0) judged = attempt(reweighted(problem_, base_, seen_), kReweighting);
            if (i % 3 == 1) {
                perceptron.learn(seen_, i == 1 ? kFirstSteps : kSteps);
                judged = attempt(perceptron.correction(), kPerceptron);
            }
            if (i % 3 == 2) judged = attempt(reweighted(problem_, perceptron.correction(), seen_), kBoth);
            stale = judged && judged->fresh ? 0 : stale + 1;
        }
        base_ = reweighted(problem_, perceptron.correction(), seen_);
    }

    void evolve(const ResidualOptions& options) {
        constexpr std::size_t kChildren = 20, kParents = kChildren / 4, kGenes = kLocalFeatures + 3;
        constexpr double kSpread = 0.25, kLeastSpread = 0.02;
        constexpr std::size_t kSteps = 6;
        using Genes = std::vector<double>;  // bias, weights of the features, log link, message
        double unit = 0;
        for (const Duration transfer : problem_.costs->transfer) unit += static_cast<double>(transfer.count());
        unit /= static_cast<double>(std::max<std::size_t>(1, problem_.costs->edge_count()));
        const auto correction_of = [&](const Genes& genes) {
            std::vector<double> of_row;
            for (const LocalFeatures& row : table_.rows)
                of_row.push_back(std::inner_product(row.begin(), row.end(), genes.begin() + 1, genes[0]));
            Correction correction = base_;
            for (std::size_t v = 0; v < correction.log_work.size(); ++v) correction.log_work[v] += of_row[table_.row_of[v]];
            correction.log_link += genes[kGenes - 2];
            correction.message = std::max(0.0, correction.message + genes[kGenes - 1] * unit);
            return correction;
        };
        Genes mean(kGenes, 0);
        double spread = kSpread;
        Duration best = trials_.found() ? trials_.best_period() : Duration::max();
        for (int generation = 0, without = 0; generation < options.generations && without < options.patience; ++generation) {
            std::vector<std::pair<Duration, Genes>> children;
            bool fresh = false;
            for (std::size_t i = 0; i < kChildren; ++i) {
                Genes genes = mean;
                // Near and far: how much the cost is wrong is not known either.
                const double step = std::ldexp(spread, -static_cast<int>(i % kSteps));
                for (double& gene : genes) gene += step * normal();
                const auto judged = attempt(correction_of(genes), kEvolution);
                if (!judged) {
                    if (trials_.over() || limits_.interrupted() || limits_.out_of_time()) return;
                    continue;
                }
                fresh |= judged->fresh;
                children.emplace_back(judged->period.value_or(Duration::max()), std::move(genes));
            }
            if (children.empty()) return;
            std::ranges::stable_sort(children, {}, &std::pair<Duration, Genes>::first);
            children.resize(std::min(children.size(), kParents));
            std::ranges::fill(mean, 0);
            for (const auto& [period, genes] : children)
                for (std::size_t g = 0; g < kGenes; ++g) mean[g] += genes[g] / static_cast<double>(children.size());
            // Nothing new within reach: look further; else draw closer slowly.
            spread = fresh ? std::max(kLeastSpread, spread * 0.95) : spread * 1.5;
            const bool better = trials_.found() && trials_.best_period() < best;
            if (better) best = trials_.best_period();
            without = better ? 0 : without + 1;
        }
    }

    /// By Box and Muller.
    double normal() {
        const double radius = std::sqrt(-2 * std::log(1 - random_.unit()));
        return radius * std::cos(2 * 3.14159265358979323846 * random_.unit());
    }

    const ChipProblem& problem_;
    Lessons& lessons_;
    Trials& trials_;
    const Limits& limits_;
    RandomStream random_;
    const FeatureTable table_;
    Replanner replanner_;
    Correction base_;
    std::map<Assignment, std::optional<Duration>> judged_;
    std::vector<Observed> seen_;
};

}  // namespace

void improve_by_residual(const ChipProblem& problem, std::uint64_t seed, Lessons& lessons, Trials& trials, const Limits& limits,
                         const ResidualOptions& options) {
    Residual(problem, seed, lessons, trials, limits).run(options);
}

Result<PlannerResult> plan_by_residual(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                       const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    Lessons lessons(problem);
    improve_by_residual(problem, options.seed, lessons, trials, limits);
    if (trials.evaluations() == 0 && !trials.over()) return fail(no_slicing());
    return std::move(trials).finish();
}

}  // namespace sluice::mcm
