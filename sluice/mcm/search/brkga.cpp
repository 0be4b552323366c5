#include "sluice/mcm/search/brkga.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "sluice/mcm/search/budget.hpp"
#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/keys.hpp"
#include "sluice/mcm/search/order_dp.hpp"

namespace sluice::mcm {

namespace {

constexpr double kElite = 0.2, kMutants = 0.15, kBias = 0.7;

class Evolution {
public:
    /// `most`: evaluations of its own; none: what the limits allow.
    Evolution(const ChipProblem& problem, std::uint64_t seed, int threads, Trials& trials, const Limits& limits,
              std::optional<std::int64_t> most)
        : problem_(problem),
          seed_(seed),
          limits_(limits),
          trials_(trials),
          budget_(trials, limits),
          last_(most ? trials.evaluations() + *most : std::numeric_limits<std::int64_t>::max()),
          decoder_(problem),
          levels_(*problem.costs),
          arena_(std::max(threads, 1)) {
        const auto evaluations = static_cast<double>(most.value_or(limits.evaluations.value_or(Budget::kEvaluations)));
        population_ = static_cast<std::size_t>(std::clamp(std::sqrt(evaluations), 10.0, 100.0));
        elite_ = std::max<std::size_t>(1, static_cast<std::size_t>(kElite * static_cast<double>(population_)));
        mutants_ = std::max<std::size_t>(1, static_cast<std::size_t>(kMutants * static_cast<double>(population_)));
    }

    /// `start`: one more order of the first generation, judged unless it is the best already. Fails where nothing was judged.
    Result<void> run(const Assignment* start) {
        constexpr int kMostIdle = 10;  // generations in a row of which everything is known
        if (trials_.found()) known_[trials_.best()] = trials_.best_period();
        if (start != nullptr) judge(*start, "start");
        std::vector<Member> members = first(start);
        if (auto done = evaluate(members, 0); !done && trials_.evaluations() == 0) return done;
        for (int idle = 0; !spent() && idle < kMostIdle;) {
            ++generation_;
            const std::int64_t before = trials_.evaluations();
            members = breed(members);
            if (!evaluate(members, elite_)) break;
            idle = trials_.evaluations() > before ? 0 : idle + 1;
        }
        return {};
    }

private:
    struct Member {
        Keys keys;
        Duration fitness = Duration::max();
        std::optional<Assignment> chips;
    };

    [[nodiscard]] RandomStream stream(std::size_t member) const { return RandomStream(seed_, generation_ * population_ + member); }

    [[nodiscard]] bool spent() const { return budget_.spent() || trials_.evaluations() >= last_; }

    std::vector<Member> first(const Assignment* start) {
        std::vector<Member> members(population_);
        const auto known = known_orders(*problem_.costs);
        std::size_t next = 0;
        const auto add = [&](std::span<const NodeId> order) {
            if (next < population_) members[next++].keys = keys_of(order);
        };
        if (start != nullptr && problem_.rules.acyclic) add(order_of(*start));
        for (const auto& order : known) add(order);
        for (std::size_t i = 0; next < population_ / 2; ++i) {
            RandomStream random = stream(next);
            add(perturbed_order(*problem_.costs, known[i % known.size()], 0.02, random));
        }
        for (; next < population_; ++next) {
            RandomStream random = stream(next);
            members[next].keys = levels_.draw(random);
        }
        return members;
    }

    /// The elite first, in their order.
    std::vector<Member> breed(std::vector<Member>& parents) {
        std::vector<std::size_t> ranked(parents.size());
        std::iota(ranked.begin(), ranked.end(), std::size_t{0});
        std::ranges::stable_sort(ranked, {}, [&](std::size_t i) { return parents[i].fitness; });
        std::vector<Member> children(population_);
        for (std::size_t i = elite_; i < population_; ++i) {
            RandomStream random = stream(i);
            if (i >= population_ - mutants_) {
                children[i].keys = levels_.draw(random);
                continue;
            }
            const Keys& better = parents[ranked[random.below(elite_)]].keys;
            const Keys& other = parents[ranked[elite_ + random.below(population_ - elite_)]].keys;
            children[i].keys.resize(better.size());
            for (std::size_t v = 0; v < better.size(); ++v) children[i].keys[v] = random.chance(kBias) ? better[v] : other[v];
        }
        for (std::size_t i = 0; i < elite_; ++i) children[i] = std::move(parents[ranked[i]]);
        return children;
    }

    Result<void> evaluate(std::vector<Member>& members, std::size_t from) {
        constexpr std::size_t kBatch = 16;  // fixed: what a batch teaches is known to the next one
        for (std::size_t begin = from; begin < members.size(); begin += kBatch) {
            if (spent()) return {};
            const std::size_t end = std::min(begin + kBatch, members.size());
            arena_.execute([&] {
                tbb::parallel_for(begin, end, [&](std::size_t i) {
                    members[i].chips = decoder_.slice(order_by_keys(*problem_.costs, members[i].keys), limits_);
                });
            });
            for (std::size_t i = begin; i < end && !spent(); ++i) {
                if (!members[i].chips) {
                    RandomStream random(seed_, generation_ * population_ + i + (std::uint64_t{1} << 40));
                    auto repaired = decoder_.repair(order_by_keys(*problem_.costs, members[i].keys), random, limits_);
                    if (!repaired) return fail(std::move(repaired.error()));
                    members[i].chips = *std::move(repaired);
                }
                members[i].fitness = judge(*members[i].chips, generation_ == 0 ? "first generation" : "later generations");
                members[i].chips.reset();
            }
        }
        return {};
    }

    Duration judge(const Assignment& chips, std::string_view source) {
        if (const auto known = known_.find(chips); known != known_.end()) return known->second;
        const Verdict* verdict = trials_.ask(chips, source);
        if (verdict == nullptr) return Duration::max();
        decoder_.learn(*verdict, chips);
        return known_[chips] = verdict->fits() ? verdict->period : Duration::max();
    }

    const ChipProblem& problem_;
    std::uint64_t seed_;
    const Limits& limits_;
    Trials& trials_;
    Budget budget_;
    std::int64_t last_;  // of the evaluations of `trials_`
    Decoder decoder_;
    LevelKeys levels_;
    tbb::task_arena arena_;
    std::size_t population_ = 0, elite_ = 0, mutants_ = 0;
    std::uint64_t generation_ = 0;
    std::map<Assignment, Duration> known_;
};

}  // namespace

Result<PlannerResult> plan_by_brkga(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    Trials trials(problem, options, observer, limits);
    Evolution evolution(problem, options.seed, options.threads, trials, limits, std::nullopt);
    if (auto done = evolution.run(options.start); !done) return fail(std::move(done.error()));
    return std::move(trials).finish();
}

void improve_by_brkga(const ChipProblem& problem, std::uint64_t seed, int threads, Trials& trials, const Limits& limits,
                      std::int64_t evaluations) {
    const Assignment start = trials.best();
    // It cannot fail: something is judged.
    (void)Evolution(problem, seed, threads, trials, limits, evaluations).run(&start);
}

}  // namespace sluice::mcm
