#include "sluice/mcm/policy/policy.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>

#include <filesystem>
#include <numeric>

#include "sluice/base/files.hpp"
#include "sluice/mcm/chip_faults.hpp"
#include "sluice/mcm/policy/features.hpp"
#include "sluice/mcm/policy/network.hpp"
#include "sluice/mcm/policy/policy_file.hpp"
#include "sluice/mcm/policy/policy_planner.hpp"
#include "sluice/mcm/sample.hpp"
#include "tests/support/chips.hpp"

namespace sluice::mcm::policy {
namespace {

using test::bert_like;
using test::on_chips;

const Architecture kSmall{.head = Head::ordinal, .layers = 2, .width = 16, .passes = 1, .chips = 0, .spread = kNarrow};
Architecture categorical(std::uint32_t chips, std::uint32_t passes = 1) {
    return {.head = Head::categorical, .layers = 2, .width = 16, .passes = passes, .chips = chips, .spread = kNarrow};
}

/// A chain of `nodes` operators of these times.
cost::StageProblem chain_of_times(const std::vector<std::int64_t>& times) {
    graph::GraphBuilder builder("chain");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "chip";
    given.classes[0].count = 4;
    std::vector<TensorId> last;
    for (std::size_t v = 0; v < times.size(); ++v) {
        graph::Tensor tensor;
        tensor.name = std::format("t{}", v);
        tensor.bytes.count = 100;
        given.transfer.emplace_back(1);
        const TensorId out = builder.add_tensor(std::move(tensor));
        graph::Operator op;
        op.name = std::format("op{}", v);
        op.type = "Operator";
        builder.add_operator(std::move(op), last, std::vector{out});
        given.classes[0].time.emplace_back(Duration{times[v]});
        last = {out};
    }
    builder.set_given_costs(std::move(given));
    const graph::Graph graph = test::detail::must(std::move(builder).build());
    return test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
}

TEST(Policy, PositionsAreTheWorkBeforeTheMiddleOfANode) {
    const auto costs = chain_of_times({10, 30, 20, 40});
    const auto problem = on_chips(costs, 2);
    const auto positions = equal_work_positions(problem);
    ASSERT_TRUE(positions) << positions.error().message;
    EXPECT_EQ(positions->usable, 2U);
    const std::vector<float> expected{0.05F, 0.25F, 0.5F, 0.8F};
    for (std::size_t v = 0; v < expected.size(); ++v) EXPECT_FLOAT_EQ(positions->of_node[v], expected[v]);
    EXPECT_EQ(positions->chips, (Assignment{0, 0, 1, 1}));
}

TEST(Policy, AChainUsesAsManyChipsAsItHasOperators) {
    const auto costs = chain_of_times(std::vector<std::int64_t>(5, 10));
    EXPECT_EQ(equal_work_positions(on_chips(costs, 36))->usable, 5U);
    EXPECT_EQ(equal_work_positions(on_chips(costs, 3))->usable, 3U);
}

TEST(Policy, ASharedMaskLimitsTheChips) {
    const auto shared = bert_like(12, true), cloned = bert_like(12, false);
    EXPECT_LE(equal_work_positions(on_chips(shared, 36))->usable, 20U);
    EXPECT_EQ(equal_work_positions(on_chips(cloned, 36))->usable, 36U);
}

TEST(Policy, EqualWorkIsLegal) {
    for (const bool shared : {true, false})
        for (const std::size_t chips : {1, 2, 36, 64}) {
            const auto costs = bert_like(6, shared);
            const auto problem = on_chips(costs, chips);
            const auto positions = equal_work_positions(problem);
            ASSERT_TRUE(positions);
            EXPECT_TRUE(chip_faults(problem, positions->chips).empty());
            EXPECT_EQ(positions->period, bottleneck(problem, positions->chips));
        }
}

TEST(Policy, NoAssignmentIsSaidAndNotProvenByTheStricterRule) {
    const auto costs = bert_like(1, false);
    auto problem = on_chips(costs, 4);
    problem.sram = Bytes{1};
    const auto positions = equal_work_positions(problem);
    ASSERT_FALSE(positions);
    EXPECT_EQ(positions.error().kind, DiagnosticKind::stopped);
    problem.rules.adjacent = true;
    EXPECT_EQ(equal_work_positions(problem).error().kind, DiagnosticKind::infeasible);
}

TEST(Policy, WhatIsKeptFromEndToEndIsRelayed) {
    // Every layer reads the mask: under the adjacent rule all but the ends lie on two chips, which do not hold as much.
    const auto costs = bert_like(12, true);  // 12 MiB of parameters a layer
    auto problem = on_chips(costs, 4);
    problem.rules = {.relay = true};
    problem.sram = Bytes{40 << 20};
    const auto positions = equal_work_positions(problem);
    ASSERT_TRUE(positions) << positions.error().message;
    EXPECT_TRUE(chip_faults(problem, positions->chips).empty());
    const ChipProblem sampled = sampling_problem(problem, *positions);
    EXPECT_FALSE(sampled.rules.adjacent);
    EXPECT_TRUE(chip_faults(sampled, positions->chips).empty());
}

TEST(Policy, FeaturesAreFiniteAndKnowTheClass) {
    const auto costs = bert_like(3, false);
    auto problem = on_chips(costs, 8);
    const auto plain = features_of(problem);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->values.size(), costs.node_count() * kFeatures);
    for (const float value : plain->values) ASSERT_TRUE(std::isfinite(value) && std::abs(value) < 20);
    problem.classes.assign(costs.node_count(), graph::OperatorClass::reduction);
    const auto known = features_of(problem);
    const std::size_t slot = kScalarFeatures + static_cast<std::size_t>(graph::OperatorClass::reduction);
    EXPECT_EQ(plain->values[slot], 0);
    EXPECT_EQ(known->values[slot], 1);
}

TEST(Policy, UntrainedOrdinalIsThePrior) {
    const auto costs = bert_like(6, false);
    const auto problem = on_chips(costs, 12);
    const auto features = features_of(problem);
    ASSERT_TRUE(features);
    Policy policy = fresh_policy({}, 3);
    // Without the last layer nothing but position and spread is left.
    for (const Part& part : parts_of(policy.architecture))
        if (part.name.starts_with("output"))
            std::fill_n(policy.weights.begin() + static_cast<std::ptrdiff_t>(part.offset), part.rows * part.columns, 0.0F);
    const auto rows = logits(policy, *features);
    for (std::size_t v = 0; v < costs.node_count(); v += 7)
        for (std::size_t c = 0; c < 12; ++c) {
            const double z = std::abs(static_cast<double>(c) - (static_cast<double>(features->positions.of_node[v]) * 12 - 0.5)) /
                             static_cast<double>(kNarrow);
            EXPECT_NEAR(rows[v * 12 + c], z <= 3 ? -z * z / 2 : -4.5 - 9 * std::log(z / 3), 1e-3) << v << " " << c;
        }
}

TEST(Policy, ProbabilitiesAreDistributionsAndNoneIsZero) {
    const auto costs = bert_like(6, false);
    for (const std::size_t chips : {1, 36, 64}) {
        const auto problem = on_chips(costs, chips);
        const auto features = features_of(problem);
        for (const Architecture& shape : {kSmall, categorical(static_cast<std::uint32_t>(chips), 3)}) {
            const auto rows = probabilities(fresh_policy(shape, 1), *features);
            ASSERT_EQ(rows.size(), costs.node_count() * chips);
            for (std::size_t v = 0; v < costs.node_count(); ++v) {
                const std::span row(rows.data() + v * chips, chips);
                EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-4);
                for (const float p : row) EXPECT_GT(p, 0);
            }
        }
    }
}

