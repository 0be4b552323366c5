#include "sluice/trainer/torch/ppo_gradient.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/types.h>

#include <map>
#include <string>

namespace sluice::trainer {

namespace {

using mcm::policy::Architecture;
using mcm::policy::Features;
using mcm::policy::Head;
using torch::Tensor;

/// One neighbour each: sums by index, then divided by their number.
struct Neighbours {
    Tensor from, to, inverse_count;
};

Neighbours neighbours(const Rows<NodeId>& rows, const torch::TensorOptions& kind) {
    std::vector<std::int64_t> from, to;
    std::vector<double> inverse(rows.size(), 0.0);
    for (std::size_t v = 0; v < rows.size(); ++v) {
        for (const NodeId other : rows[v]) {
            from.push_back(static_cast<std::int64_t>(other.index()));
            to.push_back(static_cast<std::int64_t>(v));
        }
        if (!rows[v].empty()) inverse[v] = 1 / static_cast<double>(rows[v].size());
    }
    return {torch::tensor(from, torch::kInt64), torch::tensor(to, torch::kInt64),
            torch::tensor(inverse, torch::kFloat64).to(kind).unsqueeze(1)};
}

class Net {
public:
    Net(const Architecture& shape, const Tensor& weights, const Features& features)
        : shape_(shape),
          features_(features),
          kind_(weights.options().requires_grad(false)),
          before_(neighbours(*features.predecessors, kind_)),
          after_(neighbours(*features.successors, kind_)) {
        for (const mcm::policy::Part& part : mcm::policy::parts_of(shape)) {
            const auto rows = static_cast<std::int64_t>(part.rows), columns = static_cast<std::int64_t>(part.columns);
            const Tensor flat = weights.narrow(0, static_cast<std::int64_t>(part.offset), rows * columns);
            parts_[part.name] = flat.view({rows, columns});
        }
    }

    Tensor logits() {
        const auto nodes = static_cast<std::int64_t>(features_.nodes);
        const Tensor values = torch::tensor(features_.values, torch::kFloat32).to(kind_).view({nodes, -1});
        Tensor places = torch::zeros({nodes}, kind_), result;
        for (std::uint32_t pass = 0; pass < shape_.passes; ++pass) {
            const Tensor known = torch::full({nodes, 1}, pass > 0 ? 1.0 : 0.0, kind_);
            const Tensor outputs = encode(torch::cat({values, places.unsqueeze(1), known}, 1));
            std::tie(result, places) = decode(outputs);
        }
        return result;
    }

private:
    Tensor affine(const Tensor& x, const std::string& name) { return torch::addmm(parts_.at(name + ".bias"), x, parts_.at(name)); }
    Tensor mean(const Tensor& hidden, const Neighbours& around) {
        return torch::zeros_like(hidden).index_add(0, around.to, hidden.index_select(0, around.from)) * around.inverse_count;
    }

    Tensor encode(const Tensor& inputs) {
        Tensor hidden = torch::relu(affine(inputs, "input"));
        for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
            const std::string name = "layer" + std::to_string(layer);
            const Tensor z = affine(torch::cat({hidden, mean(hidden, before_), mean(hidden, after_)}, 1), name);
            const Tensor norm = torch::layer_norm(z, {static_cast<std::int64_t>(shape_.width)}, parts_.at(name + ".norm").flatten(),
                                                  parts_.at(name + ".norm.bias").flatten(), mcm::policy::kNormEpsilon);
            hidden = hidden + torch::relu(norm);
        }
        return affine(torch::relu(affine(hidden, "hidden")), "output");
    }

    std::pair<Tensor, Tensor> decode(const Tensor& outputs) const {
        const auto chips = static_cast<std::int64_t>(features_.chips);
        const Tensor chip = torch::arange(chips, kind_);
        if (shape_.head == Head::categorical) {
            const Tensor expected = torch::softmax(outputs, 1).matmul(chip + 0.5) / static_cast<double>(chips);
            return {outputs, expected};
        }
        const Tensor base = torch::tensor(features_.positions.of_node, torch::kFloat32).to(kind_);
        const Tensor place = base + mcm::policy::kPlaceScale * outputs.select(1, 0);
        const double limit = mcm::policy::kLogSpreadLimit, tail = mcm::policy::kTail;
        const Tensor spread = shape_.spread * torch::exp(limit * torch::tanh(outputs.select(1, 1) / limit));
        const Tensor middle = place * static_cast<double>(features_.positions.usable) - 0.5;
        const Tensor z = torch::abs(chip.unsqueeze(0) - middle.unsqueeze(1)) / spread.unsqueeze(1);
        const Tensor near = -z * z / 2, far = -tail * tail * (0.5 + torch::log(torch::clamp_min(z, tail) / tail));
        return {torch::where(z <= tail, near, far), torch::clamp(place, 0.0, 1.0)};
    }

