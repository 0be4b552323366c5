// What every transport must do, checked by all its ranks at once: each calls check_transport with its own.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <format>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/runtime/transport.hpp"

namespace sluice::test {

class TransportChecks {
public:
    TransportChecks(runtime::Transport& of, std::size_t largest) : transport(of), this_rank(of.rank()), largest_(largest) {}

    std::vector<std::string> run() {
        exchange();
        order();
        sums();
        barriers();
        ends_of_waits();
        return std::move(faults_);
    }

private:
    using Clock = std::chrono::steady_clock;
    using Request = runtime::Request;
    using milliseconds = std::chrono::milliseconds;
    static constexpr std::chrono::seconds kPatience{30};

    void expect(bool holds, std::string_view what) {
        if (!holds) faults_.push_back(std::format("rank {}: {}", this_rank, what));
    }
    bool wait(const Request& request) { return transport.wait(request, {}, kPatience); }

    static std::vector<std::byte> pattern(std::size_t bytes, std::int64_t from, std::int64_t to, int tag) {
        RandomStream random(static_cast<std::uint64_t>(from * 1000 + to), static_cast<std::uint64_t>(tag));
        std::vector<std::byte> result(bytes);
        for (std::size_t i = 0; i < bytes; i += 8) {
            const std::uint64_t word = random();
            std::memcpy(result.data() + i, &word, std::min<std::size_t>(8, bytes - i));
        }
        return result;
    }

    /// Every rank to every rank, itself too, several sizes and tags at once; receives posted before or after the sends.
    void exchange() {
        const std::array<std::size_t, 6> sizes{0, 1, 999, 64 << 10, (64 << 10) + 1, largest_};
        const std::int64_t ranks = transport.size();
        for (const bool receives_first : {true, false}) {
            std::vector<std::vector<std::byte>> sent, received, expected;
            std::vector<std::shared_ptr<Request>> requests;
            const auto receive = [&] {
                for (std::int64_t peer = 0; peer < ranks; ++peer)
                    for (int tag = 0; tag < static_cast<int>(sizes.size()); ++tag) {
                        const std::size_t bytes = sizes[static_cast<std::size_t>(tag)];
                        expected.push_back(pattern(bytes, peer, this_rank, tag));
                        received.emplace_back(bytes + 10);  // a shorter message is none too short
                        requests.push_back(transport.irecv(received.back(), peer, tag));
                    }
            };
            if (receives_first) receive();
            for (std::int64_t peer = 0; peer < ranks; ++peer)
                for (int tag = static_cast<int>(sizes.size()) - 1; tag >= 0; --tag) {
                    sent.push_back(pattern(sizes[static_cast<std::size_t>(tag)], this_rank, peer, tag));
                    requests.push_back(transport.isend(sent.back(), peer, tag));
                }
            if (!receives_first) receive();
            for (const auto& request : requests) expect(wait(*request), "a message does not arrive");
            for (std::size_t i = 0; i < received.size(); ++i) {
                received[i].resize(expected[i].size());
                expect(received[i] == expected[i], std::format("message {} arrived changed", i));
            }
            transport.barrier();
        }
    }

    /// Messages of one peer and tag keep their order, also where small ones could overtake large ones.
    void order() {
        const std::int64_t next = (this_rank + 1) % transport.size(), before = (this_rank + transport.size() - 1) % transport.size();
        constexpr std::int64_t messages = 300;
        const auto bytes = [](std::int64_t i) { return static_cast<std::size_t>(i % 7 == 0 ? 200'000 : 8 + i % 3); };
        std::vector<std::vector<std::byte>> out, in;
        std::vector<std::shared_ptr<Request>> requests;
        for (std::int64_t i = 0; i < messages; ++i) {
            in.emplace_back(200'000);
            requests.push_back(transport.irecv(in.back(), before, 5));
            out.emplace_back(bytes(i));
            std::memcpy(out.back().data(), &i, sizeof i);
            requests.push_back(transport.isend(out.back(), next, 5));
        }
        for (const auto& request : requests) expect(wait(*request), "an ordered message does not arrive");
        for (std::int64_t i = 0; i < messages; ++i) {
            std::int64_t got = -1;
            std::memcpy(&got, in[static_cast<std::size_t>(i)].data(), sizeof got);
            expect(got == i, std::format("message {} came in place {}", got, i));
        }
    }

    void sums() {
        for (const std::size_t count : {0, 1, 2, 1000, 100'003}) {
            const auto values_of = [&](std::int64_t rank) {
                RandomStream random(count, static_cast<std::uint64_t>(rank));
                std::vector<float> values(count);
                for (float& v : values) v = static_cast<float>(random.unit() * std::pow(10, random.between(-6, 6)));
                return values;
            };
            std::vector<float> values = values_of(this_rank), expected = values_of(0);
            for (std::int64_t rank = 1; rank < transport.size(); ++rank)
                for (std::size_t i = 0; const float v : values_of(rank)) expected[i++] += v;
            transport.all_reduce(values);
            expect(values == expected, std::format("the sum of {} values is not that in rank order", count));
        }
    }

    /// No rank leaves a barrier before the last has come: one machine has one monotonic clock.
    void barriers() {
        for (int round = 0; round < 5; ++round) {
            std::this_thread::sleep_for(milliseconds((this_rank * 7 + round * 5) % 16));
            const auto now = [] { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); };
            std::vector<double> mine(2), theirs(2 * static_cast<std::size_t>(transport.size()));
            mine[0] = now();
            transport.barrier();
            mine[1] = now();
            std::vector<std::shared_ptr<Request>> requests;
            for (std::int64_t peer = 0; peer < transport.size(); ++peer) {
                requests.push_back(
                    transport.irecv(std::as_writable_bytes(std::span(theirs).subspan(2 * static_cast<std::size_t>(peer), 2)), peer, 9));
                requests.push_back(transport.isend(std::as_bytes(std::span(mine)), peer, 9));
            }
            for (const auto& request : requests) expect(wait(*request), "times do not arrive");
            for (std::size_t r = 0; r < theirs.size(); r += 2) expect(theirs[r] <= mine[1], "a rank left the barrier before all had come");
        }
    }

    /// A wait ends when its patience or a stop says so, long before its message.
    void ends_of_waits() {
        const std::int64_t next = (this_rank + 1) % transport.size(), before = (this_rank + transport.size() - 1) % transport.size();
        std::vector<std::byte> in(8), out(8);
        const auto receive = transport.irecv(in, before, 11);
        expect(!transport.wait(*receive, {}, milliseconds(50)), "a wait without a message ended well");
        std::stop_source stop;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(milliseconds(50));
            stop.request_stop();
        });
        const auto start = Clock::now();
        expect(!transport.wait(*receive, stop.get_token(), kPatience), "a stopped wait ended well");
        expect(Clock::now() - start < std::chrono::seconds(10), "a stop did not end a wait");
        expect(!transport.done(*receive) && !transport.failure(), "a receive without a message is done, or the transport failed");
        transport.barrier();
        const auto send = transport.isend(out, next, 11);
        expect(wait(*receive) && wait(*send), "a message after a wait that ended does not arrive");
    }

    runtime::Transport& transport;
    std::int64_t this_rank;
    std::size_t largest_;
    std::vector<std::string> faults_;
};

/// What is wrong; messages of up to `largest` bytes.
inline std::vector<std::string> check_transport(runtime::Transport& transport, std::size_t largest) {
    return TransportChecks(transport, largest).run();
}

}  // namespace sluice::test
