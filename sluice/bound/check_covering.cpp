#include "sluice/bound/check_covering.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <format>
#include <map>
#include <span>

#include "sluice/bound/check_chain.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;

constexpr std::size_t kMostLabels = std::size_t{1} << 21;  // of all states together
constexpr Wide kFar = Wide{1} << 62;                       // check_charge leaves all costs together below a quarter of it

enum class Place : unsigned { before, inside, behind };

/// What a state says of a tensor that some later position reads: where its producer lies, and whether the stage has paid for it.
enum class TensorState : unsigned { closed, before, before_paid, inside, inside_paid, behind };

constexpr Place place_of(TensorState tensor) {
    if (tensor == TensorState::behind) return Place::behind;
    return tensor == TensorState::inside || tensor == TensorState::inside_paid ? Place::inside : Place::before;
}

constexpr TensorState made_at(Place place) {
    constexpr std::array tensors{TensorState::before, TensorState::inside, TensorState::behind};
    return tensors[static_cast<unsigned>(place)];
}

/// All open tensors, three bits a slot; closed slots are zero, so equal states are equal numbers.
__extension__ typedef unsigned __int128 State;
constexpr unsigned kSlots = 42;

TensorState at(State state, unsigned slot) { return static_cast<TensorState>(static_cast<unsigned>(state >> (3 * slot)) & 7U); }

State with(State state, unsigned slot, TensorState tensor) {
    return (state & ~(State{7} << (3 * slot))) | (State{static_cast<unsigned>(tensor)} << (3 * slot));
}

/// One position of the order.
struct Step {
    struct Read {
        unsigned slot = 0;
        std::int64_t cost = 0;
        bool last = false;  // nothing behind this position reads it
    };
    std::int64_t work = 0, weight = 0;
    std::vector<Read> reads;
    std::vector<unsigned> makes;  // slots
};

/// What no other beats: ascending in both.
struct Label {
    std::int64_t cost = 0, weight = 0;
};

std::optional<std::string> fault_of_numbers(const CoveringWitness& witness) {
    if (witness.labels < 1 || witness.labels > kMostCoveringLabels)
        return std::format("{} labels, expected 1 to {}", witness.labels, kMostCoveringLabels);
    if (witness.weights.size() != witness.order.size())
        return std::format("{} weights for an order of {} groups", witness.weights.size(), witness.order.size());
    for (std::size_t i = 0; i < witness.uncharged.size(); ++i)
        if (witness.uncharged[i] >= witness.order.size() || (i > 0 && witness.uncharged[i] <= witness.uncharged[i - 1]))
            return std::format("uncharged position {}: these ascend and are below {}", witness.uncharged[i], witness.order.size());
    Wide sum = 0;
    for (std::int64_t weight : witness.weights) {
        if (weight < 0) return std::format("a weight of {} is negative", weight);
        sum += weight;
    }
    if (sum > kLargestCoveringWeight) return "the weights are too large to check";
    return std::nullopt;
}

/// Fails when more tensors are open at once than there are slots.
Result<std::vector<Step>> lay_out(const CheckedSerial& serial, const CheckedCharge& charge, const std::vector<std::uint32_t>& order,
                                  const CoveringWitness& witness) {
    std::vector<std::size_t> position(order.size());
    std::vector<char> charged(order.size(), 1);
    for (std::size_t p = 0; p < order.size(); ++p) position[order[p]] = p;
    for (std::uint32_t p : witness.uncharged) charged[p] = 0;
    // Tensors of one producer with the same readers are in the same place and paid at the same time: one slot for all.
    std::vector<std::map<std::vector<std::size_t>, std::int64_t>> made(order.size());
    for (const auto& tensor : serial.tensors) {
        const std::size_t maker = position[tensor.producer];
        if (!charged[maker]) continue;
        std::vector<std::size_t> readers;
        for (std::uint32_t g : tensor.consumers) readers.push_back(position[g]);
        std::ranges::sort(readers);
        made[maker][std::move(readers)] += charge.factor * tensor.transfer;
    }
    std::vector<Step> steps(order.size());
    std::uint64_t used = 0;  // slots
    for (std::size_t p = 0; p < order.size(); ++p) {
        Step& step = steps[p];
        step.work = charge.work[order[p]];
        step.weight = witness.weights[p];
        for (const auto& read : step.reads)
            if (read.last) used &= ~(std::uint64_t{1} << read.slot);
        for (const auto& [readers, cost] : made[p]) {
            const auto slot = static_cast<unsigned>(std::countr_one(used));
            if (slot >= kSlots)
                return fail(objection(std::format("more than {} tensors cross position {} of the order: too wide to check", kSlots, p)));
            used |= std::uint64_t{1} << slot;
            step.makes.push_back(slot);
            for (std::size_t reader : readers) steps[reader].reads.push_back({slot, cost, reader == readers.back()});
        }
    }
    return steps;
}

class CoveringCheck {
public:
    /// No cost comes near kFar, so what is above may as well be that.
    CoveringCheck(Wide limit, std::int64_t labels)
        : limit_(static_cast<std::int64_t>(std::min(limit, kFar))),
          most_labels_(labels),
          step_(static_cast<std::int64_t>(std::min(limit / labels + 1, kFar))) {}

