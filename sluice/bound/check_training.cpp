#include "sluice/bound/check_training.hpp"

#include <algorithm>
#include <format>
#include <optional>

#include "sluice/bound/check_terms.hpp"

namespace sluice::bound {

namespace {

using Wide = CheckedWide;
using cost::TrainingProblem;

constexpr Wide kDevice = Wide{1} << 32;  // a device, in the units of shares
/// Of what all paths may cost together, and of one option: sums over any number of nodes stay within 128 bits.
constexpr Wide kLargestCost = Wide{1} << 92;

/// What a node's parameters take: of all that it uses, and of those that count for it.
struct Parameters {
    Wide state = 0, gradient = 0, updated = 0;
    void add(const TrainingProblem& problem, WeightId weight) {
        const std::int64_t bytes = problem.state[weight.index()].count;
        state += bytes;
        gradient += problem.weight_gradient[weight.index()].count;
        if (problem.weight_gradient[weight.index()].count > 0) updated += bytes;
    }
};

/// What paths and windows charge an option of a node: price times these.
struct Charges {
    Wide forward = 0, input = 0, weight = 0, end = 0;                    // once
    Wide repeated_forward = 0, repeated_input = 0, repeated_weight = 0;  // m times
    Wide all_forward = 0, all_backward = 0;                              // m times on each of r devices
};

class Check {
public:
    Check(const TrainingProblem& problem, const TrainingCertificate& certificate)
        : problem_(problem),
          witness_(certificate.witness),
          iteration_(certificate.objective == TrainingObjective::iteration),
          batch_(problem.options.mini_batch),
          micro_batch_(certificate.micro_batch),
          limit_(Wide{certificate.value.count() - 1} * (iteration_ ? 1 : batch_)),
          charges_(problem.node_count()) {}

    std::optional<Diagnostic> run() {
        if (limit_ >= kLargestTotal.count()) return objection("the bound is above everything that is counted");
        if (auto fault = fault_of_classes()) return fault;
        if (auto fault = charge_paths()) return fault;
        if (auto fault = charge_windows()) return fault;
        if (auto fault = find_micro_batches()) return fault;
        Wide total = 0;
        for (std::size_t v = 0; v < problem_.node_count(); ++v) {
            const std::optional<Wide> least = least_cost(v);
            if (!least) return std::nullopt;  // this node alone takes longer
            total += *least;
        }
        if (total > budget_) return std::nullopt;
        return objection(std::format("the witness does not refute plans of {} ps: the cheapest options cost {:.9f} of what there is",
                                     static_cast<std::int64_t>(limit_), static_cast<double>(total) / static_cast<double>(budget_)));
    }

private:
    std::optional<Diagnostic> find_micro_batches() {
        if (micro_batch_) {
            if (*micro_batch_ < 1 || batch_ % *micro_batch_ != 0)
                return objection(
                    std::format("the bound is on micro-batches of {}, which do not divide the mini-batch of {}", *micro_batch_, batch_));
            micro_batches_ = {*micro_batch_};
            return std::nullopt;
        }
        for (std::int64_t b = 1; b * b <= batch_; ++b)
            if (batch_ % b == 0) {
                micro_batches_.push_back(b);
                if (b != batch_ / b) micro_batches_.push_back(batch_ / b);
            }
        return std::nullopt;
    }

