// The paths and windows that a choice of options is too long for (bound/check_training.hpp says what each of them proves). Private to this
// layer.
#pragma once

#include <utility>
#include <vector>

#include "sluice/bound/training_options.hpp"

namespace sluice::bound {

using Choice = std::vector<const Option*>;  // per node

/// What cannot begin before samples passed forward through a node.
struct TrainingWindow {
    NodeId node;
    std::vector<char> behind, whole;  // per node: its backward passes; its forward passes, too
};

struct TrainingPath {
    double price = 0;
    std::size_t turn = 0;
    std::vector<NodeId> nodes;
    const TrainingWindow* window = nullptr;  // behind the last node; then there is no turn
};

class TrainingPaths {
public:
    TrainingPaths(const cost::TrainingProblem& problem, TrainingObjective objective);
    /// Of all classes.
    [[nodiscard]] double devices() const { return devices_; }
    /// Over C, `limit`.
    [[nodiscard]] double length_of(const TrainingPath& path, const Choice& choice, double limit) const;
    /// Adds the longest path under the choice where it is longer than `limit`; again with its nodes at a discount, so that others join. The
    /// same with windows.
    void add_longest(std::vector<TrainingPath>& paths, const Choice& choice, double limit) const;

private:
    void find_feeders();
    /// Nodes that windows may open behind: all of a small problem, of a large one some, the last ones among them.
    void find_windows();
    [[nodiscard]] double behind(const TrainingWindow& window, const Choice& choice) const;
    /// The longest way to a window and what is behind it.
    [[nodiscard]] TrainingPath best_window(const Choice& choice, const std::vector<double>& weight,
                                           const std::vector<double>& behind) const;
    [[nodiscard]] TrainingPath longest_path(const Choice& choice, const std::vector<double>& weight) const;

    const cost::TrainingProblem& problem_;
    std::vector<std::vector<std::pair<NodeId, bool>>> feeders_;  // per node: who, with a gradient back
    std::vector<TrainingWindow> windows_;
    double devices_ = 0;
};

}  // namespace sluice::bound
