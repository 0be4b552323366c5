// Planners of others on random training problems: what they return is a plan, and their programs find the optimum of their own objective.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "sluice/base/random.hpp"
#include "sluice/base/wide.hpp"
#include "sluice/training/evaluate.hpp"
#include "sluice/training/graphpipe/graphpipe.hpp"
#include "sluice/training/peers/gpipe.hpp"
#include "sluice/training/peers/megatron.hpp"
#include "sluice/training/peers/pipedream.hpp"
#include "sluice/training/peers/piper.hpp"
#include "tests/support/effort.hpp"
#include "tests/support/training.hpp"

namespace sluice::training {
namespace {

std::vector<test::GivenOperator> random_operators(RandomStream& random, std::size_t most) {
    std::vector<test::GivenOperator> operators(1 + random.below(most));
    for (std::size_t v = 0; v < operators.size(); ++v) {
        operators[v].forward = random.between(0, 20);
        operators[v].backward = random.between(0, 40);
        operators[v].made = Bytes{random.between(0, 12)};
        operators[v].parameters = Bytes{random.chance(0.3) ? 0 : random.between(1, 40)};
        for (std::size_t u = 0; u < v; ++u)
            if (random.chance(1.5 / static_cast<double>(v))) operators[v].reads.push_back(u);
    }
    return operators;
}

struct Named {
    const char* name;
    PlannerFunction plan;
};
constexpr std::array kPeers{Named{"pipedream", plan_by_pipedream}, Named{"piper", plan_by_piper}, Named{"gpipe", plan_by_gpipe},
                            Named{"megatron", plan_by_megatron}};
constexpr std::array kTimed{Named{"pipedream", plan_by_pipedream}, Named{"piper", plan_by_piper}, Named{"graphpipe", plan_by_graphpipe},
                            Named{"graphpipe-full", plan_by_graphpipe_full}};

TEST(Peers, ReturnPlansThatHoldOrSayWhatDoesNotFit) {
    std::size_t tight = 0, refused = 0;
    for (std::uint64_t i = 0; i < test::cases(60); ++i) {
        RandomStream random(11, i);
        const auto graph = test::given_graph(random_operators(random, 12));
        platform::Platform platform = test::given_devices(random.between(1, 8), Bytes{random.chance(0.5) ? 0 : random.between(20, 1500)});
        if (random.chance(0.4)) {
            platform.topology = platform::Topology::hierarchy;
            platform.devices_per_node = random.between(1, 4);
            platform.node_link = platform::Link{.rate = ByteRate{100'000'000}, .latency = Duration{random.between(0, 50)}};
        }
        const auto problem = test::training_problem(graph, platform, std::int64_t{1} << random.below(5));
        tight += problem.classes[0].limited;
        PlannerOptions options;
        if (random.chance(0.3)) options.recompute = random.chance(0.5);
        if (random.chance(0.3)) options.micro_batch = 1;
        for (const Named& peer : kPeers) {
            SilentObserver observer;
            const auto result = peer.plan(problem, options, observer, {});
            if (!result) {
                EXPECT_TRUE(problem.classes[0].limited) << peer.name << " " << i << ": " << to_text(result.error());
                EXPECT_EQ(result.error().kind, DiagnosticKind::infeasible) << peer.name << ": " << to_text(result.error());
                EXPECT_NE(result.error().message.find("fits the memory"), std::string::npos) << result.error().message;
                ++refused;
                continue;
            }
            const auto faults = faults_of(problem, result->partition);
            EXPECT_TRUE(faults.empty()) << peer.name << " " << i << ": " << to_text(faults.front());
            EXPECT_EQ(result->iteration, iteration_time(problem, result->partition)) << peer.name;
            EXPECT_EQ(result->termination.reason, StopReason::finished);
            EXPECT_FALSE(result->winner.empty());
            for (const cost::TrainingStage& stage : result->partition.stages) {
                EXPECT_EQ(stage.micro_batch, options.micro_batch.value_or(stage.micro_batch));
                EXPECT_EQ(stage.recompute, options.recompute.value_or(stage.recompute));
                EXPECT_TRUE(std::string_view(peer.name) != "gpipe" || stage.in_flight == problem.options.mini_batch);
            }
        }
    }
    if (test::cases(60) < 60) return;  // under sanitizers: too few to meet every kind
    EXPECT_GT(tight, test::cases(60) / 4);
    EXPECT_GT(refused, 0u);
}

TEST(Peers, StopWhenAsked) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(12)), test::given_devices(4), 8);
    std::stop_source source;
    source.request_stop();
    for (const Named& peer : kPeers) {
        SilentObserver observer;
        const auto result = peer.plan(problem, {}, observer, {.deadline = {}, .evaluations = {}, .stop = source.get_token()});
        ASSERT_FALSE(result) << peer.name;
        EXPECT_EQ(result.error().kind, DiagnosticKind::stopped);
        const auto few = peer.plan(problem, {}, observer, {.deadline = {}, .evaluations = 1, .stop = {}});
        ASSERT_TRUE(few) << peer.name;
        EXPECT_EQ(few->termination.evaluations, 1);
        EXPECT_EQ(few->termination.reason, StopReason::evaluations);
    }
}

