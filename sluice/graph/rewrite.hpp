// Changes to a model that keep what it computes, so that partitions of it become legal (design §3.2): an operator is made once more for
// some of its readers, or an Identity hands a tensor on. Data: a plan records them, and whatever opens the plan applies them first.
// O(operators + tensors + rewrites, with all their readers). Deterministic.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/graph/graph.hpp"

namespace sluice::graph {

enum class RewriteKind {
    clone,      // the operator once more; nothing it reads comes from an operator of the model that stages hold: only from model inputs,
                // from operators that are replicated for free, from other clones
    recompute,  // the operator once more, from what it or others of the model read
    relay       // an Identity
};
[[nodiscard]] std::string_view to_text(RewriteKind kind);

/// An operator of the model, by its index there and the name of its first output; or, without an index, one that an earlier rewrite made.
struct OperatorName {
    OperatorId id;
    std::string output;
    friend bool operator==(const OperatorName&, const OperatorName&) = default;
};

struct Rewrite {
    RewriteKind kind = RewriteKind::clone;
    OperatorName copied = {};        // clone and recompute: of the model, never one that a rewrite made
    std::string tensor = {};         // relay: the model's, or one that an earlier rewrite makes
    std::vector<std::string> makes;  // the new operator's outputs in the order of the copied one's; relay: one. No tensor has the name yet
    std::vector<OperatorName> readers;  // at least one: what they read of `copied` (`tensor`) they read of the new operator from here on
    friend bool operator==(const Rewrite&, const Rewrite&) = default;
};

/// Of a rewritten graph.
struct Derivation {
    std::string model;                 // fingerprint of the graph as the model has it
    std::vector<Rewrite> rewrites;     // in the order in which they were applied
    std::vector<OperatorId> origin;    // per operator: which one of the model it is, or is a copy of; invalid: a relay
    std::vector<char> made;            // per operator: by a rewrite
    std::vector<TensorId> stands_for;  // per tensor: the model's tensor that has the same value
};

/// The graph with all of these, in their order: `derivation()` says so. A new operator reads what the copied one reads at that moment;
/// copies share the parameters, keep `source` and features, and take the time of what they copy; a relay is a view of no work, whose
/// output travels as its tensor does. New operators stand before the first one that reads them; the model's keep their order, its tensors
/// their ids. Diagnostics: a graph that was rewritten before; names that lead nowhere (with the nearest); a reader that does not read it; a
/// new name that is taken; a copy of an operator that is replicated for free or has a colour; a clone that is a recompute, or the other
/// way round. None of them: the graph itself.
[[nodiscard]] Result<Graph> rewritten(const Graph& graph, std::span<const Rewrite> rewrites);

/// Makes each copy a clone or a recompute, whichever it is when all are applied. Diagnostics: as above.
[[nodiscard]] Result<void> settle_kinds(const Graph& graph, std::span<Rewrite> rewrites);

/// A name no tensor has: "x@copy2" for ("x", "copy"), the least number from 1 on.
class NewNames {
public:
    explicit NewNames(const Graph& graph);
    [[nodiscard]] std::string take(std::string_view tensor, std::string_view what);

private:
    std::unordered_set<std::string> taken_;
    std::unordered_map<std::string, std::size_t> last_;  // per tensor and what: the number given last
};

}  // namespace sluice::graph
