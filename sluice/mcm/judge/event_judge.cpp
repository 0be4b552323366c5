#include "sluice/mcm/judge/event_judge.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <unordered_map>

#include "sluice/base/random.hpp"
#include "sluice/cost/stage_cost.hpp"
#include "sluice/mcm/judge/judge_trace.hpp"
#include "sluice/mcm/judge/lower.hpp"

namespace sluice::mcm {

namespace {

/// A set of nodes and edges as 128 bits: sums of random words, so that it grows in any order.
struct ContentKey {
    std::uint64_t low = 0, high = 0;
    void add(const ContentKey& other) {
        low += other.low;
        high += other.high;
    }
    friend bool operator==(const ContentKey&, const ContentKey&) = default;
};
struct ContentHash {
    std::size_t operator()(const ContentKey& key) const noexcept { return static_cast<std::size_t>(key.low); }
};

/// What was compiled lately: two generations, the older one goes when the younger one is full, what is asked for again stays.
class CodeCache {
public:
    explicit CodeCache(std::size_t kept) : kept_(std::max<std::size_t>(1, kept)) {}
    std::shared_ptr<const ChipCode> find(const ContentKey& key) {
        if (const auto found = young_.find(key); found != young_.end()) return found->second;
        const auto found = old_.find(key);
        if (found == old_.end()) return nullptr;
        auto code = found->second;
        insert(key, code);
        return code;
    }
    void insert(const ContentKey& key, std::shared_ptr<const ChipCode> code) {
        if (young_.size() >= kept_) {
            old_.swap(young_);
            young_.clear();
        }
        young_.insert_or_assign(key, std::move(code));
    }

private:
    using Map = std::unordered_map<ContentKey, std::shared_ptr<const ChipCode>, ContentHash>;
    std::size_t kept_;
    Map young_, old_;
};

/// Sum of twelve uniform numbers less six: near enough to a normal one, and the same on every machine.
double normal(RandomStream& random) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.unit();
    return sum;
}
Duration disturbed(Duration time, double noise, RandomStream& random) {
    if (time.count() == 0) return time;
    const double factor = std::max(0.05, 1 + noise * normal(random));
    return Duration{std::max<std::int64_t>(1, std::llround(static_cast<double>(time.count()) * factor))};
}

}  // namespace

