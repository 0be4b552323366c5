#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "sluice/program/check.hpp"
#include "sluice/program/lower.hpp"
#include "sluice/program/program_file.hpp"
#include "tests/support/random_program.hpp"

namespace sluice::program {
namespace {

using test::ChannelSketch;
using test::program_of;

/// A chain of `n` operators of one time unit; t0 of the first also feeds the last (a skip over the rest), the last makes the output.
graph::Graph chain_with_skip(std::size_t n, std::int64_t skip_bytes) {
    graph::GraphBuilder builder("chain");
    graph::GivenCosts given;
    given.classes.push_back({.name = "device", .count = static_cast<std::int64_t>(n) * 8, .memory = {}, .time = {}});
    const auto tensor = [&](std::string name, std::int64_t bytes, bool output) {
        graph::Tensor t;
        t.name = std::move(name);
        t.bytes = {bytes};
        t.model_output = output;
        given.transfer.push_back(Duration{1});
        return builder.add_tensor(std::move(t));
    };
    std::vector<TensorId> line{tensor("x", 4, false)};
    const TensorId skip = tensor("skip", skip_bytes, false);
    for (std::size_t i = 0; i < n; ++i) {
        line.push_back(tensor(std::format("t{}", i), 4, i + 1 == n));
        std::vector<TensorId> in{line[i]}, out{line[i + 1]};
        if (i == 0) out.push_back(skip);
        if (i + 1 == n && n > 1) in.push_back(skip);
        graph::Operator op;
        op.name = std::format("op{}", i);
        builder.add_operator(std::move(op), in, out);
        given.classes[0].time.push_back(Duration{10});
    }
    builder.set_given_costs(std::move(given));
    return test::detail::must(std::move(builder).build());
}

struct Lowered {
    cost::StageProblem problem;
    Program program;
};

/// One operator a stage, `replicas` each.
Lowered lowered(const graph::Graph& graph, std::int64_t replicas, platform::StageModel model = platform::StageModel::serial) {
    platform::Platform platform = platform::given_platform(graph);
    platform.model = model;
    cost::StageProblem problem = test::detail::must(cost::freeze(graph, platform)).problem;
    cost::Partition partition;
    for (std::size_t v = 0; v < problem.node_count(); ++v)
        partition.stages.push_back({.nodes = {NodeId(v)}, .device = ClassId(0), .replicas = replicas});
    Program program = test::detail::must(lower(graph, problem, partition));
    return {std::move(problem), std::move(program)};
}

const Channel& channel_named(const Program& program, std::string_view tensor) {
    const auto found = std::ranges::find(program.channels, tensor, &Channel::tensor);
    EXPECT_NE(found, program.channels.end()) << tensor;
    return *found;
}

bool mentions(const std::vector<Diagnostic>& faults, std::string_view text) {
    return std::ranges::any_of(faults, [&](const Diagnostic& fault) { return fault.message.contains(text); });
}

TEST(Lower, AChainHasOneChannelATensorAndTheHostAtBothEnds) {
    const auto [problem, program] = lowered(chain_with_skip(3, 8), 1);
    EXPECT_TRUE(faults_of(program).empty());
    ASSERT_EQ(program.channels.size(), 5U);  // x, skip, t0, t1, t2
    EXPECT_FALSE(channel_named(program, "x").from.valid());
    EXPECT_EQ(channel_named(program, "x").transfer, Duration{0});  // no host link
    EXPECT_FALSE(channel_named(program, "t2").to.valid());
    EXPECT_EQ(channel_named(program, "t2").transfer, Duration{0});
    EXPECT_EQ(channel_named(program, "skip").from, StageId(0));
    EXPECT_EQ(channel_named(program, "skip").to, StageId(2));
    EXPECT_EQ(channel_named(program, "skip").bytes, Bytes{8});
    EXPECT_EQ(channel_named(program, "skip").transfer, Duration{1});
    EXPECT_EQ(program.ranks, 4);
    ASSERT_EQ(program.lists.size(), 5U);
    EXPECT_EQ(program.lists[2].body.front().kind, InstructionKind::receive);
    EXPECT_EQ(program.stages[1].work, Duration{10});
}

TEST(Lower, CreditsCoverTheDistanceThatASkipConnectionPassesOver) {
    const auto [problem, program] = lowered(chain_with_skip(6, 8), 1);
    EXPECT_EQ(channel_named(program, "t0").credits, 2);
    EXPECT_EQ(channel_named(program, "skip").credits, 8);  // distance 5, and one: 6
    // Three replicas: a receiver's turn is three inputs, so each needs as few buffers as before.
    const auto [problem3, program3] = lowered(chain_with_skip(6, 8), 3);
    EXPECT_EQ(channel_named(program3, "skip").credits, 8);
    EXPECT_EQ(program3.ranks, 19);
    EXPECT_EQ(program3.lists.size(), 20U);
    EXPECT_TRUE(faults_of(program3).empty());
    // Overlap: in, work and out are three steps.
    const auto overlap = lowered(chain_with_skip(6, 8), 1, platform::StageModel::overlap);
    EXPECT_EQ(channel_named(overlap.program, "t0").credits, 4);     // 3
    EXPECT_EQ(channel_named(overlap.program, "skip").credits, 16);  // 15
}

TEST(Lower, RanksAndSenders) {
    const Program program = lowered(chain_with_skip(3, 8), 2).program;
    const auto c = ChannelId(static_cast<std::size_t>(&channel_named(program, "t0") - program.channels.data()));
    EXPECT_EQ(sender_of(program, c, 5), 2);
    EXPECT_EQ(receiver_of(program, c, 5), 4);
    EXPECT_EQ(receiver_of(program, c, 6), 3);
}

TEST(Lower, RefusesWhatIsNoPartitionAndTooManyProcesses) {
    const graph::Graph graph = chain_with_skip(3, 8);
    const auto problem = test::detail::must(cost::freeze(graph, platform::given_platform(graph), 2 * kMostRanks)).problem;
    cost::Partition partition{{{.nodes = {NodeId(0), NodeId(2)}}, {.nodes = {NodeId(1)}}}};
    auto refused = lower(graph, problem, partition);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("cycle")) << refused.error().message;
    partition = {{{.nodes = {NodeId(0), NodeId(1), NodeId(2)}, .device = ClassId(0), .replicas = kMostRanks}}};
    refused = lower(graph, problem, partition);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message.contains("1048576")) << refused.error().message;
}

