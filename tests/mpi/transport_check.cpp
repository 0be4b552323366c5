// The transport over Open MPI, run by mpirun (run.sh): `transport_check MODE [--synchronous] [--largest-count N]`. Says nothing and exits 0
// when all is well. Also measures, by hand: `transport_check ping-pong`, `transport_check idle`.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <format>
#include <string_view>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/runtime/reporter.hpp"
#include "sluice/runtime/worker/mpi_transport.hpp"
#include "tests/support/run_program.hpp"

namespace sluice::runtime {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::seconds kPatience{30};

std::int64_t this_rank = -1;
int faults = 0;

void expect(bool holds, std::string_view what) {
    if (holds) return;
    ++faults;
    std::fprintf(stderr, "rank %d: %.*s\n", static_cast<int>(this_rank), static_cast<int>(what.size()), what.data());
}

bool wait(Transport& transport, const Request& request) { return transport.wait(request, {}, kPatience); }

std::vector<std::byte> pattern(std::size_t bytes, std::int64_t from, std::int64_t to, int tag) {
    RandomStream random(static_cast<std::uint64_t>(from * 1000 + to), static_cast<std::uint64_t>(tag));
    std::vector<std::byte> result(bytes);
    for (std::size_t i = 0; i < bytes; i += 8) {
        const std::uint64_t word = random();
        std::memcpy(result.data() + i, &word, std::min<std::size_t>(8, bytes - i));
    }
    return result;
}

/// Every rank to every rank, itself too, several sizes and tags at once; receives posted before or after the sends.
void exchange(Transport& transport) {
    constexpr std::array<std::size_t, 6> sizes{0, 1, 999, 64 << 10, (64 << 10) + 1, 8 << 20};
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
        for (const auto& request : requests) expect(wait(transport, *request), "a message does not arrive");
        for (std::size_t i = 0; i < received.size(); ++i) {
            received[i].resize(expected[i].size());
            expect(received[i] == expected[i], std::format("message {} arrived changed", i));
        }
        transport.barrier();
    }
}

/// Messages of one peer and tag keep their order, also where small ones could overtake large ones.
void order(Transport& transport) {
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
    for (const auto& request : requests) expect(wait(transport, *request), "an ordered message does not arrive");
    for (std::int64_t i = 0; i < messages; ++i) {
        std::int64_t got = -1;
        std::memcpy(&got, in[static_cast<std::size_t>(i)].data(), sizeof got);
        expect(got == i, std::format("message {} came in place {}", got, i));
    }
}

void sums(Transport& transport) {
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
void barriers(Transport& transport) {
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
        for (const auto& request : requests) expect(wait(transport, *request), "times do not arrive");
        for (std::size_t r = 0; r < theirs.size(); r += 2) expect(theirs[r] <= mine[1], "a rank left the barrier before all had come");
    }
}

/// A wait ends when its patience or a stop says so, long before its message.
void ends_of_waits(Transport& transport) {
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
    expect(seconds_since(start) < 10, "a stop did not end a wait");
    expect(!transport.done(*receive) && !transport.failure(), "a receive without a message is done, or the transport failed");
    transport.barrier();
    const auto send = transport.isend(out, next, 11);
    expect(wait(transport, *receive) && wait(transport, *send), "a message after a wait that ended does not arrive");
}

/// The executor over MPI: random programs of as many ranks.
void pipelines(Transport& transport) {
    int ran = 0;
    for (std::uint64_t seed = 0; ran < 40; ++seed) {
        RandomStream random(seed);
        const program::Program program = testing::random_program(random);
        if (program.ranks != transport.size()) continue;
        ++ran;
        PipelineOptions options;
        options.patience = kPatience;
        const std::int64_t inputs = random.between(0, 60);
        if (this_rank == 0) {
            testing::CheckingHost host(program, inputs);
            const auto result = run_host(program, transport, host, options);
            expect(result.has_value(), result ? "" : to_text(result.error()));
            expect(host.collected() == inputs && host.faults.empty(), std::format("seed {}: {}", seed, host.faults));
        } else {
            const auto list = std::ranges::find(program.lists, this_rank, &program::InstructionList::rank);
            testing::ArithmeticKernel kernel(program, *list);
            const auto result = run_stage(program, *list, transport, kernel, options);
            expect(result.has_value(), result ? "" : to_text(result.error()));
        }
    }
}

