// Is this program sound, and can it never deadlock, even when every send waits for its receive (rendezvous)?
#pragma once

#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

/// Each fault named, empty when the program may run: ids out of range, a channel whose ends do not have the instruction, lists that do not
/// cover every input once, ranks that clash; and deadlock, with the cycle of waiting instructions (rank, stage, tensor, input) named.
[[nodiscard]] std::vector<Diagnostic> faults_of(const Program& program);

}  // namespace sluice::program
