#include "sluice/training/graphpipe/model.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "sluice/graph/series_parallel.hpp"

namespace sluice::training::graphpipe {

namespace {

using graph::SeriesParallelTree;
using Kind = SeriesParallelTree::Kind;
using Signature = std::vector<std::uint64_t>;
constexpr std::uint64_t kOutside = ~std::uint64_t{0};
constexpr double kNearestCut = 1.0 / 32;  // shares
constexpr std::size_t kMostElements = 256;
constexpr std::size_t kMostMoves = 4096, kMostGroups = 16384;
/// Samples at which parts are compared by their work.
constexpr std::int64_t kUsualSamples = 32;

class Builder {
public:
    Builder(const cost::TrainingProblem& problem, ClassId device, std::int64_t devices)
        : problem_(problem), structure_(problem.structure), tree_(graph::series_parallel_tree(structure_.successors)) {
        model_.converted = tree_.converted;
        measure(device, devices);
        label(device);
        lay_out();
    }

    Model run() {
        build_chain(tree_.parts.size() - 1);
        return std::move(model_);
    }

private:
    void measure(ClassId device, std::int64_t devices) {
        const auto times = cost::pass_times(problem_, device, std::min(kUsualSamples, problem_.options.mini_batch));
        const std::size_t n = structure_.node_count();
        std::vector<double> work(n), state(n), kept(n);
        for (std::size_t v = 0; v < n; ++v) {
            work[v] = static_cast<double>(times[v].total().count());
            for (const WeightId w : structure_.weights[v]) state[v] += static_cast<double>(problem_.state[w.index()].count);
            kept[v] = static_cast<double>(problem_.kept[v].count);
        }
        shares_.assign(n, 0);
        for (const auto* list : {&work, &state, &kept}) {
            const double total = std::accumulate(list->begin(), list->end(), 0.0);
            for (std::size_t v = 0; v < n && total > 0; ++v)
                shares_[v] = std::max(shares_[v], (*list)[v] / total * static_cast<double>(devices));
        }
    }

    /// What a node costs, whatever it is joined to.
    void label(ClassId device) {
        const auto& passes = problem_.classes[device.index()].passes;
        std::map<Signature, std::uint64_t> seen;
        for (std::size_t v = 0; v < structure_.node_count(); ++v) {
            Signature signature;
            const auto add = [&](std::int64_t value) { signature.push_back(static_cast<std::uint64_t>(value)); };
            for (const cost::OperatorPasses& one : passes[v])
                for (const cost::PassCost* pass : {&one.forward, &one.input_gradient, &one.weight_gradient}) {
                    add(pass->arithmetic_fixed);
                    add(pass->arithmetic_per_sample);
                    add(pass->memory_fixed);
                    add(pass->memory_per_sample);
                    add(pass->launch);
                }
            add(problem_.kept[v].count);
            for (const WeightId w : structure_.weights[v]) {
                add(structure_.weight_bytes[w.index()].count);
                add(problem_.state[w.index()].count);
            }
            labels_.push_back(seen.try_emplace(std::move(signature), seen.size()).first->second);
        }
    }

    /// The order of the leaves: branches by their hash, so that equal parts are laid out equally.
    void lay_out() {
        const auto hashes = graph::part_hashes(tree_, labels_);
        sizes_.assign(tree_.parts.size(), 0);
        part_shares_.assign(tree_.parts.size(), 0);
        for (std::size_t p = 0; p < tree_.parts.size(); ++p) {
            auto& part = tree_.parts[p];
            if (part.kind == Kind::leaf) {
                sizes_[p] = 1;
                part_shares_[p] = shares_[part.node];
            }
            if (part.kind == Kind::parallel)
                std::ranges::stable_sort(part.children, {}, [&](std::uint32_t child) { return hashes[child]; });
            for (const std::uint32_t child : part.children) {
                sizes_[p] += sizes_[child];
                part_shares_[p] += part_shares_[child];
            }
        }
        part_starts_.assign(tree_.parts.size(), 0);
        model_.order.resize(structure_.node_count());
        place_.resize(structure_.node_count());
        for (std::size_t p = tree_.parts.size(); p-- > 0;) {
            std::uint32_t start = part_starts_[p];
            if (tree_.parts[p].kind == Kind::leaf) {
                model_.order[start] = NodeId(tree_.parts[p].node);
                place_[tree_.parts[p].node] = start;
            }
            for (const std::uint32_t child : tree_.parts[p].children) {
                part_starts_[child] = start;
                start += sizes_[child];
            }
        }
    }

