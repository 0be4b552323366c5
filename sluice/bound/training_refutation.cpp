#include "sluice/bound/training_refutation.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace sluice::bound {

namespace {

constexpr std::int64_t kRoundings = 12;  // the largest one tried
constexpr int kSteps = 80;               // of the multipliers for one value
constexpr int kPatience = 16;            // steps without anything better

}  // namespace

TrainingRefutation::TrainingRefutation(const cost::TrainingProblem& problem, TrainingObjective objective,
                                       std::optional<std::int64_t> micro_batch)
    : problem_(problem),
      objective_(objective),
      options_(problem, objective, micro_batch),
      paths_(problem, objective),
      choice_(problem.node_count()),
      chosen_devices_(problem.node_count()),
      charges_(problem.node_count()) {}

double TrainingRefutation::rounded(double share, std::int64_t k) {
    if (k == 0) return share;
    const double scaled = static_cast<double>(k + 1) * share;
    const double whole = std::floor(scaled);
    // Close below a step the checker may come out under it: take the lower value on both sides.
    return scaled - whole < 1e-6 ? std::max(whole - 1, 0.0) / static_cast<double>(k) : whole / static_cast<double>(k);
}

double TrainingRefutation::share_of(const Option& option) const {
    const TrainingPrices::Class& price = prices_.classes[option.device];
    return price.work * option.work / limit_ + price.links * option.links / limit_ + price.memory * option.memory;
}

double TrainingRefutation::device_cost(const Option& option, double share, std::int64_t k) const {
    return prices_.classes[option.device].price * static_cast<double>(option.replicas) * rounded(share, k);
}

std::int64_t TrainingRefutation::rounding_of(const Option& option) const {
    return option.replicas > kDense ? 0 : prices_.classes[option.device].roundings[static_cast<std::size_t>(option.replicas - 1)];
}

bool TrainingRefutation::find_candidates() {
    candidates_.assign(options_.kinds().size(), {});
    for (std::size_t kind = 0; kind < candidates_.size(); ++kind) {
        std::vector<Candidate>& list = candidates_[kind];
        for (const Option& option : options_.kinds()[kind])
            if (option.needs <= limit_) list.push_back({device_cost(option, share_of(option), rounding_of(option)), &option});
        if (list.empty()) return false;
        std::ranges::stable_sort(list, {}, &Candidate::devices);
        double forward = kInfinite, total = kInfinite, reduce = kInfinite;
        std::erase_if(list, [&](const Candidate& candidate) {
            const Option& o = *candidate.option;
            if (o.forward >= forward && o.total() >= total && o.reduce >= reduce) return true;
            forward = std::min(forward, o.forward);
            total = std::min(total, o.total());
            reduce = std::min(reduce, o.reduce);
            return false;
        });
    }
    return true;
}

void TrainingRefutation::charge_nodes() {
    std::ranges::fill(charges_, Charges{});
    for (const TrainingPath& path : prices_.paths)
        for (std::size_t i = 0; i < path.nodes.size(); ++i) {
            Charges& charges = charges_[path.nodes[i].index()];
            const double price = path.price / limit_;
            if (path.window) {
                charges.forward += price;
                continue;
            }
            const bool last = i + 1 == path.nodes.size();
            (last ? charges.repeated_forward : charges.forward) += price;
            if (i < path.turn) continue;
            (last ? charges.repeated_input : charges.input) += price;
            if (i > path.turn) continue;
            (last ? charges.repeated_weight : charges.weight) += price;
            charges.end += price;
        }
    for (const TrainingPath& path : prices_.paths)
        for (std::size_t v = 0; path.window && v < charges_.size(); ++v) {
            const double price = path.price / limit_ / devices();
            if (path.window->behind[v] != 0) charges_[v].all_backward += price;
            if (path.window->whole[v] != 0) charges_[v].all_forward += price;
        }
}

double TrainingRefutation::budget() const {
    double budget = 0;
    for (std::size_t c = 0; c < prices_.classes.size(); ++c)
        budget += prices_.classes[c].price * static_cast<double>(problem_.structure.classes[c].count);
    for (const TrainingPath& path : prices_.paths) budget += path.price;
    return budget;
}

double TrainingRefutation::excess() {
    charge_nodes();
    double total = 0;
    for (std::size_t v = 0; v < choice_.size(); ++v) {
        if (prices_.classes.size() == 1 && charges_[v] == Charges{}) {
            const Candidate& cheapest = candidates_[options_.kind_of()[v]].front();
            choice_[v] = cheapest.option;
            total += chosen_devices_[v] = cheapest.devices;
            continue;
        }
        double least = kInfinite;
        for (const Candidate& candidate : candidates_[options_.kind_of()[v]]) {
            const double cost = candidate.devices + charges_[v].of(*candidate.option);
            if (cost < least) {
                least = cost;
                choice_[v] = candidate.option;
                chosen_devices_[v] = candidate.devices;
            }
        }
        total += least;
    }
    return total - budget();
}