/// The same network written down plainly, in doubles.
std::vector<double> plain_logits(const Policy& policy, const Features& features) {
    const Architecture& shape = policy.architecture;
    const auto parts = parts_of(shape);
    const auto part = [&](std::string_view name) {
        for (const Part& p : parts)
            if (p.name == name) return p;
        throw std::runtime_error(std::string(name));
    };
    using Matrix = std::vector<std::vector<double>>;
    const auto affine = [&](const Matrix& x, const std::string& name) {
        const Part w = part(name), b = part(name + ".bias");
        Matrix y;
        for (const auto& row : x) {
            auto& out = y.emplace_back();
            for (std::size_t c = 0; c < w.columns; ++c) {
                double sum = policy.weights[b.offset + c];
                for (std::size_t i = 0; i < w.rows; ++i) sum += row.at(i) * policy.weights[w.offset + i * w.columns + c];
                out.push_back(sum);
            }
        }
        return y;
    };
    const auto relu = [](Matrix x) {
        for (auto& row : x)
            for (double& value : row) value = std::max(value, 0.0);
        return x;
    };
    std::vector<double> places(features.nodes), result;
    for (std::uint32_t pass = 0; pass < shape.passes; ++pass) {
        Matrix x(features.nodes);
        for (std::size_t v = 0; v < features.nodes; ++v) {
            for (std::size_t i = 0; i < kFeatures; ++i) x[v].push_back(features.values[v * kFeatures + i]);
            x[v].push_back(places[v]);
            x[v].push_back(pass > 0 ? 1 : 0);
        }
        Matrix h = relu(affine(x, "input"));
        for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
            const std::string name = std::format("layer{}", layer);
            Matrix around = h;
            for (std::size_t v = 0; v < features.nodes; ++v)
                for (const auto* rows : {features.predecessors, features.successors}) {
                    std::vector<double> mean(shape.width);
                    for (const NodeId other : (*rows)[v])
                        for (std::size_t i = 0; i < shape.width; ++i)
                            mean[i] += h[other.index()][i] / static_cast<double>((*rows)[v].size());
                    around[v].insert(around[v].end(), mean.begin(), mean.end());
                }
            Matrix z = affine(around, name);
            const Part scale = part(name + ".norm"), shift = part(name + ".norm.bias");
            for (std::size_t v = 0; v < features.nodes; ++v) {
                double mean = 0, square = 0;
                for (const double value : z[v]) mean += value / shape.width;
                for (const double value : z[v]) square += (value - mean) * (value - mean) / shape.width;
                for (std::size_t i = 0; i < shape.width; ++i) {
                    const double value =
                        (z[v][i] - mean) / std::sqrt(square + 1e-5) * policy.weights[scale.offset + i] + policy.weights[shift.offset + i];
                    h[v][i] += std::max(value, 0.0);
                }
            }
        }
        const Matrix out = affine(relu(affine(h, "hidden")), "output");
        result.clear();
        for (std::size_t v = 0; v < features.nodes; ++v) {
            if (shape.head == Head::categorical) {
                double sum = 0, place = 0;
                for (std::size_t c = 0; c < features.chips; ++c) {
                    result.push_back(out[v][c]);
                    sum += std::exp(out[v][c]);
                    place += std::exp(out[v][c]) * (static_cast<double>(c) + 0.5);
                }
                places[v] = place / sum / static_cast<double>(features.chips);
            } else {
                const double place = features.positions.of_node[v] + 0.1 * out[v][0],
                             spread = shape.spread * std::exp(3 * std::tanh(out[v][1] / 3));
                for (std::size_t c = 0; c < features.chips; ++c) {
                    const double z =
                        std::abs(static_cast<double>(c) - (place * static_cast<double>(features.positions.usable) - 0.5)) / spread;
                    result.push_back(z <= 3 ? -z * z / 2 : -4.5 - 9 * std::log(z / 3));
                }
                places[v] = std::clamp(place, 0.0, 1.0);
            }
        }
    }
    return result;
}

