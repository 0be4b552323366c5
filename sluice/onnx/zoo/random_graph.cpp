// Random graphs as models that run, one operator a vertex: random-sp (series-parallel by recursive composition), random-er (G(n, m); Erdős
// and Rényi 1959), random-ba (Barabási and Albert 1999), random-ws (Watts and Strogatz 1998), random-sbm (stochastic blocks; Holland et al.
// 1983). Undirected edges point from the lower to the higher vertex. Linear in vertices and edges (expected, while few pairs are taken);
// only integers decide the structure, so a seed gives one graph on every machine.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "sluice/base/random.hpp"
#include "sluice/onnx/zoo/fill.hpp"
#include "sluice/onnx/zoo/layers.hpp"
#include "sluice/onnx/zoo/registry.hpp"

namespace sluice::onnx::zoo {

namespace {
constexpr std::uint64_t kMostEdges = std::uint64_t{1} << 24;
enum Stream : std::uint64_t { kStructure = 1, kOperators = 2 };

using Vertex = std::uint32_t;

/// Predecessors of each vertex, all lower than it.
class Digraph {
public:
    explicit Digraph(std::int64_t vertices) : predecessors_(static_cast<std::size_t>(vertices)) {}
    /// False for a loop or an edge that exists.
    bool connect(Vertex a, Vertex b) {
        if (a == b) return false;
        const auto [low, high] = std::minmax(a, b);
        if (!edges_.insert(std::uint64_t{high} << 32 | low).second) return false;
        predecessors_[high].push_back(low);
        return true;
    }
    [[nodiscard]] std::vector<std::vector<Vertex>> sorted() && {
        for (auto& row : predecessors_) std::ranges::sort(row);
        return std::move(predecessors_);
    }

private:
    std::vector<std::vector<Vertex>> predecessors_;
    std::unordered_set<std::uint64_t> edges_;
};

/// `degree` edges a vertex, of `pairs` that exist.
std::uint64_t edge_count(std::string_view what, std::int64_t degree, std::int64_t vertices, std::uint64_t pairs) {
    const auto edges = static_cast<std::uint64_t>(degree) * static_cast<std::uint64_t>(vertices);
    const std::uint64_t most = std::min(pairs, kMostEdges);
    if (edges > most) {
        refuse(std::string(what) + "=" + std::to_string(degree) + " asks for " + std::to_string(edges) + " edges, " +
                   std::to_string(vertices) + " operators have room for " + std::to_string(most),
               "take a smaller " + std::string(what) + (pairs < kMostEdges ? " or more operators" : " or fewer operators"));
    }
    return edges;
}

std::uint64_t pairs_of(std::uint64_t vertices) { return vertices * (vertices - 1) / 2; }

/// operators: the model's vertices, at most kMany, so that pairs fit 64 bits and a vertex fits 32.
std::vector<std::vector<Vertex>> erdos_renyi(const Sizes& sizes, RandomStream& random) {
    const auto count = static_cast<std::uint64_t>(sizes["operators"]);
    std::uint64_t edges = edge_count("degree", sizes["degree"], sizes["operators"], pairs_of(count));
    Digraph graph(sizes["operators"]);
    while (edges > 0) {  // drawn one after the other: compilers differ in which argument of a call they make first
        const auto to = static_cast<Vertex>(random.below(count));
        const auto from = static_cast<Vertex>(random.below(count));
        edges -= graph.connect(from, to) ? 1 : 0;
    }
    return std::move(graph).sorted();
}

std::vector<std::vector<Vertex>> barabasi_albert(const Sizes& sizes, RandomStream& random) {
    const auto count = static_cast<Vertex>(sizes["operators"]), attach = static_cast<Vertex>(sizes["attach"]);
    if (attach >= count) {
        refuse("attach=" + std::to_string(attach) + " needs more than " + std::to_string(attach) + " operators, there are " +
                   std::to_string(count),
               "take a smaller attach or more operators");
    }
    edge_count("attach", attach, count - attach, kMostEdges);
    Digraph graph(sizes["operators"]);
    std::vector<Vertex> ends;  // each vertex as often as it has edges, and once more
    for (Vertex vertex = 0; vertex < count; ++vertex) {
        const std::size_t before = ends.size();
        for (Vertex made = 0; made < std::min(attach, vertex);) {
            const Vertex other = ends[random.below(before)];
            if (!graph.connect(other, vertex)) continue;
            ends.insert(ends.end(), {other, vertex});
            ++made;
        }
        ends.push_back(vertex);
    }
    return std::move(graph).sorted();
}

std::vector<std::vector<Vertex>> watts_strogatz(const Sizes& sizes, RandomStream& random) {
    const auto count = static_cast<std::uint64_t>(sizes["operators"]);
    const auto side = static_cast<std::uint64_t>(sizes["neighbours"]);  // to each side on the ring
    if (2 * side >= count) {
        refuse("neighbours=" + std::to_string(side) + " to each side need more than " + std::to_string(2 * side) +
                   " operators, there are " + std::to_string(count),
               "take fewer neighbours or more operators");
    }
    edge_count("neighbours", sizes["neighbours"], sizes["operators"], pairs_of(count));
    Digraph graph(sizes["operators"]);
    const auto rewired = static_cast<std::uint64_t>(sizes["rewire"]);
    std::vector<std::pair<Vertex, Vertex>> moved;
    for (std::uint64_t vertex = 0; vertex < count; ++vertex) {
        for (std::uint64_t step = 1; step <= side; ++step) {
            const std::uint64_t other = (vertex + step) % count;
            if (random.below(100) < rewired)
                moved.emplace_back(vertex, other);
            else
                graph.connect(static_cast<Vertex>(vertex), static_cast<Vertex>(other));
        }
    }
    for (const auto& [vertex, other] : moved) {
        // A vertex that already has every neighbour keeps its old edge: count bounded, so that a nearly complete graph ends too.
        bool done = false;
        for (std::uint64_t attempt = 0; attempt < count && !done; ++attempt)
            done = graph.connect(vertex, static_cast<Vertex>(random.below(count)));
        if (!done) graph.connect(vertex, other);
    }
    return std::move(graph).sorted();
}

std::vector<std::vector<Vertex>> stochastic_blocks(const Sizes& sizes, RandomStream& random) {
    const auto count = static_cast<std::uint64_t>(sizes["operators"]), blocks = static_cast<std::uint64_t>(sizes["blocks"]);
    if (blocks > count) refuse("blocks=" + std::to_string(blocks) + " exceed operators=" + std::to_string(count), "take fewer blocks");
    // Block of slot s is s % blocks; a shuffle hides the blocks in the order of the vertices.
    std::vector<Vertex> slots(count);
    for (std::size_t i = 0; i < count; ++i) slots[i] = static_cast<Vertex>(i);
    random.shuffle(std::span(slots));
    const std::uint64_t size = count / blocks, larger = count % blocks;
    const std::uint64_t inside = (blocks - larger) * (size * (size - 1) / 2) + larger * ((size + 1) * size / 2);
    std::uint64_t within = edge_count("within", sizes["within"], sizes["operators"], inside);
    std::uint64_t between = edge_count("between", sizes["between"], sizes["operators"], pairs_of(count) - inside);
    Digraph graph(sizes["operators"]);
    // Uniform slots, thrown back unless the second is of the wanted kind; inside a block it is drawn there at once.
    while (within > 0) {
        const std::uint64_t a = random.below(count), block = a % blocks;
        const std::uint64_t members = size + (block < larger ? 1 : 0);
        within -= graph.connect(slots[a], slots[block + blocks * random.below(members)]) ? 1 : 0;
    }
    while (between > 0) {
        const std::uint64_t a = random.below(count), b = random.below(count);
        if (a % blocks != b % blocks) between -= graph.connect(slots[a], slots[b]) ? 1 : 0;
    }
    return std::move(graph).sorted();
}

/// Series or parallel composition, split at random, until every part is one vertex. A join vertex closes a parallel part.
struct SeriesParallel {
    RandomStream& random;
    std::uint64_t parallel;  // percent
    std::int64_t branches;
    std::vector<std::vector<Vertex>> predecessors = {};

