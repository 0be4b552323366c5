// Checkers of the kinds waypoints and triangle (docs/formats/certificate.md): what lies on ways between two nodes is found again, walk by
// walk. Nothing of bound/waypoints.cpp and bound/triangle.cpp. O(waypoints (n + m)).
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

/// Fails with an objection unless the witness proves that no partition has a bottleneck below the claim's value.
[[nodiscard]] Result<void> check_waypoints(const Claim& claim, const WaypointsWitness& witness);
/// What the witness proves under the triangle rule, or an objection.
[[nodiscard]] Result<CheckedWide> bound_by_triangle(const Claim& claim, const TriangleWitness& witness);

}  // namespace sluice::bound