TEST(Check, NamesTheCycleOfADeadlock) {
    // 0 -> 1 -> 2 -> 0
    const Program program = program_of({{1, 1}, {1, 2}, {1, 1}}, {{-1, 0}, {0, 1}, {1, 2}, {2, 0}, {2, -1}});
    const auto faults = faults_of(program);
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(
        faults[0].message,
        "deadlock: rank 1 (stage 0) waits to receive 't1003' of input 0 from rank 4 (stage 2), which waits to receive 't1002' of input "
        "0 from rank 2 (stage 1), which waits to receive 't1001' of input 0 from rank 1 (stage 0)");
}

TEST(Check, NamesEachStructuralFault) {
    const Program sound = program_of({{1, 1}, {1, 2}}, {{-1, 0}, {0, 1, 3}, {1, -1}});
    ASSERT_TRUE(faults_of(sound).empty());
    const auto faults_after = [&](auto change) {
        Program changed = sound;
        change(changed);
        return faults_of(changed);
    };
    EXPECT_TRUE(
        mentions(faults_after([](Program& p) { p.lists[2].body.pop_back(); }), "rank 1 (stage 0) has no send of channel 1 ('t1001')"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[4].body.erase(p.lists[4].body.begin()); }), "has no receive of channel 1"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[2].body.erase(p.lists[2].body.begin() + 1); }), "before its forward"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { std::swap(p.lists[2].body[1], p.lists[2].body[2]); }), "before its forward"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { std::swap(p.lists[2].body[0], p.lists[2].body[1]); }), "after its forward"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[2].body.push_back({InstructionKind::forward, {}}); }), "2 forwards"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[2].body.push_back(p.lists[2].body.back()); }), "twice"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[0].body.clear(); }), "the host's feed has no send"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[1].body[0].channel = ChannelId(7); }), "does not exist"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[1].body[0].channel = ChannelId(0); }), "does not end there"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[4].first = 0; }), "takes inputs"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[4].stride = 3; }), "takes inputs"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists.pop_back(); }), "lists"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.lists[3].rank = 3; }), "each rank has one list"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { std::swap(p.lists[0], p.lists[1]); }), "not in its place"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.stages[1].first_rank = 1; }), "begins at rank"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.stages[1].replicas = std::int64_t{1} << 62; }), "replicas"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.stages[0].output_slots = 3; }), "output slots"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.channels[1].credits = 0; }), "credits"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.channels[1].to = StageId(9); }), "does not exist"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.channels[1].to = StageId(0); }), "to itself"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.channels[0].to = StageId{}; }), "host to the host"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.channels[1].transfer = Duration{-1}; }), "below zero"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.ranks = 1; }), "ranks"));
    EXPECT_TRUE(mentions(faults_after([](Program& p) { p.ranks = std::int64_t{1} << 40; }), "ranks"));
    // acyclic, but not in topological order
    EXPECT_TRUE(mentions(faults_of(program_of({{1, 1}, {1, 1}}, {{-1, 1}, {1, 0}, {0, -1}})), "topological order"));
}

