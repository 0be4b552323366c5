#include "sluice/mcm/rewrite/finish.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <map>
#include <optional>

#include "sluice/mcm/judge/fitting_judge.hpp"
#include "sluice/mcm/rewrite/instances.hpp"

namespace sluice::mcm {

namespace {

class Finisher {
public:
    Finisher(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem, std::span<const std::uint8_t> assignment)
        : model_(model), planned_(planned), problem_(problem), assignment_(assignment), names_(model) {}

    Result<Finished> run(const platform::Platform& platform, const cost::MeasuredCosts* measured, bool recompute) {
        for (std::size_t v = 0; v < planned_.operator_count(); ++v)
            if (!origin(OperatorId(v)).valid()) return fail(usage_error("relays come from an assignment, so there are none before it"));
        merge();
        find_originals();
        close_empty_chips();
        if (recompute && problem_.rules.relay) {
            recomputed_ = recompute_where_better(model_, planned_, problem_, state_);
            find_originals();
        }
        name_copies();
        add_copies();
        if (problem_.rules.relay) add_relays();
        if (auto settled = graph::settle_kinds(model_, rewrites_); !settled) return fail(std::move(settled.error()));
        return result(platform, measured);
    }

private:
    [[nodiscard]] OperatorId origin(OperatorId id) const { return planned_.derivation() ? planned_.derivation()->origin[id.index()] : id; }
    [[nodiscard]] bool made(OperatorId id) const { return planned_.derivation() && planned_.derivation()->made[id.index()]; }
    [[nodiscard]] bool placed(OperatorId id) const { return problem_.costs->node_of[id.index()].valid(); }
    [[nodiscard]] std::size_t chip_of(OperatorId id) const { return assignment_[problem_.costs->node_of[id.index()].index()]; }

    /// The instances that are read, or that nothing has to read, with what each reads; per operator of the model ordered by chip.
    void merge() {
        // The first of its chip, the model's own before others.
        std::map<std::pair<OperatorId, std::size_t>, OperatorId> first;
        std::size_t all = 0;
        for (std::size_t v = 0; v < planned_.operator_count(); ++v) {
            const OperatorId id(v);
            if (!placed(id)) continue;
            ++all;
            const auto [found, fresh] = first.try_emplace({origin(id), chip_of(id)}, id);
            if (!fresh && !made(id)) found->second = id;
        }
        const auto stands_for = [&](OperatorId id) { return first.at({origin(id), chip_of(id)}); };
        std::vector<char> alive(planned_.operator_count(), 0);
        std::vector<OperatorId> open;
        const auto keep = [&](OperatorId id) {
            if (std::exchange(alive[id.index()], 1) == 0) open.push_back(id);
        };
        for (std::size_t v = 0; v < planned_.operator_count(); ++v)
            if (const OperatorId id(v); placed(id) && !made(id) && must_stay(model_, origin(id))) keep(stands_for(id));
        while (!open.empty()) {
            const OperatorId id = open.back();
            open.pop_back();
            for (const TensorId input : planned_.inputs(id))
                if (const OperatorId maker = planned_.producer(input); maker.valid() && placed(maker)) keep(stands_for(maker));
        }
        instances_of_.resize(model_.operator_count());
        std::vector<std::size_t> number(planned_.operator_count(), Instance::kNone);
        std::vector<OperatorId> planned_as;    // per instance: the one that stands for all that were merged into it
        for (const auto& [key, id] : first) {  // by operator of the model, then by chip
            if (!alive[id.index()]) continue;
            number[id.index()] = instances_.size();
            instances_of_[key.first.index()].push_back(instances_.size());
            instances_.push_back({.op = key.first, .chip = key.second, .original = !made(id), .inputs = {}});
            planned_as.push_back(id);
        }
        merged_ = all - instances_.size();
        for (std::size_t i = 0; i < instances_.size(); ++i)
            for (const TensorId input : planned_.inputs(planned_as[i])) {
                const OperatorId maker = planned_.producer(input);
                instances_[i].inputs.push_back(maker.valid() && placed(maker) ? number[stands_for(maker).index()] : Instance::kNone);
            }
    }