bool TrainingRefutation::refute(double limit, const TrainingPrices& start) {
    limit_ = limit;
    prices_ = start;
    if (!find_candidates()) return true;
    const double enough = 1e-7 * budget();
    if (raise_paths(enough)) return true;
    for (int round = 0; round < 2; ++round) {
        const TrainingPrices before = prices_;
        if (!choose_roundings()) return false;
        find_candidates();
        if (raise_paths(enough)) return true;
    }
    return false;
}

bool TrainingRefutation::raise_paths(double enough) {
    TrainingPrices best = prices_;
    double most = -kInfinite;
    for (int step = 0, better = 0; step < kSteps && step < better + kPatience; ++step) {
        const double over = excess();
        if (over > most + 1e-4 * enough) better = step;
        if (over > most) {
            most = over;
            best = prices_;
        }
        if (over > enough) return true;
        if (objective_ == TrainingObjective::bottleneck && prices_.classes.size() == 1) break;
        if (objective_ == TrainingObjective::iteration) paths_.add_longest(prices_.paths, choice_, limit_);
        std::vector<double> gradient;
        for (const TrainingPath& path : prices_.paths) gradient.push_back(paths_.length_of(path, choice_, limit_) - 1);
        for (std::size_t c = 0; prices_.classes.size() > 1 && c < prices_.classes.size(); ++c) {
            double used = -static_cast<double>(problem_.structure.classes[c].count);
            for (std::size_t v = 0; v < choice_.size(); ++v)
                if (choice_[v]->device == c) used += chosen_devices_[v] / std::max(1e-9, prices_.classes[c].price);
            gradient.push_back(used);
        }
        const double norm = std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0);
        if (norm < 1e-12) break;
        const double length = (2e-3 * budget() - over) / norm;
        bool moved = false;
        std::size_t at = 0;
        const auto move = [&](double& price, double least) {
            const double to = std::max(least, price + length * gradient[at++]);
            moved = moved || std::abs(to - price) > 1e-9;
            price = to;
        };
        for (TrainingPath& path : prices_.paths) move(path.price, 0);
        if (prices_.classes.size() > 1) {
            for (TrainingPrices::Class& one : prices_.classes) {
                const double before = one.price;
                move(one.price, 1e-3);
                scale_candidates(static_cast<std::size_t>(&one - prices_.classes.data()), one.price / before);
            }
        }
        std::erase_if(prices_.paths, [](const TrainingPath& path) { return path.price <= 0; });
        if (!moved) break;
    }
    prices_ = best;
    if (prices_.classes.size() > 1) find_candidates();
    return false;
}

void TrainingRefutation::scale_candidates(std::size_t c, double factor) {
    for (auto& list : candidates_)
        for (Candidate& candidate : list)
            if (candidate.option->device == c) candidate.devices *= factor;
}

bool TrainingRefutation::choose_roundings() {
    charge_nodes();
    bool changed = false;
    for (std::size_t c = 0; c < prices_.classes.size(); ++c) {
        const auto most = static_cast<std::size_t>(std::min<std::int64_t>(kDense, problem_.structure.classes[c].count));
        // Cheapest options: by replicas and rounding, 0 replicas: all others.
        std::vector<std::array<std::array<double, kRoundings + 1>, kDense + 1>> least;
        std::vector<double> nodes;                 // that each entry stands for
        std::map<std::size_t, std::size_t> plain;  // entry of the nodes of a kind that no path charges
        for (std::size_t v = 0; v < choice_.size(); ++v) {
            const std::size_t kind = options_.kind_of()[v];
            if (charges_[v] == Charges{}) {
                const auto [place, fresh] = plain.emplace(kind, nodes.size());
                if (!fresh) {
                    ++nodes[place->second];
                    continue;
                }
            }
            nodes.push_back(1);
            for (auto& row : least.emplace_back()) row.fill(kInfinite);
            for (const Option& option : options_.kinds()[kind]) {
                if (option.needs > limit_) continue;
                const bool here = option.device == c && option.replicas <= kDense;
                const double paths = charges_[v].of(option), share = share_of(option);
                auto& row = least.back()[here ? static_cast<std::size_t>(option.replicas) : 0];
                if (here)
                    for (std::size_t k = 0; k < row.size(); ++k)
                        row[k] = std::min(row[k], paths + device_cost(option, share, static_cast<std::int64_t>(k)));
                else
                    row[0] = std::min(row[0], paths + device_cost(option, share, rounding_of(option)));
            }
        }
        for (std::size_t r = 1; r <= most; ++r) {
            std::array<double, kRoundings + 1> total{};
            for (std::size_t i = 0; i < nodes.size(); ++i) {
                double others = least[i][0][0];
                for (std::size_t other = 1; other <= most; ++other)
                    if (other != r)
                        others = std::min(others, least[i][other][static_cast<std::size_t>(prices_.classes[c].roundings[other - 1])]);
                for (std::size_t k = 0; k < total.size(); ++k) total[k] += nodes[i] * std::min(others, least[i][r][k]);
            }
            std::int64_t& rounding = prices_.classes[c].roundings[r - 1];
            const auto best = std::ranges::max_element(total) - total.begin();
            if (total[static_cast<std::size_t>(best)] <= total[static_cast<std::size_t>(rounding)] + 1e-9) continue;
            rounding = best;
            changed = true;
        }
    }
    return changed;
}

}  // namespace sluice::bound
