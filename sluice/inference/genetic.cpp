#include "sluice/inference/genetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <format>
#include <ranges>

#include "sluice/inference/evolution.hpp"
#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/plan_by_orders.hpp"

namespace sluice::inference {

GeneticCounts counts_of(const GeneticShares& shares, std::size_t population) {
    const auto of = [&](double share) { return static_cast<std::size_t>(std::lround(share * static_cast<double>(population))); };
    const std::size_t elite = std::clamp<std::size_t>(of(shares.elite), 1, population - 1);
    return {elite, std::min(of(shares.mutants), population - elite)};
}

Result<void> check_shares(const GeneticShares& shares) {
    const auto refuse = [](std::string_view name, double value, std::string_view range) {
        return fail(usage_error(std::format("a share {}={} of a generation asked for; it is {}", name, value, range)));
    };
    if (!(shares.elite > 0 && shares.elite < 1)) return refuse("elite", shares.elite, "above 0 and below 1");
    if (!(shares.mutants >= 0 && shares.mutants < 1)) return refuse("mutants", shares.mutants, "at least 0 and below 1");
    if (!(shares.elite + shares.mutants <= 1)) return refuse("elite + mutants", shares.elite + shares.mutants, "at most 1");
    if (!(shares.bias >= 0 && shares.bias <= 1)) return refuse("bias", shares.bias, "at least 0 and at most 1");
    return {};
}

Result<GeneticShares> read_shares(std::string_view text) {
    struct Field {
        std::string_view name;
        double GeneticShares::* member;
        bool given = false;
    };
    std::array fields{Field{"elite", &GeneticShares::elite}, Field{"mutants", &GeneticShares::mutants},
                      Field{"bias", &GeneticShares::bias}};
    GeneticShares shares;
    if (text.empty()) return fail(usage_error("no shares of a generation given").fix("elite=0.2,mutants=0.15,bias=0.7, or some of these"));
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view word(part.begin(), part.end());
        const std::size_t equals = std::min(word.find('='), word.size());
        const auto field = std::ranges::find(fields, word.substr(0, equals), &Field::name);
        const std::string_view value = word.substr(std::min(equals + 1, word.size()));
        double number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (field == fields.end() || field->given || error != std::errc{} || end != value.data() + value.size())
            return fail(usage_error(std::format("'{}' is no share of a generation, or is there twice", word))
                            .fix("elite=0.2,mutants=0.15,bias=0.7, or some of these"));
        shares.*field->member = number;
        field->given = true;
    }
    if (auto checked = check_shares(shares); !checked) return fail(std::move(checked.error()));
    return shares;
}

Result<PlannerResult> plan_by_genetic(const cost::StageProblem& problem, const GeneticSize& size, const PlannerOptions& options,
                                      Observer& observer, const Limits& limits) {
    if (auto checked = check_shares(options.genetic); !checked) return fail(std::move(checked.error()));
    if (auto checked = check_call(problem, options); !checked) return fail(std::move(checked.error()));
    if (auto possible = search::sliceable(problem, options.stages, options.max_replicas); !possible)
        return fail(std::move(possible.error()));
    Incumbent incumbent(problem, options, observer, limits, "generations");
    Evolution(problem, size.population, options.genetic, options, limits, incumbent).run(size.generations);
    // Stopped before the first slicing: any valid answer is better than none.
    if (!incumbent.found() && limits.out_of_time())
        return plan_by_orders(problem, std::array{OrderKind::model}, {}, options, observer, limits);
    return std::move(incumbent).take(std::format("{} members of generations held no feasible slicing into {} stages",
                                                 size.population * size.generations, options.stages));
}

}  // namespace sluice::inference
