#include "sluice/mcm/judge/compile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <ranges>
#include <set>

#include "sluice/mcm/judge/fusion.hpp"
#include "sluice/mcm/judge/schedule.hpp"
#include "tests/support/judged.hpp"

namespace sluice::mcm {
namespace {

using graph::OperatorClass;
using platform::StageModel;
using test::given_ring;
using test::GivenGraph;

// --- allocation --------------------------------------------------------------------------------------------------------

TEST(Allocation, TakesTheSmallestHoleThatFits) {
    // Steps 0 and 1 leave holes of 30 and 10 between tensors that stay; 10 bytes go to the smaller one.
    const std::vector<LiveTensor> tensors{{{30}, 0, 0}, {{5}, 0, 3}, {{10}, 0, 0}, {{5}, 0, 3}, {{10}, 1, 3}, {{30}, 2, 3}};
    const Placement placement = place_best_fit(tensors);
    EXPECT_EQ(placement.offset[4].count, 35);
    EXPECT_EQ(placement.offset[5].count, 0);
    EXPECT_EQ(placement.end.count, 50);
    EXPECT_EQ(live_peak(tensors).count, 50);
    EXPECT_FALSE(placement_fault(tensors, placement, {50}, 5));
}

TEST(Allocation, HolesThatMeetBecomeOne) {
    const std::vector<LiveTensor> tensors{{{10}, 0, 0}, {{10}, 0, 1}, {{10}, 0, 0}, {{10}, 0, 3}, {{30}, 2, 3}};
    const Placement placement = place_best_fit(tensors);
    EXPECT_EQ(placement.offset[4].count, 0);
    EXPECT_EQ(placement.end.count, 40);
}

TEST(Allocation, FragmentationIsReal) {
    // Twenty bytes are free and in two pieces.
    const std::vector<LiveTensor> tensors{{{10}, 0, 0}, {{10}, 0, 1}, {{10}, 0, 0}, {{10}, 0, 1}, {{20}, 1, 1}};
    const Placement placement = place_best_fit(tensors);
    EXPECT_EQ(live_peak(tensors).count, 40);
    EXPECT_EQ(placement.end.count, 60);
    EXPECT_FALSE(placement_fault(tensors, placement, {60}, 10));
}

TEST(Allocation, TheCheckerFindsWhatIsWrong) {
    const std::vector<LiveTensor> tensors{{{16}, 0, 2}, {{16}, 2, 3}, {{16}, 3, 4}};
    const auto fault = [&](std::vector<std::int64_t> offsets, std::int64_t limit = 48) {
        Placement placement{.offset = {}, .end = {48}};
        for (const std::int64_t offset : offsets) placement.offset.push_back({offset});
        return placement_fault(tensors, placement, {limit}, 16).value_or("");
    };
    EXPECT_EQ(fault({0, 16, 0}), "");
    EXPECT_NE(fault({0, 0, 16}).find("tensors 0 and 1 are alive at once"), std::string::npos);
    EXPECT_NE(fault({0, 16, 16}).find("tensors 1 and 2 are alive at once"), std::string::npos);
    EXPECT_NE(fault({0, 32, 0}, 40).find("the memory ends at 40"), std::string::npos);
    EXPECT_NE(fault({0, 24, 0}).find("no multiple of 16"), std::string::npos);
    EXPECT_NE(fault({0, 16}).find("not every tensor"), std::string::npos);
    EXPECT_NE(fault({-16, 16, 0}).find("lies at -16"), std::string::npos);
}

// --- fusion ------------------------------------------------------------------------------------------------------------

TEST(Fusion, AnOperatorJoinsTheLatestOfWhatItReads) {
    // 0: matrix, 1: matrix, 2: adds both, 3: matrix of 2, 4: adds 0 and 3
    ChipGraph chip;
    for (std::uint32_t v = 0; v < 5; ++v) chip.tensors.push_back({EdgeId(v), v, false});
    chip.reads = Rows<std::uint32_t>({{}, {}, {0, 1}, {2}, {0, 3}});
    chip.joins = {0, 0, 1, 0, 1};
    chip.no_kernel = {0, 0, 0, 0, 0};
    const Fusion fusion = fuse(chip, 8);
    EXPECT_EQ(fusion.kernel_of, (std::vector<std::uint32_t>{0, 1, 1, 2, 2}));
    EXPECT_EQ(fusion.kernels, 3U);
    EXPECT_EQ(fuse(chip, 1).kernels, 5U);
}

TEST(Fusion, KernelsFormNoCycle) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        RandomStream random(seed, 51);
        const auto count = static_cast<std::uint32_t>(1 + random.below(20));
        ChipGraph chip;
        std::vector<std::vector<std::uint32_t>> reads(count);
        for (std::uint32_t v = 0; v < count; ++v) {
            chip.tensors.push_back({EdgeId(v), v, false});
            for (std::uint32_t t = 0; t < v; ++t)
                if (random.chance(0.2) && !chip.no_kernel[t]) reads[v].push_back(t);
            chip.joins.push_back(random.chance(0.6));
            chip.no_kernel.push_back(random.chance(0.1));
        }
        chip.reads = Rows<std::uint32_t>(reads);
        const std::size_t most = 1 + random.below(6);
        const Fusion fusion = fuse(chip, most);
        std::vector<std::size_t> sizes(fusion.kernels);
        for (std::uint32_t v = 0; v < count; ++v) {
            if (chip.no_kernel[v]) {
                ASSERT_EQ(fusion.kernel_of[v], kNowhere);
                continue;
            }
            ASSERT_LT(fusion.kernel_of[v], fusion.kernels);
            ASSERT_LE(++sizes[fusion.kernel_of[v]], most);
            for (const std::uint32_t t : reads[v]) ASSERT_LE(fusion.kernel_of[t], fusion.kernel_of[v]);
        }
    }
}

