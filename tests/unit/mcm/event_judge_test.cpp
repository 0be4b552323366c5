#include "sluice/mcm/judge/event_judge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tests/support/judged.hpp"

namespace sluice::mcm {
namespace {

using platform::StageModel;
using test::given_ring;
using test::GivenGraph;
using test::judged;
using test::no_effects;

std::int64_t period_of(test::Judged& made, const Assignment& chips) {
    const Verdict verdict = made.verdict(chips);
    EXPECT_TRUE(verdict.fits());
    return verdict.period.count();
}

graph::Graph chain_graph(std::vector<std::int64_t> times, std::int64_t transfer) {
    GivenGraph graph;
    std::vector<TensorId> last;
    for (const std::int64_t time : times) last = {graph.add(time, last, transfer)};
    return std::move(graph).build();
}

TEST(EventJudge, OneChipIsItsWork) {
    for (const StageModel model : {StageModel::serial, StageModel::overlap}) {
        const graph::Graph graph = chain_graph({100, 20, 3}, 50);
        const auto made = judged(graph, given_ring(graph, 1, model), no_effects());
        const Verdict verdict = made->verdict({0, 0, 0});
        EXPECT_EQ(verdict.period.count(), 123);
        EXPECT_EQ(verdict.latency.count(), 123);
        EXPECT_EQ(verdict.chip_times, std::vector{Duration{123}});
    }
}

TEST(EventJudge, TwoChipsAreTheSlowerOne) {
    const graph::Graph graph = chain_graph({100, 80}, 30);
    const auto overlap = judged(graph, given_ring(graph, 2, StageModel::overlap), no_effects());
    EXPECT_EQ(period_of(*overlap, {0, 1}), 100);
    EXPECT_EQ(overlap->verdict({0, 1}).latency.count(), 210);
    EXPECT_EQ(overlap->verdict({0, 1}).chip_times, (std::vector{Duration{100}, Duration{80}}));
    const auto serial = judged(graph, given_ring(graph, 2, StageModel::serial), no_effects());
    EXPECT_EQ(period_of(*serial, {0, 1}), 130);
    EXPECT_EQ(serial->verdict({0, 1}).chip_times, (std::vector{Duration{130}, Duration{110}}));
    EXPECT_EQ(period_of(*serial, {0, 0}), 180);
}

TEST(EventJudge, ASaturatedLinkIsItsTraffic) {
    const graph::Graph graph = chain_graph({10, 10}, 70);
    const auto made = judged(graph, given_ring(graph, 2, StageModel::overlap), no_effects());
    EXPECT_EQ(period_of(*made, {0, 1}), 70);
    auto options = no_effects();
    options.message_overhead = Duration{5};
    EXPECT_EQ(period_of(*judged(graph, given_ring(graph, 2, StageModel::overlap), options), {0, 1}), 75);
    // One buffer: the link waits until the reader is done.
    options = no_effects();
    options.compile.receive_buffers = 1;
    EXPECT_EQ(period_of(*judged(graph, given_ring(graph, 2, StageModel::overlap), options), {0, 1}), 80);
}

/// a and b are read by c, two chips further and one.
graph::Graph over_the_middle() {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 40), b = graph.add(10, {}, 30);
    graph.add(10, {a, b}, 0);
    return std::move(graph).build();
}

TEST(EventJudge, WhatPassesAChipOccupiesBothLinks) {
    const graph::Graph graph = over_the_middle();
    const auto made = judged(graph, given_ring(graph, 3, StageModel::overlap), no_effects());
    EXPECT_EQ(period_of(*made, {0, 1, 2}), 70);  // 1 -> 2 carries both; planners see the reader's 70 as well
    const JudgeDetail detail = test::detail::must(made->judge->detail(Assignment{0, 1, 2}));
    ASSERT_EQ(detail.links.size(), 2U);
    EXPECT_EQ(detail.links[0].busy.count(), 40);
    EXPECT_EQ(detail.links[1].busy.count(), 70);
    EXPECT_EQ(detail.links[1].tensors, 2);
    EXPECT_DOUBLE_EQ(detail.links[1].utilisation, 1.0);
}

TEST(EventJudge, AMulticastIsSentOnce) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 25);
    for (int i = 0; i < 3; ++i) graph.add(10, {a}, 0);
    const graph::Graph built = std::move(graph).build();
    for (const bool relay : {false, true}) {
        const auto made = judged(built, given_ring(built, 4, StageModel::overlap), no_effects(), {.relay = relay});
        EXPECT_EQ(period_of(*made, {0, 1, 2, 3}), 25);
        EXPECT_EQ(made->verdict({0, 1, 2, 3}).chip_times[1].count(), 25);
    }
    // Serial: a relay takes in and sends again, a reader on the way takes in.
    const auto past = judged(built, given_ring(built, 4, StageModel::serial), no_effects(), {.relay = false});
    EXPECT_EQ(past->verdict({0, 1, 2, 3}).chip_times[1].count(), 35);
    const auto relayed = judged(built, given_ring(built, 4, StageModel::serial), no_effects(), {.relay = true});
    EXPECT_EQ(relayed->verdict({0, 1, 2, 3}).chip_times[1].count(), 60);
    EXPECT_EQ(relayed->verdict({0, 0, 0, 3}).chip_times[2].count(), 50) << "an empty chip hands on, too";
}