struct StopAtFirstPlan : Observer {
    std::stop_source source;
    int plans = 0;
    void on_event(const Event&) override {
        ++plans;
        source.request_stop();
    }
};

TEST(Peers, StoppedAfterAPlanReturnIt) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(12)), test::given_devices(4), 8);
    for (const Named& peer : kTimed) {
        StopAtFirstPlan observer;
        const auto result = peer.plan(problem, {}, observer, {.deadline = {}, .evaluations = {}, .stop = observer.source.get_token()});
        ASSERT_TRUE(result) << peer.name << ": " << to_text(result.error());
        EXPECT_EQ(result->termination.reason, StopReason::interrupted) << peer.name;
        EXPECT_EQ(observer.plans, 1) << peer.name;
    }
}

TEST(Peers, OutOfTimeBeforeAPlanSaySo) {
    const auto problem = test::training_problem(test::given_graph(test::chain_of(12)), test::given_devices(4), 8);
    for (const Named& peer : kTimed) {
        SilentObserver observer;
        const auto result = peer.plan(problem, {}, observer, {.deadline = Limits::Clock::now(), .evaluations = {}, .stop = {}});
        ASSERT_FALSE(result) << peer.name;
        EXPECT_EQ(result.error().kind, DiagnosticKind::input) << peer.name;
        EXPECT_NE(result.error().message.find("before its first plan"), std::string::npos) << result.error().message;
    }
}

// --- their own objectives, over every plan there is -------------------------------------------------------------------

using Set = std::uint32_t;

struct SmallGraph {
    Rows<NodeId> predecessors, successors;
    std::vector<CutTensor> tensors;
    [[nodiscard]] std::size_t size() const { return predecessors.size(); }
    [[nodiscard]] Set all() const { return (Set{1} << size()) - 1; }
    [[nodiscard]] bool is_down(Set set) const {
        for (std::size_t v = 0; v < size(); ++v)
            for (const NodeId u : predecessors[v])
                if ((set >> v & 1) && !(set >> u.index() & 1)) return false;
        return true;
    }
    /// Bytes made in `from` and read in `to`, each tensor once.
    [[nodiscard]] std::int64_t bytes(Set from, Set to) const {
        std::int64_t sum = 0;
        for (const CutTensor& tensor : tensors)
            if ((from >> tensor.from.index() & 1) && std::ranges::any_of(tensor.to, [&](NodeId r) { return to >> r.index() & 1; }))
                sum += tensor.bytes.count;
        return sum;
    }
};

