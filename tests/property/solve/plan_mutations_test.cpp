// Randomised: 10^5 changed plan files. verify may accept one only when an independent oracle finds every statement of it true; and of plans
// that the oracle itself makes it must accept exactly the legal ones.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "sluice/base/random.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/property/solve/plan_oracle.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::solve {
namespace {

using nlohmann::ordered_json;
using Pointer = ordered_json::json_pointer;

void leaves_of(const ordered_json& value, const Pointer& at, std::vector<Pointer>& scalars, std::vector<Pointer>& structures) {
    if (!value.is_structured()) {
        scalars.push_back(at);
        return;
    }
    structures.push_back(at);
    if (value.is_object())
        for (const auto& [key, member] : value.items()) leaves_of(member, at / key, scalars, structures);
    else
        for (std::size_t i = 0; i < value.size(); ++i) leaves_of(value[i], at / i, scalars, structures);
}

class Mutator {
public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    std::string mutated(ordered_json document) {
        const std::uint64_t changes = 1 + random_.below(3);
        for (std::uint64_t i = 0; i < changes; ++i) change(document);
        std::string text = json::to_file_text(document);
        if (random_.below(10) == 0) change_text(text);
        return text;
    }
    RandomStream& random() { return random_; }

private:
    template <typename T>
    const T& pick(const std::vector<T>& from) {
        return from[random_.below(from.size())];
    }

    void change(ordered_json& document) {
        std::vector<Pointer> scalars, structures;
        leaves_of(document, Pointer(""), scalars, structures);
        switch (random_.below(8)) {
            case 0:
            case 1:
                change_scalar(document[pick(scalars)], document[pick(scalars)]);
                break;
            case 2:
                change_structure(document[pick(structures)]);
                break;
            case 3: {  // a number of a stage or of the plan, off by a little
                const char* keys[] = {"bottleneck_ps", "latency_ps", "peak_memory_bytes"};
                if (random_.chance(0.5))
                    nudge(document["predicted"][keys[random_.below(3)]]);
                else if (!document["bound"].is_null())
                    nudge(document["bound"]["value_ps"]);
                break;
            }
            case 4:
            case 5:
                move_operator(document["stages"]);
                break;
            case 6: {  // exchange two values
                ordered_json& a = document[pick(scalars)];
                ordered_json& b = document[pick(scalars)];
                if (&a != &b) std::swap(a, b);
                break;
            }
            default: {
                if (!document["stages"].is_array() || document["stages"].empty()) break;
                ordered_json& stage = document["stages"][random_.below(document["stages"].size())];
                if (!stage.is_object()) break;
                if (random_.chance(0.5))
                    stage["device_class"] = random_.chance(0.5) ? "fast" : "slow";
                else
                    stage["replicas"] = random_.between(0, 3);
            }
        }
    }

    void nudge(ordered_json& number) {
        if (number.is_number_integer()) number = number.get<std::int64_t>() + (random_.chance(0.5) ? 1 : -1);
    }

    void change_scalar(ordered_json& value, const ordered_json& other) {
        switch (random_.below(5)) {
            case 0:
                value = ordered_json(other);
                break;
            case 1:
                if (value.is_number_integer())
                    nudge(value);
                else if (value.is_number())
                    value = value.get<double>() * (random_.chance(0.5) ? 1 + 1e-6 : 1 - 1e-6);
                else if (value.is_boolean())
                    value = !value.get<bool>();
                else if (value.is_string())
                    value = value.get<std::string>() + "'";
                break;
            case 2:
                if (value.is_number())
                    value = -value.get<double>();
                else
                    value = nullptr;
                break;
            case 3:
                if (value.is_number_integer())
                    value = value.get<std::int64_t>() / 2;
                else if (value.is_string() && !value.get<std::string>().empty())
                    value = value.get<std::string>().substr(1);
                break;
            default:
                value = random_.between(0, 9);
        }
    }

    void change_structure(ordered_json& value) {
        if (value.empty()) return;
        const std::size_t i = random_.below(value.size());
        if (value.is_object()) {
            const std::string key = std::next(value.items().begin(), static_cast<std::ptrdiff_t>(i)).key();
            if (random_.chance(0.7))
                value.erase(key);
            else
                value[key + "_"] = value[key];
            return;
        }
        const std::size_t j = random_.below(value.size());
        switch (random_.below(3)) {
            case 0:
                value.erase(i);
                break;
            case 1:
                value.push_back(ordered_json(value[i]));
                break;
            default:
                if (i != j) std::swap(value[i], value[j]);
        }
    }