    void add_shape(std::size_t p, Signature& signature) const {
        const auto& part = tree_.parts[p];
        signature.push_back(static_cast<std::uint64_t>(part.kind) << 32 | part.children.size());
        for (const std::uint32_t child : part.children) add_shape(child, signature);
    }

    [[nodiscard]] Signature signature_of(std::size_t p) const {
        Signature signature;
        add_shape(p, signature);
        const std::uint32_t start = part_starts_[p], size = sizes_[p];
        const auto local = [&](NodeId node) {
            const std::uint64_t at = place_[node.index()];
            return at >= start && at < start + size ? at - start : kOutside;
        };
        for (std::uint32_t at = start; at < start + size; ++at) {
            const NodeId node = model_.order[at];
            signature.push_back(labels_[node.index()]);
            for (const EdgeId edge : structure_.inputs[node.index()]) {
                const NodeId producer = structure_.producer[edge.index()];
                signature.push_back(producer.valid() ? local(producer) : kOutside - 1);
                signature.push_back(static_cast<std::uint64_t>(problem_.activation[edge.index()].count));
            }
            for (const EdgeId edge : structure_.outputs[node.index()]) {
                signature.push_back(static_cast<std::uint64_t>(problem_.activation[edge.index()].count));
                signature.push_back(static_cast<std::uint64_t>(problem_.gradient[edge.index()].count));
                signature.push_back(
                    std::ranges::any_of(structure_.consumers[edge.index()], [&](NodeId v) { return local(v) == kOutside; }));
            }
        }
        return signature;
    }

    std::size_t build_chain(std::size_t p) {
        Signature signature = signature_of(p);
        if (const auto found = known_.find(signature); found != known_.end()) return found->second;
        Chain chain;
        chain.nodes = sizes_[p];
        const std::uint32_t start = part_starts_[p];
        const bool coarse = structure_.node_count() > kSmallGraph;
        const auto add = [&](std::size_t part) {
            const std::uint32_t first = part_starts_[part] - start;
            chain.elements.push_back({first, first + sizes_[part], {}});
            if (tree_.parts[part].kind != Kind::parallel || (coarse && part_shares_[part] <= 1)) return;
            chain.elements.back().block = chain.blocks.size();
            chain.blocks.push_back(build_block(part, start));
        };
        if (tree_.parts[p].kind == Kind::series)
            for (const std::uint32_t child : tree_.parts[p].children) add(child);
        else
            add(p);
        if (coarse) drop_cuts(chain, start);
        add_bills(chain, start);
        add_joined(chain);
        model_.chains.push_back(std::move(chain));
        model_.starts.push_back(start);
        return known_[std::move(signature)] = model_.chains.size() - 1;
    }

    Block build_block(std::size_t part, std::uint32_t start) {
        struct Member {
            double share;
            std::size_t chain;
            std::uint32_t offset;
        };
        std::vector<Member> members;
        for (const std::uint32_t child : tree_.parts[part].children)
            members.push_back({part_shares_[child], build_chain(child), part_starts_[child] - start});
        std::ranges::stable_sort(
            members, [](const Member& a, const Member& b) { return a.share != b.share ? a.share > b.share : a.chain < b.chain; });
        Block block;
        for (const Member& member : members) {
            auto kind = std::ranges::find(block.kinds, member.chain, &Block::Kind::chain);
            if (kind == block.kinds.end()) kind = block.kinds.insert(kind, {member.chain, {}});
            kind->offsets.push_back(member.offset);
        }
        std::size_t moves = 1;
        for (const Block::Kind& kind : block.kinds)
            moves = std::min(kMostMoves + 1, moves * (kind.offsets.size() + 1) * (kind.offsets.size() + 2) / 2);
        if (moves <= kMostMoves)
            add_any_states(block);
        else
            add_ordered_states(block);
        return block;
    }

