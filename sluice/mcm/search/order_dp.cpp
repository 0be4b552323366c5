#include "sluice/mcm/search/order_dp.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "sluice/cost/stage_cost.hpp"
#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/trials.hpp"

namespace sluice::mcm {

namespace {

using Position = std::uint32_t;

/// One order with what its borders cost, and the sweeps over it.
class OrderSlicer {
public:
    OrderSlicer(const ChipProblem& problem, std::span<const NodeId> order, std::int64_t live_share)
        : problem_(problem),
          costs_(*problem.costs),
          device_(costs_.classes.front()),
          order_(order),
          form_(problem.rules.relay && !problem.rules.adjacent     ? Form::relay
                : problem.rules.triangle || problem.rules.adjacent ? Form::adjacent
                                                                   : Form::free),
          position_(order.size()),
          last_reader_(costs_.edge_count(), 0),
          alive_(order.size() + 1, 0),
          needed_until_(order.size() + 1, 0),
          least_start_(order.size() + 1, 0),
          chips_(order.size() + 1),
          from_(order.size() + 1),
          edge_stamp_(costs_.edge_count(), 0),
          weight_stamp_(costs_.weight_count(), 0) {
        if (problem.rules.memory && problem.sram) {
            most_memory_ = problem.sram->count;
            if (live_share > 0) {
                kept_free_ = live_bytes(costs_, order);
                for (std::int64_t& bytes : kept_free_) bytes = bytes / kLiveUnit * live_share + bytes % kLiveUnit * live_share / kLiveUnit;
            }
        }
        if (kept_free_.empty()) kept_free_.resize(order.size() + 1);
        for (Position i = 0; i < order.size(); ++i) position_[order[i].index()] = i;
        measure_borders();
        forbid_nogoods();
    }

    std::optional<Assignment> best(const OrderSliceOptions& options) {
        std::int64_t total = 0, largest = 0, everything = 1;
        for (const Duration work : device_.work) total += work.count(), largest = std::max(largest, work.count());
        for (const Duration transfer : costs_.transfer) everything += 2 * transfer.count();
        everything += total + spill(std::accumulate(costs_.weight_bytes.begin(), costs_.weight_bytes.end(), Bytes{}).count);
        const auto chips = static_cast<std::int64_t>(problem_.chips);
        std::int64_t low = std::max((total + chips - 1) / chips, largest);                                      // no slicing is below
        const std::int64_t never = std::min(options.below.value_or(Duration(everything)).count(), everything);  // no chip needs as much
        const auto stopped = [&] { return options.limits != nullptr && (options.limits->interrupted() || options.limits->out_of_time()); };

        // Upwards from the bound: sweeps below a tight target are quick.
        std::optional<Assignment> best;
        std::int64_t high = never;
        for (std::int64_t step = low / 64 + 1, target = low; low < never; step *= 2) {
            target = std::min(target, never - 1);
            if (sweep(target)) {
                best = assignment();
                high = bottleneck();
                break;
            }
            low = target + 1;
            if (target == never - 1 || stopped()) break;
            target = step > never - target ? never - 1 : target + step;
        }
        while (best && low < high && !stopped()) {
            const std::int64_t middle = low + (high - 1 - low) / 2;
            if (sweep(middle)) {
                best = assignment();
                high = bottleneck();
            } else {
                low = middle + 1;
            }
        }
        return best;
    }

private:
    enum class Form { relay, adjacent, free };
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

    /// A chip that grows to the left: positions [start, end).
    struct Chip {
        std::int64_t work = 0, in = 0, out = 0, parameters = 0;
    };

    void measure_borders() {
        const std::size_t n = order_.size();
        for (std::size_t e = 0; e < costs_.edge_count(); ++e) {
            Position last = 0;
            for (const NodeId reader : costs_.consumers[e]) last = std::max(last, position_[reader.index()]);
            last_reader_[e] = last;
            if (!costs_.producer[e].valid() || costs_.consumers[e].empty()) continue;
            const Position made = position_[costs_.producer[e].index()];
            assert(made < last);
            alive_[made + 1] += costs_.transfer[e].count();
            alive_[last + 1] -= costs_.transfer[e].count();
            needed_until_[made + 1] = std::max(needed_until_[made + 1], last);
        }
        for (std::size_t b = 1; b <= n; ++b) {
            alive_[b] += alive_[b - 1];
            needed_until_[b] = std::max(needed_until_[b], needed_until_[b - 1]);
        }
    }

