#include "sluice/program/training_order.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <span>

#include "sluice/base/csr.hpp"
#include "sluice/base/stop_check.hpp"
#include "sluice/cost/interleaving.hpp"

namespace sluice::program {

namespace {

using Time = std::int64_t;  // picoseconds
constexpr Time kNever = std::numeric_limits<Time>::max();

/// Edges by the stage they enter and by the stage they leave, and the stages of each group.
struct Wiring {
    explicit Wiring(const Pipeline& pipeline) {
        std::vector<std::vector<std::uint32_t>> into(pipeline.stages.size()), out(pipeline.stages.size()), members(pipeline.groups);
        for (std::uint32_t e = 0; e < pipeline.edges.size(); ++e) {
            into[pipeline.edges[e].to].push_back(e);
            out[pipeline.edges[e].from].push_back(e);
        }
        for (std::uint32_t s = 0; s < pipeline.stages.size(); ++s) members[pipeline.stages[s].group].push_back(s);
        entering = Rows<std::uint32_t>(into);
        leaving = Rows<std::uint32_t>(out);
        stages = Rows<std::uint32_t>(members);
    }
    Rows<std::uint32_t> entering, leaving, stages;
};

/// The greedy run in simulated time: a group that is free takes the most urgent pass that is ready.
class Run {
public:
    Run(const Pipeline& pipeline, const Wiring& wiring, bool by_urgency, StopCheck& stopped)
        : pipeline_(pipeline), wiring_(wiring), by_urgency_(by_urgency), stopped_(stopped) {
        states_.resize(pipeline.stages.size());
        std::size_t at = 0;
        for (std::size_t s = 0; s < states_.size(); ++s) {
            states_[s].first = at;
            at += static_cast<std::size_t>(pipeline.stages[s].count);
        }
        forward_end_.assign(at, kNever);
        gradient_end_.assign(at, kNever);
        free_at_.assign(pipeline.groups, 0);
        reduced_at_.assign(pipeline.groups, 0);
        to_reduce_.assign(pipeline.groups, 0);
        for (const PipelineStage& stage : pipeline.stages) to_reduce_[stage.group] += stage.all_reduce.count();
        order_.groups.resize(pipeline.groups);
        for (std::uint32_t g = 0; g < pipeline.groups; ++g) {
            std::size_t passes = 0;
            for (const std::uint32_t s : wiring.stages[g]) passes += 3 * static_cast<std::size_t>(pipeline.stages[s].count);
            order_.groups[g].reserve(passes);
        }
        find_urgency();
    }

    WorkOrder run() {
        for (std::uint32_t g = 0; g < pipeline_.groups; ++g) wake(0, g);
        while (!wakes_.empty() && !stopped_()) {
            const auto [time, group] = wakes_.top();
            wakes_.pop();
            if (free_at_[group] <= time) step(time, group);
        }
        return std::move(order_);
    }

private:
    struct State {
        std::size_t first = 0;                            // of its micro-batches in the arrays below
        std::int64_t forward = 0, input = 0, weight = 0;  // passes begun
        Time forward_tail = 0, input_tail = 0;            // from the start of a pass to the end of the iteration, nothing else in the way
        Time period = 0;                                  // between micro-batches where the busiest group never waits
    };
    struct Candidate {
        Time ready = kNever;
        Pass pass = Pass::forward;
        std::uint32_t stage = 0;
        int rank = 0;
        Time tail = 0;
    };

    void find_urgency() {
        for (std::size_t s = 0; s < states_.size(); ++s) {  // what a gradient still has to pass: towards the sources
            const PipelineStage& stage = pipeline_.stages[s];
            const Time weights = stage.weight_gradient.count(), joint = stage.joint_backward ? weights : 0;
            Time longest = weights + (stage.all_reduce + stage.optimizer).count();
            for (const std::uint32_t e : wiring_.entering[s]) {
                const PipelineEdge& edge = pipeline_.edges[e];
                if (edge.has_gradient) longest = std::max(longest, joint + edge.gradient.count() + states_[edge.from].input_tail);
            }
            states_[s].input_tail = stage.input_gradient.count() + longest;
        }
        for (std::size_t s = states_.size(); s-- > 0;) {
            Time longest = states_[s].input_tail;
            for (const std::uint32_t e : wiring_.leaving[s]) {
                const PipelineEdge& edge = pipeline_.edges[e];
                longest = std::max(longest, edge.activation.count() + states_[edge.to].forward_tail);
            }
            states_[s].forward_tail = pipeline_.stages[s].forward.count() + longest;
        }
        std::vector<Time> load(pipeline_.groups, 0);
        for (const PipelineStage& stage : pipeline_.stages)
            load[stage.group] += (stage.forward + stage.input_gradient + stage.weight_gradient).count() * stage.count;
        const Time busiest = load.empty() ? 0 : std::ranges::max(load);
        for (std::size_t s = 0; s < states_.size(); ++s) states_[s].period = busiest / pipeline_.stages[s].count;
    }

