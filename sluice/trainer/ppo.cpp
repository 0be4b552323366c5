#include "sluice/trainer/ppo.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace sluice::trainer {

namespace {

constexpr double kWorst = 0.01;  // of the reference's throughput

std::vector<float> softmax_rows(std::vector<float> rows, std::size_t chips) {
    for (std::size_t begin = 0; begin < rows.size(); begin += chips) {
        const std::span row(rows.data() + begin, chips);
        const float most = std::ranges::max(row);
        for (float& value : row) value = std::exp(value - most);
    }
    return rows;
}

/// To mean 0 and deviation 1; all 0 where they are alike.
void standardise(std::vector<Rollout>& rollouts) {
    const auto count = static_cast<double>(rollouts.size());
    double mean = 0, square = 0;
    for (const Rollout& rollout : rollouts) mean += rollout.advantage / count;
    for (const Rollout& rollout : rollouts) square += (rollout.advantage - mean) * (rollout.advantage - mean) / count;
    const double deviation = std::sqrt(square);
    for (Rollout& rollout : rollouts) rollout.advantage = deviation > 1e-9 ? (rollout.advantage - mean) / deviation : 0;
}

}  // namespace

void Adam::step(std::span<float> weights, std::span<const float> gradient, double rate) {
    constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;
    assert(weights.size() == first.size() && gradient.size() == first.size());
    ++steps;
    const double scale =
        rate * std::sqrt(1 - std::pow(kSecond, static_cast<double>(steps))) / (1 - std::pow(kFirst, static_cast<double>(steps)));
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto g = static_cast<double>(gradient[i]);
        const double m = kFirst * static_cast<double>(first[i]) + (1 - kFirst) * g;
        const double v = kSecond * static_cast<double>(second[i]) + (1 - kSecond) * g * g;
        first[i] = static_cast<float>(m);
        second[i] = static_cast<float>(v);
        weights[i] = static_cast<float>(static_cast<double>(weights[i]) - scale * m / (std::sqrt(v) + kEpsilon));
    }
}

double reward_of(const mcm::Verdict& verdict, Duration reference) {
    if (!verdict.fits() || verdict.period.count() <= 0) return 0;
    return std::max(0.0, std::log(static_cast<double>(reference.count()) / static_cast<double>(verdict.period.count()) / kWorst));
}

void blame(std::span<Rollout> rollouts, std::span<const std::vector<double>> chip_times, std::size_t nodes, double power, double weight) {
    double mean = 0, counted = 0;
    for (const auto& times : chip_times)
        for (const double time : times)
            if (time > 0) mean += time, ++counted;
    if (counted == 0) return;
    mean /= counted;
    std::vector<double> sum(nodes), count(nodes);
    for (std::size_t r = 0; r < rollouts.size(); ++r)
        for (Choice& choice : rollouts[r].choices) {
            if (chip_times[r].empty()) continue;
            const double share = std::pow(chip_times[r][choice.chip] / mean, power);
            choice.advantage = static_cast<float>(-share);
            sum[choice.node] += share;
            ++count[choice.node];
        }
    double square = 0, all = 0;
    const auto each = [&](auto&& f) {
        for (std::size_t r = 0; r < rollouts.size(); ++r)
            if (!chip_times[r].empty())
                for (Choice& choice : rollouts[r].choices) f(choice);
    };
    each([&](Choice& choice) {
        choice.advantage += static_cast<float>(sum[choice.node] / count[choice.node]);
        square += static_cast<double>(choice.advantage) * static_cast<double>(choice.advantage);
        ++all;
    });
    const double deviation = std::sqrt(square / all);
    each([&](Choice& choice) {
        choice.advantage = deviation > 1e-9 ? static_cast<float>(weight * static_cast<double>(choice.advantage) / deviation) : 0;
    });
}

Result<Batch> collect(const mcm::policy::Policy& policy, const Arena& arena, const PpoOptions& options, RandomStream& random) {
    const std::vector<float> logits = mcm::policy::logits(policy, *arena.features);
    const std::vector<float> rows = softmax_rows(logits, arena.features->chips);
    mcm::ChipSolver solver(*arena.problem);
    const auto order = mcm::walk_order(*arena.problem->costs, mcm::WalkOrder::bisection, random);
    Batch batch{.arena = &arena, .rollouts = {}, .result = {}};
    UpdateResult& result = batch.result;
    std::optional<Diagnostic> why;
    std::vector<std::vector<double>> chip_times;  // per rollout; empty: not told
    for (std::size_t i = 0; i < options.rollouts; ++i) {
        const auto drawn = mcm::sample(solver, rows, order, random);
        if (!drawn) {
            why = drawn.error();
            continue;
        }
        const auto verdict = arena.judge->judge(drawn->chips);
        if (!verdict) return fail(verdict.error());
        batch.rollouts.push_back({choices_of(*drawn, order, logits), reward_of(*verdict, arena.reference)});
        auto& times = chip_times.emplace_back();
        if (verdict->fits())
            for (const Duration time : verdict->chip_times) times.push_back(static_cast<double>(time.count()));
        result.mean_reward += batch.rollouts.back().advantage;
        result.entropy += entropy_of(batch.rollouts.back().choices, logits, arena.features->chips);
        result.periods.push_back(verdict->fits() ? verdict->period : Duration{0});
        if (!verdict->fits())
            ++result.failed;
        else if (!result.best || verdict->period < *result.best) {
            result.best = verdict->period;
            result.best_chips = drawn->chips;
        }
    }
    result.rollouts = batch.rollouts.size();
    if (batch.rollouts.empty()) return fail(*std::move(why));
    result.mean_reward /= static_cast<double>(result.rollouts);
    result.entropy /= static_cast<double>(result.rollouts);
    standardise(batch.rollouts);
    if (options.blame > 0) blame(batch.rollouts, chip_times, arena.features->nodes, options.power, options.blame);
    return batch;
}

void improve(mcm::policy::Policy& policy, Adam& adam, std::span<const Batch> batches, const PpoOptions& options,
             const GradientFunction& gradient, RandomStream& random) {
    std::vector<std::vector<const Rollout*>> shuffled;
    for (const Batch& batch : batches) {
        auto& all = shuffled.emplace_back();
        for (const Rollout& rollout : batch.rollouts) all.push_back(&rollout);
    }
    struct Step {
        std::size_t batch, begin;
    };
    const auto size = [&](std::size_t b) { return (shuffled[b].size() + options.batches - 1) / options.batches; };
    for (int epoch = 0; epoch < options.epochs; ++epoch) {
        std::vector<Step> steps;
        for (std::size_t b = 0; b < shuffled.size(); ++b) {
            random.shuffle(std::span(shuffled[b]));
            for (std::size_t begin = 0; begin < shuffled[b].size(); begin += size(b)) steps.push_back({b, begin});
        }
        random.shuffle(std::span(steps));
        for (const auto& [b, begin] : steps) {
            const auto part = std::span(shuffled[b]).subspan(begin, std::min(size(b), shuffled[b].size() - begin));
            const auto step = gradient(policy.architecture, policy.weights, *batches[b].arena->features, part, options.objective);
            adam.step(policy.weights, step.values, options.rate);
        }
    }
}

}  // namespace sluice::trainer
