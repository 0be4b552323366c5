#include <algorithm>
#include <bit>
#include <set>
#include <span>

#include "sluice/cost/stage_cost.hpp"
#include "sluice/graph/rewrite.hpp"
#include "sluice/mcm/rewrite/instances.hpp"

namespace sluice::mcm {

namespace {

/// Reads looked at over all candidates.
constexpr std::size_t kMostReads = 400'000'000;

struct Value {
    Duration bottleneck{0}, transfers{0}, work{0};
    std::uint64_t used = 0;  // chips
};

class Recomputer {
public:
    Recomputer(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem, Instances& instances)
        : model_(model), problem_(problem), instances_(instances), facts_(model.operator_count()), tensors_(model.tensor_count()) {
        const cost::StageProblem& costs = *problem.costs;
        const graph::Derivation* derivation = planned.derivation();
        const auto origin = [&](OperatorId id) { return derivation ? derivation->origin[id.index()] : id; };
        for (std::size_t v = 0; v < costs.node_count(); ++v) {
            const auto operators = costs.operators[v];
            Facts& facts = facts_[origin(operators.front()).index()];
            facts.work = costs.classes.front().work[v];
            facts.weights.assign(costs.weights[v].begin(), costs.weights[v].end());
            facts.single = operators.size() == 1 && !planned[operators.front()].colour;
        }
        for (std::size_t m = 0; m < model.operator_count(); ++m) {
            const OperatorId id(m);
            facts_[m].stays = must_stay(model, id);
            facts_[m].first_output = outputs_;
            for (const TensorId output : model.outputs(id)) tensors_[output.index()].output = outputs_++ - facts_[m].first_output;
        }
        for (std::size_t e = 0; e < costs.edge_count(); ++e) {
            const TensorId tensor = derivation ? derivation->stands_for[costs.tensor[e].index()] : costs.tensor[e];
            Tensor& of_model = tensors_[tensor.index()];
            of_model.transfer = std::max(of_model.transfer, costs.transfer[e]);
            of_model.to_host = of_model.to_host || costs.to_host[e] != 0;
        }
    }

    std::size_t run() {
        value_ = value();
        std::size_t size = 1;
        for (const Instance& instance : instances_.all) size += 1 + instance.inputs.size();
        left_ = kMostReads / size;
        std::size_t steps = 0;
        for (bool again = true; again && left_ > 0;) {
            again = false;
            for (std::size_t m = model_.operator_count(); m-- > 0 && left_ > 0;)
                for (std::size_t k = 0; k < instances_.of[m].size() && left_ > 0; ++k)
                    if (improve(instances_.of[m][k])) {
                        ++steps;
                        again = true;
                    }
        }
        remove_unread();
        return steps;
    }

private:
    struct Facts {
        Duration work{0};
        std::vector<WeightId> weights;
        bool single = false, stays = false;
        std::size_t first_output = 0;
    };
    struct Tensor {
        Duration transfer{0};
        bool to_host = false;
        std::size_t output = 0;  // which of its producer's
    };

