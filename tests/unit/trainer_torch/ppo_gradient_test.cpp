#include "sluice/trainer/torch/ppo_gradient.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "sluice/trainer/training.hpp"
#include "tests/support/chips.hpp"

namespace sluice::trainer {
namespace {

using mcm::policy::Architecture;
using mcm::policy::Head;

std::vector<double> doubles(const std::vector<float>& weights) { return {weights.begin(), weights.end()}; }

/// Not only its first weights: a network whose every part matters.
mcm::policy::Policy shaken(const Architecture& shape, std::uint64_t seed) {
    auto policy = mcm::policy::fresh_policy(shape, seed);
    RandomStream random(seed, 7);
    for (float& weight : policy.weights) weight += static_cast<float>(0.2 * (random.unit() - 0.5));
    return policy;
}

TEST(TorchPolicy, ForwardPassIsTheCores) {
    use_threads(1);
    const auto costs = test::bert_like(4, true);
    const auto problem = test::on_chips(costs, 9);
    const auto features = mcm::policy::features_of(problem);
    ASSERT_TRUE(features);
    for (const Architecture& shape :
         {Architecture{}, Architecture{.head = Head::ordinal, .layers = 2, .width = 32, .passes = 3, .chips = 0, .spread = 1.33F},
          Architecture{.head = Head::categorical, .layers = 8, .width = 128, .passes = 2, .chips = 9, .spread = 0.37F}}) {
        for (const auto& policy : {mcm::policy::fresh_policy(shape, 1), shaken(shape, 1)}) {
            const auto core = mcm::policy::logits(policy, *features);
            for (const bool exact : {false, true}) {
                const auto torch = torch_logits(shape, doubles(policy.weights), *features, exact);
                ASSERT_EQ(core.size(), torch.size());
                for (std::size_t i = 0; i < core.size(); ++i)
                    ASSERT_NEAR(core[i], torch[i], 1e-5 * (10 + std::abs(torch[i])) * (shape.layers > 4 ? 10 : 1)) << i;
            }
        }
    }
}

struct Tiny {
    cost::StageProblem costs;
    mcm::ChipProblem problem;
    mcm::policy::Features features;
};
std::unique_ptr<Tiny> tiny(std::uint64_t seed) {
    RandomStream random(seed);
    test::RandomProblemOptions options;
    options.min_operators = 4;
    options.max_operators = 6;
    for (;;) {
        auto made = std::make_unique<Tiny>();
        made->costs = test::random_problem(random, options, 4);
        made->problem = test::on_chips(made->costs, 3, {.adjacent = true});
        auto features = mcm::policy::features_of(made->problem);
        if (!features || test::legal_assignments(made->problem).size() < 4) continue;
        made->features = *std::move(features);
        return made;
    }
}

/// Every legal assignment as a rollout under these weights, with its probability.
std::vector<std::pair<double, Rollout>> all_rollouts(const Tiny& tiny, const Architecture& shape, const std::vector<double>& weights) {
    const auto exact = torch_logits(shape, weights, tiny.features, true);
    const std::vector<float> logits(exact.begin(), exact.end());
    RandomStream random(0);
    const auto order = mcm::walk_order(tiny.costs, mcm::WalkOrder::bisection, random);
    std::vector<std::pair<double, Rollout>> all;
    for (const auto& chips : test::legal_assignments(tiny.problem)) {
        mcm::ChipSolver solver(tiny.problem);
        mcm::Sample sample{.chips = chips, .log_probability = 0, .masks = {}, .counts = {}};
        for (const NodeId node : order) {
            sample.masks.push_back(solver.domain(node));
            if (solver.decided(node)) continue;
            EXPECT_TRUE(solver.restrict(node, std::uint64_t{1} << chips[node.index()]));
        }
        Rollout rollout{choices_of(sample, order, logits), 0};
        double log_p = 0;
        for (const Choice& choice : rollout.choices) {  // in doubles: differences of it are taken
            double most = -1e300, sum = 0;
            for (std::size_t c = 0; c < 3; ++c)
                if ((choice.mask >> c & 1) != 0) most = std::max(most, exact[choice.node * 3 + c]);
            for (std::size_t c = 0; c < 3; ++c)
                if ((choice.mask >> c & 1) != 0) sum += std::exp(exact[choice.node * 3 + c] - most);
            log_p += exact[choice.node * 3 + choice.chip] - most - std::log(sum);
        }
        all.emplace_back(std::exp(log_p), std::move(rollout));
    }
    return all;
}

double reward(std::size_t assignment) { return std::sin(static_cast<double>(assignment) * 1.7) + 0.3; }

const Architecture kTinyOrdinal{.head = Head::ordinal, .layers = 2, .width = 16, .passes = 2, .chips = 0, .spread = 1.33F};
const Architecture kTinyCategorical{.head = Head::categorical, .layers = 1, .width = 16, .passes = 2, .chips = 3, .spread = 0.37F};

/// The gradient of the expected reward, with every legal assignment weighed by its probability, is what differences say.
TEST(TorchPolicy, PolicyGradientIsTheDifferenceOfExpectedRewards) {
    use_threads(1);
    for (const Architecture& shape : {kTinyOrdinal, kTinyCategorical}) {
        const auto problem = tiny(5);
        const auto weights = doubles(shaken(shape, 2).weights);
        const auto expected = [&](const std::vector<double>& w) {
            double sum = 0, total = 0;
            const auto all = all_rollouts(*problem, shape, w);
            for (std::size_t i = 0; i < all.size(); ++i) {
                sum += all[i].first * reward(i);
                total += all[i].first;
            }
            EXPECT_NEAR(total, 1, 1e-9);
            return sum;
        };
        auto all = all_rollouts(*problem, shape, weights);
        std::vector<const Rollout*> rollouts;
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto& [probability, rollout] = all[i];
            if (rollout.choices.empty()) continue;
            rollouts.push_back(&rollout);
            rollout.advantage = probability * reward(i) * static_cast<double>(rollout.choices.size());
        }
        for (auto& [probability, rollout] : all) rollout.advantage *= static_cast<double>(rollouts.size());  // the loss is a mean of means
        const auto gradient =
            exact_gradient(shape, weights, problem->features, rollouts, {.clip = 10, .entropy_bonus = 0, .entropy_floor = 0});
        ASSERT_EQ(gradient.values.size(), weights.size());
        double largest = 0;
        for (const double g : gradient.values) largest = std::max(largest, std::abs(g));
        EXPECT_GT(largest, 1e-4);
        RandomStream random(3);
        for (int i = 0; i < 60; ++i) {
            const std::size_t at = random.below(weights.size());
            auto up = weights, down = weights;
            up[at] += 1e-5;
            down[at] -= 1e-5;
            EXPECT_NEAR(-gradient.values[at], (expected(up) - expected(down)) / 2e-5, 1e-5 * (1 + largest)) << at;
        }
    }
}

TEST(TorchPolicy, AChoicesOwnAdvantageCountsAsTheRolloutsDoes) {
    use_threads(1);
    const auto problem = tiny(8);
    const auto weights = doubles(shaken(kTinyOrdinal, 4).weights);
    auto whole = all_rollouts(*problem, kTinyOrdinal, weights), parts = whole;
    std::vector<const Rollout*> by_rollout, by_choice;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i].second.choices.empty()) continue;
        whole[i].second.advantage = reward(i);
        parts[i].second.advantage = reward(i) - 0.25;
        for (Choice& choice : parts[i].second.choices) choice.advantage = 0.25F;
        by_rollout.push_back(&whole[i].second);
        by_choice.push_back(&parts[i].second);
    }
    const Objective objective{.clip = 0.2, .entropy_bonus = 0, .entropy_floor = 0};
    const auto expected = exact_gradient(kTinyOrdinal, weights, problem->features, by_rollout, objective);
    const auto found = exact_gradient(kTinyOrdinal, weights, problem->features, by_choice, objective);
    for (std::size_t i = 0; i < weights.size(); ++i) ASSERT_NEAR(found.values[i], expected.values[i], 1e-9) << i;
}

