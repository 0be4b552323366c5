// Any rewrites that a graph allows: copies of copies' inputs, relays of relays, several for one reader.
#pragma once

#include <algorithm>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/graph/rewrite.hpp"

namespace sluice::test {

/// At most `most`, each drawn on the graph as those before it leave it. Kinds are told right. `relays`: the chance of one each time.
inline std::vector<graph::Rewrite> random_rewrites(const graph::Graph& model, std::size_t most, RandomStream& random, double relays = 0.4) {
    std::vector<graph::Rewrite> rewrites;
    graph::NewNames names(model);
    for (std::size_t tries = 0; tries < 4 * most && rewrites.size() < most; ++tries) {
        const auto now = graph::rewritten(model, rewrites);
        if (!now) return rewrites;  // the caller's own check fails on these
        const auto name_of = [&](OperatorId id) {
            const std::string output(now->first_output_name(id));
            if (!now->derivation()) return graph::OperatorName{id, output};
            return graph::OperatorName{now->derivation()->made[id.index()] ? OperatorId() : now->derivation()->origin[id.index()], output};
        };
        const TensorId tensor(random.below(now->tensor_count()));
        const OperatorId maker = now->producer(tensor);
        if (maker.valid() && (*now)[maker].replicated) continue;
        graph::Rewrite rewrite;
        for (const OperatorId reader : now->consumers(tensor))
            if (!(*now)[reader].replicated && !now->outputs(reader).empty() && random.chance(0.6))
                rewrite.readers.push_back(name_of(reader));
        if (rewrite.readers.empty()) continue;
        random.shuffle(std::span(rewrite.readers));
        const bool copy = maker.valid() && name_of(maker).id.valid() && !(*now)[maker].colour && !random.chance(relays);
        if (!copy && relays == 0) continue;
        if (copy) {
            rewrite.copied = name_of(maker);
            for (const TensorId output : now->outputs(maker)) rewrite.makes.push_back(names.take((*now)[output].name, "copy"));
            rewrite.kind = graph::RewriteKind::recompute;
        } else {
            rewrite.kind = graph::RewriteKind::relay;
            rewrite.tensor = (*now)[tensor].name;
            rewrite.makes = {names.take((*now)[now->derivation() ? now->derivation()->stands_for[tensor.index()] : tensor].name, "relay")};
        }
        rewrites.push_back(std::move(rewrite));
        if (!graph::settle_kinds(model, rewrites)) return rewrites;
    }
    return rewrites;
}

}  // namespace sluice::test
