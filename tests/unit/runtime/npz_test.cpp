#include "sluice/runtime/npz.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <format>
#include <fstream>

#include "sluice/base/files.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::runtime {
namespace {

namespace fs = std::filesystem;

const ElementType& kF32 = *element_type(1);
const ElementType& kI64 = *element_type(7);

std::string header_of(std::string_view dictionary, int version = 1) {
    std::string text("\x93NUMPY", 6);
    text += {static_cast<char>(version), '\0', static_cast<char>(dictionary.size() & 0xff), static_cast<char>(dictionary.size() >> 8)};
    if (version > 1) text += std::string(2, '\0');
    return text + std::string(dictionary);
}

std::string refusal(std::string_view bytes) {
    const auto header = parse_npy_header(bytes, "x", "f.npz");
    return header ? "" : header.error().message;
}

template <typename T>
std::span<const std::byte> bytes_in(const std::vector<T>& values) {
    return std::as_bytes(std::span(values));
}

template <typename T>
std::vector<T> read_all(const NpzFile& npz, const std::string& name) {
    const NpzEntry* entry = npz.find(name);
    if (entry == nullptr) return {};
    std::vector<T> values(static_cast<std::size_t>(entry->header.bytes()) / sizeof(T));
    auto stream = npz.stream(*entry);
    if (!stream || !(*stream)->read(std::as_writable_bytes(std::span(values)))) return {};
    return values;
}

class Npz : public testing::Test {
protected:
    void SetUp() override {
        auto made = Scratch::make();
        ASSERT_TRUE(made) << made.error().message;
        scratch_.emplace(*std::move(made));
    }
    [[nodiscard]] fs::path path(const std::string& name) const { return scratch_->path() / name; }
    [[nodiscard]] std::vector<std::string> listing() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(scratch_->path())) names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
    /// Runs Python with NumPy in the folder; false, said aloud, where there is none.
    bool python(const std::string& code) const {
        const auto child =
            run_child({"python3", "-c", std::format("import os\nos.chdir('{}')\nimport numpy\n{}", scratch_->path().string(), code)});
        if (!child || child->err.contains("No module named 'numpy'")) return false;
        EXPECT_EQ(child->exit_code, 0) << child->err;
        return true;
    }
    /// x: count times (2, 3) floats that go on counting; n: count times the scalar i.
    void write(const fs::path& to, std::int64_t count) const {
        auto writer = NpzWriter::create(to, {{"x", &kF32}, {"n", &kI64}});
        ASSERT_TRUE(writer) << writer.error().message;
        for (std::int64_t i = 0; i < count; ++i) {
            std::vector<float> x(6);
            for (std::size_t k = 0; k < 6; ++k) x[k] = static_cast<float>(i * 6 + static_cast<std::int64_t>(k));
            const std::vector<std::int64_t> n{i};
            ASSERT_TRUE(writer->append(0, std::array<std::int64_t, 2>{2, 3}, bytes_in(x)));
            ASSERT_TRUE(writer->append(1, {}, bytes_in(n)));
        }
        const auto done = writer->finish();
        ASSERT_TRUE(done) << done.error().message;
    }
    std::optional<Scratch> scratch_;
};

TEST(NpyHeader, IsWhatNumPyWrites) {
    // numpy.save of a float64 array of shape (3,): 128 bytes of header.
    std::string expected = std::string("\x93NUMPY\x01\x00v\x00", 10) + "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }";
    expected.resize(127, ' ');
    EXPECT_EQ(npy_header(*element_type(11), std::array<std::int64_t, 1>{3}), expected + '\n');
    EXPECT_TRUE(npy_header(kF32, {}).contains("'shape': (), }"));
    EXPECT_TRUE(npy_header(kF32, std::array<std::int64_t, 2>{4, 5}).contains("'shape': (4, 5), }"));
    EXPECT_EQ(npy_header(kF32, {}, 1000).size(), 1024U);
}

TEST(NpyHeader, EveryVersionOrderAndQuoteIsRead) {
    for (int version = 1; version <= 3; ++version) {
        const auto header =
            parse_npy_header(header_of("{\"shape\": (7L, 2,), 'fortran_order': True, 'descr': '<i2'}   \n", version), "x", "f");
        ASSERT_TRUE(header) << header.error().message;
        EXPECT_EQ(header->type->name, "int16");
        EXPECT_TRUE(header->fortran_order);
        EXPECT_EQ(header->shape, (std::vector<std::int64_t>{7, 2}));
        EXPECT_EQ(header->bytes(), 28);
    }
    for (const auto& [descr, number] : std::vector<std::pair<std::string, int>>{{"<f4", 1},
                                                                                {"|u1", 2},
                                                                                {"|i1", 3},
                                                                                {"<u2", 4},
                                                                                {"<i2", 5},
                                                                                {"<i4", 6},
                                                                                {"<i8", 7},
                                                                                {"|b1", 9},
                                                                                {"<f2", 10},
                                                                                {"<f8", 11},
                                                                                {"<u4", 12},
                                                                                {"<u8", 13},
                                                                                {"|V2", 16},
                                                                                {"=f4", 1}}) {
        const auto header =
            parse_npy_header(header_of(std::format("{{'descr': '{}', 'fortran_order': False, 'shape': (), }}", descr)), "x", "f");
        ASSERT_TRUE(header) << descr;
        EXPECT_EQ(header->type->number, number) << descr;
        EXPECT_TRUE(header->shape.empty());
    }
}

