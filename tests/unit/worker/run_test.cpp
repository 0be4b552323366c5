// The program itself: ranks as threads, and ranks under mpirun.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "sluice/base/files.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/messages.hpp"
#include "sluice/runtime/npz.hpp"
#include "sluice/runtime/profile.hpp"
#include "sluice/runtime/scratch.hpp"
#include "tests/support/staged_model.hpp"
#include "tests/unit/worker/plain_session.hpp"

namespace sluice::runtime {
namespace {

namespace fs = std::filesystem;
using test::PlainSession, test::PlainTensors, test::StagedModel;

constexpr const char* kModel = "zoo:bert-base:layers=2,hidden=64,heads=2,ff=128,seq=16,vocab=100";

struct Ran {
    ChildResult child;
    std::vector<WorkerMessage> messages;

    template <typename T>
    [[nodiscard]] std::vector<T> all() const {
        std::vector<T> found;
        for (const WorkerMessage& message : messages)
            if (const T* one = std::get_if<T>(&message)) found.push_back(*one);
        return found;
    }
};

Ran listen_to(const std::vector<std::string>& words) {
    auto child = run_child(words);
    EXPECT_TRUE(child) << to_text(child.error());
    Ran ran{*std::move(child), {}};
    std::istringstream lines(ran.child.out);
    for (std::string line; std::getline(lines, line);) {
        auto message = read_line(line);
        EXPECT_TRUE(message) << "no message: " << line;
        if (message) ran.messages.push_back(*std::move(message));
    }
    return ran;
}

fs::path write_job(const Job& job, const fs::path& folder) {
    std::ofstream(folder / "job.json") << to_json_text(job);
    return folder / "job.json";
}

Ran run_in_process(const Job& job, const fs::path& folder) {
    return listen_to({SLUICE_WORKER_PROGRAM, "run", write_job(job, folder).string(), "--in-process"});
}

Ran run_under_mpi(const Job& job, const fs::path& folder, std::int64_t ranks = 0) {
    fs::create_directories(folder / "segments");
    return listen_to({"env",
                      "OMPI_ALLOW_RUN_AS_ROOT=1",
                      "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                      "mpirun",
                      "--mca",
                      "btl",
                      "self,sm",
                      "--mca",
                      "pml",
                      "ob1",
                      "--mca",
                      "btl_sm_backing_directory",
                      (folder / "segments").string(),
                      "--oversubscribe",
                      "--bind-to",
                      "none",
                      "-n",
                      std::to_string(ranks > 0 ? ranks : job.program.ranks),
                      SLUICE_WORKER_PROGRAM,
                      "run",
                      write_job(job, folder).string()});
}

/// What the unsplit model makes of each input of a file, one after the other.
std::map<std::string, std::vector<std::byte>> expected_of(const StagedModel& made, const fs::path& inputs, std::int64_t count) {
    PlainSession whole(made.model, made.job.optimisation == 0 ? ORT_DISABLE_ALL : ORT_ENABLE_ALL);
    const auto npz = NpzFile::open(inputs);
    EXPECT_TRUE(npz);
    std::map<std::string, std::unique_ptr<NpzStream>> streams;
    for (const NpzEntry& entry : npz->entries()) streams[entry.name] = *npz->stream(entry);
    std::map<std::string, std::vector<std::byte>> all;
    for (std::int64_t i = 0; i < count; ++i) {
        PlainTensors in;
        for (const onnx::StageTensor& tensor : made.manifest.inputs) {
            in[tensor.name] = {tensor.shape, std::vector<std::byte>(static_cast<std::size_t>(tensor.bytes.count))};
            EXPECT_TRUE(streams.at(tensor.name)->read(in[tensor.name].data));
        }
        for (const auto& [name, tensor] : whole.run(in)) all[name].insert(all[name].end(), tensor.data.begin(), tensor.data.end());
    }
    return all;
}

std::map<std::string, std::vector<std::byte>> contents_of(const fs::path& file) {
    const auto npz = NpzFile::open(file);
    EXPECT_TRUE(npz) << to_text(npz.error());
    std::map<std::string, std::vector<std::byte>> all;
    if (!npz) return all;
    for (const NpzEntry& entry : npz->entries()) {
        all[entry.name].resize(static_cast<std::size_t>(entry.header.bytes()));
        const auto stream = npz->stream(entry);
        EXPECT_TRUE(stream && (*stream)->read(all[entry.name]));
    }
    return all;
}

/// `count` inputs of token numbers that differ, stacked.
void write_inputs(const onnx::Manifest& manifest, const fs::path& file, std::int64_t count) {
    std::vector<NpzWriter::Array> arrays;
    for (const onnx::StageTensor& tensor : manifest.inputs) arrays.push_back({tensor.name, element_type(tensor.element_type)});
    auto writer = NpzWriter::create(file, arrays);
    ASSERT_TRUE(writer);
    for (std::int64_t i = 0; i < count; ++i)
        for (std::size_t t = 0; t < arrays.size(); ++t) {
            const onnx::StageTensor& tensor = manifest.inputs[t];
            std::vector<std::byte> data(static_cast<std::size_t>(tensor.bytes.count));
            if (tensor.element_type == 7) {
                for (std::size_t at = 0; at < data.size(); at += 8) {
                    const std::int64_t value =
                        tensor.name.contains("mask") || tensor.name.contains("type") ? 1 : (i * 31 + static_cast<std::int64_t>(at)) % 100;
                    std::memcpy(data.data() + at, &value, 8);
                }
            } else {
                for (std::size_t at = 0; at < data.size(); at += 4) {
                    const float value = static_cast<float>((i * 31 + static_cast<std::int64_t>(at)) % 97) / 97.0F;
                    std::memcpy(data.data() + at, &value, 4);
                }
            }
            ASSERT_TRUE(writer->append(t, tensor.shape, data));
        }
    ASSERT_TRUE(writer->finish());
}

class Run : public ::testing::Test {
protected:
    void SetUp() override {
        scratch_.emplace(*Scratch::make());
        auto made = test::stage_model(kModel, 2, folder());
        ASSERT_TRUE(made) << to_text(made.error());
        made_ = *std::move(made);
        made_.job.optimisation = 0;
    }
    [[nodiscard]] fs::path folder() const { return scratch_->path(); }
    std::optional<Scratch> scratch_;
    StagedModel made_;
};

TEST_F(Run, UnderMpiOutputsAreTheUnsplitModelsInOrder) {
    constexpr std::int64_t kInputs = 100;
    write_inputs(made_.manifest, folder() / "x.npz", kInputs);
    made_.job.inputs.reset();  // as many as the file has
    made_.job.input = folder() / "x.npz";
    made_.job.output = folder() / "y.npz";
    for (const bool synchronous : {false, true}) {
        made_.job.synchronous_sends = synchronous;
        const Ran ran = run_under_mpi(made_.job, folder());
        EXPECT_EQ(ran.child.exit_code, 0) << ran.child.out;
        EXPECT_EQ(ran.child.err, "");
        ASSERT_EQ(ran.all<Finished>().size(), 3U) << ran.child.out;
        for (const Finished& finished : ran.all<Finished>()) EXPECT_EQ(finished.inputs, kInputs);
        EXPECT_EQ(ran.all<Delivered>().back().inputs, kInputs);
        const auto ready = ran.all<Ready>();
        ASSERT_EQ(ready.size(), 3U);
        for (const Ready& one : ready) {
            EXPECT_EQ(one.alone_ms.empty(), one.rank == 0);
            EXPECT_EQ(one.alone_ms.size(), one.alone_cpu_ms.size());
            EXPECT_TRUE(one.library.starts_with("ONNX Runtime ")) << one.library;
            EXPECT_GT(one.seconds, 0);
        }
        EXPECT_EQ(contents_of(folder() / "y.npz"), expected_of(made_, folder() / "x.npz", kInputs));
        EXPECT_TRUE(fs::is_empty(folder() / "segments"));
        fs::remove(folder() / "y.npz");
    }
}

TEST_F(Run, RanksAsThreadsWithReplicasDoTheSame) {
    auto made = test::stage_model(kModel, 3, folder() / "replicated", 3);
    ASSERT_TRUE(made) << to_text(made.error());
    made->job.optimisation = 0;
    write_inputs(made->manifest, folder() / "x.npz", 20);
    made->job.inputs = 50;  // the file's 20 in turn
    made->job.input = folder() / "x.npz";
    made->job.output = folder() / "y.npz";
    made->job.synchronous_sends = true;
    ASSERT_EQ(made->job.program.ranks, 6);
    const Ran ran = run_in_process(made->job, folder());
    EXPECT_EQ(ran.child.exit_code, 0) << ran.child.out;
    EXPECT_EQ(ran.child.err, "");
    std::map<std::string, std::vector<std::byte>> expected = expected_of(*made, folder() / "x.npz", 20), repeated;
    for (const auto& [name, bytes] : expected) {
        for (int i = 0; i < 2; ++i) repeated[name].insert(repeated[name].end(), bytes.begin(), bytes.end());
        repeated[name].insert(repeated[name].end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2));
    }
    EXPECT_EQ(contents_of(folder() / "y.npz"), repeated);
}

TEST_F(Run, MadeUpInputsComeInTurnAndASeedMakesThem) {
    made_.job.inputs = 7;
    made_.job.distinct_inputs = 3;
    made_.job.output = folder() / "y.npz";
    const auto outputs = [&](std::uint64_t seed) {
        made_.job.seed = seed;
        EXPECT_EQ(run_in_process(made_.job, folder()).child.exit_code, 0);
        return contents_of(folder() / "y.npz");
    };
    const auto first = outputs(1), again = outputs(1), other = outputs(2);
    EXPECT_EQ(first, again);
    EXPECT_NE(first, other);
    for (const auto& [name, bytes] : first) {
        const auto one = static_cast<std::ptrdiff_t>(bytes.size() / 7);
        const auto input = [&](std::ptrdiff_t i) { return std::vector<std::byte>(bytes.begin() + i * one, bytes.begin() + (i + 1) * one); };
        EXPECT_EQ(input(0), input(3)) << name;
        EXPECT_EQ(input(2), input(5)) << name;
        EXPECT_NE(input(0), input(1)) << name;
    }
}

TEST_F(Run, ATimeEndsARun) {
    made_.job.inputs.reset();
    made_.job.seconds = 0.5;
    const Ran ran = run_in_process(made_.job, folder());
    EXPECT_EQ(ran.child.exit_code, 0) << ran.child.out;
    ASSERT_EQ(ran.all<Finished>().size(), 3U);
    EXPECT_GT(ran.all<Finished>().front().inputs, 1);
}

TEST_F(Run, AskedToStopItDeliversWhatIsUnderWay) {
    made_.job.inputs.reset();
    made_.job.seconds = 1000;
    made_.job.output = folder() / "y.npz";
    // "stop" comes once something was delivered; its writer then lives on, so that no end of file helps.
    const std::string script = std::format(
        "cd '{0}'; : >lines\n"
        "(until grep -q delivered lines; do sleep 0.02; done; echo stop; until grep -q finished lines; do sleep 0.02; done) | "
        "'{1}' run '{2}' --in-process >lines; cat lines",
        folder().string(), SLUICE_WORKER_PROGRAM, write_job(made_.job, folder()).string());
    const Ran ran = listen_to({"timeout", "60", "sh", "-c", script});
    EXPECT_EQ(ran.child.exit_code, 0) << ran.child.err;
    ASSERT_EQ(ran.all<Finished>().size(), 3U) << ran.child.out.substr(0, 2000);
    const std::int64_t inputs = ran.all<Delivered>().back().inputs;
    EXPECT_GT(inputs, 0);
    for (const Finished& finished : ran.all<Finished>()) EXPECT_EQ(finished.inputs, inputs);
    const auto npz = NpzFile::open(folder() / "y.npz");
    ASSERT_TRUE(npz) << to_text(npz.error());
    EXPECT_EQ(npz->entries().front().header.shape.front(), inputs);
}

TEST_F(Run, AFailureIsSaidOnceAndEndsTheJob) {
    const auto failure = [&](const Ran& ran) {
        EXPECT_NE(ran.child.exit_code, 0);
        const auto failed = ran.all<Failed>();
        return failed.empty() ? ran.child.out + ran.child.err : to_text(failed.front().diagnostic);
    };
    EXPECT_TRUE(failure(run_under_mpi(made_.job, folder(), 2)).contains("the job has 3 ranks, and 2 were started"));
    Job job = made_.job;
    job.input = folder() / "none.npz";
    EXPECT_TRUE(failure(run_under_mpi(job, folder())).contains("none.npz"));
    job = made_.job;
    job.output = folder() / "no/such/y.npz";
    EXPECT_TRUE(failure(run_in_process(job, folder())).contains("cannot write"));
    fs::remove(folder() / "stages" / made_.manifest.stages.back().file);
    const std::string missing = failure(run_under_mpi(made_.job, folder()));
    EXPECT_TRUE(missing.contains(made_.manifest.stages.back().file)) << missing;
    EXPECT_TRUE(fs::is_empty(folder() / "segments"));
}

TEST_F(Run, AFailureUnderWayNamesItsInput) {
    // Token 100 of 100 is none; it comes in input 5.
    write_inputs(made_.manifest, folder() / "x.npz", 5);
    const auto before = contents_of(folder() / "x.npz");
    std::vector<NpzWriter::Array> arrays;
    for (const onnx::StageTensor& tensor : made_.manifest.inputs) arrays.push_back({tensor.name, element_type(tensor.element_type)});
    auto writer = NpzWriter::create(folder() / "bad.npz", arrays);
    ASSERT_TRUE(writer);
    for (std::int64_t i = 0; i < 10; ++i)
        for (std::size_t t = 0; t < arrays.size(); ++t) {
            const onnx::StageTensor& tensor = made_.manifest.inputs[t];
            std::vector<std::byte> data(before.at(tensor.name).begin(), before.at(tensor.name).begin() + tensor.bytes.count);
            const std::int64_t none = 100;
            if (i == 5 && tensor.element_type == 7) std::memcpy(data.data(), &none, 8);
            ASSERT_TRUE(writer->append(t, tensor.shape, data));
        }
    ASSERT_TRUE(writer->finish());
    made_.job.inputs.reset();
    made_.job.input = folder() / "bad.npz";
    made_.job.output = folder() / "y.npz";
    const Ran ran = run_under_mpi(made_.job, folder());
    EXPECT_NE(ran.child.exit_code, 0);
    ASSERT_EQ(ran.all<Failed>().size(), 1U) << ran.child.out;
    EXPECT_EQ(ran.all<Failed>().front().input, 5);
    EXPECT_TRUE(to_text(ran.all<Failed>().front().diagnostic).contains("input 5")) << to_text(ran.all<Failed>().front().diagnostic);
    EXPECT_FALSE(fs::exists(folder() / "y.npz"));
}

TEST_F(Run, AKilledHostDeliversNothingAndLeavesNoFile) {
    made_.job.inputs.reset();
    made_.job.seconds = 1000;
    made_.job.output = folder() / "out" / "y.npz";
    fs::create_directories(folder() / "out");
    // The shell's own child, by its number; the pipe is a file that is there before.
    const std::string script = std::format(
        "mkfifo '{0}/lines'; '{1}' run '{2}' --in-process >'{0}/lines' & worker=$!\n"
        "while read -r line; do case $line in *'\"delivered\"'*) kill -9 $worker ;; esac; done <'{0}/lines'\n"
        "wait $worker; exit $?",
        folder().string(), SLUICE_WORKER_PROGRAM, write_job(made_.job, folder()).string());
    const auto child = run_child({"sh", "-c", script}, {}, std::chrono::seconds(60));
    ASSERT_TRUE(child);
    EXPECT_EQ(child->exit_code, 128 + 9) << child->err;
    EXPECT_TRUE(fs::is_empty(folder() / "out"));
}

TEST_F(Run, WordsThatMeanNothingAreUsageErrors) {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{},
                                               {"dance"},
                                               {"run"},
                                               {"run", "a", "b"},
                                               {"run", "--fast"},
                                               {"profile", "m.onnx"},
                                               {"profile", "m", "--json", "j", "--scratch", "s", "--runs", "0"}}) {
        std::vector<std::string> all{SLUICE_WORKER_PROGRAM};
        all.insert(all.end(), words.begin(), words.end());
        const auto child = run_child(all);
        ASSERT_TRUE(child);
        EXPECT_EQ(child->exit_code, 2) << ::testing::PrintToString(words);
        EXPECT_TRUE(child->err.contains("error: ")) << child->err;
        EXPECT_EQ(child->out, "");
    }
}

