// docs/schemas/sluice.stages.1.schema.json and the reader agree: on a manifest, and on every key left out, added, or of another value.
#include <gtest/gtest.h>

#include <cstdlib>
#include <format>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sluice/onnx/manifest.hpp"
#include "tests/unit/export/folder.hpp"

namespace sluice::onnx {
namespace {

using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

constexpr std::string_view kCheck = R"(
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
wrong = [case["what"] for case in json.load(open(sys.argv[2])) if validator.is_valid(case["manifest"]) != case["accepted"]]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
)";

ordered_json sample_json() {
    const StageTensor x{"x", 1, {2, 3}, Bytes{24}, false}, a{"layer/a", 7, {16}, Bytes{128}, true};
    return ordered_json::parse(to_json_text({.model = "m",
                                             .fingerprint = "00ff",
                                             .stages = {{"stage-0.onnx", {x}, {a}}, {"stage-1.onnx", {a}, {x}}},
                                             .inputs = {x},
                                             .outputs = {{x, "x"}, {a, ""}}}));
}

void collect(const ordered_json& value, const Pointer& at, std::vector<Pointer>& all) {
    all.push_back(at);
    if (value.is_object()) {
        for (const auto& [key, member] : value.items()) collect(member, at / key, all);
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) collect(value[i], at / i, all);
    }
}

TEST(ManifestSchema, agrees_with_the_reader) {
    if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) GTEST_SKIP() << "python3-jsonschema is not installed";
    auto cases = ordered_json::array();
    std::size_t refused = 0;
    const auto add = [&](const std::string& what, const ordered_json& manifest) {
        const auto parsed = json::parse(manifest.dump(), "manifest.json");
        const bool accepted = parsed && read_manifest(*parsed).has_value();
        refused += accepted ? 0 : 1;
        cases.push_back({{"what", what}, {"manifest", manifest}, {"accepted", accepted}});
    };
    add("as it is", sample_json());
    EXPECT_EQ(refused, 0U);
    std::vector<Pointer> places;
    collect(sample_json(), Pointer(), places);
    for (const Pointer& place : places) {
        if (place.empty()) continue;
        ordered_json without = sample_json();
        if (without[place.parent_pointer()].is_object()) {
            without[place.parent_pointer()].erase(place.back());
            add("without " + place.to_string(), without);
        }
        for (const char* other :
             {"null", "true", "-1", "0", "7", "1.5", "4294967296", R"("")", R"("..")", R"("a/b")", R"("text")", "[]", "{}"}) {
            ordered_json changed = sample_json();
            changed[place] = ordered_json::parse(other);
            add(std::format("{} = {}", place.to_string(), other), changed);
        }
        if (sample_json()[place].is_object()) {
            ordered_json more = sample_json();
            more[place]["more"] = 1;
            add(place.to_string() + " with a key more", more);
        }
    }
    EXPECT_GT(refused, 300U);
    const test::TemporaryFolder folder;
    std::ofstream(folder / "check.py") << kCheck;
    std::ofstream(folder / "cases.json") << cases;
    const std::string command = std::format("python3 '{}' '{}/docs/schemas/sluice.stages.1.schema.json' '{}'",
                                            (folder / "check.py").string(), SLUICE_SOURCE_DIR, (folder / "cases.json").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << "schema and reader differ on the cases above";
}

}  // namespace
}  // namespace sluice::onnx
