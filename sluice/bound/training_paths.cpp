#include "sluice/bound/training_paths.hpp"

#include <algorithm>

namespace sluice::bound {

namespace {

constexpr std::size_t kNewPaths = 6;  // that join in a step
constexpr std::size_t kMostWindows = 64;

}  // namespace

TrainingPaths::TrainingPaths(const cost::TrainingProblem& problem, TrainingObjective objective) : problem_(problem) {
    for (const cost::DeviceCosts& device : problem.structure.classes) devices_ += static_cast<double>(device.count);
    if (objective != TrainingObjective::iteration) return;
    find_feeders();
    find_windows();
}

void TrainingPaths::find_feeders() {
    const cost::StageProblem& structure = problem_.structure;
    feeders_.resize(problem_.node_count());
    for (std::size_t e = 0; e < structure.edge_count(); ++e) {
        if (!structure.producer[e].valid()) continue;
        for (const NodeId reader : structure.consumers[e])
            feeders_[reader.index()].push_back({structure.producer[e], problem_.has_gradient[e] != 0});
    }
}

void TrainingPaths::find_windows() {
    const cost::StageProblem& structure = problem_.structure;
    const std::size_t n = problem_.node_count(), stride = (n + kMostWindows - 1) / kMostWindows;
    for (std::size_t v = n; v > 0; v = v > stride ? v - stride : 0) {
        TrainingWindow window{NodeId(v - 1), std::vector<char>(n, 0), std::vector<char>(n, 0)};
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

double TrainingPaths::behind(const TrainingWindow& window, const Choice& choice) const {
    double total = 0;
    for (std::size_t v = 0; v < choice.size(); ++v) {
        const Option& o = *choice[v];
        const auto replicas = static_cast<double>(o.replicas);
        if (window.behind[v] != 0) total += replicas * o.behind();
        if (window.whole[v] != 0) total += replicas * o.times * o.forward;
    }
    return total / devices_;
}

TrainingPath TrainingPaths::best_window(const Choice& choice, const std::vector<double>& weight, const std::vector<double>& behind) const {
    std::vector<double> forth(choice.size(), 0);
    std::vector<NodeId> before(choice.size());
    for (std::size_t v = 0; v < choice.size(); ++v) {
        for (const auto& [u, gradient] : feeders_[v])
            if (forth[u.index()] > forth[v]) forth[v] = forth[u.index()], before[v] = u;
        forth[v] += weight[v] * choice[v]->forward;
    }
    TrainingPath path;
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

double TrainingPaths::length_of(const TrainingPath& path, const Choice& choice, double limit) const {
    double length = 0;
    if (path.window) {
        for (const NodeId node : path.nodes) length += choice[node.index()]->forward;
        return (length + behind(*path.window, choice)) / limit;
    }
    for (std::size_t i = 0; i < path.nodes.size(); ++i) {
        const Option& o = *choice[path.nodes[i].index()];
        const double times = i + 1 == path.nodes.size() ? o.times : 1;
        length += times * (o.forward + (i >= path.turn ? o.input : 0) + (i == path.turn ? o.weight : 0));
        if (i == path.turn) length += o.reduce + o.step;
    }
    return length / limit;
}

void TrainingPaths::add_longest(std::vector<TrainingPath>& paths, const Choice& choice, double limit) const {
    std::vector<double> behind_windows;
    for (const TrainingWindow& window : windows_) behind_windows.push_back(behind(window, choice));
    for (const bool windows : {false, true}) {
        std::vector<double> weight(choice.size(), 1);
        for (std::size_t round = 0; round < kNewPaths; ++round) {
            TrainingPath path = windows ? best_window(choice, weight, behind_windows) : longest_path(choice, weight);
            if (length_of(path, choice, limit) <= 1) break;
            for (const NodeId node : path.nodes) weight[node.index()] *= 0.7;
            const auto same = [&](const TrainingPath& other) {
                return other.window == path.window && other.turn == path.turn && other.nodes == path.nodes;
            };
            if (std::ranges::none_of(paths, same)) paths.push_back(std::move(path));
        }
    }
}

TrainingPath TrainingPaths::longest_path(const Choice& choice, const std::vector<double>& weight) const {
    const std::size_t n = choice.size();
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
            const Option& o = *choice[u.index()];
            const double w = weight[u.index()];
            if (const double length = forth[u.index()].length + w * o.forward; length > forth[v].length) forth[v] = {length, u};
            if (!gradient) continue;
            const double turn = forth[u.index()].length + w * (o.forward + o.input + o.weight + o.reduce + o.step);
            if (turn > back[v].length) back[v] = {turn, u}, turned[v] = 1;
            const double through = back[u.index()].length + w * (o.forward + o.input);
            if (through > back[v].length) back[v] = {through, u}, turned[v] = 0;
        }
        const Option& o = *choice[v];
        const double here = forth[v].length + weight[v] * (o.total() + o.reduce + o.step);
        const double above = back[v].length + weight[v] * o.times * (o.forward + o.input);
        if (std::max(here, above) <= longest) continue;
        longest = std::max(here, above);
        end = NodeId(v);
        turns_there = here >= above;
    }
    TrainingPath path;
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

}  // namespace sluice::bound
