#include "sluice/bound/check_lp.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <optional>

#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

namespace {

using cost::Overflow;
using cost::StageModel;
using cost::StageProblem;
using Wide = CheckedWide;

constexpr std::int64_t kMostStages = std::int64_t{1} << 31;
constexpr std::size_t kMostVariables = std::size_t{1} << 24;  // prefix variables; a certificate must not exhaust memory

/// A sum that knows when it has left __int128.
class Sum {
public:
    void add(Wide factor, Wide value) {
        constexpr Wide kSmall = std::numeric_limits<std::int64_t>::max(), kMost = kSmall * kSmall;
        const Wide a = factor < 0 ? -factor : factor, b = value < 0 ? -value : value;
        if ((a > kSmall || b > kSmall) && a != 0 && b > kMost / a) left_ = true;
        if (!left_) left_ = __builtin_add_overflow(sum_, factor * value, &sum_);
    }
    [[nodiscard]] Wide value() const { return sum_; }
    [[nodiscard]] bool left() const { return left_; }

private:
    Wide sum_ = 0;
    bool left_ = false;
};

/// Everything about the problem that holds whatever classes the stages run on.
struct Floor {
    std::vector<Wide> work, before, after;  // per node; of it and all before, after it
    bool spills = false;
    Wide memory = 0, rate = 1;

    explicit Floor(const StageProblem& problem) : work(problem.node_count(), 0) {
        bool unlimited = false;
        for (const auto& device : problem.classes) {
            if (device.count <= 0) continue;
            unlimited = unlimited || device.overflow == Overflow::unlimited;
            memory = std::max<Wide>(memory, device.fast_memory.count);
            if (device.overflow != Overflow::spill) continue;
            spills = true;
            rate = std::max<Wide>(rate, device.spill_rate.bytes_per_second);
        }
        spills = spills && !unlimited;
        for (std::size_t v = 0; v < work.size(); ++v) {
            std::optional<Wide> least;
            for (const auto& device : problem.classes)
                if (device.count > 0 && device.supported.contains(v)) {
                    const Wide time = device.work[v].count();
                    least = least ? std::min(*least, time) : time;
                }
            work[v] = least.value_or(0);
        }
        before = reached(problem.predecessors, true);
        after = reached(problem.successors, false);
    }

private:
    /// Work of each node and all that its neighbours lead to; nodes are numbered topologically.
    [[nodiscard]] std::vector<Wide> reached(const Rows<NodeId>& neighbours, bool ascending) const {
        const std::size_t n = work.size();
        std::vector<graph::NodeSet> sets(n, graph::NodeSet(n));
        std::vector<Wide> sums(n, 0);
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t v = ascending ? i : n - 1 - i;
            sets[v].insert(v);
            for (NodeId u : neighbours[v]) sets[v] |= sets[u.index()];
            sets[v].for_each([&](std::size_t u) { sums[v] += work[u]; });
        }
        return sums;
    }
};

/// The combination of rows `sum a z >= b`: after all of them, slope * bottleneck >= constant - sum over z of slack(z), where slack(z) is
/// the most that its coefficient can take away.
class Combination {
public:
    Combination(const StageProblem& problem, const Floor& floor, const LinearProgramWitness& witness)
        : problem_(problem),
          floor_(floor),
          witness_(witness),
          blocks_(witness.blocks.size()),
          prefix_(problem.node_count() * (blocks_ - 1)) {}

    void add_up() {
        costs();
        transfers();
        weights();
        order();
        border();
    }
    /// The least constant over the box of the prefix variables; nullopt: sums left __int128.
    [[nodiscard]] std::optional<Wide> constant(std::int64_t replicas);
    [[nodiscard]] Wide slope() const { return slope_.value(); }
    [[nodiscard]] bool all_rows_used() const { return next_ == witness_.rows.size(); }

private:
    /// The multiplier of the next row.
    Wide next() {
        const std::uint64_t row = row_++;
        if (next_ == witness_.rows.size() || witness_.rows[next_].row != row) return 0;
        return std::max<Wide>(witness_.rows[next_++].multiplier, 0);
    }
    Sum& prefix(std::size_t node, std::size_t block) { return prefix_[node * (blocks_ - 1) + block]; }
    /// value * [node lies in block] joins the left side, `times` over.
    void member(std::size_t node, std::size_t block, Wide times, Wide value) {
        if (block + 1 < blocks_)
            prefix(node, block).add(times, value);
        else
            constant_.add(-times, value);
        if (block > 0) prefix(node, block - 1).add(-times, value);
    }
    /// A variable of 0 .. most has this coefficient on the left side.
    void close(const Sum& coefficient, Wide most) {
        left_ = left_ || coefficient.left();
        if (coefficient.value() > 0) constant_.add(-coefficient.value(), most);
    }

    void costs();
    void transfers();
    void weights();
    void order();
    void border();

