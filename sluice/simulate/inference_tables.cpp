#include "sluice/simulate/inference_tables.hpp"

#include <algorithm>
#include <bit>
#include <format>
#include <limits>

#include "sluice/base/wide.hpp"

namespace sluice::simulate {

namespace {

using program::Channel;
using program::ChannelId;
using program::InstructionKind;
using program::InstructionList;
using program::Program;
using program::Role;

constexpr Wide kLatest = Wide{1} << 62;                       // of the clock
constexpr std::uint64_t kMostFlags = std::uint64_t{1} << 31;  // arrival flags, a byte each

class Builder {
public:
    Builder(const Program& program, const platform::Platform& platform, const Wires& wires, LinkSharing sharing, std::int64_t inputs)
        : program_(program),
          wires_(wires),
          wired_(sharing != LinkSharing::free && wires.link_count() > 0),
          given_transfers_(platform.given_transfers),
          inputs_(inputs),
          most_turns_(static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::min(inputs, std::int64_t{1} << 30))))) {
        tables_.overlap = platform.model == platform::StageModel::overlap;
    }

    Result<Tables> run() {
        tables_.lists = static_cast<std::uint32_t>(program_.ranks);
        for (const Channel& channel : program_.channels)
            if (auto added = add_channel(channel); !added) return fail(std::move(added.error()));
        for (const program::Stage& stage : program_.stages)
            add_stage(program_.lists[static_cast<std::size_t>(stage.first_rank) + 1], &stage);
        add_stage(program_.lists[1], nullptr);
        if (tables_.flags > kMostFlags)
            return fail(input_error(std::format("the program has {} receive buffers, more than can be simulated", tables_.flags))
                            .fix("simulate fewer inputs, or give the channels fewer credits"));
        if (bytes_ > kLatest)
            return fail(
                input_error("the program's parameters and buffers are more than can be counted").fix("check the sizes of its tensors"));
        if (total_ * inputs_ > kLatest)
            return fail(input_error(std::format("{} inputs may take longer than the clock of a simulation counts ({})", inputs_,
                                                to_text(Duration{std::numeric_limits<std::int64_t>::max()})))
                            .note(std::format("one input is up to {} of work and transfers",
                                              to_text(Duration{static_cast<std::int64_t>(std::min(total_, kLatest))})))
                            .fix("simulate fewer inputs"));
        return std::move(tables_);
    }

