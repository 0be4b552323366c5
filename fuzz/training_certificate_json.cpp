// Any bytes as a certificate of training plans: read, or refused with a Diagnostic; what was read comes back from its own text, and the
// checker survives it and accepts no claim above the best plan of a small problem.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

#include "sluice/bound/check_training.hpp"
#include "tests/support/random_training_problem.hpp"
#include "tests/support/training_enumeration.hpp"

using namespace sluice;

namespace {

const cost::TrainingProblem& problem() {
    static const cost::TrainingProblem made = [] {
        RandomStream random(54, 1);
        test::RandomTrainingProblem options;
        options.graph.min_operators = options.graph.max_operators = 3;
        options.largest_mini_batch = 4;
        options.most_devices = 2;
        options.limited = 1;
        cost::TrainingProblem result = test::random_training_problem(random, options);
        result.fingerprint = "p";  // so that the fuzzer can name it
        return result;
    }();
    return made;
}

/// The best plan's value, by objective and by micro-batch; 0: whatever the micro-batches are.
using Best = std::map<std::pair<bound::TrainingObjective, std::int64_t>, Duration>;
Best best_plans() {
    Best best;
    test::TrainingPlans(problem(), [&](const cost::TrainingPartition& plan) {
        const std::int64_t size = plan.stages.front().micro_batch;
        const auto same = [&](const cost::TrainingStage& stage) { return stage.micro_batch == size; };
        for (const auto objective : {bound::TrainingObjective::iteration, bound::TrainingObjective::bottleneck}) {
            const Duration value = test::value_of(problem(), plan, objective);
            const auto offer = [&](std::int64_t scope) {
                const auto [place, fresh] = best.emplace(std::pair(objective, scope), value);
                if (!fresh) place->second = std::min(place->second, value);
            };
            offer(0);
            if (std::ranges::all_of(plan.stages, same)) offer(size);
        }
    });
    return best;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::parse({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!document) return 0;
    const auto certificate = bound::read_training_certificate(*document);
    if (!certificate) {
        if (certificate.error().message.empty() || certificate.error().where.file.empty()) std::abort();
        return 0;
    }
    if (!bound::is_of_training(*document)) std::abort();
    const auto written = json::parse(bound::to_json_text(*certificate, false), "again.json");
    if (!written) std::abort();
    const auto again = bound::read_training_certificate(*written);
    if (!again || *again != *certificate) std::abort();

    static const Best best = best_plans();
    if (!bound::check_training(problem(), *certificate).empty()) return 0;
    const auto plan = best.find({certificate->objective, certificate->micro_batch.value_or(0)});
    if (plan != best.end() && certificate->value > plan->second) std::abort();
    return 0;
}
