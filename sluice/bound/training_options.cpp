#include "sluice/bound/training_options.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace sluice::bound {

NodeOptions::NodeOptions(const cost::TrainingProblem& problem, TrainingObjective objective, std::optional<std::int64_t> micro_batch)
    : problem_(problem), iteration_(objective == TrainingObjective::iteration), micro_batch_(micro_batch), kind_of_(problem.node_count()) {
    std::map<std::vector<std::int64_t>, std::size_t> known;
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        find_parameters(v);
        const auto [place, fresh] = known.emplace(signature(v), kinds_.size());
        kind_of_[v] = place->second;
        if (fresh) kinds_.push_back(options_of(v));
    }
}

void NodeOptions::find_parameters(std::size_t v) {
    all_ = own_ = {};
    for (const WeightId weight : problem_.structure.weights[v]) {
        const auto w = weight.index();
        const auto add = [&](Parameters& to) {
            to.state += static_cast<double>(problem_.state[w].count);
            to.gradient += static_cast<double>(problem_.weight_gradient[w].count);
            if (problem_.weight_gradient[w].count > 0) to.updated += static_cast<double>(problem_.state[w].count);
        };
        add(all_);
        if (problem_.structure.weight_users[w].front() == NodeId(v)) add(own_);
    }
}

std::vector<std::int64_t> NodeOptions::signature(std::size_t v) const {
    std::vector<std::int64_t> key{problem_.kept[v].count};
    for (const Parameters& one : {all_, own_})
        for (const double part : {one.state, one.gradient, one.updated}) key.push_back(std::llround(part));
    for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
        key.push_back(problem_.structure.classes[c].supported.contains(v) ? 1 : 0);
        for (const cost::OperatorPasses& passes : problem_.classes[c].passes[v])
            for (const cost::PassCost* pass : {&passes.forward, &passes.input_gradient, &passes.weight_gradient})
                key.insert(key.end(), {pass->arithmetic_fixed, pass->arithmetic_per_sample, pass->memory_fixed, pass->memory_per_sample,
                                       pass->launch});
    }
    return key;
}

double NodeOptions::all_reduce(double bytes, std::int64_t replicas, bool latencies) const {
    if (bytes == 0 || replicas == 1) return 0;
    const cost::Interconnect& net = problem_.interconnect;
    platform::Link best = net.inside;
    if (net.devices_per_node > 0) {
        const bool fits = replicas <= net.devices_per_node;
        best.rate = fits ? std::max(best.rate, net.between.rate) : net.between.rate;
        best.latency = fits ? std::min(best.latency, net.between.latency) : net.between.latency;
    }
    const auto r = static_cast<double>(replicas);
    return 2 * (r - 1) *
           (bytes / r * 1e12 / static_cast<double>(best.rate.bytes_per_second) +
            (latencies ? static_cast<double>(best.latency.count()) : 0));
}

std::vector<Option> NodeOptions::options_of(std::size_t v) const {
    std::vector<Option> options;
    for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
        if (!problem_.structure.classes[c].supported.contains(v)) continue;
        for (std::int64_t b = 1; b <= problem_.options.mini_batch; ++b) {
            if (problem_.options.mini_batch % b != 0 || b != micro_batch_.value_or(b)) continue;
            for (std::int64_t r = 1; r <= problem_.structure.classes[c].count;) {
                const std::int64_t s = (b + r - 1) / r;
                if (const auto option = option_of(v, c, b, r, s)) options.push_back(*option);
                if (r > kDense && s == 1) break;
                r = r > kDense ? (b + s - 2) / (s - 1) : r + 1;
            }
        }
    }
    return options;
}

std::optional<Option> NodeOptions::option_of(std::size_t v, std::size_t c, std::int64_t b, std::int64_t r, std::int64_t s) const {
    const cost::TrainingDevice& device = problem_.classes[c];
    Option made{.device = static_cast<std::uint32_t>(c), .replicas = r, .times = static_cast<double>(problem_.options.mini_batch / b)};
    const double kept = static_cast<double>(problem_.kept[v].count) * static_cast<double>(s);
    if (device.limited) {
        if (all_.state + kept > static_cast<double>(device.memory.count)) return std::nullopt;
        if (device.memory.count > 0) made.memory = (own_.state + kept) / static_cast<double>(device.memory.count);
    }
    for (const cost::OperatorPasses& passes : device.passes[v]) {
        made.forward += static_cast<double>(passes.forward.at(s).count());
        made.input += static_cast<double>(passes.input_gradient.at(s).count());
        made.weight += static_cast<double>(passes.weight_gradient.at(s).count());
    }
    const auto rate = static_cast<double>(device.memory_rate.bytes_per_second);
    made.reduce = all_reduce(all_.gradient, r, true);
    made.step = rate > 0 ? 2 * all_.updated * 1e12 / rate : 0;
    made.links = all_reduce(own_.gradient, r, false);
    made.work = made.total() + (rate > 0 ? 2 * own_.updated * 1e12 / rate : 0);
    const bool serial = problem_.structure.model == cost::StageModel::serial;
    if (!iteration_ && serial) made.work += made.links;
    made.needs = iteration_ || serial ? made.total() + made.step + made.reduce : std::max(made.total() + made.step, made.reduce);
    return made;
}

}  // namespace sluice::bound
