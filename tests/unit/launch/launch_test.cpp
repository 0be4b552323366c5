// The launcher with a worker that only talks (tests/support/fake_worker.py), under the real mpirun.
#include "sluice/runtime/launch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <thread>

namespace sluice::runtime {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

/// A host and stages in a row, one replica each.
Job job_of(std::size_t stages, double patience = 20) {
    Job job;
    job.program.ranks = static_cast<std::int64_t>(stages) + 1;
    const auto add_list = [&](std::int64_t rank, program::Role role, StageId stage) {
        program::InstructionList list;
        list.rank = rank;
        list.role = role;
        list.stage = stage;
        job.program.lists.push_back(list);
    };
    add_list(0, program::Role::feed, {});
    add_list(0, program::Role::collect, {});
    for (std::size_t s = 0; s < stages; ++s) {
        job.program.stages.emplace_back().first_rank = static_cast<std::int64_t>(s) + 1;
        add_list(static_cast<std::int64_t>(s) + 1, program::Role::stage, StageId{s});
    }
    job.inputs = 10;
    job.patience = patience;
    return job;
}

/// What launches of this process leave in the folders for temporary things.
std::vector<std::string> left_behind(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().string());
    for (const auto& entry : fs::directory_iterator("/dev/shm"))
        if (entry.path().filename().string().contains(std::format("-{}-", ::getpid()))) names.push_back(entry.path().string());
    return names;
}

bool processes_left(const std::string& text) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "environ", std::ios::binary);
        const std::string environment(std::istreambuf_iterator<char>(file), {});
        if (environment.find(text) != std::string::npos && entry.path().filename() != std::to_string(::getpid())) return true;
    }
    return false;
}

class Launch : public ::testing::Test {
protected:
    void SetUp() override {
        // A space in every path: folder, worker, job.
        folder_ = fs::temp_directory_path() / std::format("launch test {}", ::getpid());
        fs::create_directories(folder_ / "temporary files");
        worker_ = folder_ / "fake worker.py";
        fs::copy_file(fs::path(SLUICE_SOURCE_DIR) / "tests/support/fake_worker.py", worker_, fs::copy_options::overwrite_existing);
        ::setenv("TMPDIR", (folder_ / "temporary files").c_str(), 1);
        ::setenv("LAUNCH_TEST", folder_.c_str(), 1);
        for (const char* name : {"FAKE", "FAKE_SECONDS", "FAKE_NOISE"}) ::unsetenv(name);
    }
    void TearDown() override {
        EXPECT_EQ(left_behind(folder_ / "temporary files"), std::vector<std::string>{});
        EXPECT_FALSE(processes_left("LAUNCH_TEST=" + folder_.string()));
        ::unsetenv("TMPDIR");
        fs::remove_all(folder_);
    }

    Result<LaunchResult> run(const Job& job, LaunchOptions options = {}) {
        options.worker = worker_;
        const auto start = steady_clock::now();
        auto result = launch(job, options);
        seconds_ = std::chrono::duration<double>(steady_clock::now() - start).count();
        return result;
    }
    /// The run fails; its diagnostic as text.
    std::string failure_of(const Job& job, const char* fake, LaunchOptions options = {}) {
        ::setenv("FAKE", fake, 1);
        ::setenv("FAKE_SECONDS", "20", 0);
        const auto result = run(job, std::move(options));
        EXPECT_FALSE(result.has_value());
        if (result) return {};
        return to_text(result.error());
    }

    fs::path folder_, worker_;
    double seconds_ = 0;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(Launch, RanksSpeakAndEnd) {
    std::size_t messages = 0;
    LaunchOptions options;
    options.on_message = [&](const WorkerMessage&) { ++messages; };
    const auto result = run(job_of(3), options);
    ASSERT_TRUE(result) << to_text(result.error());
    ASSERT_EQ(result->ready.size(), 4U);
    for (std::size_t rank = 0; rank < 4; ++rank) {
        EXPECT_EQ(result->ready[rank].rank, static_cast<std::int64_t>(rank));
        EXPECT_EQ(result->finished[rank].rank, static_cast<std::int64_t>(rank));
    }
    EXPECT_FALSE(result->interrupted);
    EXPECT_GT(result->first_output, 0);
    EXPECT_GE(result->seconds, 0.5);
    EXPECT_GT(messages, 8U + 4U);
}

TEST_F(Launch, GarbageOnBothStreamsIsNoMessage) {
    ::setenv("FAKE_NOISE", "50", 1);
    const auto result = run(job_of(2));
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->finished.size(), 3U);
}

TEST_F(Launch, ManyMoreRanksThanCores) {
    const auto result = run(job_of(15));
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->ready.size(), 16U);
}