    const StageProblem& problem_;
    const Floor& floor_;
    const LinearProgramWitness& witness_;
    const std::size_t blocks_;
    std::vector<Sum> prefix_;
    std::vector<Wide> of_work_, of_in_, of_out_, of_spill_;  // multipliers per block
    std::vector<Wide> charges_;
    Sum constant_, slope_;
    std::uint64_t row_ = 0;
    std::size_t next_ = 0;
    bool left_ = false;
    Wide of_sinks_ = 0;
};

void Combination::costs() {
    const bool serial = problem_.model == StageModel::serial;
    for (std::size_t j = 0; j < blocks_; ++j) {
        const Wide first = next();
        of_work_.push_back(first);
        of_in_.push_back(serial ? first : next());
        of_out_.push_back(serial ? first : next());
        for (Wide multiplier : serial ? std::vector{first} : std::vector{first, of_in_[j], of_out_[j]})
            slope_.add(multiplier, witness_.blocks[j]);
        for (std::size_t v = 0; v < problem_.node_count(); ++v) member(v, j, -first, floor_.work[v]);
    }
    for (std::size_t e = 0; e < problem_.edge_count(); ++e)
        if (problem_.to_host[e] && problem_.producer[e].valid())
            for (std::size_t j = 0; j < blocks_; ++j) member(problem_.producer[e].index(), j, -of_out_[j], problem_.transfer[e].count());

    if (!floor_.spills) return;
    Wide all = 0, bytes = 0;
    for (std::size_t w = 0; w < problem_.weight_count(); ++w) {
        bytes += problem_.weight_bytes[w].count;
        charges_.push_back(problem_.weight_users[w].empty() ? 0 : problem_.weight_bytes[w].count * kPicosecondsPerSecond / floor_.rate);
        all += charges_.back();
    }
    for (std::size_t j = 0; j < blocks_; ++j) {
        of_spill_.push_back(next());
        Sum coefficient;
        coefficient.add(1, of_spill_[j]);
        coefficient.add(-1, of_work_[j]);
        close(coefficient, all);
        const Wide spared = std::min(floor_.memory * witness_.blocks[j], bytes) * kPicosecondsPerSecond;  // more than there is: all of it
        constant_.add(-of_spill_[j], (spared + floor_.rate - 1) / floor_.rate);
    }
}

void Combination::transfers() {
    for (std::size_t e = 0; e < problem_.edge_count(); ++e) {
        const Wide transfer = problem_.transfer[e].count();
        if (transfer == 0) continue;
        const NodeId producer = problem_.producer[e];
        const bool leaves = producer.valid() && !problem_.to_host[e];  // what goes to the host is charged with the work
        for (std::size_t j = 0; j < blocks_; ++j) {
            Sum out, in;
            for (NodeId reader : problem_.consumers[e]) {
                if (leaves) {
                    const Wide multiplier = next();
                    out.add(1, multiplier);
                    member(producer.index(), j, -multiplier, transfer);
                    member(reader.index(), j, multiplier, transfer);
                }
                const Wide multiplier = next();
                in.add(1, multiplier);
                member(reader.index(), j, -multiplier, transfer);
                if (producer.valid()) member(producer.index(), j, multiplier, transfer);
            }
            if (problem_.consumers[e].empty()) continue;
            if (leaves) {
                out.add(-1, of_out_[j]);
                close(out, transfer);
            }
            in.add(-1, of_in_[j]);
            close(in, transfer);
        }
    }
}

void Combination::weights() {
    for (std::size_t w = 0; w < charges_.size(); ++w) {
        if (charges_[w] == 0) continue;
        for (std::size_t j = 0; j < blocks_; ++j) {
            Sum stored;
            for (NodeId user : problem_.weight_users[w]) {
                const Wide multiplier = next();
                stored.add(1, multiplier);
                member(user.index(), j, -multiplier, charges_[w]);
            }
            stored.add(-1, of_spill_[j]);
            close(stored, charges_[w]);
        }
    }
}

void Combination::order() {
    const auto at_least = [&](std::size_t larger, std::size_t larger_block, std::size_t smaller, std::size_t smaller_block) {
        const Wide multiplier = next();
        prefix(larger, larger_block).add(multiplier, witness_.unit);
        prefix(smaller, smaller_block).add(-multiplier, witness_.unit);
    };
    for (std::size_t v = 0; v < problem_.node_count(); ++v) {
        for (std::size_t j = 0; j + 2 < blocks_; ++j) at_least(v, j + 1, v, j);
        for (NodeId before : problem_.predecessors[v])
            for (std::size_t j = 0; j + 1 < blocks_; ++j) at_least(before.index(), j, v, j);
    }
}

