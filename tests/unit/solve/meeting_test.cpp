#include "sluice/solve/meeting.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "sluice/base/random.hpp"

namespace sluice::solve {
namespace {

/// Fails when two threads are inside at once; remembers what it saw.
class OneAtATime final : public Observer {
public:
    void on_event(const Event& event) override {
        EXPECT_EQ(inside_.fetch_add(1), 0) << "two threads at once";
        objectives.push_back(event.objective);
        bounds.push_back(event.bound);
        inside_.fetch_sub(1);
    }
    std::vector<std::optional<Duration>> objectives, bounds;

private:
    std::atomic<int> inside_ = 0;
};

TEST(Meeting, EventsAreSerialisedAndNeverGetWorse) {
    OneAtATime recorder;
    Meeting meeting(recorder, {}, 0, true);
    {
        std::vector<std::jthread> sides;
        for (int side = 0; side < 4; ++side)
            sides.emplace_back([&, side] {
                RandomStream random(9, static_cast<std::uint64_t>(side));
                for (int i = 0; i < 2000; ++i) {
                    const Duration value{random.between(0, 1000)};
                    if (side % 2 == 0)
                        meeting.announce("plan", Duration{5000} + value, std::nullopt, "");
                    else
                        meeting.announce("bound", std::nullopt, value, "");
                }
            });
    }
    ASSERT_EQ(recorder.objectives.size(), 8000u);
    for (std::size_t i = 1; i < recorder.objectives.size(); ++i) {
        const auto objective = recorder.objectives[i - 1], bound = recorder.bounds[i - 1];
        EXPECT_LE(recorder.objectives[i].value_or(Duration::max()), objective.value_or(Duration::max()));
        EXPECT_GE(recorder.bounds[i].value_or(Duration::min()), bound.value_or(Duration::min()));
    }
    EXPECT_FALSE(meeting.limits().interrupted());
}

TEST(Meeting, StopsBothSidesWhenTheyMeet) {
    SilentObserver silent;
    Meeting exact(silent, {}, 0, true);
    exact.announce("", Duration{100}, Duration{99}, "");
    EXPECT_FALSE(exact.limits().interrupted());
    exact.announce("", std::nullopt, Duration{100}, "");
    EXPECT_TRUE(exact.limits().interrupted());
    EXPECT_FALSE(exact.interrupted()) << "nobody asked to stop";

    Meeting near(silent, {}, 0.25, true);
    near.announce("", Duration{100}, Duration{74}, "");
    EXPECT_FALSE(near.limits().interrupted());
    near.announce("", std::nullopt, Duration{75}, "");
    EXPECT_TRUE(near.limits().interrupted());

    Meeting counted(silent, {.deadline = {}, .evaluations = 10, .stop = {}}, 0, false);
    counted.announce("", Duration{100}, Duration{100}, "");
    EXPECT_FALSE(counted.limits().interrupted()) << "timing must not matter here";
}

TEST(Meeting, PassesOnTheUsersWishToStop) {
    SilentObserver silent;
    std::stop_source user;
    Meeting meeting(silent, {.deadline = {}, .evaluations = {}, .stop = user.get_token()}, 0, true);
    EXPECT_FALSE(meeting.limits().interrupted());
    user.request_stop();
    EXPECT_TRUE(meeting.limits().interrupted());
    EXPECT_TRUE(meeting.interrupted());

    Meeting late(silent, {.deadline = {}, .evaluations = {}, .stop = user.get_token()}, 0, true);
    EXPECT_TRUE(late.limits().interrupted()) << "asked before it began";
}

TEST(Meeting, WaitsForTheFirstObjective) {
    SilentObserver silent;
    {
        Meeting meeting(silent, {}, 0, true);
        std::jthread planner([&] { meeting.announce("", Duration{42}, std::nullopt, ""); });
        EXPECT_EQ(meeting.wait_for_objective(), Duration{42});
    }
    {
        Meeting meeting(silent, {}, 0, true);
        std::jthread planner([&] { meeting.planning_ended(); });
        EXPECT_EQ(meeting.wait_for_objective(), std::nullopt);
    }
    {
        Meeting meeting(silent, {}, 0, true);
        std::jthread user([&] { meeting.stop(); });
        EXPECT_EQ(meeting.wait_for_objective(), std::nullopt);
    }
}

TEST(Meeting, TargetsAreTheLastValuesWithinTheGap) {
    RandomStream random(3);
    for (int run = 0; run < 2000; ++run) {
        const double gap = run % 5 == 0 ? 0 : random.unit() * 0.9;
        const Duration value{random.between(0, std::int64_t{1} << random.between(1, 50))};
        const Duration objective = good_enough_for(value, gap);
        EXPECT_GE(objective, value);
        EXPECT_LE(gap_of(objective, value), gap);
        const Duration bound = bound_needed_for(value, gap);
        EXPECT_LE(bound, value);
        EXPECT_LE(gap_of(value, bound), gap);
        if (bound < Duration(2)) continue;
        EXPECT_GT(gap_of(value, bound - Duration(2)), gap) << value.count() << " " << gap;
    }
    EXPECT_EQ(good_enough_for(Duration{77}, 0), Duration{77});
    EXPECT_EQ(bound_needed_for(Duration{77}, 0), Duration{77});
}

}  // namespace
}  // namespace sluice::solve
