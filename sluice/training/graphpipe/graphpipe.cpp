#include "sluice/training/graphpipe/graphpipe.hpp"
#include "sluice/training/memory_fit.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <format>
#include <limits>

#include "sluice/training/evaluate.hpp"
#include "sluice/training/graphpipe/search.hpp"
#include "sluice/training/peers/candidates.hpp"

namespace sluice::training {

namespace {

using cost::TrainingPartition;
using graphpipe::Search;
using graphpipe::Split;

constexpr double kPrecision = 1e-4;  // of the bisection
constexpr double kSurprise = 1.02;
constexpr double kFar = 100;  // times the least there could be
constexpr std::int64_t kNearSizes = 4;
constexpr std::int64_t kMostDevices = 4096;
constexpr double kNoTarget = std::numeric_limits<double>::infinity();

class GraphPipe {
public:
    GraphPipe(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem), options_(options), observer_(observer), limits_(limits) {}

    Result<PlannerResult> run(bool full) {
        source_ = full ? "graphpipe-full" : "graphpipe";
        if (auto checked = choose(); !checked) return fail(std::move(checked.error()));
        if (ended()) return fail(nothing_yet());
        const graphpipe::Model model = graphpipe::model_of(problem_, search_.device, search_.devices);
        graphpipe::WorkTables work(problem_, model, search_.device, search_.recompute);
        least_.assign(sizes_.size(), kNoTarget);
        for (std::size_t i = sizes_.size(); i-- > 0 && !ended();) {
            // Where not even the bottleneck comes below the best iteration, a micro-batch is out.
            least_[i] = try_sizes(model, work, {sizes_[i]}, found() ? static_cast<double>(result_.iteration.count()) : kNoTarget);
            if (least_[i] < kNoTarget) guess_ = least_[i];
        }
        // Plans of mixed sizes have to have a lower bottleneck than those of one of them.
        for (std::size_t first = 0; full && first + 1 < sizes_.size() && found() && !ended(); ++first) {
            const std::size_t last = std::min(first + 3, sizes_.size());
            double below = static_cast<double>(result_.iteration.count());
            for (std::size_t i = first; i < last; ++i) below = std::min(below, least_[i]);
            const auto begin = sizes_.begin() + static_cast<std::ptrdiff_t>(first),
                       end = sizes_.begin() + static_cast<std::ptrdiff_t>(last);
            try_sizes(model, work, {begin, end}, below * (1 - kPrecision));
        }
        if (!found()) {
            if (ended()) return fail(nothing_yet());
            return fail(explain(model, work));
        }
        if (model.converted > 0)
            result_.warnings.push_back(input_error(std::format(
                "the graph is not series-parallel: {} operators were planned as if they waited for more than they do", model.converted)));
        result_.termination = {stopped_, seconds(), evaluations_};
        return std::move(result_);
    }

private:
    Result<void> choose() {
        const auto& classes = problem_.structure.classes;
        const std::size_t nodes = problem_.node_count();
        double most = -1;
        std::int64_t first = 0;
        for (std::size_t c = 0; c < classes.size(); first += classes[c++].count) {
            if (classes[c].count < 1 || classes[c].supported.count() < nodes) continue;
            Duration sum{0};
            for (const cost::PassTimes& one : cost::pass_times(problem_, ClassId(c), 1)) sum += one.total();
            const double rate = static_cast<double>(classes[c].count) / static_cast<double>(std::max<std::int64_t>(1, sum.count()));
            if (rate <= most) continue;
            most = rate;
            first_device_ = first;
            search_.device = ClassId(c);
            search_.devices = std::min(kMostDevices, classes[c].count);
        }
        if (most < 0)
            return fail({DiagnosticKind::infeasible,
                         "no device class supports all operators, and GraphPipe plans for one",
                         {},
                         {},
                         "another --method"});
        search_.recompute = options_.recompute.value_or(false);
        auto sizes = micro_batches_to_try(problem_, options_);
        if (!sizes) return fail(std::move(sizes.error()));
        sizes_ = *std::move(sizes);
        std::ranges::reverse(sizes_);
        return {};
    }

    [[nodiscard]] bool found() const { return !result_.partition.stages.empty(); }

    [[nodiscard]] bool ended() {
        if (limits_.interrupted())
            stopped_ = StopReason::interrupted;
        else if (limits_.out_of_time())
            stopped_ = StopReason::time;
        else if (limits_.evaluations && evaluations_ >= *limits_.evaluations && found())
            stopped_ = StopReason::evaluations;
        return stopped_ != StopReason::finished;
    }

