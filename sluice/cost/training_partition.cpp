#include "sluice/cost/training_partition.hpp"

#include <algorithm>
#include <format>
#include <map>
#include <numeric>
#include <span>

#include "sluice/base/distinct.hpp"
#include "sluice/base/wide.hpp"
#include "sluice/cost/interleaving.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::cost {

namespace {

Duration over(const platform::Link& link, Bytes bytes) { return time_for(bytes, link.rate).value_or(kLargestTotal) + link.latency; }

Bytes shared(Bytes bytes, std::int64_t ways) { return {bytes.count / ways + (bytes.count % ways != 0)}; }

bool same_devices(const TrainingStage& a, const TrainingStage& b) { return a.first_device == b.first_device && a.replicas == b.replicas; }

/// 2 (count - 1) steps of bytes / count.
Duration ring_time(const platform::Link& link, std::int64_t count, Bytes bytes) {
    if (count < 2 || bytes.count == 0) return Duration{0};
    const Wide step = over(link, shared(bytes, count)).count();
    return Duration{static_cast<std::int64_t>(std::min<Wide>(2 * Wide{count - 1} * step, kLargestTotal.count()))};
}

std::vector<std::size_t> stage_of_nodes(const TrainingProblem& problem, const TrainingPartition& partition) {
    std::vector<std::size_t> stage_of(problem.node_count(), kNoStage);
    for (std::size_t s = 0; s < partition.stages.size(); ++s)
        for (const NodeId node : partition.stages[s].nodes) stage_of[node.index()] = s;
    return stage_of;
}

/// The nodes alone, for what partitions of any job have in common.
Partition nodes_of(const TrainingPartition& partition) {
    Partition plain;
    for (const TrainingStage& stage : partition.stages) plain.stages.push_back({stage.nodes, stage.device, 1});
    return plain;
}

/// Devices of class c are [first, second).
std::pair<std::int64_t, std::int64_t> devices_of(const TrainingProblem& problem, ClassId device) {
    std::int64_t first = 0;
    for (std::size_t c = 0; c < device.index(); ++c) first += problem.structure.classes[c].count;
    return {first, first + problem.structure.classes[device.index()].count};
}

std::vector<Diagnostic> device_faults(const TrainingProblem& problem, const TrainingPartition& partition) {
    std::vector<Diagnostic> faults;
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const TrainingStage& stage = partition.stages[s];
        if (stage.device.index() >= problem.classes.size()) {
            faults.push_back(verification_error(
                std::format("stage {} is on device class {}; the platform has {}", s, stage.device.index(), problem.classes.size())));
            continue;
        }
        const auto [first, last] = devices_of(problem, stage.device);
        if (stage.replicas < 1 || stage.first_device < first || stage.replicas > last - stage.first_device)
            faults.push_back(verification_error(std::format("stage {} is on {} devices from device {}; those of class '{}' are {} to {}", s,
                                                            stage.replicas, stage.first_device,
                                                            problem.structure.classes[stage.device.index()].name, first, last - 1)));
    }
    if (!faults.empty()) return faults;
    std::vector<std::size_t> order(partition.stages.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {},
                             [&](std::size_t s) { return std::pair(partition.stages[s].first_device, partition.stages[s].replicas); });
    for (std::size_t i = 1; i < order.size(); ++i) {
        const TrainingStage &before = partition.stages[order[i - 1]], &after = partition.stages[order[i]];
        if (same_devices(before, after) || before.first_device + before.replicas <= after.first_device) continue;
        faults.push_back(verification_error(
            std::format("stages {} and {} share some of their devices and not all: {} from device {}, {} from device {}", order[i - 1],
                        order[i], before.replicas, before.first_device, after.replicas, after.first_device)));
    }
    return faults;
}

std::vector<Diagnostic> batch_faults(const TrainingProblem& problem, const TrainingPartition& partition) {
    std::vector<Diagnostic> faults;
    const std::int64_t batch = problem.options.mini_batch;
    for (std::size_t s = 0; s < partition.stages.size(); ++s) {
        const TrainingStage& stage = partition.stages[s];
        if (stage.micro_batch < 1 || batch % stage.micro_batch != 0)
            faults.push_back(verification_error(std::format(
                "stage {} has micro-batches of {} samples, which do not divide the mini-batch of {}", s, stage.micro_batch, batch)));
        else if (stage.k < 1 || stage.k > batch / stage.micro_batch)
            faults.push_back(verification_error(
                std::format("stage {} does {} forward passes in a row; a mini-batch has {}", s, stage.k, batch / stage.micro_batch)));
        else if (stage.in_flight < stage.micro_batch || stage.in_flight % stage.micro_batch != 0 || stage.in_flight > batch)
            faults.push_back(verification_error(
                std::format("stage {} keeps {} samples in flight; multiples of its micro-batch, {}, up to {} are possible", s,
                            stage.in_flight, stage.micro_batch, batch)));
    }
    return faults;
}