void Combination::border() {
    if (blocks_ < 2) return;
    const Wide sources = next();
    of_sinks_ = next();
    constant_.add(sources, witness_.unit);
    for (std::size_t v = 0; v < problem_.node_count(); ++v) {
        if (problem_.predecessors[v].empty()) prefix(v, 0).add(sources, witness_.unit);
        if (problem_.successors[v].empty()) {
            prefix(v, blocks_ - 2).add(-of_sinks_, witness_.unit);
            constant_.add(-of_sinks_, witness_.unit);  // 1 - y of each
        }
    }
}

std::optional<Wide> Combination::constant(std::int64_t replicas) {
    const Wide threshold = static_cast<Wide>(witness_.threshold.count()) * replicas;  // of a stage's whole time
    Wide total = 0;
    for (Wide work : floor_.work) total += work;
    if (total > threshold) constant_.add(of_sinks_, witness_.unit);  // two stages or more: the last block holds a sink
    std::vector<Wide> up_to;
    for (std::int64_t size : witness_.blocks) up_to.push_back((up_to.empty() ? 0 : up_to.back()) + size);
    for (std::size_t v = 0; v < problem_.node_count(); ++v)
        for (std::size_t j = 0; j + 1 < blocks_; ++j) {
            const Sum& coefficient = prefix(v, j);
            left_ = left_ || coefficient.left();
            const bool can_be_0 = floor_.after[v] <= (up_to.back() - up_to[j]) * threshold;
            const bool can_be_1 = floor_.before[v] <= up_to[j] * threshold;
            const Wide most = !can_be_0 || (can_be_1 && coefficient.value() > 0) ? coefficient.value() : 0;
            constant_.add(-1, most);
        }
    if (left_ || constant_.left() || slope_.left()) return std::nullopt;
    return constant_.value();
}

/// The threshold leaves some node without a place.
bool impossible(const LinearProgramWitness& witness, const Floor& floor, std::int64_t replicas) {
    const Wide threshold = static_cast<Wide>(witness.threshold.count()) * replicas;
    Wide all = 0;
    for (std::int64_t size : witness.blocks) all += size;
    for (std::size_t v = 0; v < floor.work.size(); ++v) {
        Wide up_to = 0;
        for (std::int64_t size : witness.blocks) {
            up_to += size;  // then neither in this block or before, nor after it
            if (floor.before[v] > up_to * threshold && (up_to == all || floor.after[v] > (all - up_to) * threshold)) return true;
        }
    }
    return false;
}

}  // namespace

Result<Duration> proven_by(const StageProblem& problem, std::int64_t devices, std::int64_t replicas, const LinearProgramWitness& witness) {
    Wide stages = 0;
    for (std::int64_t size : witness.blocks) {
        if (size < 1) return fail(objection(std::format("a block of {} stages: at least 1 is needed", size)));
        stages += size;
    }
    if (stages > kMostStages || replicas > kMostStages)
        return fail(objection(std::format("more than {} stages or replicas", kMostStages)));  // products stay within 128 bits
    const Wide needed = std::min<Wide>(devices, problem.node_count());
    if (witness.blocks.empty() || stages < needed)
        return fail(objection(std::format("the blocks hold fewer than {} stages", static_cast<std::int64_t>(needed))));
    if (witness.threshold < Duration{0} || witness.threshold > kLargestTotal)
        return fail(objection(std::format("the threshold is {} ps, expected 0 to {}", witness.threshold.count(), kLargestTotal.count())));
    if (witness.unit < 1) return fail(objection(std::format("the unit is {}, expected at least 1", witness.unit)));
    if (witness.blocks.size() - 1 > kMostVariables / std::max<std::size_t>(problem.node_count(), 1))
        return fail(objection(std::format("{} blocks are too many for {} nodes", witness.blocks.size(), problem.node_count())));
    for (const auto& [row, multiplier] : witness.rows)
        if (multiplier < 0) return fail(objection(std::format("row {} has a negative multiplier of {}", row, multiplier)));

    const Floor floor(problem);
    const Duration refuted = witness.threshold + Duration{1};
    if (impossible(witness, floor, replicas)) return refuted;
    Combination combination(problem, floor, witness);
    combination.add_up();
    if (!combination.all_rows_used()) return fail(objection("a multiplier has no row: rows are ascending, and fewer than that"));
    const auto constant = combination.constant(replicas);
    if (!constant) return fail(objection("the multipliers are too large: sums leave 128 bits"));
    if (*constant <= 0) return Duration{0};
    Sum slope;
    slope.add(combination.slope(), replicas);
    if (slope.left()) return fail(objection("the multipliers are too large: sums leave 128 bits"));
    if (slope.value() == 0) return refuted;  // a contradiction: no partition keeps to the threshold
    const Wide bound = (*constant - 1) / slope.value() + 1;
    return Duration{static_cast<std::int64_t>(std::min<Wide>(bound, refuted.count()))};
}

}  // namespace sluice::bound
