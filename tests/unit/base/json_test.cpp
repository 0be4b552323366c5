#include "sluice/base/json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::json {
namespace {

Diagnostic fault_of(std::string_view text) {
    auto node = parse(text, "f.json");
    EXPECT_FALSE(node.has_value()) << text;
    return node ? Diagnostic{} : node.error();
}

TEST(Json, EveryNodeKnowsItsLine) {
    const auto root = parse("{\n \"a\": 1\n,\n\"b\": [true,\n 2.5\n, \"x\"],\n\"c\":{\"d\":null}}", "f.json");
    ASSERT_TRUE(root);
    EXPECT_EQ(root->find("a")->where(), (Location{"f.json", 2, 0}));
    const Array& b = **root->find("b")->as_array();
    EXPECT_EQ(b[0].where().line, 4U);
    EXPECT_EQ(b[1].where().line, 5U);
    EXPECT_EQ(b[2].where().line, 6U);
    EXPECT_EQ(root->find("c")->find("d")->where().line, 7U);
}

TEST(Json, WrongTypesAreNamedWithTheirLine) {
    const auto root =
        parse("{\"n\": 1.5,\n\"s\": \"x\",\n\"neg\": -3,\n\"big\": 9223372036854775808,\n\"huge\": 123456789012345678901234567890}", "f");
    ASSERT_TRUE(root);
    EXPECT_EQ(root->find("n")->as_int().error().message, "expected an integer, found a number");
    EXPECT_EQ(root->find("s")->as_int().error().where.line, 2U);
    EXPECT_EQ(root->find("neg")->as_count().error().message, "-3 is negative; it must be at least 0");
    EXPECT_NE(root->find("big")->as_int().error().message.find("does not fit"), std::string::npos);
    EXPECT_NE(root->find("huge")->as_int().error().message.find("does not fit"), std::string::npos);
    EXPECT_EQ(root->get("absent").error().message, "missing key 'absent'");
}

TEST(Json, UnknownKeysGetTheNearestMatch) {
    const auto root = parse("{\"stages\": 1,\n\"objectiv\": 2}", "f");
    const auto refused = root->expect_keys({"stages", "objective"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().where.line, 2U);
    EXPECT_EQ(refused.error().help, "did you mean 'objective'?");
    EXPECT_TRUE(root->expect_keys({"stages", "objectiv"}));
}

TEST(Json, FormatTellsWrongVersionFromWrongFile) {
    EXPECT_EQ(parse("{\"format\": \"sluice.plan/2\"}", "f")->expect_format("sluice.plan/1").error().message,
              "this is 'sluice.plan/2', and this sluice reads 'sluice.plan/1'");
    EXPECT_EQ(parse("{\"format\": \"sluice.graph/1\"}", "f")->expect_format("sluice.plan/1").error().message,
              "this is a 'sluice.graph/1' file, a 'sluice.plan/1' file is needed");
    EXPECT_TRUE(parse("{\"format\": \"sluice.plan/1\"}", "f")->expect_format("sluice.plan/1"));
    EXPECT_FALSE(parse("{}", "f")->expect_format("sluice.plan/1"));
}

TEST(Json, BrokenTextIsADiagnosticWithItsLine) {
    EXPECT_EQ(fault_of("{\"a\": 1,\n\"a\": 2}").message, "key 'a' is there twice");
    EXPECT_EQ(fault_of("{\n\n\"a\": }").where.line, 3U);
    EXPECT_NE(fault_of("").message.find("not valid JSON"), std::string::npos);
    EXPECT_NE(fault_of("{\"a\": 1").message.find("not valid JSON"), std::string::npos);
    EXPECT_NE(fault_of("[1] [2]").message.find("not valid JSON"), std::string::npos);
    EXPECT_NE(fault_of("[NaN]").message.find("not valid JSON"), std::string::npos);
    EXPECT_NE(fault_of("[1e999]").message.find("not valid JSON"), std::string::npos);
    EXPECT_NE(fault_of("[\"\xff\"]").message.find("not valid JSON"), std::string::npos);
}

TEST(Json, DeepNestingIsRefusedNotCrashed) {
    EXPECT_EQ(fault_of(std::string(10'000'000, '[')).message, "nested deeper than 128 levels");
    std::string objects;
    for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
    EXPECT_EQ(fault_of(objects).message, "nested deeper than 128 levels");
}

TEST(Json, FileTextKeepsOrderAndScalarsOnOneLine) {
    nlohmann::ordered_json value{
        {"z", 1}, {"a", {1, 2}}, {"m", nlohmann::ordered_json::array({{{"k", nullptr}}})}, {"e", nlohmann::ordered_json::array()}};
    EXPECT_EQ(to_file_text(value), "{\n  \"z\": 1,\n  \"a\": [1, 2],\n  \"m\": [\n    {\n      \"k\": null\n    }\n  ],\n  \"e\": []\n}\n");
}

}  // namespace
}  // namespace sluice::json