// --- schedule ----------------------------------------------------------------------------------------------------------

TEST(Schedule, WhatFreesMostGoesFirst) {
    // Two branches, each a large tensor that is reduced to a small one; their order in the model makes both large ones first.
    KernelGraph kernels;
    kernels.makes = Rows<std::uint32_t>({{0}, {1}, {2}, {3}, {4}});
    kernels.reads = Rows<std::uint32_t>({{}, {}, {0}, {1}, {2, 3}});
    kernels.maker = {0, 1, 2, 3, 4};
    kernels.size = {{100}, {100}, {1}, {1}, {1}};
    kernels.scratch.resize(5);
    EXPECT_EQ(schedule(kernels), (std::vector<std::uint32_t>{0, 2, 1, 3, 4}));
}

std::int64_t peak(const KernelGraph& kernels, const std::vector<std::uint32_t>& order) {
    std::vector<LiveTensor> alive;
    std::vector<std::uint32_t> position(order.size());
    for (std::uint32_t at = 0; at < order.size(); ++at) position[order[at]] = at;
    for (std::uint32_t t = 0; t < kernels.size.size(); ++t) {
        std::uint32_t last = position[kernels.maker[t]];
        for (std::uint32_t k = 0; k < order.size(); ++k)
            for (const std::uint32_t read : kernels.reads[k])
                if (read == t) last = std::max(last, position[k]);
        alive.push_back({kernels.size[t], position[kernels.maker[t]], last});
    }
    for (std::uint32_t k = 0; k < order.size(); ++k) alive.push_back({kernels.scratch[k], position[k], position[k]});
    return live_peak(alive).count;
}

TEST(Schedule, RespectsWhatReadsWhatAndNeverKeepsMoreThanTheModelsOrder) {
    std::size_t better = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        RandomStream random(seed, 52);
        const auto count = static_cast<std::uint32_t>(1 + random.below(60));
        KernelGraph kernels;
        std::vector<std::vector<std::uint32_t>> makes(count), reads(count);
        for (std::uint32_t k = 0; k < count; ++k) {
            makes[k] = {k};
            for (std::uint32_t t = 0; t < k; ++t)
                if (random.chance(2.0 / count)) reads[k].push_back(t);
            kernels.maker.push_back(k);
            kernels.size.push_back({random.between(0, 50)});
            kernels.scratch.push_back({random.chance(0.2) ? random.between(0, 50) : 0});
        }
        kernels.makes = Rows<std::uint32_t>(makes);
        kernels.reads = Rows<std::uint32_t>(reads);
        const auto order = schedule(kernels);
        ASSERT_EQ(std::set<std::uint32_t>(order.begin(), order.end()).size(), count);
        std::vector<std::uint32_t> position(count), plain(count);
        std::iota(plain.begin(), plain.end(), 0U);
        for (std::uint32_t at = 0; at < count; ++at) position[order[at]] = at;
        for (std::uint32_t k = 0; k < count; ++k)
            for (const std::uint32_t t : reads[k]) ASSERT_LT(position[t], position[k]);
        // Tensors that nobody reads are alive to the end in the schedule's eyes, so compare where all are read.
        ASSERT_EQ(schedule(kernels), order);
        if (std::ranges::all_of(std::views::iota(0U, count - 1), [&](std::uint32_t t) {
                return std::ranges::any_of(reads, [&](const auto& row) { return std::ranges::find(row, t) != row.end(); });
            })) {
            ASSERT_LE(peak(kernels, order), peak(kernels, plain));
        }
        better += peak(kernels, order) < peak(kernels, plain) ? 1 : 0;
    }
    EXPECT_GT(better, 200U);
}