    /// What the stages are that the steps so far allow. False: too many labels.
    [[nodiscard]] bool pass(const Step& step) {
        arrivals_.clear();
        for (const Front& front : fronts_)
            for (Place place : {Place::before, Place::inside, Place::behind}) arrive(front, step, place);
        std::ranges::sort(arrivals_, {}, &Arrival::to);
        std::vector<Front> fronts;
        std::vector<Label> labels;
        for (std::size_t first = 0, end = 0; first < arrivals_.size(); first = end) {
            while (end < arrivals_.size() && arrivals_[end].to == arrivals_[first].to) ++end;
            const std::vector<Label> best = thinned(best_of(std::span(arrivals_).subspan(first, end - first)));
            if (labels.size() + best.size() > kMostLabels) return false;
            fronts.push_back({arrivals_[first].to, labels.size(), best.size()});
            labels.insert(labels.end(), best.begin(), best.end());
        }
        fronts_ = std::move(fronts);
        labels_ = std::move(labels);
        return true;
    }

    /// After all positions, when no tensor is open: one state.
    [[nodiscard]] const std::vector<Label>& labels() const { return labels_; }

private:
    struct Front {
        State state;
        std::size_t first, count;  // of labels_
    };
    /// Labels of one state on their way to another.
    struct Arrival {
        State to;
        std::size_t first, count;
        std::int64_t cost, weight;  // what they gain
    };

    void arrive(const Front& front, const Step& step, Place place) {
        const bool inside = place == Place::inside;
        Arrival arrival{front.state, front.first, front.count, inside ? step.work : 0, inside ? step.weight : 0};
        for (const Step::Read& read : step.reads) {
            const TensorState tensor = at(front.state, read.slot);
            if (place < place_of(tensor)) return;
            TensorState becomes = tensor;
            if (tensor == TensorState::before && place == Place::inside) becomes = TensorState::before_paid;
            if (tensor == TensorState::inside && place == Place::behind) becomes = TensorState::inside_paid;
            if (becomes != tensor) arrival.cost += read.cost;
            arrival.to = with(arrival.to, read.slot, read.last ? TensorState::closed : becomes);
        }
        for (unsigned slot : step.makes) arrival.to = with(arrival.to, slot, made_at(place));
        // The labels ascend: those that become too costly are the last.
        while (arrival.count > 0 && labels_[arrival.first + arrival.count - 1].cost + arrival.cost > limit_) --arrival.count;
        if (arrival.count > 0) arrivals_.push_back(arrival);
    }

    [[nodiscard]] std::vector<Label> best_of(std::span<const Arrival> arrivals) const {
        std::vector<Label> best;
        if (arrivals.size() == 1) {
            const Arrival& only = arrivals.front();
            for (const Label& label : std::span(labels_).subspan(only.first, only.count))
                best.push_back({label.cost + only.cost, label.weight + only.weight});
            return best;
        }
        const auto one = best_of(arrivals.first(arrivals.size() / 2)), other = best_of(arrivals.subspan(arrivals.size() / 2));
        std::vector<Label> both(one.size() + other.size());
        std::ranges::merge(one, other, both.begin(),
                           [](const Label& a, const Label& b) { return a.cost != b.cost ? a.cost < b.cost : a.weight > b.weight; });
        for (const Label& label : both)
            if (best.empty() || label.weight > best.back().weight) best.push_back(label);
        return best;
    }

    /// Labels of nearly the same cost become one that is as cheap as the cheapest and as heavy as the heaviest.
    [[nodiscard]] std::vector<Label> thinned(std::vector<Label> labels) const {
        if (static_cast<std::int64_t>(labels.size()) <= most_labels_) return labels;
        std::vector<Label> kept;
        for (const Label& label : labels)
            if (!kept.empty() && kept.back().cost / step_ == label.cost / step_)
                kept.back().weight = label.weight;
            else
                kept.push_back(label);
        return kept;
    }

    std::int64_t limit_, most_labels_, step_;
    std::vector<Front> fronts_{{0, 0, 1}};
    std::vector<Label> labels_{{0, 0}};
    std::vector<Arrival> arrivals_;
};

}  // namespace

Result<void> check_covering(const Claim& claim, const CoveringWitness& witness) {
    if (auto fault = fault_of_numbers(witness)) return fail(objection(*std::move(fault)));
    const auto serial = check_serial(claim, witness.serial);
    if (!serial) return fail(serial.error());
    const auto order = check_order(*serial, witness.order);
    if (!order) return fail(order.error());
    const auto charge = check_charge(*serial, witness.theta_halves);
    if (!charge) return fail(charge.error());
    if (claim.value <= Duration{0}) return {};

    Wide total = 0;
    for (std::int64_t weight : witness.weights) total += weight;
    if (total <= Wide{serial->devices} << kCheckedShift)
        return fail(objection(std::format("the weights sum to {} / 2^{}, which is not above {} devices", static_cast<std::int64_t>(total),
                                          kCheckedShift, serial->devices)));
    const auto steps = lay_out(*serial, *charge, *order, witness);
    if (!steps) return fail(steps.error());
    const std::vector<Wide> limits = stage_limits(*serial, *charge, claim.value);
    CoveringCheck check(limits.back(), witness.labels);
    for (std::size_t p = 0; p < steps->size(); ++p) {
        if (auto more = go_on(claim.limits); !more) return fail(more.error());
        if (!check.pass((*steps)[p]))
            return fail(objection(std::format("more than {} labels at position {} of the order: too large to check", kMostLabels, p)));
    }
    for (const Label& label : check.labels()) {
        const auto devices = std::ranges::lower_bound(limits, Wide{label.cost}) - limits.begin() + 1;
        if (label.weight > Wide{devices} << kCheckedShift)
            return fail(objection(std::format("a stage on {} devices may weigh {} / 2^{}", devices, label.weight, kCheckedShift)));
    }
    return {};
}

}  // namespace sluice::bound