SmallGraph random_graph(RandomStream& random, std::size_t most) {
    const std::size_t n = 2 + random.below(most - 1);
    std::vector<std::vector<NodeId>> before(n), after(n);
    SmallGraph graph;
    for (std::size_t u = 0; u < n; ++u) {
        CutTensor tensor{NodeId(u), {}, Bytes{random.between(0, 30)}};
        for (std::size_t v = u + 1; v < n; ++v)
            if (random.chance(0.35)) {
                tensor.to.emplace_back(v);
                before[v].emplace_back(u);
                after[u].emplace_back(v);
            }
        if (!tensor.to.empty()) graph.tensors.push_back(tensor);
    }
    graph.predecessors = Rows<NodeId>(before);
    graph.successors = Rows<NodeId>(after);
    return graph;
}

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
constexpr ByteRate kBytePerPicosecond{1'000'000'000'000};

TEST(Pipedream, FindsTheOptimumOfItsOwnCost) {
    for (std::uint64_t i = 0; i < test::cases(150); ++i) {
        RandomStream random(12, i);
        const SmallGraph graph = random_graph(random, 6);
        const std::size_t n = graph.size();
        std::vector<std::int64_t> time(n), parameters(n), fixed(n), each(n);
        for (std::size_t v = 0; v < n; ++v) {
            time[v] = random.between(0, 60);
            parameters[v] = random.between(0, 20);
            fixed[v] = random.between(0, 9);
            each[v] = random.between(0, 9);
        }
        const Cuts cuts = downset_cuts(graph.predecessors, 1 << 10, graph::NodeSet(n)).value();
        const std::int64_t inner = random.between(1, 3), devices = random.between(1, 4);
        PipedreamInstance instance;
        for (std::int64_t m = 1; m <= inner * devices; ++m) {
            std::vector<std::int64_t> share;
            for (const std::int64_t all : time) share.push_back(ceil_divide(all, m));
            instance.work.push_back(sums_below(cuts, share));
        }
        instance.parameters = sums_below(cuts, parameters);
        instance.crossing = crossing_bytes(cuts, graph.tensors);
        instance.exchange_every = random.between(1, 2);
        if (inner > 1) instance.levels.push_back({inner, ByteRate{2 * kBytePerPicosecond.bytes_per_second}});
        instance.levels.push_back({devices, kBytePerPicosecond});
        if (inner == 1 && random.chance(0.5))
            instance.memory = PipedreamMemory{{random.between(5, 60)}, sums_below(cuts, fixed), sums_below(cuts, each), random.chance(0.5)};

        const auto sum = [&](const std::vector<std::int64_t>& of, Set stage) {
            std::int64_t total = 0;
            for (std::size_t v = 0; v < n; ++v)
                if (stage >> v & 1) total += of[v];
            return total;
        };
        const auto share = [&](Set stage, std::int64_t m) {
            std::int64_t total = 0;
            for (std::size_t v = 0; v < n; ++v)
                if (stage >> v & 1) total += ceil_divide(time[v], m);
            return total;
        };
        const auto with_borders = [&](Set done, Set stage, std::int64_t m, std::int64_t compute, std::int64_t per_picosecond) {
            const std::int64_t exchange =
                ceil_divide(4 * (m - 1) * sum(parameters, stage), m * m * instance.exchange_every * per_picosecond);
            const std::int64_t bytes =
                std::max(graph.bytes(done, graph.all() & ~done), graph.bytes(done | stage, graph.all() & ~(done | stage)));
            return std::max(compute + exchange, ceil_divide(bytes, m * per_picosecond));
        };
        // The best pipeline of [done, done | rest) over the devices of one node.
        const std::function<std::int64_t(Set, Set, std::int64_t)> node = [&](Set done, Set rest, std::int64_t left) {
            std::int64_t least = kNone;
            for (std::int64_t m = 1; m <= left; ++m) {
                least = std::min(least, with_borders(done, rest, m, share(rest, m), 2));
                for (Set first = (rest - 1) & rest; first != 0; first = (first - 1) & rest)
                    if (graph.is_down(done | first))
                        least = std::min(least, std::max(node(done, first, left - m),
                                                         with_borders(done | first, rest & ~first, m, share(rest & ~first, m), 2)));
            }
            return least;
        };
        // From the sinks backwards: [done, all) is planned and uses `used` devices.
        std::int64_t best = kNone;
        const std::function<void(Set, std::int64_t, std::int64_t)> extend = [&](Set done, std::int64_t used, std::int64_t worst) {
            if (done == 0) best = std::min(best, worst);
            for (Set stage = done; stage != 0; stage = (stage - 1) & done) {
                if (!graph.is_down(done & ~stage)) continue;
                for (std::int64_t m = 1; m <= devices - used; ++m) {
                    if (instance.memory) {
                        const std::int64_t held = instance.memory->covers ? ceil_divide(sum(each, stage) * (used + 1), m)
                                                                          : sum(each, stage) * ceil_divide(used, m);
                        if (sum(fixed, stage) + held > instance.memory->limit.count) continue;
                    }
                    const std::int64_t compute = inner > 1 ? ceil_divide(node(done & ~stage, stage, inner), m) : share(stage, m);
                    extend(done & ~stage, used + m, std::max(worst, with_borders(done & ~stage, stage, m, compute, 1)));
                }
            }
        };
        extend(graph.all(), 0, 0);
        const auto plan = pipedream_plan(instance, cuts, {});
        ASSERT_EQ(plan.has_value(), best != kNone) << i;
        if (!plan) continue;
        EXPECT_EQ(plan->bottleneck.count(), best) << i;
        std::int64_t used = 0;
        for (std::size_t s = 0; s < plan->stages.size(); ++s) {
            EXPECT_EQ(plan->stages[s].begin, s == 0 ? 0 : plan->stages[s - 1].end);
            used += plan->stages[s].replicas;
        }
        EXPECT_EQ(plan->stages.back().end, cuts.count() - 1);
        EXPECT_LE(used, inner * devices);
    }
}

