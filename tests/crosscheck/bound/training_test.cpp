// Bounds on training plans against plans: the best of all plans of tiny problems, many random ones of larger problems. Each certificate is
// checked, and refused where anything in it proves more than it can.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_training.hpp"
#include "sluice/bound/training_bound.hpp"
#include "sluice/training/evaluate.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/random_training_problem.hpp"
#include "tests/support/training_enumeration.hpp"

namespace sluice::bound {
namespace {

using cost::TrainingPartition;
using cost::TrainingProblem;

/// Some divisor of the mini-batch.
std::int64_t micro_batch_of(const TrainingProblem& problem, RandomStream& random) {
    const std::vector<std::int64_t> sizes = training::micro_batches(problem, false);
    return sizes[random.below(sizes.size())];
}
bool has_micro_batches_of(const TrainingPartition& plan, std::int64_t samples) {
    return std::ranges::all_of(plan.stages, [&](const cost::TrainingStage& stage) { return stage.micro_batch == samples; });
}

constexpr std::array kObjectives{TrainingObjective::iteration, TrainingObjective::bottleneck};

/// Some nodes that feed each other.
std::vector<NodeId> walk(const TrainingProblem& problem, RandomStream& random) {
    std::vector<NodeId> nodes{NodeId(random.below(problem.node_count()))};
    while (random.chance(0.8)) {
        const auto next = problem.structure.successors[nodes.back().index()];
        if (next.empty()) break;
        nodes.push_back(next[random.below(next.size())]);
    }
    return nodes;
}

/// Other prices, other paths: what is near a tight witness is nearly tight, if the checker believes too much.
void vary(TrainingWitness& witness, Duration value, const TrainingProblem& problem, RandomStream& random) {
    const auto other = [&](std::int64_t price) { return random.chance(0.3) ? 0 : price / 4 * random.between(1, 12); };
    for (TrainingWitness::ClassPrice& one : witness.classes) {
        if (random.chance(0.3)) one.price = other(one.price);
        if (random.chance(0.3)) one.roundings.assign(random.below(4), random.between(0, 4));
        if (random.chance(0.3)) one.work = random.between(0, one.work);
    }
    // A path that counts as much as a device.
    std::int64_t price = (std::int64_t{1} << 52) / value.count();
    for (TrainingWitness::Path& path : witness.paths) {
        if (random.chance(0.5)) path.price = other(random.chance(0.5) ? price : path.price);
        if (random.chance(0.2)) path.turn = random.below(path.nodes.size());
    }
    for (TrainingWitness::Window& window : witness.windows) {
        if (random.chance(0.5)) window.price = other(random.chance(0.5) ? price : window.price);
    }
    if (random.chance(0.5)) {
        const std::vector<NodeId> nodes = walk(problem, random);
        witness.paths.push_back({other(price), random.below(nodes.size()), nodes});
    }
    if (random.chance(0.5)) witness.windows.push_back({other(price), walk(problem, random)});
}

TEST(TrainingBound, IsNeverAboveTheBestOfAllPlans) {
    std::size_t tight = 0, compared = 0, refused = 0, higher = 0;
    for (std::uint64_t seed = 0; seed < test::cases(120); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 21);
        test::RandomTrainingProblem options;
        options.graph.max_operators = 3;
        options.graph.classes = 0.3;
        options.most_devices = 2;
        options.largest_mini_batch = 4;
        options.limited = 0.4;
        const TrainingProblem problem = test::random_training_problem(random, options);
        if (problem.structure.classes.size() > 1 && problem.node_count() > 2) continue;  // too many plans
        const std::int64_t one_size = micro_batch_of(problem, random);
        for (const TrainingObjective objective : kObjectives) {
            std::optional<Duration> best_of_all, best_of_size;
            test::TrainingPlans(problem, [&](const TrainingPartition& plan) {
                const Duration value = test::value_of(problem, plan, objective);
                if (!best_of_all || value < *best_of_all) best_of_all = value;
                if (has_micro_batches_of(plan, one_size) && (!best_of_size || value < *best_of_size)) best_of_size = value;
            });
            Duration any{0};
            for (const std::optional<std::int64_t> size : {std::optional<std::int64_t>(), std::optional(one_size)}) {
                const std::optional<Duration> best = size ? best_of_size : best_of_all;
                const auto certificate = bound_training(problem, objective, {}, size);
                if (!certificate) {
                    EXPECT_EQ(certificate.error().kind, DiagnosticKind::infeasible);
                    EXPECT_FALSE(best.has_value()) << to_text(certificate.error());
                    ++refused;
                    continue;
                }
                EXPECT_EQ(certificate->micro_batch, size);
                EXPECT_TRUE(check_training(problem, *certificate).empty());
                if (!best) continue;
                ++compared;
                EXPECT_LE(certificate->value, *best);
                if (certificate->value == *best) ++tight;
                if (size && certificate->value > any) ++higher;
                any = certificate->value;
                for (int i = 0; i < 40; ++i) {
                    TrainingCertificate varied = *certificate;
                    if (objective == TrainingObjective::iteration) vary(varied.witness, *best + Duration{1}, problem, random);
                    varied.value = *best + Duration{1};
                    EXPECT_FALSE(check_training(problem, varied).empty()) << to_json_text(varied, false);
                }
            }
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(compared, 2 * test::cases(120));
    EXPECT_GT(higher, test::cases(120) / 4);             // a given size costs something
    EXPECT_GT(tight, compared / 2);                      // what the bound is for
    EXPECT_TRUE(refused > 0 || test::cases(120) < 120);  // rare
}

TEST(TrainingBound, IsNeverAboveAnyPlan) {
    std::size_t plans = 0;
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 22);
        test::RandomTrainingProblem options;
        options.graph.max_operators = 9;
        options.graph.classes = options.graph.colours = options.graph.replicated = 0.3;
        options.largest_mini_batch = 24;
        options.most_devices = 6;
        const TrainingProblem problem = test::random_training_problem(random, options);
        const std::int64_t one_size = micro_batch_of(problem, random);
        std::vector<Result<TrainingCertificate>> certificates, of_size;
        for (const TrainingObjective objective : kObjectives) {
            certificates.push_back(bound_training(problem, objective, {}));
            of_size.push_back(bound_training(problem, objective, {}, one_size));
        }
        for (int i = 0; i < 60; ++i) {
            TrainingPartition plan = test::random_training_partition(problem, random);
            plan.schedule = cost::kSchedules[random.below(cost::kSchedules.size())];
            const bool equal = random.chance(0.5);
            for (cost::TrainingStage& stage : plan.stages)
                if (equal) stage.micro_batch = one_size, stage.k = 1;
            cost::set_in_flight(problem, plan);
            if (!cost::faults_of(problem, plan).empty()) continue;
            ++plans;
            for (std::size_t o = 0; o < kObjectives.size(); ++o) {
                ASSERT_TRUE(certificates[o].has_value()) << to_text(certificates[o].error());
                const Duration value = test::value_of(problem, plan, kObjectives[o]);
                EXPECT_LE(certificates[o]->value, value);
                if (!equal) continue;
                ASSERT_TRUE(of_size[o].has_value()) << to_text(of_size[o].error());
                EXPECT_LE(of_size[o]->value, value);
            }
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(plans, test::cases(300) * 5);
}

/// What the checker lets pass must be true whatever the witness is: random ones, far from any that a bound makes.
TEST(TrainingBound, NoWitnessProvesMoreThanThereIs) {
    std::size_t accepted = 0;
    for (std::uint64_t seed = 0; seed < test::cases(300); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 23);
        test::RandomTrainingProblem options;
        options.graph.max_operators = 3;
        options.most_devices = 3;
        options.largest_mini_batch = 4;
        const TrainingProblem problem = test::random_training_problem(random, options);
        const TrainingObjective objective = kObjectives[random.below(2)];
        std::optional<Duration> best;
        for (int i = 0; i < 200; ++i) {
            TrainingPartition plan = test::random_training_partition(problem, random);
            plan.schedule = random.chance(0.5) ? cost::Schedule::list : cost::Schedule::one_f_one_b;
            if (!cost::faults_of(problem, plan).empty()) continue;
            const Duration value = test::value_of(problem, plan, objective);
            if (!best || value < *best) best = value;
        }
        if (!best) continue;
        for (int i = 0; i < 40; ++i) {
            TrainingCertificate certificate{
                .problem = problem.fingerprint, .model = {}, .objective = objective, .value = *best + Duration{1}, .witness = {}};
            for (const cost::TrainingDevice& device : problem.classes) {
                auto& one = certificate.witness.classes.emplace_back();
                one.price = random.between(0, 1 << 20);
                one.memory = device.limited && random.chance(0.5) ? random.between(0, kTrainingShares) : 0;
                one.links = random.chance(0.5) && problem.structure.model == cost::StageModel::overlap
                                ? random.between(0, kTrainingShares - one.memory)
                                : 0;
                one.work = kTrainingShares - one.memory - one.links;
                for (std::size_t r = random.below(4); r > 0; --r) one.roundings.push_back(random.between(0, 6));
            }
            for (std::size_t p = random.below(3); p > 0 && objective == TrainingObjective::iteration; --p) {
                auto& path = certificate.witness.paths.emplace_back();
                path.price = random.between(0, std::int64_t{1} << 50);
                path.nodes = walk(problem, random);
                path.turn = random.below(path.nodes.size());
            }
            for (std::size_t w = random.below(3); w > 0 && objective == TrainingObjective::iteration; --w)
                certificate.witness.windows.push_back({random.between(0, std::int64_t{1} << 50), walk(problem, random)});
            EXPECT_FALSE(check_training(problem, certificate).empty()) << to_json_text(certificate, false);
            certificate.value = Duration{random.between(1, best->count())};
            if (check_training(problem, certificate).empty()) ++accepted;
        }
        if (HasFailure()) return;
    }
    EXPECT_GT(accepted, test::cases(300));
}

/// Each change of a certificate either leaves it true or is refused; those that must be refused are.
TEST(TrainingBound, EveryTamperedCertificateIsRefused) {
    std::size_t tampered = 0;
    for (std::uint64_t seed = 0; seed < test::cases(150); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 24);
        test::RandomTrainingProblem options;
        options.graph.max_operators = 8;
        options.graph.classes = 0.3;
        options.largest_mini_batch = 16;
        const TrainingProblem problem = test::random_training_problem(random, options);
        const TrainingObjective objective = kObjectives[random.below(2)];
        const auto certificate = bound_training(problem, objective, {});
        if (!certificate || certificate->value < Duration{20}) continue;
        const auto refused = [&](const std::function<void(TrainingCertificate&)>& change) {
            TrainingCertificate changed = *certificate;
            change(changed);
            EXPECT_FALSE(check_training(problem, changed).empty());
            ++tampered;
        };
        refused([](auto& c) { c.problem += "0"; });
        refused([](auto& c) { c.value = Duration{-1}; });
        refused([&](auto& c) { c.micro_batch = problem.options.mini_batch + 1; });
        refused([](auto& c) { c.micro_batch = 0; });
        refused([](auto& c) { c.value *= 100; });
        refused([](auto& c) { c.value = Duration::max(); });
        refused([](auto& c) { c.witness.classes.pop_back(); });
        refused([](auto& c) { c.witness.classes.emplace_back(); });
        refused([](auto& c) { c.witness.classes[0].price = -1; });
        refused([](auto& c) { c.witness.classes[0].price = kLargestTrainingPrice + 1; });
        refused([](auto& c) { c.witness.classes[0].work = kTrainingShares + 1; });
        refused([](auto& c) { c.witness.classes[0].links = -1; });
        refused([](auto& c) { c.witness.classes[0].work = kTrainingShares, c.witness.classes[0].links = c.witness.classes[0].memory = 1; });
        refused([](auto& c) { c.witness.classes[0].roundings = {-1}; });
        refused([](auto& c) { c.witness.classes[0].roundings = {kLargestRounding + 1}; });
        if (!problem.classes[0].limited) refused([](auto& c) { c.witness.classes[0].work = 0, c.witness.classes[0].memory = 1; });
        refused([&](auto& c) { c.witness.paths.push_back({1, 0, {NodeId(problem.node_count())}}); });
        refused([&](auto& c) { c.witness.paths.push_back({1, 0, {NodeId()}}); });
        refused([](auto& c) { c.witness.paths.push_back({1, 0, {}}); });
        refused([](auto& c) { c.witness.paths.push_back({1, 1, {NodeId(0)}}); });
        refused([](auto& c) { c.witness.paths.push_back({-1, 0, {NodeId(0)}}); });
        refused([](auto& c) { c.witness.paths.push_back({1, 0, {NodeId(0), NodeId(0)}}); });
        refused([](auto& c) { c.witness.paths.push_back({std::numeric_limits<std::int64_t>::max(), 0, {NodeId(0)}}), c.value *= 1 << 20; });
        for (std::size_t v = 1; v < problem.node_count(); ++v)
            if (!std::ranges::contains(problem.structure.successors[0], NodeId(v)))
                refused([&](auto& c) { c.witness.paths.push_back({1, 0, {NodeId(0), NodeId(v)}}); });
        for (std::size_t e = 0; e < problem.structure.edge_count(); ++e) {
            const NodeId from = problem.structure.producer[e];
            if (!from.valid() || problem.structure.consumers[e].empty()) continue;
            const NodeId to = problem.structure.consumers[e][0];
            const auto gives_back = [&](EdgeId other) {
                return problem.has_gradient[other.index()] != 0 && std::ranges::contains(problem.structure.consumers[other.index()], to);
            };
            if (std::ranges::none_of(problem.structure.outputs[from.index()], gives_back))
                refused([&](auto& c) { c.witness.paths.push_back({1, 0, {from, to}}); });
        }
        refused([&](auto& c) { c.witness.windows.push_back({1, {NodeId(problem.node_count())}}); });
        refused([](auto& c) { c.witness.windows.push_back({1, {}}); });
        refused([](auto& c) { c.witness.windows.push_back({-1, {NodeId(0)}}); });
        refused([](auto& c) { c.witness.windows.push_back({1, {NodeId(0), NodeId(0)}}); });
        refused([](auto& c) { c.witness.windows.push_back({std::numeric_limits<std::int64_t>::max(), {NodeId(0)}}), c.value *= 1 << 20; });
        if (objective == TrainingObjective::bottleneck) refused([](auto& c) { c.witness.windows.push_back({1, {NodeId(0)}}); });
        if (objective == TrainingObjective::bottleneck) refused([](auto& c) { c.witness.paths.push_back({1, 0, {NodeId(0)}}); });
        if (HasFailure()) return;
    }
    EXPECT_GT(tampered, test::cases(150) * 10);
}

TEST(TrainingBound, FilesHoldEverything) {
    RandomStream random(5);
    test::RandomTrainingProblem options;
    options.graph.min_operators = options.graph.max_operators = 8;
    options.limited = 0;
    for (int i = 0; i < 20; ++i) {
        const TrainingProblem problem = test::random_training_problem(random, options);
        for (const TrainingObjective objective : kObjectives) {
            const auto size = i % 2 == 0 ? std::optional<std::int64_t>() : std::optional(micro_batch_of(problem, random));
            const auto certificate = bound_training(problem, objective, {}, size);
            ASSERT_TRUE(certificate.has_value());
            const std::string text = to_json_text(*certificate, true);
            const auto document = json::parse(text, "certificate");
            ASSERT_TRUE(document.has_value());
            EXPECT_TRUE(is_of_training(*document));
            const auto read = read_training_certificate(*document);
            ASSERT_TRUE(read.has_value()) << to_text(read.error());
            EXPECT_EQ(*read, *certificate);
            EXPECT_FALSE(read_certificate(*document).has_value());
        }
    }
}

}  // namespace
}  // namespace sluice::bound
