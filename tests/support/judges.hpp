// Judges with a will of their own, for tests of what searches the multi-chip job.
#pragma once

#include <algorithm>
#include <format>
#include <vector>

#include "sluice/mcm/judge/judge.hpp"

namespace sluice::test {

/// The planners' cost, but a chip of more than so many operators does not compile. Counts what it is asked.
class FussyJudge final : public mcm::Judge {
public:
    /// `telling`: it says which operators failed.
    FussyJudge(const mcm::ChipProblem& problem, std::size_t most_operators, bool telling)
        : problem_(problem), most_(most_operators), telling_(telling) {}

    [[nodiscard]] static bool compiles(const mcm::ChipProblem& problem, std::size_t most, std::span<const std::uint8_t> chips) {
        for (std::size_t d = 0; d < problem.chips; ++d)
            if (static_cast<std::size_t>(std::ranges::count(chips, d)) > most) return false;
        return true;
    }
    [[nodiscard]] Result<mcm::Verdict> judge(std::span<const std::uint8_t> chips) override {
        ++asked;
        mcm::Verdict verdict;
        for (std::size_t d = 0; d < problem_.chips && !verdict.failure; ++d) {
            const auto count = static_cast<std::size_t>(std::ranges::count(chips, d));
            if (count <= most_) continue;
            mcm::CompileFailure failure{d, {DiagnosticKind::infeasible, std::format("{} operators on chip {}", count, d), {}, {}, {}}, {}};
            for (std::size_t v = 0; telling_ && v < chips.size(); ++v)
                if (chips[v] == d) failure.nodes.emplace_back(v);
            verdict.failure = std::move(failure);
        }
        if (verdict.failure) return verdict;
        verdict.chip_times = mcm::chip_times(problem_, chips);
        verdict.period = std::max(std::ranges::max(verdict.chip_times), Duration{1});
        return verdict;
    }
    std::int64_t asked = 0;

private:
    const mcm::ChipProblem& problem_;
    std::size_t most_;
    bool telling_;
};

/// Fails itself from the n-th question on.
class BrokenJudge final : public mcm::Judge {
public:
    BrokenJudge(const mcm::ChipProblem& problem, std::int64_t good) : judge_(problem), good_(good) {}
    [[nodiscard]] Result<mcm::Verdict> judge(std::span<const std::uint8_t> chips) override {
        if (good_-- <= 0) return fail(input_error("the machine is on fire"));
        return judge_.judge(chips);
    }

private:
    mcm::AnalyticJudge judge_;
    std::int64_t good_;
};

}  // namespace sluice::test
