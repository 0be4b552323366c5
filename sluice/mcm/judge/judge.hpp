// Who says what an assignment is worth: the planners' own cost, the event simulator, or a machine (`plan --judge COMMAND`). Searches,
// policy and residual see only this. One verdict is one evaluation, whether the assignment compiles or not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

inline constexpr std::size_t kUnknownChip = ~std::size_t{0};

/// The compile step said no.
struct CompileFailure {
    std::size_t chip = kUnknownChip;
    Diagnostic why;             // of kind infeasible
    std::vector<NodeId> nodes;  // all on that chip: together they do not compile (ChipProblem::nogoods). Empty: nobody knows which
};

struct Verdict {
    std::optional<CompileFailure> failure;  // then the rest says nothing
    Duration period{0};                     // between two outputs in the steady state: 1 / throughput. > 0
    Duration latency{0};                    // of one input through the empty pipeline; 0: not told
    std::vector<Duration> chip_times;       // per chip, busy time for one input as the machine reports it; empty: not told

    [[nodiscard]] bool fits() const { return !failure; }
};

class Judge {
public:
    Judge() = default;
    Judge(const Judge&) = delete;
    Judge& operator=(const Judge&) = delete;
    virtual ~Judge() = default;
    /// `assignment`: legal for the problem that the judge was made for. Diagnostics: the judge itself failed. One call at a time.
    [[nodiscard]] virtual Result<Verdict> judge(std::span<const std::uint8_t> assignment) = 0;
};

/// The planners' own cost: the bottleneck, and the chip times that it comes from. Says nothing of latency; everything compiles.
class AnalyticJudge final : public Judge {
public:
    explicit AnalyticJudge(const ChipProblem& problem) : problem_(problem) {}  // which outlives it
    [[nodiscard]] Result<Verdict> judge(std::span<const std::uint8_t> assignment) override;

private:
    const ChipProblem& problem_;
};

}  // namespace sluice::mcm