    /// A chip that ends at j and starts at or before the first of a nogood's nodes holds them all.
    void forbid_nogoods() {
        for (const auto& nogood : problem_.nogoods) {
            Position first = std::numeric_limits<Position>::max(), last = 0;
            for (const NodeId node : nogood) {
                first = std::min(first, position_[node.index()]);
                last = std::max(last, position_[node.index()]);
            }
            least_start_[last + 1] = std::max(least_start_[last + 1], first + 1);
        }
        for (std::size_t j = 1; j < least_start_.size(); ++j) least_start_[j] = std::max(least_start_[j], least_start_[j - 1]);
    }

    /// The fewest chips for every prefix, none above `target`; true when all of it fits the ring.
    bool sweep(std::int64_t target) {
        const std::size_t n = order_.size();
        const bool overlap = costs_.model == cost::StageModel::overlap;
        std::ranges::fill(chips_, kNone);
        chips_[0] = 0;
        for (std::size_t j = 1; j <= n; ++j) {
            if (form_ != Form::free && overlap && alive_[j] > target) continue;
            Chip chip;
            if (form_ != Form::free) chip.out = alive_[j];
            ++stamp_;
            std::int64_t between = 0;  // of what is kept free: what the borders inside ask for
            for (std::size_t i = j; i-- > least_start_[j];) {
                if (i + 1 < j) between = std::max(between, kept_free_[i + 1]);
                grow(chip, i, j);
                const std::int64_t inside = chip.work + spill(chip.parameters), memory = chip.parameters + kept_free_[j] + between;
                if (inside > target || memory > most_memory_) break;
                if (memory + kept_free_[i] > most_memory_) continue;
                if (chips_[i] == kNone || chips_[i] + 1 >= chips_[j]) continue;
                if (form_ == Form::adjacent && i > 0 && needed_until_[i] >= j) continue;
                const std::int64_t in = chip.in + (form_ == Form::free ? 0 : alive_[i]);
                const std::int64_t time = overlap ? std::max({inside, in, chip.out}) : inside + in + chip.out;
                if (time > target) continue;
                chips_[j] = chips_[i] + 1;
                from_[j] = static_cast<Position>(i);
            }
        }
        return chips_[n] <= problem_.chips;
    }

    /// The node at i comes to the chip that ends at j.
    void grow(Chip& chip, std::size_t i, std::size_t j) {
        const std::size_t node = order_[i].index();
        chip.work += device_.work[node].count();
        for (const WeightId weight : costs_.weights[node])
            if (std::exchange(weight_stamp_[weight.index()], stamp_) != stamp_)
                chip.parameters += costs_.weight_bytes[weight.index()].count;
        for (const EdgeId edge : costs_.outputs[node]) {
            const std::size_t e = edge.index();
            const bool crosses = !costs_.consumers[e].empty() && last_reader_[e] >= j;
            // Made here after all: what was read inside comes from nowhere else.
            if (form_ == Form::free && edge_stamp_[e] == stamp_) chip.in -= costs_.transfer[e].count();
            if ((form_ == Form::free && crosses) || (costs_.to_host[e] != 0 && !crosses)) chip.out += costs_.transfer[e].count();
        }
        for (const EdgeId edge : costs_.inputs[node]) {
            const std::size_t e = edge.index();
            if (form_ != Form::free && costs_.producer[e].valid()) continue;
            if (std::exchange(edge_stamp_[e], stamp_) != stamp_) chip.in += costs_.transfer[e].count();
        }
    }

    [[nodiscard]] std::int64_t spill(std::int64_t parameters) const { return cost::spill_time(device_, Bytes{parameters}).count(); }

    [[nodiscard]] Assignment assignment() const {
        Assignment chips(order_.size());
        std::size_t end = order_.size();
        for (std::size_t chip = chips_[end]; chip-- > 0; end = from_[end])
            for (std::size_t i = from_[end]; i < end; ++i) chips[order_[i].index()] = static_cast<std::uint8_t>(chip);
        return chips;
    }
    /// Of the last sweep's slicing: often well below its target.
    [[nodiscard]] std::int64_t bottleneck() const { return mcm::bottleneck(problem_, assignment()).count(); }