    /// State: the number left of each kind, in mixed radix.
    static void add_any_states(Block& block) {
        const std::size_t kinds = block.kinds.size();
        std::vector<std::size_t> step(kinds + 1, 1);
        for (std::size_t k = 0; k < kinds; ++k) step[k + 1] = step[k] * (block.kinds[k].offsets.size() + 1);
        const auto left = [&](std::size_t state, std::size_t k) { return state % step[k + 1] / step[k]; };
        for (std::size_t taken = 1; taken < step.back(); ++taken) {  // group taken - 1
            Block::Group group;
            for (std::size_t k = 0; k < kinds; ++k)
                if (left(taken, k) > 0) {
                    group.kinds.push_back(k);
                    group.counts.push_back(left(taken, k));
                }
            block.groups.push_back(std::move(group));
        }
        block.together.resize(step.back());
        block.alone.resize(step.back());
        for (std::size_t state = 1; state < step.back(); ++state) {
            for (std::size_t taken = 1; taken <= state; ++taken) {
                bool within = true;
                for (std::size_t k = 0; k < kinds; ++k) within = within && left(taken, k) <= left(state, k);
                if (within) block.together[state].push_back({taken - 1, state - taken});
            }
            for (std::size_t k = 0; k < kinds; ++k)
                if (left(state, k) > 0) block.alone[state].push_back({k, state - step[k]});
        }
    }

    /// State: how many of all branches, the largest first, are left.
    static void add_ordered_states(Block& block) {
        std::vector<std::size_t> kind_of;
        for (std::size_t k = 0; k < block.kinds.size(); ++k) kind_of.insert(kind_of.end(), block.kinds[k].offsets.size(), k);
        block.together.resize(kind_of.size() + 1);
        block.alone.resize(kind_of.size() + 1);
        const std::size_t longest = std::max<std::size_t>(1, kMostGroups / kind_of.size());
        for (std::size_t state = 1; state <= kind_of.size(); ++state) {
            block.alone[state].push_back({kind_of[state - 1], state - 1});
            Block::Group group;
            for (std::size_t first = state; first-- > 0 && state - first <= longest;) {
                if (group.kinds.empty() || group.kinds.back() != kind_of[first]) {
                    group.kinds.push_back(kind_of[first]);
                    group.counts.push_back(0);
                }
                ++group.counts.back();
                block.groups.push_back(group);
                block.together[state].push_back({block.groups.size() - 1, first});
            }
        }
    }

    /// Per tensor that the chain makes or reads: which elements do.
    struct Local {
        EdgeId edge;
        std::size_t producer;  // element; count: outside
        std::vector<std::size_t> readers;
        bool read_outside = false;
    };