    /// When the chunks that micro-batch `index` of a stage needs are there, sent by micro-batches whose ends are `ends`.
    static Time arrival(const PipelineStage& needs, std::int64_t index, const PipelineStage& sends, std::span<const Time> ends,
                        std::int64_t chunk, Duration transfer) {
        const std::int64_t last = (index + 1) * needs.micro_batch - 1;  // sample
        const std::int64_t from = last / sends.micro_batch;
        const Time end = ends[static_cast<std::size_t>(from)];
        if (end == kNever) return kNever;
        return end + ((last - from * sends.micro_batch) / chunk + 1) * transfer.count();
    }
    [[nodiscard]] std::span<const Time> ends_of(const std::vector<Time>& ends, std::uint32_t s) const {
        return std::span(ends).subspan(states_[s].first, static_cast<std::size_t>(pipeline_.stages[s].count));
    }

    [[nodiscard]] Time forward_ready(std::uint32_t s) const {
        const PipelineStage& stage = pipeline_.stages[s];
        const State& state = states_[s];
        if (state.forward == stage.count || state.forward - state.weight >= stage.in_flight) return kNever;
        Time ready = 0;
        for (const std::uint32_t e : wiring_.entering[s]) {
            const PipelineEdge& edge = pipeline_.edges[e];
            ready = std::max(ready, arrival(stage, state.forward, pipeline_.stages[edge.from], ends_of(forward_end_, edge.from), edge.chunk,
                                            edge.activation));
        }
        return ready;
    }
    [[nodiscard]] Time input_ready(std::uint32_t s) const {
        const State& state = states_[s];
        if (state.input == state.forward) return kNever;
        Time ready = 0;
        for (const std::uint32_t e : wiring_.leaving[s]) {
            const PipelineEdge& edge = pipeline_.edges[e];
            if (edge.has_gradient)
                ready = std::max(ready, arrival(pipeline_.stages[s], state.input, pipeline_.stages[edge.to],
                                                ends_of(gradient_end_, edge.to), edge.chunk, edge.gradient));
        }
        return ready;
    }

    /// It waits until nothing else can be done; the last ones of a stage do not, for all sums of gradients that its group still has to
    /// make wait for them.
    [[nodiscard]] Candidate weight_gradient(Time now, std::uint32_t s, Time left) const {
        const PipelineStage& stage = pipeline_.stages[s];
        const State& state = states_[s];
        if (!by_urgency_ || stage.all_reduce.count() == 0 || state.input < stage.count)
            return {now, Pass::weight_gradient, s, 0, state.input_tail};
        const Time tail = stage.weight_gradient.count() * (stage.count - state.weight) + to_reduce_[stage.group] + stage.optimizer.count();
        return {now, Pass::weight_gradient, s, 1, tail + left - (stage.count - 1) * state.period};
    }

    void step(Time now, std::uint32_t group) {
        Candidate best;
        Time soonest = kNever;
        const auto offer = [&](Candidate candidate) {
            soonest = std::min(soonest, candidate.ready);
            if (candidate.ready > now) return;
            if (best.ready == kNever || std::pair(candidate.rank, candidate.tail) > std::pair(best.rank, best.tail)) best = candidate;
        };
        for (const std::uint32_t s : wiring_.stages[group]) {
            const State& state = states_[s];
            // By urgency: how long before the end a pass must have begun, when a micro-batch ends every period. Else gradients of inputs
            // come first: others wait for them, and they free memory.
            const Time left = by_urgency_ ? pipeline_.stages[s].count * state.period : 0, each = by_urgency_ ? state.period : 0;
            offer({input_ready(s), Pass::input_gradient, s, by_urgency_ ? 1 : 2, state.input_tail + left - state.input * each});
            offer({forward_ready(s), Pass::forward, s, 1, state.forward_tail + left - state.forward * each});
            if (state.weight < state.input) offer(weight_gradient(now, s, left));
        }
        if (best.ready != kNever)
            begin(now, group, best);
        else if (soonest != kNever)
            wake(soonest, group);
    }