// --- one chip ----------------------------------------------------------------------------------------------------------

ChipCode compile_all(const graph::Graph& graph, std::int64_t memory, const CompileOptions& options, std::vector<std::size_t> nodes) {
    const auto made = test::on_ring(graph, given_ring(graph, 4, StageModel::overlap, memory));
    ChipCompiler compiler(made->graph, made->problem, made->platform, options);
    std::vector<NodeId> ids;
    for (const std::size_t node : nodes) ids.emplace_back(node);
    return compiler.compile(ids, {}, {});
}
CompileOptions plain() { return test::no_effects().compile; }

TEST(Compile, WhatOneKernelMakesAndReadsIsNowhereInMemory) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 1, 1000, 0, OperatorClass::matrix);
    const TensorId b = graph.add(2, {a}, 1, 1000, 0, OperatorClass::elementwise);
    const TensorId c = graph.add(0, {b}, 1, 1000, 0, OperatorClass::view);
    graph.add(10, {c}, 1, 10, 0, OperatorClass::matrix);
    const graph::Graph built = std::move(graph).build();
    CompileOptions options = plain();
    options.effects.issue = Duration{100};
    options.effects.fused_issue = Duration{7};
    const ChipCode code = compile_all(built, 0, options, {0, 1, 2, 3});
    ASSERT_EQ(code.kernels.size(), 2U);
    EXPECT_EQ(code.kernels[0].work.count(), 10 + 2 + 100 + 7);  // the view starts nothing
    EXPECT_EQ(code.kernels[1].work.count(), 10 + 100);
    EXPECT_EQ(code.memory.live.count, 1000 + 10);  // what the view shows, once, and the last one's scratch
    EXPECT_EQ(code.memory.largest.count, 1000);
}

TEST(Compile, ViewsOfWhatIsReceivedTakeNoMemory) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 1, 1000);
    const TensorId b = graph.add(0, {a}, 1, 1000, 0, OperatorClass::view);
    const TensorId c = graph.add(5, {b}, 1, 300);
    graph.add(5, {b, c}, 1, 0);
    const graph::Graph built = std::move(graph).build();
    const ChipCode code = compile_all(built, 0, plain(), {1, 2, 3});
    EXPECT_EQ(code.kernels.size(), 2U);
    ASSERT_EQ(code.received.size(), 1U);
    EXPECT_EQ(code.received[0].first, 0U);
    EXPECT_EQ(code.received[0].last, 1U) << "read through the view until the last operator";
    EXPECT_EQ(code.memory.buffers.count, 2000);
    EXPECT_EQ(code.memory.live.count, 300);
    // Sent on, it is a copy with buffers of its own.
    const ChipCode sent = compile_all(built, 0, plain(), {1});
    EXPECT_EQ(sent.kernels.size(), 1U);
    EXPECT_EQ(sent.memory.buffers.count, 4000);
}

TEST(Compile, SharedParametersLieThereOnceAndAligned) {
    graph::GraphBuilder builder("shared");
    graph::GivenCosts given;
    given.classes.push_back({.name = "chip", .count = 1, .memory = {}, .time = {}});
    graph::Parameter parameter;
    parameter.name = "w";
    parameter.bytes.count = 1000;
    const ParameterId weight = builder.add_parameter(std::move(parameter));
    for (int i = 0; i < 3; ++i) {
        graph::Operator op;
        op.name = std::format("op{}", i);
        builder.add_operator(std::move(op), {}, {}, std::vector{weight});
        given.classes[0].time.emplace_back(Duration{10});
    }
    builder.set_given_costs(std::move(given));
    const graph::Graph built = test::detail::must(std::move(builder).build());
    CompileOptions options = plain();
    options.alignment = 128;
    EXPECT_EQ(compile_all(built, 0, options, {0, 1, 2}).memory.parameters.count, 1024);
    EXPECT_TRUE(compile_all(built, 1024, options, {0, 1, 2}).fits);
    const ChipCode tight = compile_all(built, 1023, options, {0, 1, 2});
    EXPECT_FALSE(tight.fits) << "planners see 1000 bytes";
    EXPECT_EQ(tight.blamed.size(), 3U);
}

