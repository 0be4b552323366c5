// What the triangle rule of a chip ring (design §3.2) says about work: where one operator feeds another directly, whatever lies on a way
// between them shares their two chips, since a third chip on that way would make a walk of two hops beside the direct transfer. So the
// bottleneck is at least half of that work. Holds under that rule alone, and for plans without rewrites: a relay lifts it, a copy cuts it.
// The pair with the most work between it, by falling work of all that is numbered between the two: mostly a few, O(n) each, and no more
// than 400 million steps.
// Deterministic; anytime.
#pragma once

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

[[nodiscard]] Raised raise_by_triangles(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer,
                                        const Limits& limits, Duration floor);

}  // namespace sluice::bound
