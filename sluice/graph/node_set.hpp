// Sets of small indices as 64-bit words: stages, downsets, reachability rows. All operations are word-parallel.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::graph {

class NodeSet {
public:
    NodeSet() = default;
    explicit NodeSet(std::size_t universe) : universe_(universe), words_((universe + 63) / 64) {}

    [[nodiscard]] std::size_t universe() const { return universe_; }
    void insert(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
    void erase(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
    [[nodiscard]] bool contains(std::size_t i) const { return (words_[i / 64] >> (i % 64)) & 1; }
    void clear() { words_.assign(words_.size(), 0); }

    [[nodiscard]] std::size_t count() const;
    [[nodiscard]] bool empty() const;
    [[nodiscard]] bool contains(const NodeSet& subset) const;
    [[nodiscard]] bool intersects(const NodeSet& other) const;
    NodeSet& operator|=(const NodeSet& other);
    NodeSet& operator&=(const NodeSet& other);
    NodeSet& operator-=(const NodeSet& other);
    friend bool operator==(const NodeSet&, const NodeSet&) = default;

    /// Calls f(index) in ascending order.
    template <typename F>
    void for_each(F&& f) const {
        for (std::size_t w = 0; w < words_.size(); ++w)
            for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) f(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    }
    [[nodiscard]] std::size_t hash() const;

private:
    std::size_t universe_ = 0;
    std::vector<std::uint64_t> words_;
};

}  // namespace sluice::graph