    void move_operator(ordered_json& stages) {
        if (!stages.is_array() || stages.empty()) return;
        ordered_json& from = stages[random_.below(stages.size())];
        ordered_json& to = stages[random_.below(stages.size())];
        if (!from.is_object() || !to.is_object() || !from.contains("operators") || !to.contains("operators")) return;
        ordered_json& source = from["operators"];
        ordered_json& target = to["operators"];
        if (!source.is_array() || !target.is_array() || source.empty()) return;
        const std::size_t i = random_.below(source.size());
        const ordered_json moved = source[i];
        source.erase(i);
        target.insert(target.begin() + static_cast<std::ptrdiff_t>(random_.below(target.size() + 1)), moved);
    }

    void change_text(std::string& text) {
        const std::size_t at = random_.below(text.size());
        switch (random_.below(3)) {
            case 0:
                text.resize(at);
                break;
            case 1:
                text[at] = static_cast<char>(random_.between(0x20, 0x7e));
                break;
            default:
                text.erase(at, 1 + random_.below(20));
        }
    }

    RandomStream random_;
};

/// A random assignment of units to at most k stages, each stage's units in the model's order, stages in random order: often illegal.
std::vector<oracle::Stage> random_stages(const oracle::Oracle& oracle, std::int64_t k, RandomStream& random) {
    std::vector<oracle::Stage> stages(1 + random.below(static_cast<std::uint64_t>(k)));
    const bool in_order = random.chance(0.7);  // cutting the model's order gives legal ones often enough
    std::size_t at = 0;
    for (const oracle::Unit& unit : oracle.units()) {
        if (in_order && at + 1 < stages.size() && random.chance(0.5)) ++at;
        stages[in_order ? at : random.below(stages.size())].units.push_back(unit);
    }
    std::erase_if(stages, [](const oracle::Stage& stage) { return stage.units.empty(); });
    for (oracle::Stage& stage : stages) stage.device = random.below(4) == 0 ? 1 : 0;
    return stages;
}

struct Setting {
    const char* name;
    sample::Machine machine;
    bool measured = false;
};

/// Two operators by their own time, two as one kernel, and the rest of what the other classes run as modelled.
cost::MeasuredCosts measured_costs(const graph::Graph& graph) {
    return {graph.fingerprint(),
            "fast",
            {{"cpu", "made up"}},
            {{{"tb"}, {}, Duration{650}, 0.1}, {{"d", "te"}, {}, Duration{900}, 0}, {{"shape", "h"}, {}, Duration{0}, 0}}};
}
void PrintTo(const Setting& setting, std::ostream* out) { *out << setting.name; }

class PlanMutations : public testing::TestWithParam<Setting> {
protected:
#ifdef SLUICE_SANITIZED
    static constexpr std::int64_t kRuns = 4'000;  // for memory errors a share will do: the release build runs them all
#else
    static constexpr std::int64_t kRuns = 26'000;
#endif

    void SetUp() override {
        const platform::Platform machine = sample::machine(GetParam().machine);
        const cost::MeasuredCosts costs = measured_costs(graph);
        const cost::MeasuredCosts* measured = GetParam().measured ? &costs : nullptr;
        const cost::FrozenProblem frozen = cost::freeze(graph, machine, sample::kStages, measured).value();
        SilentObserver silent;
        const auto proof = prove(frozen.problem, {.stages = sample::kStages, .model = graph.fingerprint()}, silent, {});
        ASSERT_TRUE(proof) << to_text(proof.error());
        ASSERT_TRUE(proof->certified);
        certificate = proof->certificate;
        plan::Plan plan = sample::plan(graph, machine, measured);
        plan.bound = plan::BoundClaim{.value = certificate.value, .kind = std::string(certificate.kind()), .certified = true};
        document = ordered_json::parse(plan::to_json_text(plan));
    }

    bool accepts(const std::string& text, bool with_certificate) {
        last_failures.clear();
        const auto parsed = json::parse(text, "plan.json");
        if (!parsed) return count("unreadable");
        const auto plan = plan::read_plan(*parsed);
        if (!plan) return count("refused by the reader");
        const VerifyReport report = verify(graph, *plan, with_certificate ? &certificate : nullptr);
        EXPECT_EQ(report.valid, report.failures.empty());
        for (const Diagnostic& failure : report.failures) last_failures += to_text(failure);
        if (!report.valid) return count("refused by verify");
        EXPECT_EQ(report.certified, with_certificate);
        ++counts["accepted"];
        return true;
    }
    bool count(const char* what) {
        ++counts[what];
        return false;
    }

    [[nodiscard]] static ordered_json costs_of(const ordered_json& plan) {
        return plan.contains("costs") ? plan["costs"] : ordered_json(nullptr);
    }

