// NAME:key=value,…: what is refused, and that the refusal says what, why in numbers, and how to fix.
#include "tests/unit/zoo/helpers.hpp"

namespace sluice {
namespace {

struct Bad {
    std::string specification;
    std::string message;  // a part of it
    std::string help;     // a part of it
};

class BadSpecification : public testing::TestWithParam<Bad> {};

TEST_P(BadSpecification, IsAUsageDiagnostic) {
    const auto& [specification, message, help] = GetParam();
    const auto result = onnx::zoo_bytes(specification);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, DiagnosticKind::usage);
    EXPECT_NE(result.error().message.find(message), std::string::npos) << to_text(result.error());
    EXPECT_NE(result.error().help.find(help), std::string::npos) << to_text(result.error());
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSpecification,
    testing::Values(
        // names and keys
        Bad{"brt-base", "no model 'brt-base'", "did you mean 'bert-base'"},
        Bad{"zoo:resnet5", "no model 'resnet5'", "did you mean 'resnet50'"}, Bad{"", "no model ''", "the zoo has chain, residual"},
        Bad{"zoo:", "no model ''", "the zoo has"}, Bad{"zoo:zoo:chain", "no model 'zoo'", "the zoo has"},
        Bad{"quux:layers=2", "no model 'quux'", "the zoo has"}, Bad{"mmt:brances=2", "no size 'brances'", "did you mean 'branches'"},
        Bad{"chain:depth=2", "no size 'depth'", "chain takes layers, width, batch"}, Bad{"chain:,", "no size ''", "chain takes"},
        Bad{"chain:layers=2,", "no size ''", "chain takes"}, Bad{"chain: layers=2", "no size ' layers'", ""},
        // values
        Bad{"chain:layers", "'layers' has no value", "layers=NUMBER"},
        Bad{"chain:layers=", "'layers=' is not a whole number", "is 16 by default"},
        Bad{"chain:layers=two", "'layers=two' is not a whole number", ""}, Bad{"chain:layers=2.5", "not a whole number", ""},
        Bad{"chain:layers=2 ", "not a whole number", ""}, Bad{"chain:layers=2=3", "not a whole number", ""},
        Bad{"chain:layers=+2", "not a whole number", ""}, Bad{"chain:layers=0", "layers=0 is outside 1 … 250000", "is 16 by default"},
        Bad{"chain:width=-1", "width=-1 is outside 1 … 2147483648", ""},
        Bad{"chain:width=9223372036854775808", "width=9223372036854775808 is outside", ""},
        Bad{"chain:width=99999999999999999999999", "is outside 1 … 2147483648", ""},
        Bad{"chain:layers=2,layers=2", "'layers' is given twice", "once"},
        // sizes that do not fit each other
        Bad{"bert-base:heads=7", "heads=7 do not divide hidden=768", "divide"},
        Bad{"gpt2:hidden=100", "heads=12 do not divide hidden=100", ""}, Bad{"mmt:heads=3", "heads=3 do not divide hidden=1024", ""},
        Bad{"moe:heads=3", "heads=3", ""}, Bad{"two-tower:heads=3", "heads=3", ""},
        Bad{"bert-base:seq=513", "seq=513 is longer than the table of positions=512", "set positions=513"},
        Bad{"gpt2:seq=2048", "seq=2048 is longer than the table of positions=1024", "set positions=2048"},
        Bad{"unet:image=100,depth=3", "image=100 cannot be halved depth=3 times", "multiple of 8"},
        Bad{"inception:channels=24", "channels=24 is no multiple of 16", "channels=32"},
        Bad{"two-tower:patch=50", "image=224 is no multiple of patch=50", ""},
        Bad{"random-er:operators=5,degree=3", "degree=3 asks for 15 edges, 5 operators have room for 10", "smaller degree"},
        Bad{"random-er:operators=250000,degree=250000", "62500000000 edges", "fewer operators"},
        Bad{"random-ba:operators=4,attach=4", "attach=4 needs more than 4 operators, there are 4", ""},
        Bad{"random-ws:operators=4,neighbours=2", "need more than 4 operators, there are 4", ""},
        Bad{"random-sbm:operators=4,blocks=5", "blocks=5 exceed operators=4", "fewer blocks"},
        Bad{"random-sbm:operators=8,blocks=8,within=1", "within=1 asks for 8 edges, 8 operators have room for 0", ""},
        Bad{"random-sp:parallel=101", "parallel=101 is outside 0 … 100", ""},
        // totals
        Bad{"chain:width=2147483648,batch=2147483648", "of shape [2147483648, 2147483648] holds more than 2^63 bytes", "smaller"},
        Bad{"chain:width=1073741824,layers=3", "parameters hold more than 2^63 bytes in total", "smaller"},
        Bad{"chain:width=32768,batch=2147483648,layers=100000", "activations hold more than 2^63 bytes in total", "smaller"},
        Bad{"chain:layers=250000", "more than 250000 operators", "smaller"},
        Bad{"moe:layers=250000,experts=250000", "more than 250000 operators", ""}));

TEST(ZooBytes, RefusesWeightsBeyondOneMessageButNotTheModelWithoutThem) {
    const auto weighted = onnx::zoo_bytes("dlrm", onnx::ZooWeights::random);
    ASSERT_FALSE(weighted);
    EXPECT_NE(weighted.error().message.find("GiB"), std::string::npos) << to_text(weighted.error());
    EXPECT_NE(weighted.error().help.find("file"), std::string::npos);
    const auto bare = onnx::zoo_bytes("chain:width=1073741824,layers=1");  // 4 EiB of weights
    ASSERT_TRUE(bare) << to_text(bare.error());
    EXPECT_LT(bare->size(), 10'000u);
}

TEST(ZooBytes, TakesTheNameWithAndWithoutPrefixAndSizesInAnyOrder) {
    const auto bytes = [](const char* specification) { return test::bytes_of(specification, onnx::ZooWeights::none); };
    EXPECT_EQ(bytes("chain:layers=2,width=8"), bytes("zoo:chain:width=8,layers=2"));
    EXPECT_EQ(bytes("chain"), bytes("chain:"));
    EXPECT_EQ(bytes("chain"), bytes("chain:layers=16"));
    EXPECT_NE(bytes("chain"), bytes("chain:layers=17"));
}

}  // namespace
}  // namespace sluice
