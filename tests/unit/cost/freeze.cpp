// From a graph and a platform to the frozen problem: worked out by hand.
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "sluice/cost/partition.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/workloads.hpp"

namespace sluice::cost {
namespace {

using graph::DataType;
using platform::Platform;

/// Builds graphs in a few words. Tensors are f32 of the given bytes.
struct Sketch {
    graph::GraphBuilder builder{"sketch"};
    graph::GivenCosts given;

    TensorId tensor(std::string name, std::int64_t bytes, Duration transfer = Duration{0}, bool output = false,
                    DataType type = DataType::f32) {
        graph::Tensor tensor;
        tensor.name = std::move(name);
        tensor.type = type;
        tensor.bytes = {bytes};
        tensor.model_output = output;
        given.transfer.push_back(transfer);
        return builder.add_tensor(std::move(tensor));
    }
    ParameterId parameter(std::string name, std::int64_t bytes, DataType type = DataType::f32) {
        graph::Parameter parameter;
        parameter.name = std::move(name);
        parameter.type = type;
        parameter.bytes = {bytes};
        return builder.add_parameter(std::move(parameter));
    }
    void add(std::string name, std::vector<TensorId> in, std::vector<TensorId> out, std::vector<ParameterId> parameters = {},
             std::optional<std::uint32_t> colour = std::nullopt, bool replicated = false) {
        graph::Operator made;
        made.name = std::move(name);
        made.colour = colour;
        made.replicated = replicated;
        builder.add_operator(std::move(made), in, out, parameters);
    }
    graph::Graph build(bool with_given = true) {
        if (with_given) builder.set_given_costs(given);
        auto graph = std::move(builder).build();
        if (!graph) ADD_FAILURE() << to_text(graph.error());
        return *std::move(graph);
    }
};

StageProblem frozen(const graph::Graph& graph, const Platform& platform, std::int64_t stages = 0) {
    auto problem = freeze(graph, platform, stages);
    if (!problem) ADD_FAILURE() << to_text(problem.error());
    return std::move(problem->problem);
}

Diagnostic refused(const graph::Graph& graph, const Platform& platform, std::int64_t stages = 0) {
    auto problem = freeze(graph, platform, stages);
    EXPECT_FALSE(problem.has_value());
    return problem ? Diagnostic{} : problem.error();
}

std::vector<std::size_t> numbers(auto ids) {
    std::vector<std::size_t> values;
    for (auto id : ids) values.push_back(id.index());
    return values;
}
using Numbers = std::vector<std::size_t>;

/// x -> a -> t -> {b, c}; c also makes u that nobody reads; w is shared by a and c.
Sketch fork() {
    Sketch sketch;
    const TensorId x = sketch.tensor("x", 10, Duration{100}), t = sketch.tensor("t", 20, Duration{7}),
                   y = sketch.tensor("y", 30, Duration{9}, true), u = sketch.tensor("u", 40, Duration{11});
    const ParameterId w = sketch.parameter("w", 50), unused = sketch.parameter("unused", 60);
    (void)unused;
    sketch.add("a", {x}, {t}, {w});
    sketch.add("b", {t}, {y});
    sketch.add("c", {t}, {u}, {w});
    sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{2}, Duration{3}}}};
    return sketch;
}

TEST(Freeze, Fork) {
    const graph::Graph graph = fork().build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph));
    ASSERT_EQ(problem.node_count(), 3U);
    EXPECT_EQ(problem.classes.at(0).work, (std::vector{Duration{1}, Duration{2}, Duration{3}}));
    EXPECT_EQ(problem.classes[0].count, 2);
    // Edges: the input x (free), t (7 ps). The output y and the dead end u stay where they are made.
    ASSERT_EQ(problem.edge_count(), 2U);
    EXPECT_FALSE(problem.producer[0].valid());
    EXPECT_EQ(numbers(problem.consumers[0]), Numbers{0});
    EXPECT_EQ(problem.transfer, (std::vector{Duration{0}, Duration{7}}));
    EXPECT_EQ(problem.bytes, (std::vector{Bytes{10}, Bytes{20}}));
    EXPECT_EQ(problem.producer[1], NodeId(0));
    EXPECT_EQ(numbers(problem.consumers[1]), (Numbers{1, 2}));
    EXPECT_EQ(problem.to_host, (std::vector<char>{0, 0}));
    EXPECT_EQ(problem.scratch, (std::vector{Bytes{0}, Bytes{30}, Bytes{40}}));
    EXPECT_EQ(numbers(problem.inputs[0]), Numbers{0});
    EXPECT_EQ(numbers(problem.outputs[0]), Numbers{1});
    EXPECT_EQ(numbers(problem.inputs[2]), Numbers{1});
    EXPECT_EQ(numbers(problem.successors[0]), (Numbers{1, 2}));
    EXPECT_EQ(numbers(problem.predecessors[2]), Numbers{0});
    EXPECT_TRUE(problem.predecessors[0].empty());
    // One weight; a parameter nobody uses is none.
    EXPECT_EQ(problem.weight_bytes, std::vector{Bytes{50}});
    EXPECT_EQ(numbers(problem.weight_users[0]), (Numbers{0, 2}));
    EXPECT_EQ(numbers(problem.weights[2]), Numbers{0});
    EXPECT_TRUE(problem.weights[1].empty());
    EXPECT_EQ(numbers(problem.operators[2]), Numbers{2});
    EXPECT_EQ(problem.node_of[1], NodeId(1));
}

