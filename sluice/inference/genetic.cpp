#include "sluice/inference/genetic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <format>
#include <limits>
#include <numeric>
#include <ranges>

#include "sluice/inference/incumbent.hpp"
#include "sluice/inference/orders.hpp"
#include "sluice/inference/plan_by_orders.hpp"
#include "sluice/inference/workers.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::inference {

namespace {

using Key = std::uint32_t;  // a fraction of 2^32

constexpr std::size_t kBatch = 32;  // fixed: results must not depend on the number of threads
constexpr Duration kNotElite = Duration::max();

Key draw(RandomStream& random) { return static_cast<Key>(random() >> 32); }

/// Memory of one thread: a slicer, and Kahn's algorithm by keys.
class Decoder {
public:
    explicit Decoder(const cost::StageProblem& problem) : problem_(&problem), slicer_(problem), waiting_(problem.node_count()) {
        order_.reserve(problem.node_count());
    }

    std::optional<cost::Partition> decode(std::span<const Key> keys, const search::SliceOptions& slicing) {
        for (std::size_t v = 0; v < waiting_.size(); ++v) waiting_[v] = static_cast<std::uint32_t>(problem_->predecessors[v].size());
        order_.clear();
        const auto push = [&](std::size_t v) {
            ready_.push_back((std::uint64_t{keys[v]} << 32) | v);
            std::ranges::push_heap(ready_, std::greater{});
        };
        for (std::size_t v = 0; v < waiting_.size(); ++v)
            if (waiting_[v] == 0) push(v);
        while (!ready_.empty()) {
            std::ranges::pop_heap(ready_, std::greater{});
            const std::size_t v = static_cast<std::uint32_t>(ready_.back());
            ready_.pop_back();
            order_.emplace_back(v);
            for (NodeId next : problem_->successors[v])
                if (--waiting_[next.index()] == 0) push(next.index());
        }
        return slicer_.slice(order_, slicing);
    }

private:
    const cost::StageProblem* problem_;
    search::Slicer slicer_;
    std::vector<std::uint32_t> waiting_;
    std::vector<std::uint64_t> ready_;  // a heap of key, then node
    Order order_;
};

/// A generation: keys and fitness of its members.
struct Generation {
    Generation(std::size_t members, std::size_t nodes) : width(nodes), keys(members * nodes), fitness(members, kNotElite) {}
    [[nodiscard]] std::span<Key> of(std::size_t member) { return {keys.data() + member * width, width}; }

    std::size_t width;
    std::vector<Key> keys;
    std::vector<Duration> fitness;  // exact for the elite; of the others, kNotElite or anything at least as large as the last elite's
};

/// Each of `members` fittest first; of equals the one before.
void rank(const Generation& generation, std::size_t members, std::vector<std::size_t>& ranked) {
    ranked.resize(members);
    std::iota(ranked.begin(), ranked.end(), std::size_t{0});
    std::ranges::stable_sort(ranked, {}, [&](std::size_t i) { return generation.fitness[i]; });
}

class Evolution {
public:
    Evolution(const cost::StageProblem& problem, const GeneticSize& size, const PlannerOptions& options, const Limits& limits,
              Incumbent& incumbent)
        : problem_(problem),
          size_(size),
          options_(options),
          limits_(limits),
          incumbent_(incumbent),
          counts_(counts_of(options.genetic, size.population)),
          workers_(options.threads),
          decoders_(workers_.count()),
          parents_(size.population, problem.node_count()),
          children_(size.population, problem.node_count()) {}

