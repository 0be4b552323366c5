#include "sluice/runtime/job_io.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "sluice/runtime/made_up.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {
namespace {

namespace fs = std::filesystem;

onnx::StageTensor tensor(const char* name, std::int32_t type, std::vector<std::int64_t> shape, bool varies = false) {
    const Bytes bytes{*bytes_of(*element_type(type), shape)};
    return {name, type, std::move(shape), bytes, varies};
}

/// x and ids go to the one stage, which makes y; outputs: y under two names, ids as it is, a constant.
onnx::Manifest manifest(bool varies = false) {
    onnx::Manifest made;
    made.model = "m";
    made.inputs = {tensor("x", 1, {2, 3}, varies), tensor("ids", 7, {4})};
    const onnx::StageTensor y = tensor("y", 1, {2}, varies);
    made.stages = {{.file = "stage-0.onnx", .inputs = made.inputs, .outputs = {y}}};
    const auto named = [](const char* name, onnx::StageTensor as) {
        as.name = name;
        return as;
    };
    made.outputs = {{y, "y"}, {named("again", y), "y"}, {named("same", made.inputs[1]), "ids"}, {named("constant", y), ""}};
    return made;
}

Job job() {
    using program::ChannelId, program::InstructionKind, program::Role;
    Job made;
    program::Program& program = made.program;
    for (const char* name : {"x", "ids", "y"}) {
        auto& channel = program.channels.emplace_back();
        channel.tensor = name;
    }
    program.lists.resize(2);
    program.lists[0].role = Role::feed;
    program.lists[0].body = {{InstructionKind::send, ChannelId(1)}, {InstructionKind::send, ChannelId(0)}};  // ids first
    program.lists[1].role = Role::collect;
    program.lists[1].body = {{InstructionKind::receive, ChannelId(2)}};
    made.inputs = 5;
    return made;
}

struct MessageBuffer {
    explicit MessageBuffer(std::size_t size) : data(size) {}
    [[nodiscard]] Message message() { return {&header, data}; }
    template <typename T>
    [[nodiscard]] std::vector<T> values() const {
        std::vector<T> made(data.size() / sizeof(T));
        std::memcpy(made.data(), data.data(), data.size());
        return made;
    }
    MessageHeader header;
    std::vector<std::byte> data;
};

class JobIoTest : public testing::Test {
protected:
    JobIoTest() : scratch_(*Scratch::make()) {}
    [[nodiscard]] fs::path path(const char* name) const { return scratch_.path() / name; }

    template <typename T>
    static std::vector<std::byte> counting(std::int64_t count, int from) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(count) * sizeof(T));
        for (std::int64_t i = 0; i < count; ++i) {
            const T value = static_cast<T>(from + i);
            std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(T), &value, sizeof(T));
        }
        return bytes;
    }
    /// Arrays by name, type, shape of one, and how many of them; count -1: the array is one, with no axis before it.
    struct Array {
        const char* name;
        std::int32_t type;
        std::vector<std::int64_t> shape;
        std::int64_t count;
    };
    void write(const fs::path& to, const std::vector<Array>& arrays) const {
        std::vector<NpzWriter::Array> named;
        for (const Array& array : arrays) named.push_back({array.name, element_type(array.type)});
        auto writer = NpzWriter::create(to, named);
        ASSERT_TRUE(writer);
        for (std::size_t a = 0; a < arrays.size(); ++a) {
            std::vector<std::int64_t> shape = arrays[a].shape;
            // A writer stacks: an array that stands alone is stacked along its own first axis.
            const std::int64_t count = arrays[a].count >= 0 ? arrays[a].count : shape.front();
            if (arrays[a].count < 0) shape.erase(shape.begin());
            const std::int64_t bytes = *bytes_of(*named[a].type, shape), elements = bytes / named[a].type->bytes;
            for (std::int64_t i = 0; i < count; ++i) {
                const auto from = static_cast<int>(i * elements);
                ASSERT_TRUE(writer->append(
                    a, shape, named[a].type->bytes == 8 ? counting<std::int64_t>(elements, from) : counting<float>(elements, from)));
            }
        }
        ASSERT_TRUE(writer->finish());
    }
    [[nodiscard]] std::string refusal(const std::vector<Array>& arrays, bool varies = false) const {
        write(path("x.npz"), arrays);
        const auto count = inputs_in(path("x.npz"), manifest(varies));
        return count ? "" : to_text(count.error());
    }
    Scratch scratch_;
};

