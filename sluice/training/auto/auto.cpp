#include "sluice/training/auto/auto.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <format>
#include <limits>
#include <map>
#include <ranges>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "sluice/base/random.hpp"
#include "sluice/program/pipeline.hpp"
#include "sluice/program/training_order.hpp"
#include "sluice/training/auto/layout.hpp"
#include "sluice/training/auto/slicing.hpp"
#include "sluice/training/evaluate.hpp"
#include "sluice/training/graphpipe/graphpipe.hpp"
#include "sluice/training/memory_fit.hpp"
#include "sluice/training/peers/gpipe.hpp"
#include "sluice/training/peers/megatron.hpp"
#include "sluice/training/peers/pipedream.hpp"
#include "sluice/training/peers/piper.hpp"

namespace sluice::training {

namespace {

using cost::TrainingPartition;

constexpr std::size_t kWalked = 6;          // layouts that are improved
constexpr std::int64_t kWalks = 12000;      // evaluations without a better one that end a walk, over all layouts
constexpr std::int64_t kDeepest = 2;        // times the in-flight rule's caps, where memory allows
constexpr std::size_t kTurnsAnOrder = 400;  // of the walks, before one of them begins anew with another order
constexpr std::size_t kMostSizes = 24;
constexpr std::int64_t kMostPieces = 16;           // of a slice
constexpr std::chrono::milliseconds kUsual{4000};  // without any limit

struct Candidate {
    Layout layout;
    Duration time{0};
    std::string name;
};

struct Proposal {
    std::int64_t load = 0;     // of the busiest devices, as the slicer estimates it: sums of gradients are charged whole
    std::int64_t promise = 0;  // with half of what one micro-batch takes on its longest way, while others wait
    Candidate candidate;
};

class AutoSearch {
public:
    AutoSearch(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem), options_(options), observer_(observer), limits_(limits), devices_(device_count(problem)) {}

    Result<PlannerResult> run() {
        for (auto& order : branch_orders(problem_.structure)) orders_.push_back(std::move(order));
        graphpipe_ = by_graphpipe();
        for (const std::int64_t size : by_promise())
            if (!ended() && (!best_ || Duration{least_load(size)} < best_->time)) try_size(size);
        if (best_) walk();
        return finish();
    }

private:
    /// Of the busiest device at best: all passes over the mini-batch, shared evenly, each device with a whole micro-batch at a time.
    [[nodiscard]] std::int64_t least_load(std::int64_t size) {
        std::int64_t least = std::numeric_limits<std::int64_t>::max();
        for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
            std::int64_t whole = 0;
            for (const cost::PassTimes& times : cost::pass_times(problem_, ClassId(c), size)) whole += times.total().count();
            least = std::min(least, whole * (problem_.options.mini_batch / size) / devices_);
        }
        return least;
    }

    /// Micro-batches, those that may lead furthest first.
    [[nodiscard]] std::vector<std::int64_t> by_promise() {
        std::vector<std::pair<std::int64_t, std::int64_t>> promised;
        for (const std::int64_t size : sizes_)
            promised.emplace_back(
                least_load(size) + longest_way(orders_.front(), std::max<std::int64_t>(1, size / std::min(size, devices_))) / 2, size);
        std::ranges::sort(promised);
        std::vector<std::int64_t> sizes;
        for (const auto& [promise, size] : promised) sizes.push_back(size);
        return sizes;
    }

