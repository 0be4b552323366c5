// Memory as plans count it (design §3.1): parameters and peak of what lies on a chip against its SRAM, where the platform calls it hard.
// The compile step knows better, but a plan must hold by this count too, so it is asked first.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "sluice/mcm/judge/judge.hpp"

namespace sluice::mcm {

/// The first chip that holds more than its SRAM; none where nothing is limited, or the problem lifts the limit. With rule relay, tensors
/// that pass through count twice: as what enters and as what leaves. O(operators + chips x tensors).
[[nodiscard]] std::optional<CompileFailure> beyond_memory(const ChipProblem& problem, std::span<const std::uint8_t> assignment);

/// Refuses what is beyond_memory(), and asks another judge about the rest. `problem` outlives it. Diagnostics: an operator that alone is
/// beyond a chip's memory, so that nothing has to be tried (what else lies on its chip only adds to it).
[[nodiscard]] Result<std::unique_ptr<Judge>> fitting_judge(const ChipProblem& problem, std::unique_ptr<Judge> judge);

}  // namespace sluice::mcm