    graph::Graph graph = sample::model();
    bound::Certificate certificate;
    ordered_json document;
    std::map<std::string, std::int64_t> counts;
    std::string last_failures;
};

TEST_P(PlanMutations, NoneThatIsWrongIsAccepted) {
    std::map<std::string, std::int64_t> optima;  // per platform and k
    Mutator mutator(20240719);
    std::int64_t changed_and_true = 0;
    for (std::int64_t run = 0; run < kRuns; ++run) {
        const std::string text = mutator.mutated(document);
        const bool with_certificate = mutator.random().chance(0.5);
        if (!accepts(text, with_certificate)) continue;

        const ordered_json said = ordered_json::parse(text);
        const auto plan = plan::read_plan(*json::parse(text, "plan.json"));
        const oracle::Oracle oracle(graph, plan->platform, said["k"].get<std::int64_t>(), costs_of(said));
        ASSERT_TRUE(oracle.is_true(said)) << "run " << run << "\n" << text;
        changed_and_true += said != document;
        if (!with_certificate) continue;
        ASSERT_TRUE(said["bound"].is_null() || said["bound"]["value_ps"] == certificate.value.count()) << text;
        const std::string key = said["platform"].dump() + said["k"].dump() + costs_of(said).dump();
        if (!optima.contains(key)) optima[key] = oracle.optimum();
        ASSERT_LE(certificate.value.count(), optima[key]) << "run " << run << "\n" << text;
    }
    for (const auto& [what, times] : counts) RecordProperty(what, std::to_string(times));
    EXPECT_GT(counts["unreadable"], kRuns / 100);
    EXPECT_GT(counts["refused by the reader"], kRuns / 10);
    EXPECT_GT(counts["refused by verify"], kRuns / 10);
    EXPECT_GT(changed_and_true, 0) << "what describes may change";
}

TEST_P(PlanMutations, OfTruePlansExactlyTheLegalOnesAreAccepted) {
    RandomStream random(7);
    const oracle::Oracle oracle(graph, sample::machine(GetParam().machine), sample::kStages, costs_of(document));
    std::int64_t legal = 0, illegal = 0, lies = 0;
    for (std::size_t run = 0; run < 4000 / test::one_in(4); ++run) {
        const auto stages = random_stages(oracle, sample::kStages, random);
        ordered_json changed = document;
        changed["bound"]["value_ps"] = std::min(certificate.value.count(), oracle.bottleneck(stages));
        oracle.fill(changed, stages);
        const bool is_legal = oracle.legal(stages);
        ++(is_legal ? legal : illegal);
        ASSERT_EQ(accepts(json::to_file_text(changed), is_legal), is_legal) << "run " << run << "\n"
                                                                            << last_failures << json::to_file_text(changed);
        if (!is_legal) continue;
        // A bound may reach the bottleneck, not pass it.
        for (const std::int64_t above : {0, 1}) {
            ordered_json bounded = changed;
            bounded["bound"]["value_ps"] = oracle.bottleneck(stages) + above;
            oracle.fill(bounded, stages);
            ASSERT_EQ(accepts(json::to_file_text(bounded), false), above == 0);
        }
        // One number of one stage off by one is one lie too many.
        ordered_json& predicted = changed["stages"][random.below(stages.size())]["predicted"];
        ordered_json& number =
            predicted[std::vector<std::string>{"work_ps", "in_ps", "out_ps", "spill_ps", "parameter_bytes", "peak_bytes"}[random.below(6)]];
        number = number.get<std::int64_t>() + 1;
        ASSERT_FALSE(accepts(json::to_file_text(changed), true));
        ++lies;
    }
    EXPECT_GT(legal, 200 / static_cast<std::int64_t>(test::one_in(4)));
    EXPECT_GT(illegal, 200 / static_cast<std::int64_t>(test::one_in(4)));
    EXPECT_GT(lies, 200 / static_cast<std::int64_t>(test::one_in(4)));
}

TEST_P(PlanMutations, ABoundRaisedByOnePicosecond) {
    ordered_json raised = document;
    const std::int64_t value = certificate.value.count() + 1;
    raised["bound"]["value_ps"] = value;
    raised["gap"] = 1.0 - static_cast<double>(value) / raised["predicted"]["bottleneck_ps"].get<double>();
    EXPECT_FALSE(accepts(json::to_file_text(raised), true)) << "the certificate does not prove it";
    certificate.value = Duration{value};
    EXPECT_FALSE(accepts(json::to_file_text(raised), true)) << "nor does its witness";
}

using platform::Overflow;
using platform::StageModel;
INSTANTIATE_TEST_SUITE_P(
    Rules, PlanMutations,
    testing::Values(Setting{"SerialSpill", {.model = StageModel::serial, .overflow = Overflow::spill, .host = false}},
                    Setting{"SerialHardHost", {.model = StageModel::serial, .overflow = Overflow::hard, .host = true}},
                    Setting{"OverlapSpillHost", {.model = StageModel::overlap, .overflow = Overflow::spill, .host = true}},
                    Setting{"Measured", {.model = StageModel::serial, .overflow = Overflow::spill, .host = false}, true}),
    [](const auto& setting) { return std::string(setting.param.name); });

}  // namespace
}  // namespace sluice::solve
