#include "sluice/bound/check_chain.hpp"

#include <algorithm>
#include <format>
#include <utility>

#include "sluice/bound/check_flow.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;

// No sum of the recursion comes near it.
constexpr Wide kNever = Wide{1} << 100;

enum class Place : char { inside, outside, open };

/// A tensor by positions of the order, which number the groups.
struct Tensor {
    std::size_t made = 0;
    std::span<const CheckedGroups::Index> read;  // ascending
    std::int64_t cost = 0;
};

/// Bounds on all downsets D of a type: work(D) + cut(D) >= sum, work(D) - cut(D) <= difference, cut(D) >= cut.
struct Type {
    Wide sum = 0, difference = 0, cut = 0;
};

class ChainCheck {
public:
    ChainCheck(const CheckedThreshold& threshold, bool mirrored)
        : mirrored_(mirrored), size_(threshold.groups.size()), work_(threshold.work), before_(threshold.groups.predecessors) {
        // It and its descendants; mirrored: it and its ancestors.
        cone_.assign(size_, graph::NodeSet(size_));
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t p = mirrored ? i : size_ - 1 - i;
            cone_[p].insert(p);
            for (CheckedGroups::Index q : mirrored ? threshold.groups.predecessors[p] : threshold.groups.successors[p])
                cone_[p] |= cone_[q];
        }
        for (std::size_t t = 0; t < threshold.groups.tensors(); ++t)
            tensors_.push_back({.made = threshold.groups.producer[t],
                                .read = threshold.groups.consumers[t],
                                .cost = threshold.factor * threshold.groups.transfer[t]});
    }

    /// True when the empty downset cannot be completed on `devices`.
    [[nodiscard]] bool refuted(const std::vector<Wide>& limits, std::size_t devices) {
        const Wide total = whole();
        const std::size_t types = size_ + 1;
        // Per type and devices left: what work - cut must be at least to complete, and what work + cut then is at least.
        std::vector<std::vector<Wide>> need(types, std::vector<Wide>(devices + 1, kNever)), sum = need;
        const auto step = [&](std::size_t from, const std::vector<Wide>& to, Wide across, Wide certain) {
            for (std::size_t r = 1; r <= limits.size(); ++r) {
                if (certain > limits[r - 1]) continue;  // more than a stage on so many devices can do
                for (std::size_t d = r; d <= devices; ++d) need[from][d] = std::min(need[from][d], to[d - r] - across - limits[r - 1]);
            }
        };
        const auto close = [&](std::size_t type, Wide across) {
            const Type known = bounds(type);
            for (std::size_t d = 1; d <= devices; ++d) {
                for (std::size_t r = 1; r <= std::min(d, limits.size()); ++r)
                    need[type][d] = std::min(need[type][d], sum[type][d - r] - across - limits[r - 1]);
                if (need[type][d] <= known.difference) sum[type][d] = std::max(known.sum, need[type][d] + 2 * known.cut);
            }
        };
        if (!mirrored_) {
            sum[size_].assign(devices + 1, total);
            for (std::size_t i = size_; i-- > 0;) {
                const auto [across, certain] = stages_from(i);
                for (std::size_t j = i + 1; j < types; ++j) step(i, sum[j], across[j], certain[j]);
                close(i, across[i]);
            }
        } else {
            const std::vector<Wide> done(devices + 1, total);
            Wide rest = 0;
            for (std::size_t i = types; i-- > 0;) {
                step(i, done, 0, rest);
                if (i > 0) rest += work_[i - 1];
            }
            for (std::size_t j = types; j-- > 0;) {
                const auto [across, certain] = stages_to(j);
                close(j, across[j]);
                for (std::size_t i = 0; i < j; ++i) step(i, sum[j], across[i], certain[i]);
            }
        }
        return need[0][devices] > 0;
    }