    std::optional<Diagnostic> fault_of_classes() {
        if (witness_.classes.size() != problem_.classes.size())
            return objection(
                std::format("prices of {} device classes, the problem has {}", witness_.classes.size(), problem_.classes.size()));
        for (std::size_t c = 0; c < witness_.classes.size(); ++c) {
            const TrainingWitness::ClassPrice& one = witness_.classes[c];
            if (one.price < 0 || one.price > kLargestTrainingPrice)
                return objection(std::format("class {} has the price {}, expected 0 to {}", c, one.price, kLargestTrainingPrice));
            for (const std::int64_t share : {one.work, one.links, one.memory})
                if (share < 0 || share > kTrainingShares)
                    return objection(std::format("class {} counts a share of {}, expected 0 to {}", c, share, kTrainingShares));
            if (one.work + one.links + one.memory > kTrainingShares)
                return objection(std::format("class {} counts more than {} shares together", c, kTrainingShares));
            if (serial_bottleneck() && one.links > 0) return objection("links are part of work in the serial model");
            if (one.memory > 0 && !problem_.classes[c].limited)
                return objection(std::format("class {} counts memory, which has no limit there", c));
            for (const std::int64_t rounding : one.roundings)
                if (rounding < 0 || rounding > kLargestRounding)
                    return objection(std::format("class {} has the rounding {}, expected 0 to {}", c, rounding, kLargestRounding));
            budget_ += Wide{one.price} * problem_.structure.classes[c].count * kDevice;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool feeds(NodeId from, NodeId to, bool gradient) const {
        return std::ranges::any_of(problem_.structure.outputs[from.index()], [&](EdgeId edge) {
            return (!gradient || problem_.has_gradient[edge.index()] != 0) &&
                   std::ranges::binary_search(problem_.structure.consumers[edge.index()], to);
        });
    }

    [[nodiscard]] std::optional<Diagnostic> fault_of_path(const std::vector<NodeId>& nodes, std::size_t turn) const {
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (!nodes[i].valid() || nodes[i].index() >= problem_.node_count())
                return objection(std::format("a path names node {}, the problem has {}", nodes[i].index(), problem_.node_count()));
            if (i > 0 && !feeds(nodes[i - 1], nodes[i], i > turn))
                return objection(std::format("node {} does not {} node {}", nodes[i - 1].index(),
                                             i > turn ? "get its gradient from" : "feed", nodes[i].index()));
        }
        return std::nullopt;
    }
    /// Books a price for T; false: all together leave what can be added up.
    [[nodiscard]] bool affordable(Wide price) {
        if (price > kLargestCost) return false;
        spent_ += price * std::max<Wide>(limit_, 1);
        return spent_ <= kLargestCost;
    }

    std::optional<Diagnostic> charge_windows() {
        if (!iteration_ && !witness_.windows.empty()) return objection("a window bounds the iteration time, not the bottleneck");
        Wide devices = 0;
        for (const cost::DeviceCosts& device : problem_.structure.classes) devices += device.count;
        for (const TrainingWitness::Window& window : witness_.windows) {
            if (window.price < 0) return objection(std::format("a window has the price {}", window.price));
            if (window.nodes.empty()) return objection("a window follows no node");
            if (auto fault = fault_of_path(window.nodes, window.nodes.size())) return fault;
            if (!affordable(devices * window.price)) return objection("prices are too large to add up");
            for (const NodeId node : window.nodes) charges_[node.index()].forward += devices * window.price;
            charge_after(window.nodes.back(), window.price);
            budget_ += devices * window.price * limit_;
        }
        return std::nullopt;
    }
    /// What cannot begin before samples have passed forward through `last`. Nodes are numbered in a topological order.
    void charge_after(NodeId last, std::int64_t price) {
        const cost::StageProblem& structure = problem_.structure;
        const std::size_t n = problem_.node_count();
        std::vector<char> above(n, 0), below(n, 0);  // gets its gradient from `last`; fed by it
        above[last.index()] = below[last.index()] = 1;
        for (std::size_t v = last.index(); v-- > 0;)
            for (const EdgeId edge : structure.outputs[v])
                if (problem_.has_gradient[edge.index()] != 0)
                    for (const NodeId reader : structure.consumers[edge.index()])
                        above[v] = static_cast<char>(above[v] | above[reader.index()]);
        for (std::size_t v = last.index() + 1; v < n; ++v)
            for (const NodeId feeder : structure.predecessors[v]) below[v] = static_cast<char>(below[v] | below[feeder.index()]);
        for (std::size_t v = 0; v < n; ++v) {
            if (above[v] != 0 || below[v] != 0) charges_[v].all_backward += price;
            if (below[v] != 0 && v != last.index()) charges_[v].all_forward += price;
        }
    }

    std::optional<Diagnostic> charge_paths() {
        if (!iteration_ && !witness_.paths.empty()) return objection("a path bounds the iteration time, not the bottleneck");
        for (const TrainingWitness::Path& path : witness_.paths) {
            if (path.price < 0) return objection(std::format("a path has the price {}", path.price));
            if (path.nodes.empty() || path.turn >= path.nodes.size())
                return objection(std::format("a path of {} nodes turns at {}", path.nodes.size(), path.turn));
            if (auto fault = fault_of_path(path.nodes, path.turn)) return fault;
            if (!affordable(path.price)) return objection("prices are too large to add up");
            for (std::size_t i = 0; i < path.nodes.size(); ++i) charge(charges_[path.nodes[i].index()], path, i);
            budget_ += Wide{path.price} * limit_;
        }
        return std::nullopt;
    }
    static void charge(Charges& charges, const TrainingWitness::Path& path, std::size_t i) {
        const bool last = i + 1 == path.nodes.size();
        (last ? charges.repeated_forward : charges.forward) += path.price;
        if (i < path.turn) return;
        (last ? charges.repeated_input : charges.input) += path.price;
        if (i > path.turn) return;
        (last ? charges.repeated_weight : charges.weight) += path.price;
        charges.end += path.price;
    }

    [[nodiscard]] bool serial_bottleneck() const { return !iteration_ && problem_.structure.model == cost::StageModel::serial; }

    /// A ring over so many devices wherever they are, `bytes` of gradients; rounded up, or without latencies and down.
    [[nodiscard]] Wide all_reduce(Wide bytes, std::int64_t replicas, bool whole) const {
        if (bytes == 0 || replicas == 1) return 0;
        const cost::Interconnect& net = problem_.interconnect;
        std::int64_t rate = net.inside.rate.bytes_per_second, latency = net.inside.latency.count();
        if (net.devices_per_node > 0) {
            const bool fits = replicas <= net.devices_per_node;
            rate = std::max(fits ? rate : 0, net.between.rate.bytes_per_second);
            latency = fits ? std::min(latency, net.between.latency.count()) : net.between.latency.count();
        }
        const Wide steps = Wide{2} * (replicas - 1), over = Wide{replicas} * rate;
        const Wide time = steps * bytes;  // of which each second carries `over`
        // Seconds and what is left apart: the product with picoseconds alone would be too large.
        const Wide seconds = time / over, rest = time % over * kPicosecondsPerSecond;
        if (!whole) return seconds * kPicosecondsPerSecond + rest / over;
        return seconds * kPicosecondsPerSecond + round_up(rest, over) + steps * latency;
    }
    [[nodiscard]] Wide step(Wide updated, std::size_t c, bool whole) const {
        const std::int64_t rate = problem_.classes[c].memory_rate.bytes_per_second;
        if (rate <= 0) return 0;
        return whole ? round_up(2 * updated * kPicosecondsPerSecond, rate) : 2 * updated * kPicosecondsPerSecond / rate;
    }

    static Wide rounded(Wide share, std::int64_t k) {
        if (k == 0) return share;
        const Wide scaled = (k + 1) * share;
        return scaled % kDevice == 0 ? share : scaled / kDevice * kDevice / k;
    }

    [[nodiscard]] std::optional<Wide> least_cost(std::size_t v) const {
        Parameters all, own;
        for (const WeightId weight : problem_.structure.weights[v]) {
            all.add(problem_, weight);
            if (problem_.structure.weight_users[weight.index()].front() == NodeId(v)) own.add(problem_, weight);
        }
        std::optional<Wide> least;
        for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
            if (!problem_.structure.classes[c].supported.contains(v)) continue;
            const auto dense = static_cast<std::int64_t>(witness_.classes[c].roundings.size());
            for (const std::int64_t b : micro_batches_)
                for (std::int64_t r = 1; r <= problem_.structure.classes[c].count;) {
                    const std::int64_t s = (b + r - 1) / r;
                    const std::optional<Wide> cost = cost_of(v, c, b, r, all, own);
                    if (cost && (!least || *cost < *least)) least = cost;
                    // Beyond the roundings: the next r with fewer samples each.
                    if (r > dense && s == 1) break;
                    r = r > dense ? (b + s - 2) / (s - 1) : r + 1;
                }
        }
        return least;
    }

