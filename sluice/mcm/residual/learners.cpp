#include "sluice/mcm/residual/learners.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::mcm {

Observed observed(const ChipProblem& problem, const FeatureTable& table, std::span<const std::uint8_t> chips,
                  std::span<const Duration> chip_times) {
    Observed seen{.chips = {chips.begin(), chips.end()}, .seconds = {}, .transfers = chip_transfers(problem, chips), .row_work = {}};
    seen.row_work.resize(problem.chips * table.rows.size(), 0);
    const double grain = grain_of(problem);
    for (std::size_t v = 0; v < chips.size(); ++v)
        seen.row_work[chips[v] * table.rows.size() + table.row_of[v]] +=
            static_cast<double>(problem.costs->classes.front().work[v].count()) + grain;
    for (const Duration time : chip_times) seen.seconds.push_back(static_cast<double>(time.count()));
    seen.seconds.resize(problem.chips, 0);
    return seen;
}

Correction reweighted(const ChipProblem& problem, Correction start, std::span<const Observed> seen) {
    const double grain = grain_of(problem);
    const auto& work = problem.costs->classes.front().work;
    for (const Observed& plan : seen) {
        std::vector<double> sums(problem.chips, 0);
        for (std::size_t v = 0; v < plan.chips.size(); ++v)
            sums[plan.chips[v]] +=
                (static_cast<double>(work[v].count()) + grain) * std::exp(std::clamp(start.log_work[v], -kMostLog, kMostLog));
        std::vector<double> log_error(problem.chips, 0);
        for (std::size_t chip = 0; chip < problem.chips; ++chip)
            if (plan.seconds[chip] > 0 && sums[chip] > 0)
                log_error[chip] =
                    std::log(plan.seconds[chip] / corrected_time(problem.costs->model, sums[chip], plan.transfers[chip], start));
        for (std::size_t v = 0; v < plan.chips.size(); ++v) start.log_work[v] += log_error[plan.chips[v]];
    }
    return start;
}

PerceptronLearner::PerceptronLearner(const ChipProblem& problem, const FeatureTable& table, RandomStream& random)
    : problem_(problem), table_(table), perceptron_(random) {
    double sum = 0;
    for (const Duration transfer : problem.costs->transfer) sum += static_cast<double>(transfer.count());
    if (sum > 0) unit_ = sum / static_cast<double>(problem.costs->edge_count());
}

double PerceptronLearner::descend(std::span<const Observed> seen, std::span<const double> outputs, Slopes* slopes) const {
    const Correction link{.log_work = {}, .log_link = log_link_, .message = std::max(0.0, message_) * unit_};
    const double rate = std::exp(std::clamp(log_link_, -kMostLog, kMostLog));
    const std::size_t rows = table_.rows.size();
    std::vector<double> scale(rows);
    for (std::size_t r = 0; r < rows; ++r) scale[r] = std::exp(std::clamp(outputs[r], -kMostLog, kMostLog));
    double loss = 0;
    std::size_t count = 0;
    for (const Observed& plan : seen)
        for (std::size_t chip = 0; chip < problem_.chips; ++chip) {
            if (plan.seconds[chip] <= 0) continue;
            double work = 0;
            for (std::size_t r = 0; r < rows; ++r) work += plan.row_work[chip * rows + r] * scale[r];
            const ChipTransfers& transfers = plan.transfers[chip];
            const double predicted = corrected_time(problem_.costs->model, work, transfers, link);
            if (predicted <= 0) continue;
            const double error = std::log(predicted / plan.seconds[chip]);
            loss += error * error;
            ++count;
            if (slopes == nullptr) continue;
            // Of log predicted; under overlap only by what is the largest.
            const double slope = 2 * error / predicted;
            const bool serial = problem_.costs->model == cost::StageModel::serial;
            if (serial || predicted == work)
                for (std::size_t r = 0; r < rows; ++r) slopes->rows[r] += slope * plan.row_work[chip * rows + r] * scale[r];
            const double in = transfers.in * rate + transfers.tensors_in * link.message;
            if (serial || (predicted != work && predicted == in)) {
                slopes->link += slope * transfers.in * rate;
                slopes->message += slope * transfers.tensors_in * unit_;
            }
            if (serial || (predicted != work && predicted != in)) {
                slopes->link += slope * transfers.out * rate;
                slopes->message += slope * transfers.tensors_out * unit_;
            }
        }
    if (count == 0) return 0;
    if (slopes != nullptr) {
        for (double& slope : slopes->rows) slope /= static_cast<double>(count);
        slopes->link /= static_cast<double>(count);
        slopes->message /= static_cast<double>(count);
    }
    return loss / static_cast<double>(count);
}

void PerceptronLearner::learn(std::span<const Observed> seen, int steps) {
    constexpr double kLinkRate = 0.2;
    for (int i = 0; i < steps; ++i) {
        Slopes slopes{.rows = std::vector<double>(table_.rows.size(), 0)};
        descend(seen, perceptron_.outputs(table_.rows), &slopes);
        perceptron_.step(table_.rows, slopes.rows);
        log_link_ = std::clamp(log_link_ - kLinkRate * slopes.link, -kMostLog, kMostLog);
        message_ = std::clamp(message_ - kLinkRate * slopes.message, 0.0, 1.0);
    }
}

double PerceptronLearner::loss(std::span<const Observed> seen) const { return descend(seen, perceptron_.outputs(table_.rows), nullptr); }

Correction PerceptronLearner::correction() const {
    Correction correction{.log_work = {}, .log_link = log_link_, .message = message_ * unit_};
    const std::vector<double> outputs = perceptron_.outputs(table_.rows);
    for (const std::uint32_t row : table_.row_of) correction.log_work.push_back(outputs[row]);
    return correction;
}

}  // namespace sluice::mcm