bool micro_batches_are_equal(const TrainingPartition& partition) {
    return std::ranges::all_of(partition.stages,
                               [&](const TrainingStage& stage) { return stage.micro_batch == partition.stages.front().micro_batch; });
}

/// What the stages of each group keep in the order of interleaved_turns.
void keep_interleaved(const TrainingProblem& problem, TrainingPartition& partition, std::span<const StageEdge> edges) {
    std::vector<std::int64_t> distance(partition.stages.size(), 0);
    for (std::size_t e = edges.size(); e-- > 0;) distance[edges[e].from] = std::max(distance[edges[e].from], distance[edges[e].to] + 1);
    std::map<std::int64_t, std::vector<std::size_t>> groups;
    for (std::size_t s = 0; s < partition.stages.size(); ++s) groups[partition.stages[s].first_device].push_back(s);
    for (const auto& [first, stages] : groups) {
        const std::int64_t size = partition.stages[stages.front()].micro_batch, count = problem.options.mini_batch / size;
        std::vector<std::int64_t> now(stages.size(), 0), most(stages.size(), 0);
        for (const Turn& turn :
             interleaved_turns(stages.size(), count, static_cast<std::int64_t>(groups.size()), distance[stages.back()])) {
            now[turn.place] += turn.forward ? 1 : -1;
            most[turn.place] = std::max(most[turn.place], now[turn.place]);
        }
        for (std::size_t place = 0; place < stages.size(); ++place) partition.stages[stages[place]].in_flight = most[place] * size;
    }
}

std::vector<WeightId> weights_of(const TrainingProblem& problem, const TrainingStage& stage) {
    std::vector<WeightId> weights;
    for (const NodeId node : stage.nodes) {
        const auto used = problem.structure.weights[node.index()];
        weights.insert(weights.end(), used.begin(), used.end());
    }
    keep_distinct(weights);
    return weights;
}

/// What a stage reads and does not make, for one sample.
Bytes entering(const TrainingProblem& problem, const TrainingStage& stage) {
    std::vector<NodeId> inside = stage.nodes;
    keep_distinct(inside);
    std::vector<EdgeId> inputs;
    for (const NodeId node : inside)
        for (const EdgeId edge : problem.structure.inputs[node.index()])
            if (const NodeId producer = problem.structure.producer[edge.index()];
                !producer.valid() || !std::ranges::binary_search(inside, producer))
                inputs.push_back(edge);
    keep_distinct(inputs);
    Bytes bytes;
    for (const EdgeId edge : inputs) bytes += problem.activation[edge.index()];
    return bytes;
}

/// One complaint for each group of devices that needs more than it has.
std::vector<Diagnostic> memory_faults(const TrainingProblem& problem, const TrainingPartition& partition) {
    std::map<std::int64_t, std::vector<std::size_t>> groups;
    for (std::size_t s = 0; s < partition.stages.size(); ++s) groups[partition.stages[s].first_device].push_back(s);
    std::vector<Diagnostic> faults;
    for (const auto& [first, stages] : groups) {
        const TrainingDevice& device = problem.classes[partition.stages[stages.front()].device.index()];
        if (!device.limited) continue;
        Bytes need;
        std::vector<std::string> notes;
        for (const std::size_t s : stages) {
            const TrainingStage& stage = partition.stages[s];
            const TrainingTerms terms = training_terms(problem, stage);
            need += memory_need(stage, terms, partition.schedule);
            notes.push_back(std::format("stage {}: {} for parameters, gradients and optimiser, {} for {} samples in flight", s,
                                        to_text(terms.state), to_text(memory_need(stage, terms, partition.schedule) - terms.state),
                                        stage.in_flight));
        }
        if (need <= device.memory) continue;
        Diagnostic diagnostic = verification_error(
            std::format("device {} needs {}, a '{}' has {}", first, to_text(need),
                        problem.structure.classes[partition.stages[stages.front()].device.index()].name, to_text(device.memory)));
        diagnostic.notes = std::move(notes);
        faults.push_back(std::move(diagnostic).fix("a smaller micro-batch, recomputation, or more devices"));
    }
    return faults;
}

}  // namespace

