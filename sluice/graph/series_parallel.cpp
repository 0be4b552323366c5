#include "sluice/graph/series_parallel.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>

namespace sluice::graph {

namespace {

using Index = std::uint32_t;
using Kind = SeriesParallelTree::Kind;
constexpr Index kNone = std::numeric_limits<Index>::max();
constexpr Index kSource = 0, kSink = 1;

/// Leaves are parts 0 … nodes - 1.
struct Binary {
    Kind kind = Kind::leaf;
    Index first = kNone, second = kNone;
    bool converted = false;
};

struct Edge {
    Index from = kNone, to = kNone;
    Index part = kNone;  // kNone: empty
    bool alive = true;
};

class Reducer {
public:
    Reducer(std::size_t nodes, std::span<const Arc> arcs) : points_(2 + 2 * nodes), parts_(nodes) {
        std::vector<char> has_before(nodes, 0), has_after(nodes, 0);
        edges_.reserve(3 * nodes + arcs.size());
        for (std::size_t v = 0; v < nodes; ++v) add_edge(in_of(v), out_of(v), static_cast<Index>(v));
        for (const Arc& arc : arcs) {
            add_edge(out_of(arc.from), in_of(arc.to), kNone);
            has_after[arc.from] = has_before[arc.to] = 1;
        }
        for (std::size_t v = 0; v < nodes; ++v) {
            if (!has_before[v]) add_edge(kSource, in_of(v), kNone);
            if (!has_after[v]) add_edge(out_of(v), kSink, kNone);
        }
    }

    void run() {
        for (;;) {
            reduce();
            if (alive_ == 1) return;
            const bool dropped = drop_detours();
            if (dropped) reduce();
            if (merge_twins() || dropped) continue;
            convert_blocks();
        }
    }

    [[nodiscard]] const std::vector<Binary>& parts() const { return parts_; }
    [[nodiscard]] Index root() const {
        return std::ranges::find_if(edges_, [](const Edge& edge) { return edge.alive; })->part;
    }

private:
    /// Lists may hold edges that are gone; the counts are right.
    struct Point {
        std::vector<Index> in, out;
        Index ins = 0, outs = 0;
    };

    static Index in_of(std::size_t v) { return static_cast<Index>(2 + 2 * v); }
    static Index out_of(std::size_t v) { return static_cast<Index>(3 + 2 * v); }
    static std::uint64_t key(Index from, Index to) { return std::uint64_t{from} << 32 | to; }

    Index join(Kind kind, Index first, Index second) {
        if (first == kNone || second == kNone) return first == kNone ? second : first;
        parts_.push_back({kind, first, second, false});
        return static_cast<Index>(parts_.size() - 1);
    }

    void add_edge(Index from, Index to, Index part) {
        const auto [found, fresh] = between_.try_emplace(key(from, to), static_cast<Index>(edges_.size()));
        touch(from);
        touch(to);
        if (!fresh) {  // side by side
            Edge& other = edges_[found->second];
            other.part = join(Kind::parallel, other.part, part);
            return;
        }
        points_[from].out.push_back(found->second);
        points_[to].in.push_back(found->second);
        ++points_[from].outs;
        ++points_[to].ins;
        edges_.push_back({from, to, part, true});
        ++alive_;
    }

    void remove_edge(Index e) {
        Edge& edge = edges_[e];
        edge.alive = false;
        between_.erase(key(edge.from, edge.to));
        --points_[edge.from].outs;
        --points_[edge.to].ins;
        --alive_;
        touch(edge.from);
        touch(edge.to);
    }

    void touch(Index point) { waiting_.push_back(point); }

    const std::vector<Index>& out(Index point) { return living(points_[point].out, &Edge::from, point); }
    const std::vector<Index>& in(Index point) { return living(points_[point].in, &Edge::to, point); }
    const std::vector<Index>& living(std::vector<Index>& list, Index Edge::* end, Index point) {
        std::erase_if(list, [&](Index e) { return !edges_[e].alive || edges_[e].*end != point; });
        return list;
    }

    /// The point with fewer edges becomes the other, which is returned; source and sink stay. No edge may be left between them.
    Index merge(Index a, Index b) {
        const auto degree = [&](Index point) { return points_[point].in.size() + points_[point].out.size(); };
        if (b <= kSink || (a > kSink && degree(a) < degree(b))) std::swap(a, b);
        for (const Index e : std::vector<Index>(out(b))) {
            const Edge edge = edges_[e];
            remove_edge(e);
            add_edge(a, edge.to, edge.part);
        }
        for (const Index e : std::vector<Index>(in(b))) {
            const Edge edge = edges_[e];
            remove_edge(e);
            add_edge(edge.from, a, edge.part);
        }
        points_[b] = {};
        return a;
    }

