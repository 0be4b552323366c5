#include "sluice/training/peers/piper.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "sluice/base/wide.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::training {

namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kMostPairs = std::size_t{1} << 26;  // 1 GiB
constexpr std::int64_t kRememberedPerPair = 4096;

/// Sums over all nodes below a cut.
struct Sums {
    std::int64_t time = 0, parameters = 0, each = 0, fixed = 0, missing = 0;
    Sums& operator+=(const Sums& other) {
        time += other.time;
        parameters += other.parameters;
        each += other.each;
        fixed += other.fixed;
        missing += other.missing;
        return *this;
    }
    friend Sums operator-(const Sums& a, const Sums& b) {
        return {a.time - b.time, a.parameters - b.parameters, a.each - b.each, a.fixed - b.fixed, a.missing - b.missing};
    }
};

/// How a stage may be run: a degree, and the choice of all its nodes, or each node its own.
struct Variant {
    std::size_t degree = 0;
    std::optional<std::size_t> choice;
    std::vector<Sums> below;  // per cut; each node its own: those of the fastest choice
};

/// What replicas and bottleneck decide on.
struct StageWork {
    std::int64_t time = 0;    // work and transfers of a sample
    std::int64_t resync = 0;  // of the parameters, for d replicas (d - 1) / d of it
    [[nodiscard]] std::int64_t at(std::int64_t replicas) const { return ceil_divide(time + (replicas - 1) * resync, replicas); }
    /// The least number of replicas that meets `most`; kUnlimited: none does.
    [[nodiscard]] std::int64_t replicas_for(std::int64_t most) const {
        if (time <= most) return 1;
        return resync >= most ? kUnlimited : ceil_divide(time - resync, most - resync);
    }
};

/// The rest of the pipeline behind a cut: devices and replicas it takes, and how its first stage is made.
struct Point {
    std::int64_t devices = 0, replicas = 0;
    std::uint32_t end = 0, rest = 0;  // the cut where that stage ends, and the point there
    std::uint32_t pair = 0, variant = 0;
    std::int64_t own = 0;  // replicas of that stage
};

class PiperSearch {
public:
    PiperSearch(const PiperInstance& instance, const Cuts& cuts, const Limits& limits) : instance_(instance), cuts_(cuts), limits_(limits) {
        memory_ = instance.memory ? instance.memory->count : kUnlimited;
        make_variants();
        allowed_.assign(static_cast<std::size_t>(std::min(instance.devices, instance.micro_batches)) + 1, kUnlimited);
        for (std::size_t d = allowed_.size(); d-- > 1;)
            allowed_[d] = instance.micro_batches % static_cast<std::int64_t>(d) == 0 ? static_cast<std::int64_t>(d)
                          : d + 1 < allowed_.size()                                  ? allowed_[d + 1]
                                                                                     : kUnlimited;
    }

    std::expected<PiperPlan, Missed> run() {
        if (!make_pairs()) return std::unexpected(Missed::stopped);
        PiperPlan best;
        const auto attained = least_bottleneck(ceil_divide(device_time_.back(), instance_.devices),
                                               [&](std::int64_t asked) -> std::expected<std::int64_t, Missed> {
                                                   const auto met = probe(asked);
                                                   if (!met) return std::unexpected(Missed::stopped);
                                                   if (!*met) return std::unexpected(Missed::no_plan);
                                                   best = plan();
                                                   return best.bottleneck.count();
                                               });
        if (!attained) return std::unexpected(attained.error());
        best.cuts = cuts_.count();
        best.pairs = above_.total();
        return best;
    }

private:
    void make_variants() {
        const std::size_t n = instance_.choices.size();
        std::size_t most_choices = 1;
        for (const auto& node : instance_.choices)
            for (const auto& list : node) most_choices = std::max(most_choices, list.size());
        for (std::size_t d = 0; d < instance_.degrees.size(); ++d)
            for (std::size_t c = 0; c < (instance_.one_choice ? most_choices : 1); ++c) {
                Variant& variant = variants_.emplace_back();
                variant.degree = d;
                if (instance_.one_choice) variant.choice = c;
                std::vector<Sums> own(n);
                for (std::size_t v = 0; v < n; ++v) {
                    const auto& list = instance_.choices[v][d];
                    if (list.size() <= (variant.choice ? *variant.choice : 0)) {
                        own[v].missing = 1;
                        continue;
                    }
                    const PiperChoice& one = list[variant.choice ? *variant.choice : fastest_choice(list)];
                    own[v] = {one.time.count(), one.parameters.count, one.each.count, one.fixed.count, 0};
                }
                variant.below = sums_below(cuts_, own);
            }
        std::vector<std::int64_t> cheapest(n, kUnlimited);
        for (std::size_t v = 0; v < n; ++v)
            for (std::size_t d = 0; d < instance_.degrees.size(); ++d)
                for (const PiperChoice& choice : instance_.choices[v][d])
                    cheapest[v] = std::min(cheapest[v], choice.time.count() * instance_.degrees[d]);
        device_time_ = sums_below(cuts_, cheapest);
    }

