#include "sluice/cost/interleaving.hpp"

#include <algorithm>

namespace sluice::cost {

std::vector<Turn> interleaved_turns(std::size_t stages, std::int64_t micro_batches, std::int64_t round, std::int64_t distance) {
    std::vector<Turn> forward, backward, turns;
    for (std::int64_t first = 0; first < micro_batches; first += round)
        for (std::size_t place = 0; place < stages; ++place)
            for (std::int64_t i = first; i < std::min(first + round, micro_batches); ++i) {
                forward.push_back({true, place, i});
                backward.push_back({false, stages - 1 - place, i});
            }
    const auto warm = std::min(forward.size(), static_cast<std::size_t>(2 * distance) + (stages - 1) * static_cast<std::size_t>(round));
    turns.assign(forward.begin(), forward.begin() + static_cast<std::ptrdiff_t>(warm));
    for (std::size_t i = 0; i < backward.size(); ++i) {
        if (warm + i < forward.size()) turns.push_back(forward[warm + i]);
        turns.push_back(backward[i]);
    }
    return turns;
}

}  // namespace sluice::cost
