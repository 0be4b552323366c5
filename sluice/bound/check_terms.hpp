// What the checkers of all kinds read off a problem: devices, least work, what spill is at least. Their own, on purpose apart from
// bound/relaxation.hpp and search/serial_problem.hpp, which bounds use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/cost/objective.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

__extension__ typedef __int128 CheckedWide;

inline constexpr CheckedWide kPicosecondsPerSecond = 1'000'000'000'000;

[[nodiscard]] inline Diagnostic objection(std::string message) { return {DiagnosticKind::verification, std::move(message), {}, {}, {}}; }

/// Checkers ask between pieces of work.
[[nodiscard]] inline Result<void> go_on(const Limits& limits) {
    if (limits.interrupted() || limits.out_of_time()) return fail(objection("the check was stopped before its end"));
    return {};
}

/// ceil(a / b); needs b > 0.
[[nodiscard]] constexpr CheckedWide round_up(CheckedWide a, CheckedWide b) { return a <= 0 ? -(-a / b) : (a + b - 1) / b; }

/// What a certificate claims to hold for.
struct Claim {
    const cost::StageProblem& problem;
    std::int64_t devices;   // that serve all stages together
    std::int64_t replicas;  // that serve one stage, at most
    cost::Objective objective;
    Duration value;  // the bound
    const Limits& limits;
};

/// Devices that a partition may use together.
[[nodiscard]] std::int64_t devices_of(const cost::StageProblem& problem, std::int64_t stages);

/// Least work of a node over the classes that it can run on; nullopt: none.
[[nodiscard]] std::optional<std::int64_t> least_work(const cost::StageProblem& problem, std::size_t node);

/// What holds on every class: spill(S) >= (parameters(S) - memory) / rate. A hard class never holds more than its memory, so it has no say
/// in the rate; one class without a limit makes all spill zero (nullopt).
struct SpillFloor {
    CheckedWide memory = 0;
    CheckedWide rate = 1;
};
[[nodiscard]] std::optional<SpillFloor> spill_floor(const cost::StageProblem& problem);

}  // namespace sluice::bound
