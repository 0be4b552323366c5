#include "sluice/search/downset_engine.hpp"

#include <algorithm>

#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

/// Above 2^61 every threshold is the same: no stage costs as much.
std::int64_t scaled(Duration threshold, std::int64_t scale) {
    constexpr std::int64_t kMost = std::int64_t{1} << 61;
    return threshold.count() > kMost / scale ? kMost : threshold.count() * scale;
}

}  // namespace

std::optional<DownsetEngine> DownsetEngine::build(const cost::StageProblem& problem, const EngineOptions& options, const Limits& limits) {
    const auto charges = charges_for(problem.model);
    const Charge charge = options.charge.value_or(charges[charges.size() / 2]);
    auto serial = relax_to_serial(problem, options.stages, options.max_replicas, charge);
    if (!serial || must_stop(limits)) return std::nullopt;
    DownsetEngine engine;
    engine.problem_ = &problem;
    engine.options_ = options;
    engine.options_.judged = options.judged && !serial->exact;
    engine.serial_ = engine.options_.judged ? *std::move(serial) : merge_safely(*std::move(serial));
    const auto from_sinks = heavy_cone_order(engine.serial_), from_sources = heavy_cone_order(engine.serial_, true);
    struct Table {
        const std::vector<SerialProblem::Index>* order;
        std::int64_t theta_halves;
        bool mirrored;
    };
    std::vector<Table> tables{{&from_sinks, 0, false}, {&from_sources, 0, true}};
    if (engine.serial_.spills) tables.insert(tables.end(), {{&from_sinks, 2, false}, {&from_sinks, 1, false}});
    for (const Table& table : tables) {
        auto chain = ChainOfCuts::build(engine.serial_, *table.order, table.theta_halves, limits, table.mirrored, options.threads);
        if (!chain) return std::nullopt;
        engine.chains_.push_back(*std::move(chain));
    }
    return engine;
}

DownsetEngine::Attempt DownsetEngine::attempt(Duration threshold, const Effort& effort, const Limits& limits) const {
    const DownsetOptions options{.threshold = scaled(threshold, serial_.charge.scale),
                                 .chains = chains_,
                                 .counting = true,
                                 .states_per_level = effort.states_per_level,
                                 .nodes_per_state = effort.nodes_per_state,
                                 .nodes = effort.nodes,
                                 .memory = options_.memory,
                                 .threads = options_.threads,
                                 .witness = effort.witness && !options_.judged,
                                 .judge = options_.judged ? problem_ : nullptr};
    DownsetResult result = search_downsets(serial_, options, limits);
    Attempt attempt{.outcome = result.outcome, .partition = {}, .refutation = {}, .nodes = result.nodes, .states = result.states};
    if (result.outcome == DownsetOutcome::found) {
        attempt.partition = to_partition(serial_, *problem_, result.stages, result.replicas);
        for (std::size_t s = 0; s < result.device.size(); ++s) attempt.partition.stages[s].device = result.device[s];
    }
    if (result.outcome != DownsetOutcome::refuted || !options.witness) return attempt;

    auto refutation = std::make_shared<Refutation>();
    refutation->threshold = threshold;
    refutation->stages = options_.stages;
    refutation->max_replicas = options_.max_replicas;
    refutation->scale = serial_.charge.scale;
    refutation->work = serial_.charge.work;
    refutation->transfer = serial_.charge.transfer;
    refutation->merges = serial_.merges;
    refutation->counting = true;
    for (const ChainOfCuts& chain : chains_) {
        ChainTable table{.order = {}, .theta_halves = chain.theta_halves(), .mirrored = chain.mirrored()};
        for (auto g : chain.order()) table.order.push_back(serial_.members[g].front());
        refutation->completion.push_back(std::move(table));
    }
    for (const auto& level : result.kept) {
        auto& sets = refutation->kept.emplace_back();
        for (const graph::NodeSet& groups : level) {
            graph::NodeSet& set = sets.emplace_back(problem_->node_count());
            groups.for_each([&](std::size_t g) {
                for (NodeId node : serial_.members[g]) set.insert(node.index());
            });
        }
    }
    attempt.refutation = std::move(refutation);
    return attempt;
}

}  // namespace sluice::search