    /// Every layout with micro-batches of this size, the most promising first.
    void try_size(std::int64_t size) {
        std::vector<Proposal> proposals;
        while (slicers_.size() < orders_.size()) slicers_.emplace_back(problem_, orders_[slicers_.size()]);
        for (std::size_t o = 0; o < slicers_.size(); ++o) {
            Slicer& slicer = slicers_[o];
            const auto add = [&](auto&& lay_out, auto&& name_of) {
                if (ended()) return;
                std::optional<Layout> layout = lay_out();
                if (!layout || (best_ && Duration{slicer.load()} >= best_->time)) return;
                const std::int64_t share = layout->micro_batch * std::ssize(layout->groups) / devices_;
                const std::int64_t way = longest_way(orders_[o], std::max<std::int64_t>(1, share));
                proposals.push_back({slicer.load(), slicer.load() + way / 2, {std::move(*layout), {}, name_of()}});
            };
            for (std::int64_t replicas = 1; replicas <= std::min(devices_, size); ++replicas) {
                if (devices_ % replicas != 0) continue;
                for (const std::int64_t slices : {1, 2, 4})
                    for (const bool there_and_back : {false, true}) {
                        if (slices == 1 && there_and_back) continue;
                        add([&] { return slicer.in_turn(size, replicas, slices, there_and_back); },
                            [&] {
                                return std::format("micro-batch {}, {} replica{}, {} slice{} a device{}", size, replicas,
                                                   replicas == 1 ? "" : "s", slices, slices == 1 ? "" : "s",
                                                   there_and_back ? ", there and back" : "");
                            });
                    }
            }
            if (devices_ > 1)
                add([&] { return slicer.by_device(size); },
                    [&] { return std::format("micro-batch {}, slices on groups of devices", size); });
        }
        std::ranges::stable_sort(proposals, {}, &Proposal::promise);
        for (Proposal& proposal : proposals)
            if (!ended() && (!best_ || Duration{proposal.load} < best_->time)) consider(std::move(proposal.candidate));
    }

    /// All passes of the heaviest path, on one device, `samples` at a time.
    [[nodiscard]] std::int64_t longest_way(const std::vector<NodeId>& order, std::int64_t samples) {
        const auto [place, fresh] = ways_.try_emplace(samples, 0);
        if (!fresh) return place->second;
        const auto times = cost::pass_times(problem_, ClassId(0), samples);
        std::vector<std::int64_t> way(order.size(), 0);
        for (const NodeId node : order) {
            std::int64_t before = 0;
            for (const NodeId from : problem_.structure.predecessors[node.index()]) before = std::max(before, way[from.index()]);
            way[node.index()] = before + times[node.index()].total().count();
            place->second = std::max(place->second, way[node.index()]);
        }
        return place->second;
    }

    /// The divisors of the mini-batch; of many, those nearest to a geometric series. Not more than kMostMicroBatches of them a stage.
    [[nodiscard]] static std::vector<std::int64_t> sizes_of(const cost::TrainingProblem& problem, const PlannerOptions& options) {
        if (options.micro_batch) return {*options.micro_batch};
        std::vector<std::int64_t> all = micro_batches(problem, false), sizes;
        std::erase_if(all, [&](std::int64_t size) { return problem.options.mini_batch / size > kMostMicroBatches; });
        if (all.size() <= kMostSizes) return all;
        const double step =
            std::log(static_cast<double>(all.back()) / static_cast<double>(all.front())) / static_cast<double>(kMostSizes - 1);
        for (std::size_t i = 0; i < kMostSizes; ++i) {
            const double wanted = static_cast<double>(all.front()) * std::exp(step * static_cast<double>(i));
            const auto next = std::ranges::lower_bound(all, wanted, {}, [](std::int64_t size) { return static_cast<double>(size); });
            const std::int64_t size = next == all.end() ? all.back() : *next;
            if (sizes.empty() || sizes.back() < size) sizes.push_back(size);
        }
        return sizes;
    }

    [[nodiscard]] bool ended() {
        if (limits_.interrupted() || limits_.out_of_time()) return true;
        if (limits_.evaluations) return evaluations_ >= *limits_.evaluations;
        return !limits_.deadline && Limits::Clock::now() - begun_ > kUsual;
    }

    [[nodiscard]] static std::uint64_t hash_of(const TrainingPartition& partition) {
        std::uint64_t hash = 0;
        const auto add = [&](std::uint64_t word) { hash = (hash ^ word) * 0x9e3779b97f4a7c15U + (hash >> 29U); };
        for (const cost::TrainingStage& stage : partition.stages) {
            for (const std::int64_t word : {stage.first_device, stage.replicas, stage.micro_batch}) add(static_cast<std::uint64_t>(word));
            for (const NodeId node : stage.nodes) add(node.index());
        }
        return hash;
    }

