#include "sluice/search/slice.hpp"

#include <algorithm>
#include <cassert>
#include <format>
#include <limits>
#include <ranges>

#include "sluice/base/wide.hpp"
#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

using cost::Overflow;
using cost::StageModel;

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNoLimit =
    4 * kLargestTotal.count() - 1;                            // above every cost: works, transfers and spill each stay below kLargestTotal
constexpr std::size_t kLargestTable = std::size_t{1} << 22;   // states times positions
constexpr std::int64_t kMostDevices = std::int64_t{1} << 30;  // more are never asked for: plan::kMostDevices
constexpr std::size_t kTableStepsBetweenPolls = std::size_t{1} << 14;

/// Devices usable per class, and the states of the DP: devices used of every class but the largest (`last`), in mixed radix.
struct DeviceStates {
    std::vector<std::int64_t> capacity;
    std::vector<std::size_t> stride;
    std::size_t last = 0;
    std::int64_t total = 0;    // devices usable together, at most k
    bool total_binds = false;  // k is less than the devices there are
    std::size_t count = 1;     // of states; 0: too many
};

DeviceStates device_states(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas) {
    DeviceStates states;
    // More stages than nodes are never used.
    const auto useful = static_cast<Wide>(problem.node_count()) * max_replicas;
    const auto most = static_cast<std::int64_t>(std::min<Wide>(std::min(stages, kMostDevices), useful));
    std::int64_t sum = 0;
    for (const auto& device : problem.classes) {
        states.capacity.push_back(std::clamp<std::int64_t>(device.count, 0, most));
        sum += states.capacity.back();
    }
    states.total = std::min(most, sum);
    states.total_binds = sum > most;
    states.last = static_cast<std::size_t>(std::ranges::max_element(states.capacity) - states.capacity.begin());
    states.stride.assign(states.capacity.size(), 0);
    for (std::size_t c = 0; c < states.capacity.size(); ++c) {
        if (c == states.last) continue;
        states.stride[c] = states.count;
        states.count *= static_cast<std::size_t>(states.capacity[c] + 1);
        if (states.count > kLargestTable) return states.count = 0, states;
    }
    return states;
}

}  // namespace

Result<void> sliceable(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas) {
    const DeviceStates states = device_states(problem, stages, max_replicas);
    if (states.count != 0 && (states.count == 1 || states.count <= kLargestTable / (problem.node_count() + 1))) return {};
    std::string counts;
    for (std::size_t c = 0; c < states.capacity.size(); ++c)
        counts += std::format("{}{} of '{}'", c ? ", " : "", states.capacity[c], problem.classes[c].name);
    return fail(input_error(std::format("{} nodes over {} are too many combinations of devices for slicing", problem.node_count(), counts))
                    .fix("lower the counts of all device classes but one, or -k"));
}

struct Slicer::Scratch {
    /// Counts in a segment [l, r) that holds this position when `key` < l (inputs, weights) or >= l (drops).
    struct Entry {
        std::int32_t key;
        std::int64_t amount;
        std::int64_t bytes;
    };
    /// Best way to have covered a prefix: fewest devices of the largest class, then smallest bottleneck.
    struct State {
        std::int64_t worst = kNone;
        std::int32_t used = std::numeric_limits<std::int32_t>::max();
        std::uint32_t from = 0;  // position where the last segment began
        std::uint32_t from_state = 0;
        std::uint32_t device = 0;
        [[nodiscard]] bool reached() const { return worst != kNone; }
    };
    struct Start {
        std::size_t state;
        std::int64_t used, worst;
    };
    enum class Sweep { found, none, stopped };

    explicit Scratch(const cost::StageProblem& stage_problem) : problem(stage_problem), classes(problem.classes.size()) {
        for (const auto& device : problem.classes) {
            memory = memory || device.overflow != Overflow::unlimited;
            hard = hard || device.overflow == Overflow::hard;
            if (device.count < 1) continue;
            unlimited = unlimited || device.overflow == Overflow::unlimited;
            spill_memory = std::max(spill_memory, device.fast_memory.count);
            if (device.overflow == Overflow::spill) spill_rate = std::max(spill_rate, device.spill_rate.bytes_per_second);
        }
        if (unlimited) spill_rate = 0;
        sums.resize(classes);
        spills.resize(classes);
        active.resize(classes);
    }