    Vertex add(std::vector<Vertex> from) {
        std::ranges::sort(from);
        predecessors.push_back(std::move(from));
        return static_cast<Vertex>(predecessors.size() - 1);
    }
    /// `count` vertices after `entry` (empty: the model's input); the last one. Expected depth of the recursion: log count.
    Vertex grow(std::int64_t count, std::vector<Vertex> entry) {
        while (count > 1) {
            if (count >= 3 && random.below(100) < parallel) return grow_parallel(count, entry);
            const std::int64_t first = random.between(1, count - 1);
            entry = {grow(first, std::move(entry))};
            count -= first;
        }
        return add(std::move(entry));
    }
    Vertex grow_parallel(std::int64_t count, const std::vector<Vertex>& entry) {
        const std::int64_t parts = random.between(2, std::min(branches, count - 1));
        std::int64_t spare = count - 1 - parts;
        std::vector<Vertex> exits;
        for (std::int64_t i = 0; i < parts; ++i) {
            const std::int64_t extra = i + 1 == parts ? spare : random.between(0, spare);
            exits.push_back(grow(1 + extra, entry));
            spare -= extra;
        }
        return add(std::move(exits));
    }
};

std::vector<std::vector<Vertex>> series_parallel(const Sizes& sizes, RandomStream& random) {
    SeriesParallel graph{random, static_cast<std::uint64_t>(sizes["parallel"]), sizes["branches"]};
    graph.predecessors.reserve(static_cast<std::size_t>(sizes["operators"]));
    graph.grow(sizes["operators"], {});
    return std::move(graph.predecessors);
}

/// One operator of the model and a bound on the magnitude of what it makes, so that sums over many paths stay finite.
struct Made {
    Value value;
    double magnitude;
};
constexpr double kLargestInput = 100.0;  // what a caller may feed; beyond it finiteness is not promised
constexpr double kLargestMagnitude = 1e6;

Made join(ModelBuilder& builder, const std::string& name, const std::vector<Made>& inputs, RandomStream& random) {
    std::vector<Value> values;
    double sum = 0, largest = 0;
    for (const Made& input : inputs) {
        values.push_back(input.value);
        sum += input.magnitude;
        largest = std::max(largest, input.magnitude);
    }
    const std::uint64_t draw = random.below(10);
    if (sum > kLargestMagnitude || draw < 2) return {builder.variadic("Mean", name, values), largest};
    if (draw < 4) return {builder.variadic("Max", name, values), largest};
    if (values.size() == 2) return {builder.binary(draw < 8 ? "Add" : "Sub", name, values[0], values[1]), sum};
    return {builder.variadic("Sum", name, values), sum};
}

Made single(ModelBuilder& builder, const std::string& name, const Made& x, RandomStream& random) {
    const std::int64_t width = x.value.shape.back();
    const double grown = x.magnitude * std::sqrt(static_cast<double>(width)) * kLargestDeviations + 1.0;
    const std::uint64_t draw = random.below(10);
    if (draw < 3 && grown <= kLargestMagnitude) {
        return {builder.matmul(name, x.value, builder.weight(name + ".weight", {width, width}, width)), grown};
    }
    if (draw < 5 && grown <= kLargestMagnitude) return {linear(builder, name, x.value, width), grown};
    if (draw < 7) return {builder.unary("Relu", name, x.value), x.magnitude};
    return {builder.unary(draw < 9 ? "Tanh" : "Sigmoid", name, x.value), 1.0};
}

/// Vertices without predecessors read the model's input; those without successors are its outputs.
void materialise(ModelBuilder& builder, const std::vector<std::vector<Vertex>>& predecessors, const Sizes& sizes) {
    RandomStream random(static_cast<std::uint64_t>(sizes["seed"]), kOperators);
    const Made input{builder.input("x", {sizes["batch"], sizes["width"]}), kLargestInput};
    std::vector<Made> made;
    std::vector<bool> read(predecessors.size(), false);
    for (std::size_t i = 0; i < predecessors.size(); ++i) {
        const std::string name = "op" + std::to_string(i);
        std::vector<Made> inputs;
        for (Vertex from : predecessors[i]) {
            assert(from < i);
            inputs.push_back(made[from]);
            read[from] = true;
        }
        made.push_back(inputs.size() > 1 ? join(builder, name, inputs, random)
                                         : single(builder, name, inputs.empty() ? input : inputs[0], random));
    }
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (!read[i]) builder.output(made[i].value);
    }
}

template <std::vector<std::vector<Vertex>> (*structure)(const Sizes&, RandomStream&)>
void build_random(ModelBuilder& builder, const Sizes& sizes) {
    RandomStream random(static_cast<std::uint64_t>(sizes["seed"]), kStructure);
    materialise(builder, structure(sizes, random), sizes);
}

std::vector<Size> random_sizes(std::vector<Size> own) {
    std::vector<Size> sizes = {{"operators", 100, "operators", 1, kMany}};
    sizes.insert(sizes.end(), own.begin(), own.end());
    sizes.insert(sizes.end(), {{"seed", 0, "seed of the structure", 0, std::numeric_limits<std::int64_t>::max()},
                               {"width", 64, "features of every tensor"},
                               {"batch", 1, "samples"}});
    return sizes;
}
}  // namespace