/// {a}, {b, c} by hand: t crosses once, is read twice inside and moved in once.
TEST(Freeze, ForkPriced) {
    const graph::Graph graph = fork().build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph));
    const Partition partition{{{{NodeId(0)}}, {{NodeId(1), NodeId(2)}}}};
    const PartitionCost cost = price(problem, partition);
    EXPECT_EQ(cost.stages.at(0), (StageTerms{Duration{1}, Duration{0}, Duration{7}, Duration{0}, {50}, {10 + 20}}));
    EXPECT_EQ(cost.stages.at(1), (StageTerms{Duration{5}, Duration{7}, Duration{0}, Duration{0}, {50}, {20 + 40}}));
    EXPECT_EQ(cost.bottleneck, Duration{12});
    EXPECT_EQ(cost.latency, Duration{8 + 12});
    EXPECT_EQ(cost.peak_memory, Bytes{110});
    EXPECT_TRUE(faults_of(problem, partition, 2).empty());
}

TEST(Freeze, HostLinkChargesInputsAndOutputs) {
    const graph::Graph graph = fork().build();
    Platform platform = platform::given_platform(graph);
    platform.host_link = platform::Link{{1'000'000'000'000}, Duration{5}};  // a byte a picosecond
    const StageProblem problem = frozen(graph, platform);
    ASSERT_EQ(problem.edge_count(), 3U);
    EXPECT_EQ(problem.transfer, (std::vector{Duration{15}, Duration{7}, Duration{35}}));
    EXPECT_EQ(problem.to_host, (std::vector<char>{0, 0, 1}));
    EXPECT_TRUE(problem.consumers[2].empty());
    EXPECT_EQ(problem.scratch[1], Bytes{0});
    const StageTerms whole = stage_terms(problem, std::vector{NodeId(0), NodeId(1), NodeId(2)}, ClassId(0));
    EXPECT_EQ(whole.in, Duration{15});
    EXPECT_EQ(whole.out, Duration{35});
}

/// An output that other stages read as well has one number: that of the slower way.
TEST(Freeze, OutputThatIsReadToo) {
    for (const std::int64_t to_stages : {3, 300}) {
        Sketch sketch;
        const TensorId t = sketch.tensor("t", 20, Duration{to_stages}, true);
        sketch.add("a", {}, {t});
        sketch.add("b", {t}, {});
        sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{2}}}};
        const graph::Graph graph = sketch.build();
        Platform platform = platform::given_platform(graph);
        EXPECT_EQ(frozen(graph, platform).to_host, std::vector<char>{0});
        platform.host_link = platform::Link{{1'000'000'000'000}, Duration{0}};
        const StageProblem problem = frozen(graph, platform);
        EXPECT_EQ(problem.transfer, std::vector{Duration{std::max<std::int64_t>(to_stages, 20)}});
        EXPECT_EQ(problem.to_host, std::vector<char>{1});
        EXPECT_EQ(stage_terms(problem, std::vector{NodeId(0), NodeId(1)}, ClassId(0)).out, problem.transfer[0]);  // leaves in any case
    }
}