TEST_F(JobIoTest, AFileOfInputsIsCheckedBeforeAnythingRuns) {
    write(path("x.npz"), {{"x", 1, {2, 3}, 7}, {"ids", 7, {4}, 7}});
    EXPECT_EQ(inputs_in(path("x.npz"), manifest()), 7);
    write(path("x.npz"), {{"x", 1, {2, 3}, 7}, {"ids", 7, {4}, -1}});
    EXPECT_EQ(inputs_in(path("x.npz"), manifest()), 7);
    write(path("x.npz"), {{"x", 1, {2, 3}, -1}, {"ids", 7, {4}, -1}});
    EXPECT_EQ(inputs_in(path("x.npz"), manifest()), 1);

    EXPECT_TRUE(refusal({{"x", 1, {2, 3}, 7}}).contains("lacks the input 'ids'"));
    EXPECT_TRUE(refusal({{"x", 1, {2, 3}, 7}, {"isd", 7, {4}, 7}}).contains("did you mean 'ids'?"));
    EXPECT_TRUE(refusal({{"x", 1, {2, 3}, 7}, {"ids", 7, {4}, 6}}).contains("7 of 'x' and 6 of 'ids'"));
    EXPECT_TRUE(refusal({{"x", 1, {3, 2}, 7}, {"ids", 7, {4}, 7}}).contains("has shape 7x3x2, the model's input 2x3"));
    EXPECT_TRUE(refusal({{"x", 1, {6}, 7}, {"ids", 7, {4}, 7}}).contains("has shape 7x6"));
    EXPECT_TRUE(refusal({{"x", 6, {2, 3}, 7}, {"ids", 7, {4}, 7}}).contains("is int32, the model's input is float32"));
    EXPECT_TRUE(refusal({{"x", 1, {2, 3}, 0}, {"ids", 7, {4}, -1}}).contains("has shape 0"));
    EXPECT_TRUE(refusal({{"x", 1, {1, 2}, 7}, {"ids", 7, {4}, 7}}).contains("has shape"));
    EXPECT_EQ(refusal({{"x", 1, {1, 2}, 7}, {"ids", 7, {4}, 7}}, true), "");  // x may be smaller
    EXPECT_TRUE(refusal({{"x", 1, {4, 4}, 7}, {"ids", 7, {4}, 7}}, true).contains("at most 2x3"));
}

TEST_F(JobIoTest, InputsOfAFileComeInOrderInTurnAndForEachReaderApart) {
    write(path("x.npz"), {{"x", 1, {2, 3}, 2}, {"ids", 7, {4}, -1}});
    Job made = job();
    made.input = path("x.npz");
    const auto source = InputSource::make(made, manifest());
    ASSERT_TRUE(source) << to_text(source.error());
    EXPECT_EQ((*source)->count(), 2);
    MessageBuffer x(24), ids(32);
    for (std::int64_t input = 0; input < 5; ++input)
        for (const std::size_t reader : {0U, 1U}) {
            ASSERT_TRUE((*source)->fill(input, reader, 0, x.message()));
            EXPECT_EQ(x.values<float>().front(), static_cast<float>(input % 2 * 6));
            ASSERT_TRUE((*source)->fill(input, 2 + reader, 1, ids.message()));
            EXPECT_EQ(ids.values<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 3}));
        }
}

TEST_F(JobIoTest, WhatVariesComesWithItsShape) {
    write(path("x.npz"), {{"x", 1, {1, 2}, 3}, {"ids", 7, {4}, 3}});
    Job made = job();
    made.input = path("x.npz");
    const auto source = InputSource::make(made, manifest(true));
    ASSERT_TRUE(source) << to_text(source.error());
    MessageBuffer x(24);
    ASSERT_TRUE((*source)->fill(0, 0, 0, x.message()));
    ASSERT_TRUE((*source)->fill(1, 0, 0, x.message()));
    EXPECT_EQ(x.header.rank, 2);
    EXPECT_EQ(x.header.shape[0], 1);
    EXPECT_EQ(x.header.shape[1], 2);
    EXPECT_EQ(x.header.bytes, 8);
    EXPECT_EQ(x.values<float>().front(), 2.0F);
}

TEST_F(JobIoTest, OutputsAreKeptUnderTheirNamesInOrder) {
    write(path("x.npz"), {{"x", 1, {2, 3}, 5}, {"ids", 7, {4}, 5}});
    Job made = job();
    made.input = path("x.npz");
    made.output = path("y.npz");
    std::vector<std::int64_t> delivered;
    auto io = JobIo::make(made, manifest(), [&](const Delivered& d) { delivered.push_back(d.inputs); });
    ASSERT_TRUE(io) << to_text(io.error());
    (*io)->begin();
    MessageBuffer ids(32), y(8);
    for (std::int64_t input = 0; (*io)->wanted(input); ++input) {
        ASSERT_TRUE((*io)->feed(input, 0, ids.message()));
        EXPECT_EQ(ids.values<std::int64_t>().front(), input * 4);
        const std::vector<float> made_y{static_cast<float>(input), 0.5F};
        std::memcpy(y.data.data(), made_y.data(), 8);
        ASSERT_TRUE((*io)->collect(input, std::vector{y.message()}));
        EXPECT_FALSE(fs::exists(path("y.npz")));
    }
    ASSERT_TRUE((*io)->finish());
    EXPECT_EQ(delivered.front(), 1);
    EXPECT_EQ(delivered.back(), 5);
    const auto npz = NpzFile::open(path("y.npz"));
    ASSERT_TRUE(npz) << to_text(npz.error());
    std::set<std::string> names;
    for (const NpzEntry& entry : npz->entries()) names.insert(entry.name);
    EXPECT_EQ(names, (std::set<std::string>{"y", "again", "same"}));  // no constant
    EXPECT_EQ(npz->find("y")->header.shape, (std::vector<std::int64_t>{5, 2}));
    std::vector<float> again(10);
    ASSERT_TRUE((*npz->stream(*npz->find("again")))->read(std::as_writable_bytes(std::span(again))));
    EXPECT_EQ(again, (std::vector<float>{0, 0.5, 1, 0.5, 2, 0.5, 3, 0.5, 4, 0.5}));
    std::vector<std::int64_t> same(20);
    ASSERT_TRUE((*npz->stream(*npz->find("same")))->read(std::as_writable_bytes(std::span(same))));
    EXPECT_EQ(same.back(), 19);
}

