// The whole chain on tiny random graphs against every acyclic partition: GraphBuilder, freeze, solve, plan and certificate as text, read
// again, verify. The optimum comes from the graph and the platform by the definitions of design §3.1: no code of cost/ is behind it.
// Classes differ in everything, their overflow rule included; operators are inserted in any order; plans with replicas are made by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <format>
#include <limits>
#include <numeric>

#include "sluice/base/random.hpp"
#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/support/effort.hpp"

namespace sluice {
namespace {

using platform::Overflow;
using platform::Platform;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
using Mask = std::uint32_t;  // of units

std::int64_t ceil_of(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t picoseconds(std::int64_t bytes, ByteRate rate) {  // small numbers: bytes below 2^8
    return ceil_of(bytes * 1'000'000'000'000, rate.bytes_per_second);
}

graph::Graph random_graph(RandomStream& random) {
    const std::size_t n = 1 + random.below(6);
    graph::GraphBuilder builder("tiny");
    graph::GivenCosts given;
    const auto tensor = [&](bool output) {
        given.transfer.push_back(Duration{random.chance(0.2) ? 0 : random.between(1, 10)});
        graph::Tensor made;
        made.type = graph::DataType::i8;
        made.bytes = {random.between(1, 12)};
        made.model_output = output;
        return builder.add_tensor(std::move(made));
    };
    std::vector<std::vector<TensorId>> inputs(n), outputs(n);
    std::vector<std::vector<ParameterId>> parameters(n);
    for (std::uint64_t i = random.below(3); i > 0; --i) {
        const TensorId input = tensor(false);
        for (auto& reader : inputs)
            if (random.chance(0.4)) reader.push_back(input);
    }
    const double dense = random.unit() * 0.8;
    for (std::size_t v = 0; v < n; ++v)
        for (std::uint64_t made = random.chance(0.2) ? 2 : 1; made > 0; --made) {
            outputs[v].push_back(tensor(random.chance(0.25)));
            for (std::size_t reader = v + 1; reader < n; ++reader)
                if (random.chance(dense)) inputs[reader].push_back(outputs[v].back());
        }
    for (std::uint64_t w = random.below(5); w > 0; --w) {
        const ParameterId weight =
            builder.add_parameter({.name = {}, .type = graph::DataType::i8, .shape = {}, .bytes = {random.between(0, 16)}});
        for (auto& user : parameters)
            if (random.chance(0.4)) user.push_back(weight);
    }
    const bool colours = random.chance(0.4), replicated = random.chance(0.2), picky = !colours && random.chance(0.4);
    given.classes.resize(1 + random.below(3));
    for (std::size_t c = 0; c < given.classes.size(); ++c) {
        given.classes[c].name = std::format("class{}", c);
        given.classes[c].count = random.between(1, 3);
    }
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    if (random.chance(0.7)) random.shuffle(std::span(order));
    for (std::size_t v : order) {
        graph::Operator op;
        op.type = "Op";
        if (colours && random.chance(0.6)) op.colour = static_cast<std::uint32_t>(random.below(2));
        op.replicated = replicated && n > 1 && v > 0 && random.chance(0.3);
        builder.add_operator(std::move(op), inputs[v], outputs[v], parameters[v]);
        const std::size_t home = random.below(given.classes.size());  // supports it in any case
        for (std::size_t c = 0; c < given.classes.size(); ++c)
            given.classes[c].time.push_back(picky && c != home && random.chance(0.4)
                                                ? std::nullopt
                                                : std::optional(Duration{random.chance(0.15) ? 0 : random.between(1, 20)}));
    }
    builder.set_given_costs(std::move(given));
    return std::move(builder).build().value();
}

Platform random_platform(const graph::Graph& graph, RandomStream& random) {
    Platform platform = platform::given_platform(graph);
    const auto rate = [&] { return ByteRate{random.between(150'000'000'000, 3'000'000'000'000)}; };
    if (random.chance(0.4)) platform.model = platform::StageModel::overlap;
    if (random.chance(0.4)) platform.host_link = {rate(), Duration{random.between(0, 3)}};
    platform.stage_link = {rate(), Duration{random.between(0, 2)}};
    platform.given_transfers = random.chance(0.6);
    std::int64_t parameters = 0;
    for (const graph::Parameter& parameter : graph.parameters()) parameters += parameter.bytes.count;
    for (platform::DeviceClass& device : platform.classes) {
        device.overflow = static_cast<Overflow>(random.below(3));
        if (device.overflow == Overflow::spill) {
            device.fast_memory = {random.between(0, parameters)};
            if (random.chance(0.7)) device.spill_rate = rate();
        }
        if (device.overflow == Overflow::hard) device.fast_memory = {random.between(parameters / 2, parameters + 48)};
    }
    return platform;
}

struct Chosen {
    Mask units = 0;
    std::size_t device = 0;
    std::int64_t replicas = 1;
};

/// Design §3.1 by enumeration.
class Exhaustive {
public:
    Exhaustive(const graph::Graph& graph, const Platform& platform, std::int64_t k) : graph_(graph), platform_(platform), k_(k) {
        find_units();
        const std::size_t sets = std::size_t{1} << units_.size();
        times_.assign(platform.classes.size(), std::vector<std::int64_t>(sets, kNever));
        orders_.resize(sets);
        for (Mask set = 1; set < sets; ++set) settle(set);
        counts_.reserve(platform.classes.size());
        for (const auto& device : platform.classes) counts_.push_back(device.count);
        const std::int64_t others = std::accumulate(counts_.begin() + 1, counts_.end(), std::int64_t{0});
        counts_[0] = std::max(counts_[0], k - others);  // -k asks "what if there were so many"
    }

    [[nodiscard]] const std::vector<std::vector<std::size_t>>& units() const { return units_; }
    [[nodiscard]] std::size_t unit_of(std::size_t op) const { return unit_of_[op]; }
    [[nodiscard]] std::int64_t time(const Chosen& stage) const {
        const std::int64_t whole = times_[stage.device][stage.units];
        return whole == kNever ? kNever : ceil_of(whole, stage.replicas);
    }
    /// Of the units of a set: the order with the least peak of activations.
    [[nodiscard]] const std::vector<std::size_t>& order(Mask set) const { return orders_[set]; }

    /// The least bottleneck, kNever when there is no partition; `best` gets the stages in a topological order.
    std::int64_t optimum(std::int64_t max_replicas, std::vector<Chosen>* best = nullptr) {
        least_ = kNever;
        stages_.clear();
        best_.clear();
        max_replicas_ = max_replicas;
        divide(0);
        if (best) *best = best_;
        return least_;
    }

private:
    void find_units() {
        const std::size_t n = graph_.operator_count();
        // Reachability over operators that are no free copies; operators of one colour reach each other.
        std::vector<std::vector<char>> reaches(n, std::vector<char>(n, 0));
        for (std::size_t v = 0; v < n; ++v) {
            if (graph_[OperatorId(v)].replicated) continue;
            reaches[v][v] = 1;
            for (std::size_t u = 0; u < n; ++u) {
                if (graph_[OperatorId(u)].replicated) continue;
                if (std::ranges::contains(graph_.successors(OperatorId(v)), OperatorId(u))) reaches[v][u] = 1;
                const auto &a = graph_[OperatorId(v)].colour, &b = graph_[OperatorId(u)].colour;
                if (a && b && *a == *b) reaches[v][u] = 1;
            }
        }
        for (std::size_t w = 0; w < n; ++w)
            for (std::size_t v = 0; v < n; ++v)
                for (std::size_t u = 0; u < n; ++u) reaches[v][u] |= static_cast<char>(reaches[v][w] && reaches[w][u]);
        unit_of_.assign(n, n);
        for (std::size_t v = 0; v < n; ++v) {
            if (!reaches[v][v] || unit_of_[v] != n) continue;
            units_.emplace_back();
            for (std::size_t u = v; u < n; ++u)
                if (reaches[v][u] && reaches[u][v]) {
                    units_.back().push_back(u);
                    unit_of_[u] = units_.size() - 1;
                }
        }
        feeds_.assign(units_.size(), 0);
        for (std::size_t v = 0; v < n; ++v)
            for (std::size_t u = 0; u < n; ++u)
                if (unit_of_[v] != n && unit_of_[u] != n && unit_of_[v] != unit_of_[u] && reaches[v][u])
                    feeds_[unit_of_[v]] |= Mask{1} << unit_of_[u];
    }

    struct Crossing {
        bool made = false;  // by a unit, `maker`; else a model input
        std::size_t maker = 0;
        Mask readers = 0;  // other units
        bool to_host = false;
        std::int64_t transfer = 0, bytes = 0;
    };
    /// nullopt: made again wherever it is needed, or read by nobody.
    [[nodiscard]] std::optional<Crossing> crossing(TensorId id) const {
        Crossing c{.bytes = graph_[id].bytes.count};
        if (const OperatorId producer = graph_.producer(id); producer.valid()) {
            if (graph_[producer].replicated) return std::nullopt;
            c.made = true;
            c.maker = unit_of_[producer.index()];
        }
        for (OperatorId reader : graph_.consumers(id))
            if (!graph_[reader].replicated) c.readers |= Mask{1} << unit_of_[reader.index()];
        if (c.made) c.readers &= ~(Mask{1} << c.maker);
        c.to_host = c.made && graph_[id].model_output && platform_.host_link;
        if (!c.made && c.readers == 0) return std::nullopt;
        const auto over = [&](const platform::Link& link) { return link.latency.count() + picoseconds(c.bytes, link.rate); };
        if (platform_.host_link && (!c.made || c.to_host)) c.transfer = over(*platform_.host_link);
        if (c.made && c.readers != 0)
            c.transfer = std::max(
                c.transfer, platform_.given_transfers ? graph_.given_costs()->transfer[id.index()].count() : over(platform_.stage_link));
        return c;
    }

    /// Times of one set on every class.
    void settle(Mask set) {
        std::vector<std::size_t> members;
        for (std::size_t u = 0; u < units_.size(); ++u)
            if (set >> u & 1) members.push_back(u);
        std::int64_t in = 0, out = 0, parameters = 0;
        std::vector<Crossing> tensors;
        for (std::size_t t = 0; t < graph_.tensor_count(); ++t) {
            const auto c = crossing(TensorId(t));
            if (!c) continue;
            tensors.push_back(*c);
            const bool inside = c->made && (set >> c->maker & 1);
            if (!inside && (c->readers & set)) in += c->transfer;
            if (inside && ((c->readers & ~set) || c->to_host)) out += c->transfer;
        }
        for (std::size_t p = 0; p < graph_.parameter_count(); ++p)
            if (std::ranges::any_of(graph_.users(ParameterId(p)),
                                    [&](OperatorId user) { return !graph_[user].replicated && (set >> unit_of_[user.index()] & 1); }))
                parameters += graph_[ParameterId(p)].bytes.count;

        std::int64_t peak = kNever;
        do {
            const auto position = [&](std::size_t unit) { return std::ranges::find(members, unit) - members.begin(); };
            bool topological = true;
            for (std::size_t a : members)
                for (std::size_t b : members)
                    if ((feeds_[a] >> b & 1) && position(a) > position(b)) topological = false;
            if (!topological) continue;
            std::int64_t highest = 0;
            for (std::ptrdiff_t step = 0; std::cmp_less(step, members.size()); ++step) {
                std::int64_t alive = 0;
                for (const Crossing& c : tensors) {
                    if (!c.made || !(set >> c.maker & 1)) {
                        if (c.readers & set) alive += c.bytes;  // an input: there throughout
                        continue;
                    }
                    bool needed = position(c.maker) == step;
                    if (position(c.maker) < step) {
                        needed = (c.readers & ~set) || c.to_host;
                        for (std::size_t u : members) needed = needed || ((c.readers >> u & 1) && position(u) >= step);
                    }
                    if (needed) alive += c.bytes;
                }
                highest = std::max(highest, alive);
            }
            if (highest < peak) peak = highest, orders_[set] = members;
        } while (std::ranges::next_permutation(members).found);

        for (std::size_t c = 0; c < platform_.classes.size(); ++c) {
            const auto& device = platform_.classes[c];
            std::int64_t work = 0, spill = 0;
            bool supported = true;
            for (std::size_t u = 0; u < units_.size(); ++u) {
                if (!(set >> u & 1)) continue;
                for (std::size_t op : units_[u]) {
                    const auto& time = graph_.given_costs()->classes[c].time[op];
                    supported = supported && time;
                    if (time) work += time->count();
                }
            }
            if (!supported || (device.overflow == Overflow::hard && parameters + peak > device.fast_memory.count)) continue;
            if (device.overflow == Overflow::spill && parameters > device.fast_memory.count)
                spill = picoseconds(parameters - device.fast_memory.count, device.spill_rate.value_or(platform_.stage_link.rate));
            times_[c][set] = platform_.model == platform::StageModel::serial ? work + in + out + spill : std::max({work + spill, in, out});
        }
    }

    /// Every set partition: the unit joins one of the stages there are, or opens one.
    void divide(std::size_t unit) {
        if (unit == units_.size()) {
            if (put_in_order()) equip(0, 0, std::vector<std::int64_t>(counts_.size(), 0), 0);
            return;
        }
        for (std::size_t s = 0; s < stages_.size(); ++s) {
            stages_[s].units |= Mask{1} << unit;
            divide(unit + 1);
            stages_[s].units &= ~(Mask{1} << unit);
        }
        if (std::cmp_equal(stages_.size(), k_)) return;
        stages_.push_back({.units = Mask{1} << unit});
        divide(unit + 1);
        stages_.pop_back();
    }
    /// False when the stage graph has a cycle.
    bool put_in_order() {
        ordered_ = stages_;
        for (std::size_t i = 0; i < ordered_.size(); ++i) {
            // First in the rest whom no other of the rest feeds.
            const auto fed = [&](const Chosen& stage) {
                for (std::size_t j = i; j < ordered_.size(); ++j)
                    for (std::size_t u = 0; u < units_.size(); ++u)
                        if (ordered_[j].units != stage.units && (ordered_[j].units >> u & 1) && (feeds_[u] & stage.units)) return true;
                return false;
            };
            const auto first = std::find_if_not(ordered_.begin() + static_cast<std::ptrdiff_t>(i), ordered_.end(), fed);
            if (first == ordered_.end()) return false;
            std::swap(*first, ordered_[i]);
        }
        return true;
    }
    void equip(std::size_t s, std::int64_t worst, std::vector<std::int64_t> used, std::int64_t total) {
        if (worst >= least_) return;
        if (s == ordered_.size()) {
            least_ = worst;
            best_ = ordered_;
            return;
        }
        for (std::size_t c = 0; c < counts_.size(); ++c)
            for (std::int64_t r = 1; r <= max_replicas_ && used[c] + r <= counts_[c] && total + r <= k_; ++r) {
                ordered_[s].device = c;
                ordered_[s].replicas = r;
                const std::int64_t time_of_stage = time(ordered_[s]);
                if (time_of_stage == kNever) break;
                used[c] += r;
                equip(s + 1, std::max(worst, time_of_stage), used, total + r);
                used[c] -= r;
            }
    }

    const graph::Graph& graph_;
    const Platform& platform_;
    std::int64_t k_;
    std::vector<std::vector<std::size_t>> units_;
    std::vector<std::size_t> unit_of_;
    std::vector<Mask> feeds_;  // directly or not
    std::vector<std::vector<std::int64_t>> times_;
    std::vector<std::vector<std::size_t>> orders_;
    std::vector<std::int64_t> counts_;
    std::int64_t max_replicas_ = 1, least_ = kNever;
    std::vector<Chosen> stages_, ordered_, best_;
};

plan::Plan through_text(const plan::Plan& plan) {
    const std::string text = plan::to_json_text(plan);
    const auto node = json::parse(text, "plan.json");
    EXPECT_TRUE(node);
    auto read = plan::read_plan(*node);
    EXPECT_TRUE(read) << to_text(read.error());
    EXPECT_EQ(*read, plan);
    return *std::move(read);
}

bound::Certificate through_text(const bound::Certificate& certificate) {
    const auto node = json::parse(bound::to_json_text(certificate, true), "certificate.json");
    EXPECT_TRUE(node);
    auto read = bound::read_certificate(*node);
    EXPECT_TRUE(read) << to_text(read.error());
    return *std::move(read);
}

struct Seen {
    std::int64_t optimal = 0, worse = 0, tight = 0, impossible = 0, proven = 0, missed = 0, replicated = 0, mixed = 0, merged = 0;
};

class Case {
public:
    Case(RandomStream& random, Seen& seen)
        : seen_(seen),
          graph_(random_graph(random)),
          platform_(random_platform(graph_, random)),
          k_(random.between(1, 5)),
          threads_(random.chance(0.2) ? 3 : 1),
          counted_(random.chance(0.9)) {}

    void run() {
        if (std::ranges::all_of(graph_.operators(), &graph::Operator::replicated)) return;
        Exhaustive exhaustive(graph_, platform_, k_);
        const auto frozen = cost::freeze(graph_, platform_, k_);
        if (!frozen) {
            ASSERT_EQ(exhaustive.optimum(1), kNever) << to_text(frozen.error());  // a colour class that no class of devices supports whole
            return;
        }
        ASSERT_EQ(frozen->problem.node_count(), exhaustive.units().size());
        seen_.merged += exhaustive.units().size() < graph_.operator_count();
        note_mix();
        plan_it(exhaustive, *frozen);
        for (const std::int64_t replicas : {1, 2, 3}) bound_it(exhaustive, *frozen, replicas);
    }

private:
    void note_mix() {
        std::array<bool, 3> rules{};
        for (const auto& device : platform_.classes) rules[static_cast<std::size_t>(device.overflow)] = true;
        seen_.mixed += std::ranges::count(rules, true) > 1;
    }

    void plan_it(Exhaustive& exhaustive, const cost::FrozenProblem& frozen) {
        const std::int64_t optimum = exhaustive.optimum(1);
        SilentObserver silent;
        const solve::SolveOptions options{.stages = k_, .threads = threads_, .model = graph_.fingerprint()};
        Limits limits;
        if (counted_) limits.evaluations = 24;
        const auto result = solve::solve(frozen.problem, options, silent, limits);
        if (!result) {
            const bool proven = result.error().kind == DiagnosticKind::infeasible;
            ASSERT_TRUE(proven || result.error().kind == DiagnosticKind::input) << to_text(result.error());
            ASSERT_TRUE(!proven || optimum == kNever) << "called infeasible: " << to_text(result.error());
            ++(proven ? seen_.proven : optimum == kNever ? seen_.impossible : seen_.missed);
            return;
        }
        ASSERT_TRUE(result->warnings.empty()) << to_text(result->warnings[0]);
        if (counted_) {
            auto other = options;
            other.threads = 4 - threads_;
            const auto again = solve::solve(frozen.problem, other, silent, limits);
            ASSERT_TRUE(again && again->partition == result->partition && again->certificate == result->certificate)
                << "threads change the result";
        }
        const plan::Plan plan = through_text(solve::make_plan(graph_, platform_, frozen, options, *result));
        const bound::Certificate certificate = through_text(result->certificate);
        accepts(plan, certificate);
        ASSERT_EQ(bottleneck_of(plan, exhaustive), plan.predicted.bottleneck.count());
        ASSERT_GE(plan.predicted.bottleneck.count(), optimum);
        ASSERT_LE(certificate.value.count(), optimum);
        ++(plan.predicted.bottleneck.count() == optimum ? seen_.optimal : seen_.worse);
        seen_.tight += certificate.value.count() == optimum;
        ASSERT_TRUE(result->termination.reason != StopReason::optimal || plan.predicted.bottleneck.count() == optimum);
    }

    /// Every bound against the optimum with so many replicas a stage; the optimum itself as a plan made by hand.
    void bound_it(Exhaustive& exhaustive, const cost::FrozenProblem& frozen, std::int64_t replicas) {
        std::vector<Chosen> best;
        const std::int64_t optimum = exhaustive.optimum(replicas, &best);
        SilentObserver silent;
        for (const bound::Bound& method : bound::bounds()) {
            Limits limits;
            if (method.name == "mip" || method.name == "superblocks") limits.evaluations = 8;  // these search trees
            const auto proven = method.prove(frozen.problem, {.stages = k_, .max_replicas = replicas}, silent, limits);
            ASSERT_TRUE(proven) << to_text(proven.error());
            bound::Certificate certificate = proven->certificate;
            certificate.model = graph_.fingerprint();
            ASSERT_TRUE(bound::check_certificate(frozen.problem, certificate).empty()) << method.name;
            ASSERT_LE(certificate.value.count(), optimum) << method.name << " with " << replicas << " replicas";
            if (optimum == kNever) continue;
            const plan::Plan plan = through_text(plan_of(best, exhaustive, frozen, certificate));
            ASSERT_EQ(plan.predicted.bottleneck.count(), optimum);
            accepts(plan, through_text(certificate));
            certificate.value = Duration{optimum + 1};
            ASSERT_FALSE(bound::check_certificate(frozen.problem, certificate).empty()) << method.name << ": a claim beyond the optimum";
        }
        seen_.replicated += std::ranges::any_of(best, [](const Chosen& stage) { return stage.replicas > 1; });
    }

    void accepts(const plan::Plan& plan, const bound::Certificate& certificate) {
        const solve::VerifyReport report = solve::verify(graph_, plan, &certificate);
        ASSERT_TRUE(report.valid) << to_text(report.failures[0]);
        ASSERT_TRUE(report.certified);
    }

    [[nodiscard]] plan::Plan plan_of(const std::vector<Chosen>& stages, const Exhaustive& exhaustive, const cost::FrozenProblem& frozen,
                                     const bound::Certificate& certificate) const {
        cost::Partition partition;
        for (const Chosen& stage : stages) {
            partition.stages.push_back({.nodes = {}, .device = ClassId(stage.device), .replicas = stage.replicas});
            for (std::size_t unit : exhaustive.order(stage.units))
                partition.stages.back().nodes.push_back(frozen.problem.node_of[exhaustive.units()[unit].front()]);
        }
        plan::Plan plan = plan::make_plan(graph_, platform_, frozen, partition, k_);
        plan.bound = plan::BoundClaim{.value = certificate.value, .kind = std::string(certificate.kind()), .certified = true};
        return plan;
    }

    [[nodiscard]] std::int64_t bottleneck_of(const plan::Plan& plan, const Exhaustive& exhaustive) const {
        std::int64_t worst = 0;
        for (const plan::PlannedStage& planned : plan.stages) {
            Chosen stage{.replicas = planned.replicas};
            for (const auto& reference : planned.operators) stage.units |= Mask{1} << exhaustive.unit_of(reference.id.index());
            while (platform_.classes[stage.device].name != planned.device_class) ++stage.device;
            worst = std::max(worst, exhaustive.time(stage));
        }
        return worst;
    }

    Seen& seen_;
    graph::Graph graph_;
    Platform platform_;
    std::int64_t k_;
    int threads_;
    bool counted_;
};

TEST(Exhaustive, PlanOptimumBoundAndVerdictAgree) {
    const std::uint64_t kCases = test::cases(4000);
    Seen seen;
    for (std::uint64_t i = 0; i < kCases && !HasFailure(); ++i) {
        SCOPED_TRACE(i);
        RandomStream random(31, i);
        Case(random, seen).run();
    }
    RecordProperty("optimal", std::to_string(seen.optimal));
    RecordProperty("tight", std::to_string(seen.tight));
    // Without these a planner of any plan, a bound of zero or graphs of one kind would pass.
    EXPECT_GT(seen.optimal, 10 * seen.worse);
    EXPECT_GT(seen.tight, (seen.optimal + seen.worse) / 4);
    EXPECT_GT(seen.proven, 0);
    EXPECT_LE(seen.missed, std::max<std::uint64_t>(1, kCases / 100));
    EXPECT_GT(seen.replicated, kCases / 8);
    EXPECT_GT(seen.mixed, kCases / 4);
    EXPECT_GT(seen.merged, kCases / 8);
}

}  // namespace
}  // namespace sluice