    /// Where the model's own operator is read by nobody any more, a copy takes its place.
    void find_originals() {
        for (const auto& list : instances_of_)
            if (!list.empty() && std::ranges::none_of(list, [&](std::size_t i) { return instances_[i].original; }))
                instances_[list.front()].original = true;
    }

    void close_empty_chips() {
        std::vector<char> before(kMostChips, 0), after(kMostChips, 0);
        for (const std::uint8_t chip : assignment_) before[chip] = 1;
        for (const Instance& instance : instances_) after[instance.chip] = 1;
        std::vector<std::size_t> moved(kMostChips);
        std::size_t closed = 0;
        for (std::size_t chip = 0; chip < kMostChips; ++chip) {
            moved[chip] = chip - closed;
            closed += before[chip] && !after[chip];
        }
        for (Instance& instance : instances_) instance.chip = moved[instance.chip];
    }

    void name_copies() {
        for (std::size_t m = 0; m < instances_of_.size(); ++m)
            for (const std::size_t i : instances_of_[m])
                for (const TensorId output : model_.outputs(OperatorId(m))) {
                    const std::string& name = model_[output].name;
                    instances_[i].makes.push_back(instances_[i].original ? name : names_.take(name, "copy"));
                }
    }

    [[nodiscard]] graph::OperatorName name_of(std::size_t i) const {
        const Instance& instance = instances_[i];
        if (!instance.original) return {{}, instance.makes.front()};
        return {instance.op, std::string(model_.first_output_name(instance.op))};
    }

    /// Last operators first, so that a copy's readers exist; each still reads the model's own then.
    void add_copies() {
        readers_.resize(instances_.size());
        for (std::size_t i = 0; i < instances_.size(); ++i) {
            std::vector<std::size_t> makers = instances_[i].inputs;
            std::ranges::sort(makers);
            makers.erase(std::ranges::unique(makers).begin(), makers.end());
            for (const std::size_t maker : makers)
                if (maker != Instance::kNone) readers_[maker].push_back(i);
        }
        for (std::size_t m = instances_of_.size(); m-- > 0;)
            for (const std::size_t i : instances_of_[m]) {
                if (instances_[i].original) continue;
                graph::Rewrite copy{.kind = graph::RewriteKind::clone,
                                    .copied = {OperatorId(m), std::string(model_.first_output_name(OperatorId(m)))},
                                    .tensor = {},
                                    .makes = instances_[i].makes,
                                    .readers = {}};
                for (const std::size_t reader : readers_[i]) copy.readers.push_back(name_of(reader));
                rewrites_.push_back(std::move(copy));
                ++copies_;
            }
        for (std::size_t i = 0; i < instances_.size(); ++i)
            if (!instances_[i].original) chip_of_new_.emplace(instances_[i].makes.front(), instances_[i].chip);
    }

    void add_relays() {
        for (std::size_t i = 0; i < instances_.size(); ++i) {
            const auto outputs = model_.outputs(instances_[i].op);
            for (std::size_t o = 0; o < outputs.size(); ++o) relay(i, outputs[o], instances_[i].makes[o]);
        }
    }

    void relay(std::size_t maker, TensorId tensor, const std::string& made_as) {
        std::vector<std::size_t> readers;
        for (const std::size_t reader : readers_[maker]) {
            const auto inputs = model_.inputs(instances_[reader].op);
            for (std::size_t p = 0; p < inputs.size(); ++p)
                if (inputs[p] == tensor && instances_[reader].inputs[p] == maker) readers.push_back(reader);
        }
        std::size_t last = 0;
        for (const std::size_t reader : readers) last = std::max(last, instances_[reader].chip);
        std::string from = made_as;
        for (std::size_t chip = instances_[maker].chip + 1; chip < last; ++chip) {
            graph::Rewrite relay{.kind = graph::RewriteKind::relay,
                                 .copied = {},
                                 .tensor = from,
                                 .makes = {names_.take(model_[tensor].name, "relay")},
                                 .readers = {}};
            for (const std::size_t reader : readers)
                if (instances_[reader].chip > chip) relay.readers.push_back(name_of(reader));
            from = relay.makes.front();
            chip_of_new_.emplace(from, chip);
            rewrites_.push_back(std::move(relay));
            ++relays_;
        }
    }