TEST(Policy, ForwardPassIsTheNetworkWrittenDownPlainly) {
    const auto costs = bert_like(2, true);  // 75 nodes or so: no multiple of a tile
    const auto problem = on_chips(costs, 7);
    const auto features = features_of(problem);
    for (const Architecture& shape :
         {kSmall, categorical(7), categorical(7, 3),
          Architecture{.head = Head::ordinal, .layers = 1, .width = 32, .passes = 2, .chips = 0, .spread = kWide}}) {
        Policy policy = fresh_policy(shape, 5);
        RandomStream random(1);
        for (float& weight : policy.weights) weight += static_cast<float>(0.1 * (random.unit() - 0.5));
        const auto fast = logits(policy, *features);
        const auto plain = plain_logits(policy, *features);
        ASSERT_EQ(fast.size(), plain.size());
        for (std::size_t i = 0; i < fast.size(); ++i) ASSERT_NEAR(fast[i], plain[i], 2e-4 * (1 + std::abs(plain[i]))) << i;
    }
}

TEST(Policy, SamplesAreLegal) {
    for (const bool shared : {true, false}) {
        const auto costs = bert_like(4, shared);
        const auto problem = on_chips(costs, 16);
        const auto features = features_of(problem);
        const auto strict = sampling_problem(problem, features->positions);
        for (const Policy& policy :
             {shipped_policy(), fresh_policy({.head = Head::ordinal, .layers = 1, .width = 16, .passes = 1, .chips = 0, .spread = 4}, 1),
              fresh_policy(categorical(16, 2), 2)}) {
            const auto rows = probabilities(policy, *features);
            ChipSolver solver(strict);
            RandomStream random(4);
            const auto order = walk_order(costs, WalkOrder::bisection, random);
            for (int i = 0; i < 20; ++i) {
                const auto drawn = sample(solver, rows, order, random);
                ASSERT_TRUE(drawn) << drawn.error().message;
                ASSERT_TRUE(chip_faults(problem, drawn->chips).empty());
            }
        }
    }
}

