#include "sluice/bound/covering_program.hpp"

#include <Highs.h>

#include <algorithm>
#include <exception>

#include "sluice/search/poll.hpp"

namespace sluice::bound {

CoveringProgram::CoveringProgram(std::size_t groups) : highs_(std::make_unique<Highs>()) {
    highs_->setOptionValue("output_flag", false);
    highs_->setOptionValue("threads", 1);
    highs_->setOptionValue("parallel", "off");
    highs_->changeObjectiveSense(ObjSense::kMaximize);
    for (std::size_t g = 0; g < groups; ++g) highs_->addCol(1.0, 0.0, 1.0, 0, nullptr, nullptr);
}

CoveringProgram::~CoveringProgram() = default;
CoveringProgram::CoveringProgram(CoveringProgram&&) noexcept = default;
CoveringProgram& CoveringProgram::operator=(CoveringProgram&&) noexcept = default;

void CoveringProgram::add(std::span<const search::SerialProblem::Index> stage, std::int64_t devices) {
    const std::vector<HighsInt> columns(stage.begin(), stage.end());
    const std::vector<double> ones(stage.size(), 1.0);
    highs_->addRow(-kHighsInf, static_cast<double>(devices), static_cast<HighsInt>(columns.size()), columns.data(), ones.data());
}

CoveringProgram::Answer CoveringProgram::solve(std::span<const double> lower, std::span<const double> upper, const Limits& limits) {
    try {
        if (limits.deadline)  // HiGHS counts all runs of one object together
            highs_->setOptionValue(
                "time_limit",
                highs_->getRunTime() + std::max(0.0, std::chrono::duration<double>(*limits.deadline - Limits::Clock::now()).count()));
        highs_->changeColsBounds(0, static_cast<HighsInt>(lower.size()) - 1, lower.data(), upper.data());
        if (highs_->run() != HighsStatus::kOk) return {};
        const HighsModelStatus status = highs_->getModelStatus();
        if (status == HighsModelStatus::kInfeasible) return {{}, true};
        if (status != HighsModelStatus::kOptimal) return {};
        return {highs_->getSolution().col_value};
    } catch (const std::exception&) {  // out of memory, for one
        return {};
    }
}

}  // namespace sluice::bound
