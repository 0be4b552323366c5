#include "sluice/mcm/judge/lower.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "sluice/base/units.hpp"
#include "sluice/mcm/chip_mask.hpp"

namespace sluice::mcm {

namespace {

/// Puts kernels together between which no other engine is concerned.
class Segments {
public:
    Segments(LoweredRing& lowered, std::uint32_t chip, const ChipCode& code, ByteRate stream_rate)
        : lowered_(lowered), chip_(chip), code_(code), stream_rate_(stream_rate) {
        const std::size_t kernels = code.kernels.size();
        for (auto* lists : {&waits_, &fills_, &last_readings_}) lists->resize(kernels);
    }
    void wait(std::uint32_t kernel, std::uint32_t message) { waits_[kernel].push_back(message); }
    void fill(std::uint32_t kernel, std::uint32_t message) { fills_[kernel].push_back(message); }
    void read_last(std::uint32_t kernel, std::uint32_t message) { last_readings_[kernel].push_back(message); }

    void write() {
        simulate::RingProgram& program = lowered_.program;
        const auto kernels = static_cast<std::uint32_t>(code_.kernels.size());
        for (std::uint32_t first = 0; first < kernels;) {
            simulate::RingSegment segment{.chip = chip_, .work = code_.kernels[first].work, .stream = Duration{0}};
            if (const Bytes streamed = code_.kernels[first].streamed; streamed.count > 0)
                segment.stream = *time_for(streamed, stream_rate_);
            std::uint32_t last = first;
            while (ends_nothing(last) && last + 1 < kernels && begins_freely(last + 1)) segment.work += code_.kernels[++last].work;
            program.segments.push_back(segment);
            program.waits.push_row(waits_[first]);
            program.fills.push_row(fills_[first]);  // a kernel that fills buffers is a segment of its own
            program.last_readings.push_row(last_readings_[last]);
            lowered_.kernels_of.emplace_back(first, last + 1);
            first = last + 1;
        }
    }

private:
    [[nodiscard]] bool ends_nothing(std::uint32_t kernel) const { return fills_[kernel].empty() && last_readings_[kernel].empty(); }
    [[nodiscard]] bool begins_freely(std::uint32_t kernel) const {
        return waits_[kernel].empty() && fills_[kernel].empty() && code_.kernels[kernel].streamed.count == 0;
    }

