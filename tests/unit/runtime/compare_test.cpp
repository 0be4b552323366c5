#include "sluice/runtime/compare.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <format>
#include <limits>
#include <vector>

#include "sluice/base/small_floats.hpp"
#include "sluice/runtime/npz.hpp"

namespace sluice::runtime {
namespace {

namespace fs = std::filesystem;

class Compare : public ::testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / std::format("compare_test_{}", ::getpid());
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// One array `name`, an input a row.
    template <typename T>
    fs::path file(const char* which, const char* name, std::string_view descr, const std::vector<std::vector<T>>& rows) {
        const fs::path path = folder_ / which;
        auto writer = NpzWriter::create(path, {{name, element_type(descr)}});
        EXPECT_TRUE(writer);
        for (const auto& row : rows) {
            const std::vector<std::int64_t> shape{static_cast<std::int64_t>(row.size())};
            EXPECT_TRUE(writer->append(0, shape, std::as_bytes(std::span(row))));
        }
        EXPECT_TRUE(writer->finish());
        return path;
    }
    fs::path floats(const char* which, const std::vector<std::vector<float>>& rows) { return file(which, "y", "<f4", rows); }

    fs::path folder_;
};

TEST_F(Compare, TheSameBits) {
    const auto nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const std::vector<std::vector<float>> rows{{1, 2, 3}, {nan, inf, -0.0F}};
    const auto result = compare_outputs(floats("a.npz", rows), floats("b.npz", rows));
    ASSERT_TRUE(result) << to_text(result.error());
    EXPECT_EQ(result->values, 6);
    EXPECT_EQ(result->bitwise, 6);
    EXPECT_EQ(result->largest_error, 0);
    EXPECT_EQ(result->worst, "");
}

TEST_F(Compare, ErrorIsRelativeToItsOwnInputsLargestValue) {
    // 0.5 of 100 in input 0; 0.01 of 1 in input 1, which is more.
    const auto result = compare_outputs(floats("a.npz", {{100, 0.5F}, {1, 0.01F}}), floats("b.npz", {{-100, 0}, {1, 0}}));
    ASSERT_TRUE(result);
    EXPECT_FLOAT_EQ(static_cast<float>(result->largest_error), 2);  // 100 against -100
    EXPECT_EQ(result->worst, "output 'y' of input 0");
    const auto second = compare_outputs(floats("a.npz", {{100, 0.5F}, {1, 0.01F}}), floats("b.npz", {{100, 0}, {1, 0}}));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->bitwise, 2);
    EXPECT_FLOAT_EQ(static_cast<float>(second->largest_error), 0.01F);
    EXPECT_EQ(second->worst, "output 'y' of input 1");
}

TEST_F(Compare, NoNumberAgainstANumberIsInfinitelyWrong) {
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    for (const auto& [a, b] : {std::pair{nan, 1.0F}, {1.0F, nan}, {std::numeric_limits<float>::infinity(), 1.0F}}) {
        const auto result = compare_outputs(floats("a.npz", {{a, 1}}), floats("b.npz", {{b, 1}}));
        ASSERT_TRUE(result);
        EXPECT_TRUE(std::isinf(result->largest_error));
    }
    const auto zero = compare_outputs(floats("a.npz", {{1e-30F}}), floats("b.npz", {{0}}));
    ASSERT_TRUE(zero);
    EXPECT_TRUE(std::isinf(zero->largest_error));
}

TEST_F(Compare, EveryKindOfNumber) {
    const auto error = [&]<typename T>(std::string_view descr, T a, T b) {
        const auto result = compare_outputs(file<T>("a.npz", "y", descr, {{a, T(4)}}), file<T>("b.npz", "y", descr, {{b, T(4)}}));
        EXPECT_TRUE(result);
        return result ? result->largest_error : -1;
    };
    EXPECT_EQ(error("<f8", 1.0, 2.0), 0.25);
    EXPECT_EQ(error("<f2", Float16(1), Float16(2)), 0.25);
    EXPECT_EQ(error("<i8", std::int64_t{-1}, std::int64_t{1}), 0.5);
    EXPECT_EQ(error("<i4", 1, 3), 0.5);
    EXPECT_EQ(error("|u1", std::uint8_t{255}, std::uint8_t{0}), 255.0 / 4);
    EXPECT_EQ(error("|i1", std::int8_t{-1}, std::int8_t{1}), 0.5);
}

TEST_F(Compare, AnInputLargerThanAPiece) {
    std::vector<float> row(1'000'000, 1);
    const fs::path a = floats("a.npz", {row, row});
    row[777'777] = 2;
    const auto result = compare_outputs(a, floats("b.npz", {row, row}));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->values, 2'000'000);
    EXPECT_EQ(result->bitwise, 1'999'998);
    EXPECT_EQ(result->largest_error, 0.5);
}

TEST_F(Compare, OtherOutputsAreSaid) {
    const fs::path a = floats("a.npz", {{1, 2}});
    for (const fs::path& other : {floats("shape.npz", {{1, 2, 3}}), floats("count.npz", {{1, 2}, {3, 4}}),
                                  file<double>("type.npz", "y", "<f8", {{1, 2}}), file<float>("name.npz", "z", "<f4", {{1, 2}})}) {
        const auto result = compare_outputs(a, other);
        ASSERT_FALSE(result) << other;
        EXPECT_EQ(result.error().kind, DiagnosticKind::verification);
    }
    EXPECT_FALSE(compare_outputs(a, folder_ / "nothing.npz"));
}

}  // namespace
}  // namespace sluice::runtime
