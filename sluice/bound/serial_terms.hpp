// Private to this layer. From a serial problem of search/ to the words of certificates, and back to values.
#pragma once

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/relaxation.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::bound {

[[nodiscard]] inline SerialTerms terms_of(const search::SerialProblem& serial) {
    return {.scale = serial.charge.scale, .work = serial.charge.work, .transfer = serial.charge.transfer, .merges = serial.merges};
}

/// The threshold that must be refuted to prove a bottleneck of at least `value`: with stages on r devices, ceil(f(S) / r) < value says
/// f(S) <= r (value - 1). Needs value >= 1.
[[nodiscard]] inline std::int64_t threshold_below(const search::SerialProblem& serial, Duration value) {
    constexpr Wide kMost = Wide{1} << 61;  // far above any threshold that can be refuted
    return static_cast<std::int64_t>(std::min(Wide{serial.charge.scale} * (value.count() - 1), kMost));
}

/// One device does all work in this time: no bound on the problem is above it.
[[nodiscard]] inline Duration most_provable(const search::SerialProblem& serial) {
    std::int64_t bytes = 0;
    for (std::int64_t weight : serial.weight_bytes) bytes += weight;
    return Duration{static_cast<std::int64_t>(ceil_divide(Wide{serial.total_work()} + spill_time(serial, bytes), serial.charge.scale))};
}

/// All work over all devices: what most methods prove at least.
[[nodiscard]] inline Duration even_share(const search::SerialProblem& serial) {
    return Duration{static_cast<std::int64_t>(ceil_divide(serial.total_work(), Wide{serial.charge.scale} * serial.devices))};
}

}  // namespace sluice::bound