private:
    /// Of stages between a given type and each other one: the most that tensors across the whole stage pay in the cuts at both ends and
    /// not in the stage, and work that is certainly in the stage.
    struct Stages {
        std::vector<Wide> across, certain;
    };

    [[nodiscard]] Wide whole() const {
        Wide sum = 0;
        for (std::int64_t work : work_) sum += work;
        return sum;
    }

    /// Where position p is for all downsets of a type: the first missing position, mirrored one after the last inside.
    [[nodiscard]] Place place(std::size_t type, std::size_t p) const {
        if (mirrored_) {
            if (p >= type) return Place::outside;
            return cone_[type - 1].contains(p) ? Place::inside : Place::open;
        }
        if (p < type) return Place::inside;
        return cone_[type].contains(p) ? Place::outside : Place::open;
    }

    /// From type i: a tensor that may be inside there costs both cuts until all its readers come before type j, and is read in the stage
    /// for certain once one that is outside i comes before j.
    [[nodiscard]] Stages stages_from(std::size_t i) const {
        Stages stages{std::vector<Wide>(size_ + 2, 0), std::vector<Wide>(size_ + 1, 0)};
        for (const Tensor& tensor : tensors_) {
            if (place(i, tensor.made) == Place::outside || tensor.read.back() < i) continue;
            std::size_t last = tensor.read.back(), sure = last;
            for (std::size_t p : tensor.read)
                if (p >= i && place(i, p) == Place::outside) {
                    sure = p;
                    break;
                }
            stages.across[i] += 2 * Wide{tensor.cost};
            stages.across[sure + 1] -= tensor.cost;
            stages.across[last + 1] -= tensor.cost;
        }
        for (std::size_t j = i + 1; j <= size_; ++j) {
            stages.across[j] += stages.across[j - 1];
            stages.certain[j] = stages.certain[j - 1] + (cone_[i].contains(j - 1) ? work_[j - 1] : 0);
        }
        return stages;
    }

    /// To type j: a tensor with a reader that may be outside there costs both cuts while type i may hold it, and is read in the stage for
    /// certain while one that is inside j comes at or after i.
    [[nodiscard]] Stages stages_to(std::size_t j) const {
        Stages stages{std::vector<Wide>(size_ + 2, 0), std::vector<Wide>(size_ + 1, 0)};
        for (const Tensor& tensor : tensors_) {
            if (tensor.made >= j || std::ranges::all_of(tensor.read, [&](std::size_t p) { return place(j, p) == Place::inside; })) continue;
            std::size_t sure = tensor.made;
            for (std::size_t p : tensor.read)
                if (place(j, p) == Place::inside) sure = p;
            // Held by types made + 1 to j, and read in the stage from those up to `sure`.
            stages.across[tensor.made + 1] += tensor.cost;
            stages.across[sure + 1] += tensor.cost;
            stages.across[j + 1] -= 2 * Wide{tensor.cost};
        }
        for (std::size_t i = 1; i <= j; ++i) stages.across[i] += stages.across[i - 1];
        for (std::size_t i = j; i-- > 0;) stages.certain[i] = stages.certain[i + 1] + (cone_[j - 1].contains(i) ? work_[i] : 0);
        return stages;
    }

    [[nodiscard]] Type bounds(std::size_t type) {
        std::vector<std::size_t> open;
        std::vector<CheckedFlow::Vertex> vertex(size_, 0);
        Wide inside = 0, open_work = 0, paid = 0;
        for (std::size_t p = 0; p < size_; ++p) {
            const Place where = place(type, p);
            if (where == Place::inside) inside += work_[p];
            if (where != Place::open) continue;
            vertex[p] = static_cast<CheckedFlow::Vertex>(open.size());
            open.push_back(p);
            open_work += work_[p];
        }
        const auto source = static_cast<CheckedFlow::Vertex>(open.size()), sink = source + 1;
        flow_.reset(open.size() + 2);
        for (const Tensor& tensor : tensors_) {
            const Place made = place(type, tensor.made);
            if (made == Place::outside) continue;
            const auto count = [&](Place where) {
                return std::ranges::count(tensor.read, where, [&](std::size_t p) { return place(type, p); });
            };
            const bool leaves = count(Place::outside) > 0;
            if (!leaves && count(Place::open) == 0) continue;
            const auto maker = made == Place::inside ? source : vertex[tensor.made];
            if (leaves && made == Place::inside) {
                paid += tensor.cost;
            } else if (leaves) {
                flow_.add_arc(maker, sink, tensor.cost);
            } else {
                const auto gate = flow_.add_vertex();
                flow_.add_arc(maker, gate, tensor.cost);
                for (std::size_t p : tensor.read)
                    if (place(type, p) == Place::open) flow_.add_arc(gate, vertex[p], CheckedFlow::kUnlimited);
            }
        }
        for (std::size_t p : open)
            for (std::size_t q : before_[p])
                if (place(type, q) == Place::open) flow_.add_arc(vertex[p], vertex[q], CheckedFlow::kUnlimited);

        Type result;
        result.cut = paid + flow_.at_least(source, sink);
        CheckedFlow with_work = flow_;
        for (std::size_t p : open) with_work.add_arc(vertex[p], sink, work_[p]);
        result.sum = inside + paid + with_work.at_least(source, sink);
        for (std::size_t p : open) flow_.add_arc(source, vertex[p], work_[p]);
        result.difference = inside + open_work - paid - flow_.at_least(source, sink);
        return result;
    }

    bool mirrored_;
    std::size_t size_;
    const std::vector<std::int64_t>& work_;
    const Rows<CheckedGroups::Index>& before_;
    std::vector<graph::NodeSet> cone_;
    std::vector<Tensor> tensors_;
    CheckedFlow flow_;
};

}  // namespace

