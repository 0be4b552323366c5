// Compressed rows: a list of lists in two arrays, so that a walk over neighbours is one cache stream. O(1) row access.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

template <typename Value>
class Rows {
public:
    Rows() : starts_(1, 0) {}
    explicit Rows(const std::vector<std::vector<Value>>& rows) : Rows() {
        starts_.reserve(rows.size() + 1);
        for (const auto& row : rows) push_row(row);
    }

    void push_row(std::span<const Value> row) {
        values_.insert(values_.end(), row.begin(), row.end());
        starts_.push_back(static_cast<std::uint32_t>(values_.size()));
    }
    [[nodiscard]] std::span<const Value> operator[](std::size_t row) const {
        return {values_.data() + starts_[row], values_.data() + starts_[row + 1]};
    }
    [[nodiscard]] std::size_t size() const { return starts_.size() - 1; }
    [[nodiscard]] std::size_t total() const { return values_.size(); }
    friend bool operator==(const Rows&, const Rows&) = default;

private:
    std::vector<std::uint32_t> starts_;
    std::vector<Value> values_;
};

}  // namespace sluice
