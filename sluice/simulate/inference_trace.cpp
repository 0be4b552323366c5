#include "sluice/simulate/inference_trace.hpp"

#include <format>

namespace sluice::simulate {

Result<void> check_trace(const Tables& tables, const Wires& wires, const InferenceOptions& options) {
    std::int64_t tasks = 0;
    for (const Step& step : tables.steps) tasks += step.duration > 0;
    for (const ChannelPlace& channel : tables.channels)
        if (channel.on_wire > 0)
            tasks +=
                wires
                    .route(std::int64_t{tables.stages[channel.from].first_list} - 1, std::int64_t{tables.stages[channel.to].first_list} - 1)
                    .hops;
    if (tasks == 0 || options.inputs <= options.most_tasks / tasks) return {};
    const std::int64_t possible = options.most_tasks / tasks;
    Diagnostic diagnostic = usage_error(
        std::format("a trace of {} inputs has {} tasks for each; {} in all are possible", options.inputs, tasks, options.most_tasks));
    diagnostic.help = possible > 0 ? std::format("trace at most {} inputs: --inputs {}", possible, possible) : "simulate without a trace";
    return fail(std::move(diagnostic));
}

InferenceTrace::InferenceTrace(const program::Program& program, const Tables& tables, const Wires& wires)
    : tables_(tables), last_counter_(tables.lists, kNone) {
    for (const program::Channel& channel : program.channels) names_.push_back(channel.tensor);
    work_name_ = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back("work");
    // List 0 is the host's collecting, the last of the stages.
    std::vector<std::string> groups(tables.lists, "host");
    for (std::size_t s = 0; s + 1 < tables.stages.size(); ++s)
        for (std::int64_t q = 0; q < tables.stages[s].replicas; ++q) {
            const std::size_t list = tables.stages[s].first_list + static_cast<std::size_t>(q);
            groups[list] =
                std::format("device {} (stage {}{})", list - 1, s, tables.stages[s].replicas > 1 ? std::format(", replica {}", q) : "");
        }
    for (const std::string& group : groups)
        if (tables.overlap)
            for (const char* engine : {"in", "compute", "out"}) tracks_.push_back({group, engine});
        else
            tracks_.push_back({group, "device"});
    link_tracks_ = static_cast<std::uint32_t>(tracks_.size());
    for (std::size_t i = 0; i < wires.link_count(); ++i) tracks_.push_back({"links", wires.name_of(LinkId(i))});
    // Channels of one tensor share the flow of its leaving.
    flow_group_.resize(tables.channels.size());
    for (const Step& step : tables.steps)
        for (std::uint32_t i = step.first; step.kind == StepKind::leave && i < step.first + step.count; ++i)
            flow_group_[tables.leaving[i]] = tables.leaving[step.first];
}

void InferenceTrace::step(std::uint32_t process, const Step& step, std::int64_t input, Time start, Time end) {
    if (step.kind == StepKind::work) return add(process, work_name_, input, start, end, 0);
    const std::uint32_t c = step.kind == StepKind::enter ? step.first : tables_.leaving[step.first];
    add(process, c, input, start, end, tables_.channels[c].from_host ? 0 : flow_of(c, input));
}

void InferenceTrace::carried(LinkId link, std::uint32_t channel, std::int64_t input, Time start, Time end) {
    add(link_tracks_ + static_cast<std::uint32_t>(link.index()), channel, input, start, end, flow_of(channel, input));
}

void InferenceTrace::memory(std::uint32_t list, std::uint32_t process, Bytes in_use, Time now) {
    auto& last = last_counter_[list];
    if (last != kNone && counters_[last].time.count() == now) {
        counters_[last].value = in_use.count;
    } else {
        last = static_cast<std::uint32_t>(counters_.size());
        counters_.push_back({process, Duration{now}, in_use.count});
    }
}

void InferenceTrace::move_to(InferenceResult& result) {
    result.names = std::move(names_);
    result.tracks = std::move(tracks_);
    result.tasks = std::move(tasks_);
    result.counters = std::move(counters_);
}

}  // namespace sluice::simulate