    /// Instances that somebody reads, or must stay: those of later operators are known before.
    Value value() {
        terms_.assign(problem_.chips, {});
        from_model_.assign(model_.tensor_count(), 0);
        readers_.assign(instances_.all.size(), {});
        Value result;
        for (std::size_t m = instances_.of.size(); m-- > 0;) {
            const Facts& facts = facts_[m];
            const auto outputs = model_.outputs(OperatorId(m)), inputs = model_.inputs(OperatorId(m));
            for (const std::size_t i : instances_.of[m]) {
                const Instance& instance = instances_.all[i];
                std::vector<std::uint64_t>& readers = readers_[i];
                if (readers.empty() && !(facts.stays && instance.original)) continue;
                readers.resize(outputs.size(), 0);
                const std::uint64_t own = std::uint64_t{1} << instance.chip;
                result.used |= own;
                terms_[instance.chip].work += facts.work;
                result.work += facts.work;
                for (std::size_t o = 0; o < outputs.size(); ++o)
                    charge(instance.chip, readers[o], tensors_[outputs[o].index()], instance.original);
                for (std::size_t p = 0; p < inputs.size(); ++p) {
                    if (instance.inputs[p] == Instance::kNone) {
                        from_model_[inputs[p].index()] |= own;
                        continue;
                    }
                    auto& of_maker = readers_[instance.inputs[p]];
                    const std::size_t output = tensors_[inputs[p].index()].output;
                    if (of_maker.size() <= output) of_maker.resize(output + 1, 0);
                    of_maker[output] |= own;
                }
            }
        }
        for (std::size_t t = 0; t < from_model_.size(); ++t)
            for (std::uint64_t chips = from_model_[t]; chips != 0; chips &= chips - 1)
                terms_[static_cast<std::size_t>(std::countr_zero(chips))].in += tensors_[t].transfer;
        for (const cost::StageTerms& terms : terms_) {
            result.bottleneck = std::max(result.bottleneck, cost::stage_time(problem_.costs->model, terms));
            result.transfers += terms.in + terms.out;
        }
        return result;
    }

    void charge(std::size_t from, std::uint64_t readers, const Tensor& tensor, bool original) {
        const auto last = readers == 0 ? 0 : static_cast<std::size_t>(std::bit_width(readers)) - 1;
        for (std::size_t chip = from; chip < last; ++chip) {
            terms_[chip].out += tensor.transfer;
            terms_[chip + 1].in += tensor.transfer;
        }
        if (tensor.to_host && original && last <= from) terms_[from].out += tensor.transfer;
    }

    /// Tries each chip on which something reads it, where some chip hands it on. False: nothing is better.
    bool improve(std::size_t i) {
        const OperatorId op = instances_.all[i].op;
        if (!facts_[op.index()].single) return false;
        std::uint64_t chips = 0;
        for (const std::uint64_t readers : readers_[i]) chips |= readers;
        const std::size_t from = instances_.all[i].chip;
        if (chips == 0 || static_cast<std::size_t>(std::bit_width(chips)) - 1 <= from + 1) return false;  // nothing is handed on
        chips &= ~((std::uint64_t{2} << from) - 1);
        for (; chips != 0 && left_ > 0; chips &= chips - 1)
            if (try_on(i, static_cast<std::size_t>(std::countr_zero(chips)))) return true;
        return false;
    }

    /// From this chip on, what reads the instance reads one that is here.
    bool try_on(std::size_t i, std::size_t chip) {
        const OperatorId op = instances_.all[i].op;
        auto& list = instances_.of[op.index()];
        const auto there = std::ranges::find_if(list, [&](std::size_t k) { return instances_.all[k].chip == chip; });
        const bool fresh = there == list.end();
        if (fresh && (!parameters_fit(op, chip) || !add(op, chip, i))) return false;
        const std::size_t target = fresh ? instances_.all.size() - 1 : *there;
        std::vector<std::size_t*> moved;
        for (Instance& reader : instances_.all)
            if (reader.chip >= chip)
                for (std::size_t& input : reader.inputs)
                    if (input == i) {
                        moved.push_back(&input);
                        input = target;
                    }
        --left_;
        const Value now = value();
        const bool better =
            now.used == value_.used && now.bottleneck <= value_.bottleneck && now.work + now.transfers < value_.work + value_.transfers;
        if (better) {
            value_ = now;
            return true;
        }
        for (std::size_t* input : moved) *input = i;
        if (fresh) {
            instances_.all.pop_back();
            list.pop_back();
        }
        static_cast<void>(value());  // readers_ again as they were
        return false;
    }