    /// The stages of a layout with caps, or nothing when no caps fit.
    [[nodiscard]] std::optional<TrainingPartition> staged(TrainingPartition partition, std::int64_t deepest) const {
        if (!supported(problem_, partition)) return std::nullopt;
        if (options_.recompute && *options_.recompute)
            for (cost::TrainingStage& stage : partition.stages) stage.recompute = true;
        partition.schedule = options_.schedule.value_or(cost::Schedule::list);
        if (!fit_memory(problem_, partition, deepest, options_.recompute.value_or(true))) return std::nullopt;
        return partition;
    }
    /// Nothing when no caps fit, when time ran out, or when these stages were timed before: orders often lead to the same ones.
    /// Simulated where the schedule's own run, in which links are free, is no slower than `wanted`.
    [[nodiscard]] std::optional<Duration> time_of(const Layout& layout, Duration wanted) {
        TrainingPartition stages = stages_of(problem_, layout);
        if (!seen_.insert(hash_of(stages)).second) return std::nullopt;
        ++evaluations_;
        const auto partition = staged(std::move(stages), kDeepest);
        return partition ? time_of(*partition, wanted, limits_) : std::nullopt;
    }
    [[nodiscard]] std::optional<Duration> time_of(const TrainingPartition& partition, Duration wanted, const Limits& limits) const {
        const auto order = program::order_work(program::pipeline_of(problem_, partition), partition.schedule, limits);
        if (!order) return std::nullopt;
        if (order->makespan > wanted) return order->makespan;
        const auto time = iteration_time(problem_, partition, limits);
        if (!time) return std::nullopt;
        return std::max(order->makespan, *time);
    }

    void consider(Candidate candidate) {
        const auto time = time_of(candidate.layout, worth());
        if (!time) return;
        candidate.time = *time;
        const Candidate parts = candidate;
        keep(std::move(candidate));
        overlap(parts);
    }
    /// Slices that are one stage each, then in pieces as long as that pays: sums of gradients then run beside passes.
    void overlap(const Candidate& parts) {
        const auto at = std::ranges::find(orders_, parts.layout.order, [](const std::vector<NodeId>& order) { return &order; });
        const bool replicated = std::ranges::any_of(parts.layout.groups, [](const DeviceSpan& group) { return group.count > 1; });
        Duration last = parts.time;
        for (std::int64_t pieces = 1; pieces <= (replicated ? kMostPieces : 1) && !ended(); pieces *= 2) {
            Layout layout = slicers_[static_cast<std::size_t>(at - orders_.begin())].in_pieces(parts.layout, pieces);
            layout.whole = true;
            const auto time = time_of(layout, std::min(last, worth()));
            if (time && *time < last)
                keep({std::move(layout), *time, std::format("{}, in {} piece{}", parts.name, pieces, pieces == 1 ? "" : "s")});
            else if (pieces > 1)
                return;
            if (time) last = std::min(last, *time);
        }
    }
    /// Slower ones need not be simulated.
    [[nodiscard]] Duration worth() const { return pool_.size() < kWalked ? Duration::max() : pool_.back().time; }

    void keep(Candidate candidate) {
        if (!best_ || candidate.time < best_->time) {
            best_ = candidate;
            observer_.on_event({.seconds = seconds(), .phase = "training", .objective = candidate.time, .bound = {}, .source = "auto"});
        }
        // One of each shape: the walks find what is near.
        const auto shape = [](const Candidate& one) {
            return std::tuple(one.layout.groups.size(), one.layout.cuts.size(), one.layout.micro_batch);
        };
        const auto same = std::ranges::find(pool_, shape(candidate), shape);
        if (same != pool_.end()) {
            if (same->time <= candidate.time) return;
            pool_.erase(same);
        }
        pool_.insert(std::ranges::upper_bound(pool_, candidate.time, {}, &Candidate::time), std::move(candidate));
        if (pool_.size() > kWalked) pool_.pop_back();
    }

    // --- walks -------------------------------------------------------------------------------------------------------

    void walk() {
        std::vector<Candidate> walked = pool_;
        std::int64_t idle = 0;
        for (std::size_t turn = 0; idle < kWalks && !ended(); ++turn) {
            if (turn % kTurnsAnOrder == kTurnsAnOrder - 1) walked[turn / kTurnsAnOrder % walked.size()] = reordered();
            Candidate& at = walked[turn % walked.size()];
            Layout next = at.layout;
            ++idle;
            if (!change(next)) continue;
            const auto time = time_of(next, at.time);
            if (!time || *time > at.time) continue;
            at.layout = std::move(next);
            at.time = *time;
            if (*time >= best_->time) continue;
            idle = 0;
            keep(at);
        }
        for (Candidate& at : walked) keep(std::move(at));
    }