TEST_F(Run, AProfileHasEveryKernelWithItsTensors) {
    for (const int level : {0, 99}) {
        ProfileOptions options{.worker = SLUICE_WORKER_PROGRAM, .optimisation = level, .runs = 4, .warm_up = 2};
        const auto made = profile(made_.model, options);
        ASSERT_TRUE(made) << to_text(made.error());
        EXPECT_GT(made->kernels.size(), 20U);
        double sum = 0;
        for (const RawKernel& kernel : made->kernels) {
            EXPECT_FALSE(kernel.outputs.empty()) << kernel.name;
            EXPECT_EQ(kernel.runs, 4) << kernel.name;
            EXPECT_LE(kernel.min_us, kernel.median_us) << kernel.name;
            sum += kernel.min_us;
        }
        EXPECT_GT(sum, 0);
        EXPECT_LE(sum, made->profiled_min_us);
        EXPECT_LE(made->whole_min_us, made->whole_median_us);
        EXPECT_EQ(made->optimisation, level);
        const auto same = read_raw_profile(*json::parse(to_json_text(*made), "kernels.json"));
        ASSERT_TRUE(same) << to_text(same.error());
        EXPECT_EQ(*same, *made);
    }
}

TEST_F(Run, WhatCannotBeProfiledIsSaidInOnnxRuntimesWords) {
    std::ofstream(folder() / "bad.onnx") << "no model";
    const auto bad = profile(folder() / "bad.onnx", {.worker = SLUICE_WORKER_PROGRAM});
    ASSERT_FALSE(bad);
    EXPECT_TRUE(bad.error().message.contains("bad.onnx")) << to_text(bad.error());
    EXPECT_TRUE(to_text(bad.error()).contains("ONNX Runtime says")) << to_text(bad.error());
    const auto none = profile(made_.model, {.worker = folder() / "nobody"});
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().message.contains("there is no program")) << to_text(none.error());
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = profile(made_.model, {.worker = SLUICE_WORKER_PROGRAM, .stop = stop.get_token()});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, DiagnosticKind::stopped);
}

}  // namespace
}  // namespace sluice::runtime
