#include "sluice/trainer/training.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <map>
#include <optional>

#include "sluice/mcm/policy/network.hpp"
#include "sluice/mcm/policy/policy_planner.hpp"
#include "sluice/trainer/validation.hpp"

namespace sluice::trainer {

namespace {

constexpr int kMostBarren = 10;  // updates in a row without a rollout

double seconds(Duration period) { return static_cast<double>(period.count()) * 1e-12; }

std::string settings_of(const TrainingOptions& o, const mcm::policy::Architecture& a) {
    return std::format(
        "{}; {} {}x{}, {} passes, {} chips, spread {}; {} updates of {} x {} rollouts, {} epochs, {} parts, rate {}, blame {} by {}, clip "
        "{}, "
        "entropy {} floor {}; validation {} x {}; seed {}",
        o.settings, to_text(a.head), a.layers, a.width, a.passes, a.chips, a.spread, o.updates, o.graphs, o.ppo.rollouts, o.ppo.epochs,
        o.ppo.batches, o.ppo.rate, o.ppo.blame, o.ppo.power, o.ppo.objective.clip, o.entropy_bonus, o.entropy_floor, o.validate_every,
        o.validation_samples, o.seed);
}

/// From the checkpoint where there is one.
Result<State> start(mcm::policy::Policy policy, const TrainingOptions& options, double worst, const ProgressFunction& progress) {
    const std::string settings = settings_of(options, policy.architecture);
    std::error_code error;
    if (!options.checkpoint.empty() && std::filesystem::exists(options.checkpoint, error)) {
        auto state = read_checkpoint(options.checkpoint, settings);
        if (!state) return fail(std::move(state.error()));
        progress({.kind = Progress::Kind::resumed,
                  .updates = state->updates,
                  .evaluations = state->evaluations,
                  .graph = {},
                  .value = 0,
                  .best = state->best_value,
                  .entropy = 0,
                  .failed = 0});
        return state;
    }
    State state{.settings = settings,
                .now = policy,
                .best = policy,
                .adam = Adam(policy.weights.size()),
                .updates = 0,
                .evaluations = 0,
                .best_value = worst,
                .curve = {},
                .drawn = {},
                .best_chips = {}};
    return state;
}

Result<void> keep(const State& state, const TrainingOptions& options) {
    return options.checkpoint.empty() ? Result<void>{} : write_checkpoint(options.checkpoint, state);
}

PpoOptions ppo_at(const TrainingOptions& options, double done, double first_entropy) {
    PpoOptions ppo = options.ppo;
    ppo.objective.entropy_bonus = options.entropy_bonus * std::max(0.0, 1 - done);
    ppo.objective.entropy_floor = options.entropy_floor * first_entropy;
    return ppo;
}

/// Mean entropy of the choices of a few samples: what a floor is a share of.
double entropy_now(const mcm::policy::Policy& policy, const Instance& instance) {
    const auto logits = mcm::policy::logits(policy, instance.features);
    const auto rows = mcm::policy::probabilities(policy, instance.features);
    mcm::ChipSolver solver(instance.strict);
    RandomStream random(0);
    const auto order = mcm::walk_order(instance.costs, mcm::WalkOrder::bisection, random);
    double sum = 0;
    int count = 0;
    for (int i = 0; i < 3; ++i)
        if (const auto drawn = mcm::sample(solver, rows, order, random)) {
            sum += entropy_of(choices_of(*drawn, order, logits), logits, instance.features.chips);
            ++count;
        }
    return count == 0 ? 0 : sum / count;
}

}  // namespace

TrainingOptions options_for(const mcm::policy::Architecture& architecture, bool fine_tuning) {
    TrainingOptions options;
    const bool narrow = architecture.head == mcm::policy::Head::ordinal && architecture.spread < 0.8F;
    options.ppo.rate = architecture.head == mcm::policy::Head::categorical ? 3e-3 : narrow ? 1e-3 : 2e-3;
    if (architecture.head == mcm::policy::Head::ordinal) options.ppo.blame = 2;  // the paper's head learns from throughput alone, as there
    options.entropy_bonus = narrow ? 2e-4 : 1e-3;
    if (fine_tuning) options.ppo.rate /= 2;
    return options;
}

Result<TrainingResult> train(mcm::policy::Policy policy, std::span<const std::unique_ptr<Instance>> instances,
                             const TrainingOptions& options, const GradientFunction& gradient, const ProgressFunction& progress) {
    std::vector<const Instance*> pupils;
    for (const auto& instance : instances)
        if (instance->split == Split::train) pupils.push_back(instance.get());
    if (pupils.empty()) return fail(input_error("the corpus has no graph to train on"));
    std::vector<const Instance*> others;
    for (const auto& instance : instances)
        if (instance->split == Split::validation) others.push_back(instance.get());
    if (others.empty()) return fail(input_error("the corpus has no graph to validate with"));

    auto started = start(std::move(policy), options, 0, progress);
    if (!started) return fail(std::move(started.error()));
    State state = *std::move(started);
    const auto validate = [&]() -> Result<void> {
        double value = 0;
        std::vector<mcm::policy::Policy> candidates{state.now};
        if (auto other = mcm::policy::without_places(state.now); other.weights != state.now.weights) candidates.push_back(std::move(other));
        for (const mcm::policy::Policy& tried : candidates) {
            const auto score = validation_score(tried, others, options.validation_samples, options.seed);
            if (!score) return fail(score.error());
            value = std::max(value, *score);
            if (*score <= state.best_value) continue;
            state.best_value = *score;
            state.best = tried;
            state.best.provenance.updates = state.updates;
        }
        state.curve.push_back({state.updates, state.evaluations, value});
        progress({.kind = Progress::Kind::validation,
                  .updates = state.updates,
                  .evaluations = state.evaluations,
                  .graph = {},
                  .value = value,
                  .best = state.best_value,
                  .entropy = 0,
                  .failed = 0});
        return {};
    };
    if (state.updates == 0 && state.curve.empty())
        if (auto validated = validate(); !validated) return fail(std::move(validated.error()));

    const mcm::policy::Policy untrained = mcm::policy::fresh_policy(state.now.architecture, options.seed);
    std::map<const Instance*, double> first_entropy;
    int barren = 0;
    while (state.updates < options.updates && !options.stop.stop_requested()) {
        RandomStream random(options.seed, state.updates + 1);
        const double done = static_cast<double>(state.updates) / static_cast<double>(options.updates);
        std::vector<std::unique_ptr<mcm::AnalyticJudge>> judges;
        std::vector<Arena> arenas;
        arenas.reserve(options.graphs);  // batches point to them
        std::vector<Batch> batches;
        double floor = 0, reward = 0, entropy = 0;
        std::string_view name;
        std::optional<Diagnostic> why;
        for (std::size_t g = 0; g < options.graphs; ++g) {
            const Instance* pupil = pupils[random.below(pupils.size())];
            if (options.entropy_floor > 0 && !first_entropy.contains(pupil)) first_entropy[pupil] = entropy_now(untrained, *pupil);
            judges.push_back(std::make_unique<mcm::AnalyticJudge>(pupil->problem));
            arenas.push_back({&pupil->strict, &pupil->features, pupil->features.positions.period, judges.back().get()});
            auto batch = collect(state.now, arenas.back(), options.ppo, random);
            if (!batch) {
                why = Diagnostic(batch.error()).note(std::format("training on '{}', {}", pupil->name, pupil->platform));
                continue;
            }
            floor += first_entropy[pupil];
            reward += batch->result.mean_reward;
            entropy += batch->result.entropy;
            state.evaluations += batch->result.rollouts;
            name = pupil->name;
            batches.push_back(*std::move(batch));
        }
        ++state.updates;
        if (batches.empty()) {
            if (++barren < kMostBarren) continue;
            return fail(*std::move(why));
        }
        barren = 0;
        const auto count = static_cast<double>(batches.size());
        improve(state.now, state.adam, batches, ppo_at(options, done, floor / count), gradient, random);
        progress({.kind = Progress::Kind::update,
                  .updates = state.updates,
                  .evaluations = state.evaluations,
                  .graph = name,
                  .value = reward / count,
                  .best = state.best_value,
                  .entropy = entropy / count,
                  .failed = 0});
        if (state.updates % options.validate_every == 0 || state.updates == options.updates)
            if (auto validated = validate(); !validated) return fail(std::move(validated.error()));
        if (state.updates % options.checkpoint_every == 0)
            if (auto kept = keep(state, options); !kept) return fail(std::move(kept.error()));
    }
    if (auto kept = keep(state, options); !kept) return fail(std::move(kept.error()));
    const bool interrupted = state.updates < options.updates;
    return TrainingResult{std::move(state), interrupted};
}

Result<TrainingResult> finetune(mcm::policy::Policy policy, const Instance& instance, mcm::Judge& judge, std::uint64_t evaluations,
                                const TrainingOptions& options, const GradientFunction& gradient, const ProgressFunction& progress) {
    if (auto fits = mcm::policy::suits(policy.architecture, instance.features); !fits) return fail(std::move(fits.error()));
    auto started = start(std::move(policy), options, 0, progress);
    if (!started) return fail(std::move(started.error()));
    State state = *std::move(started);
    const auto reference = judge.judge(instance.features.positions.chips);
    if (!reference) return fail(reference.error());
    const Duration scale = reference->fits() ? reference->period : instance.features.positions.period;
    const double first_entropy = options.entropy_floor > 0 ? entropy_now(state.now, instance) : 0;
    const auto note = [&](Duration judged, const mcm::Assignment& chips, double entropy, std::size_t failed) {
        const double period = seconds(judged);
        if (period <= 0 || (state.best_value > 0 && period >= state.best_value)) return;
        state.best_value = period;
        state.best_chips = chips;
        state.curve.push_back({state.updates, state.evaluations, period});
        progress({.kind = Progress::Kind::improvement,
                  .updates = state.updates,
                  .evaluations = state.evaluations,
                  .graph = instance.name,
                  .value = period,
                  .best = period,
                  .entropy = entropy,
                  .failed = failed});
    };
    int barren = 0;
    while (state.evaluations < evaluations && !options.stop.stop_requested()) {
        RandomStream random(options.seed, state.updates + 1);
        // What the policy would do without dice: judged, not learned from.
        mcm::ChipSolver solver(instance.strict);
        const auto order = mcm::walk_order(instance.costs, mcm::WalkOrder::bisection, random);
        if (const auto best = mcm::policy::likeliest(mcm::policy::probabilities(state.now, instance.features), solver, order, random)) {
            const auto verdict = judge.judge(best->chips);
            if (!verdict) return fail(verdict.error());
            ++state.evaluations;
            note(verdict->fits() ? verdict->period : Duration{0}, best->chips, 0, verdict->fits() ? 0 : 1);
            if (state.evaluations >= evaluations) break;
        }
        const Arena arena{&instance.strict, &instance.features, scale, &judge};
        PpoOptions ppo = ppo_at(options, static_cast<double>(state.evaluations) / static_cast<double>(evaluations), first_entropy);
        ppo.rollouts = std::min<std::uint64_t>(ppo.rollouts, evaluations - state.evaluations);
        auto batch = collect(state.now, arena, ppo, random);
        ++state.updates;
        if (!batch) {
            if (batch.error().kind == DiagnosticKind::infeasible || ++barren >= kMostBarren) return fail(std::move(batch.error()));
            continue;
        }
        improve(state.now, state.adam, std::span(&*batch, 1), ppo, gradient, random);
        const UpdateResult* result = &batch->result;
        barren = 0;
        for (const Duration period : result->periods) {
            ++state.evaluations;
            note(period, result->best_chips, result->entropy, result->failed);  // the last one noted is the best
            if (period > Duration{0} && (state.drawn.empty() || seconds(period) < state.drawn.back().value))
                state.drawn.push_back({state.updates, state.evaluations, seconds(period)});
        }
        state.best = state.now;  // what was found is kept apart: the policy that comes out is the last one
        state.best.provenance.updates = state.updates;
        progress({.kind = Progress::Kind::update,
                  .updates = state.updates,
                  .evaluations = state.evaluations,
                  .graph = instance.name,
                  .value = result->mean_reward,
                  .best = state.best_value,
                  .entropy = result->entropy,
                  .failed = result->failed});
        if (state.updates % options.checkpoint_every == 0)
            if (auto kept = keep(state, options); !kept) return fail(std::move(kept.error()));
    }
    if (auto kept = keep(state, options); !kept) return fail(std::move(kept.error()));
    const bool interrupted = state.evaluations < evaluations;
    return TrainingResult{std::move(state), interrupted};
}

}  // namespace sluice::trainer