    void lay_out(std::span<const NodeId> order);
    template <bool kMemory, typename OnSegment>
    bool scan(std::size_t left, std::int64_t threshold, OnSegment&& on_segment);
    template <bool kSingle, bool kMemory>
    Sweep sweep(std::int64_t threshold);
    Sweep sweep_any(std::int64_t threshold) {
        if (states.count == 1 && classes == 1) return memory ? sweep<true, true>(threshold) : sweep<true, false>(threshold);
        return memory ? sweep<false, true>(threshold) : sweep<false, false>(threshold);
    }
    [[nodiscard]] const State* best_end() const;
    [[nodiscard]] cost::Partition trace(std::span<const NodeId> order) const;
    [[nodiscard]] bool over_total(std::size_t state, std::int64_t used) const {
        return states.total_binds && used_elsewhere[state] + used > states.total;
    }
    /// No slicing of the positions from `left` on over so many devices has a smaller bottleneck: all their work and what must spill,
    /// shared.
    [[nodiscard]] std::int64_t share(std::size_t left, std::int64_t devices) const {
        std::int64_t total = rest[left];
        if (spill_rate > 0) {
            const Wide excess = rest_parameters[left] - Wide{devices} * spill_memory;
            if (excess > 0)
                total += static_cast<std::int64_t>(std::min<Wide>(excess * kPicosecondsPerSecond / spill_rate, kLargestTotal.count()));
        }
        return ceil_divide(total, devices);
    }
    bool poll() { return limits && must_stop(*limits); }
    void set_up(const SliceOptions& options) {
        limits = options.limits;
        states = device_states(problem, options.stages, options.max_replicas);
        replicas = std::clamp<std::int64_t>(options.max_replicas, 1, std::max<std::int64_t>(states.total, 1));
    }

    const cost::StageProblem& problem;
    std::size_t classes;
    bool memory = false, hard = false, unlimited = false;
    std::int64_t spill_memory = 0, spill_rate = 0;  // most and fastest of the classes; rate 0: some class never spills
    // Of the order, by position. Rows of entries are sorted so that those which count come first.
    std::vector<std::int32_t> position;
    std::vector<std::uint32_t> input_start, drop_start, weight_start;
    std::vector<Entry> inputs, drops, weights;
    std::vector<std::int64_t> made, made_bytes, dead_bytes, scratch;  // sent out by this node alone; its outputs; those nobody reads
    std::vector<std::int64_t> work;                                   // class-major; -1: not supported
    std::vector<std::int64_t> rest;                                   // least work from this position on
    std::vector<std::int64_t> rest_parameters;                        // bytes of the weights with a user from this position on
    std::int64_t floor = 0;                                           // below every segment's cost: the largest node
    // Of the DP
    DeviceStates states;
    std::int64_t replicas = 1;                 // devices of one segment, at most
    std::vector<std::int64_t> used_elsewhere;  // per state: devices of all classes but the largest
    std::vector<State> table;                  // state-major, so that a scan walks memory in order
    std::vector<Start> starts;
    std::int64_t next = kNone;  // no threshold below this changes what the last sweep could reach
    const Limits* limits = nullptr;
    std::size_t steps = 0;
    std::vector<std::int64_t> sums, spills;
    std::vector<char> active;
};

