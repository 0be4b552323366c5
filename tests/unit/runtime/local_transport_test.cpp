#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "sluice/runtime/transport.hpp"
#include "tests/support/transport_checks.hpp"

namespace sluice::runtime {
namespace {

using std::chrono::milliseconds;

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

class LocalTransportRanks : public ::testing::TestWithParam<std::pair<int, bool>> {};

TEST_P(LocalTransportRanks, DoWhatEveryTransportMust) {
    const auto [ranks, synchronous] = GetParam();
    const auto transports = make_local_transports(ranks, {.synchronous_sends = synchronous});
    std::vector<std::vector<std::string>> faults(transports.size());
    {
        std::vector<std::jthread> threads;
        for (std::size_t r = 0; r < transports.size(); ++r)
            threads.emplace_back([&, r] { faults[r] = test::check_transport(*transports[r], 200'000); });
    }
    for (const auto& of_rank : faults) EXPECT_EQ(of_rank, std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Each, LocalTransportRanks,
                         ::testing::Values(std::pair{1, false}, std::pair{2, true}, std::pair{3, false}, std::pair{3, true},
                                           std::pair{5, true}));

TEST(LocalTransport, ASynchronousSendIsDoneWithItsReceiveAndNotBefore) {
    const auto ranks = make_local_transports(2, {.synchronous_sends = true});
    const auto data = bytes_of("tensor");
    const auto send = ranks[0]->isend(data, 1, 7);
    EXPECT_FALSE(ranks[0]->wait(*send, {}, milliseconds(30)));
    std::vector<std::byte> other(6), in(6);
    const auto wrong = ranks[1]->irecv(other, 0, 8);  // another tag
    EXPECT_FALSE(ranks[0]->done(*send));
    const auto receive = ranks[1]->irecv(in, 0, 7);
    EXPECT_TRUE(ranks[0]->wait(*send, {}, milliseconds(0)));
    EXPECT_TRUE(ranks[1]->wait(*receive, {}, milliseconds(0)));
    EXPECT_EQ(in, data);
    EXPECT_FALSE(ranks[1]->done(*wrong));
}

TEST(LocalTransport, ABufferedSendIsDoneAtOnceAndItsMemoryFree) {
    const auto ranks = make_local_transports(2);
    auto data = bytes_of("tensor");
    EXPECT_TRUE(ranks[0]->done(*ranks[0]->isend(data, 1, 7)));
    std::ranges::fill(data, std::byte{0});
    std::vector<std::byte> in(6);
    EXPECT_TRUE(ranks[1]->done(*ranks[1]->irecv(in, 0, 7)));
    EXPECT_EQ(in, bytes_of("tensor"));
}

TEST(LocalTransport, AMessageLongerThanItsReceiveIsAFailureThatEndsTheWait) {
    const auto ranks = make_local_transports(2, {.synchronous_sends = true});
    std::vector<std::byte> in(3);
    const auto receive = ranks[1]->irecv(in, 0, 7);
    std::jthread waiter([&] { EXPECT_FALSE(ranks[1]->wait(*receive, {}, std::chrono::hours(1))); });
    const auto data = bytes_of("tensor");
    (void)ranks[0]->isend(data, 1, 7);
    waiter.join();
    ASSERT_TRUE(ranks[1]->failure());
    EXPECT_EQ(ranks[1]->failure()->message, "rank 0 sent rank 1 6 B under tag 7, whose receive has room for 3 B");
    EXPECT_EQ(in, std::vector<std::byte>(3));
}

}  // namespace
}  // namespace sluice::runtime
