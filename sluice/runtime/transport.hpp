// Messages between ranks: non-blocking sends and receives by peer and tag, a barrier, a sum. Two back ends: Open MPI (mpi_transport, in the
// worker only) and in-process (local_transport: threads and queues, for tests). Messages with equal peer and tag keep their order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

class Request;  // one send or receive under way; buffers stay alive until it is complete

class Transport {
public:
    virtual ~Transport() = default;
    [[nodiscard]] virtual std::int64_t rank() const = 0;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    /// Never block. Callable from several threads; a communication thread (MPI) or the peer (in-process) moves the data.
    [[nodiscard]] virtual std::shared_ptr<Request> isend(std::span<const std::byte> data, std::int64_t peer, int tag) = 0;
    [[nodiscard]] virtual std::shared_ptr<Request> irecv(std::span<std::byte> data, std::int64_t peer, int tag) = 0;
    [[nodiscard]] virtual bool done(const Request& request) const = 0;
    /// False when `stop` was asked for or `patience` passed first. Sleeps, never spins.
    [[nodiscard]] virtual bool wait(const Request& request, std::stop_token stop, std::chrono::nanoseconds patience) = 0;
    virtual void barrier() = 0;
    virtual void all_reduce(std::span<float> values) = 0;  // sum, in place, the same bits on every rank
};

struct TransportOptions {
    bool synchronous_sends = false;  // every send waits for its receive (MPI_Issend): what a rendezvous would deadlock on shows at any size
};

/// Ranks of one process. Element r is rank r's; a rank's transport may be used by any number of threads.
[[nodiscard]] std::vector<std::unique_ptr<Transport>> make_local_transports(std::int64_t ranks, const TransportOptions& options = {});

}  // namespace sluice::runtime
