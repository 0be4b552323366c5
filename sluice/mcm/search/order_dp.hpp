// The best slicing of an order into chips under the planners' cost (Archer et al., ICML 2024, Algorithm 1, with the rules of the ring), and
// the orders that are tried first.
//
// Chip [i, j) of the order costs f of its work, what enters and what leaves. Which slicings are legal:
//   relay               all: what is alive at a border crosses it, so in depends on i alone, out on j alone
//   triangle, adjacent  those where nothing made before i is read at or after j, so that every transfer is to the next chip. (triangle
//   alone
//                       allows a little more where consecutive chips exchange nothing; that is not searched)
//   neither             all; in and out are those of design §3.1
// Exact for the order: bisection over integer times, each step one sweep for the fewest chips below T. O(n · window · (1 + weights))
// a sweep, window = the longest chip below T. Deterministic.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/mcm/registry.hpp"

namespace sluice::mcm {

/// depth_first: post-order from the sinks, the deepest input first. The labels are solutions of 0 <= f(v) - f(u) <= 1 on every edge, whose
/// classes follow each other, inside a class depth first: greatest with the farthest source at 0 (the level of a node), least with the
/// farthest sink at the top, middle halfway between. model: the numbering of the problem, which is the model's own order; it keeps parts
/// that have nothing to do with each other apart from level to level.
enum class OrderKind { depth_first, greatest, least, middle, model };
inline constexpr std::array kOrderKinds{OrderKind::depth_first, OrderKind::greatest, OrderKind::least, OrderKind::middle, OrderKind::model};
[[nodiscard]] std::string_view to_text(OrderKind kind);
/// O(n + m) but for the search of the farthest source: that is done from every node without inputs, of at most 64 the deepest ones.
[[nodiscard]] std::vector<NodeId> make_order(const cost::StageProblem& costs, OrderKind kind);

/// Kahn's algorithm by keys: a node's place in `order`, moved by up to `spread` of the order's length either way. O(n log n + m).
[[nodiscard]] std::vector<NodeId> perturbed_order(const cost::StageProblem& costs, std::span<const NodeId> order, double spread,
                                                  RandomStream& random);

inline constexpr std::int64_t kLiveUnit = 64;

struct OrderSliceOptions {
    std::optional<Duration> below = {};  // only slicings with a bottleneck strictly below this matter
    // Of a chip's SRAM, beside parameters: so many times what is alive at its two borders and, at most, between them is kept free for what
    // only the compile step knows. In units of 1 / kLiveUnit.
    std::int64_t live_share = 0;
    const Limits* limits = nullptr;  // polled once a sweep: when it says stop, the best so far is the answer
};

/// Per border of `order`, 0 … n: bytes of the tensors made before it and read behind it. O(n + m).
[[nodiscard]] std::vector<std::int64_t> live_bytes(const cost::StageProblem& costs, std::span<const NodeId> order);

/// nullopt: none is legal (memory, nogoods), or none is below. `order`: topological, every node once.
[[nodiscard]] std::optional<Assignment> slice_order(const ChipProblem& problem, std::span<const NodeId> order,
                                                    const OrderSliceOptions& options = {});

/// A slicing and what the planners think of it.
struct OrderCandidate {
    Assignment chips;
    Duration bottleneck{0};
    std::vector<NodeId> order;
    std::string_view source;  // of the order
};
/// Of the orders; the distinct ones, best first. Ends with the first where `limits` say so.
[[nodiscard]] std::vector<OrderCandidate> sliced_orders(const ChipProblem& problem, const Limits& limits);
/// Walks from `start` to better ones: perturbs its order, slices, keeps what has a lower bottleneck. At most `orders` of them, none once it
/// is at `proven`.
class Lessons;  // lessons.hpp
[[nodiscard]] OrderCandidate walk_orders(const ChipProblem& problem, OrderCandidate start, std::int64_t orders, Duration proven,
                                         Lessons& lessons, RandomStream& random, const Limits& limits);

/// Of all of them.
[[nodiscard]] Diagnostic no_slicing();

/// `order-dp`: the orders sliced, the distinct slicings judged, best first; where one does not compile, sliced again with what that
/// taught (lessons.hpp).
[[nodiscard]] Result<PlannerResult> plan_by_orders(const ChipProblem& problem, const PlannerOptions& options, Observer& observer,
                                                   const Limits& limits);

}  // namespace sluice::mcm
