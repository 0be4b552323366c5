#include "sluice/bound/training_bound.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <format>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

#include "sluice/bound/check_training.hpp"

namespace sluice::bound {

namespace {

__extension__ using Wide = __int128;
using cost::TrainingProblem;

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr std::int64_t kDense = 16;      // replicas whose roundings are chosen
constexpr std::int64_t kRoundings = 12;  // the largest one tried
constexpr int kSteps = 80;               // of the multipliers for one value
constexpr int kPatience = 16;            // steps without anything better
constexpr std::size_t kNewPaths = 6;     // that join in a step
constexpr std::size_t kMostWindows = 64;
constexpr std::size_t kPolishedOptions = 200'000;  // to try: more take too long
constexpr double kPrecision = 5e-4;

/// How a node can run: so many replicas and samples, and what that takes. Times in picoseconds.
struct Option {
    std::uint32_t device = 0;
    std::int64_t replicas = 1;
    double times = 1;  // micro-batches
    double forward = 0, input = 0, weight = 0;
    double reduce = 0, step = 0;             // of all its parameters
    double work = 0, links = 0, memory = 0;  // of those that count for it: what its share of a device is made of
    double needs = 0;                        // time below which it cannot be
    [[nodiscard]] double total() const { return times * (forward + input + weight); }
    /// Backward passes and the optimiser's step.
    [[nodiscard]] double behind() const { return work - times * forward; }
};

/// What the paths' multipliers charge a node.
struct Charges {
    double forward = 0, input = 0, weight = 0, end = 0;
    double repeated_forward = 0, repeated_input = 0, repeated_weight = 0;
    double all_forward = 0, all_backward = 0;
    [[nodiscard]] double of(const Option& o) const {
        return forward * o.forward + input * o.input + weight * o.weight + end * (o.reduce + o.step) +
               o.times * (repeated_forward * o.forward + repeated_input * o.input + repeated_weight * o.weight) +
               static_cast<double>(o.replicas) * (all_forward * o.times * o.forward + all_backward * o.behind());
    }
    friend bool operator==(const Charges&, const Charges&) = default;
};

struct Path {
    double price = 0;
    std::size_t turn = 0;
    std::vector<NodeId> nodes;
    const struct Window* window = nullptr;  // behind the last node; then there is no turn
};

/// What cannot begin before samples passed forward through a node.
struct Window {
    NodeId node;
    std::vector<char> behind, whole;  // per node: its backward passes; its forward passes, too
};

/// The prices while they are looked for; those of paths per picosecond of C.
struct Prices {
    struct Class {
        double price = 1, work = 1, links = 0, memory = 0;
        std::array<std::int64_t, kDense> roundings{};
    };
    std::vector<Class> classes;
    std::vector<Path> paths;
};

class Options {
public:
    explicit Options(const TrainingProblem& problem, TrainingObjective objective)
        : problem_(problem), iteration_(objective == TrainingObjective::iteration), kind_of_(problem.node_count()) {
        std::map<std::vector<std::int64_t>, std::size_t> known;
        for (std::size_t v = 0; v < problem.node_count(); ++v) {
            find_parameters(v);
            const auto [place, fresh] = known.emplace(signature(v), kinds_.size());
            kind_of_[v] = place->second;
            if (fresh) kinds_.push_back(options_of(v));
        }
    }
    /// Nodes that cost the same have the same options: kinds.
    [[nodiscard]] const std::vector<std::size_t>& kind_of() const { return kind_of_; }
    [[nodiscard]] const std::vector<std::vector<Option>>& kinds() const { return kinds_; }

private:
    struct Parameters {
        double state = 0, gradient = 0, updated = 0;
    };

