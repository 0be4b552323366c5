#include <gtest/gtest.h>

#include <fstream>

#include "sluice/onnx/manifest.hpp"
#include "tests/unit/export/folder.hpp"

namespace sluice::onnx {
namespace {

Manifest sample_manifest() {
    const StageTensor x{"x", 1, {2, 3}, Bytes{24}, false}, a{"layer/a", 7, {16}, Bytes{128}, true}, y{"y", 10, {}, Bytes{2}, false};
    return {.model = "zoo:some",
            .fingerprint = "00ff",
            .stages = {{"stage-0.onnx", {x}, {a}}, {"stage-1.onnx", {x, a}, {y}}},
            .inputs = {x},
            .outputs = {{y, "y"}, {{"renamed", 1, {2, 3}, Bytes{24}, false}, "x"}, {{"fixed", 1, {1}, Bytes{4}, false}, ""}}};
}

class ManifestFile : public testing::Test {
protected:
    Result<Manifest> read(const std::string& text) {
        std::ofstream(folder_ / "manifest.json") << text;
        return read_manifest_file(folder_ / "manifest.json");
    }
    /// `from` replaced by `to` in the sample's text.
    std::string error_of(const std::string& from, const std::string& to) {
        std::string text = to_json_text(sample_manifest());
        const std::size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        const auto result = read(text.replace(at, from.size(), to));
        EXPECT_FALSE(result.has_value()) << to;
        return result ? std::string() : to_text(result.error());
    }
    test::TemporaryFolder folder_;
};

TEST_F(ManifestFile, comes_back_as_it_was) {
    const auto again = read(to_json_text(sample_manifest()));
    ASSERT_TRUE(again) << to_text(again.error());
    EXPECT_EQ(*again, sample_manifest());
    EXPECT_EQ(to_json_text(*again), to_json_text(sample_manifest()));
}

TEST_F(ManifestFile, is_refused_with_a_line_when_it_is_wrong) {
    EXPECT_NE(error_of("sluice.stages/1", "sluice.stages/2").find("manifest.json:2"), std::string::npos);
    EXPECT_NE(error_of("\"varies\"", "\"varys\"").find("varys"), std::string::npos);
    EXPECT_NE(error_of("\"fingerprint\"", "\"finger\"").find("finger'"), std::string::npos);
    EXPECT_NE(error_of("\"made_as\": \"y\"", "\"made_as\": 3").find("string"), std::string::npos);
    EXPECT_NE(error_of("\"bytes\": 24", "\"bytes\": -24").find("-24"), std::string::npos);
    EXPECT_NE(error_of("[2, 3]", "[2, -3]").find("-3"), std::string::npos);
    EXPECT_NE(error_of("\"element_type\": 1", "\"element_type\": 0").find("element type 0"), std::string::npos);
    EXPECT_NE(error_of("\"element_type\": 1", "\"element_type\": 4294967297").find("4294967297"), std::string::npos);
    EXPECT_NE(error_of("stage-1.onnx", "../stage-1.onnx").find("plain name"), std::string::npos);
    EXPECT_FALSE(read("[]"));
    EXPECT_FALSE(read_manifest_file(folder_ / "absent.json"));
}

}  // namespace
}  // namespace sluice::onnx
