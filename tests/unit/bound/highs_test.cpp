// The adapter around HiGHS, and what its answers are worth: models on which releases of HiGHS are known to be wrong. Whatever it claims,
// the bound that is recomputed from its duals in exact arithmetic is never above the optimum.
#include "sluice/bound/highs.hpp"
#include "sluice/base/wide.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <thread>

#include "sluice/base/random.hpp"

namespace sluice {
namespace {

using bound::LinearModel;
using bound::LinearOptions;
using bound::LinearResult;
using bound::LinearStatus;

struct Entry {
    std::int32_t column;
    std::int64_t coefficient;
};
void add_row(LinearModel& model, std::vector<Entry> entries, std::int64_t least) {
    for (const auto& [column, coefficient] : entries) model.add_entry(column, coefficient);
    model.close_row(least);
}

/// Neumaier and Shcherbina: min column 0 >= this, for any duals; all columns bounded.
std::int64_t exact_bound(const LinearModel& model, const std::vector<double>& duals) {
    constexpr std::int64_t kScale = std::int64_t{1} << 30;
    std::vector<Wide> left(model.lower.size(), 0);  // coefficients of what is left of the objective
    left[0] = kScale;
    Wide sum = 0;
    for (std::size_t r = 0; r < duals.size(); ++r) {
        const Wide multiplier = std::max<std::int64_t>(0, std::llround(duals[r] * kScale));
        sum += multiplier * model.least[r];
        for (std::size_t i = model.starts[r]; i < model.starts[r + 1]; ++i)
            left[static_cast<std::size_t>(model.columns[i])] -= multiplier * model.coefficients[i];
    }
    for (std::size_t c = 0; c < left.size(); ++c) sum += left[c] * (left[c] > 0 ? model.lower[c] : model.upper[c]);
    return static_cast<std::int64_t>(sum > 0 ? (sum + kScale - 1) / kScale : -(-sum / kScale));
}

struct KnownModel {
    const char* name;
    LinearModel model;
    std::int64_t optimum;  // by enumerating the whole columns by hand
    std::int64_t relaxed;  // rounded up
};

/// The reported models, their fractions cleared.
std::vector<KnownModel> reported() {
    std::vector<KnownModel> models;
    {
        LinearModel m;  // min x + 2y: x whole in 0..20, y in 8..20, x + y >= 20.1; in tenths
        const auto t = m.add_column(0, 1000), x = m.add_column(0, 20, true), y = m.add_column(80, 200);
        add_row(m, {{x, 10}, {y, 1}}, 201);
        add_row(m, {{t, 1}, {x, -10}, {y, -2}}, 0);
        models.push_back({"2957", m, 282, 281});
    }
    {
        LinearModel m;  // min 2x + 3z: z whole in 0..10, x in 0..10, x + z >= 4.5; x in halves
        const auto t = m.add_column(0, 1000), x = m.add_column(0, 20), z = m.add_column(0, 10, true);
        add_row(m, {{x, 1}, {z, 2}}, 9);
        add_row(m, {{t, 1}, {x, -1}, {z, -3}}, 0);
        models.push_back({"3043", m, 9, 9});
    }
    {
        LinearModel m;  // min 100 gap + t / 100: gap + x = 3, t >= |x|, x whole in 0.45..3; in hundredths
        const auto t = m.add_column(0, 100'000), gap = m.add_column(0, 3), size = m.add_column(-10, 10), x = m.add_column(0, 3, true);
        add_row(m, {{gap, 1}, {x, 1}}, 3);
        add_row(m, {{gap, -1}, {x, -1}}, -3);
        add_row(m, {{size, 1}, {x, -1}}, 0);
        add_row(m, {{size, 1}, {x, 1}}, 0);
        add_row(m, {{x, 20}}, 9);
        add_row(m, {{t, 1}, {gap, -10'000}, {size, -1}}, 0);
        models.push_back({"3073", m, 3, 3});
    }
    return models;
}

/// Runs both forms with presolve on and off and four seeds; `wrong` counts what HiGHS claims above the optimum.
void check(const LinearModel& model, std::int64_t optimum, std::size_t& wrong, std::int64_t& best_exact) {
    best_exact = std::numeric_limits<std::int64_t>::min();
    for (const bool presolve : {true, false})
        for (int seed = 0; seed < 4; ++seed) {
            LinearOptions options{.unit = 100, .relaxed = true, .presolve = presolve, .seed = seed, .nodes = {}};
            const LinearResult relaxed = solve_with_highs(model, options, {});
            ASSERT_FALSE(relaxed.duals.empty());
            const std::int64_t exact = exact_bound(model, relaxed.duals);
            ASSERT_LE(exact, optimum) << "presolve " << presolve << ", seed " << seed;
            best_exact = std::max(best_exact, exact);
            options.relaxed = false;
            const LinearResult whole = solve_with_highs(model, options, {});
            wrong += whole.status == LinearStatus::infeasible || whole.bound > static_cast<double>(optimum) + 1e-3;
        }
}

TEST(Highs, ReportedModels) {
    for (const KnownModel& known : reported()) {
        SCOPED_TRACE(known.name);
        std::size_t wrong = 0;
        std::int64_t exact = 0;
        check(known.model, known.optimum, wrong, exact);
        EXPECT_EQ(exact, known.relaxed) << "the duals are of some worth";
        RecordProperty(std::string("wrong_claims_") + known.name, static_cast<int>(wrong));
    }
}

/// One covering row over whole and continuous columns, those in no other row: the shape of 2957, 2975, 2995, 3043.
TEST(Highs, CoveringRowsWithSingletons) {
    std::size_t wrong = 0, tight = 0;
    for (std::uint64_t i = 0; i < 60 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(31, i);
        LinearModel model;
        model.add_column(0, 1'000'000);
        std::vector<std::int64_t> cost{0}, size{0};
        for (int c = 0; c < 4; ++c) {  // two whole, two continuous: the latter cover 1 a unit, so some optimum is whole anyway
            model.add_column(c < 2 ? 0 : random.between(0, 3), random.between(4, 9), c < 2);
            cost.push_back(random.between(1, 30));
            size.push_back(c < 2 ? random.between(2, 10) : 1);
        }
        std::int64_t most = 0;
        for (std::size_t c = 1; c < 5; ++c) most += size[c] * model.upper[c];
        const std::int64_t needed = random.between(1, most);
        std::vector<Entry> cover, objective{{0, 1}};
        for (std::int32_t c = 1; c < 5; ++c) {
            cover.push_back({c, size[static_cast<std::size_t>(c)]});
            objective.push_back({c, -cost[static_cast<std::size_t>(c)]});
        }
        add_row(model, cover, needed);
        add_row(model, objective, 0);
        std::int64_t optimum = std::numeric_limits<std::int64_t>::max();
        for (std::int64_t a = model.lower[1]; a <= model.upper[1]; ++a)
            for (std::int64_t b = model.lower[2]; b <= model.upper[2]; ++b)
                for (std::int64_t c = model.lower[3]; c <= model.upper[3]; ++c)
                    for (std::int64_t d = model.lower[4]; d <= model.upper[4]; ++d)
                        if (size[1] * a + size[2] * b + c + d >= needed)
                            optimum = std::min(optimum, cost[1] * a + cost[2] * b + cost[3] * c + cost[4] * d);
        std::int64_t exact = 0;
        check(model, optimum, wrong, exact);
        tight += exact == optimum;
    }
    EXPECT_GT(tight, 5u);
    RecordProperty("wrong_claims", static_cast<int>(wrong));
}

/// Many dense rows over a few whole columns: the shape of 2349 and 2328.
TEST(Highs, DenseRows) {
    std::size_t wrong = 0;
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < 30 && !HasFatalFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(32, i);
        LinearModel model;
        model.add_column(0, 1'000'000);
        for (int c = 0; c < 4; ++c) model.add_column(0, 6, true);
        std::vector<std::array<std::int64_t, 5>> rows(40);
        for (auto& row : rows) {
            std::vector<Entry> entries;
            for (std::int32_t c = 1; c < 5; ++c) entries.push_back({c, row[static_cast<std::size_t>(c)] = random.between(0, 100)});
            row[0] = random.between(1, 3 * (row[1] + row[2] + row[3] + row[4]) + 1);
            add_row(model, entries, row[0]);
        }
        std::array<std::int64_t, 5> cost{};
        for (std::size_t c = 1; c < 5; ++c) cost[c] = random.between(5, 80);
        add_row(model, {{0, 1}, {1, -cost[1]}, {2, -cost[2]}, {3, -cost[3]}, {4, -cost[4]}}, 0);
        std::int64_t optimum = std::numeric_limits<std::int64_t>::max();
        for (std::int64_t p = 0; p < 7 * 7 * 7 * 7; ++p) {
            const std::array<std::int64_t, 5> x{0, p % 7, p / 7 % 7, p / 49 % 7, p / 343};
            const auto sum_of = [&](const auto& of) { return of[1] * x[1] + of[2] * x[2] + of[3] * x[3] + of[4] * x[4]; };
            if (std::ranges::all_of(rows, [&](const auto& row) { return sum_of(row) >= row[0]; }))
                optimum = std::min(optimum, sum_of(cost));
        }
        ASSERT_NE(optimum, std::numeric_limits<std::int64_t>::max());
        std::int64_t exact = 0;
        check(model, optimum, wrong, exact);
        sum += exact * 100 / optimum;
    }
    EXPECT_GT(sum, 30 * 80);
    RecordProperty("wrong_claims", static_cast<int>(wrong));
}

/// A knapsack that no tree search finishes soon.
LinearModel endless() {
    RandomStream random(33);
    LinearModel model;
    const auto t = model.add_column(0, 1'000'000'000);
    std::vector<std::int32_t> columns;
    for (int c = 0; c < 80; ++c) columns.push_back(model.add_column(0, 1, true));
    for (int r = 0; r < 40; ++r) {
        std::vector<Entry> entries;
        std::int64_t sum = 0;
        for (std::int32_t c : columns) {
            entries.push_back({c, random.between(1000, 9000)});
            sum += entries.back().coefficient;
        }
        add_row(model, entries, sum / 2 + 1);
    }
    std::vector<Entry> objective{{t, 1}};
    for (std::int32_t c : columns) objective.push_back({c, -random.between(1000, 9000)});
    add_row(model, objective, 0);
    return model;
}

TEST(Highs, StopsWhenToldAndAtItsLimits) {
    const LinearModel model = endless();
    const auto seconds_of = [](auto&& run) {
        const auto began = std::chrono::steady_clock::now();
        EXPECT_EQ(run().status, LinearStatus::stopped);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    const LinearOptions options{.unit = 100'000, .nodes = {}};
    EXPECT_LT(seconds_of([&] {
                  return solve_with_highs(
                      model, options, {.deadline = Limits::Clock::now() + std::chrono::milliseconds(300), .evaluations = {}, .stop = {}});
              }),
              60);
    EXPECT_LT(seconds_of([&] {
                  std::stop_source source;
                  std::jthread stopper([&] {
                      std::this_thread::sleep_for(std::chrono::milliseconds(300));
                      source.request_stop();
                  });
                  return solve_with_highs(model, options, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
              }),
              60);
}

TEST(Highs, NodeLimitsGiveTheSameAnswerTwiceAndBesideEachOther) {
    const LinearModel model = endless();
    const LinearOptions options{.unit = 100'000, .nodes = 20};
    const LinearResult first = solve_with_highs(model, options, {});
    EXPECT_GT(first.bound, 0);
    EXPECT_GT(first.nodes, 0);
    std::vector<LinearResult> others(3);
    {
        std::vector<std::jthread> threads;
        for (LinearResult& other : others) threads.emplace_back([&] { other = solve_with_highs(model, options, {}); });
    }
    for (const LinearResult& other : others) {
        EXPECT_EQ(other.bound, first.bound);
        EXPECT_EQ(other.nodes, first.nodes);
        EXPECT_EQ(other.primal, first.primal);
    }
}

TEST(Highs, SaysWhenThereIsNoSolution) {
    LinearModel model;
    const auto t = model.add_column(0, 10), x = model.add_column(0, 1, true);
    add_row(model, {{t, 1}, {x, 1}}, 12);
    EXPECT_EQ(solve_with_highs(model, {.unit = 10, .nodes = {}}, {}).status, LinearStatus::infeasible);
}

}  // namespace
}  // namespace sluice