TEST(Policy, CategoricalHeadIsForOneNumberOfChips) {
    const auto costs = bert_like(2, false);
    const auto features = features_of(on_chips(costs, 8));
    EXPECT_TRUE(suits(categorical(8), *features));
    const auto wrong = suits(categorical(36), *features);
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("36 chips, the problem has 8"), std::string::npos);
    EXPECT_TRUE(suits(kSmall, *features));
}

TEST(PolicyPlanner, FindsTheSameUnderTheSameSeedAndCountsEvaluations) {
    const auto costs = bert_like(6, false);
    const auto problem = on_chips(costs, 12);
    AnalyticJudge judge(problem);
    SilentObserver observer;
    Limits limits;
    limits.evaluations = 60;
    const auto plan = [&](std::uint64_t seed, const Policy* policy) {
        return plan_by_policy(problem, {.seed = seed, .judge = &judge, .policy = policy}, observer, limits);
    };
    const auto first = plan(1, nullptr), again = plan(1, &shipped_policy()), other = plan(2, nullptr);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->chips, again->chips);
    EXPECT_NE(first->curve.back().evaluations, 0);
    EXPECT_EQ(first->termination.evaluations, 60);
    EXPECT_EQ(first->termination.reason, StopReason::evaluations);
    EXPECT_TRUE(chip_faults(problem, first->chips).empty());
    EXPECT_EQ(first->verdict.period, bottleneck(problem, first->chips));
    ASSERT_TRUE(other);
    const Policy paper = fresh_policy(categorical(36), 0);
    const auto wrong = plan(1, &paper);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, DiagnosticKind::input);
}

TEST(PolicyPlanner, EndsByItselfWithoutLimits) {
    const auto costs = chain_of_times({10, 30, 20, 40});
    const auto problem = on_chips(costs, 2);
    AnalyticJudge judge(problem);
    SilentObserver observer;
    const auto plan = plan_by_policy(problem, {.judge = &judge}, observer, {});
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->termination.reason, StopReason::finished);
    EXPECT_EQ(plan->termination.evaluations, kSamples);
    EXPECT_EQ(plan->verdict.period, Duration{61});
}

/// Compiles nothing that has the first two operators together.
class Picky final : public Judge {
public:
    explicit Picky(const ChipProblem& problem) : inner_(problem) {}
    Result<Verdict> judge(std::span<const std::uint8_t> chips) override {
        auto verdict = inner_.judge(chips);
        if (chips[0] == chips[1]) {
            ++failures;
            verdict->failure =
                CompileFailure{.chip = chips[0], .why = {DiagnosticKind::infeasible, "no", {}, {}, {}}, .nodes = {NodeId(0), NodeId(1)}};
        }
        return verdict;
    }
    int failures = 0;

private:
    AnalyticJudge inner_;
};

TEST(PolicyPlanner, LearnsWhatDoesNotCompile) {
    const auto costs = chain_of_times({10, 30, 20, 40, 10, 10});
    const auto problem = on_chips(costs, 3);
    Picky judge(problem);
    SilentObserver observer;
    Limits limits;
    limits.evaluations = 50;
    const auto plan = plan_by_policy(problem, {.judge = &judge}, observer, limits);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(judge.failures, 1);
    EXPECT_EQ(plan->failed, 1);
    EXPECT_NE(plan->chips[0], plan->chips[1]);
}

