// A small SerialProblem by enumeration, from the definitions alone: its downsets, what each costs as a stage, what completes below a
// threshold, the optimum.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "sluice/search/serial_problem.hpp"

namespace sluice::test {

class SerialEnumeration {
public:
    using Set = std::size_t;  // bit g: group g
    static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

    explicit SerialEnumeration(const search::SerialProblem& problem) : problem_(problem), all_((Set{1} << problem.group_count()) - 1) {
        for (Set set = 0; set <= all_; ++set) {
            bool closed = true;
            std::vector<search::SerialProblem::Index> stage;
            for (std::size_t g = 0; g < problem.group_count(); ++g) {
                if (!(set >> g & 1)) continue;
                stage.push_back(static_cast<search::SerialProblem::Index>(g));
                for (auto before : problem.predecessors[g]) closed = closed && (set >> before & 1);
            }
            cost_.push_back(stage_cost(problem, stage));
            if (closed) downsets_.push_back(set);
        }
    }

    [[nodiscard]] Set all() const { return all_; }
    [[nodiscard]] const std::vector<Set>& downsets() const { return downsets_; }
    [[nodiscard]] std::int64_t cost(Set stage) const { return cost_[stage]; }

    /// Transfers of tensors made in the downset and read outside.
    [[nodiscard]] std::int64_t cut(Set downset) const {
        std::int64_t sum = 0;
        for (std::size_t t = 0; t < problem_.tensor_count(); ++t)
            if (leaves(t, downset)) sum += problem_.transfer[t];
        return sum;
    }
    [[nodiscard]] bool leaves(std::size_t tensor, Set downset) const {
        return (downset >> problem_.producer[tensor] & 1) &&
               std::ranges::any_of(problem_.consumers[tensor], [&](auto reader) { return !(downset >> reader & 1); });
    }

    /// Per downset: the fewest devices that complete it with every stage at most replicas * threshold; kNone: none do.
    [[nodiscard]] std::vector<std::int64_t> devices_to_complete(std::int64_t threshold) const {
        std::vector<std::int64_t> fewest(all_ + 1, kNone);
        fewest[all_] = 0;
        for (auto done = downsets_.rbegin() + 1; done < downsets_.rend(); ++done)
            for (Set next : downsets_) {
                if ((next & *done) != *done || next == *done || fewest[next] == kNone) continue;
                for (std::int64_t r = 1; r <= std::min(problem_.replicas, problem_.devices); ++r)
                    if (cost_[next & ~*done] <= r * threshold) {
                        fewest[*done] = std::min(fewest[*done], fewest[next] + r);
                        break;
                    }
            }
        return fewest;
    }

    /// The least threshold below which everything completes on the problem's devices.
    [[nodiscard]] std::int64_t optimum() const {
        std::int64_t low = 0, high = cost_[all_];
        while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            if (devices_to_complete(middle)[0] <= problem_.devices)
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

private:
    const search::SerialProblem& problem_;
    Set all_;
    std::vector<Set> downsets_;  // ascending, so that supersets come later
    std::vector<std::int64_t> cost_;
};

}  // namespace sluice::test