std::string_view to_text(Schedule schedule) {
    switch (schedule) {
        case Schedule::gpipe:
            return "gpipe";
        case Schedule::one_f_one_b:
            return "1f1b";
        case Schedule::chain:
            return "1f1b-chain";
        case Schedule::interleaved:
            return "interleaved";
        case Schedule::zero_bubble:
            return "zero-bubble";
        case Schedule::list:
            return "list";
    }
    return "";
}

std::optional<Schedule> schedule_of(std::string_view text) {
    for (const Schedule schedule : kSchedules)
        if (to_text(schedule) == text) return schedule;
    return std::nullopt;
}

TrainingTerms training_terms(const TrainingProblem& problem, const TrainingStage& stage) {
    const StageProblem& structure = problem.structure;
    const TrainingDevice& device = problem.classes[stage.device.index()];
    const std::int64_t samples = samples_of_replica(stage);
    TrainingTerms terms;
    for (const NodeId node : stage.nodes) {
        for (const OperatorPasses& passes : device.passes[node.index()]) terms.pass += passes.at(samples);
        terms.kept += problem.kept[node.index()];
        terms.kept_for_weights += problem.kept_for_weights[node.index()];
    }
    Bytes gradients, updated;
    for (const WeightId weight : weights_of(problem, stage)) {
        const Bytes gradient = problem.weight_gradient[weight.index()], state = problem.state[weight.index()];
        terms.parameters += structure.weight_bytes[weight.index()];
        terms.state += state;
        gradients += gradient;
        if (gradient.count > 0) updated += state;
    }
    if (stage.recompute) {
        terms.recomputed = {terms.kept.count * samples};
        terms.kept = entering(problem, stage);
        terms.pass.input_gradient += terms.pass.forward;
    }
    terms.all_reduce = all_reduce_time(problem, stage.first_device, stage.replicas, gradients);
    if (device.memory_rate.bytes_per_second > 0)
        terms.optimizer = time_for({2 * updated.count}, device.memory_rate).value_or(kLargestTotal);
    return terms;
}

Bytes gradients_of(const TrainingProblem& problem, const TrainingStage& stage) {
    Bytes bytes;
    for (const WeightId weight : weights_of(problem, stage)) bytes += problem.weight_gradient[weight.index()];
    return bytes;
}

Bytes memory_need(const TrainingStage& stage, const TrainingTerms& terms, Schedule schedule) {
    const std::int64_t samples = stage.in_flight / stage.micro_batch * samples_of_replica(stage);
    const Bytes one = splits_backward(stage, schedule) ? std::max(terms.kept, terms.kept_for_weights) : terms.kept;
    return terms.state + Bytes{one.count * samples} + terms.recomputed;
}

std::vector<StageEdge> stage_edges(const TrainingProblem& problem, const TrainingPartition& partition) {
    const std::vector<std::size_t> stage_of = stage_of_nodes(problem, partition);
    std::map<std::pair<std::size_t, std::size_t>, StageEdge> edges;
    std::vector<std::size_t> readers;
    for (std::size_t e = 0; e < problem.structure.edge_count(); ++e) {
        const NodeId producer = problem.structure.producer[e];
        if (!producer.valid() || stage_of[producer.index()] == kNoStage) continue;
        const std::size_t from = stage_of[producer.index()];
        readers.clear();
        for (const NodeId consumer : problem.structure.consumers[e])
            if (stage_of[consumer.index()] != from && stage_of[consumer.index()] != kNoStage) readers.push_back(stage_of[consumer.index()]);
        keep_distinct(readers);
        for (const std::size_t to : readers) {
            StageEdge& edge = edges[{from, to}];
            edge.from = from;
            edge.to = to;
            edge.activation += problem.activation[e];
            edge.gradient += problem.gradient[e];
            edge.has_gradient = edge.has_gradient || problem.has_gradient[e];
            edge.tensors.emplace_back(e);
        }
    }
    for (std::size_t s = 1; s < partition.stages.size() && partition.schedule == Schedule::chain; ++s) {
        StageEdge& edge = edges[{s - 1, s}];
        edge.from = s - 1;
        edge.to = s;
        edge.has_gradient = true;
    }
    std::vector<StageEdge> list;
    list.reserve(edges.size());
    for (auto& [ends, edge] : edges) list.push_back(std::move(edge));
    return list;
}

std::int64_t chunk_of(const TrainingStage& from, const TrainingStage& to) { return std::gcd(from.micro_batch, to.micro_batch); }

