#include "sluice/inference/partition_search.hpp"

#include <algorithm>

#include "sluice/inference/splits.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::inference {

PartitionSearch::PartitionSearch(const cost::StageProblem& stage_problem, const PlannerOptions& planner_options, Observer& observer,
                                 const Limits& planner_limits, std::string_view phase)
    : problem(stage_problem),
      options(planner_options),
      limits(planner_limits),
      incumbent(stage_problem, planner_options, observer, planner_limits, phase),
      orders_(stage_problem),
      workers_(planner_options.threads),
      walkers_(workers_.count()),
      candidates_(kBatch) {
    for (std::size_t kind = 0; kind < kOrders; ++kind) bases_[kind] = orders_.make(kEveryOrder[kind], nullptr);
}

void PartitionSearch::open() {
    const std::vector<std::uint32_t> no_keys(problem.node_count());
    for (std::size_t begin = 0; begin < kOrders; begin += kBatch) {
        const std::size_t count = std::min({kOrders - begin, kBatch, slots_left()});
        if (count == 0 || must_end()) return;
        const auto found = run(count, [&](Walker& walker, RandomStream&, std::size_t slot) {
            Candidate candidate = slice(walker, bases_[begin + slot], no_keys, std::nullopt);
            candidate.how = "an order as it is";
            return candidate;
        });
        static_cast<void>(found);
    }
}

Candidate PartitionSearch::slice(Walker& walker, std::span<const NodeId> base, std::span<const std::uint32_t> keys,
                                 std::optional<Duration> below) const {
    Candidate candidate{.partition = {}, .bottleneck = Duration::max(), .evaluations = 1, .how = "slicing"};
    auto sliced = walker.slice_by(base, keys,
                                  {.stages = options.stages,
                                   .max_replicas = options.max_replicas,
                                   .below = below,
                                   .at_least = options.good_enough.value_or(Duration{0}),
                                   .limits = &limits});
    if (!sliced) return candidate;
    candidate.bottleneck = price(problem, *sliced).bottleneck;
    candidate.partition = *std::move(sliced);
    return candidate;
}

Candidate PartitionSearch::improve(Walker& walker, const cost::Partition& start, std::int64_t evaluations, int coolness,
                                   RandomStream& random) const {
    if (evaluations <= 0) return {start, price(problem, start).bottleneck, 0, "walk"};
    const WalkOptions walking{
        .devices = usable_devices(problem, options.stages), .proposals = std::max<std::int64_t>(evaluations - 2, 0), .coolness = coolness};
    Walked walked = walker.walk(start, walking, random, limits);
    Candidate best{std::move(walked.partition), walked.bottleneck, walked.proposals, "walk"};
    std::int64_t spent = walked.proposals;
    const auto consider = [&](std::span<const std::uint32_t> keys) {
        if (search::must_stop(limits)) return;
        Candidate sliced = slice(walker, bases_[random.below(kOrders)], keys, best.bottleneck);
        ++spent;
        sliced.how = "slicing after a walk";
        if (sliced.bottleneck < best.bottleneck) best = std::move(sliced);
    };
    consider(keys_of(best.partition));
    // Where the walk ended is another place, even when it found nothing better on the way.
    if (evaluations > 1 && !walked.last.empty()) consider(walked.last);
    best.evaluations = spent;
    return best;
}

std::span<Candidate> PartitionSearch::run(std::size_t count, const std::function<Candidate(Walker&, RandomStream&, std::size_t)>& work) {
    workers_.run(count, [&](std::size_t slot, std::size_t thread) {
        if (!walkers_[thread]) walkers_[thread].emplace(problem);
        RandomStream random(options.seed, streams_ + slot);
        candidates_[slot] = work(*walkers_[thread], random, slot);
    });
    streams_ += count;
    for (std::size_t slot = 0; slot < count; ++slot) {
        incumbent.count(candidates_[slot].evaluations);
        if (candidates_[slot].bottleneck < incumbent.bottleneck()) incumbent.offer(candidates_[slot].partition, candidates_[slot].how);
    }
    return {candidates_.data(), count};
}

std::vector<std::uint32_t> PartitionSearch::keys_of(const cost::Partition& partition) const {
    std::vector<std::uint32_t> keys(problem.node_count());
    for (std::size_t s = 0; s < partition.stages.size(); ++s)
        for (NodeId node : partition.stages[s].nodes) keys[node.index()] = static_cast<std::uint32_t>(s);
    return keys;
}

}  // namespace sluice::inference