    /// nullopt: not within the limit.
    [[nodiscard]] std::optional<Wide> cost_of(std::size_t v, std::size_t c, std::int64_t b, std::int64_t r, const Parameters& all,
                                              const Parameters& own) const {
        const std::int64_t m = batch_ / b, s = (b + r - 1) / r;
        const cost::TrainingDevice& device = problem_.classes[c];
        const TrainingWitness::ClassPrice& price = witness_.classes[c];
        const Wide kept = Wide{problem_.kept[v].count} * s;
        if (device.limited && all.state + kept > device.memory.count) return std::nullopt;
        Wide forward = 0, input = 0, weight = 0;
        for (const cost::OperatorPasses& passes : device.passes[v]) {
            forward += passes.forward.at(s).count();
            input += passes.input_gradient.at(s).count();
            weight += passes.weight_gradient.at(s).count();
        }
        const Wide time = m * (forward + input + weight), reduce = all_reduce(all.gradient, r, true), end = step(all.updated, c, true);
        const bool beside = !iteration_ && !serial_bottleneck();
        if (time + end + (beside ? 0 : reduce) > limit_ || reduce > limit_) return std::nullopt;

        const Wide own_reduce = all_reduce(own.gradient, r, false);
        const Wide own_step = step(own.updated, c, false), work = time + own_step + (serial_bottleneck() ? own_reduce : 0);
        Wide share = 0;
        const auto add = [&](std::int64_t part, Wide amount, Wide of) {
            if (part > 0 && amount > 0) share += amount * part * kDevice / (of * kTrainingShares);
        };
        add(price.work, work, limit_);
        add(price.links, own_reduce, limit_);
        add(price.memory, own.state + kept, device.memory.count);
        const auto at = static_cast<std::size_t>(r - 1);
        const Wide devices = rounded(share, at < price.roundings.size() ? price.roundings[at] : 0);

        const Charges& charges = charges_[v];
        return price.price * r * devices + charges.forward * forward + charges.input * input + charges.weight * weight +
               charges.end * (reduce + end) +
               m * (charges.repeated_forward * forward + charges.repeated_input * input + charges.repeated_weight * weight) +
               r * (charges.all_forward * m * forward + charges.all_backward * (m * (input + weight) + own_step));
    }

    const TrainingProblem& problem_;
    const TrainingWitness& witness_;
    const bool iteration_;
    const std::int64_t batch_;
    const std::optional<std::int64_t> micro_batch_;
    const Wide limit_;  // C
    Wide budget_ = 0, spent_ = 0;
    std::vector<Charges> charges_;
    std::vector<std::int64_t> micro_batches_;
};

}  // namespace

std::vector<Diagnostic> check_training(const TrainingProblem& problem, const TrainingCertificate& certificate) {
    if (certificate.problem != problem.fingerprint)
        return {objection("the certificate is for another problem")
                    .note(std::format("it names problem '{}', this one is '{}'", certificate.problem, problem.fingerprint))};
    if (certificate.value < Duration{0}) return {objection("the bound is negative")};
    if (certificate.value == Duration{0}) return {};
    if (auto fault = Check(problem, certificate).run()) return {*std::move(fault)};
    return {};
}

}  // namespace sluice::bound