std::vector<Family> random_families() {
    return {{"random-sp", "random series-parallel graph",
             random_sizes({{"parallel", 50, "percent of compositions that are parallel", 0, 100},
                           {"branches", 4, "most branches of one", 2, kMany}}),
             build_random<series_parallel>},
            {"random-er", "random graph with every pair equally likely (Erdős–Rényi)",
             random_sizes({{"degree", 2, "predecessors of an operator on average", 0, kMany}}), build_random<erdos_renyi>},
            {"random-ba", "random graph with hubs (Barabási–Albert)",
             random_sizes({{"attach", 2, "predecessors of an operator", 1, kMany}}), build_random<barabasi_albert>},
            {"random-ws", "random graph of near neighbours and shortcuts (Watts–Strogatz)",
             random_sizes({{"neighbours", 2, "neighbours to each side on the ring", 1, kMany},
                           {"rewire", 10, "percent of edges that become shortcuts", 0, 100}}),
             build_random<watts_strogatz>},
            {"random-sbm", "random graph of hidden communities (stochastic block model)",
             random_sizes({{"blocks", 8, "communities", 1, kMany},
                           {"within", 2, "edges an operator inside communities", 0, kMany},
                           {"between", 1, "edges an operator between communities", 0, kMany}}),
             build_random<stochastic_blocks>}};
}

}  // namespace sluice::onnx::zoo