/// The same downsets, once as any, once as a chain: sums and borders then build up from cut to cut.
TEST(Cuts, OfAChainAreCountedLikeOthers) {
    for (std::uint64_t i = 0; i < test::cases(200); ++i) {
        RandomStream random(15, i);
        const SmallGraph graph = random_graph(random, 9);
        std::vector<NodeId> order;
        std::vector<std::int64_t> weights;
        for (std::size_t v = 0; v < graph.size(); ++v) {
            order.emplace_back(v);
            weights.push_back(random.between(0, 9));
        }
        Cuts chain = prefix_cuts(order);
        for (std::size_t c = 1; c + 1 < chain.count();)  // stages of several nodes, too
            if (random.chance(0.3))
                chain.sets.erase(chain.sets.begin() + static_cast<std::ptrdiff_t>(c));
            else
                ++c;
        const Cuts any{chain.sets};
        EXPECT_EQ(sums_below(chain, weights), sums_below(any, weights)) << i;
        EXPECT_EQ(crossing_bytes(chain, graph.tensors), crossing_bytes(any, graph.tensors)) << i;

        PiperInstance instance;
        instance.devices = random.between(1, 9);
        instance.micro_batches = random.between(1, 12);
        instance.bandwidth = kBytePerPicosecond;
        if (random.chance(0.5)) instance.memory = Bytes{random.between(50, 150)};
        instance.degrees = {1, 2};
        instance.one_choice = true;
        instance.predecessors = graph.predecessors;
        instance.successors = graph.successors;
        for (std::size_t v = 0; v < graph.size(); ++v) {
            auto& lists = instance.choices.emplace_back(2);
            for (auto& list : lists)
                for (int c = 0; c < 2; ++c)
                    list.push_back({Duration{random.between(0, 60)}, {1}, Bytes{random.between(0, 12)}, Bytes{random.between(0, 12)}});
        }
        for (const CutTensor& tensor : graph.tensors)
            instance.tensors.push_back({tensor, Bytes{random.between(0, 5)}, {{0}, {random.between(0, 9)}}, {{0}, {random.between(0, 9)}}});
        const auto a = piper_plan(instance, chain, {}), b = piper_plan(instance, any, {});
        ASSERT_EQ(a.has_value(), b.has_value()) << i;
        if (!a) continue;
        EXPECT_EQ(a->bottleneck, b->bottleneck) << i;
        EXPECT_EQ(a->stages, b->stages) << i;
    }
}

