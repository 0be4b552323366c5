#include "sluice/graph/node_set.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::graph {

std::size_t NodeSet::count() const {
    std::size_t total = 0;
    for (std::uint64_t word : words_) total += static_cast<std::size_t>(std::popcount(word));
    return total;
}

bool NodeSet::empty() const {
    return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
}

bool NodeSet::contains(const NodeSet& subset) const {
    assert(universe_ == subset.universe_);
    for (std::size_t w = 0; w < words_.size(); ++w)
        if ((subset.words_[w] & ~words_[w]) != 0) return false;
    return true;
}

bool NodeSet::intersects(const NodeSet& other) const {
    assert(universe_ == other.universe_);
    for (std::size_t w = 0; w < words_.size(); ++w)
        if ((words_[w] & other.words_[w]) != 0) return true;
    return false;
}

NodeSet& NodeSet::operator|=(const NodeSet& other) {
    assert(universe_ == other.universe_);
    for (std::size_t w = 0; w < words_.size(); ++w) words_[w] |= other.words_[w];
    return *this;
}

NodeSet& NodeSet::operator&=(const NodeSet& other) {
    assert(universe_ == other.universe_);
    for (std::size_t w = 0; w < words_.size(); ++w) words_[w] &= other.words_[w];
    return *this;
}

NodeSet& NodeSet::operator-=(const NodeSet& other) {
    assert(universe_ == other.universe_);
    for (std::size_t w = 0; w < words_.size(); ++w) words_[w] &= ~other.words_[w];
    return *this;
}

std::size_t NodeSet::hash() const {
    // One multiply-and-fold per word; the mixing constant is that of splitmix64.
    std::uint64_t state = universe_;
    for (std::uint64_t word : words_) {
        state = (state ^ word) * 0xbf58476d1ce4e5b9ULL;
        state ^= state >> 32;
    }
    return static_cast<std::size_t>(state);
}

}  // namespace sluice::graph
