// Terms, edges, in-flight and price of training partitions against slow forms written from their words.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/effort.hpp"
#include "tests/support/random_training_problem.hpp"

namespace sluice::cost {
namespace {

std::int64_t ceil_of(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// ceil(bytes 10^12 / rate)
std::int64_t picoseconds(std::int64_t bytes, ByteRate rate) { return ceil_of(bytes * 1'000'000'000'000, rate.bytes_per_second); }

TrainingTerms slow_terms(const TrainingProblem& problem, const TrainingStage& stage) {
    const std::set<NodeId> inside(stage.nodes.begin(), stage.nodes.end());
    const std::int64_t samples = ceil_of(stage.micro_batch, stage.replicas);
    TrainingTerms terms;
    std::int64_t kept = 0, entering = 0, gradients = 0, updated = 0;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        if (!inside.contains(NodeId(v))) continue;
        for (const OperatorPasses& op : problem.classes[stage.device.index()].passes[v]) {
            const auto time = [&](const PassCost& pass) {
                return Duration{std::max(pass.arithmetic_fixed + pass.arithmetic_per_sample * samples,
                                         pass.memory_fixed + pass.memory_per_sample * samples) +
                                pass.launch};
            };
            terms.pass.forward += time(op.forward);
            terms.pass.input_gradient += time(op.input_gradient);
            if (stage.recompute) terms.pass.input_gradient += time(op.forward);
            terms.pass.weight_gradient += time(op.weight_gradient);
        }
        kept += problem.kept[v].count;
        terms.kept_for_weights.count += problem.kept_for_weights[v].count;
    }
    for (std::size_t w = 0; w < problem.structure.weight_count(); ++w) {
        bool used = false;
        for (const NodeId user : problem.structure.weight_users[w]) used = used || inside.contains(user);
        if (!used) continue;
        terms.parameters += problem.structure.weight_bytes[w];
        terms.state += problem.state[w];
        gradients += problem.weight_gradient[w].count;
        if (problem.weight_gradient[w].count > 0) updated += problem.state[w].count;
    }
    for (std::size_t e = 0; e < problem.structure.edge_count(); ++e) {
        const NodeId producer = problem.structure.producer[e];
        bool read = false;
        for (const NodeId reader : problem.structure.consumers[e]) read = read || inside.contains(reader);
        if (read && (!producer.valid() || !inside.contains(producer))) entering += problem.activation[e].count;
    }
    terms.kept = {stage.recompute ? entering : kept};
    terms.recomputed = {stage.recompute ? kept * samples : 0};
    std::set<std::int64_t> hosts;
    for (std::int64_t d = stage.first_device; d < stage.first_device + stage.replicas; ++d)
        hosts.insert(problem.interconnect.devices_per_node > 0 ? d / problem.interconnect.devices_per_node : 0);
    const platform::Link& link = hosts.size() == 1 ? problem.interconnect.inside : problem.interconnect.between;
    if (stage.replicas > 1 && gradients > 0)
        terms.all_reduce =
            Duration{2 * (stage.replicas - 1) * (picoseconds(ceil_of(gradients, stage.replicas), link.rate) + link.latency.count())};
    const ByteRate rate = problem.classes[stage.device.index()].memory_rate;
    if (rate.bytes_per_second > 0) terms.optimizer = Duration{picoseconds(2 * updated, rate)};
    return terms;
}

TEST(TrainingProperty, TermsEqualTheSlowForm) {
    for (std::uint64_t seed = 0; seed < test::cases(2000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 11);
        test::RandomTrainingProblem options;
        options.graph.classes = options.graph.colours = options.graph.replicated = 0.3;
        const TrainingProblem problem = test::random_training_problem(random, options);
        for (const TrainingStage& stage : test::random_training_partition(problem, random).stages) {
            EXPECT_EQ(training_terms(problem, stage), slow_terms(problem, stage));
            EXPECT_LE(samples_of_replica(stage) * (stage.replicas - 1), stage.micro_batch + stage.replicas - 1);
            EXPECT_GE(samples_of_replica(stage) * stage.replicas, stage.micro_batch);
        }
        if (HasFailure()) return;
    }
}

TEST(TrainingProperty, EdgesInFlightAndPriceEqualTheSlowForm) {
    for (std::uint64_t seed = 0; seed < test::cases(2000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 12);
        test::RandomTrainingProblem options;
        options.graph.classes = 0.3;
        const TrainingProblem problem = test::random_training_problem(random, options);
        const TrainingPartition partition = test::random_training_partition(problem, random);
        const auto& stages = partition.stages;
        const std::int64_t batch = problem.options.mini_batch;
        const auto stage_of = [&](NodeId node) {
            for (std::size_t s = 0; s < stages.size(); ++s)
                if (std::ranges::contains(stages[s].nodes, node)) return s;
            return stages.size();
        };

        std::map<std::pair<std::size_t, std::size_t>, StageEdge> expected;
        for (std::size_t e = 0; e < problem.structure.edge_count(); ++e) {
            if (!problem.structure.producer[e].valid()) continue;
            const std::size_t from = stage_of(problem.structure.producer[e]);
            std::set<std::size_t> to;
            for (const NodeId reader : problem.structure.consumers[e]) to.insert(stage_of(reader));
            to.erase(from);
            for (const std::size_t reader : to) {
                StageEdge& edge = expected[{from, reader}];
                edge.from = from, edge.to = reader;
                edge.activation += problem.activation[e];
                edge.gradient += problem.gradient[e];
                edge.has_gradient = edge.has_gradient || problem.has_gradient[e];
                edge.tensors.emplace_back(e);
            }
        }
        const auto edges = stage_edges(problem, partition);
        ASSERT_EQ(edges.size(), expected.size());
        for (const StageEdge& edge : edges) EXPECT_EQ(edge, (expected[{edge.from, edge.to}]));

        for (std::size_t s = stages.size(); s-- > 0;) {  // the rule, one multiple at a time
            std::int64_t least = stages[s].k * stages[s].micro_batch;
            for (const StageEdge& edge : edges)
                if (edge.from == s)
                    least = std::max(
                        least, stages[edge.to].in_flight + std::max(stages[s].k * stages[s].micro_batch, stages[edge.to].micro_batch));
            std::int64_t whole = 0;
            while (whole < least && whole < batch) whole += stages[s].micro_batch;
            EXPECT_EQ(stages[s].in_flight, whole);
        }

        // Device by device.
        const TrainingCost cost = price(problem, partition);
        std::int64_t devices = 0, bottleneck = 0, peak = 0;
        for (const auto& device : problem.structure.classes) devices += device.count;
        for (std::int64_t d = 0; d < devices; ++d) {
            std::int64_t work = 0, in = 0, out = 0, memory = 0;
            const auto here = [&](const TrainingStage& stage) {
                return stage.first_device <= d && d < stage.first_device + stage.replicas;
            };
            for (const TrainingStage& stage : stages) {
                if (!here(stage)) continue;
                const TrainingTerms terms = slow_terms(problem, stage);
                work += terms.pass.total().count() * (batch / stage.micro_batch) + terms.optimizer.count();
                out += terms.all_reduce.count();
                memory += terms.state.count + terms.recomputed.count +
                          terms.kept.count * (stage.in_flight / stage.micro_batch) * ceil_of(stage.micro_batch, stage.replicas);
            }
            for (const StageEdge& edge : edges) {
                const TrainingStage &from = stages[edge.from], &to = stages[edge.to];
                const std::int64_t chunk = chunk_of(from, to);
                const std::int64_t forth = transfer_time(problem, from, to, edge.activation, chunk).count() * (batch / chunk);
                const std::int64_t back =
                    edge.has_gradient ? transfer_time(problem, from, to, edge.gradient, chunk).count() * (batch / chunk) : 0;
                if (here(from)) out += forth, in += back;
                if (here(to)) in += forth, out += back;
            }
            for (const TiedGradient& tie : tied_gradients(problem, partition))
                for (const std::size_t s : tie.stages)
                    if (here(stages[s])) out += tie.all_reduce.count();
            const std::int64_t time = problem.structure.model == StageModel::serial ? work + in + out : std::max({work, in, out});
            bottleneck = std::max(bottleneck, ceil_of(time, batch));
            peak = std::max(peak, memory);
        }
        EXPECT_EQ(cost.bottleneck.count(), bottleneck);
        EXPECT_EQ(cost.peak_memory.count, peak);
        if (HasFailure()) return;
    }
}

TEST(TrainingProperty, FaultsAreOfSupportAndMemoryAlone) {
    std::size_t accepted = 0;
    for (std::uint64_t seed = 0; seed < test::cases(1000); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 13);
        test::RandomTrainingProblem options;
        options.graph.classes = 0.3;
        const TrainingProblem problem = test::random_training_problem(random, options);
        const TrainingPartition partition = test::random_training_partition(problem, random);
        const TrainingCost cost = price(problem, partition);
        std::map<std::int64_t, std::int64_t> need;
        bool fine = true;
        for (std::size_t s = 0; s < partition.stages.size(); ++s) {
            const TrainingStage& stage = partition.stages[s];
            for (const NodeId node : stage.nodes)
                fine = fine && problem.structure.classes[stage.device.index()].supported.contains(node.index());
            const TrainingDevice& device = problem.classes[stage.device.index()];
            need[stage.first_device] += cost.memory[s].count;
            fine = fine && (!device.limited || need[stage.first_device] <= device.memory.count);
        }
        EXPECT_EQ(faults_of(problem, partition).empty(), fine);
        accepted += fine ? 1 : 0;
        if (HasFailure()) return;
    }
    EXPECT_GT(accepted, test::cases(1000) / 4);
}

}  // namespace
}  // namespace sluice::cost