    void run() {
        for (std::size_t g = 0; g < size_.generations; ++g) {
            if (incumbent_.must_end() || !breed(g)) return;
            std::swap(parents_, children_);
            rank(parents_, size_.population, ranked_);
            std::ranges::sort(ranked_ |
                              std::views::drop(counts_.elite));  // the fitness of the others decides nothing, not even their order
        }
    }

private:
    /// False: ended before the generation was complete.
    bool breed(std::size_t generation) {
        std::size_t done = 0;
        if (generation > 0) {
            done =
                static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(counts_.elite), incumbent_.evaluations_left()));
            for (std::size_t i = 0; i < done; ++i) {
                std::ranges::copy(parents_.of(ranked_[i]), children_.of(i).begin());
                children_.fitness[i] = parents_.fitness[ranked_[i]];
            }
            incumbent_.count(static_cast<std::int64_t>(done));
        }
        while (done < size_.population) {
            if (incumbent_.must_end()) return false;
            const std::size_t batch = std::min(
                {kBatch, size_.population - done, static_cast<std::size_t>(std::min<std::int64_t>(incumbent_.evaluations_left(), kBatch))});
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
            workers_.run(batch, [&](std::size_t slot, std::size_t thread) {
                make(generation, done + slot, decoders_[thread], found_[slot], slicing);
            });
            for (std::size_t slot = 0; slot < batch; ++slot) {
                children_.fitness[done + slot] = found_[slot] ? price(problem_, *found_[slot]).bottleneck : kNotElite;
                if (found_[slot])
                    incumbent_.offer(*std::move(found_[slot]), std::format("generation {} member {}", generation, done + slot));
                found_[slot].reset();
            }
            done += batch;
            incumbent_.count(static_cast<std::int64_t>(batch));
        }
        return true;
    }

    void make(std::size_t generation, std::size_t member, std::optional<Decoder>& decoder, std::optional<cost::Partition>& found,
              const search::SliceOptions& slicing) {
        if (search::must_stop(limits_)) return;
        RandomStream random(options_.seed, generation * size_.population + member);
        const auto keys = children_.of(member);
        if (generation == 0 || member < counts_.elite + counts_.mutants) {
            for (Key& key : keys) key = draw(random);
        } else {
            const auto elite = parents_.of(ranked_[random.below(counts_.elite)]);
            const auto other = parents_.of(ranked_[counts_.elite + random.below(size_.population - counts_.elite)]);
            for (std::size_t v = 0; v < keys.size(); ++v) keys[v] = random.chance(options_.genetic.bias) ? elite[v] : other[v];
        }
        if (!decoder) decoder.emplace(problem_);
        found = decoder->decode(keys, slicing);
    }

    const cost::StageProblem& problem_;
    const GeneticSize size_;
    const PlannerOptions& options_;
    const Limits& limits_;
    Incumbent& incumbent_;
    const GeneticCounts counts_;
    Workers workers_;
    std::vector<std::optional<Decoder>> decoders_;  // one per thread
    Generation parents_, children_;
    std::vector<std::size_t> ranked_;            // of the parents: the elite, fittest first, then the others by number
    std::vector<std::size_t> order_of_fitness_;  // of the children so far
    std::array<std::optional<cost::Partition>, kBatch> found_;
};

}  // namespace

GeneticCounts counts_of(const GeneticShares& shares, std::size_t population) {
    const auto of = [&](double share) { return static_cast<std::size_t>(std::lround(share * static_cast<double>(population))); };
    const std::size_t elite = std::clamp<std::size_t>(of(shares.elite), 1, population - 1);
    return {elite, std::min(of(shares.mutants), population - elite)};
}

Result<void> check_shares(const GeneticShares& shares) {
    const auto refuse = [](std::string_view name, double value, std::string_view range) {
        return fail(usage_error(std::format("a share {}={} of a generation asked for; it is {}", name, value, range)));
    };
    if (!(shares.elite > 0 && shares.elite < 1)) return refuse("elite", shares.elite, "above 0 and below 1");
    if (!(shares.mutants >= 0 && shares.mutants < 1)) return refuse("mutants", shares.mutants, "at least 0 and below 1");
    if (!(shares.elite + shares.mutants <= 1)) return refuse("elite + mutants", shares.elite + shares.mutants, "at most 1");
    if (!(shares.bias >= 0 && shares.bias <= 1)) return refuse("bias", shares.bias, "at least 0 and at most 1");
    return {};
}

Result<GeneticShares> read_shares(std::string_view text) {
    struct Field {
        std::string_view name;
        double GeneticShares::* member;
        bool given = false;
    };
    std::array fields{Field{"elite", &GeneticShares::elite}, Field{"mutants", &GeneticShares::mutants},
                      Field{"bias", &GeneticShares::bias}};
    GeneticShares shares;
    if (text.empty()) return fail(usage_error("no shares of a generation given").fix("elite=0.2,mutants=0.15,bias=0.7, or some of these"));
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view word(part.begin(), part.end());
        const std::size_t equals = std::min(word.find('='), word.size());
        const auto field = std::ranges::find(fields, word.substr(0, equals), &Field::name);
        const std::string_view value = word.substr(std::min(equals + 1, word.size()));
        double number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (field == fields.end() || field->given || error != std::errc{} || end != value.data() + value.size())
            return fail(usage_error(std::format("'{}' is no share of a generation, or is there twice", word))
                            .fix("elite=0.2,mutants=0.15,bias=0.7, or some of these"));
        shares.*field->member = number;
        field->given = true;
    }
    if (auto checked = check_shares(shares); !checked) return fail(std::move(checked.error()));
    return shares;
}

Result<PlannerResult> plan_by_genetic(const cost::StageProblem& problem, const GeneticSize& size, const PlannerOptions& options,
                                      Observer& observer, const Limits& limits) {
    if (auto checked = check_shares(options.genetic); !checked) return fail(std::move(checked.error()));
    if (auto checked = check_call(problem, options); !checked) return fail(std::move(checked.error()));
    if (auto possible = search::sliceable(problem, options.stages, options.max_replicas); !possible)
        return fail(std::move(possible.error()));
    Incumbent incumbent(problem, options, observer, limits, "generations");
    Evolution(problem, size, options, limits, incumbent).run();
    // Stopped before the first slicing: any valid answer is better than none.
    if (!incumbent.found() && limits.out_of_time())
        return plan_by_orders(problem, std::array{OrderKind::model}, {}, options, observer, limits);
    return std::move(incumbent).take(std::format("{} members of generations held no feasible slicing into {} stages",
                                                 size.population * size.generations, options.stages));
}

}  // namespace sluice::inference