TEST(Piper, ChoosesTheFastestThatFits) {
    std::size_t nothing = 0, slower = 0;
    for (std::uint64_t i = 0; i < test::cases(400); ++i) {
        RandomStream random(14, i);
        std::vector<std::vector<PiperChoice>> choices(1 + random.below(6));
        for (auto& list : choices)
            for (std::uint64_t c = 1 + random.below(3); c > 0; --c)
                list.push_back({Duration{random.between(0, 30)}, Bytes{1}, Bytes{random.between(0, 9)}, Bytes{random.between(0, 9)}});
        const ChoiceLists lists(choices.begin(), choices.end());
        const std::int64_t in_flight = random.between(1, 4), memory = random.between(0, 100);
        std::int64_t best = kNone, fastest = 0;
        const std::function<void(std::size_t, std::int64_t, std::int64_t)> choose = [&](std::size_t v, std::int64_t time,
                                                                                        std::int64_t left) {
            if (v == choices.size()) {
                if (left >= 0) best = std::min(best, time);
                return;
            }
            for (const PiperChoice& one : choices[v])
                choose(v + 1, time + one.time.count(), left - one.each.count * in_flight - one.fixed.count);
        };
        choose(0, 0, memory);
        for (const auto& list : choices) fastest += list[fastest_choice(list)].time.count();
        const auto made = cheapest_choices(lists, in_flight, Bytes{memory});
        ASSERT_EQ(made.has_value(), best != kNone) << i;
        nothing += !made;
        if (!made) continue;
        slower += best > fastest;
        EXPECT_EQ(made->time.count(), best) << i;
        std::int64_t time = 0, need = 0;
        for (std::size_t v = 0; v < choices.size(); ++v) {
            const PiperChoice& one = choices[v].at(made->chosen.at(v));
            time += one.time.count();
            need += one.each.count * in_flight + one.fixed.count;
        }
        EXPECT_EQ(time, best);
        EXPECT_LE(need, memory);
    }
    EXPECT_GT(nothing, 0u);
    EXPECT_GT(slower, test::cases(400) / 10);
}