TEST(Compile, FailsForFragmentationAloneAndSaysSo) {
    // a and b are alive, a goes; c is larger than a and finds no hole, though the sum of what is alive would fit.
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 1, 30), b = graph.add(10, {a}, 1, 20);
    const TensorId c = graph.add(10, {a, b}, 1, 10), d = graph.add(10, {c}, 1, 40);
    graph.add(10, {b, d}, 1, 0);
    const graph::Graph built = std::move(graph).build();
    // a 0..30, b 30..50, c 50..60; then a's hole of 30 is too small for d, which goes behind c: 100 bytes, 70 alive.
    const std::vector<std::size_t> all{0, 1, 2, 3, 4};
    const ChipCode roomy = compile_all(built, 100, plain(), all);
    EXPECT_TRUE(roomy.fits);
    EXPECT_EQ(roomy.memory.live.count, 70);
    EXPECT_EQ(roomy.memory.fragmented.count, 30);
    EXPECT_FALSE(placement_fault(roomy.tensors, roomy.placement, {100}, 1));
    const ChipCode tight = compile_all(built, 99, plain(), all);
    ASSERT_FALSE(tight.fits);
    EXPECT_LT(tight.memory.live.count, 99);
    const CompileFailure failure = failure_of(tight, 2);
    EXPECT_EQ(failure.chip, 2U);
    EXPECT_EQ(failure.why.message, "chip 2 needs 100 B of SRAM and has 99 B: 1 B too much");
    EXPECT_NE(failure.why.notes[0].find("70 B of activations alive at once, 30 B lost to holes"), std::string::npos)
        << failure.why.notes[0];
    EXPECT_NE(failure.why.notes[1].find("'t3' of 40 B"), std::string::npos);
    EXPECT_EQ(failure.nodes.size(), 5U);
}

TEST(Compile, OperatorsWithoutParametersAreNotToBlameForThem) {
    GivenGraph graph;
    const TensorId a = graph.add(10, {}, 1, 4, 60), b = graph.add(10, {a}, 1, 4);
    graph.add(10, {b}, 1, 4, 60);
    const graph::Graph built = std::move(graph).build();
    EXPECT_EQ(compile_all(built, 100, plain(), {0, 1, 2}).blamed, (std::vector{NodeId(0), NodeId(2)}));
    EXPECT_EQ(compile_all(built, 122, plain(), {0, 1, 2}).blamed.size(), 3U);
}

TEST(Compile, EveryPlacementIsSoundAndEveryOperatorRunsOnceAfterWhatItReads) {
    std::size_t tensors = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 53);
        test::RandomProblemOptions options;
        options.max_operators = 40;
        options.largest_bytes = 900;
        options.colours = options.replicated = options.host_link = 0.3;
        const graph::Graph graph = test::random_graph(random, options);
        const auto made = test::on_ring(graph, test::ring_of(test::random_platform(graph, random, options), 4));
        CompileOptions compile;
        compile.alignment = 64;
        ChipCompiler compiler(made->graph, made->problem, made->platform, compile);
        std::vector<NodeId> nodes;
        const double share = random.unit();
        for (std::size_t v = 0; v < made->costs.node_count(); ++v)
            if (random.chance(share)) nodes.emplace_back(v);
        if (nodes.empty()) continue;
        const ChipCode code = compiler.compile(nodes, {}, {});
        const auto fault = placement_fault(code.tensors, code.placement, code.placement.end, 64);
        ASSERT_FALSE(fault) << *fault;
        ASSERT_EQ(code.memory.live + code.memory.fragmented, code.placement.end);
        ASSERT_EQ(code.memory.live, live_peak(code.tensors));
        tensors += code.tensors.size();
        std::vector<NodeId> run = code.kernel_nodes;
        std::ranges::sort(run);
        ASSERT_EQ(run, nodes) << "no views here: every operator has a kernel";
        std::vector<std::size_t> position(made->costs.node_count(), ~std::size_t{0});
        for (std::size_t i = 0; i < code.kernel_nodes.size(); ++i) position[code.kernel_nodes[i].index()] = i;
        for (const NodeId node : nodes)
            for (const NodeId before : made->costs.predecessors[node.index()])
                ASSERT_TRUE(!std::ranges::binary_search(nodes, before) || position[before.index()] < position[node.index()]);
        // What comes and goes, from the problem alone.
        std::size_t received = 0, sent = 0;
        for (std::size_t e = 0; e < made->costs.edge_count(); ++e) {
            const auto inside = [&](NodeId node) { return node.valid() && std::ranges::binary_search(nodes, node); };
            const bool reads = std::ranges::any_of(made->costs.consumers[e], inside);
            const bool all = std::ranges::all_of(made->costs.consumers[e], inside);
            if (inside(made->costs.producer[e]))
                sent += made->costs.to_host[e] || !all ? 1 : 0;
            else
                received += reads ? 1 : 0;
        }
        ASSERT_EQ(code.received.size(), received);
        ASSERT_EQ(code.sent.size(), sent);
        ASSERT_TRUE(code.fits || compiler.sram());
        ASSERT_TRUE(!code.fits || !compiler.sram() || code.memory.peak() <= *compiler.sram());
    }
    EXPECT_GT(tensors, 1000U);
}

