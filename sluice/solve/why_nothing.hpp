// Private to this layer. Why a method of `compare` ended without a result.
#pragma once

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/stop.hpp"

namespace sluice::solve {

/// Whoever was not stopped came to its end.
[[nodiscard]] inline StopReason why_nothing(const Diagnostic& failure, const Limits& limits) {
    if (failure.kind != DiagnosticKind::stopped) return StopReason::finished;
    return limits.interrupted() ? StopReason::interrupted : StopReason::time;
}

}  // namespace sluice::solve
