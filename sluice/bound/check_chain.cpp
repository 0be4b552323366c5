#include "sluice/bound/check_chain.hpp"

#include <algorithm>
#include <format>

#include "sluice/bound/check_flow.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;

// No sum of the recursion comes near it.
constexpr Wide kNever = Wide{1} << 100;

enum class Membership : char { inside, outside, open };

/// A tensor by positions of the order.
struct Tensor {
    std::size_t made = 0;
    std::vector<std::size_t> read;
    std::int64_t cost = 0;
};

/// Bounds on all downsets D of a type: work(D) + cut(D) >= sum, work(D) - cut(D) <= difference, cut(D) >= cut.
struct Type {
    Wide sum = 0, difference = 0, cut = 0;
};

class ChainCheck {
public:
    ChainCheck(const CheckedSerial& serial, const CheckedCharge& charge, const std::vector<std::uint32_t>& order, bool mirrored)
        : mirrored_(mirrored), size_(order.size()) {
        std::vector<std::size_t> position(size_);
        for (std::size_t p = 0; p < size_; ++p) position[order[p]] = p;
        before_.resize(size_);
        cone_.assign(size_, std::vector<char>(size_, 0));
        for (std::size_t p = 0; p < size_; ++p) {
            work_.push_back(charge.work[order[p]]);
            for (std::uint32_t g : serial.predecessors[order[p]]) before_[p].push_back(position[g]);
        }
        // It and its descendants; mirrored: it and its ancestors.
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t p = mirrored ? i : size_ - 1 - i;
            cone_[p][p] = 1;
            const auto& next = mirrored ? serial.predecessors[order[p]] : serial.successors[order[p]];
            for (std::uint32_t g : next)
                for (std::size_t q = 0; q < size_; ++q) cone_[p][q] |= cone_[position[g]][q];
        }
        for (const auto& tensor : serial.tensors) {
            Tensor own{.made = position[tensor.producer], .read = {}, .cost = charge.factor * tensor.transfer};
            for (std::uint32_t g : tensor.consumers) own.read.push_back(position[g]);
            std::ranges::sort(own.read);
            tensors_.push_back(std::move(own));
        }
    }

    /// completion_needs; the empty downset, which has type 0, completes only if that of type 0 is not above 0.
    [[nodiscard]] Result<std::vector<std::vector<Wide>>> needs(const std::vector<Wide>& limits, std::size_t devices, const Limits& until) {
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
                if (auto more = go_on(until); !more) return fail(more.error());
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
                if (auto more = go_on(until); !more) return fail(more.error());
                const auto [across, certain] = stages_to(j);
                close(j, across[j]);
                for (std::size_t i = 0; i < j; ++i) step(i, sum[j], across[i], certain[i]);
            }
        }
        return need;
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
    [[nodiscard]] Membership place(std::size_t type, std::size_t p) const {
        if (mirrored_) {
            if (p >= type) return Membership::outside;
            return cone_[type - 1][p] ? Membership::inside : Membership::open;
        }
        if (p < type) return Membership::inside;
        return cone_[type][p] ? Membership::outside : Membership::open;
    }

    /// From type i: a tensor that may be inside there costs both cuts until all its readers come before type j, and is read in the stage
    /// for certain once one that is outside i comes before j.
    [[nodiscard]] Stages stages_from(std::size_t i) const {
        Stages stages{std::vector<Wide>(size_ + 2, 0), std::vector<Wide>(size_ + 1, 0)};
        for (const Tensor& tensor : tensors_) {
            if (place(i, tensor.made) == Membership::outside || tensor.read.back() < i) continue;
            std::size_t last = tensor.read.back(), sure = last;
            for (std::size_t p : tensor.read)
                if (p >= i && place(i, p) == Membership::outside) {
                    sure = p;
                    break;
                }
            stages.across[i] += 2 * Wide{tensor.cost};
            stages.across[sure + 1] -= tensor.cost;
            stages.across[last + 1] -= tensor.cost;
        }
        for (std::size_t j = i + 1; j <= size_; ++j) {
            stages.across[j] += stages.across[j - 1];
            stages.certain[j] = stages.certain[j - 1] + (cone_[i][j - 1] ? work_[j - 1] : 0);
        }
        return stages;
    }

    /// To type j: a tensor with a reader that may be outside there costs both cuts while type i may hold it, and is read in the stage for
    /// certain while one that is inside j comes at or after i.
    [[nodiscard]] Stages stages_to(std::size_t j) const {
        Stages stages{std::vector<Wide>(size_ + 2, 0), std::vector<Wide>(size_ + 1, 0)};
        for (const Tensor& tensor : tensors_) {
            if (tensor.made >= j || std::ranges::all_of(tensor.read, [&](std::size_t p) { return place(j, p) == Membership::inside; }))
                continue;
            std::size_t sure = tensor.made;
            for (std::size_t p : tensor.read)
                if (place(j, p) == Membership::inside) sure = p;
            // Held by types made + 1 to j, and read in the stage from those up to `sure`.
            stages.across[tensor.made + 1] += tensor.cost;
            stages.across[sure + 1] += tensor.cost;
            stages.across[j + 1] -= 2 * Wide{tensor.cost};
        }
        for (std::size_t i = 1; i <= j; ++i) stages.across[i] += stages.across[i - 1];
        for (std::size_t i = j; i-- > 0;) stages.certain[i] = stages.certain[i + 1] + (cone_[j - 1][i] ? work_[i] : 0);
        return stages;
    }

    [[nodiscard]] Type bounds(std::size_t type) {
        std::vector<std::size_t> open;
        std::vector<CheckedFlow::Vertex> vertex(size_, 0);
        Wide inside = 0, open_work = 0, paid = 0;
        for (std::size_t p = 0; p < size_; ++p) {
            const Membership where = place(type, p);
            if (where == Membership::inside) inside += work_[p];
            if (where != Membership::open) continue;
            vertex[p] = static_cast<CheckedFlow::Vertex>(open.size());
            open.push_back(p);
            open_work += work_[p];
        }
        const auto source = static_cast<CheckedFlow::Vertex>(open.size()), sink = source + 1;
        flow_.reset(open.size() + 2);
        for (const Tensor& tensor : tensors_) {
            const Membership made = place(type, tensor.made);
            if (made == Membership::outside) continue;
            const auto count = [&](Membership where) {
                return std::ranges::count(tensor.read, where, [&](std::size_t p) { return place(type, p); });
            };
            const bool leaves = count(Membership::outside) > 0;
            if (!leaves && count(Membership::open) == 0) continue;
            const auto maker = made == Membership::inside ? source : vertex[tensor.made];
            if (leaves && made == Membership::inside) {
                paid += tensor.cost;
            } else if (leaves) {
                flow_.add_arc(maker, sink, tensor.cost);
            } else {
                const auto gate = flow_.add_vertex();
                flow_.add_arc(maker, gate, tensor.cost);
                for (std::size_t p : tensor.read)
                    if (place(type, p) == Membership::open) flow_.add_arc(gate, vertex[p], CheckedFlow::kUnlimited);
            }
        }
        for (std::size_t p : open)
            for (std::size_t q : before_[p])
                if (place(type, q) == Membership::open) flow_.add_arc(vertex[p], vertex[q], CheckedFlow::kUnlimited);

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
    std::vector<std::int64_t> work_;
    std::vector<std::vector<std::size_t>> before_;
    std::vector<std::vector<char>> cone_;
    std::vector<Tensor> tensors_;
    CheckedFlow flow_;
};

}  // namespace