    void find_parameters(std::size_t v) {
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

    [[nodiscard]] std::vector<std::int64_t> signature(std::size_t v) const {
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

    [[nodiscard]] double all_reduce(double bytes, std::int64_t replicas, bool latencies) const {
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

    [[nodiscard]] std::vector<Option> options_of(std::size_t v) const {
        std::vector<Option> options;
        for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
            if (!problem_.structure.classes[c].supported.contains(v)) continue;
            for (std::int64_t b = 1; b <= problem_.options.mini_batch; ++b) {
                if (problem_.options.mini_batch % b != 0) continue;
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
    [[nodiscard]] std::optional<Option> option_of(std::size_t v, std::size_t c, std::int64_t b, std::int64_t r, std::int64_t s) const {
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

    const TrainingProblem& problem_;
    const bool iteration_;
    Parameters all_, own_;
    std::vector<std::size_t> kind_of_;
    std::vector<std::vector<Option>> kinds_;
};

class Prover {
public:
    Prover(const TrainingProblem& problem, TrainingObjective objective, const Limits& limits)
        : problem_(problem),
          objective_(objective),
          limits_(limits),
          options_(problem, objective),
          choice_(problem.node_count()),
          charges_(problem.node_count()) {
        best_.classes.resize(problem.classes.size());
        find_feeders();
        if (objective == TrainingObjective::iteration) find_windows();
        for (const cost::DeviceCosts& device : problem.structure.classes) devices_ += static_cast<double>(device.count);
    }

    TrainingCertificate run() {
        const double first = simple_bound();
        double low = first, high = kInfinite;
        if (refute(low)) keep(low);
        // Up while it works, then between.
        for (const double factor : {1.02, 1.08, 1.25, 1.6, 2.5, 4.0, 8.0, 16.0}) {
            if (stopped()) break;
            if (!refute(first * factor)) {
                high = first * factor;
                break;
            }
            keep(low = first * factor);
        }
        bisect(low, high);
        try_parts(low);
        return certificate();
    }

private:
    [[nodiscard]] bool stopped() const { return limits_.interrupted() || limits_.out_of_time(); }

    void bisect(double& low, double high) {
        while (high < kInfinite && high > low * (1 + kPrecision) && !stopped()) {
            const double middle = (low + high) / 2;
            if (refute(middle))
                keep(low = middle);
            else
                high = middle;
        }
    }
    void keep(double limit) {
        kept_ = prices_;
        best_ = prices_;
        kept_limit_ = limit;
    }

    /// Also counts what else fills a device.
    void try_parts(double& low) {
        const bool limited = std::ranges::any_of(problem_.classes, &cost::TrainingDevice::limited);
        const bool links = objective_ == TrainingObjective::iteration || problem_.structure.model == cost::StageModel::overlap;
        const Prices start = best_;
        for (const auto& [link, memory] : {std::pair{0.1, 0.0}, {0.3, 0.0}, {0.0, 0.02}, {0.0, 0.1}, {0.0, 0.3}}) {
            if (stopped() || (link > 0 && !links) || (memory > 0 && !limited)) continue;
            const Prices before = best_;
            for (std::size_t c = 0; c < best_.classes.size(); ++c) {
                best_.classes[c].links = link;
                best_.classes[c].memory = problem_.classes[c].limited ? memory : 0;
                best_.classes[c].work = 1 - best_.classes[c].links - best_.classes[c].memory;
            }
            if (refute(low * 1.002)) {
                keep(low *= 1.002);
                for (double high = low * 1.2; !stopped();) {
                    if (!refute(high)) {
                        bisect(low, high);
                        break;
                    }
                    keep(low = high);
                    high *= 1.2;
                }
            } else {
                best_ = before;
            }
        }
    }

    /// All work at its most efficient over all devices, and the slowest node.
    [[nodiscard]] double simple_bound() const {
        double work = 0, longest = 0;
        for (const std::size_t kind : options_.kind_of()) {
            double least = kInfinite, needs = kInfinite;
            for (const Option& option : options_.kinds()[kind]) {
                least = std::min(least, static_cast<double>(option.replicas) * option.work);
                needs = std::min(needs, option.needs);
            }
            work += least;
            longest = std::max(longest, needs);
        }
        return std::max({1.0, work / devices_ * 0.9999, longest * 0.9999});
    }

    // --- prices for one value ----------------------------------------------------------------------------------------

    static double rounded(double share, std::int64_t k) {
        if (k == 0) return share;
        const double scaled = static_cast<double>(k + 1) * share;
        const double whole = std::floor(scaled);
        // Close below a step the checker may come out under it: take the lower value on both sides.
        return scaled - whole < 1e-6 ? std::max(whole - 1, 0.0) / static_cast<double>(k) : whole / static_cast<double>(k);
    }
    [[nodiscard]] double share_of(const Option& option) const {
        const Prices::Class& price = prices_.classes[option.device];
        return price.work * option.work / limit_ + price.links * option.links / limit_ + price.memory * option.memory;
    }
    [[nodiscard]] double device_cost(const Option& option, double share, std::int64_t k) const {
        return prices_.classes[option.device].price * static_cast<double>(option.replicas) * rounded(share, k);
    }
    [[nodiscard]] std::int64_t rounding_of(const Option& option) const {
        return option.replicas > kDense ? 0 : prices_.classes[option.device].roundings[static_cast<std::size_t>(option.replicas - 1)];
    }

    struct Candidate {
        double devices = 0;
        const Option* option = nullptr;
    };

    /// Options within the limit that something can still speak for. False: a node has none.
    bool find_candidates() {
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

    void charge_nodes() {
        std::ranges::fill(charges_, Charges{});
        for (const Path& path : prices_.paths)
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
        for (const Path& path : prices_.paths)
            for (std::size_t v = 0; path.window && v < charges_.size(); ++v) {
                const double price = path.price / limit_ / devices_;
                if (path.window->behind[v] != 0) charges_[v].all_backward += price;
                if (path.window->whole[v] != 0) charges_[v].all_forward += price;
            }
    }

    [[nodiscard]] double budget() const {
        double budget = 0;
        for (std::size_t c = 0; c < prices_.classes.size(); ++c)
            budget += prices_.classes[c].price * static_cast<double>(problem_.structure.classes[c].count);
        for (const Path& path : prices_.paths) budget += path.price;
        return budget;
    }

    /// What the cheapest options cost beyond what there is.
    double excess() {
        charge_nodes();
        double total = 0;
        for (std::size_t v = 0; v < choice_.size(); ++v) {
            if (prices_.classes.size() == 1 && charges_[v] == Charges{}) {
                choice_[v] = candidates_[options_.kind_of()[v]].front();
                total += choice_[v].devices;
                continue;
            }
            double least = kInfinite;
            for (const Candidate& candidate : candidates_[options_.kind_of()[v]]) {
                const double cost = candidate.devices + charges_[v].of(*candidate.option);
                if (cost < least) {
                    least = cost;
                    choice_[v] = candidate;
                }
            }
            total += least;
        }
        return total - budget();
    }

    bool refute(double limit) {
        limit_ = limit;
        prices_ = best_;
        if (!find_candidates()) return true;
        const double enough = 1e-7 * budget();
        if (raise_paths(enough)) return true;
        for (int round = 0; round < 2; ++round) {
            const Prices before = prices_;
            if (!choose_roundings()) return false;
            find_candidates();
            if (raise_paths(enough)) return true;
        }
        return false;
    }

    /// Subgradient steps; true: more than `enough` in excess. Leaves the best prices met.
    bool raise_paths(double enough) {
        Prices best = prices_;
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
            if (objective_ == TrainingObjective::iteration) add_paths();
            std::vector<double> gradient;
            for (const Path& path : prices_.paths) gradient.push_back(length_of(path) - 1);
            for (std::size_t c = 0; prices_.classes.size() > 1 && c < prices_.classes.size(); ++c) {
                double used = -static_cast<double>(problem_.structure.classes[c].count);
                for (const Candidate& chosen : choice_)
                    if (chosen.option->device == c) used += chosen.devices / std::max(1e-9, prices_.classes[c].price);
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
            for (Path& path : prices_.paths) move(path.price, 0);
            if (prices_.classes.size() > 1) {
                for (Prices::Class& one : prices_.classes) {
                    const double before = one.price;
                    move(one.price, 1e-3);
                    scale_candidates(static_cast<std::size_t>(&one - prices_.classes.data()), one.price / before);
                }
            }
            std::erase_if(prices_.paths, [](const Path& path) { return path.price <= 0; });
            if (!moved) break;
        }
        prices_ = best;
        if (prices_.classes.size() > 1) find_candidates();
        return false;
    }
    void scale_candidates(std::size_t c, double factor) {
        for (auto& list : candidates_)
            for (Candidate& candidate : list)
                if (candidate.option->device == c) candidate.devices *= factor;
    }

    /// For each number of replicas in turn the rounding under which the cheapest options cost most.
    bool choose_roundings() {
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

    // --- paths -------------------------------------------------------------------------------------------------------

    void find_feeders() {
        const cost::StageProblem& structure = problem_.structure;
        feeders_.resize(problem_.node_count());
        for (std::size_t e = 0; e < structure.edge_count(); ++e) {
            if (!structure.producer[e].valid()) continue;
            for (const NodeId reader : structure.consumers[e])
                feeders_[reader.index()].push_back({structure.producer[e], problem_.has_gradient[e] != 0});
        }
    }

    /// Nodes that windows may open behind: all of a small problem, of a large one some, the last ones among them.
    void find_windows() {
        const cost::StageProblem& structure = problem_.structure;
        const std::size_t n = problem_.node_count(), stride = (n + kMostWindows - 1) / kMostWindows;
        for (std::size_t v = n; v > 0; v = v > stride ? v - stride : 0) {
            Window window{NodeId(v - 1), std::vector<char>(n, 0), std::vector<char>(n, 0)};
            window.behind[v - 1] = window.whole[v - 1] = 1;
            for (std::size_t u = v; u < n; ++u)
                for (const NodeId feeder : structure.predecessors[u])
                    if (window.whole[feeder.index()] != 0) window.behind[u] = window.whole[u] = 1;
            window.whole[v - 1] = 0;
            std::vector<char> above(n, 0);
            above[v - 1] = 1;
            for (std::size_t u = v - 1; u-- > 0;)
                for (const EdgeId edge : structure.outputs[u])
                    for (const NodeId reader : structure.consumers[edge.index()])
                        if (problem_.has_gradient[edge.index()] != 0 && above[reader.index()] != 0) above[u] = window.behind[u] = 1;
            windows_.push_back(std::move(window));
        }
    }
    [[nodiscard]] double behind(const Window& window) const {
        double total = 0;
        for (std::size_t v = 0; v < choice_.size(); ++v) {
            const Option& o = *choice_[v].option;
            const auto replicas = static_cast<double>(o.replicas);
            if (window.behind[v] != 0) total += replicas * o.behind();
            if (window.whole[v] != 0) total += replicas * o.times * o.forward;
        }
        return total / devices_;
    }
    /// The longest way to a window and what is behind it.
    [[nodiscard]] Path best_window(const std::vector<double>& weight, const std::vector<double>& behind) const {
        std::vector<double> forth(choice_.size(), 0);
        std::vector<NodeId> before(choice_.size());
        for (std::size_t v = 0; v < choice_.size(); ++v) {
            for (const auto& [u, gradient] : feeders_[v])
                if (forth[u.index()] > forth[v]) forth[v] = forth[u.index()], before[v] = u;
            forth[v] += weight[v] * choice_[v].option->forward;
        }
        Path path;
        double most = -1;
        for (std::size_t i = 0; i < windows_.size(); ++i)
            if (const double length = forth[windows_[i].node.index()] + behind[i]; length > most) {
                most = length;
                path.window = &windows_[i];
            }
        for (NodeId at = path.window->node; at.valid(); at = before[at.index()]) path.nodes.push_back(at);
        std::ranges::reverse(path.nodes);
        return path;
    }

    [[nodiscard]] double length_of(const Path& path) const {
        double length = 0;
        if (path.window) {
            for (const NodeId node : path.nodes) length += choice_[node.index()].option->forward;
            return (length + behind(*path.window)) / limit_;
        }
        for (std::size_t i = 0; i < path.nodes.size(); ++i) {
            const Option& o = *choice_[path.nodes[i].index()].option;
            const double times = i + 1 == path.nodes.size() ? o.times : 1;
            length += times * (o.forward + (i >= path.turn ? o.input : 0) + (i == path.turn ? o.weight : 0));
            if (i == path.turn) length += o.reduce + o.step;
        }
        return length / limit_;
    }

    /// The longest path under the present choice; again with its nodes at a discount, so that others join.
    void add_paths() {
        std::vector<double> behind_windows;
        for (const Window& window : windows_) behind_windows.push_back(behind(window));
        for (const bool windows : {false, true}) {
            std::vector<double> weight(choice_.size(), 1);
            for (std::size_t round = 0; round < kNewPaths; ++round) {
                Path path = windows ? best_window(weight, behind_windows) : longest_path(weight);
                if (length_of(path) <= 1) break;
                for (const NodeId node : path.nodes) weight[node.index()] *= 0.7;
                const auto same = [&](const Path& other) {
                    return other.window == path.window && other.turn == path.turn && other.nodes == path.nodes;
                };
                if (std::ranges::none_of(prices_.paths, same)) prices_.paths.push_back(std::move(path));
            }
        }
    }

    [[nodiscard]] Path longest_path(const std::vector<double>& weight) const {
        const std::size_t n = choice_.size();
        struct Reach {
            double length = 0;
            NodeId before;
        };
        std::vector<Reach> forth(n), back(n, {-kInfinite, {}});  // up to a node: without, with the turn before it
        std::vector<char> turned(n, 0);                          // back: the node before is the turn
        double longest = -1;
        NodeId end;
        bool turns_there = true;
        for (std::size_t v = 0; v < n; ++v) {
            for (const auto& [u, gradient] : feeders_[v]) {
                const Option& o = *choice_[u.index()].option;
                const double w = weight[u.index()];
                if (const double length = forth[u.index()].length + w * o.forward; length > forth[v].length) forth[v] = {length, u};
                if (!gradient) continue;
                const double turn = forth[u.index()].length + w * (o.forward + o.input + o.weight + o.reduce + o.step);
                if (turn > back[v].length) back[v] = {turn, u}, turned[v] = 1;
                const double through = back[u.index()].length + w * (o.forward + o.input);
                if (through > back[v].length) back[v] = {through, u}, turned[v] = 0;
            }
            const Option& o = *choice_[v].option;
            const double here = forth[v].length + weight[v] * (o.total() + o.reduce + o.step);
            const double above = back[v].length + weight[v] * o.times * (o.forward + o.input);
            if (std::max(here, above) <= longest) continue;
            longest = std::max(here, above);
            end = NodeId(v);
            turns_there = here >= above;
        }
        Path path;
        std::vector<NodeId>& nodes = path.nodes;
        std::size_t from_end = 0;  // of the turn
        nodes.push_back(end);
        NodeId at = end;
        if (!turns_there)
            for (bool found = false; !found;) {
                found = turned[at.index()] != 0;
                at = back[at.index()].before;
                nodes.push_back(at);
                ++from_end;
            }
        while (forth[at.index()].before.valid()) nodes.push_back(at = forth[at.index()].before);
        std::ranges::reverse(nodes);
        path.turn = nodes.size() - 1 - from_end;
        return path;
    }

    // --- the certificate ---------------------------------------------------------------------------------------------

    [[nodiscard]] TrainingCertificate certificate() const {
        TrainingCertificate made{.problem = problem_.fingerprint, .model = {}, .objective = objective_, .value = {}, .witness = {}};
        double most = 1e-300;
        for (const Prices::Class& one : kept_.classes) most = std::max(most, one.price);
        const double unit = static_cast<double>(1 << 20) / most;
        for (const Prices::Class& one : kept_.classes) {
            TrainingWitness::ClassPrice& price = made.witness.classes.emplace_back();
            price.price = std::llround(one.price * unit);
            price.links = std::llround(one.links * kTrainingShares);
            price.memory = std::llround(one.memory * kTrainingShares);
            price.work = kTrainingShares - price.links - price.memory;
            const auto used = std::ranges::find_if(one.roundings.rbegin(), one.roundings.rend(), [](std::int64_t k) { return k > 0; });
            price.roundings.assign(one.roundings.begin(), used.base());
        }
        for (const Path& path : kept_.paths) {
            const auto price = std::llround(path.price * unit * 0x1p32 / kept_limit_ / (path.window ? devices_ : 1));
            if (price > 0 && path.window) made.witness.windows.push_back({price, path.nodes});
            if (price > 0 && !path.window) made.witness.paths.push_back({price, path.turn, path.nodes});
        }
        const double samples = objective_ == TrainingObjective::iteration ? 1 : static_cast<double>(problem_.options.mini_batch);
        // The last whole time below which everything is refuted, less what floating point made of it.
        for (double slack = 0; slack < 1; slack = std::max(1e-9, 8 * slack)) {
            made.value = Duration{static_cast<std::int64_t>(std::floor(kept_limit_ * (1 - slack) / samples)) + 1};
            if (check_training(problem_, made).empty()) return polished(std::move(made));
        }
        made.value = Duration{0};
        return made;
    }
    /// The same witness may prove a little more.
    [[nodiscard]] TrainingCertificate polished(TrainingCertificate certificate) const {
        std::size_t work = 0;
        for (const std::size_t kind : options_.kind_of()) work += options_.kinds()[kind].size();
        Duration high = certificate.value + certificate.value / 500 + Duration{2};
        while (work < kPolishedOptions && high - certificate.value > certificate.value / 100'000 + Duration{1}) {
            TrainingCertificate more = certificate;
            more.value += (high - certificate.value) / 2;
            if (check_training(problem_, more).empty())
                certificate.value = more.value;
            else
                high = more.value;
        }
        return certificate;
    }

    const TrainingProblem& problem_;
    const TrainingObjective objective_;
    const Limits& limits_;
    const Options options_;
    std::vector<std::vector<Candidate>> candidates_;  // per kind
    std::vector<Candidate> choice_;                   // per node
    std::vector<Charges> charges_;
    std::vector<std::vector<std::pair<NodeId, bool>>> feeders_;  // per node: who, with a gradient back
    std::vector<Window> windows_;
    double devices_ = 0;
    double limit_ = 1, kept_limit_ = 0;
    Prices prices_, best_, kept_;
};

Diagnostic infeasible(std::string message) { return {DiagnosticKind::infeasible, std::move(message), {}, {}, {}}; }

Bytes saturated(Wide bytes) { return {static_cast<std::int64_t>(std::min<Wide>(bytes, std::numeric_limits<std::int64_t>::max()))}; }

/// What cannot be on any device, or on all devices together.
std::optional<Diagnostic> beyond_memory(const TrainingProblem& problem) {
    Wide all = 0, there = 0;
    bool limited = true;
    for (std::size_t c = 0; c < problem.classes.size(); ++c) {
        limited = limited && problem.classes[c].limited;
        there += Wide{problem.classes[c].memory.count} * problem.structure.classes[c].count;
    }
    for (std::size_t v = 0; v < problem.node_count(); ++v) {
        Bytes state, most{-1};
        for (const WeightId weight : problem.structure.weights[v]) {
            state += problem.state[weight.index()];
            if (problem.structure.weight_users[weight.index()].front() == NodeId(v)) all += problem.state[weight.index()].count;
        }
        all += problem.kept[v].count;
        bool fits = false;
        for (std::size_t c = 0; c < problem.classes.size(); ++c) {
            if (!problem.structure.classes[c].supported.contains(v)) continue;
            fits = fits || !problem.classes[c].limited || state + problem.kept[v] <= problem.classes[c].memory;
            most = std::max(most, problem.classes[c].memory);
        }
        if (!fits)
            return infeasible(std::format("operator {} needs {} of one device, which has {}",
                                          problem.structure.operators[v].front().index(), to_text(state + problem.kept[v]), to_text(most)))
                .note(std::format("{} for its parameters, their gradients and the optimiser, {} for one sample", to_text(state),
                                  to_text(problem.kept[v])))
                .fix("an optimiser that keeps less, or devices with more memory");
    }
    if (!limited || all <= there) return std::nullopt;
    return infeasible(std::format("parameters, gradients, optimiser and one sample need {}, all devices together have {}",
                                  to_text(saturated(all)), to_text(saturated(there))))
        .fix("more devices, an optimiser that keeps less, or devices with more memory");
}

}  // namespace

Result<TrainingCertificate> bound_training(const TrainingProblem& problem, TrainingObjective objective, const Limits& limits) {
    if (auto reason = beyond_memory(problem)) return fail(*std::move(reason));
    return Prover(problem, objective, limits).run();
}

}  // namespace sluice::bound
