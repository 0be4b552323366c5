#include "sluice/inference/local_search.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "sluice/inference/partition_search.hpp"
#include "sluice/inference/plan_by_orders.hpp"
#include "sluice/inference/splits.hpp"

namespace sluice::inference {

namespace {

constexpr std::int64_t kLongest = 64;     // a walk's length, in first lengths
constexpr std::int64_t kRestarts = 4;     // without a limit
constexpr std::int64_t kQuietRounds = 8;  // of a pool, without a limit
constexpr std::size_t kPool = 16;
constexpr std::array kCoolness{2, 4, 6, 8};  // one in turn: which is best differs from model to model

Result<void> check(const cost::StageProblem& problem, const PlannerOptions& options) {
    if (auto checked = check_call(problem, options); !checked) return checked;
    return search::sliceable(problem, options.stages, options.max_replicas);
}

/// The first feasible partition, or why there is none.
Result<PlannerResult> without_any(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                  const Limits& limits) {
    constexpr std::array kFirst{OrderKind::heavy_cone};
    constexpr std::array kPerturbed{OrderKind::greedy_frontier, OrderKind::depth_first, OrderKind::random};
    return plan_by_orders(problem, kFirst, kPerturbed, options, observer, limits);
}

}  // namespace

Result<PlannerResult> plan_by_local_search(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                           const Limits& limits) {
    if (auto checked = check(problem, options); !checked) return fail(std::move(checked.error()));
    PartitionSearch search(problem, options, observer, limits, "local search");
    search.open();
    if (!search.incumbent.found()) return without_any(problem, options, observer, limits);

    const std::int64_t devices = usable_devices(problem, options.stages);
    Candidate current{search.incumbent.partition(), search.incumbent.bottleneck(), 0, ""};
    std::int64_t length = search.first_length(), restarts = 0;
    const std::vector<std::uint32_t> no_keys(problem.node_count());
    while (!search.must_end()) {
        const std::size_t slots = search.slots_left();
        if (length > kLongest * search.first_length()) {
            // Nothing better near here: the best kicked, or another order, in turn.
            if (!search.endless() && restarts == kRestarts) break;
            length = search.first_length();
            const bool kick = restarts++ % 2 == 0;
            const auto found = search.run(1, [&](Walker& walker, RandomStream& random, std::size_t) {
                if (kick)
                    return Candidate{walker.kick(search.incumbent.partition(), devices, problem.node_count() / 20 + 1, random),
                                     Duration::max(), 1, ""};
                return search.slice(walker, search.order_of(random.below(PartitionSearch::kOrders), random), no_keys, std::nullopt);
            });
            if (!found[0].partition.stages.empty()) {
                current = found[0];
                current.bottleneck = price(problem, current.partition).bottleneck;
            }
            continue;
        }
        const std::int64_t share = search.share(length, slots);
        const auto found = search.run(slots, [&](Walker& walker, RandomStream& random, std::size_t slot) {
            return search.improve(walker, current.partition, share, kCoolness[slot % kCoolness.size()], random);
        });
        const auto best = std::ranges::min_element(found, {}, &Candidate::bottleneck);
        length = best->bottleneck < current.bottleneck ? search.first_length() : 2 * length;
        if (best->bottleneck <= current.bottleneck) current = *best;
    }
    return std::move(search.incumbent).take("");
}

namespace {

/// Partitions that compete, best first.
class Pool {
public:
    struct Member {
        cost::Partition partition;
        std::vector<std::uint32_t> keys;
        Duration bottleneck;
    };