TEST(EventJudge, WhatHandsOnHasBuffersToTakeInAndToSend) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 25, 128);
    for (int i = 0; i < 2; ++i) graph.add(10, {a}, 0);
    const graph::Graph built = std::move(graph).build();
    auto options = no_effects();
    options.compile.receive_buffers = 3;
    options.compile.send_buffers = 5;
    const auto buffers = [&](bool relay, const Assignment& chips) {
        const auto made = judged(built, given_ring(built, 4, StageModel::overlap), options, {.relay = relay});
        const JudgeDetail detail = test::detail::must(made->judge->detail(chips));
        std::vector<std::int64_t> result;
        for (const ChipUse& use : detail.chips) result.push_back(use.memory.buffers.count / 128);
        return result;
    };
    // Chip 1 reads it, chip 2 only lets it pass; a relay does the same as the operator that the finished plan has there.
    EXPECT_EQ(buffers(false, {0, 1, 3}), (std::vector<std::int64_t>{5, 3, 3, 3}));
    EXPECT_EQ(buffers(true, {0, 1, 3}), (std::vector<std::int64_t>{5, 8, 8, 3}));
}

TEST(EventJudge, OperatorsAreNotToBlameForWhatPassesThem) {
    // a goes from chip 0 to chip 2; chip 1 has an operator of its own that needs two lines to take in and two to send.
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 25, 128), b = graph.add(10, {}, 25, 128), c = graph.add(10, {b}, 25, 128);
    graph.add(10, {a, c}, 0);
    const graph::Graph built = std::move(graph).build();
    const Assignment chips{0, 0, 1, 2};
    for (const auto& [relay, lines] : {std::pair{false, 3}, {true, 4}}) {  // of a on chip 1, a third where it waits for b
        const auto failure = [&](std::int64_t memory) {
            return judged(built, given_ring(built, 3, StageModel::overlap, memory * 128), no_effects(), {.relay = relay})
                ->verdict(chips)
                .failure;
        };
        EXPECT_FALSE(failure(4 + lines));
        const auto passed = failure(3 + lines);
        ASSERT_TRUE(passed);
        EXPECT_EQ(passed->chip, 1U);
        EXPECT_TRUE(passed->nodes.empty()) << "another chip could hold it";
    }
    // On its own it is too much for three lines; chip 0, which sends two tensors, is so, too, and the first.
    const auto own =
        judged(built, given_ring(built, 3, StageModel::overlap, 3 * 128), no_effects(), {.relay = true})->verdict(chips).failure;
    ASSERT_TRUE(own);
    EXPECT_EQ(own->nodes, (std::vector{NodeId(0), NodeId(1)}));
}

TEST(EventJudge, AMessageThatWaitsForALongerWayHasTheBuffersForIt) {
    // 0 -> 1 -> 2 -> 3 -> 4 and 0 -> 4 beside it: with two buffers only two inputs would be under way.
    GivenGraph graph;
    const TensorId a = graph.add(100, {}, 1), around = graph.add(0, {a}, 1);
    TensorId x = a;
    for (int i = 0; i < 3; ++i) x = graph.add(100, {x}, 1);
    graph.add(100, {x, around}, 1);
    const graph::Graph built = std::move(graph).build();
    const auto made = judged(built, given_ring(built, 5, StageModel::overlap), no_effects(), {.triangle = false});
    EXPECT_EQ(period_of(*made, {0, 0, 1, 2, 3, 4}), 100);
}