class EventJudge::State {
public:
    State(const graph::Graph& graph, const ChipProblem& problem, const platform::Platform& platform, const EventJudgeOptions& options)
        : graph_(graph),
          problem_(problem),
          options_(options),
          compiler_(graph, problem, platform, options.compile),
          routes_(problem, compiler_),
          cache_(options.kept_chips),
          nodes_of_(problem.chips) {
        RandomStream random(0x5157'1ce0);
        node_keys_.resize(problem.node_count());
        edge_keys_.resize(problem.costs->edge_count());
        for (auto* keys : {&node_keys_, &edge_keys_})
            for (ContentKey& key : *keys) key = {random(), random()};
    }

    Result<Verdict> judge(std::span<const std::uint8_t> assignment) {
        auto verdict = simulate(assignment, nullptr, 0);
        if (!verdict || !verdict->fits() || options_.noise <= 0) return verdict;
        std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
        for (const std::uint8_t chip : assignment) hash = (hash ^ chip) * 0x100'0000'01b3;
        RandomStream random(options_.seed ^ hash, measured_[hash]++);
        verdict->period = disturbed(verdict->period, options_.noise, random);
        verdict->latency = disturbed(verdict->latency, options_.noise, random);
        for (Duration& time : verdict->chip_times) time = disturbed(time, options_.noise, random);
        return verdict;
    }

    Result<Verdict> simulate(std::span<const std::uint8_t> assignment, JudgeDetail* detail, std::int64_t trace_inputs) {
        if (auto checked = check(assignment); !checked) return fail(std::move(checked.error()));
        Verdict verdict;
        if (!routes_.find(assignment)) {
            verdict.failure = backwards();
            return verdict;
        }
        if (verdict.failure = compile(assignment); verdict.failure) return verdict;

        std::vector<const ChipCode*> codes;
        for (const auto& code : codes_) codes.push_back(code.get());
        const LoweredRing ring = lower(problem_, compiler_, routes_.routes(), codes, options_.message_overhead);
        const simulate::RingLoad load = simulate::load_of(ring.program);
        verdict.chip_times.assign(problem_.chips, Duration{0});
        for (std::size_t c = 0; c < ring.program.chips; ++c)
            verdict.chip_times[c] = cost::stage_time(
                problem_.costs->model,
                {.work = load.compute[c], .in = load.in[c], .out = load.out[c], .spill = Duration{0}, .parameters = {}, .peak = {}});
        if (load.busiest(ring.program.serial).count() == 0) {  // nothing takes any time
            verdict.period = Duration{1};
            return verdict;
        }
        const auto chips = static_cast<std::int64_t>(ring.program.chips);
        simulate::RingOptions options{.warm_up = chips,
                                      .outputs = options_.inputs_per_chip * chips,
                                      .find_period = true,
                                      .trace_inputs = trace_inputs,
                                      .stop = options_.stop};
        const simulate::RingResult steady = simulate::simulate_ring(ring.program, options);
        options.inputs = 1;
        options.trace_inputs = 0;
        options.find_period = false;
        const simulate::RingResult first = simulate::simulate_ring(ring.program, options);
        if (steady.stopped || first.stopped) return fail({DiagnosticKind::stopped, "stopped while an assignment was judged", {}, {}, {}});
        verdict.period = steady.period;
        verdict.latency = first.first_output;
        if (detail) describe(*detail, assignment, ring, load, steady, codes);
        return verdict;
    }

    [[nodiscard]] ChipCode compile_nodes(std::span<const NodeId> nodes) { return compiler_.compile(nodes, {}, {}); }
    [[nodiscard]] const ChipCompiler& compiler() const { return compiler_; }
    [[nodiscard]] std::size_t compiled() const { return compiled_; }

private:
    [[nodiscard]] Result<void> check(std::span<const std::uint8_t> assignment) const {
        if (assignment.size() != problem_.node_count())
            return fail(
                usage_error(std::format("an assignment of {} operators for a problem of {}", assignment.size(), problem_.node_count())));
        const auto beyond = std::ranges::find_if(assignment, [&](std::uint8_t chip) { return chip >= problem_.chips; });
        if (beyond == assignment.end()) return {};
        return fail(
            usage_error(std::format("'{}' lies on chip {} of {}", problem_.names[static_cast<std::size_t>(beyond - assignment.begin())],
                                    int{*beyond}, problem_.chips)));
    }

    [[nodiscard]] CompileFailure backwards() const {
        const Backwards& back = routes_.backwards();
        return {.chip = back.from,
                .why = {DiagnosticKind::infeasible,
                        std::format("tensor '{}' would have to move backwards, from chip {} to chip {}", compiler_.tensor_name(back.edge),
                                    back.from, back.to),
                        {},
                        {},
                        "data moves forward only: the acyclic rule says so before anything is compiled"},
                .nodes = {}};
    }

    /// Fills `codes_`. The first chip that does not compile is the failure.
    std::optional<CompileFailure> compile(std::span<const std::uint8_t> assignment) {
        for (auto& nodes : nodes_of_) nodes.clear();
        keys_.assign(problem_.chips, {});
        for (std::size_t v = 0; v < assignment.size(); ++v) {
            nodes_of_[assignment[v]].emplace_back(v);
            keys_[assignment[v]].add(node_keys_[v]);
        }
        codes_.assign(problem_.chips, nullptr);
        for (std::size_t chip = 0; chip < problem_.chips; ++chip) {
            const std::vector<EdgeId>& passing = routes_.passing(chip);
            // A chip that others only pass by has buffers for that, and relays where these are.
            if (nodes_of_[chip].empty() && passing.empty()) continue;
            for (const EdgeId edge : passing) keys_[chip].add(edge_keys_[edge.index()]);
            const std::vector<MoreBuffers>& more = routes_.more_buffers(chip);
            for (const MoreBuffers& buffers : more) {
                const ContentKey& key = edge_keys_[buffers.edge.index()];
                const auto times = static_cast<std::uint64_t>(buffers.count);
                keys_[chip].add({(key.low ^ key.high) * (2 * times + 1), key.high * (2 * times + 1)});
            }
            auto code = cache_.find(keys_[chip]);
            if (!code || code->nodes != nodes_of_[chip] || code->passing != passing || code->more_buffers != more) {
                code = std::make_shared<const ChipCode>(compiler_.compile(nodes_of_[chip], passing, more));
                ++compiled_;
                cache_.insert(keys_[chip], code);
            }
            codes_[chip] = code;
            if (!code->fits) return failure_of(*code, chip);
        }
        return std::nullopt;
    }

    void describe(JudgeDetail& detail, std::span<const std::uint8_t> assignment, const LoweredRing& ring, const simulate::RingLoad& load,
                  const simulate::RingResult& steady, std::span<const ChipCode* const> codes) const {
        const cost::StageProblem& costs = *problem_.costs;
        const std::vector<Duration> planned = chip_times(problem_, assignment);
        const auto share = [&](Duration busy) { return static_cast<double>(busy.count()) / static_cast<double>(steady.period.count()); };
        detail.chips.resize(problem_.chips);
        for (std::size_t c = 0; c < ring.program.chips; ++c) {
            ChipUse& use = detail.chips[c];
            use.planned = planned[c];
            use.compute = load.compute[c];
            use.in = load.in[c];
            use.out = load.out[c];
            use.utilisation = share(ring.program.serial ? use.compute + use.in + use.out : std::max({use.compute, use.in, use.out}));
            if (!codes[c]) continue;
            use.operators = codes[c]->nodes.size();
            use.kernels = codes[c]->kernels.size();
            use.memory = codes[c]->memory;
        }
        for (const simulate::RingSegment& segment : ring.program.segments) detail.chips[segment.chip].streaming += segment.stream;
        for (std::size_t l = 0; l + 1 < ring.program.chips; ++l)
            detail.links.push_back({.from = l,
                                    .busy = load.links[l],
                                    .bytes = {},
                                    .tensors = 0,
                                    .longest_queue = steady.longest_queue[l],
                                    .utilisation = share(load.links[l])});
        for (std::size_t m = 0; m < ring.program.messages.size(); ++m) {
            const simulate::RingMessage& message = ring.program.messages[m];
            if (message.from_host) continue;
            for (std::uint32_t l = message.from; l < message.to; ++l) {
                detail.links[l].bytes += costs.bytes[ring.edge_of[m].index()];
                ++detail.links[l].tensors;
            }
        }
        detail.channel = load.channel;
        detail.repeats = steady.repeats;
        detail.inputs = steady.outputs;
        detail.events = steady.events;
        describe_trace(detail, graph_, problem_, compiler_, ring, codes, steady.tasks);
    }

    const graph::Graph& graph_;
    const ChipProblem& problem_;
    EventJudgeOptions options_;
    ChipCompiler compiler_;
    Routes routes_;
    CodeCache cache_;
    std::size_t compiled_ = 0;
    std::vector<ContentKey> node_keys_, edge_keys_, keys_;
    std::vector<std::vector<NodeId>> nodes_of_;
    std::vector<std::shared_ptr<const ChipCode>> codes_;
    std::unordered_map<std::uint64_t, std::uint64_t> measured_;  // assignment -> verdicts with noise so far
};

EventJudge::EventJudge(std::unique_ptr<State> state) : state_(std::move(state)) {}
EventJudge::~EventJudge() = default;

Result<Verdict> EventJudge::judge(std::span<const std::uint8_t> assignment) { return state_->judge(assignment); }

Result<JudgeDetail> EventJudge::detail(std::span<const std::uint8_t> assignment, std::int64_t trace_inputs) {
    JudgeDetail detail;
    auto verdict = state_->simulate(assignment, &detail, trace_inputs);
    if (!verdict) return fail(std::move(verdict.error()));
    detail.verdict = std::move(*verdict);
    return detail;
}

ChipCode EventJudge::compile(std::span<const NodeId> nodes) { return state_->compile_nodes(nodes); }
std::size_t EventJudge::compiled() const { return state_->compiled(); }

Result<std::unique_ptr<EventJudge>> event_judge(const graph::Graph& graph, const ChipProblem& problem, const platform::Platform& platform,
                                                const EventJudgeOptions& options) {
    const CompileOptions& compile = options.compile;
    if (compile.receive_buffers < 1 || compile.send_buffers < 1 || compile.receive_buffers > 1'000'000 || compile.send_buffers > 1'000'000)
        return fail(usage_error(std::format("{} receive and {} send buffers; 1 to 1000000 of each are possible", compile.receive_buffers,
                                            compile.send_buffers)));
    if (compile.alignment < 1) return fail(usage_error(std::format("an alignment of {} bytes; at least 1 is needed", compile.alignment)));
    if (!(options.noise >= 0 && options.noise <= 1))
        return fail(usage_error(std::format("a noise of {}; it is a share from 0 to 1", options.noise)));
    if (options.inputs_per_chip < 1 || options.message_overhead < Duration{0})
        return fail(usage_error("at least one input a chip, and no overhead below 0"));
    auto state = std::make_unique<EventJudge::State>(graph, problem, platform, options);
    if (auto hopeless = state->compiler().hopeless()) return fail(std::move(*hopeless));
    return std::unique_ptr<EventJudge>(new EventJudge(std::move(state)));
}

}  // namespace sluice::mcm
