// The least bottleneck that a search by guesses can attain.
#pragma once

#include <algorithm>
#include <cstdint>
#include <expected>

#include "sluice/base/units.hpp"

namespace sluice::training {

enum class Missed { no_plan, stopped };

/// `attain(asked)`: makes a plan whose bottleneck is at most `asked` and returns what it is, or says why not; a smaller guess is never met
/// where a larger one is not. `least` is a lower bound. Ends within 2^-40 of the least there is; stopped, with the best so far when there
/// is one.
template <typename Attain>
[[nodiscard]] std::expected<std::int64_t, Missed> least_bottleneck(std::int64_t least, Attain&& attain) {
    least = std::max<std::int64_t>(least, 1);
    std::int64_t low = least - 1, asked = least;  // low is not met
    std::expected<std::int64_t, Missed> best = attain(asked);
    for (std::int64_t step = std::max<std::int64_t>(1, least / 64); !best; step *= 2) {
        if (best.error() == Missed::stopped || asked == kLargestTotal.count()) return best;
        low = asked;
        asked = asked / 64 > least ? kLargestTotal.count() : asked + step;  // beyond, it may be the memory
        best = attain(asked);
    }
    while (*best - low > std::max<std::int64_t>(1, *best >> 40)) {
        asked = low + (*best - low) / 2;
        const std::expected<std::int64_t, Missed> met = attain(asked);
        if (met)
            best = std::min(*met, *best);
        else if (met.error() == Missed::stopped)
            return best;
        else
            low = asked;
    }
    return best;
}

}  // namespace sluice::training