    void contract(Index e) {
        const Edge edge = edges_[e];
        remove_edge(e);
        merge(edge.from, edge.to);
    }

    void reduce() {
        while (!waiting_.empty()) {
            const Index point = waiting_.back();
            waiting_.pop_back();
            if (alive_ == 1) continue;
            const Index ins = points_[point].ins, outs = points_[point].outs;
            if (outs == 1 && edges_[out(point).front()].part == kNone) {
                contract(out(point).front());
            } else if (ins == 1 && edges_[in(point).front()].part == kNone) {
                contract(in(point).front());
            } else if (point > kSink && ins == 1 && outs == 1) {
                const Index before = in(point).front(), after = out(point).front();
                const Edge first = edges_[before], second = edges_[after];
                remove_edge(before);
                remove_edge(after);
                add_edge(first.from, second.to, join(Kind::series, first.part, second.part));
            }
        }
    }

    /// Points that have edges, the source first.
    std::vector<Index> topological_order() {
        std::vector<Index> order{kSource}, left(points_.size());
        for (std::size_t p = 0; p < points_.size(); ++p) left[p] = points_[p].ins;
        for (std::size_t i = 0; i < order.size(); ++i)
            for (const Index e : out(order[i]))
                if (--left[edges_[e].to] == 0) order.push_back(edges_[e].to);
        return order;
    }

    /// Empty edges whose ends are joined by a longer way too. Targets are taken in blocks, so that memory stays linear.
    bool drop_detours() {
        constexpr std::size_t kWords = 32, kBlock = 64 * kWords;
        const std::vector<Index> order = topological_order();
        std::vector<Index> place(points_.size());
        for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<Index>(i);
        std::vector<Index> detours;
        std::vector<std::uint64_t> reached(order.size() * kWords);
        for (std::size_t low = 0; low < order.size(); low += kBlock) {
            std::ranges::fill(reached, 0);
            const auto in_block = [&](std::size_t at) { return at >= low && at < low + kBlock; };
            for (std::size_t i = std::min(order.size(), low + kBlock); i-- > 0;) {
                std::uint64_t* row = &reached[i * kWords];
                for (const Index e : out(order[i])) {
                    const std::uint64_t* next = &reached[place[edges_[e].to] * kWords];
                    for (std::size_t w = 0; w < kWords; ++w) row[w] |= next[w];
                }
                for (const Index e : out(order[i])) {
                    const std::size_t to = place[edges_[e].to];
                    if (!in_block(to) || edges_[e].part != kNone) continue;
                    if ((row[(to - low) / 64] >> ((to - low) % 64)) & 1) detours.push_back(e);
                }
                for (const Index e : out(order[i]))
                    if (const std::size_t to = place[edges_[e].to]; in_block(to))
                        row[(to - low) / 64] |= std::uint64_t{1} << ((to - low) % 64);
            }
        }
        for (const Index e : detours) remove_edge(e);
        return !detours.empty();
    }

    /// Points that lead to the same points by empty edges alone.
    bool merge_twins() {
        std::map<std::vector<Index>, Index> first;
        bool merged = false;
        for (const Index point : topological_order()) {
            std::vector<Index> targets;
            const auto& edges = out(point);
            if (edges.empty() || !std::ranges::all_of(edges, [&](Index e) { return edges_[e].part == kNone; })) continue;
            for (const Index e : edges) targets.push_back(edges_[e].to);
            std::ranges::sort(targets);
            const auto [found, fresh] = first.try_emplace(std::move(targets), point);
            if (fresh) continue;
            found->second = merge(found->second, point);
            merged = true;
        }
        return merged;
    }

    /// Per place in `order`, the place of the nearest one that every way from the first place goes through; kNone for the first.
    template <typename Before>
    static std::vector<Index> dominators(std::size_t count, Before&& before) {
        std::vector<Index> nearest(count, kNone);
        for (std::size_t i = 1; i < count; ++i) {
            Index common = kNone;
            before(i, [&](Index place) {
                if (common == kNone) common = place;
                while (common != place) {
                    if (common > place)
                        common = nearest[common];
                    else
                        place = nearest[place];
                }
            });
            nearest[i] = common;
        }
        return nearest;
    }

