// What training costs, by hand: passes at any micro-batch, what they keep, state, memory, transfers, in-flight, every fault.
#include <gtest/gtest.h>

#include <functional>

#include "sluice/cost/analytic.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/cost/training_times.hpp"
#include "tests/support/training.hpp"

namespace sluice::cost {
namespace {

using graph::DataType;
using graph::OperatorClass;

/// An embedding of integers, a matrix product, an activation, a view, a product without anything behind it but the output:
/// ids -> look -> a -> multiply -> b -> bend -> c -> shape -> d -> close -> e, and a mask of integers that `bend` reads too.
graph::Graph model(std::int64_t batch, DataType type = DataType::f32) {
    graph::GraphBuilder builder("model");
    const auto tensor = [&](std::string name, std::int64_t bytes, DataType of) {
        graph::Tensor made;
        made.name = std::move(name);
        made.type = of;
        made.shape = {batch, 4};
        made.shape_known = true;
        made.bytes = {bytes * batch};
        return builder.add_tensor(made);
    };
    const auto parameter = [&](std::string name, std::int64_t bytes, DataType of) {
        graph::Parameter made;
        made.name = std::move(name);
        made.type = of;
        made.bytes = {bytes};
        return builder.add_parameter(made);
    };
    const TensorId ids = tensor("ids", 40, DataType::i32), mask = tensor("mask", 8, DataType::i32), hidden = tensor("hidden", 12, type);
    const TensorId a = tensor("a", 100, type), b = tensor("b", 200, type), c = tensor("c", 200, type), d = tensor("d", 200, type),
                   e = tensor("e", 60, type);
    const auto add = [&](std::string name, OperatorClass kind, double flops, std::int64_t rows, std::vector<TensorId> in, TensorId out,
                         std::vector<ParameterId> parameters, std::int64_t read, std::int64_t written, std::int64_t fixed,
                         std::int64_t kept) {
        graph::Operator op;
        op.name = op.type = std::move(name);
        op.features.operator_class = kind;
        op.features.flops = flops * static_cast<double>(batch);
        op.features.input_gradient_flops = 2 * op.features.flops;
        op.features.weight_gradient_flops = 3 * op.features.flops;
        op.features.rows = rows * batch;
        op.features.read = {read * batch};
        op.features.written = {written * batch};
        op.features.parameters_read = {kind == OperatorClass::embedding ? fixed * batch : fixed};
        op.features.kept_for_backward = {kept * batch};
        builder.add_operator(op, in, std::vector{out}, parameters);
    };
    const ParameterId table = parameter("table", 4000, type), weight = parameter("weight", 3000, type),
                      count = parameter("count", 8, DataType::i64);
    add("look", OperatorClass::embedding, 0, 0, {ids}, a, {table}, 40, 100, 100, 40);
    add("multiply", OperatorClass::matrix, 70'000, 2, {a, hidden}, b, {weight}, 112, 200, 3000, 112);
    add("bend", OperatorClass::elementwise, 50, 0, {b, mask}, c, {}, 208, 200, 0, 200);
    add("shape", OperatorClass::view, 0, 0, {c}, d, {count}, 0, 0, 0, 0);
    add("close", OperatorClass::matrix, 9'000, 2, {d}, e, {}, 200, 60, 0, 200);
    return std::move(builder).build().value();
}

platform::Platform machine(std::int64_t devices = 4) {
    platform::Platform platform;
    platform.name = "machine";
    platform::DeviceClass device;
    device.name = "chip";
    device.count = devices;
    device.flops_per_second[static_cast<std::size_t>(DataType::f32)] = 3e12;
    device.memory_rate = {1'000'000'000'000};  // a byte a picosecond
    device.launch = Duration{17};
    device.half_rows = 5;
    platform.classes = {device};
    platform.stage_link = {{1'000'000'000'000}, Duration{7}};
    return platform;
}

TrainingProblem problem_of(const platform::Platform& platform, std::int64_t mini_batch = 12, Optimizer optimizer = Optimizer::adam,
                           DataType type = DataType::f32) {
    auto frozen = freeze_training(model(8, type), platform, {.mini_batch = mini_batch, .optimizer = optimizer});
    EXPECT_TRUE(frozen.has_value()) << (frozen ? "" : to_text(frozen.error()));
    return std::move(frozen->problem);
}

TEST(TrainingPasses, AnyNumberOfSamplesTakesWhatAModelOfThatBatchTakes) {
    for (const double half_rows : {0.0, 5.0, 300.5})
        for (const std::int64_t rate : {1'000'000'000'000, 37'000'000'000'000}) {
            platform::Platform platform = machine();
            platform.classes[0].half_rows = half_rows;
            platform.classes[0].memory_rate = {rate};
            const TrainingProblem problem = problem_of(platform);
            ASSERT_EQ(problem.file_batch, 8);
            for (const std::int64_t samples : {1, 2, 3, 8, 64, 1000}) {
                const graph::Graph other = model(samples);
                for (std::size_t v = 0; v < problem.node_count(); ++v) {
                    const OperatorId id = problem.structure.operators[v][0];
                    const auto there = operator_time(other, id, platform, platform.classes[0]);
                    const std::int64_t here = problem.classes[0].passes[v][0].forward.at(samples).count();
                    EXPECT_GE(here, there->count() - 1) << v << ' ' << samples;  // floating point ends on the other side of a picosecond
                    EXPECT_LE(here, there->count() + samples + 1) << v << ' ' << samples;
                }
            }
        }
}

TEST(TrainingPasses, ByHand) {
    const TrainingProblem problem = problem_of(machine());
    const auto passes = [&](std::size_t v) { return problem.classes[0].passes[v][0]; };
    // Looked up rows grow with the batch; nothing upstream is trained; gradients of 100 bytes, 40 kept, 100 bytes of rows.
    EXPECT_EQ(passes(0).forward, (PassCost{0, 0, 0, 240, 17}));
    EXPECT_EQ(passes(0).input_gradient, PassCost{});
    EXPECT_EQ(passes(0).weight_gradient, (PassCost{0, 0, 0, 240, 17}));
    // 70,000 operations at 3 a picosecond; half_rows 5 at 2 rows a sample: as 2.5 samples more.
    EXPECT_EQ(passes(1).forward, (PassCost{58334, 23334, 3000, 312, 17}));
    EXPECT_EQ(passes(1).input_gradient, (PassCost{116667, 46667, 3000, 312, 17}));
    EXPECT_EQ(passes(1).weight_gradient, (PassCost{175000, 70000, 3000, 312, 17}));
    // No parameters: no gradient of any. Backwards it reads what it kept, too.
    EXPECT_EQ(passes(2).forward.memory_per_sample, 408);
    EXPECT_EQ(passes(2).input_gradient.memory_per_sample, 608);
    EXPECT_EQ(passes(2).weight_gradient, PassCost{});
    EXPECT_EQ(passes(3), OperatorPasses{});  // a view, though it has a parameter
    EXPECT_EQ(passes(1).at(3).forward, Duration(58334 + 3 * 23334 + 17));
    EXPECT_EQ(pass_times(problem, ClassId(0), 3)[1], passes(1).at(3));
}

TEST(TrainingPasses, WithoutAVectorUnitOfItsOwnElementsDoNotCount) {
    platform::Platform platform = machine();
    platform.classes[0].vector_elements_per_second = 1e12;
    const TrainingProblem problem = problem_of(platform);
    // 50 elements of four bytes a sample, in each direction; memory is slower.
    EXPECT_EQ(problem.classes[0].passes[2][0].forward, (PassCost{0, 50, 0, 408, 17}));
    EXPECT_EQ(problem.classes[0].passes[2][0].input_gradient.arithmetic_per_sample, 50);
}

TEST(TrainingProblem, WhatIsKeptForOneSample) {
    const TrainingProblem problem = problem_of(machine());
    EXPECT_EQ(problem.kept, (std::vector<Bytes>{{40}, {112}, {200}, {0}, {200}}));
    // For the gradient of weights, that of the output too. (A view of an integer parameter has none.)
    EXPECT_EQ(problem.kept_for_weights, (std::vector<Bytes>{{140}, {312}, {0}, {0}, {0}}));
    std::vector<std::int64_t> forth, back;
    for (std::size_t e = 0; e < problem.structure.edge_count(); ++e) {
        forth.push_back(problem.activation[e].count);
        back.push_back(problem.gradient[e].count);
    }
    EXPECT_EQ(forth, (std::vector<std::int64_t>{40, 8, 12, 100, 200, 200, 200}));  // ids, mask, hidden, a … d; e is read by nobody
    EXPECT_EQ(back, (std::vector<std::int64_t>{0, 0, 0, 100, 200, 200, 200}));
}

TEST(TrainingProblem, CountsTensorsAsThePlatformDoes) {
    platform::Platform platform = machine();
    platform.tensor_type = DataType::bf16;
    const TrainingProblem problem = problem_of(platform);
    EXPECT_EQ(problem.kept[2], Bytes{102}) << "half, but for the mask: 208 of 408 bytes are left, of 200";
    EXPECT_EQ(problem.gradient[3], Bytes{50});
}

TEST(TrainingProblem, StateOfAParameter) {
    const auto state = [](Optimizer optimizer, DataType type, std::optional<DataType> as) {
        platform::Platform platform = machine();
        platform.tensor_type = as;
        return problem_of(platform, 12, optimizer, type).state;
    };
    using List = std::vector<Bytes>;
    // Table, weight, and an integer that is not trained.
    EXPECT_EQ(state(Optimizer::sgd, DataType::f32, {}), (List{{8000}, {6000}, {8}}));
    EXPECT_EQ(state(Optimizer::momentum, DataType::f32, {}), (List{{12000}, {9000}, {8}}));
    EXPECT_EQ(state(Optimizer::adam, DataType::f32, {}), (List{{16000}, {12000}, {8}}));
    // 16 bytes an element, however many the model's parameter has.
    EXPECT_EQ(state(Optimizer::adam_mixed, DataType::f32, {}), (List{{16000}, {12000}, {8}}));
    EXPECT_EQ(state(Optimizer::adam_mixed, DataType::f32, DataType::bf16), (List{{16000}, {12000}, {8}}));
    EXPECT_EQ(state(Optimizer::adam_mixed, DataType::bf16, {}), (List{{32000}, {24000}, {8}}));
    EXPECT_EQ(problem_of(machine()).weight_gradient, (List{{4000}, {3000}, {0}}));
    EXPECT_EQ(problem_of(machine(), 12, Optimizer::adam_mixed).weight_gradient, (List{{2000}, {1500}, {0}})) << "bf16";
}

TEST(TrainingProblem, OptimizersAndSchedulesHaveNames) {
    for (const Optimizer optimizer : kOptimizers) EXPECT_EQ(optimizer_of(to_text(optimizer)), optimizer);
    for (const Schedule schedule : kSchedules) EXPECT_EQ(schedule_of(to_text(schedule)), schedule);
    EXPECT_FALSE(optimizer_of("Adam"));
    EXPECT_FALSE(schedule_of(""));
}

TEST(TrainingProblem, TheBatchOfTheFile) {
    const auto batch = [](const std::vector<std::vector<std::int64_t>>& inputs) {
        graph::GraphBuilder builder("inputs");
        std::vector<TensorId> ids;
        for (const auto& shape : inputs) {
            graph::Tensor tensor;
            tensor.shape = shape;
            tensor.shape_known = shape != std::vector<std::int64_t>{-1};
            ids.push_back(builder.add_tensor(tensor));
        }
        graph::Tensor made;
        made.shape = {99, 99};
        made.shape_known = true;
        builder.add_operator({}, ids, std::vector{builder.add_tensor(made)}, {});
        return batch_of(std::move(builder).build().value());
    };
    EXPECT_EQ(batch({{6, 2}, {7, 2}}), 6);
    EXPECT_EQ(batch({{5}, {6, 2}}), 6) << "a vector may be anything";
    EXPECT_EQ(batch({{5}, {4}}), 5);
    EXPECT_EQ(batch({{}, {-1}}), 1);
    EXPECT_EQ(batch({}), 1);
}

TEST(TrainingProblem, TheFingerprintIsOfEverythingThatMatters) {
    const std::string plain = problem_of(machine()).fingerprint;
    EXPECT_EQ(problem_of(machine()).fingerprint, plain);
    EXPECT_NE(problem_of(machine(), 24).fingerprint, plain);
    EXPECT_NE(problem_of(machine(), 12, Optimizer::sgd).fingerprint, plain);
    EXPECT_NE(problem_of(machine(5)).fingerprint, plain);
    const auto changed = [&](const std::function<void(platform::Platform&)>& change) {
        platform::Platform platform = machine();
        change(platform);
        return problem_of(platform).fingerprint;
    };
    EXPECT_NE(changed([](auto& p) { p.classes[0].half_rows = 6; }), plain);
    EXPECT_NE(changed([](auto& p) { p.classes[0].launch = Duration{18}; }), plain);
    EXPECT_NE(changed([](auto& p) { p.stage_link.latency = Duration{8}; }), plain);
    EXPECT_NE(changed([](auto& p) {
                  p.classes[0].overflow = Overflow::hard;
                  p.classes[0].fast_memory = {1 << 20};
              }),
              plain);
    EXPECT_NE(changed([](auto& p) {
                  p.topology = platform::Topology::hierarchy;
                  p.devices_per_node = 2;
                  p.node_link = p.stage_link;
              }),
              plain);
}

/// Two operators with the times of a profile.
graph::Graph profile(std::optional<std::vector<std::int64_t>> backward, bool transfers = false) {
    graph::GraphBuilder builder("profile");
    graph::GivenCosts given;
    given.classes.resize(1);
    given.classes[0].name = "gpu";
    given.classes[0].count = 2;
    given.classes[0].time = {Duration{10}, Duration{20}};
    if (backward)
        for (const std::int64_t time : *backward) given.classes[0].backward.emplace_back(time);
    if (transfers)
        given.transfer = {Duration{3}, Duration{0}};
    else
        given.link = ByteRate{1'000'000'000'000};
    graph::Tensor tensor;
    tensor.bytes = {30};
    const TensorId between = builder.add_tensor(tensor), end = builder.add_tensor(tensor);
    graph::Parameter parameter;
    parameter.bytes = {100};
    const ParameterId first = builder.add_parameter(parameter), second = builder.add_parameter(parameter);
    graph::Operator op;
    op.name = op.type = "layer";
    builder.add_operator(op, {}, std::vector{between}, std::vector{first});
    builder.add_operator(op, std::vector{between}, std::vector{end}, std::vector{second});
    builder.set_given_costs(std::move(given));
    return std::move(builder).build().value();
}

TEST(TrainingProblem, TimesOfAProfile) {
    const auto frozen = [](const graph::Graph& graph) {
        return freeze_training(graph, platform::given_platform(graph), {.mini_batch = 4}).value();
    };
    const auto without = frozen(profile({}));
    ASSERT_EQ(without.report.warnings.size(), 1U);
    EXPECT_NE(without.report.warnings[0].find("no backward times"), std::string::npos);
    EXPECT_EQ(without.problem.file_batch, 1);
    const auto times = [](const FrozenTraining& training) { return pass_times(training.problem, ClassId(0), 3); };
    EXPECT_EQ(times(without)[0], (PassTimes{Duration{30}, Duration{0}, Duration{30}})) << "nothing upstream is trained";
    EXPECT_EQ(times(without)[1], (PassTimes{Duration{60}, Duration{60}, Duration{60}}));
    EXPECT_EQ(without.problem.kept[0], Bytes{30}) << "what it made";
    EXPECT_EQ(without.problem.kept_for_weights[0], Bytes{60});
    const auto with = frozen(profile(std::vector<std::int64_t>{15, 45}));
    EXPECT_TRUE(with.report.warnings.empty());
    EXPECT_EQ(times(with)[0], (PassTimes{Duration{30}, Duration{0}, Duration{45}}));
    EXPECT_EQ(times(with)[1], (PassTimes{Duration{60}, Duration{69}, Duration{66}})) << "half each, 22 and 23 a sample";
    EXPECT_EQ(training_terms(with.problem, {.nodes = {NodeId(0)}}).optimizer, Duration{0}) << "a rate that nobody knows";
}

TEST(TrainingProblem, Refuses) {
    const auto refusal = [](const graph::Graph& graph, const platform::Platform& platform, std::int64_t mini_batch) {
        const auto frozen = freeze_training(graph, platform, {.mini_batch = mini_batch});
        return frozen ? std::string() : frozen.error().message;
    };
    EXPECT_NE(refusal(model(8), machine(), 0).find("a mini-batch of 0 samples"), std::string::npos);
    EXPECT_NE(refusal(model(8), machine(), kLargestMiniBatch + 1).find("16777217 samples"), std::string::npos);
    EXPECT_EQ(refusal(model(8), machine(), kLargestMiniBatch), "");
    EXPECT_NE(refusal(model(8), platform::Platform{}, 1), "");

    platform::Platform slow = machine();
    slow.classes[0].flops_per_second[static_cast<std::size_t>(DataType::f32)] = 2;  // 780,000 s a sample, all passes together
    EXPECT_EQ(refusal(model(1), slow, 1), "");
    EXPECT_NE(refusal(model(1), slow, 4).find("a mini-batch of 4 samples takes more than"), std::string::npos);

    auto heavy = test::chain_of(24, {.parameters = Bytes{4'000'000}});  // 48 at once on a ring of 1 byte a second
    platform::Platform trickle = test::given_devices(2);
    trickle.stage_link.rate = ByteRate{1};
    EXPECT_NE(refusal(test::given_graph(heavy), trickle, 1).find("the sums of all gradients take more than"), std::string::npos);

    const graph::Graph timed = profile({}, true);
    EXPECT_NE(refusal(timed, platform::given_platform(timed), 1).find("times for whole tensors and no rate"), std::string::npos);
    const graph::Graph endless = profile(std::vector<std::int64_t>{kLargestTotal.count() + 1, 0});
    EXPECT_NE(refusal(endless, platform::given_platform(endless), 1).find("takes longer than can be counted"), std::string::npos);

    graph::GraphBuilder builder("large");
    graph::Tensor tensor;
    tensor.shape = {1, 1};
    tensor.shape_known = true;
    tensor.bytes = {std::int64_t{1} << 57};
    const TensorId in = builder.add_tensor(tensor);
    tensor.bytes = {};
    graph::Operator op;
    op.name = op.type = "op";
    builder.add_operator(op, std::vector{in}, std::vector{builder.add_tensor(tensor)}, {});
    const graph::Graph large = std::move(builder).build().value();
    EXPECT_EQ(refusal(large, machine(), 8), "");
    EXPECT_NE(refusal(large, machine(), 9).find("the tensors of a mini-batch of 9 samples"), std::string::npos);
}

std::vector<NodeId> nodes(std::initializer_list<std::size_t> list) {
    std::vector<NodeId> made;
    for (const std::size_t v : list) made.emplace_back(v);
    return made;
}

/// Two stages: {look, multiply} on device 0, the rest on `replicas` from device 1.
TrainingPartition two_stages(std::int64_t micro_batch = 2, std::int64_t replicas = 1) {
    TrainingPartition partition;
    partition.stages = {
        {.nodes = nodes({0, 1}), .micro_batch = micro_batch, .in_flight = 2 * micro_batch},
        {.nodes = nodes({2, 3, 4}), .first_device = 1, .replicas = replicas, .micro_batch = micro_batch, .in_flight = micro_batch}};
    return partition;
}

TEST(TrainingTerms, ByHand) {
    const TrainingProblem problem = problem_of(machine());
    TrainingStage stage{.nodes = nodes({0, 1}), .replicas = 3, .micro_batch = 4, .in_flight = 8};
    const auto passes = [&](std::size_t v) { return problem.classes[0].passes[v][0].at(2); };  // ceil(4 / 3)
    TrainingTerms terms = training_terms(problem, stage);
    PassTimes both = passes(0);
    both += passes(1);
    EXPECT_EQ(terms.pass, both);
    EXPECT_EQ(terms.parameters, Bytes{7000});
    EXPECT_EQ(terms.state, Bytes{28000});
    EXPECT_EQ(terms.kept, Bytes{152});
    EXPECT_EQ(terms.kept_for_weights, Bytes{452});
    EXPECT_EQ(terms.recomputed, Bytes{0});
    EXPECT_EQ(terms.all_reduce, Duration(4 * (2334 + 7))) << "ring of three: four steps";
    EXPECT_EQ(terms.optimizer, Duration{56000});
    EXPECT_EQ(memory_need(stage, terms), Bytes{28000 + 152 * 4}) << "two micro-batches of two samples a replica";

    stage.recompute = true;
    terms = training_terms(problem, stage);
    EXPECT_EQ(terms.pass.input_gradient, both.input_gradient + both.forward);
    EXPECT_EQ(terms.kept, Bytes{40 + 12}) << "ids and hidden come in";
    EXPECT_EQ(terms.recomputed, Bytes{152 * 2});
    EXPECT_EQ(memory_need(stage, terms), Bytes{28000 + 52 * 4 + 304});

    const TrainingTerms still = training_terms(problem, {.nodes = nodes({3}), .replicas = 2});
    EXPECT_EQ(still.state, Bytes{8});
    EXPECT_EQ(still.all_reduce, Duration{0}) << "an integer is not trained";
    EXPECT_EQ(still.optimizer, Duration{0});
}

TEST(TrainingTransfers, EdgesOfStages) {
    const TrainingProblem problem = problem_of(machine());
    const auto edges = stage_edges(problem, two_stages());
    ASSERT_EQ(edges.size(), 1U);
    EXPECT_EQ(edges[0], (StageEdge{0, 1, {200}, {200}, true, {EdgeId(4)}}));
    EXPECT_EQ(chunk_of({.nodes = {}, .micro_batch = 4}, {.nodes = {}, .micro_batch = 8}), 4);
    EXPECT_EQ(chunk_of({.nodes = {}, .micro_batch = 6}, {.nodes = {}, .micro_batch = 4}), 2);
}

TEST(TrainingTransfers, OverTheSlowerKindOfLink) {
    platform::Platform platform = machine(8);
    platform.topology = platform::Topology::hierarchy;
    platform.devices_per_node = 4;
    platform.node_link = {{100'000'000'000}, Duration{50}};  // ten picoseconds a byte
    const TrainingProblem problem = problem_of(platform);
    const auto stage = [](std::int64_t first, std::int64_t replicas) {
        return TrainingStage{.nodes = {}, .first_device = first, .replicas = replicas};
    };
    const auto time = [&](TrainingStage from, TrainingStage to, std::int64_t bytes, std::int64_t samples = 1) {
        return transfer_time(problem, from, to, {bytes}, samples).count();
    };
    EXPECT_EQ(time(stage(0, 2), stage(0, 2), 1000), 0) << "the same devices";
    EXPECT_EQ(time(stage(0, 1), stage(1, 1), 1000), 1007);
    EXPECT_EQ(time(stage(0, 2), stage(2, 2), 500, 2), 507) << "two links";
    EXPECT_EQ(time(stage(0, 2), stage(2, 2), 500, 3), 1007) << "a sample is not shared out";
    EXPECT_EQ(time(stage(0, 2), stage(2, 2), 1000), 1007);
    EXPECT_EQ(time(stage(0, 2), stage(2, 1), 1000), 1007) << "one end has one";
    EXPECT_EQ(time(stage(3, 1), stage(4, 1), 1000), 10050);
    EXPECT_EQ(time(stage(3, 2), stage(6, 2), 1000), 10050) << "one node of the two ends has it all over its link";
    EXPECT_EQ(time(stage(0, 8), stage(2, 4), 500, 2), 5050) << "two nodes at both ends";
    EXPECT_EQ(time(stage(0, 8), stage(2, 4), 1000), 10050);
    const auto ring = [&](std::int64_t first, std::int64_t count, std::int64_t bytes) {
        return all_reduce_time(problem, first, count, {bytes}).count();
    };
    EXPECT_EQ(ring(0, 1, 1000), 0);
    EXPECT_EQ(ring(0, 4, 0), 0);
    EXPECT_EQ(ring(0, 4, 1000), 6 * (250 + 7));
    EXPECT_EQ(ring(4, 4, 1001), 6 * (251 + 7));
    EXPECT_EQ(ring(1, 4, 1000), 6 * (2500 + 50));
}

TEST(TrainingTransfers, WhatStagesShareIsSummedOverTheirGroupsAlone) {
    const auto problem = test::training_problem(
        test::given_graph({{.parameters = Bytes{100}}, {.reads = {0}, .parameters = Bytes{0}}, {.reads = {1}, .ties = 0}}),
        test::given_devices(7), 8);  // a picosecond for a byte is 1000 here
    const auto ties = [&](std::int64_t first, std::int64_t last) {
        return tied_gradients(problem, {.stages = {{.nodes = nodes({0}), .replicas = first},
                                                   {.nodes = nodes({1}), .first_device = 6},
                                                   {.nodes = nodes({2}), .first_device = 3, .replicas = last}}});
    };
    ASSERT_EQ(ties(1, 1).size(), 1U);
    EXPECT_EQ(ties(1, 1)[0], (TiedGradient{{0, 2}, Bytes{100}, Duration{2 * 50 * 1000}}));
    EXPECT_EQ(ties(2, 2)[0].all_reduce, Duration{2 * 25 * 1000}) << "two rings beside each other, each for half of it";
    EXPECT_EQ(ties(2, 3)[0].all_reduce, Duration{2 * 25 * 1000});
    EXPECT_EQ(ties(3, 3)[0].all_reduce, Duration{2 * 17 * 1000});
}

/// A graph of stages with given edges, each stage one operator.
struct Shape {
    TrainingProblem problem;
    TrainingPartition partition;
    Shape(std::size_t stages, const std::vector<std::pair<std::size_t, std::size_t>>& edges, std::int64_t mini_batch) {
        graph::GraphBuilder builder("shape");
        graph::GivenCosts given;
        given.classes.resize(1);
        given.classes[0] = {.name = "gpu", .count = static_cast<std::int64_t>(stages), .memory = {}, .time = {}};
        given.link = ByteRate{1'000'000'000'000};
        std::vector<TensorId> made;
        for (std::size_t s = 0; s < stages; ++s) made.push_back(builder.add_tensor({}));
        for (std::size_t s = 0; s < stages; ++s) {
            std::vector<TensorId> inputs;
            for (const auto& [from, to] : edges)
                if (to == s) inputs.push_back(made[from]);
            graph::Operator op;
            op.name = op.type = "op";
            builder.add_operator(op, inputs, std::vector{made[s]}, {});
            given.classes[0].time.emplace_back(Duration{1});
        }
        builder.set_given_costs(std::move(given));
        const graph::Graph graph = std::move(builder).build().value();
        problem = freeze_training(graph, platform::given_platform(graph), {.mini_batch = mini_batch}).value().problem;
        for (std::size_t s = 0; s < stages; ++s)
            partition.stages.push_back({.nodes = {NodeId(s)}, .first_device = static_cast<std::int64_t>(s)});
    }
    Shape& sizes(const std::vector<std::int64_t>& micro_batches, std::int64_t k = 1) {
        for (std::size_t s = 0; s < partition.stages.size(); ++s) {
            partition.stages[s].micro_batch = micro_batches[std::min(s, micro_batches.size() - 1)];
            partition.stages[s].k = k;
        }
        return *this;
    }
    std::vector<std::int64_t> in_flight() {
        set_in_flight(problem, partition);
        std::vector<std::int64_t> list;
        for (const TrainingStage& stage : partition.stages) list.push_back(stage.in_flight);
        return list;
    }
};

using Counts = std::vector<std::int64_t>;

TEST(TrainingInFlight, TheFigureOfThePaper) {
    // Micro-batches of 1, 2 and 4 on three stages; 4 everywhere; notes/training 2.3.
    EXPECT_EQ(Shape(3, {{0, 1}, {1, 2}}, 128).sizes({1, 2, 4}).in_flight(), (Counts{10, 8, 4}));
    EXPECT_EQ(Shape(3, {{0, 1}, {1, 2}}, 128).sizes({4}).in_flight(), (Counts{12, 8, 4}));
}

TEST(TrainingInFlight, ThePlansOfThePaper) {
    // notes/training 2.5: rings of the example plans.
    const std::vector<std::pair<std::size_t, std::size_t>> chain{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}};
    EXPECT_EQ(Shape(6, chain, 1024).sizes({64}).in_flight(), (Counts{384, 320, 256, 192, 128, 64}));
    std::vector<std::pair<std::size_t, std::size_t>> resnet;
    for (std::size_t s = 0; s < 7; ++s) resnet.emplace_back(s, s + 1);
    EXPECT_EQ(Shape(8, resnet, 64).sizes({1}, 2).in_flight(), (Counts{16, 14, 12, 10, 8, 6, 4, 2}));
    // CANDLE-Uno as a graph, in topological order: four branches feed one stage.
    EXPECT_EQ(Shape(6, {{0, 4}, {1, 4}, {2, 4}, {3, 4}, {4, 5}}, 1024).sizes({64}).in_flight(), (Counts{192, 192, 192, 192, 128, 64}));
    EXPECT_EQ(Shape(3, {{0, 1}, {1, 2}}, 1024).sizes({128}).in_flight(), (Counts{384, 256, 128}));
}

TEST(TrainingInFlight, NeverAboveTheMiniBatchAndAlwaysWholeMicroBatches) {
    EXPECT_EQ(Shape(3, {{0, 1}, {1, 2}}, 8).sizes({4}).in_flight(), (Counts{8, 8, 4}));
    EXPECT_EQ(Shape(2, {{0, 1}}, 12).sizes({6, 4}).in_flight(), (Counts{12, 4}));
    EXPECT_EQ(Shape(2, {{0, 1}}, 24).sizes({2, 3}).in_flight(), (Counts{6, 3}));
}

TEST(TrainingPrice, ByHand) {
    platform::Platform platform = machine();
    platform.model = platform::StageModel::serial;
    const TrainingProblem serial = problem_of(platform);
    platform.model = platform::StageModel::overlap;
    const TrainingProblem overlap = problem_of(platform);
    const TrainingPartition partition = two_stages(2, 2);
    const TrainingTerms one = training_terms(serial, partition.stages[0]), two = training_terms(serial, partition.stages[1]);
    // Six micro-batches; 400 bytes of one go and come over one link.
    const std::int64_t link = 6 * (400 + 7);
    const std::int64_t first = 6 * one.pass.total().count() + one.optimizer.count(), second = 6 * two.pass.total().count();
    EXPECT_EQ(price(serial, partition).bottleneck.count(), (std::max(first, second) + 2 * link + 11) / 12);
    EXPECT_EQ(price(overlap, partition).bottleneck.count(), (std::max({first, second, link}) + 11) / 12);
    EXPECT_EQ(price(serial, partition).memory[0], memory_need(partition.stages[0], one));
    EXPECT_EQ(price(serial, partition).peak_memory, memory_need(partition.stages[0], one));
    TrainingPartition shared = two_stages();
    shared.stages[1].first_device = 0;
    EXPECT_EQ(price(overlap, shared).bottleneck.count(),
              (first + 6 * training_terms(serial, shared.stages[1]).pass.total().count() + 11) / 12)
        << "no transfer, both on one device";
    EXPECT_EQ(price(overlap, shared).peak_memory.count, price(overlap, shared).memory[0].count + price(overlap, shared).memory[1].count);
}

TEST(TrainingFaults, NamesEach) {
    platform::Platform platform = machine();
    platform.classes[0].overflow = Overflow::hard;
    platform.classes[0].fast_memory = {29'000};
    const TrainingProblem problem = problem_of(platform);
    const auto faults = [&](const std::function<void(TrainingPartition&)>& change) {
        TrainingPartition partition = two_stages();
        change(partition);
        std::string text;
        for (const Diagnostic& fault : faults_of(problem, partition)) {
            EXPECT_EQ(fault.kind, DiagnosticKind::verification);
            text += fault.message + '\n';
        }
        return text;
    };
    const auto expect_fault = [&](const std::function<void(TrainingPartition&)>& change, std::string_view what) {
        const std::string text = faults(change);
        EXPECT_NE(text.find(what), std::string::npos) << "'" << what << "' in '" << text << "'";
    };
    EXPECT_EQ(faults([](auto&) {}), "");
    EXPECT_NE(faults([](auto& p) { p.stages.clear(); }), "");
    EXPECT_NE(faults([](auto& p) { p.stages[0].nodes.pop_back(); }), "") << "a node nowhere";
    EXPECT_NE(faults([](auto& p) { p.stages[0].nodes.push_back(NodeId(2)); }), "") << "a node twice";
    EXPECT_NE(faults([](auto& p) { p.stages[0].nodes.push_back(NodeId(9)); }), "") << "no such node";
    EXPECT_NE(faults([](auto& p) { std::swap(p.stages[0].nodes[0], p.stages[0].nodes[1]); }), "") << "order of nodes";
    EXPECT_NE(faults([](auto& p) { std::swap(p.stages[0], p.stages[1]); }), "") << "order of stages";
    EXPECT_NE(faults([](auto& p) { std::swap(p.stages[0].nodes[1], p.stages[1].nodes[0]); }), "") << "a cycle of stages";
    EXPECT_NE(faults([](auto& p) { p.stages.push_back({.nodes = {}, .first_device = 3, .in_flight = 1}); }), "") << "an empty stage";
    expect_fault([](auto& p) { p.stages[0].device = ClassId(1); }, "stage 0 is on device class 1; the platform has 1");
    expect_fault([](auto& p) { p.stages[1].first_device = 4; }, "stage 1 is on 1 devices from device 4; those of class 'chip' are 0 to 3");
    expect_fault([](auto& p) { p.stages[1].first_device = -1; }, "from device -1");
    expect_fault([](auto& p) { p.stages[1].replicas = 0; }, "on 0 devices");
    expect_fault([](auto& p) { p.stages[1].replicas = std::numeric_limits<std::int64_t>::max(); }, "devices from device 1");
    expect_fault([](auto& p) { p.stages[1].first_device = 0, p.stages[1].replicas = 2; }, "stages 0 and 1 share some of their devices");
    expect_fault([](auto& p) { p.stages[0].micro_batch = 5; }, "stage 0 has micro-batches of 5 samples, which do not divide");
    expect_fault([](auto& p) { p.stages[0].micro_batch = 0; }, "micro-batches of 0 samples");
    expect_fault([](auto& p) { p.stages[1].k = 0; }, "stage 1 does 0 forward passes in a row");
    expect_fault([](auto& p) { p.stages[1].k = 7; }, "stage 1 does 7 forward passes in a row; a mini-batch has 6");
    expect_fault([](auto& p) { p.stages[0].in_flight = 3; }, "stage 0 keeps 3 samples in flight");
    expect_fault([](auto& p) { p.stages[0].in_flight = 14; }, "stage 0 keeps 14 samples in flight");
    expect_fault([](auto& p) { p.stages[0].in_flight = 2; }, "stage 0 keeps 2 samples in flight; its readers need 4");
    expect_fault([](auto& p) { p.stages[1].k = 2; }, "stage 1 keeps 2 samples in flight");
    EXPECT_EQ(faults([](auto& p) { p.schedule = Schedule::list, p.stages[0].in_flight = 2; }), "") << "a list waits";
    expect_fault([](auto& p) { p.stages[0].in_flight = 12; }, "device 0 needs");
    expect_fault([](auto& p) { p.stages[1].first_device = 0, p.stages[1].in_flight = 4; }, "device 0 needs");
    EXPECT_EQ(faults([](auto& p) { p.stages[1].replicas = 3; }), "");
}

TEST(TrainingFaults, SupportIsOfTheClass) {
    graph::Graph graph = profile({});
    platform::Platform platform = platform::given_platform(graph);
    TrainingProblem problem = freeze_training(graph, platform, {.mini_batch = 4}).value().problem;
    problem.structure.classes[0].supported.erase(1);
    TrainingPartition partition;
    partition.stages = {{.nodes = nodes({0, 1}), .in_flight = 1}};
    EXPECT_FALSE(faults_of(problem, partition).empty());
}

TEST(TrainingNormalise, SortsAndDropsWhatIsEmpty) {
    const TrainingProblem problem = problem_of(machine());
    TrainingPartition partition = two_stages(2, 3);
    const TrainingPartition sorted = partition;
    std::swap(partition.stages[0], partition.stages[1]);
    std::swap(partition.stages[0].nodes[0], partition.stages[0].nodes[2]);
    partition.stages.insert(partition.stages.begin(), TrainingStage{});
    EXPECT_EQ(normalise(problem, partition).value(), sorted);
    std::swap(partition.stages[1].nodes[0], partition.stages[2].nodes[0]);
    EXPECT_FALSE(normalise(problem, partition).has_value()) << "a cycle";
    partition = two_stages();
    partition.stages[0].nodes.push_back(NodeId(2));
    EXPECT_FALSE(normalise(problem, partition).has_value()) << "a node twice";
}

}  // namespace
}  // namespace sluice::cost