    /// A copy that reads, of each input, an instance whose output comes by anyway, else the nearest. False: none is before this chip.
    bool add(OperatorId op, std::size_t chip, std::size_t like) {
        std::vector<std::size_t> inputs = instances_.all[like].inputs;
        for (std::size_t p = 0; p < inputs.size(); ++p) {
            if (inputs[p] == Instance::kNone) continue;
            // Of one maker all outputs come from one instance.
            const auto like_inputs = std::span(instances_.all[like].inputs);
            const auto same = std::ranges::find(like_inputs.first(p), like_inputs[p]);
            if (const auto before = static_cast<std::size_t>(same - like_inputs.begin()); before < p) {
                inputs[p] = inputs[before];
                continue;
            }
            const TensorId tensor = model_.inputs(op)[p];
            const std::size_t output = tensors_[tensor.index()].output;
            std::size_t best = Instance::kNone;
            bool passes = false;
            for (const std::size_t k : instances_.of[instances_.all[inputs[p]].op.index()]) {
                const Instance& maker = instances_.all[k];
                if (maker.chip > chip || readers_[k].empty()) continue;
                const bool here = maker.chip == chip || (readers_[k].size() > output && (readers_[k][output] >> chip) != 0);
                if (best == Instance::kNone || here > passes || (here == passes && maker.chip > instances_.all[best].chip))
                    best = k, passes = here;
            }
            if (best == Instance::kNone) return false;
            inputs[p] = best;
        }
        instances_.of[op.index()].push_back(instances_.all.size());
        instances_.all.push_back({.op = op, .chip = chip, .original = false, .inputs = std::move(inputs)});
        return true;
    }

    [[nodiscard]] bool parameters_fit(OperatorId op, std::size_t chip) const {
        if (facts_[op.index()].weights.empty() || problem_.costs->classes.front().overflow == cost::Overflow::unlimited) return true;
        if (!problem_.sram) return false;  // they would be streamed: another cost
        std::set<WeightId> weights(facts_[op.index()].weights.begin(), facts_[op.index()].weights.end());
        for (const Instance& instance : instances_.all)
            if (instance.chip == chip) {
                const auto& own = facts_[instance.op.index()].weights;
                weights.insert(own.begin(), own.end());
            }
        Bytes sum;
        for (const WeightId weight : weights) sum += problem_.costs->weight_bytes[weight.index()];
        return sum <= *problem_.sram;
    }

    void remove_unread() {
        static_cast<void>(value());
        std::vector<std::size_t> number(instances_.all.size(), Instance::kNone);
        std::vector<Instance> kept;
        for (auto& list : instances_.of) {
            std::erase_if(list, [&](std::size_t i) { return readers_[i].empty() && !(stays(i)); });
            std::ranges::sort(list, {}, [&](std::size_t i) { return instances_.all[i].chip; });
            for (std::size_t& i : list) {
                number[i] = kept.size();
                kept.push_back(std::move(instances_.all[i]));
                i = number[i];
            }
        }
        for (Instance& instance : kept)
            for (std::size_t& input : instance.inputs)
                if (input != Instance::kNone) input = number[input];
        instances_.all = std::move(kept);
    }
    [[nodiscard]] bool stays(std::size_t i) const { return instances_.all[i].original && facts_[instances_.all[i].op.index()].stays; }

    const graph::Graph& model_;
    const ChipProblem& problem_;
    Instances& instances_;
    std::vector<Facts> facts_;     // per operator of the model
    std::vector<Tensor> tensors_;  // per tensor of the model
    std::size_t outputs_ = 0, left_ = 0;
    Value value_;
    std::vector<cost::StageTerms> terms_;
    std::vector<std::uint64_t> from_model_;            // per tensor of the model: chips that read it from the host
    std::vector<std::vector<std::uint64_t>> readers_;  // per instance and output: chips; empty: none reads it
};

}  // namespace

bool must_stay(const graph::Graph& model, OperatorId id) {
    bool read = false;
    for (const TensorId output : model.outputs(id)) {
        if (model[output].model_output) return true;
        for (const OperatorId reader : model.consumers(output)) {
            if (model[reader].replicated) return true;
            read = true;
        }
    }
    return !read;
}

std::size_t recompute_where_better(const graph::Graph& model, const graph::Graph& planned, const ChipProblem& problem,
                                   Instances& instances) {
    return Recomputer(model, planned, problem, instances).run();
}

}  // namespace sluice::mcm