/// The clipped loss with its entropy terms, away from where the ratio is 1.
TEST(TorchPolicy, GradientOfTheLossIsItsDifference) {
    use_threads(1);
    for (const Architecture& shape : {kTinyOrdinal, kTinyCategorical}) {
        const auto problem = tiny(8);
        const auto weights = doubles(shaken(shape, 4).weights);
        auto all = all_rollouts(*problem, shape, doubles(shaken(shape, 5).weights));  // drawn under other weights
        std::vector<const Rollout*> rollouts;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].second.choices.empty()) continue;
            all[i].second.advantage = reward(i);
            rollouts.push_back(&all[i].second);
        }
        const Objective objective{.clip = 0.2, .entropy_bonus = 0.1, .entropy_floor = 3};
        const auto gradient = exact_gradient(shape, weights, problem->features, rollouts, objective);
        RandomStream random(3);
        for (int i = 0; i < 60; ++i) {
            const std::size_t at = random.below(weights.size());
            auto up = weights, down = weights;
            up[at] += 1e-6;
            down[at] -= 1e-6;
            const double difference = (exact_gradient(shape, up, problem->features, rollouts, objective).loss -
                                       exact_gradient(shape, down, problem->features, rollouts, objective).loss) /
                                      2e-6;
            EXPECT_NEAR(gradient.values[at], difference, 1e-5) << at;
        }
    }
}

