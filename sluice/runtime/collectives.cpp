#include "sluice/runtime/collectives.hpp"

#include <algorithm>
#include <array>

namespace sluice::runtime {

namespace {

constexpr int kBarrierTag = kFirstReservedTag, kShareTag = kFirstReservedTag + 1, kSumTag = kFirstReservedTag + 2;

using Requests = std::vector<std::shared_ptr<Request>>;

bool wait_for_all(Transport& transport, const Requests& requests) {
    return std::ranges::all_of(requests,
                               [&](const auto& request) { return transport.wait(*request, {}, std::chrono::nanoseconds::max()); });
}

}  // namespace

void barrier_of(Transport& transport) {
    const std::int64_t size = transport.size(), rank = transport.rank();
    for (std::int64_t step = 1; step < size; step *= 2)
        if (!wait_for_all(transport, {transport.irecv({}, (rank + size - step) % size, kBarrierTag),
                                      transport.isend({}, (rank + step) % size, kBarrierTag)}))
            return;
}

void all_reduce_of(Transport& transport, std::span<float> values) {
    const auto size = static_cast<std::size_t>(transport.size()), rank = static_cast<std::size_t>(transport.rank());
    if (size == 1) return;
    const auto share = [&](std::size_t of) {
        const std::size_t begin = values.size() * of / size;
        return values.subspan(begin, values.size() * (of + 1) / size - begin);
    };
    const std::span<float> mine = share(rank);
    // On the heap and kept: a transport that failed may still write here.
    const auto theirs = std::make_shared<std::vector<float>>(mine.size() * size);
    const auto part = [&](std::size_t of) { return std::span(*theirs).subspan(mine.size() * of, mine.size()); };

    Requests requests;
    for (std::size_t r = 0; r < size; ++r)
        if (r != rank) requests.push_back(transport.irecv(std::as_writable_bytes(part(r)), static_cast<std::int64_t>(r), kShareTag));
    for (std::size_t r = 0; r < size; ++r)
        if (r != rank) requests.push_back(transport.isend(std::as_bytes(share(r)), static_cast<std::int64_t>(r), kShareTag));
    std::ranges::copy(mine, part(rank).begin());
    if (!wait_for_all(transport, requests)) return transport.keep(theirs);

    std::ranges::copy(part(0), mine.begin());
    for (std::size_t r = 1; r < size; ++r)
        for (std::size_t i = 0; i < mine.size(); ++i) mine[i] += part(r)[i];

    requests.clear();
    for (std::size_t r = 0; r < size; ++r)
        if (r != rank) requests.push_back(transport.irecv(std::as_writable_bytes(share(r)), static_cast<std::int64_t>(r), kSumTag));
    for (std::size_t r = 0; r < size; ++r)
        if (r != rank) requests.push_back(transport.isend(std::as_bytes(mine), static_cast<std::int64_t>(r), kSumTag));
    wait_for_all(transport, requests);
}

}  // namespace sluice::runtime