TEST(NpyHeader, WhatCannotBeReadIsNamed) {
    const auto with = [](std::string_view descr, std::string_view shape = "(2,)") {
        return refusal(header_of(std::format("{{'descr': {}, 'fortran_order': False, 'shape': {}, }}", descr, shape)));
    };
    EXPECT_TRUE(with("'>f4'").contains("big-endian"));
    for (const std::string_view descr : {"'|O'", "'<c8'", "'<U5'", "'|S3'", "'<M8[ns]'", "'<f16'", "'|V4'", "''"})
        EXPECT_TRUE(with(descr).contains("no tensor")) << descr << with(descr);
    EXPECT_TRUE(with("[('a', '<f4'), ('b', '<i4')]").contains("structured"));
    EXPECT_TRUE(with("'<f4'", "(9223372036854775807, 8)").contains("cannot have the shape"));
    for (const std::string_view shape : {"(-1,)", "3", "(1", "(1 2)", "(a,)"})
        EXPECT_TRUE(with("'<f4'", shape).contains("header cannot be read")) << shape;
    EXPECT_TRUE(refusal("").contains("does not begin"));
    EXPECT_TRUE(refusal("PK\x03\x04 something else").contains("does not begin"));
    EXPECT_TRUE(refusal(header_of("{}", 4)).contains("version 4"));
    EXPECT_TRUE(refusal(header_of("{'descr': '<f4', 'fortran_order': False}")).contains("cannot be read"));
    EXPECT_TRUE(refusal(header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}")).contains("cannot be read"));
    std::string cut = header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (), }");
    cut.resize(40);
    EXPECT_TRUE(refusal(cut).contains("cut off"));
}

TEST_F(Npz, WhatIsWrittenIsReadBack) {
    write(path("a.npz"), 1000);
    const auto npz = NpzFile::open(path("a.npz"));
    ASSERT_TRUE(npz) << npz.error().message;
    ASSERT_NE(npz->find("x"), nullptr);
    EXPECT_EQ(npz->find("x")->header.shape, (std::vector<std::int64_t>{1000, 2, 3}));
    EXPECT_EQ(npz->find("n")->header.shape, (std::vector<std::int64_t>{1000}));
    EXPECT_EQ(npz->find("y"), nullptr);
    const auto x = read_all<float>(*npz, "x");
    ASSERT_EQ(x.size(), 6000U);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i], static_cast<float>(i));
    EXPECT_EQ(read_all<std::int64_t>(*npz, "n").back(), 999);

    auto stream = npz->stream(*npz->find("n"));
    std::vector<std::byte> more(8 * 1001);
    EXPECT_FALSE((*stream)->read(more));  // past the end
}

