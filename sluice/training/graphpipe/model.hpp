// Private to GraphPipe's planner. A model as chains of elements whose blocks are bundles of chains side by side: its series-parallel tree
// (graph/series_parallel.hpp), coarsened.
//
// The size of a part is counted in shares: the largest of its part of the work, of the parameters' state and of what is kept for backward
// passes, times the number of devices. In graphs of more than kSmallGraph nodes
//   - a part of branches side by side of at most one share is never split among stages;
//   - of the cuts of a chain, one is dropped when another no further than 1/32 share away lets no more bytes across (1/256 of the chain
//   where that is
//     more).
// Chains that are equal node by node (times, bytes, weights, how they are joined) are one chain here, used several times.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/cost/training_problem.hpp"

namespace sluice::training::graphpipe {

inline constexpr std::size_t kSmallGraph = 64;

/// Branches side by side, by kind. A state says how many of each are left; 0: none, the last: all. With few kinds any number of each may
/// be left, and be grouped in one stage; with many, branches leave in the order of their size.
struct Block {
    struct Kind {
        std::size_t chain = 0;
        std::vector<std::uint32_t> offsets;  // of the branches, from the start of the chain that has the block
    };
    struct Group {
        std::vector<std::size_t> kinds, counts;
    };
    struct Move {
        std::size_t what = 0, next = 0;  // a group or a kind; the state that is left
    };
    std::vector<Kind> kinds;
    std::vector<Group> groups;
    std::vector<std::vector<Move>> together, alone;  // per state
};

struct Element {
    std::uint32_t first = 0, last = 0;  // nodes, from the start of the chain
    std::optional<std::size_t> block;
};

/// Bytes for one sample and numbers of tensors' bundles that cross a border; bytes of weights.
struct Bill {
    double activations_in = 0, gradients_in = 0, activations_out = 0, gradients_out = 0;  // gradients of what goes in, of what goes out
    double edges_in = 0, edges_out = 0;
    double entering = 0;  // activations_in and the model's inputs
    double parameters = 0, state = 0, kept = 0;
    void add(const Bill& other, double times);
};

struct Chain {
    std::uint32_t nodes = 0;
    std::vector<Element> elements;
    std::vector<Block> blocks;
    std::vector<Bill> bills;   // of elements [i, j): bills[i (count + 1) + j]
    std::vector<Bill> joined;  // what elements [i, count) add to a stage that also has what reads them
    [[nodiscard]] std::size_t count() const { return elements.size(); }
    [[nodiscard]] const Bill& bill(std::size_t i, std::size_t j) const { return bills[i * (count() + 1) + j]; }
    [[nodiscard]] const Bill& whole() const { return bill(0, count()); }
};

struct Model {
    std::vector<NodeId> order;          // of the tree's leaves: every part, chain and branch is a range
    std::vector<Chain> chains;          // chains of blocks before those that have them; the whole model last
    std::vector<std::uint32_t> starts;  // per chain: one place in `order` where it is
    std::size_t converted = 0;          // nodes whose precedence had to be added to (graph/series_parallel.hpp)
};

[[nodiscard]] Model model_of(const cost::TrainingProblem& problem, ClassId device, std::int64_t devices);

}  // namespace sluice::training::graphpipe
