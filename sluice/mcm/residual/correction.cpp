#include "sluice/mcm/residual/correction.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::mcm {

namespace {

double factor(double log) { return std::exp(std::clamp(log, -kMostLog, kMostLog)); }
Duration rounded(double picoseconds) { return Duration(std::llround(picoseconds)); }

}  // namespace

double grain_of(const ChipProblem& problem) {
    double sum = 0;
    for (const Duration work : problem.costs->classes.front().work) sum += static_cast<double>(work.count());
    return sum / static_cast<double>(problem.node_count()) / 100;
}

std::vector<ChipTransfers> chip_transfers(const ChipProblem& problem, std::span<const std::uint8_t> chips) {
    const cost::StageProblem& costs = *problem.costs;
    std::vector<ChipTransfers> all(problem.chips);
    std::vector<char> reads(problem.chips);
    for (std::size_t e = 0; e < costs.edge_count(); ++e) {
        const auto transfer = static_cast<double>(costs.transfer[e].count());
        std::ranges::fill(reads, 0);
        std::size_t last = 0;
        for (const NodeId reader : costs.consumers[e]) {
            reads[chips[reader.index()]] = 1;
            last = std::max<std::size_t>(last, chips[reader.index()]);
        }
        const auto enter = [&](std::size_t chip) { all[chip].in += transfer, ++all[chip].tensors_in; };
        const auto leave = [&](std::size_t chip) { all[chip].out += transfer, ++all[chip].tensors_out; };
        if (!costs.producer[e].valid()) {
            if (transfer == 0) continue;  // a model input that nobody brings
            for (std::size_t chip = 0; chip < reads.size(); ++chip)
                if (reads[chip] != 0) enter(chip);
            continue;
        }
        const std::size_t from = chips[costs.producer[e].index()];
        reads[from] = 0;
        const bool leaves = std::ranges::contains(reads, 1);
        if (problem.rules.relay && leaves) {
            for (std::size_t chip = from; chip < last; ++chip) leave(chip), enter(chip + 1);
            continue;
        }
        if (leaves || costs.to_host[e] != 0) leave(from);
        for (std::size_t chip = 0; chip < reads.size(); ++chip)
            if (reads[chip] != 0) enter(chip);
    }
    return all;
}

double corrected_time(cost::StageModel model, double work, const ChipTransfers& transfers, const Correction& correction) {
    const double link = factor(correction.log_link);
    const double in = transfers.in * link + transfers.tensors_in * correction.message;
    const double out = transfers.out * link + transfers.tensors_out * correction.message;
    return model == cost::StageModel::serial ? work + in + out : std::max({work, in, out});
}

Replanner::Replanner(const ChipProblem& problem)
    : costs_(*problem.costs), problem_(problem), original_(problem), grain_(grain_of(problem)) {
    problem_.costs = &costs_;
    for (const OrderKind kind : kOrderKinds) orders_.push_back(make_order(costs_, kind));
}

std::optional<Replanner::Plan> Replanner::plan(const Correction& correction, const Limits& limits) {
    const std::vector<Duration>& work = original_.costs->classes.front().work;
    for (std::size_t v = 0; v < work.size(); ++v)
        costs_.classes.front().work[v] = rounded((static_cast<double>(work[v].count()) + grain_) * factor(correction.log_work[v]));
    const double link = factor(correction.log_link);
    for (std::size_t e = 0; e < costs_.edge_count(); ++e)
        if (const auto transfer = static_cast<double>(original_.costs->transfer[e].count()); transfer > 0 || costs_.producer[e].valid())
            costs_.transfer[e] = rounded(transfer * link + correction.message);
    std::optional<Plan> best;
    Duration best_time{0};
    for (std::size_t i = 0; i < orders_.size(); ++i) {
        auto chips = slice_order(problem_, orders_[i], {.below = best ? std::optional(best_time) : std::nullopt, .limits = &limits});
        if (!chips) continue;
        best_time = bottleneck(problem_, *chips);
        best = Plan{*std::move(chips), kOrderKinds[i]};
    }
    return best;
}

}  // namespace sluice::mcm