TEST(EventJudge, HostTransfersCount) {
    GivenGraph graph;
    const TensorId in = graph.input(1'000'000);
    graph.add(10, {in}, 0, 0);
    const graph::Graph built = std::move(graph).build();
    auto platform = given_ring(built, 1, StageModel::overlap);
    EXPECT_EQ(period_of(*judged(built, platform, no_effects()), {0}), 10);
    platform.host_link = {ByteRate{1'000'000'000'000'000}, Duration{0}};
    EXPECT_EQ(period_of(*judged(built, platform, no_effects()), {0}), 1'000);
    platform.model = StageModel::serial;
    EXPECT_EQ(period_of(*judged(built, platform, no_effects()), {0}), 1'010);
}

TEST(EventJudge, SpilledParametersShareOneChannel) {
    GivenGraph graph;
    for (int i = 0; i < 3; ++i) graph.add(100, {}, 0, 0, 50);
    const graph::Graph built = std::move(graph).build();
    auto platform = given_ring(built, 3, StageModel::overlap, 20);
    platform.classes[0].overflow = platform::Overflow::spill;
    platform.classes[0].spill_rate = ByteRate{1'000'000'000'000};  // a byte a picosecond
    const auto made = judged(built, platform, no_effects());
    EXPECT_EQ(bottleneck(made->problem, Assignment{0, 1, 2}).count(), 130);
    EXPECT_EQ(period_of(*made, {0, 1, 2}), 130);  // the channel is busy for 90
    platform.classes[0].spill_rate = ByteRate{250'000'000'000};
    const auto slow = judged(built, platform, no_effects());
    EXPECT_EQ(bottleneck(slow->problem, Assignment{0, 1, 2}).count(), 220);
    EXPECT_EQ(period_of(*slow, {0, 1, 2}), 360);  // three chips take turns at 120 each
}

TEST(EventJudge, AChipThatDoesNotFitSaysWhyInNumbers) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 1, 1 << 20, 3 << 20);
    const TensorId b = graph.add(10, {a}, 1, 2 << 20, 3 << 20);
    graph.add(10, {b}, 1, 0, 1 << 20);
    const graph::Graph built = std::move(graph).build();
    const auto made = judged(built, given_ring(built, 3, StageModel::overlap, 10 << 20), no_effects());
    // Chip 0: 6 MiB of parameters, t0 of 1 MiB, and two send buffers for t1.
    const Verdict verdict = made->verdict({0, 0, 1});
    ASSERT_FALSE(verdict.fits());
    EXPECT_EQ(verdict.failure->chip, 0U);
    EXPECT_EQ(verdict.failure->why.kind, DiagnosticKind::infeasible);
    EXPECT_EQ(verdict.failure->why.message, "chip 0 needs 11.0 MiB of SRAM and has 10.0 MiB: 1.0 MiB too much");
    ASSERT_EQ(verdict.failure->why.notes.size(), 2U);
    EXPECT_NE(verdict.failure->why.notes[0].find("6.0 MiB of parameters, 4.0 MiB of receive and send buffers, 1.0 MiB of activations"),
              std::string::npos)
        << verdict.failure->why.notes[0];
    EXPECT_NE(verdict.failure->why.notes[1].find("'t1' of 2.0 MiB"), std::string::npos);
    EXPECT_EQ(verdict.failure->nodes, (std::vector{NodeId(0), NodeId(1)}));
    EXPECT_TRUE(made->verdict({0, 1, 2}).fits());
    // The same content on another chip, known by now, names that chip.
    const std::size_t compiled = made->judge->compiled();
    const Verdict again = made->verdict({1, 1, 2});
    ASSERT_FALSE(again.fits());
    EXPECT_EQ(made->judge->compiled(), compiled);
    EXPECT_EQ(again.failure->chip, 1U);
    EXPECT_TRUE(again.failure->why.message.starts_with("chip 1 needs 11.0 MiB")) << again.failure->why.message;
}

TEST(EventJudge, AnOperatorThatFitsNoChipIsSaidBeforehand) {
    GivenGraph graph;
    graph.add(10, {}, 1, 0, 1 << 20);
    graph.add(10, {}, 1, 0, 14 << 20);
    const graph::Graph built = std::move(graph).build();
    const auto made = test::on_ring(built, given_ring(built, 2, StageModel::overlap, 12 << 20));
    const auto judge = event_judge(made->graph, made->problem, made->platform, no_effects());
    ASSERT_FALSE(judge.has_value());
    EXPECT_EQ(judge.error().kind, DiagnosticKind::infeasible);
    EXPECT_NE(judge.error().message.find("'op1' needs 14.0 MiB of SRAM wherever it lies, a chip has 12.0 MiB"), std::string::npos)
        << judge.error().message;
}

TEST(EventJudge, DataDoesNotMoveBackwards) {
    const graph::Graph graph = chain_graph({10, 10}, 1);
    const auto made = judged(graph, given_ring(graph, 2, StageModel::overlap), no_effects(), {.acyclic = false});
    const Verdict verdict = made->verdict({1, 0});
    ASSERT_FALSE(verdict.fits());
    EXPECT_NE(verdict.failure->why.message.find("'t0' would have to move backwards, from chip 1 to chip 0"), std::string::npos);
}

TEST(EventJudge, WhatIsNoAssignmentIsRefused) {
    const graph::Graph graph = chain_graph({10, 10}, 1);
    const auto made = judged(graph, given_ring(graph, 2, StageModel::overlap), no_effects());
    EXPECT_EQ(made->judge->judge(Assignment{0}).error().kind, DiagnosticKind::usage);
    EXPECT_EQ(made->judge->judge(Assignment{0, 2}).error().kind, DiagnosticKind::usage);
    std::stop_source source;
    source.request_stop();
    auto options = no_effects();
    options.stop = source.get_token();
    EXPECT_EQ(judged(graph, given_ring(graph, 2, StageModel::overlap), options)->judge->judge(Assignment{0, 1}).error().kind,
              DiagnosticKind::stopped);
}

TEST(EventJudge, NoiseIsThatOfSeedAssignmentAndTurn) {
    const graph::Graph graph = chain_graph({100'000, 80'000, 90'000}, 30);
    const auto with = [&](std::uint64_t seed) {
        auto options = no_effects();
        options.noise = 0.02;
        options.seed = seed;
        return judged(graph, given_ring(graph, 3, StageModel::overlap), options);
    };
    const auto one = with(1), again = with(1), two = with(2);
    std::vector<std::int64_t> seen;
    for (int i = 0; i < 200; ++i) seen.push_back(period_of(*one, {0, 1, 2}));
    // Verdicts on others between do not matter.
    EXPECT_NE(period_of(*again, {0, 0, 1}), 180'000);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(period_of(*again, {0, 1, 2}), seen[static_cast<std::size_t>(i)]);
    EXPECT_NE(period_of(*two, {0, 1, 2}), seen[0]);
    EXPECT_GT(std::set<std::int64_t>(seen.begin(), seen.end()).size(), 190U);
    const double mean = std::accumulate(seen.begin(), seen.end(), 0.0) / 200;
    double variance = 0;
    for (const std::int64_t period : seen) variance += (static_cast<double>(period) - mean) * (static_cast<double>(period) - mean) / 199;
    EXPECT_NEAR(mean, 100'000, 500);
    EXPECT_NEAR(std::sqrt(variance), 2'000, 400);
    EXPECT_EQ(test::detail::must(one->judge->detail(Assignment{0, 1, 2})).verdict.period.count(), 100'000);
}

TEST(EventJudge, OnlyWhatIsNewIsCompiled) {
    const graph::Graph graph = test::bert_like_graph(4, false);
    const auto made = judged(graph, given_ring(graph, 6, StageModel::overlap), {}, {.triangle = false});
    Assignment chips(made->problem.node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) chips[v] = static_cast<std::uint8_t>(v * 6 / chips.size());
    const Verdict first = made->verdict(chips);
    EXPECT_EQ(made->judge->compiled(), 6U);
    EXPECT_EQ(made->verdict(chips).period, first.period);
    EXPECT_EQ(made->judge->compiled(), 6U);
    const auto border = std::ranges::find(chips, 3);
    *border = 2;
    const Verdict moved = made->verdict(chips);
    EXPECT_LE(made->judge->compiled(), 9U);
    // The same as a judge that knows nothing yet.
    const auto fresh = judged(graph, given_ring(graph, 6, StageModel::overlap), {}, {.triangle = false});
    const Verdict anew = fresh->verdict(chips);
    EXPECT_EQ(anew.period, moved.period);
    EXPECT_EQ(anew.latency, moved.latency);
    EXPECT_EQ(anew.chip_times, moved.chip_times);
    // And with room for hardly any chip.
    EventJudgeOptions small;
    small.kept_chips = 1;
    const auto forgetful = judged(graph, given_ring(graph, 6, StageModel::overlap), small, {.triangle = false});
    EXPECT_EQ(forgetful->verdict(chips).period, moved.period);
    EXPECT_EQ(forgetful->verdict(chips).period, moved.period);
}

TEST(EventJudge, RingsOfOneAndOf64Chips) {
    const graph::Graph graph = test::bert_like_graph(20, false);
    const auto one = judged(graph, given_ring(graph, 1, StageModel::overlap), {});
    const Assignment all(one->problem.node_count(), 0);
    EXPECT_GT(one->verdict(all).period, bottleneck(one->problem, all));
    const auto many = judged(graph, given_ring(graph, 64, StageModel::overlap), {}, {.triangle = false});
    Assignment chips(many->problem.node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) chips[v] = static_cast<std::uint8_t>(v * 64 / chips.size());
    const Verdict verdict = many->verdict(chips);
    EXPECT_GE(verdict.period, bottleneck(many->problem, chips));
    EXPECT_GT(verdict.latency, verdict.period);
    EXPECT_EQ(verdict.chip_times.size(), 64U);
}

TEST(EventJudge, DetailAddsUp) {
    const graph::Graph graph = test::bert_like_graph(4, false);
    const auto made = judged(graph, given_ring(graph, 6, StageModel::overlap), {}, {.triangle = false});
    Assignment chips(made->problem.node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) chips[v] = static_cast<std::uint8_t>(v * 6 / chips.size());
    const JudgeDetail detail = test::detail::must(made->judge->detail(chips, 3));
    const Verdict verdict = made->verdict(chips);
    EXPECT_EQ(detail.verdict.period, verdict.period);
    std::size_t operators = 0;
    double most = 0;
    for (std::size_t c = 0; c < 6; ++c) {
        operators += detail.chips[c].operators;
        most = std::max(most, detail.chips[c].utilisation);
        EXPECT_LE(detail.chips[c].planned, verdict.chip_times[c]);
        EXPECT_GT(detail.chips[c].memory.peak().count, 0);
        EXPECT_LE(detail.chips[c].utilisation, 1.0);
    }
    EXPECT_EQ(operators, chips.size());
    EXPECT_GT(most, 0.9);
    ASSERT_EQ(detail.links.size(), 5U);
    Bytes moved, crossing;
    for (const RingLinkUse& link : detail.links) moved += link.bytes;
    for (std::size_t e = 0; e < made->costs.edge_count(); ++e) {
        if (!made->costs.producer[e].valid()) continue;
        std::uint8_t last = chips[made->costs.producer[e].index()];
        for (const NodeId reader : made->costs.consumers[e]) last = std::max(last, chips[reader.index()]);
        crossing.count += made->costs.bytes[e].count * (last - chips[made->costs.producer[e].index()]);
    }
    EXPECT_EQ(moved, crossing);
    // The trace: tasks of a track one after another, every operator's kernel for each of the inputs.
    ASSERT_FALSE(detail.tasks.empty());
    std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> spans(detail.tracks.size());
    for (const simulate::TraceTask& task : detail.tasks) {
        ASSERT_LT(task.track, spans.size());
        ASSERT_LT(task.name, detail.names.size());
        ASSERT_LT(task.input, 3);
        spans[task.track].emplace_back(task.start.count(), task.end.count());
    }
    for (auto& track : spans) {
        std::ranges::sort(track);
        for (std::size_t i = 1; i < track.size(); ++i) ASSERT_LE(track[i - 1].second, track[i].first);
    }
}

}  // namespace
}  // namespace sluice::mcm
