#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <new>

#include "sluice/runtime/made_up.hpp"
#include "sluice/runtime/scratch.hpp"
#include "sluice/runtime/worker/ort_kernel.hpp"
#include "tests/support/staged_model.hpp"
#include "tests/unit/onnx/model_text.hpp"
#include "tests/unit/worker/plain_session.hpp"

namespace sluice::runtime {
namespace {

using test::PlainSession, test::PlainTensors;

/// A message in memory of its own, 64-byte aligned as the executor's are.
class Memory {
public:
    explicit Memory(std::int64_t bytes) : size_(static_cast<std::size_t>(bytes)), data_(new(std::align_val_t{64}) std::byte[size_ + 1]) {}
    [[nodiscard]] Message message() { return {&header_, {data_.get(), size_}}; }
    [[nodiscard]] std::span<std::byte> bytes() { return {data_.get(), size_}; }

private:
    struct Free {
        void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
    };
    MessageHeader header_;
    std::size_t size_;
    std::unique_ptr<std::byte[], Free> data_;
};
using Memories = std::map<std::string, std::unique_ptr<Memory>>;

std::string model_bytes(std::string_view graph) { return onnx::parse_text(std::string(graph)).SerializeAsString(); }

std::vector<std::string> names_of(std::span<const onnx::StageTensor> tensors) {
    std::vector<std::string> names;
    for (const onnx::StageTensor& tensor : tensors) names.push_back(tensor.name);
    return names;
}

Memories memories_for(const onnx::Manifest& manifest) {
    Memories made;
    const auto add = [&](std::span<const onnx::StageTensor> tensors) {
        for (const onnx::StageTensor& tensor : tensors) made[tensor.name] = std::make_unique<Memory>(tensor.bytes.count);
    };
    add(manifest.inputs);
    for (const onnx::StageModel& stage : manifest.stages) add(stage.outputs);
    return made;
}

std::vector<Message> messages_of(Memories& memories, std::span<const onnx::StageTensor> tensors) {
    std::vector<Message> messages;
    for (const onnx::StageTensor& tensor : tensors) messages.push_back(memories.at(tensor.name)->message());
    return messages;
}

std::unique_ptr<OrtKernel> kernel_of(const onnx::StageModel& stage, const std::filesystem::path& folder, int level) {
    auto made = OrtKernel::make(stage, folder, names_of(stage.inputs), names_of(stage.outputs), {.optimisation = level});
    EXPECT_TRUE(made) << to_text(made.error());
    return *std::move(made);
}

PlainTensors make_inputs(const onnx::Manifest& manifest, Memories& memories, std::int64_t index) {
    PlainTensors inputs;
    for (const onnx::StageTensor& tensor : manifest.inputs) {
        make_up(*element_type(tensor.element_type), tensor.name, 7, index, memories.at(tensor.name)->bytes());
        const auto bytes = memories.at(tensor.name)->bytes();
        inputs[tensor.name] = {tensor.shape, {bytes.begin(), bytes.end()}};
    }
    return inputs;
}

class Stages : public ::testing::TestWithParam<const char*> {};

TEST_P(Stages, OneAfterTheOtherAreTheUnsplitModelBitForBit) {
    const auto scratch = Scratch::make();
    const auto made = test::stage_model(GetParam(), 3, scratch->path());
    ASSERT_TRUE(made) << to_text(made.error());
    ASSERT_GE(made->manifest.stages.size(), 2U);
    PlainSession whole(made->model, ORT_DISABLE_ALL);
    Memories memories = memories_for(made->manifest);
    std::vector<std::unique_ptr<OrtKernel>> kernels;
    for (const onnx::StageModel& stage : made->manifest.stages) kernels.push_back(kernel_of(stage, made->job.stages, 0));
    // One slot throughout: inputs change in place, nothing is bound again.
    for (std::int64_t input = 0; input < 3; ++input) {
        PlainTensors inputs = make_inputs(made->manifest, memories, input);
        const PlainTensors expected = whole.run(inputs);
        for (std::size_t s = 0; s < kernels.size(); ++s) {
            const onnx::StageModel& stage = made->manifest.stages[s];
            const auto done = kernels[s]->run(0, messages_of(memories, stage.inputs), messages_of(memories, stage.outputs));
            ASSERT_TRUE(done) << to_text(done.error());
        }
        for (const onnx::Manifest::Output& output : made->manifest.outputs) {
            const auto bytes = memories.at(output.made_as)->bytes();
            EXPECT_EQ(expected.at(output.tensor.name).data, std::vector<std::byte>(bytes.begin(), bytes.end()))
                << GetParam() << " input " << input << " '" << output.tensor.name << "'";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Stages,
                         ::testing::Values("zoo:chain:layers=6,width=64", "zoo:residual:blocks=3,width=64,inner=128",
                                           "zoo:bert-base:layers=2,hidden=64,heads=2,ff=128,seq=16,vocab=100", "zoo:resnet50:image=64",
                                           "zoo:two-tower:layers=1,hidden=64,heads=2,ff=128,seq=8,vocab=50,image=32,projection=16"));

TEST(OrtKernel, ASlotIsBoundOnceAndSlotsAreApart) {
    const auto scratch = Scratch::make();
    const auto made = test::stage_model("zoo:chain:layers=4,width=64", 2, scratch->path());
    ASSERT_TRUE(made) << to_text(made.error());
    const onnx::StageModel& stage = made->manifest.stages.front();
    const auto kernel = kernel_of(stage, made->job.stages, 99);
    std::vector<Memories> slots;
    std::vector<std::vector<std::byte>> results;
    const auto result = [&](std::size_t slot) {
        const auto bytes = slots[slot].at(stage.outputs.front().name)->bytes();
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    for (std::size_t slot = 0; slot < 3; ++slot) {
        slots.push_back(memories_for(made->manifest));
        static_cast<void>(make_inputs(made->manifest, slots[slot], static_cast<std::int64_t>(slot)));
        ASSERT_TRUE(
            kernel->run(static_cast<std::int64_t>(slot), messages_of(slots[slot], stage.inputs), messages_of(slots[slot], stage.outputs)));
        results.push_back(result(slot));
    }
    EXPECT_NE(results[0], results[1]);
    // Slot 0 keeps its first buffers whatever is passed: no binding takes place again.
    static_cast<void>(make_inputs(made->manifest, slots[0], 1));
    ASSERT_TRUE(kernel->run(0, messages_of(slots[2], stage.inputs), messages_of(slots[2], stage.outputs)));
    EXPECT_EQ(result(0), results[1]);
    EXPECT_EQ(result(2), results[2]);
}

TEST(OrtKernel, ABufferThatIsTooSmallIsNotWrittenBeyond) {
    const auto scratch = Scratch::make();
    const auto made = test::stage_model("zoo:chain:layers=4,width=64", 2, scratch->path());
    ASSERT_TRUE(made) << to_text(made.error());
    const onnx::StageModel& stage = made->manifest.stages.front();
    const auto kernel = kernel_of(stage, made->job.stages, 0);
    Memory small(16);
    const std::vector<Message> outputs{small.message()};
    Memories memories = memories_for(made->manifest);
    const auto done = kernel->run(0, messages_of(memories, stage.inputs), outputs);
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().message.contains("its buffer 16")) << done.error().message;
}

/// Two stages with a border whose size depends on the data: how many elements of x are not zero, and which.
struct Varying {
    Varying() : scratch(*Scratch::make()) {
        const auto write = [&](const char* name, std::string_view text) {
            const std::string bytes = model_bytes(text);
            std::ofstream(scratch.path() / name, std::ios::binary) << bytes;
        };
        write("a.onnx", "g (float[2, 4] x) => (int64[2, n] found) { found = NonZero(x) }");
        write("b.onnx", "g (int64[2, n] found) => (int64[n, 2] pairs) { pairs = Transpose<perm = [1, 0]>(found) }");
        first = {.file = "a.onnx", .inputs = {{"x", 1, {2, 4}, {32}, false}}, .outputs = {{"found", 7, {2, 8}, {128}, true}}};
        second = {.file = "b.onnx", .inputs = {{"found", 7, {2, 8}, {128}, true}}, .outputs = {{"pairs", 7, {8, 2}, {128}, true}}};
    }
    Scratch scratch;
    onnx::StageModel first, second;
};

TEST(OrtKernel, TensorsThatVaryCarryTheirShape) {
    const Varying stages;
    const auto a = kernel_of(stages.first, stages.scratch.path(), 99), b = kernel_of(stages.second, stages.scratch.path(), 99);
    Memory x(32), found(128), pairs(128);
    const std::vector<Message> in{x.message()}, border{found.message()}, out{pairs.message()};
    for (const std::vector<float>& values :
         {std::vector<float>{0, 1, 0, 0, 0, 0, 2, 0}, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 3, 0, 0, 0, 0, 0}}) {
        std::memcpy(x.bytes().data(), values.data(), 32);
        *found.message().header = *pairs.message().header = MessageHeader{.bytes = 128};
        const auto begun = a->run(0, in, border);
        ASSERT_TRUE(begun) << to_text(begun.error());
        const auto done = b->run(0, border, out);
        ASSERT_TRUE(done) << to_text(done.error());
        std::vector<std::int64_t> expected;
        for (std::int64_t i = 0; i < 8; ++i)
            if (values[static_cast<std::size_t>(i)] != 0) expected.insert(expected.end(), {i / 4, i % 4});
        const MessageHeader& header = *pairs.message().header;
        EXPECT_EQ(header.rank, 2);
        EXPECT_EQ(header.shape[0], static_cast<std::int64_t>(expected.size() / 2));
        EXPECT_EQ(header.bytes, static_cast<std::int64_t>(expected.size() * 8));
        EXPECT_EQ(found.message().header->shape[1], static_cast<std::int64_t>(expected.size() / 2));
        EXPECT_EQ(std::memcmp(pairs.bytes().data(), expected.data(), expected.size() * 8), 0);
    }
}

TEST(OrtKernel, MoreThanWasPlannedForIsRefused) {
    Varying stages;
    stages.first.outputs.front().shape = {2, 3};
    stages.first.outputs.front().bytes = {48};
    const auto kernel = kernel_of(stages.first, stages.scratch.path(), 99);
    Memory x(32), found(48);
    const std::vector<float> ones(8, 1.0F);
    std::memcpy(x.bytes().data(), ones.data(), 32);
    const auto done = kernel->run(0, std::vector{x.message()}, std::vector{found.message()});
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().message.contains("'found' turned out to be 2x8, 128 bytes; room was planned for 2x3, 48 bytes"))
        << done.error().message;
}

TEST(OrtKernel, WhatDoesNotFitTogetherIsNamed) {
    const Varying stages;
    const auto refusal = [&](const onnx::StageModel& stage, const std::vector<std::string>& in, const std::vector<std::string>& out) {
        const auto made = OrtKernel::make(stage, stages.scratch.path(), in, out, {});
        return made ? "" : to_text(made.error());
    };
    const auto edited = [&](auto edit) {
        onnx::StageModel stage = stages.first;
        edit(stage);
        return stage;
    };
    EXPECT_TRUE(refusal(stages.first, {"y"}, {"found"}).contains("'y' as an input of 'a.onnx', which has none"));
    EXPECT_TRUE(refusal(stages.first, {"x"}, {}).contains("an output 'found' of 'a.onnx' is no part of the program"));
    EXPECT_TRUE(refusal(edited([](auto& s) { s.file = "c.onnx"; }), {"x"}, {"found"}).contains("there is no model file"));
    EXPECT_TRUE(refusal(edited([](auto& s) { s.inputs[0].element_type = 10; }), {"x"}, {"found"})
                    .contains("is float32, its manifest says float16"));
    EXPECT_TRUE(refusal(edited([](auto& s) { s.inputs[0].name = "z"; }), {"z"}, {"found"}).contains("has no input 'z'"));
    EXPECT_TRUE(refusal(edited([](auto& s) { s.inputs[0].element_type = 8; }), {"x"}, {"found"}).contains("element type 8"));
    std::ofstream(stages.scratch.path() / "bad.onnx") << "no model";
    EXPECT_TRUE(refusal(edited([](auto& s) { s.file = "bad.onnx"; }), {"x"}, {"found"}).contains("ONNX Runtime says"));
    const auto level = OrtKernel::make(stages.first, stages.scratch.path(), std::vector<std::string>{"x"},
                                       std::vector<std::string>{"found"}, {.optimisation = 7});
    ASSERT_FALSE(level);
    EXPECT_TRUE(level.error().message.contains("7 is no optimisation level"));
}

TEST(OrtKernel, RehearsesOnMadeUpNumbersAndSaysWhenItCannot) {
    const Varying stages;
    const auto kernel = kernel_of(stages.first, stages.scratch.path(), 99);
    const auto times = kernel->rehearse(3, 5, 0);
    EXPECT_EQ(times.size(), 3U);
    EXPECT_LE(kernel->rehearse(1, 4, 10).size(), 4U);
    // No index is right for a table without rows, and only 0 for one with a single row, which made-up ones may miss.
    for (const std::int64_t rows : {0, 1}) {
        std::ofstream(stages.scratch.path() / "gather.onnx", std::ios::binary)
            << model_bytes(std::format("g (float[{}, 2] t, int64[8] i) => (float[8, 2] y) {{ y = Gather<axis = 0>(t, i) }}", rows));
        const onnx::StageModel gather{.file = "gather.onnx",
                                      .inputs = {{"t", 1, {rows, 2}, {rows * 8}, false}, {"i", 7, {8}, {64}, false}},
                                      .outputs = {{"y", 1, {8, 2}, {64}, false}}};
        EXPECT_EQ(kernel_of(gather, stages.scratch.path(), 0)->rehearse(2, 2, 0).size(), static_cast<std::size_t>(rows * 2));
    }
}

}  // namespace
}  // namespace sluice::runtime
