#include <algorithm>
#include <format>
#include <vector>

#include "sluice/runtime/worker/clock.hpp"
#include "sluice/runtime/worker/mpi_transport.hpp"
#include "sluice/runtime/worker/verbs.hpp"

namespace sluice::runtime {

Result<std::string> loopback() {
    constexpr std::size_t kBytes = std::size_t{1} << 20;
    constexpr auto kPatience = std::chrono::seconds(10);
    const auto transport = make_mpi_transport();
    if (!transport) return fail(transport.error());
    Transport& mpi = **transport;
    if (mpi.size() != 2) return fail(usage_error(std::format("{} ranks were started, loopback is for 2", mpi.size())));
    std::vector<std::byte> out(kBytes), back(kBytes);
    for (std::size_t i = 0; i < kBytes; ++i) out[i] = static_cast<std::byte>(i * 7);
    const std::int64_t peer = 1 - mpi.rank();
    const auto whole = [&](const std::shared_ptr<Request>& request) { return mpi.wait(*request, {}, kPatience); };
    mpi.barrier();
    const StopWatch watch;
    const auto receive = mpi.irecv(back, peer, 1);
    bool done = true;
    if (mpi.rank() == 1) done = whole(receive);  // then sends back what came
    const auto send = mpi.isend(mpi.rank() == 0 ? out : back, peer, 1);
    done = done && whole(send) && whole(receive);
    const double seconds = watch.seconds();
    if (!done)
        return fail(mpi.failure().value_or(input_error(std::format("no message came from rank {} within {} s", peer, kPatience.count()))));
    if (mpi.rank() == 1) return std::string();
    if (!std::ranges::equal(out, back)) return fail({DiagnosticKind::internal, "a message came back changed", {}, {}, {}});
    return std::format("{{\"bytes\": {}, \"seconds\": {}}}\n", kBytes, seconds);
}

}  // namespace sluice::runtime