void Slicer::Scratch::lay_out(std::span<const NodeId> order) {
    const std::size_t n = problem.node_count();
    assert(order.size() == n);
    position.assign(n, -1);
    for (std::size_t j = 0; j < n; ++j) position[order[j].index()] = static_cast<std::int32_t>(j);
    input_start.assign(1, 0), drop_start.assign(1, 0), weight_start.assign(1, 0);
    inputs.clear(), drops.clear(), weights.clear();
    made.assign(n, 0);
    if (memory) made_bytes.assign(n, 0), dead_bytes.assign(n, 0), scratch.assign(n, 0);
    work.assign(classes * n, -1);
    rest.assign(n + 1, 0);
    rest_parameters.assign(n + 1, 0);
    floor = 0;

    // The reader before this one (or else the producer) decides whether an input is new to the segment; the last reader drops an output.
    std::vector<std::int32_t> latest_reader(problem.edge_count(), -1), latest_user(problem.weight_count(), -1);
    std::vector<std::int32_t> last_reader(problem.edge_count(), -1);
    for (std::size_t e = 0; e < problem.edge_count(); ++e)
        for (NodeId reader : problem.consumers[e]) last_reader[e] = std::max(last_reader[e], position[reader.index()]);

    for (std::size_t j = 0; j < n; ++j) {
        const std::size_t v = order[j].index();
        const auto at = static_cast<std::int32_t>(j);
        for (EdgeId edge : problem.inputs[v]) {
            const std::size_t e = edge.index();
            const std::int64_t transfer = problem.transfer[e].count(), bytes = problem.bytes[e].count;
            const NodeId producer = problem.producer[e];
            const std::int32_t from = producer.valid() ? position[producer.index()] : -1;
            assert(from < at && "order is topological");
            if (transfer != 0 || hard) {
                inputs.push_back({std::max(from, latest_reader[e]), transfer, bytes});
                if (last_reader[e] == at && producer.valid() && !problem.to_host[e]) drops.push_back({from, transfer, bytes});
            }
            latest_reader[e] = at;
        }
        for (EdgeId edge : problem.outputs[v]) {
            const std::size_t e = edge.index();
            if (!problem.consumers[e].empty() || problem.to_host[e])
                made[j] += problem.transfer[e].count();
            else if (memory)
                dead_bytes[j] += problem.bytes[e].count;
            if (memory) made_bytes[j] += problem.bytes[e].count;
        }
        if (memory) {
            scratch[j] = problem.scratch[v].count;
            for (WeightId weight : problem.weights[v]) {
                weights.push_back({latest_user[weight.index()], problem.weight_bytes[weight.index()].count, 0});
                latest_user[weight.index()] = at;
            }
        }
        std::ranges::sort(inputs.begin() + input_start.back(), inputs.end(), {}, &Entry::key);
        std::ranges::sort(drops.begin() + drop_start.back(), drops.end(), std::greater{}, &Entry::key);
        std::ranges::sort(weights.begin() + weight_start.back(), weights.end(), {}, &Entry::key);
        input_start.push_back(static_cast<std::uint32_t>(inputs.size()));
        drop_start.push_back(static_cast<std::uint32_t>(drops.size()));
        weight_start.push_back(static_cast<std::uint32_t>(weights.size()));
        std::int64_t least = kNone;
        for (std::size_t c = 0; c < classes; ++c) {
            if (!problem.classes[c].supported.contains(v)) continue;
            work[c * n + j] = problem.classes[c].work[v].count();
            least = std::min(least, work[c * n + j]);
        }
        rest[j] = least == kNone ? 0 : least;
        floor = std::max(floor, rest[j]);
    }
    if (spill_rate > 0)
        for (std::size_t w = 0; w < problem.weight_count(); ++w)
            if (latest_user[w] >= 0) rest_parameters[static_cast<std::size_t>(latest_user[w])] += problem.weight_bytes[w].count;
    for (std::size_t j = n; j-- > 0;) {
        rest[j] += rest[j + 1];
        rest_parameters[j] += rest_parameters[j + 1];
    }
}

/// Calls on_segment(r, class, cost, devices) for every segment [left, r) of cost <= threshold on so many devices, the fewest, and no more
/// than there may be; keeps `next`. False: told to stop.
template <bool kMemory, typename OnSegment>
bool Slicer::Scratch::scan(std::size_t left, std::int64_t threshold, OnSegment&& on_segment) {
    const std::size_t n = problem.node_count();
    const auto key = static_cast<std::int32_t>(left);
    const bool serial = problem.model == StageModel::serial;
    const std::int64_t limit =
        threshold > kNoLimit / replicas ? kNoLimit : threshold * replicas;  // of a segment on all devices it may have
    std::int64_t in = 0, out = 0, parameters = 0, held = 0, alive = 0, highest = 0;
    std::ranges::fill(sums, 0);
    std::ranges::fill(spills, 0);
    std::ranges::fill(active, 1);
    for (std::size_t j = left; j < n; ++j) {
        if (++steps % kTableStepsBetweenPolls == 0 && poll()) return false;
        for (std::size_t i = input_start[j]; i < input_start[j + 1] && inputs[i].key < key; ++i) {
            in += inputs[i].amount;
            if constexpr (kMemory) held += inputs[i].bytes;
        }
        out += made[j];
        if constexpr (kMemory) {
            alive += made_bytes[j];
            highest = std::max(highest, alive + scratch[j]);
            alive -= dead_bytes[j];
        }
        for (std::size_t i = drop_start[j]; i < drop_start[j + 1] && drops[i].key >= key; ++i) {
            out -= drops[i].amount;
            if constexpr (kMemory) alive -= drops[i].bytes;
        }
        bool grown = false;
        if constexpr (kMemory)
            for (std::size_t i = weight_start[j]; i < weight_start[j + 1] && weights[i].key < key; ++i) {
                parameters += weights[i].amount;
                grown = true;
            }
        bool any = false;
        for (std::size_t c = 0; c < classes; ++c) {
            if (!active[c]) continue;
            const std::int64_t own = work[c * n + j];
            active[c] = 0;
            if (own < 0) continue;
            sums[c] += own;
            if constexpr (kMemory) {
                const auto& device = problem.classes[c];
                if (device.overflow == Overflow::hard && parameters + held + highest > device.fast_memory.count) continue;
                if (grown) spills[c] = cost::spill_time(device, Bytes{parameters}).count();
            }
            const std::int64_t busy = kMemory ? sums[c] + spills[c] : sums[c];
            const std::int64_t least = serial ? busy + in : std::max(busy, in);
            if (least > limit) {
                next = std::min(next, ceil_divide(least, replicas));
                continue;
            }
            active[c] = 1;
            any = true;
            const std::int64_t cost = serial ? least + out : std::max(least, out);
            if (cost <= threshold) {
                on_segment(j + 1, c, cost, 1);
                continue;
            }
            if (replicas == 1) {  // without a division: the hot path
                next = std::min(next, cost);
                continue;
            }
            const std::int64_t devices = cost > limit ? replicas + 1 : ceil_divide(cost, threshold);
            next = std::min(next, ceil_divide(cost, devices - 1));  // from there on it needs fewer
            if (devices <= replicas) on_segment(j + 1, c, ceil_divide(cost, devices), devices);
        }
        if (!any) break;
    }
    return true;
}