private:
    [[nodiscard]] std::uint32_t place_of(StageId stage) const {
        return static_cast<std::uint32_t>(stage.valid() ? stage.index() : program_.stages.size());
    }

    Result<void> add_channel(const Channel& channel) {
        ChannelPlace place{.from = place_of(channel.from),
                           .to = place_of(channel.to),
                           .credits = static_cast<std::uint32_t>(std::min(channel.credits, most_turns_)),
                           .from_host = !channel.from.valid(),
                           .bytes = channel.bytes.count,
                           .on_wire = 0,
                           .flags = tables_.flags};
        const std::int64_t receivers = channel.to.valid() ? program_.stages[channel.to.index()].replicas : 1;
        bytes_ += Wide{channel.bytes.count} * place.credits * receivers;
        if (channel.from.valid()) {
            tables_.flags = std::min(tables_.flags + place.credits * static_cast<std::uint64_t>(receivers), 2 * kMostFlags);
        }
        if (wired_ && channel.from.valid() && channel.to.valid()) {
            std::optional<std::int64_t> time = channel.transfer.count();
            if (!given_transfers_) {
                const auto carried = time_for(channel.bytes, wires_.link().rate);
                time = carried ? checked_add(carried->count(), wires_.link().latency.count()) : std::nullopt;
            }
            if (!time)
                return fail(input_error(std::format("'{}' of {} takes longer than can be counted over a link of {}", channel.tensor,
                                                    to_text(channel.bytes), to_text(wires_.link().rate))));
            place.on_wire = std::max(*time, channel.transfer.count());
            total_ += place.on_wire * Wide{static_cast<std::int64_t>(std::max<std::size_t>(2, wires_.link_count()))};
        }
        tables_.channels.push_back(place);
        return {};
    }

    void add_step(StepKind kind, std::size_t first, std::size_t count, Time duration) {
        total_ += duration;
        tables_.steps.push_back({kind, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count), duration});
    }

    /// `stage` null: the host's collecting, which takes no time.
    void add_stage(const InstructionList& list, const program::Stage* stage) {
        StageSteps steps;
        std::int64_t window = 1;
        Wide in = 0, out = 0, in_bytes = 0, out_bytes = 0;
        steps.enter = static_cast<std::uint32_t>(tables_.steps.size());
        for (const auto& instruction : list.body) {
            if (instruction.kind != InstructionKind::receive) continue;
            const std::size_t c = instruction.channel.index();
            const ChannelPlace& place = tables_.channels[c];
            const Time duration = stage ? program_.channels[c].transfer.count() : 0;
            add_step(StepKind::enter, c, 1, duration);
            in += duration;
            in_bytes += place.bytes;
            steps.messages += !place.from_host;
            window = std::max<std::int64_t>(window, place.credits);
        }
        steps.work = static_cast<std::uint32_t>(tables_.steps.size());
        const Wide work = stage ? Wide{stage->work.count()} + stage->spill.count() : 0;
        add_step(StepKind::work, 0, 0, static_cast<Time>(std::min(kLatest, work)));
        total_ += work;
        steps.leave = static_cast<std::uint32_t>(tables_.steps.size());
        if (stage) add_leaving(list, steps, out, out_bytes);
        steps.end = static_cast<std::uint32_t>(tables_.steps.size());
        steps.window = static_cast<std::uint32_t>(window);
        // Sums beyond the clock or the ledger are refused at the end.
        steps.busy = static_cast<Time>(std::min(kLatest, tables_.overlap ? std::max({in, work, out}) : in + work + out));
        steps.in_bytes = static_cast<std::int64_t>(std::min(kLatest, in_bytes));
        steps.out_bytes = static_cast<std::int64_t>(std::min(kLatest, out_bytes));
        if (stage) {
            steps.replicas = stage->replicas;
            steps.first_list = static_cast<std::uint32_t>(stage->first_rank);
            steps.slots = static_cast<std::uint32_t>(std::min(stage->output_slots, most_turns_));
            bytes_ += (Wide{stage->parameters.count} + stage->peak.count + out_bytes * steps.slots) * stage->replicas;
            steps.scratch = std::max<std::int64_t>(0, stage->peak.count - steps.in_bytes - steps.out_bytes);
        }
        tables_.stages.push_back(steps);
    }

    /// One step a tensor, where its first send stands.
    void add_leaving(const InstructionList& list, StageSteps& steps, Wide& out, Wide& out_bytes) {
        std::vector<std::pair<std::uint64_t, std::uint32_t>> sends;  // tensor (or, without one, the channel itself), channel
        for (const auto& instruction : list.body) {
            if (instruction.kind != InstructionKind::send) continue;
            const auto c = static_cast<std::uint32_t>(instruction.channel.index());
            const TensorId tensor = program_.channels[c].tensor_id;
            sends.emplace_back(tensor.valid() ? tensor.index() : (std::uint64_t{1} << 32) + c, c);
        }
        steps.sends = static_cast<std::uint32_t>(sends.size());
        // Places of first sends, so that the groups come in their order.
        std::vector<std::size_t> order(sends.size()), first(sends.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::ranges::stable_sort(order, {}, [&](std::size_t i) { return sends[i].first; });
        for (std::size_t i = 0; i < order.size(); ++i)
            first[order[i]] = i > 0 && sends[order[i]].first == sends[order[i - 1]].first ? first[order[i - 1]] : order[i];
        std::ranges::stable_sort(order, {}, [&](std::size_t i) { return first[i]; });
        for (std::size_t i = 0; i < order.size();) {
            const std::size_t begin = tables_.leaving.size(), group = first[order[i]];
            Time duration = 0;
            std::int64_t bytes = 0;
            for (; i < order.size() && first[order[i]] == group; ++i) {
                const std::uint32_t c = sends[order[i]].second;
                tables_.leaving.push_back(c);
                duration = std::max(duration, program_.channels[c].transfer.count());
                bytes = std::max(bytes, tables_.channels[c].bytes);
            }
            add_step(StepKind::leave, begin, tables_.leaving.size() - begin, duration);
            out += duration;
            out_bytes += bytes;
        }
    }

    const Program& program_;
    const Wires& wires_;
    bool wired_, given_transfers_;
    std::int64_t inputs_, most_turns_;
    Wide total_ = 0;  // time that one input can take at most
    Wide bytes_ = 0;  // of everything
    Tables tables_;
};

}  // namespace

Result<Tables> tables_of(const Program& program, const platform::Platform& platform, const Wires& wires, LinkSharing sharing,
                         std::int64_t inputs) {
    return Builder(program, platform, wires, sharing, inputs).run();
}

}  // namespace sluice::simulate