    /// True: it is in. It replaces the one it resembles, or the worst; never a better one.
    bool add(const Candidate& candidate, std::vector<std::uint32_t> keys) {
        if (candidate.bottleneck == Duration::max()) return false;
        const auto alike = std::ranges::find_if(members_, [&](const Member& member) {
            std::size_t apart = 0;
            for (std::size_t v = 0; v < keys.size(); ++v) apart += member.keys[v] != keys[v];
            return apart <= keys.size() / 50;
        });
        const auto place = alike != members_.end() || members_.size() < kPool ? alike : members_.end() - 1;
        if (place != members_.end() && candidate.bottleneck >= place->bottleneck) return false;
        if (place != members_.end()) members_.erase(place);
        const auto at = std::ranges::upper_bound(members_, candidate.bottleneck, {}, &Member::bottleneck);
        members_.insert(at, {candidate.partition, std::move(keys), candidate.bottleneck});
        return true;
    }
    /// The better of two drawn.
    [[nodiscard]] const Member& draw(RandomStream& random) const {
        return members_[std::min(random.below(members_.size()), random.below(members_.size()))];
    }
    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    void keep_best() { members_.resize(std::min<std::size_t>(members_.size(), 1)); }

private:
    std::vector<Member> members_;
};

/// Keys that never fall along an edge, from those of two parents: the first stages of one and the rest of the other, or lattice operations
/// on their chains of downsets.
std::vector<std::uint32_t> cross(const Pool::Member& a, const Pool::Member& b, RandomStream& random) {
    const auto stages = static_cast<std::uint32_t>(a.partition.stages.size());
    const auto kind = random.below(8);
    const auto cut = static_cast<std::uint32_t>(random.below(stages));
    std::vector<std::uint32_t> keys(a.keys.size());
    for (std::size_t v = 0; v < keys.size(); ++v) {
        const std::uint32_t x = a.keys[v], y = b.keys[v];
        keys[v] = kind < 4 ? (x <= cut ? x : stages + y) : kind == 4 ? std::min(x, y) : kind == 5 ? std::max(x, y) : x + y;
    }
    return keys;
}

}  // namespace

Result<PlannerResult> plan_by_memetic(const cost::StageProblem& problem, const PlannerOptions& options, Observer& observer,
                                      const Limits& limits) {
    if (auto checked = check(problem, options); !checked) return fail(std::move(checked.error()));
    PartitionSearch search(problem, options, observer, limits, "memetic");
    search.open();
    if (!search.incumbent.found()) return without_any(problem, options, observer, limits);

    const std::vector<std::uint32_t> no_keys(problem.node_count());
    Pool pool;
    const auto add = [&](const Candidate& candidate) { return pool.add(candidate, search.keys_of(candidate.partition)); };
    add({search.incumbent.partition(), search.incumbent.bottleneck(), 0, ""});
    std::size_t drawn = 0, quiet = 0;
    std::int64_t length = search.first_length();
    while (!search.must_end()) {
        const std::size_t slots = search.slots_left();
        const std::int64_t share = search.share(length, slots);
        const Duration before = search.incumbent.bottleneck();
        const bool filling = drawn < 2 * kPool;
        const auto found = search.run(slots, [&](Walker& walker, RandomStream& random, std::size_t slot) {
            const int coolness = kCoolness[slot % kCoolness.size()];
            std::optional<Candidate> child;
            if (filling)
                child = search.slice(walker, search.order_of((drawn + slot) % PartitionSearch::kOrders, random), no_keys, std::nullopt);
            else if (slot % 4 != 0)
                if (const auto &a = pool.draw(random), &b = pool.draw(random); &a != &b) {
                    Order base;
                    for (const auto& stage : a.partition.stages) base.insert(base.end(), stage.nodes.begin(), stage.nodes.end());
                    child = search.slice(walker, base, cross(a, b, random), pool.members().back().bottleneck * 3 / 2);
                }
            const bool sliced = child && child->bottleneck != Duration::max();
            Candidate walked = search.improve(walker, sliced ? child->partition : pool.draw(random).partition,
                                              std::max<std::int64_t>(share - (child ? 1 : 0), 0), coolness, random);
            if (child) walked.evaluations += child->evaluations;
            return walked;
        });
        drawn += slots;
        bool entered = false;
        for (const Candidate& candidate : found) entered |= add(candidate);
        if (filling || search.incumbent.bottleneck() < before) {
            quiet = 0;
            length = search.first_length();
            continue;
        }
        ++quiet;
        if (entered && quiet % 2 != 0) continue;
        length = 2 * length;
        if (length <= kLongest * search.first_length()) continue;
        // The pool has grown alike: all but the best make room for new orders.
        if (!search.endless() && quiet >= kQuietRounds) break;
        pool.keep_best();
        drawn = 0;
        length = search.first_length();
    }
    return std::move(search.incumbent).take("");
}

Result<PlannerResult> improve(const cost::StageProblem& problem, const cost::Partition& start, PlannerOptions options, Observer& observer,
                              const Limits& limits) {
    options.start = &start;
    return plan_by_memetic(problem, options, observer, limits);
}

}  // namespace sluice::inference
