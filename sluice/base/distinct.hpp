// Sorted lists without repeats.
#pragma once

#include <algorithm>
#include <vector>

namespace sluice {

template <typename Id>
void keep_distinct(std::vector<Id>& ids) {
    std::ranges::sort(ids);
    ids.erase(std::ranges::unique(ids).begin(), ids.end());
}

}  // namespace sluice
