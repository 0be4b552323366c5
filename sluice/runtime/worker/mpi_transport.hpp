// The transport over Open MPI. One communication thread owns MPI, from MPI_Init to MPI_Finalize, and makes non-blocking calls only: compute
// threads hand it requests through a queue and sleep until they are complete. MPI's progress goes on while they compute.
//
// Open MPI has no wait that sleeps: the thread tests all its requests 200 times, then sleeps between tests, for an eighth of the time since
// anything happened, at least 20 us and at most 1 ms, and is woken at once by a new request. So a message is noticed late by at most an
// eighth of what it was awaited, and by a millisecond; a rank that waits long takes about 2 % of a core.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>

#include "sluice/runtime/transport.hpp"

namespace sluice::runtime {

struct MpiOptions {
    bool synchronous_sends = false;
    /// Bytes that one element count can name. MPI's counts are int: longer messages go as blocks of this size (MPI_Isend_c is MPI 4 and not
    /// in Open MPI 5.0). Smaller values are for tests.
    std::size_t largest_count = std::numeric_limits<int>::max();
};

/// Once a process. Destroyed with requests under way, or after a failure, it leaves MPI without MPI_Finalize, which would wait for ever for
/// ranks in the same state: the process should then exit with an error, on which mpirun ends the others.
/// Diagnostics: MPI that will not start.
[[nodiscard]] Result<std::unique_ptr<Transport>> make_mpi_transport(const MpiOptions& options = {});

}  // namespace sluice::runtime
