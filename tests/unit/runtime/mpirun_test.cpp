#include "sluice/runtime/mpirun.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::runtime {
namespace {

bool has(const std::vector<std::string>& words, std::initializer_list<std::string> row) {
    return std::ranges::search(words, row).begin() != words.end();
}

TEST(MpirunWords, OneHostManyHosts) {
    MpirunCall call{.ranks = 5,
                    .worker = "/a b/worker",
                    .job = "/c d/job.json",
                    .hostfile = {},
                    .shared_memory = "/dev/shm/x",
                    .several_hosts = false,
                    .further = {"-x", "A"}};
    const auto one = mpirun_words(call);
    EXPECT_EQ(one.front(), "mpirun");
    EXPECT_TRUE(has(one, {"-n", "5"}));
    EXPECT_TRUE(has(one, {"--mca", "btl", "self,sm"}));
    EXPECT_TRUE(has(one, {"--mca", "btl_sm_backing_directory", "/dev/shm/x"}));
    EXPECT_TRUE(has(one, {"--map-by", "slot:OVERSUBSCRIBE"}));
    EXPECT_TRUE(has(one, {"-x", "A", "/a b/worker", "run", "/c d/job.json"}));
    call.several_hosts = true;
    call.hostfile = "/hosts file";
    const auto many = mpirun_words(call);
    EXPECT_TRUE(has(many, {"--mca", "btl", "self,sm,tcp"}));
    EXPECT_TRUE(has(many, {"--hostfile", "/hosts file"}));
    EXPECT_FALSE(has(many, {"btl_sm_backing_directory"}));  // a folder of this host alone
}

TEST(LineSplitter, WhateverThePieces) {
    const std::string text = "one\n\ntwo\r\nthree";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        LineSplitter splitter;
        auto lines = splitter.add(std::string_view(text).substr(0, cut));
        std::ranges::move(splitter.add(std::string_view(text).substr(cut)), std::back_inserter(lines));
        EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two"}));
    }
    LineSplitter endless;
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(endless.add(std::string(1 << 16, 'x')).empty());
    const auto cut = endless.add("\nnext\n");
    ASSERT_EQ(cut.size(), 2U);
    EXPECT_LE(cut[0].size(), (std::size_t{1} << 20) + (std::size_t{1} << 16));
    EXPECT_EQ(cut[1], "next");
}

TEST(Untag, RanksAndMpirunItself) {
    const auto line = untag("[1,12]<stderr>: a [b] >: c");
    ASSERT_TRUE(line);
    EXPECT_EQ(line->rank, 12);
    EXPECT_EQ(line->text, "a [b] >: c");
    EXPECT_EQ(untag("[1,0]<stdout>: ")->text, "");
    for (const char* other : {"", "[", "[1,0]", "[a,b]<stderr>: x", "prterun noticed", "[vm:1234] a,b <x>: y", "[1,-]<stderr>: x"})
        EXPECT_FALSE(untag(other)) << other;
}

// What Open MPI 5.0.7 printed, word for word.
constexpr const char* kKilled[] = {"--------------------------------------------------------------------------",
                                   "prterun noticed that process rank 1 with PID 11930 on node vm exited on", "signal 9 (Killed).",
                                   "--------------------------------------------------------------------------"};
constexpr const char* kExited[] = {"--------------------------------------------------------------------------",
                                   "prterun detected that one or more processes exited with non-zero status,",
                                   "thus causing the job to be terminated. The first process to do so was:",
                                   "",
                                   "   Process name: [prterun-vm-11952@1,1]",
                                   "   Exit code:    3",
                                   "--------------------------------------------------------------------------"};

TEST(MpirunLog, WhoEndedHow) {
    MpirunLog killed;
    for (const char* line : kKilled) killed.add(line);
    ASSERT_TRUE(killed.first_end());
    EXPECT_EQ(*killed.first_end(),
              (RankEnd{.rank = 1, .host = "vm", .process = 11930, .signal = 9, .signal_name = "Killed", .exit_code = 0, .aborted = false}));
    MpirunLog exited;
    for (const char* line : kExited) exited.add(line);
    ASSERT_TRUE(exited.first_end());
    EXPECT_EQ(exited.first_end()->rank, 1);
    EXPECT_EQ(exited.first_end()->exit_code, 3);
    for (const char* line : kKilled) exited.add(line);
    EXPECT_EQ(exited.first_end()->exit_code, 3);  // the first counts
    EXPECT_EQ(exited.own().size(), 2U);
}

TEST(MpirunLog, ALostConnectionOverTcp) {
    MpirunLog log;
    for (const char* line :
         {"[1,1]<stderr>: An MPI communication peer process has unexpectedly disconnected.  This", "[1,1]<stderr>:   Local host: host0",
          "[1,1]<stderr>:   Peer host:  host1", "--------------------------------------------------------------------------",
          "prterun has exited due to process rank 1 with PID 0 on node host0 calling",
          "\"abort\". This may have caused other processes in the application to be",
          "terminated by signals sent by prterun (as reported here).",
          "--------------------------------------------------------------------------"})
        log.add(line);
    EXPECT_EQ(log.lost_host(), "host1");
    ASSERT_TRUE(log.first_end());
    EXPECT_TRUE(log.first_end()->aborted);
    EXPECT_EQ(log.first_end()->rank, 1);
    EXPECT_EQ(log.first_end()->host, "host0");
}

TEST(MpirunLog, KeepsTheLastLinesOfEachRank) {
    MpirunLog log;
    for (int i = 0; i < 100; ++i) log.add("[1,2]<stderr>: line " + std::to_string(i));
    log.add("[1,2]<stderr>: ");
    log.add("[1,3]<stderr>: other");
    log.add("something of mpirun");
    const auto lines = log.last_lines(2);
    ASSERT_EQ(lines.size(), MpirunLog::kKept);
    EXPECT_EQ(lines.back(), "line 99");
    EXPECT_EQ(log.last_lines(3), std::vector<std::string>{"other"});
    EXPECT_TRUE(log.last_lines(4).empty());
    EXPECT_EQ(log.own().size(), 1U);
    EXPECT_FALSE(log.first_end());
}

}  // namespace
}  // namespace sluice::runtime