/// Colours 1: a and d; b lies between them, c does not: {a, b, d} is one node, and the tensors inside it are scratch.
TEST(Freeze, ColoursAreClosedUnderConvexity) {
    Sketch sketch;
    const TensorId t1 = sketch.tensor("t1", 1, Duration{1}), t2 = sketch.tensor("t2", 2, Duration{2}),
                   t3 = sketch.tensor("t3", 4, Duration{3});
    const ParameterId w = sketch.parameter("w", 8);
    sketch.add("a", {}, {t1}, {w}, 1);
    sketch.add("b", {t1}, {t2}, {w});
    sketch.add("c", {t1}, {t3});
    sketch.add("d", {t2}, {}, {}, 1);
    sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{10}, Duration{100}, Duration{1000}}}};
    const graph::Graph graph = sketch.build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph));
    ASSERT_EQ(problem.node_count(), 2U);
    EXPECT_EQ(numbers(problem.operators[0]), (Numbers{0, 1, 3}));
    EXPECT_EQ(numbers(problem.operators[1]), Numbers{2});
    EXPECT_EQ(problem.classes[0].work, (std::vector{Duration{1011}, Duration{100}}));
    ASSERT_EQ(problem.edge_count(), 1U);  // t1, to c only
    EXPECT_EQ(numbers(problem.consumers[0]), Numbers{1});
    EXPECT_EQ(problem.scratch, (std::vector{Bytes{2}, Bytes{4}}));
    EXPECT_EQ(numbers(problem.weight_users[0]), Numbers{0});
}

/// Two classes that reach into each other are one node; a chain of them too.
TEST(Freeze, ColoursThatInterleaveMerge) {
    Sketch sketch;
    std::vector<TensorId> t;
    for (int i = 0; i < 5; ++i) t.push_back(sketch.tensor("t" + std::to_string(i), 1, Duration{1}));
    sketch.add("a", {}, {t[0]}, {}, 1);
    sketch.add("b", {t[0]}, {t[1]}, {}, 2);
    sketch.add("c", {t[1]}, {t[2]}, {}, 1);
    sketch.add("d", {t[2]}, {t[3]}, {}, 2);
    sketch.add("e", {t[3]}, {t[4]}, {}, 3);
    sketch.given.classes = {{"chip", 2, std::nullopt, std::vector<std::optional<Duration>>(5, Duration{1})}};
    const graph::Graph graph = sketch.build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph));
    ASSERT_EQ(problem.node_count(), 2U);
    EXPECT_EQ(numbers(problem.operators[0]), (Numbers{0, 1, 2, 3}));
}

/// Replicated operators vanish with what they make; what only they read is nobody's input.
TEST(Freeze, ReplicatedOperatorsAreNoPart) {
    Sketch sketch;
    const TensorId x = sketch.tensor("x", 1, Duration{1}), shape = sketch.tensor("shape", 2, Duration{2}),
                   t = sketch.tensor("t", 4, Duration{3});
    const ParameterId w = sketch.parameter("w", 8);
    sketch.add("a", {}, {t});
    sketch.add("shape", {x, t}, {shape}, {w}, std::nullopt, true);
    sketch.add("b", {shape}, {});
    sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{10}, Duration{100}}}};
    const graph::Graph graph = sketch.build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph));
    ASSERT_EQ(problem.node_count(), 2U);
    EXPECT_EQ(problem.edge_count(), 0U);
    EXPECT_EQ(problem.weight_count(), 0U);
    EXPECT_EQ(problem.scratch, (std::vector{Bytes{4}, Bytes{0}}));
    EXPECT_EQ(problem.classes[0].work, (std::vector{Duration{1}, Duration{100}}));
    EXPECT_FALSE(problem.node_of[1].valid());
    EXPECT_EQ(problem.node_of[2], NodeId(1));
}

TEST(Freeze, LinkAndLatencyRoundUpOnce) {
    Sketch sketch = fork();
    sketch.given.transfer.clear();
    sketch.given.link = ByteRate{3'000'000'000'000};  // 20 B take 6.67 ps
    const graph::Graph graph = sketch.build();
    Platform platform = platform::given_platform(graph);
    platform.stage_link.latency = Duration{4};
    EXPECT_EQ(frozen(graph, platform).transfer, (std::vector{Duration{0}, Duration{7 + 4}}));
}

