#include "sluice/runtime/rank_watch.hpp"

#include <gtest/gtest.h>

namespace sluice::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

program::Program three_ranks() {
    program::Program program;
    program.ranks = 4;
    program.stages.resize(2);
    program.stages[0].replicas = 1;
    program.stages[0].first_rank = 1;
    program.stages[1].replicas = 2;
    program.stages[1].first_rank = 2;
    for (std::int64_t rank = 1; rank < 4; ++rank) {
        program::InstructionList list;
        list.rank = rank;
        list.stage = StageId{static_cast<std::size_t>(rank > 1)};
        list.replica = rank == 3;
        program.lists.push_back(list);
    }
    return program;
}

class Watch : public ::testing::Test {
protected:
    void ready(std::int64_t rank, RankWatch::Clock::time_point when) {
        Ready message;
        message.rank = rank;
        message.host = "vm" + std::to_string(rank);
        watch.take(message, when);
    }
    void status(std::int64_t rank, std::int64_t input, const char* state, RankWatch::Clock::time_point when) {
        Status message;
        message.rank = rank;
        message.input = input;
        message.state = state;
        message.done = input;
        watch.take(message, when);
    }
    void all_ready() {
        for (std::int64_t rank = 0; rank < 4; ++rank) ready(rank, start);
    }