    Result<Finished> result(const platform::Platform& platform, const cost::MeasuredCosts* measured) {
        auto graph = graph::rewritten(model_, rewrites_);
        if (!graph) return fail(std::move(graph.error()));
        auto frozen = cost::freeze(*graph, platform, problem_.costs->classes.front().count, measured);
        if (!frozen) return fail(std::move(frozen.error()));
        auto kept = std::make_unique<const cost::FrozenProblem>(std::move(*frozen));
        Rules rules = problem_.rules;
        rules.triangle = rules.triangle || rules.relay;
        rules.relay = false;
        auto problem = chip_problem(*graph, kept->problem, platform, rules);
        if (!problem) return fail(std::move(problem.error()));
        problem->chips = problem_.chips;
        problem->sram = problem_.sram;
        Finished finished{.graph = std::move(*graph),
                          .frozen = std::move(kept),
                          .problem = std::move(*problem),
                          .chips = {},
                          .copies = copies_,
                          .relays = relays_,
                          .recomputed = recomputed_,
                          .merged = merged_};
        finished.chips.resize(finished.problem.node_count());
        const graph::Derivation* derivation = finished.graph.derivation();
        for (std::size_t v = 0; v < finished.graph.operator_count(); ++v) {
            const NodeId node = finished.problem.costs->node_of[v];
            if (!node.valid()) continue;
            const bool is_made = derivation && derivation->made[v];
            std::size_t chip = 0;
            if (is_made) {
                chip = chip_of_new_.at(std::string(finished.graph.first_output_name(OperatorId(v))));
            } else {
                const auto& list = instances_of_[derivation ? derivation->origin[v].index() : v];
                chip = instances_[*std::ranges::find_if(list, [&](std::size_t i) { return instances_[i].original; })].chip;
            }
            finished.chips[node.index()] = static_cast<std::uint8_t>(chip);
        }
        return finished;
    }

    const graph::Graph& model_;
    const graph::Graph& planned_;
    const ChipProblem& problem_;
    std::span<const std::uint8_t> assignment_;
    graph::NewNames names_;
    Instances state_;
    std::vector<Instance>& instances_ = state_.all;
    std::vector<std::vector<std::size_t>>& instances_of_ = state_.of;
    std::vector<std::vector<std::size_t>> readers_;  // per instance
    std::vector<graph::Rewrite> rewrites_;
    std::map<std::string, std::size_t, std::less<>> chip_of_new_;  // by first output
    std::size_t merged_ = 0, copies_ = 0, relays_ = 0, recomputed_ = 0;
};

}  // namespace

Result<Finished> finish(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem,
                        std::span<const std::uint8_t> assignment, const platform::Platform& platform, const cost::MeasuredCosts* measured,
                        const FinishOptions& options) {
    const auto attempt = [&](bool recompute) { return Finisher(model, planned, problem, assignment).run(platform, measured, recompute); };
    auto finished = attempt(options.recompute);
    if (!finished || finished->recomputed == 0) return finished;
    // What decides there is the cost of single operators, of a fused kernel or a colour it is not exact; and not what is alive at once.
    auto plain = attempt(false);
    if (plain && (bottleneck(plain->problem, plain->chips) < bottleneck(finished->problem, finished->chips) ||
                  beyond_memory(finished->problem, finished->chips)))
        return plain;
    return finished;
}

}  // namespace sluice::mcm
