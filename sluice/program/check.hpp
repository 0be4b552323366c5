// Is this program sound, and can it never deadlock, even when every send waits for its receive (rendezvous)?
//
// Why one look at the stage graph is a proof for every number of inputs. What happens in a run are events (instruction, input): the
// replica is the input's, modulo. By the meaning of lists (program.hpp) an event waits for nothing but
//   the instruction before it in its body, for the same input; a receive also for its send, for the same input       distance 0
//   the last instruction of its list's turn before, `stride` inputs earlier                                           distance >= 1
//   (forward) the sends of `output_slots` turns earlier, and that their receives are posted,
//   (receive) its own receive to be posted: a forward or delivery `credits` turns earlier                             distance >= 1
// Every distance is >= 0, and only finitely many instructions exist: a chain of waiting events that never ends would have to stay at one
// input for ever, so it runs into a cycle of distance 0; and the events of such a cycle wait for themselves at input 0 already. Hence a
// deadlock is a cycle of distance 0, however many inputs and replicas there are. Since a sound body has its receives before the forward
// and its sends after it, such a cycle is one of the stage graph. O(instructions + channels), independent of replica counts' common
// multiples. Deterministic.
#pragma once

#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/program/program.hpp"

namespace sluice::program {

/// Each fault named, empty when the program may run: ids and numbers out of range, a channel whose ends do not have the instruction, bodies
/// out of order, lists that do not cover every input once, ranks that clash, stages out of topological order; and deadlock, with the cycle
/// of waiting instructions (rank, stage, tensor, input) named. Any value of type Program may be asked about.
[[nodiscard]] std::vector<Diagnostic> faults_of(const Program& program);

}  // namespace sluice::program
