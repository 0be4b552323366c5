#include "sluice/mcm/judge/event_judge.hpp"

#include <gtest/gtest.h>

#include <bit>

#include "sluice/mcm/judge/lower.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/judged.hpp"
#include "tests/support/slow_ring.hpp"

namespace sluice::mcm {
namespace {

/// Any graph, platform and rules that keep data moving forward.
std::unique_ptr<test::Judged> random_job(RandomStream& random, std::size_t most_operators, std::size_t most_chips) {
    test::RandomProblemOptions options;
    options.max_operators = most_operators;
    options.spill = 0.4;
    options.hard = options.colours = options.replicated = 0.2;
    options.overlap = options.host_link = 0.5;
    graph::Graph graph = test::random_graph(random, options);
    const auto platform = test::ring_of(test::random_platform(graph, random, options), 1 + random.below(most_chips));
    const Rules rules{.no_skip = random.chance(0.7),
                      .triangle = random.chance(0.5),
                      .memory = random.chance(0.7),
                      .adjacent = random.chance(0.3),
                      .relay = random.chance(0.4)};
    return test::on_ring(std::move(graph), platform, rules);
}

EventJudgeOptions random_options(RandomStream& random) {
    EventJudgeOptions options = random.chance(0.5) ? test::no_effects() : EventJudgeOptions{};
    // Times of these graphs are picoseconds.
    options.compile.effects.issue = Duration{random.between(0, 3)};
    options.compile.effects.fused_issue = Duration{random.between(0, 1)};
    options.message_overhead = Duration{random.between(0, 3)};
    options.compile.alignment = random.chance(0.5) ? 1 : 4;
    options.compile.receive_buffers = random.between(1, 3);
    options.compile.send_buffers = random.between(1, 3);
    return options;
}

/// Not nearly all as the rules want it: the judge takes whatever moves forward.
Assignment forward_assignment(const ChipProblem& problem, RandomStream& random) {
    Assignment chips(problem.node_count());
    for (std::size_t v = 0; v < chips.size(); ++v) {
        std::uint8_t least = 0;
        for (const NodeId before : problem.costs->predecessors[v]) least = std::max(least, chips[before.index()]);
        chips[v] = static_cast<std::uint8_t>(least + random.below(std::min<std::uint64_t>(3, problem.chips - least)));
    }
    return chips;
}

TEST(EventJudge, IsNeverBetterThanPlanned) {
    std::size_t judged = 0, failed = 0, hopeless = 0;
    for (std::uint64_t seed = 0; seed < test::cases(1'500); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 41);
        const auto made = random_job(random, 14, 6);
        const auto judge = event_judge(made->graph, made->problem, made->platform, random_options(random));
        if (!judge) {
            ASSERT_EQ(judge.error().kind, DiagnosticKind::infeasible);
            ++hopeless;
            continue;
        }
        for (int i = 0; i < 3; ++i) {
            const Assignment chips = forward_assignment(made->problem, random);
            const auto verdict = (*judge)->judge(chips);
            ASSERT_TRUE(verdict.has_value());
            if (!verdict->fits()) {
                ++failed;
                continue;
            }
            ++judged;
            ASSERT_GE(verdict->period, bottleneck(made->problem, chips));
            const auto planned = chip_times(made->problem, chips);
            for (std::size_t c = 0; c < planned.size(); ++c) {
                ASSERT_GE(verdict->chip_times[c], planned[c]);
                ASSERT_LE(verdict->chip_times[c], verdict->period);
            }
            ASSERT_GE(verdict->latency, std::ranges::max(verdict->chip_times));
            ASSERT_GT(verdict->period.count(), 0);
        }
    }
    EXPECT_GT(judged, test::cases(1'500));
    EXPECT_GT(failed, 0U);
    EXPECT_GT(hopeless, 0U);
}

/// The ring's program from the words of event_judge.hpp and the problem alone: every operator computes in a piece of its own, in the order
/// of the compiled chips; nothing is merged, no route is looked up.
class PlainProgram {
public:
    PlainProgram(const test::Judged& made, const EventJudgeOptions& options, const Assignment& chips)
        : made_(made), options_(options), chips_(chips) {}

    simulate::RingProgram build() {
        ChipCompiler compiler(made_.graph, made_.problem, made_.platform, options_.compile);
        program_.serial = made_.costs.model == cost::StageModel::serial;
        program_.send_buffers = options_.compile.send_buffers;
        program_.chips = *std::ranges::max_element(chips_) + 1U;
        find_levels();
        for (std::uint32_t c = 0; c < program_.chips; ++c) {
            std::vector<NodeId> nodes;
            for (std::size_t v = 0; v < chips_.size(); ++v)
                if (chips_[v] == c) nodes.emplace_back(v);
            const std::vector<EdgeId> relays = relays_on(c);
            if (nodes.empty() && relays.empty()) continue;
            const ChipCode code = compiler.compile(nodes, relays, {});
            for (const ChipKernel& kernel : code.kernels) {
                EXPECT_EQ(kernel.last, kernel.first + (kernel.hands_on.valid() ? 0U : 1U)) << "nothing here fuses";
                order_.push_back({kernel.hands_on.valid() ? NodeId() : code.kernel_nodes[kernel.first], kernel.hands_on, c});
                program_.segments.push_back({.chip = c, .work = kernel.work, .stream = streaming(kernel.streamed)});
            }
        }
        waits_.resize(order_.size());
        fills_.resize(order_.size());
        last_.resize(order_.size());
        for (std::size_t e = 0; e < made_.costs.edge_count(); ++e) add_tensor(e);
        program_.waits = Rows<std::uint32_t>(waits_);
        program_.fills = Rows<std::uint32_t>(fills_);
        program_.last_readings = Rows<std::uint32_t>(last_);
        return program_;
    }

private:
    [[nodiscard]] Duration streaming(Bytes bytes) const {
        return bytes.count == 0 ? Duration{0} : *time_for(bytes, made_.costs.classes[0].spill_rate);
    }
    std::uint32_t chip_of(NodeId node) const { return chips_[node.index()]; }
    /// What goes on from this chip and is made before it.
    std::vector<EdgeId> relays_on(std::uint32_t chip) const {
        std::vector<EdgeId> relays;
        for (std::size_t e = 0; e < made_.costs.edge_count() && made_.problem.rules.relay; ++e)
            if (made_.costs.producer[e].valid() && chip_of(made_.costs.producer[e]) < chip &&
                std::ranges::any_of(made_.costs.consumers[e], [&](NodeId reader) { return chip_of(reader) > chip; }))
                relays.emplace_back(e);
        return relays;
    }
    /// Longest ways, by relaxing as long as anything changes.
    void find_levels() {
        const auto& costs = made_.costs;
        std::vector<bool> fed(program_.chips, false);
        level_.assign(program_.chips, 0);
        for (bool more = true; more;) {
            more = false;
            for (std::size_t v = 0; v < chips_.size(); ++v)
                for (const NodeId next : costs.successors[v])
                    if (chip_of(next) != chips_[v]) {
                        fed[chip_of(next)] = true;
                        if (level_[chip_of(next)] < level_[chips_[v]] + 1) {
                            level_[chip_of(next)] = level_[chips_[v]] + 1;
                            more = true;
                        }
                    }
        }
        const auto asap = level_;
        for (std::uint32_t c = 0; c < program_.chips; ++c) {
            std::int64_t first = 1'000;
            for (std::size_t v = 0; v < chips_.size(); ++v)
                for (const NodeId next : costs.successors[v])
                    if (chips_[v] == c && chip_of(next) != c) first = std::min(first, asap[chip_of(next)]);
            if (!fed[c] && first < 1'000) level_[c] = first - 1;
        }
    }
    void read(std::uint32_t chip, std::size_t e, std::uint32_t m) {
        std::size_t first = order_.size(), last = 0;
        for (std::size_t i = 0; i < order_.size(); ++i)
            if (order_[i].chip == chip &&
                (order_[i].relays == EdgeId(e) || std::ranges::contains(made_.costs.consumers[e], order_[i].node))) {
                first = std::min(first, i);
                last = i;
            }
        if (first == order_.size()) return;
        waits_[first].push_back(m);
        last_[last].push_back(m);
    }
    std::uint32_t add(const simulate::RingMessage& message) {
        program_.messages.push_back(message);
        return static_cast<std::uint32_t>(program_.messages.size() - 1);
    }
    void add_tensor(std::size_t e) {
        const auto& costs = made_.costs;
        const Duration time = costs.transfer[e] + options_.message_overhead;
        simulate::RingMessage message{.out = time, .wire = time, .in = time, .buffers = options_.compile.receive_buffers};
        std::uint64_t readers = 0;
        for (const NodeId reader : costs.consumers[e]) readers |= std::uint64_t{1} << chip_of(reader);
        if (!costs.producer[e].valid()) {
            if (!made_.platform.host_link) return;
            message.from_host = true;
            for (std::uint32_t c = 0; c < program_.chips; ++c)
                if ((readers >> c) & 1) {
                    message.from = message.to = c;
                    message.readers = std::uint64_t{1} << c;
                    read(c, e, add(message));
                }
            return;
        }
        const std::uint32_t from = chip_of(costs.producer[e]);
        readers &= ~(std::uint64_t{1} << from);
        if (readers == 0 && !costs.to_host[e]) return;
        message.from = message.to = from;
        for (std::uint32_t c = 0; c < program_.chips; ++c)
            if ((readers >> c) & 1) message.to = c;
        const std::uint32_t to = message.to;
        message.readers = readers;
        const bool relay = made_.problem.rules.relay;
        if (relay && to > from) {
            message.to = from + 1;
            message.readers = std::uint64_t{2} << from;
        } else {
            for (std::uint32_t c = 0; c < program_.chips; ++c)
                if ((readers >> c) & 1)
                    message.buffers = std::max(message.buffers, options_.compile.receive_buffers + level_[c] - level_[from] - 1);
        }
        std::uint32_t m = add(message);
        for (std::size_t i = 0; i < order_.size(); ++i)
            if (order_[i].node == costs.producer[e]) fills_[i].push_back(m);
        for (std::uint32_t c = from + 1; c <= to; ++c) {
            read(c, e, m);
            if (!relay || c == to) continue;
            message.from = c;
            message.to = c + 1;
            message.readers = std::uint64_t{2} << c;
            m = add(message);
            for (std::size_t i = 0; i < order_.size(); ++i)
                if (order_[i].chip == c && order_[i].relays == EdgeId(e)) fills_[i].push_back(m);
        }
    }

    const test::Judged& made_;
    const EventJudgeOptions& options_;
    const Assignment& chips_;
    simulate::RingProgram program_;
    struct Piece {
        NodeId node;
        EdgeId relays;  // or this tensor, and no node
        std::uint32_t chip;
    };
    std::vector<Piece> order_;  // per segment
    std::vector<std::int64_t> level_;
    std::vector<std::vector<std::uint32_t>> waits_, fills_, last_;
};

TEST(EventJudge, IsWhatThePlainSimulatorSays) {
    std::size_t judged = 0, crossing = 0;
    for (std::uint64_t seed = 0; judged < test::cases(200); ++seed) {
        SCOPED_TRACE(seed);
        RandomStream random(seed, 42);
        auto made = random_job(random, 8, 4);
        EventJudgeOptions options = random_options(random);
        const Assignment chips = forward_assignment(made->problem, random);
        const auto judge = event_judge(made->graph, made->problem, made->platform, options);
        if (!judge) continue;
        const auto verdict = (*judge)->judge(chips);
        ASSERT_TRUE(verdict.has_value());
        if (!verdict->fits()) continue;
        simulate::RingProgram plain = PlainProgram(*made, options, chips).build();
        // A chip that does one thing at a time looks up between segments, so there the compiler's own pieces count.
        if (plain.serial) {
            ChipCompiler compiler(made->graph, made->problem, made->platform, options.compile);
            Routes routes(made->problem, compiler);
            ASSERT_TRUE(routes.find(chips));
            std::vector<ChipCode> codes(made->problem.chips);
            std::vector<const ChipCode*> present(made->problem.chips, nullptr);
            for (std::size_t c = 0; c < codes.size(); ++c) {
                std::vector<NodeId> nodes;
                for (std::size_t v = 0; v < chips.size(); ++v)
                    if (chips[v] == c) nodes.emplace_back(v);
                if (nodes.empty() && routes.passing(c).empty()) continue;
                codes[c] = compiler.compile(nodes, routes.passing(c), routes.more_buffers(c));
                present[c] = &codes[c];
            }
            const auto lowered = lower(made->problem, compiler, routes.routes(), present, options.message_overhead).program;
            const auto load = simulate::load_of(plain), merged = simulate::load_of(lowered);
            ASSERT_EQ(load.compute, merged.compute);
            ASSERT_EQ(load.in, merged.in);
            ASSERT_EQ(load.out, merged.out);
            ASSERT_EQ(load.links, merged.links);
            plain = lowered;
        }
        if (simulate::load_of(plain).busiest(plain.serial).count() == 0) continue;
        ++judged;
        crossing += plain.chips > 1 ? 1 : 0;
        ASSERT_EQ(verdict->latency.count(), test::SlowRing(plain, 1).outputs(1, 100'000).at(0));
        const auto chips_used = static_cast<std::int64_t>(plain.chips);
        const auto detail = (*judge)->detail(chips);
        ASSERT_EQ(detail->verdict.period, verdict->period);
        if (detail->repeats) {
            // Long after the start: over many periods of a rate that is rounded up.
            const auto times = test::SlowRing(plain, 1'000'000).outputs(150, 200'000);
            ASSERT_EQ(times.size(), 150U);
            const std::int64_t span = times[149] - times[49], period = verdict->period.count();
            ASSERT_LE(span, 100 * period + 10 * period);
            ASSERT_GE(span, 100 * (period - 1) - 10 * period);
        } else {
            const std::int64_t inputs = options.inputs_per_chip * chips_used;
            const auto last = static_cast<std::size_t>(chips_used + inputs);
            const auto times = test::SlowRing(plain, 1'000'000).outputs(last, 200'000);
            const std::int64_t span = times[last - 1] - times[static_cast<std::size_t>(chips_used) - 1];
            ASSERT_EQ(verdict->period.count(),
                      std::max(simulate::load_of(plain).busiest(plain.serial).count(), (span + inputs - 1) / inputs));
        }
    }
    EXPECT_GT(crossing, judged / 2);
}

}  // namespace
}  // namespace sluice::mcm
