// A lower bound on the bottleneck (or the latency) of every partition, with what makes it checkable (design §5). File:
// `sluice.certificate/1` JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/units.hpp"
#include "sluice/cost/objective.hpp"

namespace sluice::bound {

inline constexpr std::string_view kCertificateFormat = "sluice.certificate/1";
/// Of CutWitness::scale: far finer than rounding needs, and small enough that no capacity leaves __int128.
inline constexpr std::int64_t kLargestScale = std::int64_t{1} << 20;
/// Of one weight of a CoveringWitness, and of all together for the checker.
inline constexpr std::int64_t kLargestCoveringWeight = std::int64_t{1} << 62;
/// Of CoveringWitness::labels.
inline constexpr std::int64_t kMostCoveringLabels = 65536;

/// One operator cannot be split: bound = its least work over the classes (plus the spill of its own weights on every class).
struct LargestOperatorWitness {
    NodeId node;
    friend bool operator==(const LargestOperatorWitness&, const LargestOperatorWitness&) = default;
};
/// All work, and what cannot fit in all fast memories together, shared by at most k devices.
struct TotalWorkWitness {
    friend bool operator==(const TotalWorkWitness&, const TotalWorkWitness&) = default;
};

/// Of the latency alone: a path of the graph, each node on its fastest class. The stages it passes follow each other on a path of the stage
/// graph, each once (that graph has no cycle), and each takes at least the work of its nodes.
struct LongestPathWitness {
    std::vector<NodeId> nodes;
    friend bool operator==(const LongestPathWitness&, const LongestPathWitness&) = default;
};

/// Anchored minimum cut (notes/inference 7.1): the stage that holds `anchor` costs at least the value of this flow.
/// Weights of the objective's parts as rationals over `scale`: serial uses scale for work, in and out alike; overlap splits it (λ, design
/// §3.1: work + in + out <= scale); `theta` of the spill is charged per parameter byte (design §3.1, θ-relaxation; at most `work` under
/// overlap).
struct CutWitness {
    NodeId anchor;
    std::int64_t scale = 1;                  // capacities are integer multiples of 1/scale picoseconds
    std::int64_t work = 1, in = 1, out = 1;  // λ·scale of each part
    std::int64_t theta = 0;                  // of the spill, in 1/scale, 0..scale (overlap: 0..work)
    struct ArcFlow {                         // a positive flow; arcs are numbered as docs/formats/certificate.md lays the network out
        std::uint32_t arc = 0;
        std::int64_t flow = 0;
        friend bool operator==(const ArcFlow&, const ArcFlow&) = default;
    };
    std::vector<ArcFlow> flows;  // ascending arcs
    friend bool operator==(const CutWitness&, const CutWitness&) = default;
};

/// The serial problem that a witness speaks of (docs/formats/certificate.md, "The serial problem"): how much of work and transfers a stage
/// is charged, in 1/scale, and which groups of nodes share a stage in some optimum: merged in this sequence, the first group stays, the
/// second moves to its stage, each named by its first node.
struct SerialTerms {
    std::int64_t scale = 1, work = 1, transfer = 1;
    std::vector<std::pair<NodeId, NodeId>> merges;
    friend bool operator==(const SerialTerms&, const SerialTerms&) = default;
};

/// Chain of cuts (notes/bounds 2.2): minimum cuts over the downsets of each type that the order makes, and the recursion over them.
struct ChainWitness {
    SerialTerms serial;
    std::vector<NodeId> order;      // the first node of every group, in a topological order of the groups
    std::int64_t theta_halves = 0;  // of the spill: 0, 1 or 2
    bool mirrored = false;          // types tell the last position inside, not the first missing
    friend bool operator==(const ChainWitness&, const ChainWitness&) = default;
};

/// Nodes of which each is reached from the one before: what lies up to the first, between neighbours and behind the last has stages of its
/// own but for those of the nodes themselves, and needs enough of them for its work, and for its parameters where every memory is hard.
struct WaypointsWitness {
    std::vector<NodeId> nodes;
    friend bool operator==(const WaypointsWitness&, const WaypointsWitness&) = default;
};

/// Of plans under the triangle rule of a chip ring (design §3.2) and without rewrites alone: `from` feeds `to` directly, so all that lies
/// on ways from the one to the other is on the chips of these two.
struct TriangleWitness {
    NodeId from, to;
    friend bool operator==(const TriangleWitness&, const TriangleWitness&) = default;
};

/// Counting weights (notes/bounds 2.3): work over what the least transfers around each group leave for work.
struct CountingWitness {
    SerialTerms serial;
    std::int64_t theta_halves = 0;
    friend bool operator==(const CountingWitness&, const CountingWitness&) = default;
};

/// Weights of groups such that no stage of f(S) <= r T has more than r of them together (docs/explanation/bounds.md, "Covering"): the dual
/// of covering the groups with stages. Proven by dynamic programming along the order.
struct CoveringWitness {
    SerialTerms serial;
    std::vector<NodeId> order;             // the first node of every group, in a topological order of the groups
    std::int64_t theta_halves = 0;         // of the spill: 0, 1 or 2
    std::vector<std::int64_t> weights;     // by the order, in 1/2^32 of a device
    std::vector<std::uint32_t> uncharged;  // positions in the order, ascending: what these groups make costs nothing and orders nothing
    std::int64_t labels = 64;              // of one state that the check tells apart, at most: 1 to kMostCoveringLabels
    friend bool operator==(const CoveringWitness&, const CoveringWitness&) = default;
};

/// A complete search over the downsets that the first stages of a partition can be, which found none with f(S) <= r (value - 1) for every
/// stage S, r its devices (notes/bounds 2.4, 2.5). Groups are numbered by the first order, or, without any, as docs/formats/certificate.md
/// says.
struct ExactDpWitness {
    SerialTerms serial;
    struct Table {  // of the chain of cuts, as in ChainWitness
        std::vector<NodeId> order;
        std::int64_t theta_halves = 0;
        bool mirrored = false;
        friend bool operator==(const Table&, const Table&) = default;
    };
    std::vector<Table> completion;
    bool counting = false;  // counting weights were used, without spill
    /// A downset of groups as the ascending numbers at which its membership, or the lack of it, changes against the one before it in its
    /// level; the first one's against the empty set.
    using Changes = std::vector<std::uint32_t>;
    std::vector<std::vector<Changes>> kept;  // by devices used, from 1
    friend bool operator==(const ExactDpWitness&, const ExactDpWitness&) = default;
};

/// Multipliers for rows of a linear program that every partition with a bottleneck of at most `threshold` satisfies
/// (bound/block_program.hpp): their combination bounds the bottleneck from below, so no bottleneck is below that or threshold + 1.
struct LinearProgramWitness {
    std::vector<std::int64_t> blocks;  // stages in each block; at least k together
    Duration threshold{0};
    std::int64_t unit = 1;  // the order and border rows are this many times what they say
    struct Row {
        std::uint32_t row = 0;  // numbered as docs/formats/certificate.md says
        std::int64_t multiplier = 0;
        friend bool operator==(const Row&, const Row&) = default;
    };
    std::vector<Row> rows;  // ascending, positive multipliers
    friend bool operator==(const LinearProgramWitness&, const LinearProgramWitness&) = default;
};

/// Only that a solver said so, of the program of these blocks: nobody can check it, and it is never certified.
struct SolverClaimWitness {
    std::string solver;  // name and version
    std::vector<std::int64_t> blocks;
    Duration threshold{0};
    friend bool operator==(const SolverClaimWitness&, const SolverClaimWitness&) = default;
};

using Witness = std::variant<LargestOperatorWitness, TotalWorkWitness, CutWitness, LongestPathWitness, ChainWitness, CountingWitness,
                             CoveringWitness, ExactDpWitness, LinearProgramWitness, SolverClaimWitness, WaypointsWitness, TriangleWitness>;

struct Certificate {
    std::string problem;            // StageProblem::fingerprint
    std::string model;              // Graph::fingerprint; bounds leave it to their caller, who has the graph
    std::int64_t stages = 0;        // k: sum of the stages' replicas
    std::int64_t max_replicas = 1;  // the bound says nothing about a partition with a stage on more devices than this
    Duration value{0};
    Witness witness;
    // Latency: no partition has a latency below the value. Replicas do not change a latency, so max_replicas is 1 and the bound holds for
    // any number: take the replicas away and the bottleneck, which every witness bounds, is a stage's whole time, so at most the latency.
    cost::Objective objective = cost::Objective::throughput;
    // False: the witness speaks of the problem without its transfers (cost::without_transfers), so the bound holds also for plans that run
    // operators more than once to avoid some: of each operator's copies let the one on the first device stay, and what is left is a
    // partition with no more work anywhere.
    bool transfers = true;
    friend bool operator==(const Certificate&, const Certificate&) = default;

    /// "combinatorial", "waypoints", "cut", "chain", "counting", "covering", "exact-dp", "exact-lp", "triangle" or "solver-claimed".
    [[nodiscard]] std::string_view kind() const;
};

[[nodiscard]] std::string to_json_text(const Certificate& certificate, bool certified);
[[nodiscard]] Result<Certificate> read_certificate(const json::Node& document);
[[nodiscard]] Result<Certificate> read_certificate_file(const std::filesystem::path& path);

}  // namespace sluice::bound