TEST(Freeze, ClassesAndSupport) {
    Sketch sketch = fork();
    sketch.given.classes = {{"fast", 2, Bytes{99}, {Duration{1}, std::nullopt, Duration{3}}},
                            {"slow", 1, std::nullopt, {Duration{10}, Duration{20}, std::nullopt}}};
    const graph::Graph graph = sketch.build();
    const StageProblem problem = frozen(graph, platform::given_platform(graph), 6);
    ASSERT_EQ(problem.classes.size(), 2U);
    EXPECT_EQ(problem.classes[0].count, 5);  // with the slow one, as many as asked for
    EXPECT_EQ(problem.classes[1].count, 1);
    EXPECT_EQ(problem.classes[0].work, (std::vector{Duration{1}, Duration{0}, Duration{3}}));
    EXPECT_EQ(problem.classes[1].work, (std::vector{Duration{10}, Duration{20}, Duration{0}}));
    EXPECT_FALSE(problem.classes[0].supported.contains(1));
    EXPECT_FALSE(problem.classes[1].supported.contains(2));
    EXPECT_EQ(problem.classes[0].overflow, Overflow::hard);
    EXPECT_EQ(problem.classes[0].fast_memory, Bytes{99});
    EXPECT_EQ(frozen(graph, platform::given_platform(graph), 1).classes[0].count, 2);  // never fewer than there are

    // A platform of other names plans with the first class's times.
    Platform other = platform::given_platform(graph);
    other.classes.resize(1);
    other.classes[0].name = "mine";
    EXPECT_NE(refused(graph, other).message.find("'b'"), std::string::npos);
}

TEST(Freeze, NodesNobodySupportsAreRefused) {
    Sketch sketch = fork();
    sketch.given.classes = {{"fast", 2, std::nullopt, {Duration{1}, std::nullopt, Duration{3}}}};
    const graph::Graph graph = sketch.build();
    EXPECT_NE(refused(graph, platform::given_platform(graph)).message.find("supports operator 'b'"), std::string::npos);

    // Each operator of the colour is supported somewhere, but not both in one place.
    Sketch tied;
    tied.add("a", {}, {}, {}, 1);
    tied.add("b", {}, {}, {}, 1);
    tied.given.classes = {{"fast", 1, std::nullopt, {Duration{1}, std::nullopt}}, {"slow", 1, std::nullopt, {std::nullopt, Duration{1}}}};
    const graph::Graph both = tied.build();
    EXPECT_NE(refused(both, platform::given_platform(both)).message.find("supports operator 'a'"), std::string::npos);
}

TEST(Freeze, SpillUsesTheStageLinkUnlessTold) {
    const graph::Graph graph = fork().build();
    Platform platform = platform::given_platform(graph);
    platform.stage_link.rate = {3'000'000'000'000};
    platform.classes[0].overflow = platform::Overflow::spill;
    platform.classes[0].fast_memory = {40};
    EXPECT_EQ(stage_terms(frozen(graph, platform), std::vector{NodeId(0)}, ClassId(0)).spill, Duration{4});  // 10 B: 3.33 ps
    platform.classes[0].spill_rate = ByteRate{1'000'000'000'000};
    const StageProblem problem = frozen(graph, platform);
    EXPECT_EQ(stage_terms(problem, std::vector{NodeId(0)}, ClassId(0)).spill, Duration{10});
    EXPECT_EQ(stage_terms(problem, std::vector{NodeId(0), NodeId(2)}, ClassId(0)).spill, Duration{10});  // the shared weight counts once
    EXPECT_EQ(stage_terms(problem, std::vector{NodeId(1)}, ClassId(0)).spill, Duration{0});
}

TEST(Freeze, FingerprintFollowsTheObjective) {
    const graph::Graph graph = fork().build();
    const Platform platform = platform::given_platform(graph);
    const std::string base = frozen(graph, platform).fingerprint;
    EXPECT_EQ(frozen(graph, platform).fingerprint, base);
    Platform renamed = platform;
    renamed.name = renamed.assumptions = "other words";
    EXPECT_EQ(frozen(graph, renamed).fingerprint, base);

    Platform changed = platform;
    changed.model = platform::StageModel::overlap;
    EXPECT_NE(frozen(graph, changed).fingerprint, base);
    changed = platform;
    changed.classes[0].overflow = platform::Overflow::hard;
    changed.classes[0].fast_memory = {1000};
    const std::string hard = frozen(graph, changed).fingerprint;
    EXPECT_NE(hard, base);
    changed.classes[0].fast_memory = {1001};
    EXPECT_NE(frozen(graph, changed).fingerprint, hard);
    EXPECT_NE(frozen(graph, platform, 3).fingerprint, base);

    for (int change = 0; change < 3; ++change) {
        Sketch sketch = fork();
        if (change == 0) sketch.given.classes[0].time[2] = Duration{4};
        if (change == 1) sketch.given.transfer[1] = Duration{8};
        if (change == 2) sketch.add("d", {}, {}, {}), sketch.given.classes[0].time.push_back(Duration{0});
        const graph::Graph other = sketch.build();
        EXPECT_NE(frozen(other, platform::given_platform(other)).fingerprint, base) << change;
    }
}

