// The engine by itself: times of machines and messages that can be worked out by hand.
#include "sluice/simulate/engine.hpp"

#include <gtest/gtest.h>

#include <map>

#include "sluice/base/random.hpp"

namespace sluice::simulate {
namespace {

/// Machine m is a timer that sends message m; link ids along a route follow each other.
struct Sender {
    struct Sending {
        Time at = 0, on_wire = 0;
        std::uint32_t first = 0, hops = 1;
    };
    Sender(std::vector<Sending> sendings, std::size_t links, LinkSharing sharing)
        : all(std::move(sendings)), engine(*this, all.size(), links, sharing) {
        for (std::size_t m = 0; m < all.size(); ++m) {
            if (all[m].at > 0)
                engine.start(MachineId(m), all[m].at);
            else
                finished(MachineId(m));
        }
        engine.run();
    }
    void finished(MachineId machine) {
        const Sending& sending = all[machine.index()];
        engine.send(machine.index(), 0, sending.hops, sending.on_wire);
    }
    void delivered(const Message& message) { arrival[message.tag] = engine.now(); }
    LinkId link_of(const Message& message, std::uint32_t hop) const { return LinkId(all[message.tag].first + hop); }
    void carried(LinkId, const Message&, Time) {}
    bool proceed() { return true; }

    std::vector<Sending> all;
    Engine<Sender> engine;
    std::map<std::size_t, Time> arrival;
};

TEST(Links, FifoCarriesOneAfterAnother) {
    const Sender run({{0, 100}, {0, 50}, {20, 30}}, 1, LinkSharing::fifo);
    EXPECT_EQ(run.arrival, (std::map<std::size_t, Time>{{0, 100}, {1, 150}, {2, 180}}));
    EXPECT_EQ(run.engine.busy_time(LinkId(0)), 180);
    EXPECT_EQ(run.engine.longest_queue(LinkId(0)), 2);
}

TEST(Links, FairSharesTheRateEqually) {
    // Two at once: the shorter one has had its 50 after 100, the longer one the rest alone.
    const Sender two({{0, 100}, {0, 50}}, 1, LinkSharing::fair);
    EXPECT_EQ(two.arrival, (std::map<std::size_t, Time>{{0, 150}, {1, 100}}));
    // One comes when the other has had 20: its 30 take 60; the other has 50 of 100 then, and is alone.
    const Sender later({{0, 100}, {20, 30}}, 1, LinkSharing::fair);
    EXPECT_EQ(later.arrival, (std::map<std::size_t, Time>{{0, 130}, {1, 80}}));
    EXPECT_EQ(later.engine.busy_time(LinkId(0)), 130);
    // Three, whose thirds are no integers: nothing is lost.
    const Sender three({{0, 100}, {0, 100}, {0, 100}}, 1, LinkSharing::fair);
    EXPECT_EQ(three.arrival, (std::map<std::size_t, Time>{{0, 300}, {1, 300}, {2, 300}}));
}

TEST(Links, HopsAreCutThrough) {
    const Sender alone({{7, 100, 0, 5}}, 5, LinkSharing::fifo);
    EXPECT_EQ(alone.arrival.at(0), 107);
    // The second message holds link 1 from 0 to 40; the first starts there at 40, while it has had link 0 from 0 on.
    const Sender blocked({{0, 100, 0, 3}, {0, 40, 1, 1}}, 3, LinkSharing::fifo);
    EXPECT_EQ(blocked.arrival.at(1), 100 + 40);  // machine 0 came first: link 1 is its own until 100
    const Sender other({{5, 100, 0, 3}, {0, 40, 1, 1}}, 3, LinkSharing::fifo);
    EXPECT_EQ(other.arrival.at(1), 40);
    EXPECT_EQ(other.arrival.at(0), 140);
    EXPECT_EQ(other.engine.busy_time(LinkId(0)), 100);
}

TEST(EventQueue, PopsByTimeThenId) {
    RandomStream random(3);
    EventQueue queue;
    std::vector<std::pair<Time, std::uint32_t>> all;
    for (std::uint32_t id = 0; id < 5000; ++id) {
        all.emplace_back(random.between(0, 500), id);
        queue.push({all.back().first, id, 0});
    }
    std::ranges::sort(all);
    for (const auto& [time, id] : all) {
        ASSERT_EQ(queue.top().time, time);
        ASSERT_EQ(queue.top().id, id);
        queue.pop();
    }
    EXPECT_TRUE(queue.empty());
}

TEST(Ledger, KeepsTheMost) {
    Ledger ledger(2);
    ledger.add(1, 30);
    ledger.add(1, -20);
    ledger.add(1, 5);
    EXPECT_EQ(ledger.now(1), Bytes{15});
    EXPECT_EQ(ledger.peak(1), Bytes{30});
    EXPECT_EQ(ledger.peak(0), Bytes{0});
}

}  // namespace
}  // namespace sluice::simulate