    LoweredRing& lowered_;
    std::uint32_t chip_;
    const ChipCode& code_;
    ByteRate stream_rate_;
    std::vector<std::vector<std::uint32_t>> waits_, fills_, last_readings_;  // per kernel
};

}  // namespace

bool Routes::find(std::span<const std::uint8_t> assignment) {
    const cost::StageProblem& costs = *problem_.costs;
    routes_.clear();
    passing_.resize(problem_.chips);
    more_buffers_.resize(problem_.chips);
    for (auto& passing : passing_) passing.clear();
    for (auto& more : more_buffers_) more.clear();
    for (std::size_t e = 0; e < costs.edge_count(); ++e) {
        const EdgeId edge(e);
        std::uint64_t readers = 0;
        for (const NodeId node : costs.consumers[e]) readers |= bit(assignment[node.index()]);
        if (!costs.producer[e].valid()) {
            if (!compiler_.free_input(edge))
                for_each_chip(readers, [&](std::uint32_t chip) {
                    routes_.push_back({.edge = edge, .from = chip, .to = chip, .from_host = true, .readers = bit(chip)});
                });
            continue;
        }
        const std::uint32_t from = assignment[costs.producer[e].index()];
        readers &= ~bit(from);
        if (readers == 0) {
            if (costs.to_host[e]) routes_.push_back({.edge = edge, .from = from, .to = from, .from_host = false, .readers = 0});
            continue;
        }
        if (const auto first = static_cast<std::size_t>(std::countr_zero(readers)); first < from) {
            backwards_ = {edge, from, first};
            return false;
        }
        const auto to = static_cast<std::uint32_t>(std::bit_width(readers) - 1);
        routes_.push_back({.edge = edge, .from = from, .to = to, .from_host = false, .readers = readers});
        for (std::uint32_t chip = from + 1; chip < to; ++chip)
            if (problem_.rules.relay || (readers & bit(chip)) == 0) passing_[chip].push_back(edge);
    }
    if (!problem_.rules.relay) match_slack();
    return true;
}

void Routes::match_slack() {
    // The longest way to each chip, in chips; a chip that waits for nobody is as late as its first reader lets it be.
    std::vector<std::uint64_t> readers(problem_.chips);
    std::vector<std::int64_t> level(problem_.chips);
    std::uint64_t fed = 0;
    for (const Route& route : routes_)
        if (!route.from_host) {
            readers[route.from] |= route.readers;
            fed |= route.readers;
        }
    for (std::size_t chip = 0; chip < problem_.chips; ++chip)
        for_each_chip(readers[chip], [&](std::uint32_t to) { level[to] = std::max(level[to], level[chip] + 1); });
    for (std::size_t chip = 0; chip < problem_.chips; ++chip)
        if ((fed & bit(chip)) == 0 && readers[chip] != 0) {
            std::int64_t first = std::numeric_limits<std::int64_t>::max();
            for_each_chip(readers[chip], [&](std::uint32_t to) { first = std::min(first, level[to]); });
            level[chip] = first - 1;
        }
    for (Route& route : routes_) {
        if (route.from_host) continue;
        for_each_chip(route.readers,
                      [&](std::uint32_t to) { route.more_buffers = std::max(route.more_buffers, level[to] - level[route.from] - 1); });
        if (route.more_buffers > 0)
            for (std::uint32_t chip = route.from + 1; chip <= route.to; ++chip)
                more_buffers_[chip].push_back({route.edge, route.more_buffers});
    }
}

LoweredRing lower(const ChipProblem& problem, const ChipCompiler& compiler, std::span<const Route> routes,
                  std::span<const ChipCode* const> codes, Duration message_overhead) {
    const cost::StageProblem& costs = *problem.costs;
    LoweredRing lowered;
    simulate::RingProgram& program = lowered.program;
    program.serial = costs.model == cost::StageModel::serial;
    program.send_buffers = compiler.options().send_buffers;
    std::vector<Segments> segments;
    std::vector<std::size_t> segments_of(codes.size());
    for (std::uint32_t chip = 0; chip < codes.size(); ++chip)
        if (codes[chip]) {
            segments_of[chip] = segments.size();
            segments.emplace_back(lowered, chip, *codes[chip], costs.classes.front().spill_rate);
            program.chips = chip + 1;
        }

    const auto add = [&](const simulate::RingMessage& message, EdgeId edge) {
        program.messages.push_back(message);
        lowered.edge_of.push_back(edge);
        return static_cast<std::uint32_t>(program.messages.size() - 1);
    };
    // Tensors that a chip exchanges are in the order of its compiler, routes in that of edges.
    const auto find = [](const std::vector<ChipMessage>& messages, EdgeId edge) -> const ChipMessage& {
        return *std::ranges::lower_bound(messages, edge, {}, &ChipMessage::edge);
    };
    const auto read = [&](std::uint32_t chip, EdgeId edge, std::uint32_t message) {
        const ChipMessage& received = find(codes[chip]->received, edge);
        segments[segments_of[chip]].wait(received.first, message);
        segments[segments_of[chip]].read_last(received.last, message);
    };
    for (const Route& route : routes) {
        const Duration time = costs.transfer[route.edge.index()] + message_overhead;
        simulate::RingMessage message{.from = route.from,
                                      .to = route.to,
                                      .from_host = route.from_host,
                                      .readers = route.readers,
                                      .out = time,
                                      .wire = time,
                                      .in = time,
                                      .buffers = compiler.options().receive_buffers + route.more_buffers};
        const bool relayed = problem.rules.relay && !route.from_host && route.to > route.from;
        if (relayed) {
            message.to = route.from + 1;
            message.readers = bit(message.to);
        }
        std::uint32_t id = add(message, route.edge);
        if (!route.from_host) segments[segments_of[route.from]].fill(find(codes[route.from]->sent, route.edge).first, id);
        if (!relayed) {
            for_each_chip(route.readers, [&](std::uint32_t chip) { read(chip, route.edge, id); });
            continue;
        }
        for (;;) {
            read(message.to, route.edge, id);
            if (message.to == route.to) break;
            message.from = message.to++;
            message.readers = bit(message.to);
            id = add(message, route.edge);
            segments[segments_of[message.from]].fill(find(codes[message.from]->sent, route.edge).first, id);
        }
    }
    for (Segments& chip : segments) chip.write();
    return lowered;
}

}  // namespace sluice::mcm