TEST(Freeze, MoreStagesChangeOnlyTheDevicesOfTheFirstClass) {
    const graph::Graph graph = fork().build();
    const Platform platform = platform::given_platform(graph);
    for (const std::int64_t stages : {1, 2, 3, 9}) {
        StageProblem grown = frozen(graph, platform);
        allow_stages(grown, stages);
        const auto again = freeze(graph, platform, stages);
        ASSERT_TRUE(again.has_value());
        EXPECT_EQ(grown.fingerprint, again->problem.fingerprint) << stages;
        EXPECT_EQ(grown.classes[0].count, again->problem.classes[0].count) << stages;
    }
}

TEST(Freeze, RefusesNothingToPlan) {
    Sketch sketch;
    sketch.add("shape", {}, {}, {}, std::nullopt, true);
    sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}}}};
    const graph::Graph graph = sketch.build();
    EXPECT_NE(refused(graph, platform::given_platform(graph)).message.find("nothing to plan"), std::string::npos);
}

TEST(Freeze, RefusesSumsThatCouldOverflow) {
    constexpr std::int64_t kHuge = std::int64_t{1} << 60;
    {
        Sketch sketch = fork();
        sketch.given.classes[0].time[1] = Duration{kHuge};
        const graph::Graph graph = sketch.build();
        const Diagnostic diagnostic = refused(graph, platform::given_platform(graph));
        ASSERT_EQ(diagnostic.notes.size(), 1U);
        EXPECT_NE(diagnostic.notes[0].find("operator 'b'"), std::string::npos);
    }
    {  // Any one of them would do, not both: 1 + 2 consumers, 2^60 / 3 fits, a little more does not.
        Sketch sketch = fork();
        sketch.given.transfer[1] = Duration{kHuge / 3 - 3};
        const graph::Graph graph = sketch.build();
        EXPECT_TRUE(freeze(graph, platform::given_platform(graph)).has_value());
        Sketch more = fork();
        more.given.transfer[1] = Duration{kHuge / 3 + 1};
        const graph::Graph too_much = more.build();
        EXPECT_NE(refused(too_much, platform::given_platform(too_much)).notes.at(0).find("tensor 't'"), std::string::npos);
    }
    {
        const graph::Graph graph = fork().build();
        Platform platform = platform::given_platform(graph);
        platform.classes[0].overflow = platform::Overflow::spill;
        platform.classes[0].spill_rate = ByteRate{1};
        EXPECT_TRUE(freeze(graph, platform).has_value());  // 100 B at 1 B/s
        Sketch sketch = fork();
        sketch.parameter("huge", kHuge / 2);
        sketch.add("user", {}, {}, {ParameterId(2)});
        sketch.given.classes[0].time.push_back(Duration{0});
        const graph::Graph huge = sketch.build();
        EXPECT_NE(refused(huge, platform).notes.at(0).find("spill"), std::string::npos);
    }
    {  // Bytes of tensors and parameters together.
        Sketch sketch = fork();
        sketch.parameter("huge", kHuge - 10);
        sketch.add("user", {}, {}, {ParameterId(2)});
        sketch.given.classes[0].time.push_back(Duration{0});
        const graph::Graph huge = sketch.build();
        EXPECT_NE(refused(huge, platform::given_platform(huge)).notes.at(0).find("parameter 'huge'"), std::string::npos);
    }
    {  // A link so slow that one tensor overflows.
        Sketch sketch;
        const TensorId t = sketch.tensor("t", std::int64_t{1} << 40);
        sketch.add("a", {}, {t});
        sketch.add("b", {t}, {});
        sketch.given.transfer.clear();
        sketch.given.link = ByteRate{1};
        sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{1}}}};
        const graph::Graph graph = sketch.build();
        EXPECT_NE(refused(graph, platform::given_platform(graph)).message.find("tensor 't'"), std::string::npos);
    }
}