    std::vector<Local> locals_of(const Chain& chain, std::uint32_t start) const {
        std::vector<std::size_t> element_of(chain.nodes);
        for (std::size_t e = 0; e < chain.count(); ++e)
            for (std::uint32_t at = chain.elements[e].first; at < chain.elements[e].last; ++at) element_of[at] = e;
        const auto element = [&](NodeId node) {
            const std::uint32_t at = node.valid() ? place_[node.index()] : 0;
            return node.valid() && at >= start && at < start + chain.nodes ? element_of[at - start] : chain.count();
        };
        std::vector<EdgeId> edges;
        for (std::uint32_t at = start; at < start + chain.nodes; ++at)
            for (const auto* rows : {&structure_.inputs, &structure_.outputs})
                edges.insert(edges.end(), (*rows)[model_.order[at].index()].begin(), (*rows)[model_.order[at].index()].end());
        std::ranges::sort(edges);
        edges.erase(std::ranges::unique(edges).begin(), edges.end());
        std::vector<Local> locals;
        for (const EdgeId edge : edges) {
            Local local{edge, element(structure_.producer[edge.index()]), {}};
            for (const NodeId reader : structure_.consumers[edge.index()]) {
                const std::size_t e = element(reader);
                if (e == chain.count())
                    local.read_outside = true;
                else
                    local.readers.push_back(e);
            }
            std::ranges::sort(local.readers);
            locals.push_back(std::move(local));
        }
        return locals;
    }

    void add_bills(Chain& chain, std::uint32_t start) const {
        const std::size_t n = chain.count();
        chain.bills.assign((n + 1) * (n + 1), {});
        const auto at = [&](std::size_t i, std::size_t j) -> Bill& { return chain.bills[i * (n + 1) + j]; };
        std::vector<Bill> own(n);
        for (std::size_t e = 0; e < n; ++e) {
            std::vector<WeightId> weights;
            for (std::uint32_t v = chain.elements[e].first; v < chain.elements[e].last; ++v) {
                const NodeId node = model_.order[start + v];
                own[e].kept += static_cast<double>(problem_.kept[node.index()].count);
                weights.insert(weights.end(), structure_.weights[node.index()].begin(), structure_.weights[node.index()].end());
            }
            std::ranges::sort(weights);
            weights.erase(std::ranges::unique(weights).begin(), weights.end());
            for (const WeightId weight : weights) {
                own[e].parameters += static_cast<double>(structure_.weight_bytes[weight.index()].count);
                own[e].state += static_cast<double>(problem_.state[weight.index()].count);
            }
        }
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = i + 1; j <= n; ++j) {
                at(i, j) = at(i, j - 1);
                at(i, j).parameters += own[j - 1].parameters;
                at(i, j).state += own[j - 1].state;
                at(i, j).kept += own[j - 1].kept;
            }
        for (const Local& local : locals_of(chain, start)) {
            const bool input = !structure_.producer[local.edge.index()].valid();
            const auto activation = static_cast<double>(problem_.activation[local.edge.index()].count);
            const auto gradient = static_cast<double>(problem_.gradient[local.edge.index()].count);
            // In: made before i or outside, read in [i, j)
            const std::size_t made = local.producer;
            std::size_t next = 0;
            for (std::size_t i = made == n ? 0 : made + 1; i < n; ++i) {
                while (next < local.readers.size() && local.readers[next] < i) ++next;
                if (next == local.readers.size()) break;
                for (std::size_t j = local.readers[next] + 1; j <= n; ++j) {
                    at(i, j).entering += activation;
                    if (input) continue;
                    at(i, j).activations_in += activation;
                    at(i, j).gradients_in += gradient;
                }
            }
            // Out: made in [i, j), read from j on or outside
            if (made == n || (local.readers.empty() && !local.read_outside)) continue;
            const std::size_t last = local.read_outside ? n : local.readers.back();
            for (std::size_t i = 0; i <= made; ++i)
                for (std::size_t j = made + 1; j <= last; ++j) {
                    at(i, j).activations_out += activation;
                    at(i, j).gradients_out += gradient;
                }
        }
        const auto branches = [&](std::size_t e) {
            double count = 0;
            for (const Block::Kind& kind : chain.blocks[*chain.elements[e].block].kinds) count += static_cast<double>(kind.offsets.size());
            return count;
        };
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = i + 1; j <= n; ++j) {
                Bill& bill = at(i, j);
                if (bill.activations_in > 0) bill.edges_in = i > 0 && chain.elements[i - 1].block ? branches(i - 1) : 1;
                if (bill.activations_out > 0) bill.edges_out = j < n && chain.elements[j].block ? branches(j) : 1;
            }
    }