TEST(PolicyFile, ComesBackAsItWas) {
    for (const Architecture& shape : {kSmall, categorical(64, 2), Architecture{}}) {
        Policy policy = fresh_policy(shape, 9);
        policy.provenance = {.corpus = "a corpus", .command = "sluice policy train", .seed = 7, .updates = 100, .note = "ä"};
        const auto bytes = to_policy_bytes(policy);
        ASSERT_TRUE(bytes);
        EXPECT_LT(bytes->size(), kLargestPolicy);
        const auto back = parse_policy(*bytes, "p");
        ASSERT_TRUE(back) << back.error().message;
        EXPECT_EQ(*back, policy);
    }
}

std::string refusal(const std::string& bytes) {
    const auto parsed = parse_policy(bytes, "p.policy");
    if (parsed) return "accepted";
    EXPECT_EQ(parsed.error().where.file, "p.policy");
    return parsed.error().message;
}

TEST(PolicyFile, RefusesWhatIsNotWhole) {
    const std::string bytes = *to_policy_bytes(fresh_policy(kSmall, 1));
    EXPECT_NE(refusal("").find("is no policy file"), std::string::npos);
    EXPECT_NE(refusal("{}").find("is no policy file"), std::string::npos);
    std::string other = bytes;
    other[14] = '7';
    EXPECT_NE(refusal(other).find("version '7', this sluice reads version 1"), std::string::npos);
    for (const std::size_t size : {std::size_t{16}, std::size_t{40}, std::size_t{90}, bytes.size() / 2, bytes.size() - 1})
        EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
    EXPECT_NE(refusal(bytes.substr(0, bytes.size() - 4)).find("cut short"), std::string::npos);
    EXPECT_NE(refusal(bytes + "more").find("after its weights"), std::string::npos);
    std::string changed = bytes;
    changed[bytes.size() / 2] ^= 1;
    EXPECT_NE(refusal(changed).find("checksum"), std::string::npos);
    EXPECT_NE(refusal(std::string(kPolicyFormat) + "\n" + std::string(kLargestPolicy, 'x')).find("at most"), std::string::npos);
}

TEST(PolicyFile, RefusesShapesThatAreNone) {
    Policy policy = fresh_policy(kSmall, 1);
    policy.architecture.width = 17;
    EXPECT_NE(refusal(*to_policy_bytes(policy)).find("width 17"), std::string::npos);
    policy = fresh_policy(kSmall, 1);
    policy.weights.pop_back();
    EXPECT_NE(refusal(*to_policy_bytes(policy)).find("weights, its shape needs"), std::string::npos);
    policy = fresh_policy(kSmall, 1);
    policy.weights[3] = std::nanf("");
    EXPECT_NE(refusal(*to_policy_bytes(policy)).find("weight 3 is no number"), std::string::npos);
    policy = fresh_policy(kSmall, 1);
    policy.architecture.spread = std::nanf("");
    EXPECT_NE(refusal(*to_policy_bytes(policy)).find("spread"), std::string::npos);
    policy = fresh_policy(kSmall, 1);
    policy.architecture.layers = 4'000'000'000;
    EXPECT_NE(refusal(*to_policy_bytes(policy)).find("layers"), std::string::npos);
}

TEST(PolicyFile, FileOnDisk) {
    const auto path = std::filesystem::temp_directory_path() / std::format("sluice-policy-{}", ::getpid());
    const Policy policy = fresh_policy(kSmall, 2);
    ASSERT_TRUE(write_policy(path, policy));
    EXPECT_EQ(*read_policy(path), policy);
    std::filesystem::remove(path);
    EXPECT_FALSE(read_policy(path));
}

TEST(PolicyFile, TheShippedOneIsSmallAndForAnyNumberOfChips) {
    const Policy& policy = shipped_policy();
    EXPECT_EQ(policy.architecture.head, Head::ordinal);
    EXPECT_LT(to_policy_bytes(policy)->size(), std::size_t{300'000});
}

}  // namespace
}  // namespace sluice::mcm::policy