/// A message longer than its receive: a diagnostic at the receiver, and no wait that goes on. Leaves MPI without MPI_Finalize.
void truncate(Transport& transport) {
    std::vector<std::byte> data(100'000);
    if (this_rank == 1) {
        const auto receive = transport.irecv(std::span(data).first(10), 0, 3), other = transport.irecv(data, 2, 4);
        expect(!wait(transport, *receive), "a receive that is too short ended well");
        const auto failure = transport.failure();
        expect(failure && failure->message.contains("receive of 10 B under tag 3 from rank 0"), failure ? failure->message : "no failure");
        expect(!wait(transport, *other) && !wait(transport, *transport.irecv(data, 2, 4)), "a wait after a failure ended well");
        if (faults == 0) std::fprintf(stderr, "as expected: %s\n", failure->message.c_str());
        return;
    }
    if (this_rank == 0) (void)wait(transport, *transport.isend(data, 1, 3));
    (void)transport.wait(*transport.irecv(data, 1, 5), {}, kPatience);  // mpirun ends this rank when rank 1 gives up
}

// --- figures

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

void ping_pong(Transport& transport) {
    for (const std::size_t bytes : {std::size_t{4}, std::size_t{64} << 10, std::size_t{4} << 20}) {
        std::vector<std::byte> data(bytes), back(bytes);
        std::vector<double> times;
        const double cpu = cpu_seconds();
        const auto begin = Clock::now();
        const int rounds = bytes > 1'000'000 ? 200 : 2000;
        for (int round = 0; round < rounds && this_rank < 2; ++round) {
            const auto start = Clock::now();
            const auto receive = transport.irecv(back, 1 - this_rank, 1);
            if (this_rank == 1) (void)wait(transport, *receive);
            const auto send = transport.isend(data, 1 - this_rank, 1);
            if (this_rank == 0) (void)wait(transport, *receive);
            (void)wait(transport, *send);
            times.push_back(seconds_since(start) / 2);
        }
        if (this_rank == 0)
            std::printf("%8zu B one way: min %8.1f us, median %8.1f us; CPU/wall %.2f\n", bytes, std::ranges::min(times) * 1e6,
                        median(times) * 1e6, (cpu_seconds() - cpu) / seconds_since(begin));
        transport.barrier();
    }
}

void idle(Transport& transport) {
    std::vector<std::byte> data(8);
    transport.barrier();
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    if (this_rank == 0) {
        std::this_thread::sleep_for(std::chrono::seconds(2));
        const auto now = Clock::now().time_since_epoch().count();
        std::memcpy(data.data(), &now, sizeof now);
        for (std::int64_t peer = 1; peer < transport.size(); ++peer) (void)wait(transport, *transport.isend(data, peer, 1));
    } else {
        (void)wait(transport, *transport.irecv(data, 0, 1));
        const double woke = static_cast<double>(Clock::now().time_since_epoch().count());
        std::int64_t sent = 0;
        std::memcpy(&sent, data.data(), sizeof sent);
        std::printf("rank %d waited %.2f s with %.3f s of CPU, awake %.0f us after the send\n", static_cast<int>(this_rank),
                    seconds_since(start), cpu_seconds() - cpu, (woke - static_cast<double>(sent)) / 1e3);
    }
}

/// A real message beyond int, for machines with the memory.
void large(Transport& transport) {
    const std::size_t bytes = (std::size_t{9} << 28) + 12'345;  // 2.25 GiB
    if (this_rank > 1) return;
    std::vector<std::byte> data(bytes);
    if (this_rank == 0) {
        for (std::size_t i = 0; i < bytes; i += 4096) data[i] = static_cast<std::byte>(i / 4096 % 251);
        data.back() = std::byte{77};
        expect(wait(transport, *transport.isend(data, 1, 1)), "a large message does not leave");
    } else {
        expect(wait(transport, *transport.irecv(data, 0, 1)), "a large message does not arrive");
        bool equal = data.back() == std::byte{77};
        for (std::size_t i = 0; i + 1 < bytes; i += 4096) equal = equal && data[i] == static_cast<std::byte>(i / 4096 % 251);
        expect(equal, "a large message arrived changed");
    }
}

int check(std::string_view mode, const MpiOptions& options) {
    auto transport = make_mpi_transport(options);
    if (!transport) {
        std::fputs(to_text(transport.error()).c_str(), stderr);
        return 2;
    }
    this_rank = (*transport)->rank();
    const auto run = [&](std::string_view name, void (*part)(Transport&)) {
        if (mode == name || (mode == "all" && part != truncate && part != ping_pong && part != idle && part != large)) part(**transport);
    };
    run("exchange", exchange);
    run("order", order);
    run("sums", sums);
    run("barriers", barriers);
    run("waits", ends_of_waits);
    run("pipelines", pipelines);
    run("truncate", truncate);
    run("ping-pong", ping_pong);
    run("idle", idle);
    run("large", large);
    const bool failed = (*transport)->failure().has_value();
    transport->reset();
    return faults > 0 ? 2 : failed ? 1 : 0;
}

}  // namespace
}  // namespace sluice::runtime

int main(int argc, char** argv) {
    sluice::runtime::MpiOptions options;
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--synchronous") options.synchronous_sends = true;
        if (word == "--largest-count" && i + 1 < argc) options.largest_count = static_cast<std::size_t>(std::atoll(argv[i + 1]));
    }
    return sluice::runtime::check(argc > 1 ? argv[1] : "all", options);
}