TEST(Freeze, RefusesPlatformsItCannotUse) {
    const graph::Graph graph = fork().build();
    const Platform good = platform::given_platform(graph);
    const auto refuses = [&](auto change) {
        Platform platform = good;
        change(platform);
        EXPECT_FALSE(refused(graph, platform).message.empty());
    };
    refuses([](Platform& p) { p.classes.clear(); });
    refuses([](Platform& p) { p.classes[0].count = 0; });
    refuses([](Platform& p) { p.given_transfers = false; });  // and no link
    refuses([](Platform& p) { p.host_link.emplace(); });
    refuses([](Platform& p) { p.classes[0].overflow = platform::Overflow::spill; });
    EXPECT_EQ(refused(graph, good, -1).kind, DiagnosticKind::usage);

    const graph::Graph plain = fork().build(false);
    EXPECT_NE(refused(plain, good).message.find("takes its transfer times from the model"), std::string::npos);
    Platform no_rates = good;
    no_rates.given_transfers = false;
    no_rates.stage_link.rate = {1};
    EXPECT_NE(refused(plain, no_rates).message.find("no memory rate"), std::string::npos);
}

/// A plan holds its platform: what the platform's reader refuses must not be planned for, wherever it came from.
TEST(Freeze, RefusesWhatAPlanCouldNotHold) {
    constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
    const graph::Graph graph = fork().build();
    const Platform good = platform::given_platform(graph);
    const auto refuses = [&](auto change) {
        Platform platform = good;
        change(platform);
        EXPECT_FALSE(refused(graph, platform, 4).message.empty());
    };
    refuses([](Platform& p) { p.classes[0].count = kHuge; });
    refuses([](Platform& p) {
        p.classes.push_back(p.classes[0]);
        p.classes[1].name = "other";
        p.classes[0].count = p.classes[1].count = kHuge;
    });
    refuses([](Platform& p) { p.classes.push_back(p.classes[0]); });  // two of one name
    refuses([](Platform& p) { p.classes[0].name = ""; });
    refuses([](Platform& p) {
        p.classes[0].overflow = platform::Overflow::hard;
        p.classes[0].fast_memory = Bytes{kHuge};
    });
    refuses([](Platform& p) { p.classes[0].launch = Duration{-1}; });
    refuses([](Platform& p) { p.host_link = {.rate = ByteRate{1}, .latency = Duration{-1}}; });

    Platform many = good;
    many.classes.push_back(many.classes[0]);
    many.classes[0].count = many.classes[1].count = kHuge;
    EXPECT_EQ(platform::device_count(many), kHuge) << "no overflow before anybody could refuse";
}

/// A profile without bytes cannot be planned over a link; its own transfers would do.
TEST(Freeze, RefusesALinkForTensorsWithoutBytes) {
    Sketch sketch;
    const TensorId t = sketch.tensor("t", 0, Duration{7});
    sketch.add("a", {}, {t});
    sketch.add("b", {t}, {});
    sketch.given.classes = {{"chip", 2, std::nullopt, {Duration{1}, Duration{1}}}};
    const graph::Graph graph = sketch.build();
    Platform platform = platform::given_platform(graph);
    EXPECT_TRUE(freeze(graph, platform).has_value());
    platform.given_transfers = false;
    platform.stage_link.rate = {1'000'000'000};
    EXPECT_NE(refused(graph, platform).message.find("tensor 't'"), std::string::npos);
}

/// The published inputs, training graphs included, whose colours tie operators of one direction.
TEST(Freeze, TakesEveryMsrWorkload) {
    const std::filesystem::path folder = SLUICE_SOURCE_DIR "/../shared/workloads/msr";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder << ": published workloads are not here";
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".json" || entry.path().string().find("expert") != std::string::npos) continue;
        SCOPED_TRACE(entry.path());
        const auto document = json::parse_file(entry.path());
        ASSERT_TRUE(document.has_value());
        const auto graph = graph::read_msr(*document, entry.path().stem());
        ASSERT_TRUE(graph.has_value()) << to_text(graph.error());
        const auto problem = freeze(*graph, platform::given_platform(*graph), 16);
        ASSERT_TRUE(problem.has_value()) << to_text(problem.error());
        EXPECT_EQ(problem->report.cost_source, "given");
        EXPECT_GT(problem->problem.node_count(), 10U);
        for (std::size_t v = 0; v < problem->problem.node_count(); ++v)
            for (NodeId next : problem->problem.successors[v]) EXPECT_GT(next.index(), v);
        ++files;
    }
    EXPECT_EQ(files, 16);
}

}  // namespace
}  // namespace sluice::cost
