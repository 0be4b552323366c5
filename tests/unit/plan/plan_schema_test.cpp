// docs/schemas/sluice.plan.1.schema.json and the reader agree: on a plan, and on every key left out, of another type or out of range.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "sluice/plan/plan_file.hpp"
#include "tests/unit/plan/sample.hpp"
#include "tests/unit/plan/training_sample.hpp"

namespace sluice::plan {
namespace {

using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

constexpr std::string_view kCheck = R"(
import json, sys
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
schema, costs = (json.load(open(sys.argv[1] + "/sluice." + name + ".1.schema.json")) for name in ("plan", "costs"))
Draft202012Validator.check_schema(schema)
Draft202012Validator.check_schema(costs)
validator = Draft202012Validator(schema, registry=Registry().with_resource(costs["$id"], Resource.from_contents(costs)))
wrong = [case["what"] for case in json.load(open(sys.argv[2])) if validator.is_valid(case["plan"]) != case["accepted"]]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
)";

bool accepted(const ordered_json& document) {
    const auto parsed = json::parse(document.dump(), "plan.json");
    return parsed && read_plan(*parsed).has_value();
}

/// `below`: the part of the plan whose keys are changed.
void expect_agreement(const Plan& whole, const Pointer& below = Pointer(""), std::size_t least = 500) {
    if (std::system("python3 -c 'import jsonschema' 2>/dev/null") != 0) GTEST_SKIP() << "python3-jsonschema is not installed";
    const ordered_json plan = ordered_json::parse(to_json_text(whole));
    ordered_json cases = ordered_json::array();
    std::size_t refused = 0;
    const auto add = [&](std::string what, const ordered_json& document) {
        const bool good = accepted(document);
        refused += !good;
        cases.push_back({{"what", std::move(what)}, {"accepted", good}, {"plan", document}});
    };
    add("as it is", plan);
    ASSERT_EQ(refused, 0u);

    const std::function<void(const Pointer&)> vary = [&](const Pointer& at) {
        if (at.to_string() == "/platform") return;  // has a reader and a format of its own
        for (const auto& [key, value] : plan.at(at).items()) {
            const Pointer child = at / key;
            // What follows from other numbers is refused by the reader for reasons that a schema cannot know.
            const bool derived = key == "gap" || key == "throughput_per_s" || key == "bottleneck_ps" || key == "value_ps" ||
                                 key == "bound" || key == "platform" || key == "iteration_ps" || key == "mini_batch" ||
                                 key == "iteration" || at.to_string() == "/bounds/iteration";
            const bool free = at.to_string() == "/options" || at.to_string() == "/model/dimensions" || at.to_string() == "/costs/machine";
            if (plan.at(at).is_object()) {
                ordered_json changed = plan;
                changed.at(at).erase(key);
                add("without " + child.to_string(), changed);
                changed = plan;
                changed.at(at)[key + "_"] = value;
                if (!free) add("unknown " + child.to_string() + "_", changed);
            }
            if (!derived)
                for (const ordered_json& other : {ordered_json(-1), ordered_json(0), ordered_json(2.5), ordered_json("word"),
                                                  ordered_json(true), ordered_json(nullptr), ordered_json(std::int64_t{1} << 31),
                                                  ordered_json::array({1}), ordered_json::array({1, "a", 2}), ordered_json({{"a", "b"}})}) {
                    ordered_json changed = plan;
                    changed.at(child) = other;
                    add(child.to_string() + " = " + other.dump(), changed);
                }
            if (value.is_structured()) vary(child);
        }
    };
    vary(below);
    EXPECT_GT(refused, least);

    const auto folder = std::filesystem::temp_directory_path() / std::format("sluice-plan-schema-test-{}", std::random_device{}());
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "check.py") << kCheck;
    std::ofstream(folder / "cases.json") << cases;
    const std::string command =
        std::format("python3 '{0}/check.py' '{1}/docs/schemas' '{0}/cases.json' > '{0}/out' 2>&1", folder.string(), SLUICE_SOURCE_DIR);
    const int status = std::system(command.c_str());
    std::ifstream out(folder / "out");
    EXPECT_EQ(status, 0) << "reader and schema differ on:\n" << std::string(std::istreambuf_iterator<char>(out), {});
    std::filesystem::remove_all(folder);
}

cost::MeasuredCosts measured() {
    cost::MeasuredCosts costs{"0123", "fast", {{"cpu", "made up"}}, {{{"f", "g"}, {}, Duration{700}, 0.5}, {{}, "Op", Duration{10}, 0}}};
    // One number of samples: that they ascend is more than a schema can say.
    costs.entries[1].passes = {{.samples = 4, .forward = Duration{30}, .input_gradient = Duration{40}, .weight_gradient = Duration{50}}};
    return costs;
}

TEST(PlanSchema, AgreesWithTheReader) {
    Plan whole = sample::plan(sample::model(), sample::machine());
    whole.costs = measured();
    expect_agreement(whole);
}

TEST(PlanSchema, AgreesWithTheReaderOfRewrites) { expect_agreement(sample::rewritten_plan(), Pointer("/rewrites"), 100); }

TEST(PlanSchema, AgreesWithTheReaderOfTrainingPlans) {
    Plan whole = sample::training_plan();
    whole.costs = measured();
    expect_agreement(whole);
}

}  // namespace
}  // namespace sluice::plan
