// Messages between ranks: non-blocking sends and receives by peer and tag, a barrier, a sum. Two back ends: Open MPI (mpi_transport, in the
// worker only) and in-process (local_transport: threads and queues, for tests). Messages with equal peer and tag keep their order; a
// message longer than its receive is a failure, a shorter one is not.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

class Request;  // one send or receive under way; buffers stay alive until it is complete

/// Tags from here on belong to barrier and all_reduce.
inline constexpr int kFirstReservedTag = std::numeric_limits<int>::max() - 15;

class Transport {
public:
    virtual ~Transport() = default;
    [[nodiscard]] virtual std::int64_t rank() const = 0;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    /// Never block. Callable from several threads; a communication thread (MPI) or the peer (in-process) moves the data.
    [[nodiscard]] virtual std::shared_ptr<Request> isend(std::span<const std::byte> data, std::int64_t peer, int tag) = 0;
    [[nodiscard]] virtual std::shared_ptr<Request> irecv(std::span<std::byte> data, std::int64_t peer, int tag) = 0;
    [[nodiscard]] virtual bool done(const Request& request) const = 0;
    /// False when `stop` was asked for, `patience` passed or the transport failed first. Sleeps, never spins.
    [[nodiscard]] virtual bool wait(const Request& request, std::stop_token stop, std::chrono::nanoseconds patience) = 0;
    /// Set once a message went wrong: what the library below said. At least its own request stays incomplete, and a wait for it returns at
    /// once.
    [[nodiscard]] virtual std::optional<Diagnostic> failure() const = 0;
    /// Takes memory that requests under way may still touch, when whoever made them gives up: it lives as long as they can.
    virtual void keep(std::shared_ptr<const void> memory) = 0;
    // Both are called by one thread at a time, by every rank in the same order, and return early only when the transport has failed.
    virtual void barrier() = 0;
    virtual void all_reduce(std::span<float> values) = 0;  // sum in rank order, in place: the same bits on every rank
};

struct TransportOptions {
    bool synchronous_sends = false;  // every send waits for its receive (MPI_Issend): what a rendezvous would deadlock on shows at any size
};

/// Ranks of one process. Element r is rank r's; a rank's transport may be used by any number of threads.
[[nodiscard]] std::vector<std::unique_ptr<Transport>> make_local_transports(std::int64_t ranks, const TransportOptions& options = {});

}  // namespace sluice::runtime
