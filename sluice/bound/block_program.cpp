#include "sluice/bound/block_program.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "sluice/base/wide.hpp"
#include "sluice/graph/reachability.hpp"

namespace sluice::bound {

namespace {

constexpr std::int32_t kNone = -1;
constexpr int kMultiplierBits = 40;  // the multipliers of the cost rows sum to about 2^40
constexpr double kLargestMultiplier = 0x1p62;
constexpr std::int64_t kOrderSteps = 1 << 10;  // unit of the order rows: the bottleneck in so many steps

std::vector<std::int64_t> reached_work(const std::vector<graph::NodeSet>& reached, const std::vector<std::int64_t>& work) {
    std::vector<std::int64_t> sums = work;
    for (std::size_t v = 0; v < work.size(); ++v) reached[v].for_each([&](std::size_t u) { sums[v] += work[u]; });
    return sums;
}

}  // namespace

std::uint64_t block_program_rows(const cost::StageProblem& problem, std::size_t blocks) {
    std::uint64_t rows = 3;
    for (std::size_t e = 0; e < problem.edge_count(); ++e)
        if (problem.transfer[e] > Duration{0}) rows += 2 * problem.consumers[e].size();
    for (std::size_t v = 0; v < problem.node_count(); ++v) rows += 1 + problem.predecessors[v].size() + problem.weights[v].size();
    return rows * blocks;
}

BlockProgram::BlockProgram(const cost::StageProblem& problem, const Relaxation& relaxation, std::vector<std::int64_t> blocks, Duration unit)
    : problem_(problem),
      relaxation_(relaxation),
      blocks_(std::move(blocks)),
      up_to_(blocks_.size()),
      unit_(std::max<std::int64_t>(1, unit.count() / kOrderSteps)),
      before_(reached_work(graph::ancestors(problem.predecessors), relaxation.work)),
      after_(reached_work(graph::descendants(problem.successors), relaxation.work)),
      out_(problem.edge_count(), kNone),
      in_(problem.edge_count(), kNone),
      weight_(problem.weight_count(), kNone) {
    std::partial_sum(blocks_.begin(), blocks_.end(), up_to_.begin());
    model_.add_column(0, LinearModel::kUnlimited);
    for (std::size_t i = 0; i < problem.node_count() * (blocks_.size() - 1); ++i) model_.add_column(0, 1, true);
    add_cost_rows();
    add_order_rows();
    add_border_rows();
}

bool BlockProgram::fix(Duration threshold) {
    threshold_ = threshold.count();
    const std::size_t inner = blocks_.size() - 1;
    bool possible = true;
    for (std::size_t v = 0; v < problem_.node_count(); ++v)
        for (std::size_t j = 0; j < inner; ++j) {
            const bool late = Wide{before_[v]} > Wide{up_to_[j]} * threshold_;
            const bool early = Wide{after_[v]} > Wide{up_to_.back() - up_to_[j]} * threshold_;
            possible = possible && !(late && early);
            const std::size_t column = 1 + v * inner + j;
            model_.lower[column] = early ? 1 : 0;
            model_.upper[column] = late ? 0 : 1;
        }
    for (std::int64_t work : before_) possible = possible && Wide{work} <= Wide{up_to_.back()} * threshold_;
    if (sink_row_) {
        // Two stages at least: that the last holds a sink is then no loss.
        const std::int64_t total = std::reduce(relaxation_.work.begin(), relaxation_.work.end());
        const auto sinks = static_cast<std::int64_t>(model_.starts[*sink_row_ + 1] - model_.starts[*sink_row_]);
        model_.least[*sink_row_] = (total > threshold_ ? 1 - sinks : -sinks) * unit_;
    }
    return possible;
}

const LinearModel& BlockProgram::with_cutoff() {
    model_.upper[0] = threshold_;
    return model_;
}

const LinearModel& BlockProgram::without_cutoff() {
    model_.upper[0] = LinearModel::kUnlimited;
    return model_;
}

std::size_t BlockProgram::open() const {
    std::size_t count = 0;
    for (std::size_t c = 1; c < model_.lower.size() && model_.integer[c]; ++c) count += model_.lower[c] < model_.upper[c];
    return count;
}

LinearProgramWitness BlockProgram::witness(std::span<const double> duals) const {
    assert(duals.empty() || duals.size() == model_.row_count());
    double largest = 1;
    for (double dual : duals) largest = std::max(largest, dual);
    const double scale = std::min(std::exp2(kMultiplierBits), kLargestMultiplier / largest);
    LinearProgramWitness witness{.blocks = blocks_, .threshold = Duration{threshold_ / relaxation_.replicas}, .unit = unit_, .rows = {}};
    for (std::size_t r = 0; r < duals.size(); ++r)
        if (const double multiplier = std::round(duals[r] * scale); multiplier >= 1)
            witness.rows.push_back({static_cast<std::uint32_t>(r), static_cast<std::int64_t>(multiplier)});
    return witness;
}

void BlockProgram::add_member(std::size_t v, std::size_t j, std::int64_t coefficient) {
    const std::size_t inner = blocks_.size() - 1;
    const auto column = static_cast<std::int32_t>(1 + v * inner + j);
    if (j < inner)
        model_.add_entry(column, coefficient);
    else
        constant_ += coefficient;
    if (j > 0) model_.add_entry(column - 1, -coefficient);
}

void BlockProgram::close(std::int64_t least) {
    model_.close_row(least - constant_);
    constant_ = 0;
}

/// Cost rows, then those that say what their transfer, weight and spill columns are.
void BlockProgram::add_cost_rows() {
    const std::size_t blocks = blocks_.size();
    const auto columns = [&](std::int64_t upper) {
        const auto first = static_cast<std::int32_t>(model_.lower.size());
        for (std::size_t j = 0; j < blocks; ++j) model_.add_column(0, upper);
        return first;
    };
    std::vector<std::int64_t> to_host(problem_.node_count(), 0);
    for (std::size_t e = 0; e < problem_.edge_count(); ++e) {
        const std::int64_t transfer = problem_.transfer[e].count();
        const NodeId producer = problem_.producer[e];
        if (transfer == 0) continue;
        if (producer.valid() && problem_.to_host[e]) to_host[producer.index()] += transfer;
        if (problem_.consumers[e].empty()) continue;
        if (producer.valid() && !problem_.to_host[e]) out_[e] = columns(transfer);
        in_[e] = columns(transfer);
    }
    std::vector<std::int64_t> charges(problem_.weight_count(), 0);
    Wide all = 0;
    if (relaxation_.spills)
        for (std::size_t w = 0; w < charges.size(); ++w) {
            const Wide charge = problem_.weight_bytes[w].count * kPicosecondsPerSecond / relaxation_.rate.bytes_per_second;
            if (problem_.weight_users[w].empty() || charge == 0) continue;
            all += charge;
            charges[w] = static_cast<std::int64_t>(std::min<Wide>(charge, kLargestTotal.count()));
            weight_[w] = columns(charges[w]);
        }
    const auto most = static_cast<std::int64_t>(std::min<Wide>(all, kLargestTotal.count()));
    if (relaxation_.spills) spill_ = columns(most);

    const auto sum = [&](const std::vector<std::int32_t>& firsts, std::size_t j) {
        for (std::int32_t first : firsts)
            if (first != kNone) model_.add_entry(first + static_cast<std::int32_t>(j), -1);
    };
    const bool serial = problem_.model == cost::StageModel::serial;
    for (std::size_t j = 0; j < blocks; ++j) {
        model_.add_entry(0, blocks_[j]);
        for (std::size_t v = 0; v < problem_.node_count(); ++v) add_member(v, j, -(relaxation_.work[v] + (serial ? to_host[v] : 0)));
        if (relaxation_.spills) model_.add_entry(spill_ + static_cast<std::int32_t>(j), -1);
        if (!serial) {
            close(0);
            model_.add_entry(0, blocks_[j]);
        }
        sum(in_, j);
        if (!serial) {
            close(0);
            model_.add_entry(0, blocks_[j]);
            for (std::size_t v = 0; v < problem_.node_count(); ++v) add_member(v, j, -to_host[v]);
        }
        sum(out_, j);
        close(0);
    }

    for (std::size_t j = 0; relaxation_.spills && j < blocks; ++j) {
        model_.add_entry(spill_ + static_cast<std::int32_t>(j), 1);
        sum(weight_, j);
        const Wide spared =
            ceil_divide(Wide{relaxation_.memory.count} * blocks_[j] * kPicosecondsPerSecond, relaxation_.rate.bytes_per_second);
        close(-static_cast<std::int64_t>(std::min<Wide>(spared, most)));
    }

    for (std::size_t e = 0; e < problem_.edge_count(); ++e) {
        const std::int64_t transfer = problem_.transfer[e].count();
        const NodeId producer = problem_.producer[e];
        if (transfer == 0) continue;
        for (std::size_t j = 0; j < blocks; ++j)
            for (NodeId reader : problem_.consumers[e]) {
                if (out_[e] != kNone) {
                    model_.add_entry(out_[e] + static_cast<std::int32_t>(j), 1);
                    add_member(producer.index(), j, -transfer);
                    add_member(reader.index(), j, transfer);
                    close(0);
                }
                model_.add_entry(in_[e] + static_cast<std::int32_t>(j), 1);
                add_member(reader.index(), j, -transfer);
                if (producer.valid()) add_member(producer.index(), j, transfer);
                close(0);
            }
    }

    for (std::size_t w = 0; w < charges.size(); ++w)
        for (std::size_t j = 0; weight_[w] != kNone && j < blocks; ++j)
            for (NodeId user : problem_.weight_users[w]) {
                model_.add_entry(weight_[w] + static_cast<std::int32_t>(j), 1);
                add_member(user.index(), j, -charges[w]);
                close(0);
            }
}

void BlockProgram::add_order_rows() {
    const std::size_t inner = blocks_.size() - 1;
    const auto at_least = [&](std::size_t larger, std::size_t smaller) {
        model_.add_entry(static_cast<std::int32_t>(1 + larger), unit_);
        model_.add_entry(static_cast<std::int32_t>(1 + smaller), -unit_);
        model_.close_row(0);
    };
    for (std::size_t v = 0; v < problem_.node_count(); ++v) {
        for (std::size_t j = 0; j + 1 < inner; ++j) at_least(v * inner + j + 1, v * inner + j);
        for (NodeId before : problem_.predecessors[v])
            for (std::size_t j = 0; j < inner; ++j) at_least(before.index() * inner + j, v * inner + j);
    }
}

/// The first block holds a source, and the last a sink when there are two stages.
void BlockProgram::add_border_rows() {
    const std::size_t inner = blocks_.size() - 1;
    if (inner == 0) return;
    for (std::size_t v = 0; v < problem_.node_count(); ++v)
        if (problem_.predecessors[v].empty()) model_.add_entry(static_cast<std::int32_t>(1 + v * inner), unit_);
    model_.close_row(unit_);
    sink_row_ = model_.row_count();
    for (std::size_t v = 0; v < problem_.node_count(); ++v)
        if (problem_.successors[v].empty()) model_.add_entry(static_cast<std::int32_t>(1 + v * inner + inner - 1), -unit_);
    model_.close_row(0);
}

}  // namespace sluice::bound