    [[nodiscard]] Diagnostic nothing_yet() const {
        const bool interrupted = stopped_ == StopReason::interrupted;
        return {interrupted ? DiagnosticKind::stopped : DiagnosticKind::input,
                std::format("{} was stopped before its first plan", source_),
                {},
                {},
                "more --time"};
    }

    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

    struct Best {
        std::vector<TrainingPartition> places;  // of one split, all of one bottleneck
        double priced = kNoTarget;              // that bottleneck over a mini-batch
        double charged = kNoTarget;             // what the search took it for
    };

    [[nodiscard]] static std::int64_t most_in_flight(const TrainingPartition& partition) {
        return std::ranges::max(partition.stages, {}, &cost::TrainingStage::in_flight).in_flight;
    }

    [[nodiscard]] Best search_sizes(const graphpipe::Model& model, graphpipe::WorkTables& work, const std::vector<std::int64_t>& sizes,
                                    double below, bool cautious) {
        graphpipe::SearchOptions options = search_;
        options.micro_batches = sizes;
        options.cautious = cautious;
        Search search(problem_, model, work, options, limits_);
        // The looser the target, the longer a probe takes: upwards from what the micro-batch before came to.
        double low = std::max(search.least_time(), 1.0), guess = guess_;  // a picosecond, where passes take no time
        std::optional<Split> split;
        for (double asked = guess < kNoTarget ? 1.03 * guess : 2 * low; !split; asked *= 4) {
            if (low >= below || ended()) return {};
            if (asked > kFar * std::max(search.least_time(), 1.0)) asked = below;  // not the time: the memory, it seems
            asked = std::min(asked, below);
            ++evaluations_;
            split = search.within(asked);
            if (!split) low = std::max(low, asked);
        }
        for (int probe = 0; split->time > low * (1 + kPrecision) && !ended(); ++probe) {
            // The first two surround what the micro-batch before came to.
            double middle = std::sqrt(low * split->time);
            if (probe < 2 && guess > low && guess < split->time) middle = guess;
            ++evaluations_;
            if (auto better = search.within(middle)) {
                split = std::move(better);
                guess *= 0.97;
            } else {
                low = middle;
                guess *= 1.03;
            }
        }
        Best best{.places = places(*split), .charged = split->time};
        // Of equals the paper takes the plan with the fewest samples in flight.
        const std::int64_t step = sizes.front();
        std::int64_t kept = most_in_flight(best.places.front()), most = kept;
        for (std::int64_t least = 0; most - least > step && !ended();) {
            const std::int64_t middle = least + (most - least) / step / 2 * step;
            ++evaluations_;
            if (auto shallower = search.within(best.charged, {}, middle)) {
                split = std::move(shallower);
                most = middle;
            } else {
                least = middle;
            }
        }
        if (most < kept)
            for (TrainingPartition& place : places(*split)) best.places.push_back(std::move(place));
        best.priced = static_cast<double>(cost::price(problem_, best.places.front()).bottleneck.count() * problem_.options.mini_batch);
        return best;
    }

    /// Offers the best of these sizes, if it is below `below`; what it was charged, infinite: there is none.
    double try_sizes(const graphpipe::Model& model, graphpipe::WorkTables& work, const std::vector<std::int64_t>& sizes, double below) {
        Best best = search_sizes(model, work, sizes, below, false);
        // Where neighbours and places turned out worse than they were taken for, once more with the worst.
        if (best.priced > kSurprise * best.charged && !ended())
            if (Best other = search_sizes(model, work, sizes, best.priced, true); other.priced < best.priced) best = std::move(other);
        for (const TrainingPartition& partition : best.places)
            if (!found() || !ended()) add(partition, std::format("micro-batch{} {}", sizes.size() > 1 ? "es from" : "", sizes.front()));
        // Its stages with micro-batches near by, too, as the planners of chains are tried with all.
        const std::int64_t planned = sizes.front();
        if (!best.places.empty() && sizes.size() == 1)
            for (const std::int64_t size : sizes_)
                if (size != planned && size <= kNearSizes * planned && planned <= kNearSizes * size && !ended())
                    try_with(best.places.back(), size, planned);
        return best.charged;
    }

    void try_with(TrainingPartition partition, std::int64_t micro_batch, std::int64_t planned) {
        for (cost::TrainingStage& stage : partition.stages) stage.micro_batch = micro_batch;
        cost::set_in_flight(problem_, partition);
        const cost::TrainingCost cost = cost::price(problem_, partition);
        const cost::TrainingDevice& device = problem_.classes[search_.device.index()];
        if (device.limited && cost.peak_memory > device.memory) return;
        // The bottleneck is rounded up to a picosecond a sample.
        if (found() && (cost.bottleneck.count() - 1) * problem_.options.mini_batch >= result_.iteration.count()) return;
        offer(std::move(partition), std::format("micro-batch {}, planned for {}", micro_batch, planned));
    }

