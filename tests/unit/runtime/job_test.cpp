#include "sluice/runtime/job.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "sluice/base/files.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {
namespace {

/// Host -> stage 0 -> stage 1 -> host.
Job sample() {
    using program::Channel, program::ChannelId, program::InstructionKind, program::Role;
    Job job;
    program::Program& program = job.program;
    const auto channel = [&](const char* tensor, std::size_t id, StageId from, StageId to) {
        program.channels.push_back(
            {.tensor = tensor, .tensor_id = TensorId(id), .from = from, .to = to, .bytes = {64}, .transfer = Duration{5}});
    };
    channel("in", 0, {}, StageId(0));
    channel("mid", 1, StageId(0), StageId(1));
    channel("out", 2, StageId(1), {});
    for (std::int64_t s = 0; s < 2; ++s) {
        auto& stage = program.stages.emplace_back();
        stage.first_rank = s + 1;
        stage.device_class = "core";
        stage.work = Duration{100};
    }
    const auto list = [&](std::int64_t rank, Role role, StageId stage, std::vector<program::Instruction> body) {
        program.lists.push_back({.rank = rank, .role = role, .stage = stage, .body = std::move(body)});
    };
    const auto receive = [](std::size_t c) { return program::Instruction{InstructionKind::receive, ChannelId(c)}; };
    const auto send = [](std::size_t c) { return program::Instruction{InstructionKind::send, ChannelId(c)}; };
    list(0, Role::feed, {}, {send(0)});
    list(0, Role::collect, {}, {receive(2)});
    list(1, Role::stage, StageId(0), {receive(0), {}, send(1)});
    list(2, Role::stage, StageId(1), {receive(1), {}, send(2)});
    program.ranks = 3;
    job.stages = "/somewhere/stages";
    job.inputs = 100;
    return job;
}

class JobFile : public testing::Test {
protected:
    JobFile() : scratch_(*Scratch::make()) {}
    [[nodiscard]] Result<Job> read(const std::string& text) const {
        std::ofstream(scratch_.path() / "job.json") << text;
        return read_job_file(scratch_.path() / "job.json");
    }
    [[nodiscard]] std::string refusal(const std::string& from, const std::string& to) const {
        std::string text = to_json_text(sample());
        const std::size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
        const auto job = read(text);
        return job ? "" : to_text(job.error());
    }
    Scratch scratch_;
};

TEST_F(JobFile, ComesBackAsItWas) {
    Job job = sample();
    const auto same = read(to_json_text(job));
    ASSERT_TRUE(same) << to_text(same.error());
    EXPECT_EQ(*same, job);

    job.inputs.reset();
    job.seconds = 2.5;
    job.input = "/a/x.npz";
    job.output = "y.npz";
    job.seed = std::numeric_limits<std::uint64_t>::max();
    job.deliver = job.synchronous_sends = true;
    job.optimisation = 0;
    job.threads = 3;
    job.patience = 0.25;
    job.warm_up = 0;
    job.distinct_inputs = 1;
    const auto other = read(to_json_text(job));
    ASSERT_TRUE(other) << to_text(other.error());
    EXPECT_EQ(*other, job);
}

TEST_F(JobFile, MistakesAreNamedWithTheirLine) {
    EXPECT_TRUE(refusal("sluice.job/1", "sluice.job/2").contains("this sluice reads 'sluice.job/1'"));
    EXPECT_TRUE(refusal("\"patience\"", "\"patients\"").contains("did you mean 'patience'?"));
    EXPECT_TRUE(refusal("\"threads\": 1", "\"threads\": 0").contains("'threads' is 0"));
    EXPECT_TRUE(refusal("\"patience\": 60.0", "\"patience\": -1").contains("must be above 0"));
    EXPECT_TRUE(refusal("\"seed\": \"0\"", "\"seed\": \"-1\"").contains("no seed"));
    EXPECT_TRUE(refusal("\"inputs\": 100", "\"inputs\": null").contains("how many 'inputs'"));
    EXPECT_TRUE(refusal("\"inputs\": 100", "\"inputs\": -3").contains("job.json:4: error: -3 is negative"));
    EXPECT_TRUE(refusal("sluice.program/1", "sluice.program/9").contains("sluice.program/9"));
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read_job_file(scratch_.path() / "none.json"));
}

}  // namespace
}  // namespace sluice::runtime