template <bool kSingle, bool kMemory>
Slicer::Scratch::Sweep Slicer::Scratch::sweep(std::int64_t threshold) {
    const std::size_t n = problem.node_count(), row = n + 1;
    next = kNone;
    std::ranges::fill(table, State{});
    table[0].worst = 0, table[0].used = 0;
    for (std::size_t left = 0; left < n; ++left) {
        starts.clear();
        for (std::size_t s = 0; s < states.count; ++s) {
            const State& state = table[s * row + left];
            if (!state.reached()) continue;
            // What is left needs so many devices at least.
            const std::int64_t devices = states.total - used_elsewhere[s] - state.used;
            if (devices <= 0) continue;
            const std::int64_t least = share(left, devices);
            if (least > threshold)
                next = std::min(next, least);
            else
                starts.push_back({s, state.used, state.worst});
        }
        if (starts.empty()) continue;
        const bool went_on =
            scan<kMemory>(left, threshold, [&](std::size_t right, std::size_t device, std::int64_t share, std::int64_t devices) {
                const auto relax = [&](const Start& start) {
                    std::size_t to = start.state;
                    std::int64_t used = start.used;
                    if (kSingle || device == states.last) {
                        used += devices;
                        if (used > states.capacity[states.last]) return;
                    } else {
                        const std::size_t digit =
                            start.state / states.stride[device] % static_cast<std::size_t>(states.capacity[device] + 1);
                        if (static_cast<std::int64_t>(digit) + devices > states.capacity[device]) return;
                        to += states.stride[device] * static_cast<std::size_t>(devices);
                    }
                    if (!kSingle && over_total(to, used)) return;
                    State& state = table[to * row + right];
                    const std::int64_t worst = std::max(start.worst, share);
                    if (used > state.used || (used == state.used && worst >= state.worst)) return;
                    state = {worst, static_cast<std::int32_t>(used), static_cast<std::uint32_t>(left),
                             static_cast<std::uint32_t>(start.state), static_cast<std::uint32_t>(device)};
                };
                if constexpr (kSingle)
                    relax(starts.front());
                else
                    for (const Start& start : starts) relax(start);
            });
        if (!went_on) return Sweep::stopped;
    }
    return best_end() ? Sweep::found : Sweep::none;
}

const Slicer::Scratch::State* Slicer::Scratch::best_end() const {
    const std::size_t row = problem.node_count() + 1;
    const State* best = nullptr;
    std::int64_t best_devices = 0;
    for (std::size_t s = 0; s < states.count; ++s) {
        const State& end = table[s * row + row - 1];
        if (!end.reached()) continue;
        const std::int64_t devices = used_elsewhere[s] + end.used;
        if (best && (end.worst > best->worst || (end.worst == best->worst && devices >= best_devices))) continue;
        best = &end, best_devices = devices;
    }
    return best;
}

