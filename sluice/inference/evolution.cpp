#include "sluice/inference/evolution.hpp"

#include <algorithm>
#include <format>
#include <numeric>
#include <ranges>

#include "sluice/search/poll.hpp"

namespace sluice::inference {

namespace {

constexpr Duration kNotElite = Duration::max();

}  // namespace

Evolution::Generation::Generation(std::size_t members, std::size_t nodes)
    : width(nodes), keys(members * nodes), fitness(members, kNotElite) {}

Evolution::Decoder::Decoder(const cost::StageProblem& stage_problem)
    : problem(&stage_problem), slicer(stage_problem), waiting(stage_problem.node_count()) {
    order.reserve(stage_problem.node_count());
}

std::optional<cost::Partition> Evolution::Decoder::decode(std::span<const Key> keys, const search::SliceOptions& slicing) {
    for (std::size_t v = 0; v < waiting.size(); ++v) waiting[v] = static_cast<std::uint32_t>(problem->predecessors[v].size());
    order.clear();
    const auto push = [&](std::size_t v) {
        ready.push_back((std::uint64_t{keys[v]} << 32) | v);
        std::ranges::push_heap(ready, std::greater{});
    };
    for (std::size_t v = 0; v < waiting.size(); ++v)
        if (waiting[v] == 0) push(v);
    while (!ready.empty()) {
        std::ranges::pop_heap(ready, std::greater{});
        const std::size_t v = static_cast<std::uint32_t>(ready.back());
        ready.pop_back();
        order.emplace_back(v);
        for (NodeId next : problem->successors[v])
            if (--waiting[next.index()] == 0) push(next.index());
    }
    return slicer.slice(order, slicing);
}

Evolution::Evolution(const cost::StageProblem& problem, std::size_t population, const GeneticShares& shares, const PlannerOptions& options,
                     const Limits& limits, Incumbent& incumbent, OrderSource orders, std::uint64_t first_stream)
    : problem_(problem),
      population_(population),
      bias_(shares.bias),
      options_(options),
      limits_(limits),
      incumbent_(incumbent),
      orders_(std::move(orders)),
      first_stream_(first_stream),
      counts_(counts_of(shares, population)),
      workers_(options.threads),
      decoders_(workers_.count()),
      parents_(population, problem.node_count()),
      children_(population, problem.node_count()) {}

void Evolution::run(std::size_t generations) {
    for (std::size_t g = 0; g < generations && !incumbent_.must_end() && breed(); ++g, ++generation_) {
        const bool better = fresh_ || std::ranges::min(children_.fitness) < parents_.fitness[ranked_.front()];
        quiet_ = better ? 0 : quiet_ + 1;
        fresh_ = false;
        std::swap(parents_, children_);
        rank(parents_, population_, ranked_);
        // the fitness of the others decides nothing, not even their order
        std::ranges::sort(ranked_ | std::views::drop(counts_.elite));
    }
}

bool Evolution::breed() {
    std::size_t done = 0;
    if (!fresh_) {
        done = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(counts_.elite), incumbent_.evaluations_left()));
        for (std::size_t i = 0; i < done; ++i) {
            std::ranges::copy(parents_.of(ranked_[i]), children_.of(i).begin());
            children_.fitness[i] = parents_.fitness[ranked_[i]];
        }
        incumbent_.count(static_cast<std::int64_t>(done));
    }
    while (done < population_) {
        if (incumbent_.must_end()) return false;
        const std::size_t batch =
            std::min({kBatch, population_ - done, static_cast<std::size_t>(std::min<std::int64_t>(incumbent_.evaluations_left(), kBatch))});
        search::SliceOptions slicing{.stages = options_.stages,
                                     .max_replicas = options_.max_replicas,
                                     .below = {},
                                     .at_least = options_.good_enough.value_or(Duration{0}),
                                     .limits = &limits_};
        if (done >= counts_.elite) {
            // Whoever is no better than the last of so many before it will not be among the elite: of equals the first are.
            rank(children_, done, order_of_fitness_);
            const Duration last = children_.fitness[order_of_fitness_[counts_.elite - 1]];
            if (last != kNotElite) slicing.below = last;
        }
        workers_.run(batch, [&](std::size_t slot, std::size_t thread) { make(done + slot, decoders_[thread], found_[slot], slicing); });
        for (std::size_t slot = 0; slot < batch; ++slot) {
            children_.fitness[done + slot] = found_[slot] ? price(problem_, *found_[slot]).bottleneck : kNotElite;
            if (found_[slot]) incumbent_.offer(*std::move(found_[slot]), std::format("generation {} member {}", generation_, done + slot));
            found_[slot].reset();
        }
        done += batch;
        incumbent_.count(static_cast<std::int64_t>(batch));
    }
    return true;
}

void Evolution::make(std::size_t member, std::optional<Decoder>& decoder, std::optional<cost::Partition>& found,
                     const search::SliceOptions& slicing) {
    if (search::must_stop(limits_)) return;
    RandomStream random(options_.seed, first_stream_ + generation_ * population_ + member);
    const auto keys = children_.of(member);
    if (fresh_ || member < counts_.elite + counts_.mutants) {
        if (orders_)
            write_keys(orders_(random), keys);
        else
            for (Key& key : keys) key = static_cast<Key>(random() >> 32);
    } else {
        const auto elite = parents_.of(ranked_[random.below(counts_.elite)]);
        const auto other = parents_.of(ranked_[counts_.elite + random.below(population_ - counts_.elite)]);
        for (std::size_t v = 0; v < keys.size(); ++v) keys[v] = random.chance(bias_) ? elite[v] : other[v];
    }
    if (!decoder) decoder.emplace(problem_);
    found = decoder->decode(keys, slicing);
}

void Evolution::write_keys(std::span<const NodeId> order, std::span<Key> keys) {
    const std::uint64_t step = (std::uint64_t{1} << 32) / order.size();
    for (std::size_t i = 0; i < order.size(); ++i) keys[order[i].index()] = static_cast<Key>(i * step);
}

void Evolution::rank(const Generation& generation, std::size_t members, std::vector<std::size_t>& ranked) {
    ranked.resize(members);
    std::iota(ranked.begin(), ranked.end(), std::size_t{0});
    std::ranges::stable_sort(ranked, {}, [&](std::size_t i) { return generation.fitness[i]; });
}

}  // namespace sluice::inference
