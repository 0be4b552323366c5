#include "sluice/mcm/residual/features.hpp"

#include <cmath>
#include <map>

namespace sluice::mcm {

namespace {

/// log(x / mean of those above 0), rounded so that what differs by rounding alone is one row; 0 where x is 0.
std::vector<float> log_ratios(const std::vector<double>& values) {
    double sum = 0;
    std::size_t count = 0;
    for (const double value : values)
        if (value > 0) sum += value, ++count;
    std::vector<float> logs;
    for (const double value : values)
        logs.push_back(value > 0 ? static_cast<float>(std::round(std::log(value * static_cast<double>(count) / sum) * 256) / 256) : 0.0F);
    return logs;
}

}  // namespace

FeatureTable local_features(const ChipProblem& problem) {
    const cost::StageProblem& costs = *problem.costs;
    const std::size_t n = costs.node_count();
    std::vector<double> work(n), in(n), out(n), parameters(n), readers(n);
    for (std::size_t v = 0; v < n; ++v) {
        work[v] = static_cast<double>(costs.classes.front().work[v].count());
        for (const EdgeId e : costs.inputs[v]) in[v] += static_cast<double>(costs.transfer[e.index()].count());
        for (const EdgeId e : costs.outputs[v]) {
            out[v] += static_cast<double>(costs.transfer[e.index()].count());
            readers[v] += static_cast<double>(costs.consumers[e.index()].size());
        }
        for (const WeightId w : costs.weights[v]) parameters[v] += static_cast<double>(costs.weight_bytes[w.index()].count);
    }
    const auto log_work = log_ratios(work), log_in = log_ratios(in), log_out = log_ratios(out), log_parameters = log_ratios(parameters);
    FeatureTable table;
    std::map<LocalFeatures, std::uint32_t> known;
    for (std::size_t v = 0; v < n; ++v) {
        LocalFeatures row{log_work[v],
                          log_in[v],
                          log_out[v],
                          log_parameters[v],
                          parameters[v] > 0 ? 1.0F : 0.0F,
                          static_cast<float>(std::log1p(readers[v]))};
        if (!problem.classes.empty()) row[kLocalNumbers + static_cast<std::size_t>(problem.classes[v])] = 1;
        const auto [at, fresh] = known.try_emplace(row, static_cast<std::uint32_t>(table.rows.size()));
        if (fresh) table.rows.push_back(row);
        table.row_of.push_back(at->second);
    }
    return table;
}

}  // namespace sluice::mcm