TEST_F(Launch, AKilledRankIsNamedWithStageInputAndLog) {
    const std::string text = failure_of(job_of(3), "2 kill9 0.5");
    EXPECT_SAYS(text, "stage 1 (rank 2 on ");
    EXPECT_SAYS(text, "signal 9");
    EXPECT_SAYS(text, "at input ");
    EXPECT_SAYS(text, "log: about to go");
    EXPECT_LT(seconds_, 1.0 + 5 + 2);
}

TEST_F(Launch, ACrashAndAnExitCodeAreTold) {
    EXPECT_SAYS(failure_of(job_of(2), "1 kill11 0.2"), "stage 0 (rank 1 on ");
    EXPECT_SAYS(failure_of(job_of(2), "0 exit3 0.2"), "exit code 3");
    ::setenv("FAKE_SECONDS", "1", 1);
    EXPECT_SAYS(failure_of(job_of(2), "1 lost 0.2"), "stage 0 (rank 1 on ");
}

TEST_F(Launch, AFailureKeepsItsWords) {
    const std::string text = failure_of(job_of(2), "2 failed 0.3");
    EXPECT_SAYS(text, "stage 1 (rank 2 on ");
    EXPECT_SAYS(text, "the kernel refused");
    EXPECT_LT(seconds_, 0.3 + 5 + 2);
}

TEST_F(Launch, AStoppedProcessIsAHang) {
    const std::string text = failure_of(job_of(2, 0.5), "1 stop 0.3");
    EXPECT_SAYS(text, "hangs: stage 0 (rank 1 on ");
    EXPECT_SAYS(text, "it was at input ");
    EXPECT_SAYS(text, "rank 1, is stopped");
    EXPECT_LT(seconds_, 0.5 + 2 + 5 + 2);
}

TEST_F(Launch, TheSilentRankIsToBlameNotTheOneThatWaited) {
    const std::string text = failure_of(job_of(2, 1.0), "1 patience 1.3");
    EXPECT_SAYS(text, "stage 1 (rank 2 on ");
    const std::string late = failure_of(job_of(2, 0.5), "1 mute 0.1");
    EXPECT_SAYS(late, "hangs: stage 0 (rank 1");
}

TEST_F(Launch, AStartThatHangsIsToldToo) { EXPECT_SAYS(failure_of(job_of(2, 0.5), "2 never_ready 0"), "stage 1 (rank 2) was not ready"); }

TEST_F(Launch, ARankThatIsDoneButStaysIsToldToo) {
    ::setenv("FAKE_SECONDS", "0.3", 1);
    EXPECT_SAYS(failure_of(job_of(1, 0.5), "1 no_end 0"), "hangs at its end");
    EXPECT_LT(seconds_, 0.3 + 1.5 + 5 + 2);
}

TEST_F(Launch, StopDrains) {
    ::setenv("FAKE_SECONDS", "20", 1);
    std::stop_source source;
    LaunchOptions options;
    options.stop = source.get_token();
    options.on_message = [&](const WorkerMessage& message) {
        if (const auto* delivered = std::get_if<Delivered>(&message); delivered && delivered->inputs >= 3) source.request_stop();
    };
    // Rank 0 alone hears of it here; the others end with their own time, so there are none.
    const auto result = run(job_of(0), options);
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_TRUE(result->interrupted);
    EXPECT_LT(seconds_, 10);
}

TEST_F(Launch, StopBeforeTheStartEndsAtOnce) {
    std::stop_source source;
    source.request_stop();
    LaunchOptions options;
    options.stop = source.get_token();
    const auto result = run(job_of(2), options);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, DiagnosticKind::stopped);
    EXPECT_LT(seconds_, 5);
}

TEST_F(Launch, WhatIsMissingIsSaidBeforeAnythingStarts) {
    LaunchOptions options;
    options.worker = folder_ / "nothing";
    const auto no_worker = launch(job_of(1), options);
    ASSERT_FALSE(no_worker);
    EXPECT_SAYS(to_text(no_worker.error()), "nothing'");

    options.worker = worker_;
    options.hostfile = folder_ / "no hosts";
    const auto no_hosts = launch(job_of(1), options);
    ASSERT_FALSE(no_hosts);
    EXPECT_SAYS(to_text(no_hosts.error()), "no hosts");

    options.hostfile.clear();
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto no_mpirun = launch(job_of(1), options);
    ::setenv("PATH", path.c_str(), 1);
    ASSERT_FALSE(no_mpirun);
    EXPECT_SAYS(to_text(no_mpirun.error()), "cannot start mpirun");
}

TEST_F(Launch, AHostThatCannotBeReached) {
    std::ofstream(folder_ / "hosts") << "no-such-host.invalid slots=4\n";
    LaunchOptions options;
    options.hostfile = folder_ / "hosts";
    const std::string text = failure_of(job_of(1), "-1 none 0", options);
    EXPECT_SAYS(text, "mpirun could not start the ranks");
    EXPECT_SAYS(text, "hosts'");
}

}  // namespace
}  // namespace sluice::runtime