TEST(TorchPolicy, FloatsFollowDoubles) {
    use_threads(1);
    const auto problem = tiny(11);
    const auto policy = shaken(kTinyOrdinal, 6);
    auto all = all_rollouts(*problem, kTinyOrdinal, doubles(policy.weights));
    std::vector<const Rollout*> rollouts;
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].second.advantage = reward(i);
        if (!all[i].second.choices.empty()) rollouts.push_back(&all[i].second);
    }
    const Objective objective{.clip = 0.2, .entropy_bonus = 0.01, .entropy_floor = 0.1};
    const auto exact = exact_gradient(kTinyOrdinal, doubles(policy.weights), problem->features, rollouts, objective);
    const auto fast = ppo_gradient(kTinyOrdinal, policy.weights, problem->features, rollouts, objective);
    EXPECT_NEAR(fast.loss, exact.loss, 1e-4);
    EXPECT_NEAR(fast.entropy, exact.entropy, 1e-4);
    for (std::size_t i = 0; i < exact.values.size(); ++i) ASSERT_NEAR(fast.values[i], exact.values[i], 1e-3);
}

TEST(TorchPolicy, LearnsAndDoesSoTheSameTwice) {
    use_threads(1);
    const auto instance = make_instance("zoo:chain:layers=40,width=128", "mcm-36:devices=8", {});
    ASSERT_TRUE(instance) << instance.error().message;
    mcm::AnalyticJudge judge((*instance)->problem);
    const Architecture wide{.head = Head::ordinal, .layers = 2, .width = 32, .passes = 1, .chips = 0, .spread = mcm::policy::kWide};
    const auto run = [&] {
        double first = 0, last = 0;
        const auto result = finetune(mcm::policy::fresh_policy(wide, 1), **instance, judge, 630, options_for(wide, false), ppo_gradient,
                                     [&](const Progress& p) {
                                         if (p.kind != Progress::Kind::update) return;
                                         if (p.updates <= 3) first += p.value;
                                         if (p.updates > 27) last += p.value;
                                     });
        EXPECT_TRUE(result);
        EXPECT_GT(last, first + 0.3);  // sums of three mean log throughputs; 21 evaluations an update
        return result->state.now;
    };
    EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace sluice::trainer