TEST_F(JobIoTest, OutputsOfDifferentShapesAreNoArray) {
    Job made = job();
    made.output = path("y.npz");
    auto io = JobIo::make(made, manifest(true), {});
    ASSERT_TRUE(io) << to_text(io.error());
    MessageBuffer y(8);
    y.header.rank = 1;
    y.header.shape[0] = 2;
    ASSERT_TRUE((*io)->collect(0, std::vector{y.message()}));
    y.header.shape[0] = 1;
    const auto refused = (*io)->collect(1, std::vector{y.message()});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("'y' of input 1 has shape 1, those before it 2")) << refused.error().message;
    y.header.shape[0] = 1000;  // more than the buffer holds
    EXPECT_FALSE((*io)->collect(1, std::vector{y.message()}));
}

TEST_F(JobIoTest, EndsByCountByTimeAndByWish) {
    Job made = job();
    auto by_count = JobIo::make(made, manifest(), {});
    EXPECT_TRUE((*by_count)->wanted(4));
    EXPECT_FALSE((*by_count)->wanted(5));
    made.inputs.reset();
    made.seconds = 1e-9;
    auto by_time = JobIo::make(made, manifest(), {});
    EXPECT_FALSE((*by_time)->wanted(0));
    made.seconds = 1e9;
    auto by_wish = JobIo::make(made, manifest(), {});
    EXPECT_TRUE((*by_wish)->wanted(1'000'000));
    (*by_wish)->drain();
    EXPECT_FALSE((*by_wish)->wanted(0));
}

TEST_F(JobIoTest, AProgramOfAnotherModelIsRefused) {
    Job made = job();
    made.program.channels[0].tensor = "z";
    EXPECT_TRUE(JobIo::make(made, manifest(), {}).error().message.contains("feeds 'z'"));
    made = job();
    made.output = path("y.npz");
    made.program.channels[2].tensor = "z";
    EXPECT_TRUE(JobIo::make(made, manifest(), {}).error().message.contains("the tensor 'y', which the program does not collect"));
}

TEST(MadeUp, IsTheSameEverywhereAndValid) {
    std::vector<float> x(4);
    make_up(*element_type(1), "x", 1, 0, std::as_writable_bytes(std::span(x)));
    const std::vector<float> first = x;
    EXPECT_EQ(first, (std::vector<float>{28061.0F / 32768, -5672.0F / 32768, 6506.0F / 32768, -24234.0F / 32768}));
    make_up(*element_type(1), "x", 1, 1, std::as_writable_bytes(std::span(x)));
    EXPECT_NE(x, first);
    make_up(*element_type(1), "y", 1, 0, std::as_writable_bytes(std::span(x)));
    EXPECT_NE(x, first);
    std::vector<std::int64_t> ids(1000);
    make_up(*element_type(7), "ids", 1, 0, std::as_writable_bytes(std::span(ids)));
    EXPECT_EQ(std::set<std::int64_t>(ids.begin(), ids.end()), (std::set<std::int64_t>{0, 1}));
    make_up(*element_type(7), "attention_mask", 1, 0, std::as_writable_bytes(std::span(ids)));
    EXPECT_EQ(std::set<std::int64_t>(ids.begin(), ids.end()), (std::set<std::int64_t>{1}));
    std::vector<std::uint8_t> flags(9);
    make_up(*element_type(9), "keep", 1, 0, std::as_writable_bytes(std::span(flags)));
    EXPECT_EQ(std::set<std::uint8_t>(flags.begin(), flags.end()), (std::set<std::uint8_t>{1}));
    for (const std::int32_t type : {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 16}) {
        std::vector<std::byte> data(80);
        make_up(*element_type(type), "v", 3, 0, data);
        EXPECT_NE(data, std::vector<std::byte>(80)) << type;
    }
    std::vector<std::uint16_t> halves(64);
    for (const std::int32_t type : {10, 16}) {  // sign and exponent of values below 1
        make_up(*element_type(type), "v", 3, 0, std::as_writable_bytes(std::span(halves)));
        for (const std::uint16_t half : halves) EXPECT_LE(half & 0x7fff, type == 10 ? 0x3c00 : 0x3f80);
    }
}

}  // namespace
}  // namespace sluice::runtime
