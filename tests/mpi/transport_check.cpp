// The transport over Open MPI, run by mpirun (run.sh): `transport_check MODE [--synchronous] [--largest-count N]`. Says nothing and exits 0
// when all is well. By hand, for figures: `ping-pong`, `idle`, `overhead`; `large` for a message of 2.25 GiB.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <format>
#include <random>
#include <string_view>
#include <vector>

#include "sluice/runtime/reporter.hpp"
#include "sluice/runtime/worker/mpi_transport.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/transport_checks.hpp"

namespace sluice::runtime {
namespace {

constexpr std::chrono::seconds kPatience{30};

std::int64_t this_rank = -1;
int faults = 0;

void expect(bool holds, std::string_view what) {
    if (holds) return;
    ++faults;
    std::fprintf(stderr, "rank %d: %.*s\n", static_cast<int>(this_rank), static_cast<int>(what.size()), what.data());
}

bool wait(Transport& transport, const Request& request) { return transport.wait(request, {}, kPatience); }

void all(Transport& transport) {
    for (const std::string& fault : test::check_transport(transport, 8 << 20)) expect(false, fault);
}

/// The executor over MPI: random programs of as many ranks.
void pipelines(Transport& transport) {
    int ran = 0;
    for (std::uint64_t seed = 0; ran < 40; ++seed) {
        RandomStream random(seed);
        const program::Program program = test::random_program(random);
        if (program.ranks != transport.size()) continue;
        ++ran;
        PipelineOptions options;
        options.patience = kPatience;
        const std::int64_t inputs = random.between(0, 60);
        if (this_rank == 0) {
            test::CheckingHost host(program, inputs);
            const auto result = run_host(program, transport, host, options);
            expect(result.has_value(), result ? "" : to_text(result.error()));
            expect(host.collected() == inputs && host.faults.empty(), std::format("seed {}: {}", seed, host.faults));
        } else {
            const auto list = std::ranges::find(program.lists, this_rank, &program::InstructionList::rank);
            test::ArithmeticKernel kernel(program, *list);
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

/// Rank 0 is killed in the midst of its messages: whatever still arrives is whole. mpirun ends the others.
void killed(Transport& transport) {
    constexpr std::size_t bytes = 8 << 20, words = bytes / sizeof(std::uint64_t);
    constexpr std::size_t slots = 4;
    std::vector<std::vector<std::uint64_t>> buffers(slots, std::vector<std::uint64_t>(words));
    std::vector<std::shared_ptr<Request>> requests(slots);
    transport.barrier();
    std::jthread killer;
    if (this_rank == 0)
        killer = std::jthread([] {
            std::this_thread::sleep_for(std::chrono::microseconds(20'000 + std::random_device()() % 50'000));
            std::raise(SIGKILL);
        });
    if (this_rank == 1)
        for (std::size_t slot = 0; slot < slots; ++slot)
            requests[slot] = transport.irecv(std::as_writable_bytes(std::span(buffers[slot])), 0, 1);
    for (std::uint64_t i = 0; this_rank < 2; ++i) {
        auto& buffer = buffers[i % slots];
        auto& request = requests[i % slots];
        if (request && !wait(transport, *request)) return;
        if (this_rank == 0) {
            std::ranges::fill(buffer, i);
            request = transport.isend(std::as_bytes(std::span(buffer)), 1, 1);
        } else {
            const auto wrong = std::ranges::count_if(buffer, [&](std::uint64_t word) { return word != i; });
            if (wrong > 0)
                std::fprintf(stderr, "message %d arrived with %d words of another\n", static_cast<int>(i), static_cast<int>(wrong));
            std::ranges::fill(buffer, ~std::uint64_t{0});
            request = transport.irecv(std::as_writable_bytes(std::span(buffer)), 0, 1);
        }
    }
    (void)transport.wait(*transport.irecv(std::as_writable_bytes(std::span(buffers[0])), 1, 5), {}, kPatience);
}

// --- figures

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

void ping_pong(Transport& transport) {
    for (const std::size_t bytes : {std::size_t{4}, std::size_t{64} << 10, std::size_t{4} << 20, std::size_t{64} << 20}) {
        std::vector<std::byte> data(bytes), back(bytes);
        std::vector<double> times;
        const double cpu = cpu_seconds();
        const auto begin = Clock::now();
        const int rounds = bytes > 10'000'000 ? 20 : bytes > 1'000'000 ? 200 : 2000;
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

/// What the executor and its messages cost beside kernels of 30 ms of CPU: two stages, 784 KiB between them (ResNet-50 cut in the middle).
void overhead(Transport& transport) {
    struct Burn : StageKernel {
        Result<void> run(std::int64_t, std::span<const Message>, std::span<const Message>) override {
            const auto cpu = [] {
                timespec now{};
                clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
                return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
            };
            for (const double start = cpu(); cpu() - start < 0.03;) {}
            return {};
        }
    } kernel;
    struct Host : HostIo {
        bool wanted(std::int64_t input) override { return input < 100; }
        Result<void> feed(std::int64_t, std::size_t, const Message&) override { return {}; }
        Result<void> collect(std::int64_t, std::span<const Message>) override { return {}; }
    } io;
    test::ProgramMaker maker;
    const StageId first = maker.stage(), second = maker.stage(), host;
    maker.channel("x", 0, host, first, 600 << 10);
    maker.channel("a", 1, first, second, 784 << 10);
    maker.channel("y", 2, second, host, 4000);
    const program::Program program = maker.make();
    transport.barrier();
    const double cpu = cpu_seconds();
    if (this_rank == 0) {
        const auto done = run_host(program, transport, io, {});
        expect(done.has_value(), "the host failed");
        if (done) std::printf("host: %.1f inputs/s, CPU %.3f ms an input\n", done->steady_per_s, (cpu_seconds() - cpu) * 10);
    } else {
        const auto done = run_stage(program, program.lists[static_cast<std::size_t>(this_rank) + 1], transport, kernel, {});
        expect(done.has_value(), "a stage failed");
        if (done)
            std::printf("stage %d: forward %.2f ms wall, %.2f ms CPU of the process; CPU outside forward %.3f ms an input\n",
                        static_cast<int>(this_rank - 1), done->forward_mean_ms, done->forward_cpu_ms,
                        (cpu_seconds() - cpu) * 10 - done->forward_cpu_ms);
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
        if (mode == name) part(**transport);
    };
    run("transport", all);
    run("pipelines", pipelines);
    run("truncate", truncate);
    run("killed", killed);
    run("ping-pong", ping_pong);
    run("idle", idle);
    run("overhead", overhead);
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
    return sluice::runtime::check(argc > 1 ? argv[1] : "transport", options);
}