TEST(Piper, FindsTheOptimumOfItsOwnCost) {
    std::size_t impossible = 0;
    for (std::uint64_t i = 0; i < test::cases(400); ++i) {
        RandomStream random(13, i);
        const SmallGraph graph = random_graph(random, 4);
        const std::size_t n = graph.size();
        PiperInstance instance;
        instance.devices = random.between(1, 9);
        instance.micro_batches = random.between(1, 12);
        instance.bandwidth = kBytePerPicosecond;
        if (random.chance(0.8)) instance.memory = Bytes{random.between(10, 60)};
        instance.degrees = {1, 2};
        instance.one_choice = random.chance(0.4);
        instance.predecessors = graph.predecessors;
        instance.successors = graph.successors;
        for (std::size_t v = 0; v < n; ++v) {
            auto& lists = instance.choices.emplace_back();
            const Bytes parameters{random.between(0, 20)};
            for (std::size_t d = 0; d < 2; ++d) {
                auto& list = lists.emplace_back();
                for (std::uint64_t c = random.below(instance.one_choice ? 3 : 4); c > 0; --c)
                    list.push_back(
                        {Duration{random.between(0, 60)}, parameters, Bytes{random.between(0, 12)}, Bytes{random.between(0, 12)}});
            }
            if (lists[0].empty()) lists[0].push_back({Duration{9}, parameters, {1}, {1}});
        }
        for (const CutTensor& tensor : graph.tensors)
            instance.tensors.push_back({tensor, Bytes{random.between(0, 5)}, {{0}, {random.between(0, 9)}}, {{0}, {random.between(0, 9)}}});

        const auto stage_time = [&](Set before, Set stage, std::size_t degree, const std::vector<std::size_t>& chosen, std::int64_t d,
                                    std::int64_t replicas) -> std::optional<std::int64_t> {
            std::int64_t time = 0, parameters = 0, bytes = 0, entering = 0;
            std::int64_t each = 0, fixed = 0;
            for (std::size_t v = 0; v < n; ++v) {
                if (!(stage >> v & 1)) continue;
                const PiperChoice& choice = instance.choices[v][degree][chosen[v]];
                time += choice.time.count();
                parameters += choice.parameters.count;
                each += choice.each.count;
                fixed += choice.fixed.count;
            }
            for (const PiperTensor& tensor : instance.tensors) {
                const auto reads = [&](Set set) { return std::ranges::any_of(tensor.to, [&](NodeId r) { return set >> r.index() & 1; }); };
                if ((before >> tensor.from.index() & 1) && reads(stage)) {
                    bytes += tensor.bytes.count + tensor.sync_in[degree].count;
                    entering += tensor.kept.count;
                }
                if ((stage >> tensor.from.index() & 1) && reads(graph.all() & ~before & ~stage))
                    bytes += tensor.bytes.count + tensor.sync_out[degree].count;
            }
            if (instance.one_choice && chosen[static_cast<std::size_t>(std::countr_zero(stage))] > 0) each += entering;
            if (instance.memory && each * ceil_divide(replicas, d) + fixed > instance.memory->count) return std::nullopt;
            return ceil_divide(time + bytes + (d - 1) * ceil_divide(4 * parameters, instance.micro_batches), d);
        };
        std::int64_t best = kNone;
        const std::function<void(Set, std::int64_t, std::int64_t, std::int64_t)> extend = [&](Set done, std::int64_t used,
                                                                                              std::int64_t replicas, std::int64_t worst) {
            if (done == 0) best = std::min(best, worst);
            for (Set stage = done; stage != 0; stage = (stage - 1) & done) {
                if (!graph.is_down(done & ~stage)) continue;
                for (std::size_t degree = 0; degree < 2; ++degree)
                    for (std::int64_t d = 1; d * instance.degrees[degree] <= instance.devices - used; ++d) {
                        if (instance.micro_batches % d != 0 || replicas + d > instance.micro_batches) continue;
                        std::vector<std::size_t> chosen(n, 0);
                        // Every combination of choices of the stage's nodes.
                        const std::function<void(std::size_t)> choose = [&](std::size_t v) {
                            if (v == n) {
                                if (const auto time = stage_time(done & ~stage, stage, degree, chosen, d, replicas + d))
                                    if (std::max(worst, *time) < best)
                                        extend(done & ~stage, used + d * instance.degrees[degree], replicas + d, std::max(worst, *time));
                                return;
                            }
                            if (!(stage >> v & 1)) return choose(v + 1);
                            const auto first = static_cast<std::size_t>(std::countr_zero(stage));
                            for (std::size_t c = 0; c < instance.choices[v][degree].size(); ++c) {
                                if (instance.one_choice && v != first && c != chosen[first]) continue;
                                chosen[v] = c;
                                choose(v + 1);
                            }
                        };
                        choose(0);
                    }
            }
        };
        extend(graph.all(), 0, 0, 0);
        const Cuts cuts = downset_cuts(graph.predecessors, 1 << 10, graph::NodeSet(n)).value();
        const auto plan = piper_plan(instance, cuts, {});
        ASSERT_EQ(plan.has_value(), best != kNone) << i;
        if (!plan) {
            ++impossible;
            continue;
        }
        // Per node the parameters of all choices are the same, so that the fastest is the best; sums are rounded up together here.
        EXPECT_EQ(plan->bottleneck.count(), best) << i;
    }
    EXPECT_GT(impossible, 0u);
}

}  // namespace
}  // namespace sluice::training