TEST(Program, TwoThousandRanksLowerAndPassTheCheckInWellUnderASecond) {
    // Measured and printed, not gated: see CONTRIBUTING.
    for (const std::int64_t replicas : {1, 4}) {
        const graph::Graph graph = chain_with_skip(2000 / static_cast<std::size_t>(replicas), 8);
        const auto problem = test::detail::must(cost::freeze(graph, platform::given_platform(graph))).problem;
        cost::Partition partition;
        for (std::size_t v = 0; v < problem.node_count(); ++v)
            partition.stages.push_back({.nodes = {NodeId(v)}, .device = ClassId(0), .replicas = replicas});
        const auto start = std::chrono::steady_clock::now();
        const Program program = test::detail::must(lower(graph, problem, partition));
        const auto between = std::chrono::steady_clock::now();
        EXPECT_TRUE(faults_of(program).empty());
        const std::chrono::duration<double, std::milli> lowering = between - start, checking = std::chrono::steady_clock::now() - between;
        EXPECT_EQ(program.ranks, 2001);
        std::printf("%lld replicas a stage: lower %.1f ms, check %.1f ms\n", static_cast<long long>(replicas), lowering.count(),
                    checking.count());
    }
}

TEST(ProgramFile, ReadsWhatItWrote) {
    for (const Program& program : {lowered(chain_with_skip(5, 8), 3).program, program_of({{1, 1}}, {})}) {
        const std::string text = json::to_file_text(to_json(program));
        const auto read = json::parse(text, "program.json").and_then([](const json::Node& node) { return read_program(node); });
        ASSERT_TRUE(read) << to_text(read.error());
        EXPECT_EQ(*read, program);
        EXPECT_EQ(json::to_file_text(to_json(*read)), text);
    }
}

TEST(ProgramFile, RefusesWhatIsNoProgramWithTheLine) {
    const auto document = to_json(lowered(chain_with_skip(3, 8), 2).program);
    const auto error_after = [&](const char* pointer, const nlohmann::ordered_json& value) {
        auto changed = document;
        changed[nlohmann::ordered_json::json_pointer(pointer)] = value;
        const auto read =
            json::parse(json::to_file_text(changed), "program.json").and_then([](const json::Node& node) { return read_program(node); });
        EXPECT_FALSE(read) << pointer << " = " << value;
        if (read) return std::string{};
        EXPECT_GT(read.error().where.line, 0U) << pointer;
        return read.error().message;
    };
    for (const auto& [pointer, value] : std::vector<std::pair<const char*, nlohmann::ordered_json>>{
             {"/format", "sluice.program/2"},
             {"/ranks", 0},
             {"/ranks", std::int64_t{1} << 40},
             {"/ranks", 1.5},
             {"/surplus", 1},
             {"/stages/0/replicas", 0},
             {"/stages/0/first_rank", -1},
             {"/stages/0/work_ps", std::int64_t{1} << 62},
             {"/stages/0/peak_bytes", -1},
             {"/stages/0/output_slots", 0},
             {"/stages/0/device_class", 3},
             {"/stages", "none"},
             {"/channels/0/to", std::int64_t{1} << 32},
             {"/channels/0/to", -1},
             {"/channels/0/credits", 0},
             {"/channels/0/credits", nullptr},
             {"/channels/0/bytes", std::int64_t{1} << 62},
             {"/lists/0/role", "feeder"},
             {"/lists/0/stride", 0},
             {"/lists/2/body/0", nlohmann::ordered_json::array({"forward", 3})},
             {"/lists/2/body/0", nlohmann::ordered_json::array({"receive"})},
             {"/lists/2/body/0", nlohmann::ordered_json::array({"receive", -1})},
             {"/lists/2/body/0", nlohmann::ordered_json::array()},
             {"/lists/2/body/0", "forward"},
             {"/lists/2/body", nlohmann::ordered_json::object()},
         })
        EXPECT_FALSE(error_after(pointer, value).empty());
    EXPECT_TRUE(error_after("/lists/2/body/0", "x").contains("instruction") || error_after("/lists/2/body/0", "x").contains("array"));
}

}  // namespace
}  // namespace sluice::program