    void begin(Time now, std::uint32_t group, const Candidate& chosen) {
        const std::uint32_t s = chosen.stage;
        const PipelineStage& stage = pipeline_.stages[s];
        State& state = states_[s];
        std::vector<Work>& order = order_.groups[group];
        Time end = now;
        const auto add = [&](Pass pass, std::int64_t index, Duration time) {
            order.push_back({pass, s, static_cast<std::uint32_t>(index)});
            end += time.count();
        };
        switch (chosen.pass) {
            case Pass::forward:
                add(Pass::forward, state.forward, stage.forward);
                forward_end_[state.first + static_cast<std::size_t>(state.forward++)] = end;
                tell(s, wiring_.leaving[s], end);
                break;
            case Pass::input_gradient:
                add(Pass::input_gradient, state.input, stage.input_gradient);
                if (stage.joint_backward) add(Pass::weight_gradient, state.weight++, stage.weight_gradient);
                gradient_end_[state.first + static_cast<std::size_t>(state.input++)] = end;
                tell(s, wiring_.entering[s], end);
                break;
            case Pass::weight_gradient:
                add(Pass::weight_gradient, state.weight++, stage.weight_gradient);
                break;
        }
        free_at_[group] = end;
        if (state.weight == stage.count) {
            Time& reduced = reduced_at_[group];
            reduced = std::max(reduced, end) + stage.all_reduce.count();
            to_reduce_[group] -= stage.all_reduce.count();
            order_.makespan = std::max(order_.makespan, Duration{reduced} + stage.optimizer);
        }
        wake(end, group);
    }

    /// Whoever waits looks again once the first chunk can be there; where more are needed it finds out when.
    void tell(std::uint32_t s, std::span<const std::uint32_t> edges, Time end) {
        for (const std::uint32_t e : edges) {
            const PipelineEdge& edge = pipeline_.edges[e];
            const bool forth = edge.from == s;
            wake(end + (forth ? edge.activation : edge.gradient).count(), pipeline_.stages[forth ? edge.to : edge.from].group);
        }
    }
    void wake(Time time, std::uint32_t group) { wakes_.emplace(time, group); }

    const Pipeline& pipeline_;
    const Wiring& wiring_;
    const bool by_urgency_;
    StopCheck& stopped_;
    std::vector<State> states_;
    std::vector<Time> forward_end_, gradient_end_;  // by stage and micro-batch; kNever: not begun
    std::vector<Time> free_at_;
    std::vector<Time> reduced_at_, to_reduce_;  // per group: when it is done with sums of gradients, and how long those not begun take
    std::priority_queue<std::pair<Time, std::uint32_t>, std::vector<std::pair<Time, std::uint32_t>>, std::greater<>> wakes_;
    WorkOrder order_;
};

void add_forward(std::vector<Work>& order, std::uint32_t stage, std::int64_t index) {
    order.push_back({Pass::forward, stage, static_cast<std::uint32_t>(index)});
}
void add_backward(std::vector<Work>& order, std::uint32_t stage, std::int64_t index) {
    order.push_back({Pass::input_gradient, stage, static_cast<std::uint32_t>(index)});
    order.push_back({Pass::weight_gradient, stage, static_cast<std::uint32_t>(index)});
}

WorkOrder gpipe(const Pipeline& pipeline, const Wiring& wiring, StopCheck& stopped) {
    WorkOrder order;
    order.groups.resize(pipeline.groups);
    for (std::uint32_t g = 0; g < pipeline.groups; ++g) {
        for (const std::uint32_t s : wiring.stages[g])
            for (std::int64_t i = 0; i < pipeline.stages[s].count && !stopped(); ++i) add_forward(order.groups[g], s, i);
        for (std::size_t at = wiring.stages[g].size(); at-- > 0;)
            for (std::int64_t i = 0; i < pipeline.stages[wiring.stages[g][at]].count && !stopped(); ++i)
                add_backward(order.groups[g], wiring.stages[g][at], i);
    }
    return order;
}

WorkOrder k_forward_k_backward(const Pipeline& pipeline, StopCheck& stopped) {
    WorkOrder order;
    order.groups.resize(pipeline.groups);
    for (std::uint32_t s = 0; s < pipeline.stages.size(); ++s) {
        const PipelineStage& stage = pipeline.stages[s];
        std::int64_t forward = 0, backward = 0;
        const auto go = [&](std::int64_t until) {
            for (; forward < std::min(until, stage.count); ++forward) add_forward(order.groups[stage.group], s, forward);
        };
        go(stage.in_flight);
        while (backward < stage.count && !stopped()) {
            for (const std::int64_t until = std::min(backward + stage.k, forward); backward < until; ++backward)
                add_backward(order.groups[stage.group], s, backward);
            go(backward + stage.in_flight);
        }
    }
    return order;
}

/// Stages from the end of the pipeline: 0 for a sink.
std::vector<std::int64_t> distance_to_sink(const Pipeline& pipeline, const Wiring& wiring) {
    std::vector<std::int64_t> distance(pipeline.stages.size(), 0);
    for (std::size_t s = distance.size(); s-- > 0;)
        for (const std::uint32_t e : wiring.leaving[s]) distance[s] = std::max(distance[s], distance[pipeline.edges[e].to] + 1);
    return distance;
}

/// Can these orders be worked off, each pass waiting for those it reads from?
bool drains(const Pipeline& pipeline, const Wiring& wiring, const WorkOrder& order, StopCheck& stopped) {
    std::vector<std::int64_t> forward(pipeline.stages.size(), 0), backward(pipeline.stages.size(), 0);
    std::vector<std::size_t> at(order.groups.size(), 0);
    const auto ready = [&](const Work& work) {
        const PipelineStage& stage = pipeline.stages[work.stage];
        const std::int64_t samples = (work.micro_batch + std::int64_t{1}) * stage.micro_batch;
        if (work.pass == Pass::weight_gradient) return true;
        const bool forth = work.pass == Pass::forward;
        return std::ranges::all_of(forth ? wiring.entering[work.stage] : wiring.leaving[work.stage], [&](std::uint32_t e) {
            const PipelineEdge& edge = pipeline.edges[e];
            if (!forth && !edge.has_gradient) return true;
            const std::uint32_t other = forth ? edge.from : edge.to;
            return (forth ? forward : backward)[other] * pipeline.stages[other].micro_batch >= samples;
        });
    };
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t g = 0; g < at.size(); ++g)
            for (; at[g] < order.groups[g].size() && ready(order.groups[g][at[g]]) && !stopped(); ++at[g], moved = true) {
                const Work& work = order.groups[g][at[g]];
                if (work.pass == Pass::forward) ++forward[work.stage];
                if (work.pass == Pass::weight_gradient) ++backward[work.stage];
            }
    }
    for (std::size_t g = 0; g < at.size(); ++g)
        if (at[g] < order.groups[g].size()) return false;
    return true;
}