Result<CheckedThreshold> check_threshold(const Claim& claim, const SerialTerms& terms, std::span<const NodeId> order,
                                         std::int64_t theta_halves) {
    auto groups = check_groups(claim.problem, terms.scale, terms.work, terms.transfer, terms.merges, order);
    if (!groups) return fail(groups.error());
    if (theta_halves < 0 || theta_halves > 2) return fail(objection(std::format("{} halves of the spill: 0, 1 or 2", theta_halves)));
    if (theta_halves > 0 && !groups->spills) return fail(objection("spill is charged, but nothing need spill"));

    CheckedThreshold result;
    result.factor = theta_halves == 1 ? 2 : 1;
    // Every weight is charged to one group: of those that use it, the one with the smallest first node.
    std::vector<std::size_t> by_first_node;
    std::vector<char> seen(groups->size(), 0), charged(groups->weight_bytes.size(), 0);
    for (CheckedGroups::Index group : groups->group_of)
        if (!std::exchange(seen[group], 1)) by_first_node.push_back(group);
    std::vector<Wide> bytes(groups->size(), 0);
    for (std::size_t group : by_first_node)
        for (CheckedGroups::Index weight : groups->weights[group])
            if (!std::exchange(charged[weight], 1)) bytes[group] += groups->weight_bytes[weight];

    const auto spill = [&](Wide of) { return theta_halves > 0 ? groups->charge_work * of * kPicosecondsPerSecond : 0; };  // times rate
    constexpr Wide kLargestSum = Wide{1} << 60;
    Wide sum = 0;
    for (std::size_t g = 0; g < groups->size(); ++g) {
        const Wide work = Wide{result.factor} * groups->work[g] + spill(bytes[g]) / groups->rate;
        if (sum += work; sum > kLargestSum) return fail(objection("work and spill are too large to check"));
        result.work.push_back(static_cast<std::int64_t>(work));
    }
    for (std::int64_t transfer : groups->transfer) sum += 2 * Wide{result.factor} * transfer;
    if (sum > kLargestSum) return fail(objection("work, transfers and spill are too large to check"));
    const Wide allowance = round_up(spill(groups->memory), groups->rate);
    for (std::int64_t r = 1; r <= claim.replicas; ++r)
        result.limits.push_back(Wide{result.factor} * groups->scale * r * (claim.value.count() - 1) + allowance);
    // As many stages as nodes, each with all replicas, is the most that any partition uses.
    result.devices =
        static_cast<std::int64_t>(std::min(Wide{claim.devices}, Wide{claim.replicas} * static_cast<Wide>(claim.problem.node_count())));
    result.groups = *std::move(groups);
    return result;
}

Result<void> check_chain(const Claim& claim, const ChainWitness& witness) {
    if (witness.order.empty()) return fail(objection("the order is empty"));
    const auto threshold = check_threshold(claim, witness.serial, witness.order, witness.theta_halves);
    if (!threshold) return fail(threshold.error());
    if (claim.value <= Duration{0}) return {};
    if (!ChainCheck(*threshold, witness.mirrored).refuted(threshold->limits, static_cast<std::size_t>(threshold->devices)))
        return fail(objection(std::format("the chain of cuts does not prove {} ps", claim.value.count())));
    return {};
}

}  // namespace sluice::bound