    /// Bytes over the borders of stages from one cut to each later one, as they build up along a chain.
    class ChainBorders {
    public:
        ChainBorders(const PiperInstance& instance, const Cuts& cuts, const std::vector<std::vector<std::uint32_t>>& crossing)
            : instance_(instance), crossing_(crossing), first_(first_cuts(cuts)), out_(instance.degrees.size()) {
            for (std::size_t d = 0; d < out_.size(); ++d)
                for (const auto& tensors : crossing) {
                    std::int64_t& sum = out_[d].emplace_back(0);
                    for (const std::uint32_t t : tensors) sum += leaving(t, d);
                }
        }
        /// use(b, kept bytes, bytes per degree) for all stages [a, b).
        template <typename Use>
        void from(std::size_t a, Use&& use) {
            const std::size_t count = crossing_.size(), degrees = out_.size();
            more_.assign((count + 1) * degrees, 0);
            kept_.assign(count + 1, 0);
            for (const std::uint32_t t : crossing_[a]) {
                const PiperTensor& tensor = instance_.tensors[t];
                std::size_t next = count, last = 0;  // where it is read
                for (const NodeId reader : tensor.to) {
                    const std::size_t at = first_[reader.index()];
                    if (at > a) next = std::min(next, at);
                    last = std::max(last, at);
                }
                kept_[next] += tensor.kept.count;
                for (std::size_t d = 0; d < degrees; ++d) {
                    more_[next * degrees + d] += entering(t, d);
                    // Made before a: it leaves no stage from there.
                    more_[(a + 1) * degrees + d] -= leaving(t, d);
                    more_[last * degrees + d] += leaving(t, d);
                }
            }
            std::vector<std::int64_t> sums(degrees, 0), bytes(degrees);
            std::int64_t kept = 0;
            for (std::size_t b = a + 1; b < count; ++b) {
                kept += kept_[b];
                for (std::size_t d = 0; d < degrees; ++d) {
                    sums[d] += more_[b * degrees + d];
                    bytes[d] = out_[d][b] + sums[d];
                }
                use(b, kept, bytes);
            }
        }

    private:
        [[nodiscard]] std::int64_t entering(std::uint32_t t, std::size_t d) const {
            const PiperTensor& tensor = instance_.tensors[t];
            return tensor.bytes.count + (tensor.sync_in.empty() ? 0 : tensor.sync_in[d].count);
        }
        [[nodiscard]] std::int64_t leaving(std::uint32_t t, std::size_t d) const {
            const PiperTensor& tensor = instance_.tensors[t];
            return tensor.bytes.count + (tensor.sync_out.empty() ? 0 : tensor.sync_out[d].count);
        }
        const PiperInstance& instance_;
        const std::vector<std::vector<std::uint32_t>>& crossing_;
        std::vector<std::size_t> first_;
        std::vector<std::vector<std::int64_t>> out_;  // per degree and cut: of all that crosses it
        std::vector<std::int64_t> more_, kept_;       // per cut (and degree): what a stage has more that ends there
    };

    /// False: stopped, or too many.
    bool make_pairs() {
        std::vector<std::vector<std::uint32_t>> crossing(cuts_.count());
        for_each_crossing(cuts_, instance_.tensors,
                          [&](std::size_t a, std::size_t t) { crossing[a].push_back(static_cast<std::uint32_t>(t)); });
        return cuts_.chain ? make_chain_pairs(crossing) : make_nested_pairs(crossing);
    }

    void add_pair(std::int64_t kept, const std::vector<std::int64_t>& bytes) {
        for (const std::int64_t sum : bytes) transfer_.push_back(time_for({sum}, instance_.bandwidth).value_or(kLargestTotal).count());
        entering_.push_back(kept);
    }

    bool make_chain_pairs(const std::vector<std::vector<std::uint32_t>>& crossing) {
        ChainBorders borders(instance_, cuts_, crossing);
        std::vector<std::uint32_t> row;
        for (std::size_t a = 0; a < cuts_.count(); ++a) {
            if (search::must_stop(limits_) || above_.total() > kMostPairs) return false;
            row.clear();
            borders.from(a, [&](std::size_t b, std::int64_t kept, const std::vector<std::int64_t>& bytes) {
                row.push_back(static_cast<std::uint32_t>(b));
                add_pair(kept, bytes);
            });
            first_pair_.push_back(static_cast<std::uint32_t>(above_.total()));
            above_.push_row(row);
        }
        return true;
    }