TEST_F(Npz, LargeItemsAndNoItems) {
    auto writer = NpzWriter::create(path("a.npz"), {{"big", &kF32}, {"none", &kI64}});
    ASSERT_TRUE(writer);
    const std::vector<float> big(100'000, 1.5F);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(writer->append(0, std::array<std::int64_t, 1>{100'000}, bytes_in(big)));
    ASSERT_TRUE(writer->finish());
    const auto npz = NpzFile::open(path("a.npz"));
    ASSERT_TRUE(npz) << npz.error().message;
    EXPECT_EQ(npz->find("none")->header.shape, std::vector<std::int64_t>{0});
    EXPECT_EQ(read_all<float>(*npz, "big"), std::vector<float>(300'000, 1.5F));
}

TEST_F(Npz, EqualArraysMakeEqualBytesAndNothingElseIsLeft) {
    {
        auto writer = NpzWriter::create(path("never.npz"), {{"x", &kF32}});
        ASSERT_TRUE(writer);
        const std::vector<float> one(200'000);
        ASSERT_TRUE(writer->append(0, std::array<std::int64_t, 1>{200'000}, bytes_in(one)));
        EXPECT_TRUE(listing().empty()) << listing().front();  // nothing has a name before it is whole
    }
    write(path("a.npz"), 10);
    write(path("b.npz"), 10);
    EXPECT_EQ(*read_file(path("a.npz")), *read_file(path("b.npz")));
    write(path("a.npz"), 3);  // replaces
    EXPECT_EQ(listing(), (std::vector<std::string>{"a.npz", "b.npz"}));
    EXPECT_EQ(NpzFile::open(path("a.npz"))->find("n")->header.shape, std::vector<std::int64_t>{3});
}

TEST_F(Npz, LeftoversOfAKilledWriterAreRemovedAndNoOthers) {
    for (const char* name : {"y.npz.writing.17", "y.npz.writing.17.aB3xYz", "y.npz", "z.npz.writing.17"}) std::ofstream(path(name)) << "x";
    remove_unfinished(path("y.npz"));
    EXPECT_EQ(listing(), (std::vector<std::string>{"y.npz", "z.npz.writing.17"}));
}

TEST_F(Npz, AnotherShapeIsRefusedWithTheInputsNumber) {
    auto writer = NpzWriter::create(path("a.npz"), {{"y", &kF32}});
    ASSERT_TRUE(writer);
    const std::vector<float> data(6);
    ASSERT_TRUE(writer->append(0, std::array<std::int64_t, 2>{2, 3}, bytes_in(data)));
    const auto refused = writer->append(0, std::array<std::int64_t, 2>{3, 2}, bytes_in(data));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("'y' of input 1 has shape 3x2")) << refused.error().message;
}

TEST_F(Npz, PlacesThatCannotBeWrittenTo) {
    for (const fs::path& place : {path("no/such/folder/y.npz"), scratch_->path(), fs::path("/proc/y.npz")}) {
        const auto writer = NpzWriter::create(place, {{"y", &kF32}});
        ASSERT_FALSE(writer) << place;
        EXPECT_TRUE(writer.error().message.contains("cannot write")) << writer.error().message;
    }
}

TEST_F(Npz, DamagedFilesAreDiagnosticsNeverWrongNumbers) {
    write(path("a.npz"), 20);
    const std::string whole = *read_file(path("a.npz"));
    const std::vector<float> x = read_all<float>(*NpzFile::open(path("a.npz")), "x");
    const auto survives = [&](const std::string& bytes) {
        std::ofstream(path("b.npz"), std::ios::binary) << bytes;
        const auto npz = NpzFile::open(path("b.npz"));
        if (!npz) return true;
        const auto read = read_all<float>(*npz, "x");
        return read.empty() || read == x;
    };
    for (std::size_t length = 0; length < whole.size(); length += 13) EXPECT_TRUE(survives(whole.substr(0, length))) << length;
    for (std::size_t at = 0; at < whole.size(); at += 11) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x55);
        EXPECT_TRUE(survives(flipped)) << at;
    }
    EXPECT_FALSE(NpzFile::open(path("missing.npz")));
    EXPECT_FALSE(NpzFile::open(scratch_->path()));
}

TEST_F(Npz, NumPyReadsWhatWeWrite) {
    write(path("a.npz"), 5);
    if (!python("a = numpy.load('a.npz')\n"
                "assert sorted(a.files) == ['n', 'x'], a.files\n"
                "assert a['x'].dtype == numpy.float32 and a['x'].shape == (5, 2, 3)\n"
                "assert (a['x'] == numpy.arange(30).reshape(5, 2, 3)).all()\n"
                "assert (a['n'] == numpy.arange(5)).all() and a['n'].dtype == numpy.int64"))
        GTEST_SKIP() << "python3 has no numpy here";
}

TEST_F(Npz, WeReadWhatNumPyWrites) {
    if (!python("x = numpy.arange(24, dtype='<f4').reshape(2, 3, 4)\n"
                "numpy.savez('a.npz', c=x, f=numpy.asfortranarray(x), s=numpy.float64(2.5), e=numpy.zeros((0, 3)), t=x.T)\n"
                "numpy.savez_compressed('b.npz', c=x, b=numpy.array([True, False]), i=numpy.arange(200000) % 7)\n"
                "numpy.savez('o.npz', big=x.astype('>f4'))"))
        GTEST_SKIP() << "python3 has no numpy here";
    std::vector<float> counting(24);
    for (std::size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<float>(i);
    const auto plain = NpzFile::open(path("a.npz"));
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(read_all<float>(*plain, "c"), counting);
    EXPECT_TRUE(plain->find("f")->header.fortran_order);
    EXPECT_EQ(read_all<float>(*plain, "f"), counting);
    EXPECT_EQ(read_all<double>(*plain, "s"), std::vector<double>{2.5});
    EXPECT_EQ(plain->find("e")->header.shape, (std::vector<std::int64_t>{0, 3}));
    const std::vector<float> t = read_all<float>(*plain, "t");
    ASSERT_EQ(t.size(), 24U);
    EXPECT_EQ(t[1], 12.0F);  // t[0][0][1] = x[1][0][0]
    EXPECT_EQ(t[2], 4.0F);   // t[0][1][0] = x[0][1][0]
    const auto packed = NpzFile::open(path("b.npz"));
    ASSERT_TRUE(packed) << packed.error().message;
    EXPECT_EQ(read_all<float>(*packed, "c"), counting);
    EXPECT_EQ(read_all<std::int64_t>(*packed, "i").at(199'999), 199'999 % 7);
    EXPECT_EQ(packed->find("b")->header.type->name, "bool");
    const auto big = NpzFile::open(path("o.npz"));
    ASSERT_FALSE(big);
    EXPECT_TRUE(big.error().help.contains("astype('<f4')")) << big.error().help;
}

}  // namespace
}  // namespace sluice::runtime
