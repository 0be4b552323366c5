// docs/schemas/sluice.program.1.schema.json and the reader agree: on a program, and on every key left out, of another type or out of range.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "sluice/program/program_file.hpp"
#include "tests/support/random_program.hpp"

namespace sluice::program {
namespace {

using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

constexpr std::string_view kCheck = R"(
import json, sys
from jsonschema import Draft202012Validator
schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
wrong = [case["what"] for case in json.load(open(sys.argv[2])) if validator.is_valid(case["program"]) != case["accepted"]]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
)";

TEST(ProgramSchema, AgreesWithTheReader) {
    if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) GTEST_SKIP() << "python3-jsonschema is not installed";
    const ordered_json program = to_json(test::program_of({{1, 2}, {1, 1}}, {{-1, 0}, {0, 1}, {1, -1}}));
    ordered_json cases = ordered_json::array();
    std::size_t refused = 0;
    const auto add = [&](std::string what, const ordered_json& document) {
        const auto parsed = json::parse(document.dump(), "program.json");
        const bool good = parsed && read_program(*parsed).has_value();
        refused += !good;
        cases.push_back({{"what", std::move(what)}, {"accepted", good}, {"program", document}});
    };
    add("as it is", program);
    ASSERT_EQ(refused, 0U);

    const std::function<void(const Pointer&)> vary = [&](const Pointer& at) {
        for (const auto& [key, value] : program.at(at).items()) {
            const Pointer place = program.at(at).is_array() ? at / std::stoul(key) : at / key;
            if (program.at(at).is_object()) {
                ordered_json changed = program;
                changed.at(at).erase(key);
                add(std::format("{} left out", place.to_string()), changed);
            }
            for (const ordered_json& other :
                 {ordered_json(nullptr), ordered_json("text"), ordered_json(true), ordered_json(1.5), ordered_json(-1), ordered_json(0),
                  ordered_json(1), ordered_json(std::int64_t{1} << 62), ordered_json::array(), ordered_json::object()}) {
                ordered_json changed = program;
                changed.at(place) = other;
                add(std::format("{} = {}", place.to_string(), other.dump()), changed);
            }
            if (value.is_structured()) vary(place);
        }
        if (program.at(at).is_object()) {
            ordered_json changed = program;
            changed.at(at)["surplus"] = 1;
            add(std::format("{}/surplus", at.to_string()), changed);
        }
    };
    vary(Pointer(""));
    EXPECT_GT(refused, 500U);

    const std::filesystem::path folder = std::filesystem::path(::testing::TempDir());
    const auto script = folder / std::format("program_schema.{}.py", getpid()),
               list = folder / std::format("program_cases.{}.json", getpid());
    std::ofstream(script) << kCheck;
    std::ofstream(list) << cases.dump();
    const std::string schema = std::string(SLUICE_SOURCE_DIR) + "/docs/schemas/sluice.program.1.schema.json";
    EXPECT_EQ(std::system(std::format("python3 '{}' '{}' '{}'", script.string(), schema, list.string()).c_str()), 0);
}

}  // namespace
}  // namespace sluice::program