    static void add_joined(Chain& chain) {
        const Bill& whole = chain.whole();
        for (std::size_t first = 0; first < chain.count(); ++first) {
            Bill& bill = chain.joined.emplace_back(chain.bill(first, chain.count()));
            // What comes from the whole branch stays inside.
            bill.activations_in -= whole.activations_out;
            bill.gradients_in -= whole.gradients_out;
            bill.entering -= whole.activations_out;
            bill.edges_in -= whole.edges_out;
            bill.activations_out = bill.gradients_out = bill.edges_out = 0;
        }
    }

    /// The rule is in the header.
    void drop_cuts(Chain& chain, std::uint32_t start) const {
        const std::size_t n = chain.count();
        std::vector<double> before(n + 1, 0);  // shares
        for (std::size_t e = 0; e < n; ++e) {
            before[e + 1] = before[e];
            for (std::uint32_t at = chain.elements[e].first; at < chain.elements[e].last; ++at)
                before[e + 1] += shares_[model_.order[start + at].index()];
        }
        // Cut c is before element c.
        const auto fixed = [&](std::size_t c) { return c == 0 || c == n || chain.elements[c - 1].block || chain.elements[c].block; };
        const double nearest = std::max(kNearestCut, before[n] / static_cast<double>(kMostElements));
        std::vector<double> bytes(n + 1, 0);
        for (const Local& local : locals_of(chain, start)) {
            if (local.producer == n || (local.readers.empty() && !local.read_outside)) continue;
            const auto whole = static_cast<double>((problem_.activation[local.edge.index()] + problem_.gradient[local.edge.index()]).count);
            for (std::size_t c = local.producer + 1; c <= (local.read_outside ? n : local.readers.back()); ++c) bytes[c] += whole;
        }
        std::vector<std::size_t> cuts;
        std::vector<char> kept(n + 1, 0);
        for (std::size_t c = 0; c <= n; ++c) {
            if (fixed(c))
                kept[c] = 1;
            else
                cuts.push_back(c);
        }
        std::ranges::stable_sort(cuts, {}, [&](std::size_t c) { return bytes[c]; });
        for (const std::size_t c : cuts) {
            bool near = false;
            for (std::size_t other = c; !near && other-- > 0 && before[c] - before[other] <= nearest && !chain.elements[other].block;)
                near = kept[other] && !fixed(other);
            for (std::size_t other = c + 1; !near && other < n && before[other] - before[c] <= nearest; ++other)
                near = kept[other] && !fixed(other);
            kept[c] = near ? 0 : 1;
        }
        std::vector<Element> joined;
        for (std::size_t e = 0; e < n; ++e) {
            if (kept[e])
                joined.push_back(chain.elements[e]);
            else
                joined.back().last = chain.elements[e].last;
        }
        chain.elements = std::move(joined);
    }

    const cost::TrainingProblem& problem_;
    const cost::StageProblem& structure_;
    SeriesParallelTree tree_;
    Model model_;
    std::vector<double> shares_, part_shares_;  // per node; per part
    std::vector<std::uint64_t> labels_;
    std::vector<std::uint32_t> sizes_, part_starts_, place_;
    std::map<Signature, std::size_t> known_;
};

}  // namespace

void Bill::add(const Bill& other, double times) {
    activations_in += times * other.activations_in;
    gradients_in += times * other.gradients_in;
    activations_out += times * other.activations_out;
    gradients_out += times * other.gradients_out;
    edges_in += times * other.edges_in;
    edges_out += times * other.edges_out;
    entering += times * other.entering;
    parameters += times * other.parameters;
    state += times * other.state;
    kept += times * other.kept;
}

Model model_of(const cost::TrainingProblem& problem, ClassId device, std::int64_t devices) {
    return Builder(problem, device, devices).run();
}

}  // namespace sluice::training::graphpipe