    void add(TrainingPartition partition, const std::string& name) {
        TrainingPartition grouped = partition;
        const std::vector<cost::TrainingStage> before = partition.stages;
        offer(std::move(partition), name);
        // kFkB where it costs nothing: k micro-batches make one of the largest reader's.
        for (const cost::StageEdge& edge : cost::stage_edges(problem_, grouped)) {
            cost::TrainingStage& stage = grouped.stages[edge.from];
            stage.k = std::max(stage.k, grouped.stages[edge.to].micro_batch / stage.micro_batch);
        }
        if (grouped.stages == before) return;
        cost::set_in_flight(problem_, grouped);
        for (std::size_t s = 0; s < before.size(); ++s)
            if (grouped.stages[s].in_flight > before[s].in_flight) return;
        offer(std::move(grouped), name + ", kFkB");
    }

    void offer(TrainingPartition partition, std::string name) {
        const auto iteration = iteration_time(problem_, partition, limits_);
        if (!iteration || (found() && *iteration >= result_.iteration)) return;
        result_.iteration = *iteration;
        result_.partition = std::move(partition);
        result_.winner = std::move(name);
        observer_.on_event({seconds(), "stages", *iteration, std::nullopt, source_});
        if (auto more = roomier(problem_, result_.partition); more && !ended())
            offer(*std::move(more), std::format("{}, {}", result_.winner, kRoomier));
    }

    /// First devices of stages in this order. `pack`: where replicas would be spread over two nodes a later stage that fits is taken first,
    /// or devices stay free if there are some to spare.
    [[nodiscard]] std::vector<std::int64_t> devices_in(const Split& split, std::vector<std::size_t> order, bool pack) const {
        const std::int64_t per_node = problem_.interconnect.devices_per_node;
        std::vector<std::int64_t> first(order.size());
        std::int64_t next = first_device_, spare = search_.devices;
        for (const graphpipe::PlannedStage& stage : split.stages) spare -= stage.replicas;
        while (!order.empty()) {
            auto taken = order.begin();
            const std::int64_t left = per_node > 0 ? per_node - next % per_node : search_.devices, asked = split.stages[*taken].replicas;
            if (pack && asked > left && asked <= per_node) {
                const auto fits = std::ranges::find_if(order, [&](std::size_t s) { return split.stages[s].replicas <= left; });
                if (fits != order.end()) {
                    taken = fits;
                } else if (spare >= left) {
                    spare -= left;
                    next += left;
                    continue;
                }
            }
            first[*taken] = next;
            next += split.stages[*taken].replicas;
            order.erase(taken);
        }
        return first;
    }

    /// Ways to place a split that have the least bottleneck: in its order, packed or not; packed, the largest stages first.
    [[nodiscard]] std::vector<TrainingPartition> places(const Split& split) const {
        std::vector<std::size_t> order(split.stages.size());
        for (std::size_t s = 0; s < order.size(); ++s) order[s] = s;
        std::vector<std::vector<std::int64_t>> ways{devices_in(split, order, false), devices_in(split, order, true)};
        std::ranges::stable_sort(order, std::greater(), [&](std::size_t s) { return split.stages[s].replicas; });
        ways.push_back(devices_in(split, order, true));
        std::vector<TrainingPartition> best;
        Duration least = Duration::max();
        for (std::size_t w = 0; w < ways.size(); ++w) {
            if (std::find(ways.begin(), ways.begin() + static_cast<std::ptrdiff_t>(w), ways[w]) !=
                ways.begin() + static_cast<std::ptrdiff_t>(w))
                continue;
            TrainingPartition placed = place(split, ways[w]);
            const Duration bottleneck = cost::price(problem_, placed).bottleneck;
            if (bottleneck > least) continue;
            if (bottleneck < least) best.clear();
            least = bottleneck;
            best.push_back(std::move(placed));
        }
        return best;
    }

    [[nodiscard]] TrainingPartition place(const Split& split, const std::vector<std::int64_t>& first) const {
        TrainingPartition partition;
        for (std::size_t s = 0; s < split.stages.size(); ++s) {
            const graphpipe::PlannedStage& from = split.stages[s];
            cost::TrainingStage stage{.nodes = from.nodes,
                                      .device = search_.device,
                                      .first_device = first[s],
                                      .replicas = from.replicas,
                                      .micro_batch = from.micro_batch,
                                      .recompute = search_.recompute};
            partition.stages.push_back(std::move(stage));
        }
        partition = cost::normalise(problem_, std::move(partition)).value();  // parts of the tree are convex
        cost::set_in_flight(problem_, partition);
        return partition;
    }