    void convert_blocks() {
        const std::vector<Index> order = topological_order();
        const auto count = static_cast<Index>(order.size());
        std::vector<Index> place(points_.size(), kNone);
        for (Index i = 0; i < count; ++i) place[order[i]] = i;
        const auto entry = dominators(count, [&](std::size_t i, auto&& take) {
            for (const Index e : in(order[i])) take(place[edges_[e].from]);
        });
        const auto mirrored = dominators(count, [&](std::size_t i, auto&& take) {
            for (const Index e : out(order[count - 1 - i])) take(count - 1 - place[edges_[e].to]);
        });
        // exit_of[p]: p and it are entry and exit of a block with something inside
        std::vector<Index> exit_of(count, kNone);
        for (Index i = 0; i + 1 < count; ++i) {
            const Index exit = count - 1 - mirrored[count - 1 - i];
            if (entry[exit] == i && points_[order[i]].outs > 1) exit_of[i] = exit;
        }
        std::vector<Index> seen(count, kNone);
        for (Index i = 0; i < count; ++i) {
            if (exit_of[i] == kNone) continue;
            std::vector<Index> inside;
            bool innermost = true;
            const auto visit = [&](Index from) {
                for (const Index e : out(order[from])) {
                    const Index to = place[edges_[e].to];
                    if (to == exit_of[i] || seen[to] == i) continue;
                    seen[to] = i;
                    inside.push_back(to);
                    innermost = innermost && exit_of[to] == kNone;
                }
            };
            visit(i);
            for (std::size_t next = 0; next < inside.size() && innermost; ++next) visit(inside[next]);
            if (!innermost) continue;
            std::ranges::sort(inside);
            convert_block(order[i], order[exit_of[i]], order, inside);
        }
    }

    /// `inside`: places of all points between entry and exit, ascending.
    void convert_block(Index entry, Index exit, const std::vector<Index>& order, const std::vector<Index>& inside) {
        std::unordered_map<Index, std::size_t> local;  // point -> its number in `inside`
        for (std::size_t i = 0; i < inside.size(); ++i) local[order[inside[i]]] = i;
        std::vector<std::size_t> component(inside.size());
        std::iota(component.begin(), component.end(), std::size_t{0});
        const auto find = [&](std::size_t i) {
            while (component[i] != i) i = component[i] = component[component[i]];
            return i;
        };
        std::vector<Index> level(inside.size(), 1);
        for (std::size_t i = 0; i < inside.size(); ++i)
            for (const Index e : out(order[inside[i]]))
                if (edges_[e].to != exit) {
                    const std::size_t to = local[edges_[e].to];
                    level[to] = std::max(level[to], level[i] + 1);
                    component[find(i)] = find(to);
                }
        std::map<std::size_t, std::vector<std::size_t>> members;
        for (std::size_t i = 0; i < inside.size(); ++i) members[find(i)].push_back(i);
        for (const auto& [root, component_members] : members) {
            struct Span {
                Index from, to, part;
            };
            Index last = 0;
            for (const std::size_t i : component_members) last = std::max(last, level[i]);
            std::vector<Index> point_of(last + 2, kNone);
            point_of.front() = entry;
            point_of.back() = exit;
            std::vector<Span> spans;
            const auto take = [&](Index e, Index from, Index to) {
                const Index part = edges_[e].part;
                remove_edge(e);
                if (part != kNone) parts_[part].converted = true;
                if (part != kNone || to == from + 1) spans.push_back({from, to, part});
            };
            for (const std::size_t i : component_members) {
                const Index point = order[inside[i]];
                if (point_of[level[i]] == kNone) point_of[level[i]] = point;
                for (const Index e : std::vector<Index>(in(point)))
                    if (edges_[e].from == entry) take(e, 0, level[i]);
                for (const Index e : std::vector<Index>(out(point)))
                    take(e, level[i], edges_[e].to == exit ? last + 1 : level[local[edges_[e].to]]);
            }
            // Of two that cross, the one that begins later ends with the other.
            std::ranges::stable_sort(spans, [](const Span& a, const Span& b) { return a.from != b.from ? a.from < b.from : a.to > b.to; });
            std::vector<Index> ends;
            for (Span& span : spans) {
                while (!ends.empty() && ends.back() <= span.from) ends.pop_back();
                if (!ends.empty()) span.to = std::min(span.to, ends.back());
                ends.push_back(span.to);
            }
            for (const Span& span : spans) add_edge(point_of[span.from], point_of[span.to], span.part);
        }
    }