    const ChipProblem& problem_;
    const cost::StageProblem& costs_;
    const cost::DeviceCosts& device_;
    std::span<const NodeId> order_;
    const Form form_;
    std::int64_t most_memory_ = std::numeric_limits<std::int64_t>::max();
    std::vector<std::int64_t> kept_free_;  // per border: bytes beside parameters
    std::vector<Position> position_;       // per node
    std::vector<Position> last_reader_;    // per edge
    std::vector<std::int64_t> alive_;      // per border: transfers of what crosses it
    std::vector<Position> needed_until_;   // per border: the last reader of what was made before
    std::vector<Position> least_start_;    // per end of a chip
    std::vector<std::uint32_t> chips_;     // per end: fewest chips
    std::vector<Position> from_;           // per end: where the last of them starts
    std::vector<std::uint32_t> edge_stamp_, weight_stamp_;
    std::uint32_t stamp_ = 0;
};

}  // namespace

std::optional<Assignment> slice_order(const ChipProblem& problem, std::span<const NodeId> order, const OrderSliceOptions& options) {
    assert(order.size() == problem.node_count());
    return OrderSlicer(problem, order, options.live_share).best(options);
}

std::vector<std::int64_t> live_bytes(const cost::StageProblem& costs, std::span<const NodeId> order) {
    std::vector<std::size_t> position(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) position[order[i].index()] = i;
    std::vector<std::int64_t> bytes(order.size() + 1);
    for (std::size_t e = 0; e < costs.edge_count(); ++e) {
        if (!costs.producer[e].valid() || costs.consumers[e].empty()) continue;
        std::size_t last = 0;
        for (const NodeId reader : costs.consumers[e]) last = std::max(last, position[reader.index()]);
        bytes[position[costs.producer[e].index()] + 1] += costs.bytes[e].count;
        bytes[last + 1] -= costs.bytes[e].count;
    }
    std::partial_sum(bytes.begin(), bytes.end(), bytes.begin());
    return bytes;
}

std::vector<OrderCandidate> sliced_orders(const ChipProblem& problem, const Limits& limits) {
    std::vector<OrderCandidate> candidates;
    for (const OrderKind kind : kOrderKinds) {
        if (!candidates.empty() && (limits.interrupted() || limits.out_of_time())) break;
        auto order = make_order(*problem.costs, kind);
        auto chips = slice_order(problem, order, {.limits = &limits});
        if (!chips || std::ranges::contains(candidates, *chips, &OrderCandidate::chips)) continue;
        const Duration value = bottleneck(problem, *chips);
        candidates.push_back({*std::move(chips), value, std::move(order), to_text(kind)});
    }
    std::ranges::stable_sort(candidates, {}, &OrderCandidate::bottleneck);
    return candidates;
}

OrderCandidate walk_orders(const ChipProblem& problem, OrderCandidate start, std::int64_t orders, Duration proven, Lessons& lessons,
                           RandomStream& random, const Limits& limits) {
    constexpr double kSpreads[] = {0.002, 0.01, 0.05, 0.2};
    for (std::int64_t i = 0; i < orders && start.bottleneck > proven && !limits.interrupted() && !limits.out_of_time(); ++i) {
        auto order = perturbed_order(*problem.costs, start.order, kSpreads[random.below(std::size(kSpreads))], random);
        auto chips = lessons.slice(problem, order, {.below = start.bottleneck, .limits = &limits});
        if (!chips) continue;
        const Duration value = bottleneck(problem, *chips);
        start = {*std::move(chips), value, std::move(order), "walk over orders"};
    }
    return start;
}

Diagnostic no_slicing() {
    return Diagnostic{DiagnosticKind::infeasible, "none of the orders has a legal slicing", {}, {}, {}}.note(
        "every run of operators short enough for the SRAM's parameters leaves more than the chips there are");
}

Result<PlannerResult> plan_by_orders(const ChipProblem& problem, const PlannerOptions& options, Observer& observer, const Limits& limits) {
    const auto candidates = sliced_orders(problem, limits);
    if (candidates.empty()) return fail(no_slicing());
    Trials trials(problem, options, observer, limits);
    Lessons lessons(problem);
    for (const OrderCandidate& candidate : candidates) judge_slicings(problem, candidate.order, candidate.source, lessons, trials, limits);
    return std::move(trials).finish();
}

}  // namespace sluice::mcm
