// The checkers' serial problem (check_serial.hpp) as exact-dp needs it: groups numbered topologically, so that a downset is a set of
// numbers and an order of them decides stages; tensors of one producer and the same consumers joined, parameters of the same users joined.
//   g(S) = work(S) + in(S) + out(S) + ceil(w max(0, parameters(S) - memory) / rate), charges included,
// is what a stage costs here. O(n + m), beside sorting.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/bound/check_serial.hpp"
#include "sluice/graph/node_set.hpp"

namespace sluice::bound {

/// No stage costs more: room for the difference of two sums.
inline constexpr std::int64_t kAnyCost = std::int64_t{1} << 61;

struct CheckedGroups {
    using Index = std::uint32_t;

    std::vector<std::int64_t> work;
    Rows<Index> predecessors, successors;  // distinct, ascending; a group's number is above its predecessors'
    std::vector<Index> producer;           // of a tensor
    Rows<Index> consumers;                 // distinct, ascending, at least one
    std::vector<std::int64_t> transfer;
    Rows<Index> inputs, outputs;                          // tensors per group
    bool spills = false;                                  // parameters are listed only where some stage can spill
    std::int64_t charged_work = 1, memory = 0, rate = 1;  // bytes, bytes a second
    std::vector<std::int64_t> weight_bytes;
    Rows<Index> weights;  // per group

    [[nodiscard]] std::size_t size() const { return work.size(); }
    [[nodiscard]] std::size_t tensors() const { return producer.size(); }
    /// ceil(w bytes / rate) in picoseconds, and that of what a stage of so many parameter bytes spills. 0 unless parameters can spill.
    [[nodiscard]] std::int64_t stream_time(std::int64_t bytes) const;
    [[nodiscard]] std::int64_t spill_time(std::int64_t parameters) const {
        return parameters > memory ? stream_time(parameters - memory) : 0;
    }
    /// Work of a downset less the tensors that leave it.
    [[nodiscard]] std::int64_t value_of(const graph::NodeSet& downset) const;
};

/// Always next the group with the lowest node among those whose predecessors came: docs/formats/certificate.md, where no order is given.
[[nodiscard]] std::vector<std::uint32_t> lowest_first(const CheckedSerial& serial);

/// Groups numbered as `order` has them, a topological order of all. Fails when costs could leave int64.
[[nodiscard]] Result<CheckedGroups> numbered(const CheckedSerial& serial, std::span<const std::uint32_t> order);

}  // namespace sluice::bound