    /// "operator 7"
    [[nodiscard]] std::string name_of(std::size_t node) const {
        const auto operators = problem_.structure.operators[node];
        return std::format("operator {}{}", operators[0].index(),
                           operators.size() > 1 ? std::format(" with {} more that share its stage", operators.size() - 1) : "");
    }

    /// No split meets the memory, whatever time it takes.
    [[nodiscard]] Diagnostic explain(const graphpipe::Model& model, graphpipe::WorkTables& work) {
        const cost::TrainingDevice& device = problem_.classes[search_.device.index()];
        const std::string& name = problem_.structure.classes[search_.device.index()].name;
        const auto state_of = [&](std::size_t v) {
            Bytes sum;
            for (const WeightId weight : problem_.structure.weights[v]) sum += problem_.state[weight.index()];
            return sum;
        };
        std::size_t largest = 0;
        Bytes all, kept;
        for (const Bytes state : problem_.state) all += state;
        for (const Bytes one : problem_.kept) kept += one;
        for (std::size_t v = 0; v < problem_.node_count(); ++v)
            if (state_of(v) + problem_.kept[v] > state_of(largest) + problem_.kept[largest]) largest = v;
        const Bytes state = state_of(largest), need = state + problem_.kept[largest];
        std::int64_t enough = all.count + kept.count * problem_.options.mini_batch;
        for (const std::int64_t size : sizes_) {
            graphpipe::SearchOptions options = search_;
            options.micro_batches = {size};
            Search search(problem_, model, work, options, limits_);
            std::int64_t low = device.memory.count;
            if (!search.within(kNoTarget, enough)) continue;
            while (enough - low > enough / 1000 + 1) {
                const std::int64_t middle = low + (enough - low) / 2;
                (search.within(kNoTarget, middle) ? enough : low) = middle;
            }
        }
        Diagnostic diagnostic{DiagnosticKind::infeasible, {}, {}, {}, {}};
        diagnostic.message =
            need > device.memory
                ? std::format("{} alone needs {}, a '{}' has {}", name_of(largest), to_text(need), name, to_text(device.memory))
                : std::format("no graph of stages on {} '{}' fits their memory of {} each", search_.devices, name, to_text(device.memory));
        diagnostic.notes = {std::format("{}: {} for parameters, gradients and optimiser, {} for each sample in flight", name_of(largest),
                                        to_text(state), to_text(problem_.kept[largest])),
                            std::format("all operators: {} and {}", to_text(all), to_text(kept))};
        diagnostic.help =
            std::format("devices with {} each{}, or another optimiser", to_text(Bytes{enough}), search_.recompute ? "" : ", recomputation");
        return diagnostic;
    }

    const cost::TrainingProblem& problem_;
    const PlannerOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    graphpipe::SearchOptions search_;
    std::int64_t first_device_ = 0;
    std::vector<std::int64_t> sizes_;
    PlannerResult result_;
    std::string_view source_;
    std::vector<double> least_;  // per micro-batch size
    double guess_ = kNoTarget;
    std::int64_t evaluations_ = 0;
    StopReason stopped_ = StopReason::finished;
};

}  // namespace

namespace {

/// The plan under the schedule that was asked for; the paper's is 1F1B.
Result<PlannerResult> rescheduled(const cost::TrainingProblem& problem, const PlannerOptions& options, Result<PlannerResult> result) {
    if (!result || !options.schedule || *options.schedule == result->partition.schedule) return result;
    result->partition.schedule = *options.schedule;
    if (!fit_memory(problem, result->partition, 1, options.recompute.value_or(true)))
        return fail(Diagnostic{DiagnosticKind::infeasible,
                               std::format("graphpipe's stages do not fit the memory under the schedule {}", to_text(*options.schedule)),
                               {},
                               {},
                               "leave --schedule out: 1f1b keeps less"});
    result->iteration = iteration_time(problem, result->partition);
    if (auto more = roomier(problem, result->partition))
        if (const Duration faster = iteration_time(problem, *more); faster < result->iteration) {
            result->iteration = faster;
            result->partition = *std::move(more);
        }
    return result;
}

}  // namespace

Result<PlannerResult> plan_by_graphpipe(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                        const Limits& limits) {
    return rescheduled(problem, options, GraphPipe(problem, options, observer, limits).run(false));
}

Result<PlannerResult> plan_by_graphpipe_full(const cost::TrainingProblem& problem, const PlannerOptions& options, Observer& observer,
                                             const Limits& limits) {
    return rescheduled(problem, options, GraphPipe(problem, options, observer, limits).run(true));
}

}  // namespace sluice::training