TEST(Compile, WhatSpillsIsStreamedByThoseThatReadIt) {
    GivenGraph graph;
    graph.add(10, {}, 1, 0, 60);
    graph.add(10, {}, 1, 0, 30);
    const graph::Graph built = std::move(graph).build();
    auto platform = given_ring(built, 2, StageModel::overlap, 70);
    platform.classes[0].overflow = platform::Overflow::spill;
    platform.classes[0].spill_rate = ByteRate{1'000'000'000'000};
    const auto made = test::on_ring(built, platform);
    ChipCompiler compiler(made->graph, made->problem, made->platform, plain());
    const ChipCode code = compiler.compile(std::vector{NodeId(0), NodeId(1)}, {}, {});
    ASSERT_TRUE(code.fits);
    EXPECT_EQ(code.memory.parameters.count, 70);
    EXPECT_EQ(code.memory.streamed.count, 20);
    EXPECT_EQ(code.kernels[0].streamed.count, 0);
    EXPECT_EQ(code.kernels[1].streamed.count, 20);
    EXPECT_TRUE(compiler.compile(std::vector{NodeId(0)}, {}, {}).kernels[0].streamed == Bytes{});
}

// Two kernels read the shared parameter, one of them for two operators; a third has one of its own.
TEST(Compile, WhatSeveralKernelsReadStaysAndIsElseStreamedByEach) {
    GivenGraph graph;
    graph.add(10, {}, 1, 0, 40);
    const ParameterId shared = graph.parameter(50);
    graph.add_with(10, {}, 1, 0, {shared});
    const TensorId second = graph.add_with(10, {}, 1, 0, {shared});
    graph.add_with(10, {second}, 1, 0, {shared}, OperatorClass::elementwise);
    const graph::Graph built = std::move(graph).build();
    const auto streamed = [&](std::int64_t memory) {
        auto platform = given_ring(built, 2, StageModel::overlap, memory);
        platform.classes[0].overflow = platform::Overflow::spill;
        platform.classes[0].spill_rate = ByteRate{1'000'000'000'000};
        const auto made = test::on_ring(built, platform);
        ChipCompiler compiler(made->graph, made->problem, made->platform, plain());
        const ChipCode code = compiler.compile(std::vector{NodeId(0), NodeId(1), NodeId(2), NodeId(3)}, {}, {});
        EXPECT_TRUE(code.fits);
        EXPECT_EQ(code.kernels.size(), 3U);
        EXPECT_EQ(code.memory.parameters.count, std::min<std::int64_t>(memory, 90));
        EXPECT_EQ(code.memory.streamed.count, 90 - code.memory.parameters.count);  // each byte once
        std::vector<std::int64_t> bytes(4, 0);                                     // by the kernel's first node
        for (const ChipKernel& kernel : code.kernels) bytes[code.kernel_nodes[kernel.first].index()] = kernel.streamed.count;
        return bytes;
    };
    EXPECT_EQ(streamed(90), (std::vector<std::int64_t>{0, 0, 0, 0}));
    EXPECT_EQ(streamed(60), (std::vector<std::int64_t>{30, 0, 0, 0}));
    EXPECT_EQ(streamed(50), (std::vector<std::int64_t>{40, 0, 0, 0}));
    EXPECT_EQ(streamed(30), (std::vector<std::int64_t>{40, 20, 20, 0}));
}

}  // namespace
}  // namespace sluice::mcm