std::vector<CheckedWide> stage_limits(const CheckedSerial& serial, const CheckedCharge& charge, Duration value) {
    std::vector<Wide> limits;
    for (std::int64_t r = 1; r <= serial.replicas; ++r)
        limits.push_back(Wide{charge.factor} * serial.scale * r * (value.count() - 1) + charge.allowance);
    return limits;
}

Result<std::vector<std::vector<Wide>>> completion_needs(const CheckedSerial& serial, const CheckedCharge& charge,
                                                        const std::vector<std::uint32_t>& order, bool mirrored,
                                                        const std::vector<Wide>& limits, const Limits& until) {
    return ChainCheck(serial, charge, order, mirrored).needs(limits, static_cast<std::size_t>(serial.devices), until);
}

Result<void> check_chain(const Claim& claim, const ChainWitness& witness) {
    const auto serial = check_serial(claim, witness.serial);
    if (!serial) return fail(serial.error());
    const auto order = check_order(*serial, witness.order);
    if (!order) return fail(order.error());
    const auto charge = check_charge(*serial, witness.theta_halves);
    if (!charge) return fail(charge.error());
    if (claim.value <= Duration{0}) return {};
    ChainCheck check(*serial, *charge, *order, witness.mirrored);
    const auto devices = static_cast<std::size_t>(serial->devices);
    const auto needs = check.needs(stage_limits(*serial, *charge, claim.value), devices, claim.limits);
    if (!needs) return fail(needs.error());
    if ((*needs)[0][devices] <= 0) return fail(objection(std::format("the chain of cuts does not prove {} ps", claim.value.count())));
    return {};
}

}  // namespace sluice::bound