    bool make_nested_pairs(const std::vector<std::vector<std::uint32_t>>& crossing) {
        std::vector<std::uint32_t> row;
        std::vector<std::int64_t> bytes(instance_.degrees.size());
        for (std::size_t a = 0; a < cuts_.count(); ++a) {
            if (search::must_stop(limits_) || above_.total() > kMostPairs) return false;
            row.clear();
            for (std::size_t b = a + 1; b < cuts_.count(); ++b) {
                if (!cuts_.nested(a, b)) continue;
                row.push_back(static_cast<std::uint32_t>(b));
                std::ranges::fill(bytes, 0);
                std::int64_t kept = 0;
                const auto add = [&](const PiperTensor& tensor, const std::vector<Bytes>& syncs) {
                    for (std::size_t d = 0; d < bytes.size(); ++d) bytes[d] += tensor.bytes.count + (syncs.empty() ? 0 : syncs[d].count);
                };
                for (const std::uint32_t t : crossing[a]) {
                    const PiperTensor& tensor = instance_.tensors[t];
                    const auto reads = [&](NodeId reader) {
                        return cuts_.sets[b].contains(reader.index()) && !cuts_.sets[a].contains(reader.index());
                    };
                    if (std::ranges::none_of(tensor.to, reads)) continue;
                    add(tensor, tensor.sync_in);
                    kept += tensor.kept.count;
                }
                for (const std::uint32_t t : crossing[b])
                    if (!cuts_.sets[a].contains(instance_.tensors[t].from.index()))
                        add(instance_.tensors[t], instance_.tensors[t].sync_out);
                add_pair(kept, bytes);
            }
            first_pair_.push_back(static_cast<std::uint32_t>(above_.total()));
            above_.push_row(row);
        }
        return true;
    }

    [[nodiscard]] StageWork work_of(std::size_t pair, std::size_t degree, std::int64_t time, std::int64_t parameters) const {
        const Wide rate = Wide{instance_.bandwidth.bytes_per_second} * instance_.micro_batches;
        const Wide resync = (4 * Wide{parameters} * kPicosecondsPerSecond + rate - 1) / rate;
        return {time + transfer_[pair * instance_.degrees.size() + degree],
                static_cast<std::int64_t>(std::min<Wide>(resync, kLargestTotal.count()))};
    }

    /// Of the stage between cuts a and b with y samples in flight; nullopt: it does not fit.
    std::optional<StageWork> stage(std::size_t a, std::size_t b, std::size_t pair, std::size_t v, std::int64_t in_flight) {
        const Variant& variant = variants_[v];
        const Sums sums = variant.below[b] - variant.below[a];
        const std::int64_t entering = variant.choice.value_or(0) > 0 ? entering_[pair] : 0;
        if (Wide{sums.each + entering} * in_flight + sums.fixed <= memory_)
            return work_of(pair, variant.degree, sums.time, sums.parameters);
        if (variant.choice) return std::nullopt;
        const auto key = (static_cast<std::uint64_t>(pair) * variants_.size() + v) * kRememberedPerPair +
                         static_cast<std::uint64_t>(std::min(in_flight, kRememberedPerPair - 1));
        const auto known = in_flight < kRememberedPerPair - 1 ? remembered_.find(key) : remembered_.end();
        if (known != remembered_.end()) return known->second;
        const auto choice = cheapest_choices(lists_of(cuts_.between(a, b), variant), in_flight, Bytes{memory_});
        std::optional<StageWork> work;
        if (choice) work = work_of(pair, variant.degree, choice->time.count(), choice->parameters.count);
        remembered_.emplace(key, work);
        return work;
    }

    [[nodiscard]] ChoiceLists lists_of(const std::vector<NodeId>& nodes, const Variant& variant) const {
        ChoiceLists lists;
        for (const NodeId node : nodes) lists.emplace_back(instance_.choices[node.index()][variant.degree]);
        return lists;
    }

    /// Whether a bottleneck can be met; the frontiers then hold how. nullopt: stopped.
    std::optional<bool> probe(std::int64_t most) {
        const std::size_t last = cuts_.count() - 1;
        frontier_.assign(cuts_.count(), {});
        frontier_[last].push_back({});
        std::vector<Point> points;
        for (std::size_t a = last; a-- > 0;) {
            if (search::must_stop(limits_)) return std::nullopt;
            // What lies before the cut needs devices too.
            const std::int64_t left = instance_.devices - ceil_divide(device_time_[a], most);
            points.clear();
            for (std::size_t i = 0; i < above_[a].size(); ++i) {
                const std::size_t b = above_[a][i];
                if (frontier_[b].empty()) continue;
                for (std::size_t v = 0; v < variants_.size(); ++v) extend(a, b, first_pair_[a] + i, v, most, left, points);
            }
            std::ranges::sort(points, {}, [](const Point& point) {
                return std::tuple(point.devices, point.replicas, point.pair, point.variant, point.rest);
            });
            for (const Point& point : points)
                if (frontier_[a].empty() || point.replicas < frontier_[a].back().replicas) frontier_[a].push_back(point);
        }
        return !frontier_[0].empty();
    }

