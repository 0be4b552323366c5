#include "sluice/plan/plan_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/unit/plan/read_text.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::plan {
namespace {

using nlohmann::ordered_json;
using test::read_text;

Plan example() { return sample::plan(sample::model(), sample::machine()); }

/// The example's file after a change of its JSON.
Result<Plan> read_changed(const std::function<void(ordered_json&)>& change) {
    ordered_json document = ordered_json::parse(to_json_text(example()));
    change(document);
    return read_text(json::to_file_text(document));
}

void expect_refused(const std::function<void(ordered_json&)>& change, std::string_view part) {
    const auto plan = read_changed(change);
    ASSERT_FALSE(plan) << "accepted, expected: " << part;
    EXPECT_NE(plan.error().message.find(part), std::string::npos) << plan.error().message;
    EXPECT_EQ(plan.error().where.file, "plan.json");
    EXPECT_GT(plan.error().where.line, 0u);
}

TEST(PlanFile, ReadsBackWhatItWrote) {
    for (const auto model : {platform::StageModel::serial, platform::StageModel::overlap})
        for (const bool host : {false, true}) {
            Plan plan =
                sample::plan(sample::model(), sample::machine({.model = model, .overflow = platform::Overflow::spill, .host = host}));
            const std::string text = to_json_text(plan);
            const auto again = read_text(text);
            ASSERT_TRUE(again) << to_text(again.error());
            EXPECT_EQ(*again, plan);
            EXPECT_EQ(to_json_text(*again), text);
        }
}

TEST(PlanFile, ReadsBackWhatIsOptional) {
    Plan plan = example();
    plan.model.assume_size.reset();
    plan.model.dimensions.clear();
    plan.model.assumptions = {"dimension 'batch' = 1", "a \"quoted\" word, ümlaut\n"};
    plan.bound.reset();
    plan.options.clear();
    plan.limit.clear();
    plan.seed = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    plan.termination = {.reason = StopReason::interrupted, .seconds = 0.1 + 0.2, .evaluations = 0};
    const auto again = read_text(to_json_text(plan));
    ASSERT_TRUE(again) << to_text(again.error());
    EXPECT_EQ(*again, plan);
}

TEST(PlanFile, KeysThatScriptsRelyOn) {
    const Plan plan = example();
    const ordered_json document = ordered_json::parse(to_json_text(plan));
    EXPECT_EQ(document.at("format"), "sluice.plan/1");
    EXPECT_EQ(document.at("job"), "inference");
    EXPECT_EQ(document.at("method"), "by-hand");
    EXPECT_EQ(document.at("seed"), 7);
    EXPECT_EQ(document.at("stages").size(), 4u);
    EXPECT_EQ(document.at("stages")[0].at("operators"),
              ordered_json::array({ordered_json::array({1, "ta"}), ordered_json::array({3, "tc"})}));
    const auto& predicted = document.at("predicted");
    EXPECT_EQ(predicted.at("bottleneck_ps"), plan.predicted.bottleneck.count());
    EXPECT_DOUBLE_EQ(predicted.at("throughput_per_s").get<double>(), 1e12 / static_cast<double>(plan.predicted.bottleneck.count()));
    EXPECT_EQ(predicted.at("latency_ps"), plan.predicted.latency.count());
    EXPECT_TRUE(predicted.at("iteration_ps").is_null());
    EXPECT_EQ(predicted.at("peak_memory_bytes"), plan.predicted.peak_memory.count);
    EXPECT_EQ(document.at("bound"), (ordered_json{{"value_ps", 800}, {"kind", "combinatorial"}, {"certified", true}}));
    EXPECT_DOUBLE_EQ(document.at("gap").get<double>(), 1.0 - 800.0 / static_cast<double>(plan.predicted.bottleneck.count()));
    EXPECT_EQ(document.at("termination"), (ordered_json{{"reason", "time"}, {"limit", "--time 250 ms"}}));
    EXPECT_EQ(document.at("seconds"), 0.25);
    EXPECT_EQ(document.at("evaluations"), 12);
    EXPECT_EQ(document.at("k"), 4);
}

TEST(PlanFile, NoInfinityForAPlanThatCostsNothing) {
    Plan plan = example();
    plan.predicted.bottleneck = Duration(0);
    plan.bound->value = Duration(0);
    const std::string text = to_json_text(plan);
    EXPECT_TRUE(ordered_json::parse(text).at("predicted").at("throughput_per_s").is_null());
    EXPECT_EQ(ordered_json::parse(text).at("gap"), 0.0);
    EXPECT_TRUE(read_text(text));
}

TEST(PlanFile, RefusesWhatItDoesNotKnow) {
    const auto misspelt = read_changed([](auto& d) { d["evaluation"] = 1; });
    ASSERT_FALSE(misspelt);
    EXPECT_NE(misspelt.error().help.find("evaluations"), std::string::npos);
    expect_refused([](auto& d) { d["stages"][1]["replica"] = 1; }, "unknown key 'replica'");
    expect_refused([](auto& d) { d["stages"][2]["predicted"]["time_ps"] = 1; }, "unknown key 'time_ps'");
    expect_refused([](auto& d) { d["model"]["batch"] = 1; }, "unknown key 'batch'");
    expect_refused([](auto& d) { d["predicted"]["speed"] = 1; }, "unknown key 'speed'");
    expect_refused([](auto& d) { d["bound"]["proof"] = 1; }, "unknown key 'proof'");
    expect_refused([](auto& d) { d["termination"]["why"] = 1; }, "unknown key 'why'");
    expect_refused([](auto& d) { d["platform"]["devices_on_mars"] = 1; }, "devices_on_mars");
    expect_refused([](auto& d) { d["format"] = "sluice.plan/2"; }, "sluice.plan/2");
    expect_refused([](auto& d) { d["format"] = "sluice.graph/1"; }, "sluice.graph/1");
    expect_refused([](auto& d) { d["job"] = "training"; }, "training");
    expect_refused([](auto& d) { d["rewrites"].push_back("clone"); }, "object");
    expect_refused([](auto& d) { d["termination"]["reason"] = "bored"; }, "bored");
    expect_refused([](auto& d) { d["predicted"]["iteration_ps"] = 5; }, "iteration_ps");
    const auto kind = read_changed([](auto& d) { d["bound"]["kind"] = "combinatoria"; });
    ASSERT_FALSE(kind);
    EXPECT_NE(kind.error().help.find("combinatorial"), std::string::npos);
}

TEST(PlanFile, EveryKeyIsNeededAndTyped) {
    const ordered_json document = ordered_json::parse(to_json_text(example()));
    std::size_t checked = 0;
    const std::function<void(const ordered_json::json_pointer&)> check = [&](const ordered_json::json_pointer& at) {
        const ordered_json& here = document.at(at);
        if (at.to_string().starts_with("/platform/")) return;                               // the platform's own reader and tests
        if (at.to_string() == "/model/dimensions" || at.to_string() == "/options") return;  // any key may be there or not
        for (const auto& [key, value] : here.items()) {
            const auto child = at / key;
            if (here.is_object()) {
                ordered_json without = document;
                without.at(at).erase(key);
                const bool optional = child.to_string() == "/objective";  // older files have none
                EXPECT_EQ(read_text(without.dump()).has_value(), optional) << child.to_string() << " left out";
                ordered_json other = document;
                other.at(child) = ordered_json::array({true});
                EXPECT_FALSE(read_text(other.dump())) << child.to_string() << " of another type";
                ++checked;
            }
            if (value.is_structured()) check(child);
        }
    };
    check(ordered_json::json_pointer(""));
    EXPECT_GT(checked, 60u);
}

TEST(PlanFile, RefusesNumbersOutOfRange) {
    expect_refused([](auto& d) { d["k"] = 0; }, "'k'");
    expect_refused([](auto& d) { d["k"] = std::int64_t{1} << 40; }, "'k'");
    expect_refused([](auto& d) { d["k"] = 2.5; }, "integer");
    expect_refused([](auto& d) { d["seed"] = -1; }, "-1");
    expect_refused([](auto& d) { d["seconds"] = -0.5; }, "seconds");
    expect_refused([](auto& d) { d["evaluations"] = -3; }, "evaluations");
    expect_refused([](auto& d) { d["stages"][0]["replicas"] = 0; }, "replicas");
    expect_refused([](auto& d) { d["stages"][0]["predicted"]["work_ps"] = -1; }, "-1");
    expect_refused([](auto& d) { d["stages"][0]["operators"][0][0] = -1; }, "-1");
    expect_refused([](auto& d) { d["stages"][0]["operators"][0][0] = std::int64_t{1} << 32; }, "4294967296");
    expect_refused([](auto& d) { d["stages"][0]["operators"][0].push_back(1); }, "3 entries");
    expect_refused([](auto& d) { d["predicted"]["bottleneck_ps"] = 1e30; }, "64-bit");
}

TEST(PlanFile, DerivedNumbersMustAgreeWithTheIntegers) {
    const auto refused = [](const std::function<void(ordered_json&)>& change) {
        const auto plan = read_changed(change);
        return !plan && plan.error().kind == DiagnosticKind::verification;
    };
    EXPECT_TRUE(refused([](auto& d) { d["gap"] = d["gap"].template get<double>() + 1e-6; }));
    EXPECT_TRUE(refused([](auto& d) { d["gap"] = nullptr; }) || !read_changed([](auto& d) { d["gap"] = nullptr; }));
    EXPECT_TRUE(refused([](auto& d) { d["bound"] = nullptr; }));  // a gap without a bound
    EXPECT_TRUE(refused(
        [](auto& d) { d["predicted"]["throughput_per_s"] = d["predicted"]["throughput_per_s"].template get<double>() * (1 + 1e-6); }));
    EXPECT_TRUE(
        refused([](auto& d) { d["predicted"]["bottleneck_ps"] = d["predicted"]["bottleneck_ps"].template get<std::int64_t>() + 1; }));
    EXPECT_TRUE(read_changed([](auto& d) { d["gap"] = d["gap"].template get<double>() + 1e-12; })) << "another tool's rounding is no lie";
}

TEST(PlanFile, NamesTheLine) {
    const std::string text = to_json_text(example());
    const auto at = text.find("\"replicas\": 1");
    ASSERT_NE(at, std::string::npos);
    std::string changed = text;
    changed.replace(at, 13, "\"replicas\": 0");
    const auto plan = read_text(changed);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().where.line,
              1u + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')));
}

TEST(PlanFile, EveryTruncationIsRefused) {
    const std::string text = to_json_text(example());
    for (std::size_t length = 0; length + 2 < text.size(); ++length)
        ASSERT_FALSE(read_text(std::string_view(text).substr(0, length))) << length;
}

TEST(PlanFile, Files) {
    const auto folder = std::filesystem::temp_directory_path() / "sluice-plan-file-test";
    std::filesystem::create_directories(folder);
    const auto path = folder / "plan.json";
    std::ofstream(path) << to_json_text(example());
    const auto plan = read_plan_file(path);
    ASSERT_TRUE(plan) << to_text(plan.error());
    EXPECT_EQ(*plan, example());
    EXPECT_FALSE(read_plan_file(folder / "absent.json"));
    EXPECT_FALSE(read_plan_file(folder));
    std::filesystem::remove_all(folder);
}

TEST(PlanFile, RewritesComeBack) {
    const Plan plan = sample::rewritten_plan();
    ASSERT_EQ(plan.rewrites, sample::rewrites());
    const std::string text = to_json_text(plan);
    const auto again = read_text(text);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, plan);
    const auto rewrites = ordered_json::parse(text).at("rewrites");
    EXPECT_EQ(rewrites[0].dump(), R"({"kind":"recompute","operator":[2,"tb"],"makes":["tb@copy1"],"readers":[[4,"td"]]})");
    EXPECT_EQ(rewrites[1].dump(), R"({"kind":"relay","tensor":"ta","makes":["ta@relay1"],"readers":[[8,"y"],"tb@copy1"]})");

    const auto refused = [&](auto change, const std::string& what) {
        ordered_json document = ordered_json::parse(text);
        change(document.at("rewrites"));
        const auto read = read_text(document.dump());
        ASSERT_FALSE(read) << what;
        EXPECT_NE((read.error().message + read.error().help).find(what), std::string::npos) << read.error().message;
    };
    refused([](auto& r) { r[0]["kind"] = "recompte"; }, "did you mean 'recompute'?");
    refused([](auto& r) { r[0]["kind"] = "relay"; }, "operator");
    refused([](auto& r) { r[1]["readers"][0].push_back(1); }, "3 entries");
    refused([](auto& r) { r[1].erase("makes"); }, "makes");
    refused([](auto& r) { r[1]["makes"] = "x"; }, "x");
}

}  // namespace
}  // namespace sluice::plan
