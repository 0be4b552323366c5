#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "sluice/base/csr.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/files.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/units.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
protected:
    void SetUp() override { fs::create_directories(path_); }
    void TearDown() override { fs::remove_all(path_); }
    fs::path path_ = fs::temp_directory_path() / ("sluice-base-" + std::to_string(::getpid()));
};

TEST(Units, TimesRoundUpOnce) {
    EXPECT_EQ(time_for(Bytes{0}, ByteRate{7}), Duration{0});
    EXPECT_EQ(time_for(Bytes{1}, ByteRate{1'000'000'000'000}), Duration{1});
    EXPECT_EQ(time_for(Bytes{1}, ByteRate{3}), Duration{333'333'333'334});
    EXPECT_EQ(time_for(Bytes{64'000'000'000}, ByteRate{64'000'000'000}), Duration{1'000'000'000'000});
    EXPECT_EQ(time_for(Bytes{std::numeric_limits<std::int64_t>::max()}, ByteRate{1}), std::nullopt);
}

TEST(Units, CheckedArithmeticSaysWhenItDoesNotFit) {
    const auto largest = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(checked_add(largest, 1), std::nullopt);
    EXPECT_EQ(checked_add(largest - 1, 1), largest);
    EXPECT_EQ(checked_multiply(largest / 2 + 1, 2), std::nullopt);
    EXPECT_EQ(checked_multiply(-3, 4), -12);
}

TEST(Units, ForPeople) {
    EXPECT_EQ(to_text(Duration{0}), "0 s");
    EXPECT_EQ(to_text(Duration{999}), "999 ps");
    EXPECT_EQ(to_text(Duration{3'594'123'456}), "3.594 ms");
    EXPECT_EQ(to_text(Duration{999'999'999'999}), "1.000 s");
    EXPECT_EQ(to_text(Duration{17'200'000}), "17.20 us");
    EXPECT_EQ(to_text(Bytes{512}), "512 B");
    EXPECT_EQ(to_text(Bytes{11'744'051}), "11.2 MiB");
    EXPECT_EQ(to_text(ByteRate{64'000'000'000}), "64 GB/s");
    EXPECT_EQ(count_to_text(8.2e9), "8.2 G");
    EXPECT_EQ(count_to_text(12), "12");
}

TEST(Units, ParsingTakesUnitsAndRefusesTheRest) {
    EXPECT_EQ(parse_rate("8GB/s"), ByteRate{8'000'000'000});
    EXPECT_EQ(parse_rate("0.5 GB/s"), ByteRate{500'000'000});
    EXPECT_EQ(parse_rate("0 GB/s"), std::nullopt);
    EXPECT_EQ(parse_rate("-1 GB/s"), std::nullopt);
    EXPECT_EQ(parse_rate("fast"), std::nullopt);
    EXPECT_EQ(parse_bytes("8 MiB"), Bytes{8 << 20});
    EXPECT_EQ(parse_bytes("80GB"), Bytes{80'000'000'000});
    EXPECT_EQ(parse_bytes("1e30GB"), std::nullopt);
    EXPECT_EQ(parse_duration("50us"), Duration{50'000'000});
    EXPECT_EQ(parse_duration("0.5 µs"), Duration{500'000});
    EXPECT_EQ(parse_duration("0"), Duration{0});
    EXPECT_EQ(parse_duration("5"), std::nullopt);
}

TEST(Diagnostic, NearestMatchIsForTypingErrorsOnly) {
    const std::vector<std::string_view> words{"--stages", "--platform", "--threads"};
    EXPECT_EQ(nearest_match("--stage", words), "--stages");
    EXPECT_EQ(nearest_match("--pltaform", words), "--platform");
    EXPECT_EQ(nearest_match("--Threads", words), "--threads");
    EXPECT_EQ(nearest_match("completely", words), "");
    EXPECT_EQ(nearest_match("", words), "");
    EXPECT_EQ(nearest_match(std::string(100'000, 'x'), words), "");
}

TEST(Diagnostic, TextHasWhereWhyAndHow) {
    const Diagnostic diagnostic = input_error("stage 3 is too big").at({"p.json", 7, 2}).note("6 MiB of it are 'conv'").fix("use -k 5");
    EXPECT_EQ(to_text(diagnostic), "p.json:7:2: error: stage 3 is too big\n  note: 6 MiB of it are 'conv'\n  help: use -k 5\n");
}

TEST(Random, SameNumbersOnEveryMachineAndIndependentStreams) {
    RandomStream a(42);
    EXPECT_EQ(a(), 2303456275738999573ULL);  // pinned: a change of generator would change every plan
    RandomStream one(7, 1), two(7, 2), again(7, 1);
    EXPECT_NE(one(), two());
    RandomStream fresh(7, 1);
    EXPECT_EQ(again(), fresh());
}

TEST(Random, BelowIsUniformAndInRange) {
    RandomStream random(1);
    std::map<std::uint64_t, int> counts;
    for (int i = 0; i < 60'000; ++i) ++counts[random.below(6)];
    ASSERT_EQ(counts.size(), 6U);
    for (const auto& [value, count] : counts) EXPECT_NEAR(count, 10'000, 500) << value;
    for (int i = 0; i < 1000; ++i) {
        const auto x = random.between(-3, 3);
        EXPECT_GE(x, -3);
        EXPECT_LE(x, 3);
        EXPECT_LT(random.unit(), 1.0);
    }
}

TEST(Rows, AreListsOfLists) {
    const Rows<int> rows({{1, 2}, {}, {3}});
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(std::vector<int>(rows[0].begin(), rows[0].end()), (std::vector{1, 2}));
    EXPECT_TRUE(rows[1].empty());
    EXPECT_EQ(rows[2][0], 3);
    EXPECT_EQ(Rows<int>().size(), 0U);
}

TEST(Gap, IsTheShareThatIsOpen) {
    EXPECT_DOUBLE_EQ(gap_of(Duration{100}, Duration{90}), 0.1);
    EXPECT_EQ(gap_of(Duration{0}, Duration{0}), 0);
}

TEST_F(Folder, WritesAppearWhole) {
    const fs::path file = path_ / "a.json";
    ASSERT_TRUE(write_file(file, "one"));
    ASSERT_TRUE(write_file(file, "two"));
    EXPECT_EQ(*read_file(file), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(path_), fs::directory_iterator{}), 1) << "a temporary file stayed behind";
    EXPECT_FALSE(write_file(path_ / "no" / "such" / "folder", "x"));
    EXPECT_NE(write_file(path_, "x").error().message.find("directory"), std::string::npos);
}

TEST_F(Folder, ReadsRefuseWhatIsNoUsableFile) {
    EXPECT_NE(read_file(path_ / "absent").error().message.find("No such file"), std::string::npos);
    EXPECT_NE(read_file(path_).error().message.find("directory"), std::string::npos);
    std::ofstream(path_ / "big") << std::string(1000, 'x');
    EXPECT_NE(read_file(path_ / "big", 999).error().message.find("larger than"), std::string::npos);
    EXPECT_EQ(read_file(path_ / "big", 1000)->size(), 1000U);
}

TEST_F(Folder, GzipIsUnpackedAndDamageIsSaid) {
    const fs::path file = path_ / "a.gz";
    const std::string content(300'000, 'y');
    gzFile packed = gzopen(file.c_str(), "wb");
    ASSERT_EQ(gzwrite(packed, content.data(), static_cast<unsigned>(content.size())), static_cast<int>(content.size()));
    gzclose(packed);
    EXPECT_EQ(*read_file(file), content);
    EXPECT_NE(read_file(file, 10'000).error().message.find("larger than"), std::string::npos) << "a bomb must not unpack";
    fs::resize_file(file, fs::file_size(file) / 2);
    EXPECT_NE(read_file(file).error().message.find("truncated"), std::string::npos);
}

TEST(Fingerprint, IsStable) {
    EXPECT_EQ(fingerprint_of(""), "99aa06d3014798d86001c324468d497f");
    EXPECT_NE(fingerprint_of("a"), fingerprint_of("b"));
}

}  // namespace
}  // namespace sluice