    void extend(std::size_t a, std::size_t b, std::size_t pair, std::size_t v, std::int64_t most, std::int64_t left,
                std::vector<Point>& points) {
        const Variant& variant = variants_[v];
        const Sums sums = variant.below[b] - variant.below[a];
        if (sums.missing > 0) return;
        const std::int64_t degree = instance_.degrees[variant.degree];
        // The fastest choices are the least replicas there can be.
        const std::int64_t fewest = work_of(pair, variant.degree, sums.time, 0).replicas_for(most);
        for (std::size_t p = 0; p < frontier_[b].size(); ++p) {
            const Point& rest = frontier_[b][p];
            const std::int64_t room = std::min((left - rest.devices) / degree, instance_.micro_batches - rest.replicas);
            // More replicas are fewer samples in flight, so that faster choices fit: the first number that suffices for its own in-flight.
            for (std::int64_t own = allowed(fewest); own <= room;) {
                const std::int64_t in_flight = 1 + ceil_divide(rest.replicas, own);
                const std::int64_t same = in_flight <= 2 ? room : (rest.replicas - 1) / (in_flight - 2);
                const auto work = stage(a, b, pair, v, in_flight);
                const std::int64_t replicas = allowed(std::max(own, work ? work->replicas_for(most) : kUnlimited));
                if (replicas <= std::min(same, room)) {
                    points.push_back({rest.devices + degree * replicas, rest.replicas + replicas, static_cast<std::uint32_t>(b),
                                      static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(pair), static_cast<std::uint32_t>(v),
                                      replicas});
                    break;
                }
                own = allowed(same + 1);
            }
        }
    }

    /// The least number of replicas from `replicas` on that divides the micro-batches; kUnlimited: none that there could be.
    [[nodiscard]] std::int64_t allowed(std::int64_t replicas) const {
        return static_cast<std::size_t>(replicas) < allowed_.size() ? allowed_[static_cast<std::size_t>(replicas)] : kUnlimited;
    }

    /// What the frontiers hold for the whole.
    PiperPlan plan() {
        PiperPlan plan;
        for (std::size_t a = 0, p = 0; a + 1 < cuts_.count();) {
            const Point point = frontier_[a][p];
            const Variant& variant = variants_[point.variant];
            PiperStage& made = plan.stages.emplace_back();
            made.nodes = cuts_.between(a, point.end);
            made.degree = instance_.degrees[variant.degree];
            made.replicas = point.own;
            made.in_flight = ceil_divide(point.replicas, point.own);
            if (variant.choice)
                made.chosen.assign(made.nodes.size(), *variant.choice);
            else
                made.chosen = cheapest_choices(lists_of(made.nodes, variant), made.in_flight, Bytes{memory_}).value().chosen;
            made.time = Duration{stage(a, point.end, point.pair, point.variant, made.in_flight).value().at(point.own)};
            plan.bottleneck = std::max(plan.bottleneck, made.time);
            a = point.end;
            p = point.rest;
        }
        return plan;
    }

    const PiperInstance& instance_;
    const Cuts& cuts_;
    const Limits& limits_;
    std::int64_t memory_ = kUnlimited;
    std::vector<Variant> variants_;
    std::vector<std::int64_t> device_time_;  // per cut: the least time on all devices together of what is below
    Rows<std::uint32_t> above_;              // per cut: those a stage from it may end at
    std::vector<std::uint32_t> first_pair_;
    std::vector<std::int64_t> transfer_;        // per pair and degree
    std::vector<std::int64_t> entering_;        // per pair
    std::vector<std::int64_t> allowed_;         // per number of replicas up to the most there can be: the least allowed from it on
    std::vector<std::vector<Point>> frontier_;  // per cut, more devices and fewer replicas from one to the next
    std::unordered_map<std::uint64_t, std::optional<StageWork>> remembered_;
};

}  // namespace

std::expected<PiperPlan, Missed> piper_plan(const PiperInstance& instance, const Cuts& cuts, const Limits& limits) {
    assert(cuts.count() >= 2 && instance.devices >= 1);
    return PiperSearch(instance, cuts, limits).run();
}

}  // namespace sluice::training
