// Private to this layer. A biased random-key genetic search over orders, generation by generation: the paper's planner (genetic.hpp) runs
// it from random keys, `auto` from good orders and in turn with its other searches.
// Keys are 32-bit fractions -> Kahn's algorithm, smallest key first -> slice DP -> fitness. Members are sliced only as far as decides
// whether they are elite: nothing else of their fitness is ever used, so no choice changes by that.
// Every member has its random stream; members are made and sliced in batches of fixed size: the result depends on seed and evaluations
// only, at any thread count. O(slicing) a member; 8 bytes x nodes x population of memory.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "sluice/inference/genetic.hpp"
#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/orders.hpp"
#include "sluice/inference/workers.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::inference {

class Evolution {
public:
    /// An order for a member of the first generation or a mutant. Called from several threads.
    using OrderSource = std::function<Order(RandomStream&)>;

    /// References must outlive this. Without `orders`, first members and mutants have keys drawn uniformly, as published. Member i of
    /// generation g draws from stream `first_stream` + g x population + i.
    Evolution(const cost::StageProblem& problem, std::size_t population, const GeneticShares& shares, const PlannerOptions& options,
              const Limits& limits, Incumbent& incumbent, OrderSource orders = {}, std::uint64_t first_stream = 0);

    /// So many generations more; what is found is offered to the incumbent. Ends early when the incumbent must.
    void run(std::size_t generations);
    /// Generations since one was better than all before it.
    [[nodiscard]] std::size_t quiet() const { return quiet_; }
    /// The next generation is made as the first was.
    void restart() { fresh_ = true; }

private:
    using Key = std::uint32_t;                 // a fraction of 2^32
    static constexpr std::size_t kBatch = 32;  // fixed: results must not depend on the number of threads

    /// Keys and fitness of the members of a generation.
    struct Generation {
        Generation(std::size_t members, std::size_t nodes);
        [[nodiscard]] std::span<Key> of(std::size_t member) { return {keys.data() + member * width, width}; }

        std::size_t width;
        std::vector<Key> keys;
        std::vector<Duration> fitness;  // exact for the elite; of the others, the largest or anything not below the last elite's
    };
    /// Memory of one thread: a slicer, and Kahn's algorithm by keys.
    struct Decoder {
        explicit Decoder(const cost::StageProblem& problem);
        std::optional<cost::Partition> decode(std::span<const Key> keys, const search::SliceOptions& slicing);

        const cost::StageProblem* problem;
        search::Slicer slicer;
        std::vector<std::uint32_t> waiting;
        std::vector<std::uint64_t> ready;  // a heap of key, then node
        Order order;
    };

    /// False: ended before the generation was complete.
    bool breed();
    void make(std::size_t member, std::optional<Decoder>& decoder, std::optional<cost::Partition>& found,
              const search::SliceOptions& slicing);
    static void write_keys(std::span<const NodeId> order, std::span<Key> keys);
    /// The first `members` of a generation, fittest first; of equals the one before.
    static void rank(const Generation& generation, std::size_t members, std::vector<std::size_t>& ranked);

    const cost::StageProblem& problem_;
    const std::size_t population_;
    const double bias_;
    const PlannerOptions& options_;
    const Limits& limits_;
    Incumbent& incumbent_;
    const OrderSource orders_;
    const std::uint64_t first_stream_;
    const GeneticCounts counts_;
    Workers workers_;
    std::vector<std::optional<Decoder>> decoders_;  // one per thread
    Generation parents_, children_;
    std::size_t generation_ = 0;  // of the children
    std::size_t quiet_ = 0;
    bool fresh_ = true;                          // the children have no parents
    std::vector<std::size_t> ranked_;            // of the parents: the elite, fittest first, then the others by number
    std::vector<std::size_t> order_of_fitness_;  // of the children so far
    std::array<std::optional<cost::Partition>, kBatch> found_;
};

}  // namespace sluice::inference