Duration transfer_time(const TrainingProblem& problem, const TrainingStage& from, const TrainingStage& to, Bytes sample,
                       std::int64_t samples) {
    if (same_devices(from, to)) return Duration{0};
    const auto share = [&](std::int64_t ways) { return Bytes{sample.count * ((samples + ways - 1) / ways)}; };
    const std::int64_t per_node = problem.interconnect.devices_per_node;
    const auto nodes_of = [&](const TrainingStage& stage) {
        if (per_node == 0) return std::pair<std::int64_t, std::int64_t>{0, 0};
        return std::pair{stage.first_device / per_node, (stage.first_device + stage.replicas - 1) / per_node};
    };
    const auto [a, b] = nodes_of(from);
    const auto [c, d] = nodes_of(to);
    if (std::min(a, c) == std::max(b, d)) return over(problem.interconnect.inside, share(std::min(from.replicas, to.replicas)));
    return over(problem.interconnect.between, share(std::min(b - a, d - c) + 1));
}

Duration all_reduce_time(const TrainingProblem& problem, std::int64_t first, std::int64_t count, Bytes bytes) {
    const std::int64_t per_node = problem.interconnect.devices_per_node;
    const bool one_node = per_node == 0 || first / per_node == (first + count - 1) / per_node;
    return ring_time(one_node ? problem.interconnect.inside : problem.interconnect.between, count, bytes);
}

void set_in_flight(const TrainingProblem& problem, TrainingPartition& partition) {
    const auto edges = stage_edges(problem, partition);
    const std::int64_t batch = problem.options.mini_batch;
    for (std::size_t s = partition.stages.size(); s-- > 0;) {
        TrainingStage& stage = partition.stages[s];
        std::int64_t need = stage.k * stage.micro_batch;
        for (const StageEdge& edge : edges)
            if (edge.from == s) {
                const TrainingStage& reader = partition.stages[edge.to];
                need = std::max(need, reader.in_flight + std::max(stage.k * stage.micro_batch, reader.micro_batch));
            }
        stage.in_flight = std::min(batch, (need + stage.micro_batch - 1) / stage.micro_batch * stage.micro_batch);
    }
    if (partition.schedule == Schedule::interleaved && micro_batches_are_equal(partition))
        return keep_interleaved(problem, partition, edges);
    std::int64_t most = 0;
    for (const TrainingStage& stage : partition.stages) most = std::max(most, stage.in_flight);
    for (TrainingStage& stage : partition.stages) {
        if (partition.schedule == Schedule::gpipe) stage.in_flight = batch;
        if (partition.schedule == Schedule::zero_bubble)
            stage.in_flight = std::max(stage.in_flight, most / stage.micro_batch * stage.micro_batch);
    }
}

std::vector<TiedGradient> tied_gradients(const TrainingProblem& problem, const TrainingPartition& partition) {
    const std::vector<std::size_t> stage_of = stage_of_nodes(problem, partition);
    std::map<std::vector<std::size_t>, Bytes> ties;
    for (std::size_t w = 0; w < problem.structure.weight_count(); ++w) {
        if (problem.weight_gradient[w].count == 0) continue;
        std::vector<std::size_t> stages;
        for (const NodeId user : problem.structure.weight_users[w])
            if (stage_of[user.index()] != kNoStage) stages.push_back(stage_of[user.index()]);
        keep_distinct(stages);
        const auto elsewhere = [&](std::size_t s) { return !same_devices(partition.stages[s], partition.stages[stages.front()]); };
        if (std::ranges::any_of(stages, elsewhere)) ties[stages] += problem.weight_gradient[w];
    }
    std::vector<TiedGradient> list;
    for (const auto& [stages, bytes] : ties) {
        std::map<std::int64_t, std::int64_t> groups;
        for (const std::size_t s : stages) groups[partition.stages[s].first_device] = partition.stages[s].replicas;
        std::int64_t ways = groups.begin()->second;
        for (const auto& [first, replicas] : groups) ways = std::min(ways, replicas);
        // The rings' devices need not follow each other: each is charged as if it began with the first and reached the last.
        const std::int64_t first = groups.begin()->first, last = groups.rbegin()->first + groups.rbegin()->second;
        const std::int64_t per_node = problem.interconnect.devices_per_node;
        const bool one_node = per_node == 0 || first / per_node == (last - 1) / per_node;
        list.push_back({stages, bytes,
                        ring_time(one_node ? problem.interconnect.inside : problem.interconnect.between,
                                  static_cast<std::int64_t>(groups.size()), shared(bytes, ways))});
    }
    return list;
}