WorkOrder interleaved(const Pipeline& pipeline, const Wiring& wiring, StopCheck& stopped) {
    WorkOrder order;
    order.groups.resize(pipeline.groups);
    const std::vector<std::int64_t> distance = distance_to_sink(pipeline, wiring);
    for (std::uint32_t g = 0; g < pipeline.groups; ++g) {
        const auto stages = wiring.stages[g];
        for (const cost::Turn& turn :
             cost::interleaved_turns(stages.size(), pipeline.stages[stages.front()].count, pipeline.groups, distance[stages.back()])) {
            if (stopped()) break;
            (turn.forward ? add_forward : add_backward)(order.groups[g], stages[turn.place], turn.micro_batch);
        }
    }
    return order;
}

/// Half an order where it was stopped.
WorkOrder ordered(const Pipeline& pipeline, cost::Schedule schedule, StopCheck& stopped) {
    const Wiring wiring(pipeline);
    const auto counts_differ = [&] {
        return std::ranges::any_of(pipeline.stages,
                                   [&](const PipelineStage& stage) { return stage.count != pipeline.stages.front().count; });
    };
    switch (schedule) {
        case cost::Schedule::gpipe:
            return gpipe(pipeline, wiring, stopped);
        case cost::Schedule::one_f_one_b:
        case cost::Schedule::chain:
            if (pipeline.groups == pipeline.stages.size()) {
                WorkOrder order = k_forward_k_backward(pipeline, stopped);
                if (drains(pipeline, wiring, order, stopped)) return order;
            }
            break;
        case cost::Schedule::interleaved:
            if (!counts_differ()) {
                WorkOrder order = interleaved(pipeline, wiring, stopped);
                if (drains(pipeline, wiring, order, stopped)) return order;
            }
            break;
        case cost::Schedule::zero_bubble:
        case cost::Schedule::list:
            break;
    }
    return Run(pipeline, wiring, schedule == cost::Schedule::list, stopped).run();
}

}  // namespace

WorkOrder order_work(const Pipeline& pipeline, cost::Schedule schedule) { return *order_work(pipeline, schedule, Limits{}); }

std::optional<WorkOrder> order_work(const Pipeline& pipeline, cost::Schedule schedule, const Limits& limits) {
    StopCheck stopped(limits);
    WorkOrder order = ordered(pipeline, schedule, stopped);
    if (stopped()) return std::nullopt;
    return order;
}

}  // namespace sluice::program
