// Barrier and sum out of sends and receives, the same for every back end. The sum is taken in rank order whatever the number of ranks,
// which MPI_Allreduce does not promise, so that runs over either back end give the same bits. Private to this layer.
#pragma once

#include <span>

#include "sluice/runtime/transport.hpp"

namespace sluice::runtime {

/// Dissemination barrier: ceil(log2 ranks) rounds of one empty message.
void barrier_of(Transport& transport);
/// Each rank sums its share of the values and hands it to all: 2 (ranks - 1) messages a rank, 2 (1 - 1 / ranks) of the data each way.
void all_reduce_of(Transport& transport, std::span<float> values);

}  // namespace sluice::runtime