TrainingCost price(const TrainingProblem& problem, const TrainingPartition& partition) {
    TrainingCost cost;
    const std::int64_t batch = problem.options.mini_batch;
    struct Load {
        Wide work = 0, in = 0, out = 0;
        Bytes memory;
    };
    std::map<std::int64_t, Load> loads;  // by first device
    for (const TrainingStage& stage : partition.stages) {
        const TrainingTerms terms = training_terms(problem, stage);
        Load& load = loads[stage.first_device];
        load.work += static_cast<Wide>(terms.pass.total().count()) * (batch / stage.micro_batch) + terms.optimizer.count();
        load.out += terms.all_reduce.count();
        load.memory += memory_need(stage, terms, partition.schedule);
        cost.memory.push_back(memory_need(stage, terms, partition.schedule));
        cost.stages.push_back(terms);
    }
    for (const StageEdge& edge : stage_edges(problem, partition)) {
        const TrainingStage &from = partition.stages[edge.from], &to = partition.stages[edge.to];
        const std::int64_t chunk = chunk_of(from, to);
        const Wide forth = Wide{transfer_time(problem, from, to, edge.activation, chunk).count()} * (batch / chunk);
        const Wide back = !edge.has_gradient ? 0 : Wide{transfer_time(problem, from, to, edge.gradient, chunk).count()} * (batch / chunk);
        Load &sender = loads[from.first_device], &receiver = loads[to.first_device];
        sender.out += forth;
        receiver.in += forth;
        sender.in += back;
        receiver.out += back;
    }
    for (const TiedGradient& tie : tied_gradients(problem, partition))
        for (const std::size_t s : tie.stages) loads[partition.stages[s].first_device].out += tie.all_reduce.count();
    const bool serial = problem.structure.model == StageModel::serial;
    for (const auto& [first, load] : loads) {
        const Wide time = serial ? load.work + load.in + load.out : std::max({load.work, load.in, load.out});
        cost.bottleneck = std::max(cost.bottleneck,
                                   Duration{static_cast<std::int64_t>(std::min<Wide>((time + batch - 1) / batch, kLargestTotal.count()))});
        cost.peak_memory = std::max(cost.peak_memory, load.memory);
    }
    return cost;
}

std::vector<Diagnostic> faults_of(const TrainingProblem& problem, const TrainingPartition& partition) {
    std::vector<Diagnostic> faults = device_faults(problem, partition);
    if (!faults.empty()) return faults;  // structure below asks for classes that exist
    StageProblem structure = problem.structure;
    // A stage is no device here: counts are checked apart.
    for (DeviceCosts& device : structure.classes) device.count = static_cast<std::int64_t>(partition.stages.size());
    faults = faults_of(structure, nodes_of(partition), 0);
    std::ranges::move(batch_faults(problem, partition), std::back_inserter(faults));
    if (!faults.empty()) return faults;
    TrainingPartition least = partition;
    if (least.schedule == Schedule::zero_bubble) least.schedule = Schedule::one_f_one_b;  // more is an offer, not a need
    set_in_flight(problem, least);
    for (std::size_t s = 0; s < least.stages.size() && partition.schedule != Schedule::list; ++s)
        if (partition.stages[s].in_flight < least.stages[s].in_flight)
            faults.push_back(
                verification_error(std::format("stage {} keeps {} samples in flight; its readers need {} (least: {})", s,
                                               partition.stages[s].in_flight, least.stages[s].in_flight, to_text(partition.schedule))));
    std::ranges::move(memory_faults(problem, partition), std::back_inserter(faults));
    return faults;
}

Result<TrainingPartition> normalise(const TrainingProblem& problem, TrainingPartition partition) {
    // Stages travel by their number: normalise() of the plain partition sorts nodes and stages, and each stage is found by its first node.
    std::erase_if(partition.stages, [](const TrainingStage& stage) { return stage.nodes.empty(); });
    auto sorted = normalise(problem.structure, nodes_of(partition));
    if (!sorted) return fail(std::move(sorted.error()));
    const std::vector<std::size_t> stage_of = stage_of_nodes(problem, partition);
    TrainingPartition result{.stages = {}, .schedule = partition.schedule};
    for (Stage& stage : sorted->stages) {
        TrainingStage made = std::move(partition.stages[stage_of[stage.nodes.front().index()]]);
        made.nodes = std::move(stage.nodes);
        result.stages.push_back(std::move(made));
    }
    return result;
}

}  // namespace sluice::cost