    std::vector<Point> points_;
    std::vector<Edge> edges_;
    std::vector<Binary> parts_;
    std::unordered_map<std::uint64_t, Index> between_;
    std::vector<Index> waiting_;
    std::size_t alive_ = 0;
};

/// Joins of one kind inside each other become one part.
SeriesParallelTree flatten(const std::vector<Binary>& binary, Index root, std::size_t nodes) {
    SeriesParallelTree tree;
    struct Frame {
        Index part;
        bool converted;
        std::vector<Index> waiting;   // binary parts, the next one last
        std::vector<Index> children;  // made
    };
    std::vector<Frame> stack;
    std::vector<Index> smallest;  // node, per part made
    const auto open = [&](Index part, bool converted) {
        converted = converted || binary[part].converted;
        stack.push_back({part, converted, {}, {}});
        if (part >= nodes) stack.back().waiting = {binary[part].second, binary[part].first};
    };
    open(root, false);
    for (;;) {
        Frame& frame = stack.back();
        if (!frame.waiting.empty()) {
            const Index next = frame.waiting.back();
            frame.waiting.pop_back();
            if (next >= nodes && binary[next].kind == binary[frame.part].kind && !binary[next].converted) {
                frame.waiting.push_back(binary[next].second);
                frame.waiting.push_back(binary[next].first);
            } else {
                open(next, frame.converted);
            }
            continue;
        }
        SeriesParallelTree::Part made;
        Index least = frame.part;
        if (frame.part < nodes) {
            made.node = frame.part;
            tree.converted += frame.converted ? 1 : 0;
        } else {
            made.kind = binary[frame.part].kind;
            // A converted part of the same kind was opened on its own to be counted: its children are taken over.
            for (const Index child : frame.children)
                if (tree.parts[child].kind == made.kind)
                    made.children.insert(made.children.end(), tree.parts[child].children.begin(), tree.parts[child].children.end());
                else
                    made.children.push_back(child);
            if (made.kind == Kind::parallel) std::ranges::sort(made.children, {}, [&](Index child) { return smallest[child]; });
            least = smallest[made.children.front()];
            for (const Index child : made.children) least = std::min(least, smallest[child]);
        }
        tree.parts.push_back(std::move(made));
        smallest.push_back(least);
        stack.pop_back();
        if (stack.empty()) return tree;
        stack.back().children.push_back(static_cast<Index>(tree.parts.size() - 1));
    }
}

/// Parts that were taken over by their parent are no part of the tree.
void drop_unused(SeriesParallelTree& tree) {
    std::vector<char> used(tree.parts.size(), 0);
    used.back() = 1;
    for (std::size_t p = tree.parts.size(); p-- > 0;)
        if (used[p])
            for (const Index child : tree.parts[p].children) used[child] = 1;
    std::vector<Index> renamed(tree.parts.size());
    std::vector<SeriesParallelTree::Part> kept;
    for (std::size_t p = 0; p < tree.parts.size(); ++p) {
        if (!used[p]) continue;
        renamed[p] = static_cast<Index>(kept.size());
        for (Index& child : tree.parts[p].children) child = renamed[child];
        kept.push_back(std::move(tree.parts[p]));
    }
    tree.parts = std::move(kept);
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
    std::uint64_t x = seed ^ (value + 0x9e3779b97f4a7c15 + (seed << 6) + (seed >> 2));
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

}  // namespace

SeriesParallelTree series_parallel_tree(std::size_t nodes, std::span<const Arc> arcs) {
    if (nodes == 0) return {};
    Reducer reducer(nodes, arcs);
    reducer.run();
    SeriesParallelTree tree = flatten(reducer.parts(), reducer.root(), nodes);
    drop_unused(tree);
    return tree;
}

std::vector<std::uint64_t> part_hashes(const SeriesParallelTree& tree, std::span<const std::uint64_t> labels) {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(tree.parts.size());
    for (const SeriesParallelTree::Part& part : tree.parts) {
        std::uint64_t hash = mix(static_cast<std::uint64_t>(part.kind), part.children.size());
        if (part.kind == Kind::leaf) hash = mix(hash, labels[part.node]);
        std::vector<std::uint64_t> below;
        for (const std::uint32_t child : part.children) below.push_back(hashes[child]);
        if (part.kind == Kind::parallel) std::ranges::sort(below);
        for (const std::uint64_t one : below) hash = mix(hash, one);
        hashes.push_back(hash);
    }
    return hashes;
}

}  // namespace sluice::graph