    const Architecture& shape_;
    const Features& features_;
    torch::TensorOptions kind_;
    Neighbours before_, after_;
    std::map<std::string, Tensor> parts_;
};

struct Loss {
    Tensor loss, entropy;
};

Loss loss_of(const Tensor& logits, std::span<const Rollout* const> rollouts, const Objective& objective) {
    const auto kind = logits.options().requires_grad(false);
    std::size_t count = 0;
    for (const Rollout* rollout : rollouts) count += rollout->choices.size();
    const auto chips = static_cast<std::size_t>(logits.size(1)), size = count;
    const Tensor nodes = torch::empty({static_cast<std::int64_t>(size)}, torch::kInt64), taken = torch::empty_like(nodes);
    const Tensor barred = torch::empty({static_cast<std::int64_t>(size), static_cast<std::int64_t>(chips)}, torch::kBool);
    const Tensor old = torch::empty({static_cast<std::int64_t>(size)}, torch::kFloat64), advantage = torch::empty_like(old),
                 weight = torch::empty_like(old);
    std::size_t k = 0;
    for (const Rollout* rollout : rollouts)
        for (const Choice& choice : rollout->choices) {
            nodes.data_ptr<std::int64_t>()[k] = choice.node;
            taken.data_ptr<std::int64_t>()[k] = choice.chip;
            for (std::size_t c = 0; c < chips; ++c) barred.data_ptr<bool>()[k * chips + c] = (choice.mask >> c & 1) == 0;
            old.data_ptr<double>()[k] = static_cast<double>(choice.log_probability);
            advantage.data_ptr<double>()[k] = rollout->advantage + static_cast<double>(choice.advantage);
            weight.data_ptr<double>()[k] = 1 / static_cast<double>(rollout->choices.size() * rollouts.size());
            ++k;
        }
    // A barred chip gets a finite logit far below all others: an infinite one makes no number of the entropy's gradient.
    const Tensor log_p = torch::log_softmax(logits.index_select(0, nodes).masked_fill(barred, -1e9), 1);
    const Tensor ratio = torch::exp(log_p.gather(1, taken.unsqueeze(1)).squeeze(1) - old.to(kind));
    const Tensor a = advantage.to(kind), w = weight.to(kind);
    const Tensor gain = torch::min(ratio * a, torch::clamp(ratio, 1 - objective.clip, 1 + objective.clip) * a);
    const Tensor entropy = (-(log_p.exp() * log_p.masked_fill(barred, 0.0)).sum(1) * w).sum();
    Tensor loss = -(gain * w).sum() - objective.entropy_bonus * entropy;
    if (objective.entropy_floor > 0) loss = loss + torch::relu(objective.entropy_floor - entropy);
    return {loss, entropy};
}

struct Evaluated {
    double loss = 0, entropy = 0;
    Tensor gradient;  // in doubles
};

Evaluated evaluate(const Architecture& architecture, Tensor weights, const Features& features, std::span<const Rollout* const> rollouts,
                   const Objective& objective) {
    weights.requires_grad_(true);
    const Loss loss = loss_of(Net(architecture, weights, features).logits(), rollouts, objective);
    const auto gradient = torch::autograd::grad({loss.loss}, {weights});
    return {loss.loss.item<double>(), loss.entropy.item<double>(), gradient.front().contiguous()};
}

}  // namespace

void use_threads(int threads) { at::set_num_threads(threads); }

std::vector<double> torch_logits(const Architecture& architecture, std::span<const double> weights, const Features& features,
                                 bool doubles) {
    const c10::InferenceMode guard;
    const Tensor given = torch::tensor(at::ArrayRef<double>(weights.data(), weights.size()), torch::kFloat64);
    const Tensor result =
        Net(architecture, doubles ? given : given.to(torch::kFloat32), features).logits().to(torch::kFloat64).contiguous();
    return {result.data_ptr<double>(), result.data_ptr<double>() + result.numel()};
}

ExactGradient exact_gradient(const Architecture& architecture, std::span<const double> weights, const Features& features,
                             std::span<const Rollout* const> rollouts, const Objective& objective) {
    const Tensor given = torch::tensor(at::ArrayRef<double>(weights.data(), weights.size()), torch::kFloat64);
    const Evaluated result = evaluate(architecture, given, features, rollouts, objective);
    const auto* values = result.gradient.data_ptr<double>();
    return {result.loss, result.entropy, {values, values + result.gradient.numel()}};
}

Gradient ppo_gradient(const Architecture& architecture, std::span<const float> weights, const Features& features,
                      std::span<const Rollout* const> rollouts, const Objective& objective) {
    const Tensor given = torch::tensor(at::ArrayRef<float>(weights.data(), weights.size()), torch::kFloat32);
    const Evaluated result = evaluate(architecture, given, features, rollouts, objective);
    const auto* values = result.gradient.data_ptr<float>();
    return {result.loss, result.entropy, {values, values + result.gradient.numel()}};
}

}  // namespace sluice::trainer
