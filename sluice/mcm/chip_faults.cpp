#include "sluice/mcm/chip_faults.hpp"

#include <algorithm>
#include <format>
#include <map>
#include <set>
#include <utility>

namespace sluice::mcm {

namespace {

class Check {
public:
    Check(const ChipProblem& problem, std::span<const std::uint8_t> assignment) : problem_(problem), assignment_(assignment) {}

    std::vector<Diagnostic> run() {
        if (!fits_problem()) return std::move(faults_);
        edges();
        if (problem_.rules.no_skip) no_skip();
        if (problem_.rules.triangle && !problem_.rules.relay) triangle();
        if (problem_.rules.memory && problem_.sram) memory();
        nogoods();
        return std::move(faults_);
    }

private:
    void fault(std::string message) { faults_.push_back({DiagnosticKind::verification, std::move(message), {}, {}, {}}); }
    [[nodiscard]] const std::string& name(std::size_t v) const { return problem_.names[v]; }

    bool fits_problem() {
        if (assignment_.size() != problem_.node_count()) {
            fault(std::format("{} operators are assigned, the problem has {}", assignment_.size(), problem_.node_count()));
            return false;
        }
        for (std::size_t v = 0; v < assignment_.size(); ++v)
            if (assignment_[v] >= problem_.chips) fault(std::format("'{}' is on chip {} of {}", name(v), assignment_[v], problem_.chips));
        return faults_.empty();
    }

    void edges() {
        for (std::size_t u = 0; u < assignment_.size(); ++u)
            for (const NodeId reader : problem_.costs->successors[u]) {
                const std::size_t v = reader.index();
                const int from = assignment_[u], to = assignment_[v];
                if (from == to) continue;
                transfers_.emplace(std::pair(from, to), std::pair(u, v));
                after_[from].insert(to);
                if (problem_.rules.acyclic && to < from)
                    fault(std::format("'{}' on chip {} reads from '{}' on chip {}: data only moves forward", name(v), to, name(u), from));
                if (problem_.rules.adjacent && to > from + 1)
                    fault(
                        std::format("'{}' on chip {} reads from '{}' on chip {}, which is not the one before", name(v), to, name(u), from));
            }
    }

    void no_skip() {
        for (int chip = 0; chip + 1 < static_cast<int>(problem_.chips); ++chip) {
            const auto later = std::ranges::find_if(assignment_, [&](int other) { return other > chip; });
            if (later != assignment_.end() && std::ranges::find(assignment_, chip) == assignment_.end())
                fault(std::format("chip {} has no operator, but '{}' is on chip {}", chip,
                                  name(static_cast<std::size_t>(later - assignment_.begin())), *later));
        }
    }

    /// The chips that can be reached from `chip` in one hop or more.
    [[nodiscard]] std::set<int> reachable(int chip) const {
        std::set<int> found;
        std::vector<int> open{chip};
        while (!open.empty()) {
            const int from = open.back();
            open.pop_back();
            if (const auto next = after_.find(from); next != after_.end())
                for (const int to : next->second)
                    if (found.insert(to).second) open.push_back(to);
        }
        return found;
    }

    void triangle() {
        for (const auto& [from, targets] : after_)
            for (const int to : targets)
                for (const int via : targets) {
                    if (!reachable(via).contains(to)) continue;
                    const auto direct = transfers_.at({from, to}), other = transfers_.at({from, via});
                    fault(std::format(
                        "'{}' on chip {} reads from '{}' on chip {}, and there is a longer way between these chips: '{}' on chip {} "
                        "reads from '{}' on chip {}",
                        name(direct.second), to, name(direct.first), from, name(other.second), via, name(other.first), from));
                    break;
                }
    }

    void memory() {
        std::vector<std::set<std::size_t>> weights(problem_.chips);
        for (std::size_t v = 0; v < assignment_.size(); ++v)
            for (const WeightId weight : problem_.costs->weights[v]) weights[assignment_[v]].insert(weight.index());
        for (std::size_t chip = 0; chip < problem_.chips; ++chip) {
            Bytes sum;
            for (const std::size_t weight : weights[chip]) sum += problem_.costs->weight_bytes[weight];
            if (sum <= *problem_.sram) continue;
            std::size_t largest = 0;
            Bytes most{-1};
            for (std::size_t v = 0; v < assignment_.size(); ++v) {
                Bytes own;
                for (const WeightId weight : problem_.costs->weights[v]) own += problem_.costs->weight_bytes[weight.index()];
                if (assignment_[v] == chip && own > most) most = own, largest = v;
            }
            fault(std::format("chip {} needs {} of parameters, its SRAM has {}", chip, to_text(sum), to_text(*problem_.sram)));
            faults_.back().notes.push_back(std::format("{} of '{}'", to_text(most), name(largest)));
        }
    }

    void nogoods() {
        for (const auto& nogood : problem_.nogoods) {
            const std::uint8_t chip = assignment_[nogood.front().index()];
            if (std::ranges::all_of(nogood, [&](NodeId node) { return assignment_[node.index()] == chip; }))
                fault(std::format("chip {} holds the {} operators from '{}' to '{}', which failed to compile together", chip, nogood.size(),
                                  name(nogood.front().index()), name(nogood.back().index())));
        }
    }

    const ChipProblem& problem_;
    std::span<const std::uint8_t> assignment_;
    std::vector<Diagnostic> faults_;
    std::map<std::pair<int, int>, std::pair<std::size_t, std::size_t>> transfers_;  // between chips: producer and consumer of one of them
    std::map<int, std::set<int>> after_;
};

}  // namespace

std::vector<Diagnostic> chip_faults(const ChipProblem& problem, std::span<const std::uint8_t> assignment) {
    return Check(problem, assignment).run();
}

}  // namespace sluice::mcm
