#include "sluice/bound/highs.hpp"

#include <Highs.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <exception>
#include <format>

#include "sluice/search/poll.hpp"

namespace sluice::bound {

namespace {

/// Factors that bring an integer model into the range that HiGHS's absolute tolerances are made for.
struct Scaling {
    std::vector<double> column, row;

    Scaling(const LinearModel& model, double unit) : column(model.lower.size(), 1), row(model.row_count(), 1) {
        for (std::size_t c = 0; c < column.size(); ++c)
            if (!model.integer[c] && model.upper[c] != LinearModel::kUnlimited && model.upper[c] > 0)
                column[c] = static_cast<double>(model.upper[c]);
        column[0] = unit;
        for (std::size_t r = 0; r < row.size(); ++r) {
            double largest = 0;
            for (std::size_t i = model.starts[r]; i < model.starts[r + 1]; ++i)
                largest = std::max(
                    largest, std::abs(static_cast<double>(model.coefficients[i])) * column[static_cast<std::size_t>(model.columns[i])]);
            if (largest > 0) row[r] = 1 / largest;
        }
    }
};

HighsLp to_highs(const LinearModel& model, const Scaling& scaling, bool relaxed) {
    HighsLp lp;
    lp.num_col_ = static_cast<HighsInt>(model.lower.size());
    lp.num_row_ = static_cast<HighsInt>(model.row_count());
    lp.col_cost_.assign(model.lower.size(), 0);
    lp.col_cost_[0] = 1;
    for (std::size_t c = 0; c < model.lower.size(); ++c) {
        lp.col_lower_.push_back(static_cast<double>(model.lower[c]) / scaling.column[c]);
        lp.col_upper_.push_back(model.upper[c] == LinearModel::kUnlimited ? kHighsInf
                                                                          : static_cast<double>(model.upper[c]) / scaling.column[c]);
        if (!relaxed) lp.integrality_.push_back(model.integer[c] ? HighsVarType::kInteger : HighsVarType::kContinuous);
    }
    lp.a_matrix_.format_ = MatrixFormat::kRowwise;
    lp.a_matrix_.start_.clear();
    lp.a_matrix_.start_.push_back(0);
    for (std::size_t r = 0; r < model.row_count(); ++r) {
        for (std::size_t i = model.starts[r]; i < model.starts[r + 1]; ++i) {
            lp.a_matrix_.index_.push_back(model.columns[i]);
            lp.a_matrix_.value_.push_back(static_cast<double>(model.coefficients[i]) *
                                          scaling.column[static_cast<std::size_t>(model.columns[i])] * scaling.row[r]);
        }
        lp.a_matrix_.start_.push_back(static_cast<HighsInt>(lp.a_matrix_.index_.size()));
        lp.row_lower_.push_back(static_cast<double>(model.least[r]) * scaling.row[r]);
        lp.row_upper_.push_back(kHighsInf);
    }
    return lp;
}

/// Everything that could make two runs differ, or print, is off.
bool configure(Highs& highs, const LinearOptions& options, const Limits& limits) {
    bool good = true;
    const auto set = [&](const char* name, auto value) { good = good && highs.setOptionValue(name, value) == ::HighsStatus::kOk; };
    set("output_flag", false);
    set("threads", 1);
    set("parallel", "off");
    set("random_seed", options.seed);
    set("presolve", options.presolve ? "on" : "off");
    set("mip_rel_gap", 0.0);
    set("mip_abs_gap", 0.0);
    if (options.nodes) set("mip_max_nodes", static_cast<int>(std::min<std::int64_t>(*options.nodes, std::numeric_limits<int>::max())));
    std::optional<double> seconds = options.seconds;
    if (limits.deadline) {
        const double left = std::chrono::duration<double>(*limits.deadline - Limits::Clock::now()).count();
        seconds = std::max(0.0, std::min(left, seconds.value_or(left)));
    }
    if (seconds) set("time_limit", *seconds);
    return good;
}

LinearStatus status_of(HighsModelStatus status) {
    switch (status) {
        case HighsModelStatus::kOptimal:
            return LinearStatus::optimal;
        case HighsModelStatus::kInfeasible:
        case HighsModelStatus::kUnboundedOrInfeasible:  // bounded below by column 0
            return LinearStatus::infeasible;
        case HighsModelStatus::kTimeLimit:
        case HighsModelStatus::kIterationLimit:
        case HighsModelStatus::kSolutionLimit:  // the node limit
        case HighsModelStatus::kInterrupt:
            return LinearStatus::stopped;
        default:
            return LinearStatus::failed;
    }
}

LinearResult run(const LinearModel& model, const LinearOptions& options, const Limits& limits) {
    const Scaling scaling(model, options.unit);
    Highs highs;
    LinearResult result;
    if (!configure(highs, options, limits)) return result;
    highs.setCallback(
        [&limits](int, const std::string&, const auto*, auto* in, void*) {
            if (in != nullptr && search::must_stop(limits)) in->user_interrupt = 1;
        },
        nullptr);
    highs.startCallback(HighsCallbackType::kCallbackMipInterrupt);
    highs.startCallback(HighsCallbackType::kCallbackSimplexInterrupt);
    if (highs.passModel(to_highs(model, scaling, options.relaxed)) == ::HighsStatus::kError) return result;
    if (highs.run() == ::HighsStatus::kError) return result;  // an interrupted run is a warning

    result.status = status_of(highs.getModelStatus());
    const HighsSolution& solution = highs.getSolution();
    if (solution.value_valid)
        for (std::size_t c = 0; c < scaling.column.size(); ++c) result.primal.push_back(solution.col_value[c] * scaling.column[c]);
    result.objective = result.primal.empty() ? 0 : result.primal[0];
    if (options.relaxed) {
        if (solution.dual_valid)
            for (std::size_t r = 0; r < scaling.row.size(); ++r)
                result.duals.push_back(solution.row_dual[r] * scaling.row[r] * options.unit);
    } else {
        result.bound = highs.getInfo().mip_dual_bound * options.unit;
        result.nodes = std::max<std::int64_t>(highs.getInfo().mip_node_count, 0);
    }
    return result;
}

}  // namespace

std::int32_t LinearModel::add_column(std::int64_t low, std::int64_t high, bool whole) {
    lower.push_back(low);
    upper.push_back(high);
    integer.push_back(whole ? 1 : 0);
    return static_cast<std::int32_t>(lower.size() - 1);
}

void LinearModel::add_entry(std::int32_t column, std::int64_t coefficient) {
    if (coefficient == 0) return;
    columns.push_back(column);
    coefficients.push_back(coefficient);
}

void LinearModel::close_row(std::int64_t at_least) {
    least.push_back(at_least);
    starts.push_back(columns.size());
}

LinearResult solve_with_highs(const LinearModel& model, const LinearOptions& options, const Limits& limits) {
    assert(!model.lower.empty() && options.unit > 0);
    try {
        return run(model, options, limits);
    } catch (const std::exception&) {  // out of memory, for one
        return {};
    }
}

std::string highs_version() { return std::format("HiGHS {}.{}.{}", HIGHS_VERSION_MAJOR, HIGHS_VERSION_MINOR, HIGHS_VERSION_PATCH); }

}  // namespace sluice::bound