    const RankWatch::Clock::time_point start = RankWatch::Clock::now();
    RankWatch watch{three_ranks(), 10, start};
    MpirunLog log;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(Watch, Names) {
    EXPECT_EQ(watch.name_of(0), "the host process");
    EXPECT_EQ(watch.name_of(1), "stage 0");
    EXPECT_EQ(watch.name_of(3), "stage 1 (replica 1)");
    EXPECT_EQ(watch.place_of(1), "stage 0 (rank 1)");
    all_ready();
    EXPECT_EQ(watch.place_of(1), "stage 0 (rank 1 on vm1)");
    EXPECT_EQ(watch.name_of(99), "rank 99");
}

TEST_F(Watch, ASlowStartIsNoHangWhileRanksBecomeReady) {
    for (std::int64_t rank = 0; rank < 3; ++rank) {
        EXPECT_FALSE(watch.hang(start + seconds(11 * rank)));
        ready(rank, start + seconds(11 * rank));
    }
    EXPECT_FALSE(watch.all_ready());
    status(0, -1, "start", start + seconds(40));  // one that is ready is no news
    const auto hang = watch.hang(start + seconds(40));
    ASSERT_TRUE(hang);
    EXPECT_SAYS(to_text(*hang), "1 of 4 ranks are not ready");
    EXPECT_SAYS(to_text(*hang), "stage 1 (replica 1) (rank 3) was not ready");
}

TEST_F(Watch, TheSilentRankIsTheHang) {
    all_ready();
    status(2, 7, "forward", start + seconds(1));
    for (const std::int64_t rank : {0, 1, 3}) status(rank, 8, "receive 'x'", start + seconds(13));
    EXPECT_FALSE(watch.hang(start + milliseconds(13400)));
    const auto hang = watch.hang(start + seconds(14));
    ASSERT_TRUE(hang);
    EXPECT_SAYS(hang->message, "stage 1 (replica 0) (rank 2 on vm2) has said nothing for 13 s; it was at input 7, 'forward'");
    EXPECT_SAYS(to_text(*hang), "stage 0 (rank 1 on vm1) said 1.0 s ago: receive 'x', input 8");
}

TEST_F(Watch, WhenNobodySpeaksNobodyIsBlamed) {
    all_ready();
    for (std::int64_t rank = 0; rank < 4; ++rank) status(rank, 7, "forward", start + milliseconds(1000 + 50 * rank));
    const auto hang = watch.hang(start + seconds(15));
    ASSERT_TRUE(hang);
    EXPECT_SAYS(hang->message, "no rank has said anything for 14 s");
    EXPECT_SAYS(to_text(*hang), "stage 0 (rank 1 on vm1) said");
}

TEST_F(Watch, AFinishedRankMayBeSilent) {
    all_ready();
    for (std::int64_t rank = 0; rank < 4; ++rank) {
        Finished message;
        message.rank = rank;
        watch.take(message, start + seconds(1));
    }
    EXPECT_TRUE(watch.all_finished());
    EXPECT_FALSE(watch.hang(start + seconds(1000)));
}

TEST_F(Watch, AFailureNamesItsPlaceAndInput) {
    all_ready();
    Failed failed;
    failed.rank = 1;
    failed.input = 3;
    failed.diagnostic = input_error("no such kernel");
    watch.take(failed, start + seconds(1));
    failed.rank = 2;
    watch.take(failed, start + seconds(1));
    log.add("[1,1]<stderr>: last words");
    const auto text = to_text(watch.failure(start + seconds(1), log));
    EXPECT_SAYS(text, "stage 0 (rank 1 on vm1), input 3: no such kernel");
    EXPECT_SAYS(text, "log: last words");
}

TEST_F(Watch, WhoWaitedForASilentRankIsNotToBlame) {
    all_ready();
    for (const std::int64_t rank : {0, 1, 3}) status(rank, 5, "receive 'x'", start + seconds(11));
    Failed failed;
    failed.rank = 3;
    failed.diagnostic = input_error("waited 10 s for 'x'");
    watch.take(failed, start + seconds(11));
    status(2, 6, "forward", start + seconds(12));  // mpirun wakes what is stopped when it ends the run
    const auto text = to_text(watch.failure(start + seconds(11), log));
    EXPECT_SAYS(text, "stage 1 (replica 0) (rank 2 on vm2) hangs: it says nothing any more");
    EXPECT_SAYS(text, "stage 1 (replica 1) (rank 3 on vm3) noticed: waited 10 s for 'x'");
}

TEST_F(Watch, ALostConnectionIsThePeersFault) {
    all_ready();
    status(2, 41, "forward", start + seconds(1));
    RankEnd abort;
    abort.rank = 1;
    abort.aborted = true;
    EXPECT_SAYS(to_text(watch.ended(abort, start + seconds(2), log)), "stage 0 (rank 1 on vm1) gave up: MPI aborted it");
    log.add("[1,1]<stderr>:   Peer host:  vm2");
    EXPECT_SAYS(to_text(watch.ended(abort, start + seconds(2), log)),
                "stage 1 (replica 0) (rank 2 on vm2) is gone at input 41: stage 0 (rank 1 on vm1) has lost its connection to it");
    MpirunLog elsewhere;
    elsewhere.add("[1,1]<stderr>:   Peer host:  vm7");
    EXPECT_SAYS(to_text(watch.ended(abort, start + seconds(2), elsewhere)), "a rank on vm7 is gone");
}

TEST_F(Watch, ARankKilledWhileMpiStarts) {
    RankEnd abort;
    abort.rank = 1;
    abort.aborted = true;
    log.add("[1,1]<stderr>:   Process 1 ([[40019,1],1]) is on host: vm");
    log.add("[1,1]<stderr>:   Process 2 ([[40019,1],3]) is on host: vm");
    EXPECT_SAYS(to_text(watch.ended(abort, start + seconds(1), log)),
                "stage 1 (replica 1) (rank 3) is gone before it was ready: stage 0 (rank 1) has lost its connection to it");
    RankEnd unknown;
    unknown.signal = 9;
    unknown.signal_name = "Killed";
    EXPECT_SAYS(to_text(watch.ended(unknown, start + seconds(1), log)),
                "one of the ranks was ended by signal 9 (Killed) before all were ready");
}

TEST_F(Watch, HowAnEndIsTold) {
    const RankEnd early{.rank = 2, .host = "node7", .process = 12, .signal = 9, .signal_name = "Killed", .exit_code = 0, .aborted = false};
    EXPECT_SAYS(to_text(watch.ended(early, start + seconds(1), log)),
                "stage 1 (replica 0) (rank 2 on node7) was ended by signal 9 (Killed) before it was ready");
    all_ready();
    status(2, 41, "forward", start + seconds(1));
    const auto text = to_text(watch.ended(early, start + seconds(2), log));
    EXPECT_SAYS(text, "stage 1 (replica 0) (rank 2 on vm2) was ended by signal 9 (Killed) at input 41");
    EXPECT_SAYS(text, "it left no log lines");
    EXPECT_SAYS(text, "memory runs out");
    EXPECT_SAYS(to_text(watch.ended(
                    {.rank = 0, .host = {}, .process = -1, .signal = 0, .signal_name = {}, .exit_code = 3, .aborted = false}, start, log)),
                "the host process (rank 0 on vm0) ended with exit code 3");
}

}  // namespace
}  // namespace sluice::runtime