cost::Partition Slicer::Scratch::trace(std::span<const NodeId> order) const {
    const std::size_t row = problem.node_count() + 1;
    cost::Partition partition;
    std::size_t right = problem.node_count();
    for (const State* state = best_end(); right > 0;) {
        const auto segment = order.subspan(state->from, right - state->from);
        const State* before = &table[state->from_state * row + state->from];
        const std::size_t here = static_cast<std::size_t>(state - table.data()) / row;
        const std::int64_t devices = state->device == states.last
                                         ? state->used - before->used
                                         : static_cast<std::int64_t>((here - state->from_state) / states.stride[state->device]);
        partition.stages.push_back({{segment.begin(), segment.end()}, ClassId(state->device), devices});
        right = state->from;
        state = before;
    }
    std::ranges::reverse(partition.stages);
    return partition;
}

Slicer::Slicer(const cost::StageProblem& problem) : scratch_(std::make_unique<Scratch>(problem)) {}
Slicer::~Slicer() = default;
Slicer::Slicer(Slicer&&) noexcept = default;
Slicer& Slicer::operator=(Slicer&&) noexcept = default;

std::optional<cost::Partition> Slicer::slice(std::span<const NodeId> order, const SliceOptions& options) {
    assert(options.stages >= 1 && options.max_replicas >= 1 && sliceable(scratch_->problem, options.stages, options.max_replicas));
    Scratch& s = *scratch_;
    s.set_up(options);
    if (s.states.total <= 0) return std::nullopt;
    s.lay_out(order);
    s.used_elsewhere.assign(s.states.count, 0);
    for (std::size_t state = 0; state < s.states.count; ++state)
        for (std::size_t c = 0; c < s.classes; ++c)
            if (c != s.states.last)
                s.used_elsewhere[state] +=
                    static_cast<std::int64_t>(state / s.states.stride[c] % static_cast<std::size_t>(s.states.capacity[c] + 1));
    s.table.resize(s.states.count * (s.problem.node_count() + 1));

    // Invariant: no slicing costs less than `low`; `best` costs `high`.
    std::int64_t low =
        std::max({ceil_divide(s.floor, s.replicas), s.share(0, s.states.total), std::min(options.at_least.count(), kNoLimit)});
    std::int64_t high = options.below ? options.below->count() : kNone;
    std::optional<cost::Partition> best;
    std::int64_t step = std::max<std::int64_t>(low / 16, 1);
    bool failed = false;
    while (low < high) {
        // A slicing found is often the best there is: after one sweep in vain, the question is whether any other is better at all.
        std::int64_t threshold = failed ? high - 1 : low + (high - 1 - low) / 2;
        // Without a first slicing: straight to the incumbent, or up from below in growing steps (long segments are what costs time).
        if (!best) {
            threshold = options.below ? high - 1 : std::min(low + step, std::max(low, kNoLimit));
            step = std::min(2 * step, kNoLimit);
        }
        const auto outcome = s.sweep_any(threshold);
        if (outcome == Scratch::Sweep::stopped) break;
        failed = outcome == Scratch::Sweep::none;
        if (!failed) {
            best = s.trace(order);
            high = s.best_end()->worst;
        } else {
            if (s.next == kNone || (!best && options.below)) break;  // nothing a higher threshold would change
            low = s.next;
        }
    }
    return best;
}

std::optional<cost::Partition> Slicer::longest_segments(std::span<const NodeId> order, std::int64_t stages) {
    Scratch& s = *scratch_;
    s.set_up({.stages = stages});
    s.lay_out(order);
    std::vector<std::int64_t> free = s.states.capacity;
    cost::Partition partition;
    for (std::size_t left = 0; left < order.size();) {
        if (static_cast<std::int64_t>(partition.stages.size()) == s.states.total) return std::nullopt;
        std::size_t right = left, device = 0;
        const auto longest = [&](std::size_t end, std::size_t c, std::int64_t, std::int64_t) {
            if (free[c] > 0 && end > right) right = end, device = c;
        };
        if (s.memory)
            s.scan<true>(left, kNoLimit, longest);
        else
            s.scan<false>(left, kNoLimit, longest);
        if (right == left) return std::nullopt;
        --free[device];
        const auto segment = order.subspan(left, right - left);
        partition.stages.push_back({{segment.begin(), segment.end()}, ClassId(device), 1});
        left = right;
    }
    return partition;
}

}  // namespace sluice::search