    [[nodiscard]] std::int64_t any(std::int64_t bound) {
        return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound)));
    }

    /// One of the best, branches in another order, cut anew.
    [[nodiscard]] Candidate reordered() {
        const Candidate& model = pool_[static_cast<std::size_t>(any(std::ssize(pool_)))];
        orders_.push_back(random_branch_order(problem_.structure, random_));
        Slicer slicer(problem_, orders_.back());
        Candidate made = model;
        const bool in_turn = model.layout.cuts.size() > model.layout.groups.size();
        auto layout = in_turn ? std::nullopt : slicer.by_device(model.layout.micro_batch);
        if (in_turn) {
            const std::int64_t replicas = model.layout.groups.front().count,
                               slices = std::ssize(model.layout.cuts) / std::ssize(model.layout.groups);
            layout =
                slicer.in_turn(model.layout.micro_batch, replicas, slices, model.layout.group_of.front() == model.layout.group_of.back());
        }
        if (!layout) return made;
        const auto time = time_of(*layout, pool_.back().time);
        if (!time) return made;
        made.layout = std::move(*layout);
        made.time = *time;
        return made;
    }

    /// One random change; false when it led nowhere.
    bool change(Layout& layout) {
        const std::int64_t kind = any(16);
        if (kind == 0 && !options_.micro_batch) {
            const auto at = std::ranges::find(sizes_, layout.micro_batch) - sizes_.begin();
            const std::int64_t to = at + (any(2) == 0 ? -1 : 1);
            if (to < 0 || to >= std::ssize(sizes_)) return false;
            layout.micro_batch = sizes_[static_cast<std::size_t>(to)];
            return std::ranges::all_of(layout.groups, [&](const DeviceSpan& group) { return group.count <= layout.micro_batch; });
        }
        if (kind <= 2 && layout.groups.size() > 1) return change_hands(layout);
        if (kind == 3) {
            layout.whole = !layout.whole;
            return true;
        }
        if (kind == 4) return split_or_join(layout);
        if (layout.cuts.size() < 2) return false;
        const auto cut = static_cast<std::size_t>(any(std::ssize(layout.cuts) - 1));
        const std::int64_t by = (any(2) == 0 ? -1 : 1) * (1 + any(std::int64_t{1} << any(6)));
        const std::int64_t low = cut == 0 ? 0 : layout.cuts[cut - 1], high = layout.cuts[cut + 1];
        const std::int64_t to = std::clamp(static_cast<std::int64_t>(layout.cuts[cut]) + by, low, high);
        if (to == layout.cuts[cut]) return false;
        layout.cuts[cut] = static_cast<std::uint32_t>(to);
        return true;
    }

    /// A slice becomes two on the same devices, or two become one.
    bool split_or_join(Layout& layout) {
        const auto slice = static_cast<std::size_t>(any(std::ssize(layout.cuts)));
        const auto at = static_cast<std::ptrdiff_t>(slice);
        if (slice + 1 < layout.cuts.size() && layout.group_of[slice] == layout.group_of[slice + 1] && any(2) == 0) {
            layout.cuts.erase(layout.cuts.begin() + at);
            layout.group_of.erase(layout.group_of.begin() + at);
            return true;
        }
        const std::uint32_t begin = slice == 0 ? 0 : layout.cuts[slice - 1], size = layout.cuts[slice] - begin;
        if (size < 2) return false;
        layout.cuts.insert(layout.cuts.begin() + at, begin + 1 + static_cast<std::uint32_t>(any(size - 1)));
        layout.group_of.insert(layout.group_of.begin() + at, layout.group_of[slice]);
        return true;
    }

    /// A device goes from one group to another; those between move up.
    bool change_hands(Layout& layout) {
        const auto from = static_cast<std::size_t>(any(std::ssize(layout.groups))),
                   to = static_cast<std::size_t>(any(std::ssize(layout.groups)));
        if (from == to || layout.groups[from].count == 1 || layout.groups[to].count == layout.micro_batch) return false;
        --layout.groups[from].count;
        ++layout.groups[to].count;
        std::int64_t first = layout.groups.front().first;
        for (DeviceSpan& group : layout.groups) {
            group.first = first;
            first += group.count;
            if (class_of(problem_, group.first) != class_of(problem_, group.first + group.count - 1)) return false;
        }
        return true;
    }

    // --- the end -----------------------------------------------------------------------------------------------------

    /// What the paper's planner finds in milliseconds, as it is and under our schedule: auto is never worse.
    [[nodiscard]] std::optional<PlannerResult> by_graphpipe() {
        std::optional<PlannerResult> result;
        if (options_.recompute.value_or(false) || options_.schedule) return result;
        SilentObserver silent;
        Limits limits{.deadline = {}, .evaluations = {}, .stop = limits_.stop};
        if (!limits_.evaluations || limits_.deadline) limits.deadline = begun_ + until_ / 4;
        auto found = plan_by_graphpipe(problem_, options_, silent, limits);
        if (!found) return result;
        const auto take = [&](TrainingPartition partition, Duration time) {
            if (!result || time < result->iteration)
                result = PlannerResult{
                    .partition = std::move(partition), .iteration = time, .termination = {}, .winner = "graphpipe: " + found->winner};
        };
        TrainingPartition ours = found->partition;
        ours.schedule = cost::Schedule::list;
        if (fit_memory(problem_, ours, kDeepest, options_.recompute.value_or(true)))
            if (const auto time = iteration_time(problem_, ours, limits_)) take(ours, *time);
        take(std::move(found->partition), found->iteration);
        return result;
    }

    /// There was no time for anything: all devices take everything, the largest micro-batch that memory holds.
    void add_whole_model() {
        for (const std::int64_t size : sizes_ | std::views::reverse) {
            Layout layout{.order = &orders_.front(),
                          .cuts = {static_cast<std::uint32_t>(orders_.front().size())},
                          .groups = {{0, std::min(problem_.structure.classes.front().count, size)}},
                          .group_of = {0},
                          .micro_batch = size,
                          .whole = true};
            const auto partition = staged(stages_of(problem_, layout), kDeepest);
            if (!partition) continue;
            const auto time = time_of(*partition, Duration::max(), {.deadline = {}, .evaluations = {}, .stop = limits_.stop});
            if (!time) return;
            keep({std::move(layout), *time, std::format("micro-batch {}, all devices", size)});
            return;
        }
    }

    /// Where memory leaves no layout of ours: the best of what others make of it.
    [[nodiscard]] std::optional<PlannerResult> by_peers() {
        std::optional<PlannerResult> result;
        if (options_.schedule) return result;
        SilentObserver silent;
        Limits limits = limits_;
        std::vector<PlannerFunction> peers{plan_by_megatron, plan_by_gpipe};
        if (limits.deadline || !limits.evaluations) {  // evaluations do not count what these two do before their first one
            if (!limits.deadline) limits.deadline = Limits::Clock::now() + kUsual;
            peers.insert(peers.end(), {plan_by_piper, plan_by_pipedream});
        }
        for (const PlannerFunction plan : peers) {
            auto found = plan(problem_, options_, silent, limits);
            if (!found || (result && result->iteration <= found->iteration)) continue;
            result = std::move(*found);
        }
        return result;
    }

    Result<PlannerResult> finish() {
        std::optional<PlannerResult> result = std::move(graphpipe_);
        if (pool_.empty() && limits_.out_of_time() && !limits_.interrupted()) add_whole_model();
        for (const Candidate& candidate : pool_)
            for (const std::int64_t deepest : {kDeepest, std::int64_t{1}}) {
                if (result && (limits_.interrupted() || (limits_.out_of_time() && result->iteration <= candidate.time))) break;
                auto partition = staged(stages_of(problem_, candidate.layout), deepest);
                if (!partition) continue;
                const Duration time = iteration_time(problem_, *partition);
                if (result && time >= result->iteration) continue;
                result = PlannerResult{.partition = std::move(*partition), .iteration = time, .termination = {}, .winner = candidate.name};
            }
        if (pool_.empty())
            if (auto peers = by_peers(); peers && (!result || peers->iteration < result->iteration)) result = std::move(peers);
        if (!result) return fail(nothing_fits());
        if (result->partition.schedule == cost::Schedule::list && !limits_.out_of_time()) give_back(*result);
        result->termination = {.reason = limits_.interrupted()            ? StopReason::interrupted
                                         : limits_.out_of_time()          ? StopReason::time
                                         : limits_.evaluations && ended() ? StopReason::evaluations
                                                                          : StopReason::finished,
                               .seconds = seconds(),
                               .evaluations = evaluations_};
        return *std::move(result);
    }

    /// The least caps that keep the iteration time: between the rule's and what it has, in equal parts.
    void give_back(PlannerResult& result) {
        TrainingPartition least = result.partition;
        cost::set_in_flight(problem_, least);
        std::int64_t low = 0, high = 16;  // sixteenths of the way
        const auto between = [&](std::int64_t part) {
            TrainingPartition partition = result.partition;
            for (std::size_t s = 0; s < partition.stages.size(); ++s) {
                cost::TrainingStage& stage = partition.stages[s];
                const std::int64_t rule = least.stages[s].in_flight / stage.micro_batch, most = stage.in_flight / stage.micro_batch;
                stage.in_flight = (rule + (most - rule) * part / 16) * stage.micro_batch;
            }
            return partition;
        };
        while (low < high) {
            const std::int64_t middle = (low + high) / 2;
            const auto time = iteration_time(problem_, between(middle), limits_);
            if (!time) return;
            if (*time <= result.iteration)
                high = middle;
            else
                low = middle + 1;
        }
        TrainingPartition partition = between(high);
        const auto time = iteration_time(problem_, partition, limits_);
        if (!time) return;
        result.iteration = std::min(result.iteration, *time);
        result.partition = std::move(partition);
    }

    [[nodiscard]] Diagnostic nothing_fits() const {
        if (limits_.interrupted()) return {DiagnosticKind::stopped, "interrupted before there was a plan", {}, {}, {}};
        if (limits_.out_of_time()) return input_error("the time was up before there was a plan").fix("a longer --time");
        std::int64_t state = 0, memory = 0;
        for (const Bytes one : problem_.state) state += one.count;
        for (std::size_t c = 0; c < problem_.classes.size(); ++c)
            memory += problem_.classes[c].memory.count * problem_.structure.classes[c].count;
        return Diagnostic{
            DiagnosticKind::infeasible,
            std::format("no plan was found whose stages fit their devices' memory at any micro-batch, recomputation included"),
            {},
            {std::format("parameters, gradients and the optimiser's state need {}, the devices have {} together", to_text(Bytes{state}),
                         to_text(Bytes{memory}))},
            "more devices, or an optimiser with less state (--optimizer)"};
    }

    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Limits::Clock::now() - begun_).count(); }

    const cost::TrainingProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    const std::int64_t devices_;
    const Limits::Clock::time_point begun_ = Limits::Clock::now();
    const Limits::Clock::duration until_ = limits_.deadline ? *limits_.deadline - begun_ : Limits::Clock::duration(kUsual);
    const std::vector<std::int64_t> sizes_ = sizes_of(problem_, options_);
    RandomStream random_{options_.seed};
    std::deque<std::vector<NodeId>> orders_;     // layouts point into it
    std::deque<Slicer> slicers_;                 // of the first orders
    std::unordered_set<std::uint64_t> seen_;     // hash_of what was timed
    std::map<std::int64_t, std::int64_t> ways_;  // longest_way by samples
    std::vector<Candidate> pool_;                // by time
    std::optional<Candidate> best_;
    std::optional<PlannerResult> graphpipe_;
    std::int64_t evaluations_ = 0;
};

}  // namespace

Result<PlannerResult> plan_auto(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                const Limits& limits) {
    if (options.schedule == cost::Schedule::interleaved)
        return fail(usage_error("auto does not plan for the interleaved schedule: several stages a device are its list schedule's to order")
                        .fix("--method megatron, or leave --schedule out"));
    return AutoSearch(problem, options, observer, limits).run();
}

}  // namespace sluice::training
