#include "sluice/inference/latency.hpp"

#include <algorithm>
#include <chrono>
#include <format>

#include "sluice/inference/orders.hpp"
#include "sluice/search/cluster.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/settle.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::inference {

namespace {

constexpr std::int64_t kUsualGroupings = 8;   // perturbed ones, when no limit is to be used up
constexpr std::int64_t kEverySlicingTo = 16;  // above, the numbers of devices double

/// Lets the signs of life through, without the bottlenecks that they tell of.
class WithoutObjective final : public Observer {
public:
    explicit WithoutObjective(Observer& out) : out_(out) {}
    void on_event(const Event& event) override {
        Event quiet = event;
        quiet.objective.reset();
        quiet.source = {};
        out_.on_event(quiet);
    }

private:
    Observer& out_;
};

search::SettleOptions settling(const PlannerOptions& options, const Limits& limits) {
    return {.stages = options.stages, .max_replicas = options.max_replicas, .objective = options.objective, .limits = &limits};
}

class LatencyPlanner {
public:
    LatencyPlanner(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem), options_(options), observer_(observer), limits_(limits) {}

    Result<PlannerResult> run(const Planner& planner) {
        auto base = start(planner);
        if (!base) return fail(std::move(base.error()));
        StopReason reason = StopReason::finished;
        consider(base->partition, base->winner.empty() ? std::string(planner.name) : base->winner);
        if (options_.start) consider(*options_.start, "the start");
        one_stage();
        grouping(0);
        slicings();
        for (std::int64_t i = 1; !ended() && (may_go_on() || i <= kUsualGroupings); ++i) grouping(i);
        if (met())
            reason = StopReason::optimal;
        else if (limits_.interrupted())
            reason = StopReason::interrupted;
        else if (limits_.out_of_time())
            reason = StopReason::time;
        else if (used_up())
            reason = StopReason::evaluations;
        return PlannerResult{.partition = std::move(best_),
                             .termination = {reason, seconds(), base->termination.evaluations + done_},
                             .winner = std::move(winner_)};
    }

private:
    Result<PlannerResult> start(const Planner& planner) {
        PlannerOptions asked = options_;
        asked.objective = Objective::throughput;
        asked.good_enough.reset();  // what is proven is about the latency
        asked.other_side = nullptr;
        asked.until_limit = false;
        Limits half = limits_;
        if (half.evaluations) half.evaluations = std::max<std::int64_t>(1, *half.evaluations / 2);
        if (half.deadline) half.deadline = Limits::Clock::now() + (*half.deadline - Limits::Clock::now()) / 2;
        if (half.evaluations) left_ = *limits_.evaluations - *half.evaluations;
        WithoutObjective quiet(observer_);
        return planner.plan(problem_, asked, quiet, half);
    }

    void consider(const cost::Partition& partition, std::string name) {
        ++done_;
        if (!faults_of(problem_, partition, options_.stages).empty()) return;
        cost::Partition candidate = search::settle(problem_, partition, settling(options_, limits_));
        cost::PartitionCost cost = price(problem_, candidate);
        if (!best_.stages.empty() && !better(cost, cost_, Objective::latency)) return;
        best_ = std::move(candidate);
        cost_ = std::move(cost);
        winner_ = std::move(name);
        observer_.on_event({seconds(), "latency", cost_.latency, std::nullopt, winner_});
    }

    void one_stage() {
        for (std::size_t c = 0; c < problem_.classes.size() && !ended(); ++c)
            consider({{{model_order(problem_), ClassId(c), 1}}}, "one stage");
    }

    void grouping(std::int64_t i) {
        if (ended()) return;
        RandomStream random(options_.seed, static_cast<std::uint64_t>(i));
        if (auto found = search::cluster(problem_, {.stages = options_.stages, .random = i > 0 ? &random : nullptr, .limits = &limits_}))
            consider(*found, i > 0 ? std::format("grouping #{}", i) : "grouping");
        else
            ++done_;
    }

    void slicings() {
        if (!search::sliceable(problem_, options_.stages)) return;
        search::Slicer slicer(problem_);
        const Order order = heavy_cone_order(problem_, ConeDirection::from_sinks, cone_work(problem_, ConeDirection::from_sinks));
        const auto most = std::min<std::int64_t>(options_.stages, static_cast<std::int64_t>(problem_.node_count()));
        for (std::int64_t k = 2; k <= most && !ended(); k = k < kEverySlicingTo ? k + 1 : 2 * k) {
            if (auto found = slicer.slice(order, {.stages = k, .limits = &limits_}))
                consider(*found, std::format("heavy-cone on {} devices", k));
            else
                ++done_;
        }
    }

    [[nodiscard]] bool met() const { return !best_.stages.empty() && options_.good_enough && cost_.latency <= *options_.good_enough; }
    [[nodiscard]] bool used_up() const { return left_ && done_ >= *left_; }
    [[nodiscard]] bool ended() const { return met() || used_up() || search::must_stop(limits_); }
    /// Is there a limit that what follows may use up?
    [[nodiscard]] bool may_go_on() const { return left_.has_value() || (options_.until_limit && limits_.deadline); }
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

    const cost::StageProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::optional<std::int64_t> left_;  // evaluations, after the planner's half
    std::int64_t done_ = 0;
    cost::Partition best_;
    cost::PartitionCost cost_;
    std::string winner_;
};

}  // namespace

Result<PlannerResult> plan_for_latency(const Planner& planner, const cost::StageProblem& problem, const PlannerOptions& options,
                                       Observer& observer, const Limits& limits) {
    return LatencyPlanner(problem, options, observer, limits).run(planner);
}

Result<PlannerResult> plan_for(const Planner& planner, const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                               const Limits& limits) {
    if (options.objective == Objective::latency) return plan_for_latency(planner, problem, options, observer, limits);
    auto result = planner.plan(problem, options, observer, limits);
    if (planner.baseline || !result || !faults_of(problem, result->partition, options.stages).empty())
        return result;  // the caller says what is wrong
    result->partition = search::settle(problem, result->partition, settling(options, limits));
    return result;
}

}  // namespace sluice::inference
