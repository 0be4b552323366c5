// Private to this layer. Sorted lists without repeats: rows of a StageProblem and the tensors of a stage.
#pragma once

#include <algorithm>
#include <vector>

namespace sluice::cost {

template <typename Id>
void keep_distinct(std::vector<Id>& ids) {
    std::ranges::sort(ids);
    ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

}  // namespace sluice::cost
