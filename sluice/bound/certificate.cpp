#include "sluice/bound/certificate.hpp"

#include <array>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/bound/certificate_exact_dp.hpp"
#include "sluice/bound/certificate_fields.hpp"
#include "sluice/bound/certificate_linear.hpp"

namespace sluice::bound {

namespace {

using json::Node;
using nlohmann::ordered_json;
using namespace fields;

constexpr std::string_view kLargestOperator = "largest-operator";
constexpr std::string_view kTotalWork = "total-work";
constexpr std::string_view kAnchoredCut = "anchored-cut";
constexpr std::string_view kChainOfCuts = "chain-of-cuts";
constexpr std::string_view kCountingWeights = "counting-weights";
constexpr std::string_view kCoveringWeights = "covering-weights";
constexpr std::string_view kLongestPath = "longest-path";
constexpr std::string_view kWaypoints = "waypoints";
constexpr std::string_view kTriangle = "triangle";

ordered_json to_json(const LargestOperatorWitness& witness) { return {{"type", kLargestOperator}, {"node", witness.node.index()}}; }

ordered_json to_json(const TotalWorkWitness&) { return {{"type", kTotalWork}}; }

ordered_json to_json(const CutWitness& witness) {
    ordered_json arcs = ordered_json::array(), flows = ordered_json::array();
    for (const auto& [arc, flow] : witness.flows) {
        arcs.push_back(arc);
        flows.push_back(flow);
    }
    return {{"type", kAnchoredCut},     {"anchor", witness.anchor.index()},
            {"scale", witness.scale},   {"work", witness.work},
            {"in", witness.in},         {"out", witness.out},
            {"theta", witness.theta},   {"arcs", std::move(arcs)},
            {"flows", std::move(flows)}};
}

ordered_json to_json(const ChainWitness& witness) {
    ordered_json object = {{"type", kChainOfCuts}};
    add_terms(object, witness.serial);
    object["order"] = indices_of(witness.order);
    object["theta_halves"] = witness.theta_halves;
    object["mirrored"] = witness.mirrored;
    return object;
}

ordered_json to_json(const CountingWitness& witness) {
    ordered_json object = {{"type", kCountingWeights}};
    add_terms(object, witness.serial);
    object["theta_halves"] = witness.theta_halves;
    return object;
}

ordered_json to_json(const CoveringWitness& witness) {
    ordered_json object = {{"type", kCoveringWeights}};
    add_terms(object, witness.serial);
    object["order"] = indices_of(witness.order);
    object["theta_halves"] = witness.theta_halves;
    object["weights"] = witness.weights;
    object["uncharged"] = witness.uncharged;
    object["labels"] = witness.labels;
    return object;
}

ordered_json to_json(const LongestPathWitness& witness) { return {{"type", kLongestPath}, {"nodes", indices_of(witness.nodes)}}; }

ordered_json to_json(const WaypointsWitness& witness) { return {{"type", kWaypoints}, {"nodes", indices_of(witness.nodes)}}; }

ordered_json to_json(const TriangleWitness& witness) {
    return {{"type", kTriangle}, {"from", witness.from.index()}, {"to", witness.to.index()}};
}

Result<CutWitness> read_cut(const Node& node) {
    if (auto known = node.expect_keys({"type", "anchor", "scale", "work", "in", "out", "theta", "arcs", "flows"}); !known)
        return fail(known.error());
    CutWitness witness;
    const auto anchor = read_integer(node, "anchor", 0, kLargestIndex);
    if (!anchor) return fail(anchor.error());
    witness.anchor = NodeId(static_cast<std::size_t>(*anchor));
    const auto scale = read_integer(node, "scale", 1, kLargestScale);
    if (!scale) return fail(scale.error());
    witness.scale = *scale;
    for (const auto& [key, to] : std::array<std::pair<std::string_view, std::int64_t*>, 4>{
             {{"work", &witness.work}, {"in", &witness.in}, {"out", &witness.out}, {"theta", &witness.theta}}}) {
        const auto weight = read_integer(node, key, 0, witness.scale);
        if (!weight) return fail(weight.error());
        *to = *weight;
    }
    const auto arcs = read_array(node, "arcs"), flows = read_array(node, "flows");
    if (!arcs) return fail(arcs.error());
    if (!flows) return fail(flows.error());
    if ((*arcs)->size() != (*flows)->size())
        return wrong(node, std::format("{} arcs and {} flows: each arc needs its flow", (*arcs)->size(), (*flows)->size()));
    witness.flows.reserve((*arcs)->size());
    std::int64_t before = -1;
    for (std::size_t i = 0; i < (*arcs)->size(); ++i) {
        const auto arc = (**arcs)[i].as_int(), flow = (**flows)[i].as_int();
        if (!arc) return fail(arc.error());
        if (!flow) return fail(flow.error());
        if (*arc <= before || *arc > kLargestIndex)
            return wrong((**arcs)[i],
                         std::format("arc {} after arc {}: arcs are distinct, ascending and at most {}", *arc, before, kLargestIndex));
        if (*flow < 1) return wrong((**flows)[i], std::format("the flow of arc {} is {}, expected at least 1", *arc, *flow));
        witness.flows.push_back({static_cast<std::uint32_t>(*arc), *flow});
        before = *arc;
    }
    return witness;
}

/// What chain, counting and covering witnesses begin with.
template <typename SerialWitness>
Result<void> read_grounds(const Node& node, SerialWitness& witness) {
    auto terms = read_terms(node);
    if (!terms) return fail(terms.error());
    witness.serial = *std::move(terms);
    if constexpr (requires { witness.order; }) {
        auto order = read_nodes(node, "order");
        if (!order) return fail(order.error());
        witness.order = *std::move(order);
    }
    const auto theta = read_integer(node, "theta_halves", 0, 2);
    if (!theta) return fail(theta.error());
    witness.theta_halves = *theta;
    return {};
}

Result<ChainWitness> read_chain(const Node& node) {
    if (auto known = node.expect_keys({"type", "scale", "work", "transfer", "merges", "order", "theta_halves", "mirrored"}); !known)
        return fail(known.error());
    ChainWitness witness;
    if (auto grounds = read_grounds(node, witness); !grounds) return fail(grounds.error());
    const auto mirrored = read_bool(node, "mirrored");
    if (!mirrored) return fail(mirrored.error());
    witness.mirrored = *mirrored;
    return witness;
}

Result<CountingWitness> read_counting(const Node& node) {
    if (auto known = node.expect_keys({"type", "scale", "work", "transfer", "merges", "theta_halves"}); !known) return fail(known.error());
    CountingWitness witness;
    if (auto grounds = read_grounds(node, witness); !grounds) return fail(grounds.error());
    return witness;
}

Result<CoveringWitness> read_covering(const Node& node) {
    if (auto known =
            node.expect_keys({"type", "scale", "work", "transfer", "merges", "order", "theta_halves", "weights", "uncharged", "labels"});
        !known)
        return fail(known.error());
    CoveringWitness witness;
    if (auto grounds = read_grounds(node, witness); !grounds) return fail(grounds.error());
    const auto weights = read_array(node, "weights");
    if (!weights) return fail(weights.error());
    if ((*weights)->size() != witness.order.size())
        return wrong(node, std::format("{} weights for an order of {} groups", (*weights)->size(), witness.order.size()));
    for (const Node& item : **weights) {
        const auto weight = item.as_int();
        if (!weight) return fail(weight.error());
        if (*weight < 0 || *weight > kLargestCoveringWeight)
            return wrong(item, std::format("a weight of {}, expected 0 to {}", *weight, kLargestCoveringWeight));
        witness.weights.push_back(*weight);
    }
    const auto uncharged = read_array(node, "uncharged");
    if (!uncharged) return fail(uncharged.error());
    std::int64_t before = -1;
    for (const Node& item : **uncharged) {
        const auto position = item.as_int();
        if (!position) return fail(position.error());
        if (*position <= before || *position >= std::ssize(witness.order))
            return wrong(item, std::format("position {} after {}: uncharged positions are distinct, ascending and below {}", *position,
                                           before, witness.order.size()));
        witness.uncharged.push_back(static_cast<std::uint32_t>(*position));
        before = *position;
    }
    const auto labels = read_integer(node, "labels", 1, kMostCoveringLabels);
    if (!labels) return fail(labels.error());
    witness.labels = *labels;
    return witness;
}

Result<LongestPathWitness> read_longest_path(const Node& node) {
    if (auto known = node.expect_keys({"type", "nodes"}); !known) return fail(known.error());
    const auto nodes = read_array(node, "nodes");
    if (!nodes) return fail(nodes.error());
    LongestPathWitness witness;
    for (const Node& item : **nodes) {
        const auto index = item.as_int();
        if (!index) return fail(index.error());
        if (*index < 0 || *index > kLargestIndex) return wrong(item, std::format("{} is no node: 0 to {} are", *index, kLargestIndex));
        witness.nodes.emplace_back(static_cast<std::size_t>(*index));
    }
    return witness;
}

Result<WaypointsWitness> read_waypoints(const Node& node) {
    if (auto known = node.expect_keys({"type", "nodes"}); !known) return fail(known.error());
    auto nodes = read_nodes(node, "nodes");
    if (!nodes) return fail(nodes.error());
    return WaypointsWitness{*std::move(nodes)};
}

Result<TriangleWitness> read_triangle(const Node& node) {
    if (auto known = node.expect_keys({"type", "from", "to"}); !known) return fail(known.error());
    TriangleWitness witness;
    for (const auto& [key, to] : {std::pair{"from", &witness.from}, {"to", &witness.to}}) {
        const auto index = read_integer(node, key, 0, kLargestIndex);
        if (!index) return fail(index.error());
        *to = NodeId(static_cast<std::size_t>(*index));
    }
    return witness;
}

Result<Witness> read_witness(const Node& node) {
    const auto type = read_text(node, "type");
    if (!type) return fail(type.error());
    if (*type == kAnchoredCut) return read_cut(node);
    if (*type == kChainOfCuts) return read_chain(node);
    if (*type == kCountingWeights) return read_counting(node);
    if (*type == kCoveringWeights) return read_covering(node);
    if (*type == kExactDp) return read_exact_dp(node);
    if (*type == kLinearProgram) return read_linear_program(node);
    if (*type == kSolverClaim) return read_solver_claim(node);
    if (*type == kLongestPath) return read_longest_path(node);
    if (*type == kWaypoints) return read_waypoints(node);
    if (*type == kTriangle) return read_triangle(node);
    if (*type == kTotalWork) {
        if (auto known = node.expect_keys({"type"}); !known) return fail(known.error());
        return TotalWorkWitness{};
    }
    if (*type == kLargestOperator) {
        if (auto known = node.expect_keys({"type", "node"}); !known) return fail(known.error());
        const auto index = read_integer(node, "node", 0, kLargestIndex);
        if (!index) return fail(index.error());
        return LargestOperatorWitness{NodeId(static_cast<std::size_t>(*index))};
    }
    return wrong(node,
                 std::format("unknown witness type '{}': expected '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}' or '{}'",
                             *type, kLargestOperator, kTotalWork, kLongestPath, kWaypoints, kAnchoredCut, kChainOfCuts, kCountingWeights,
                             kCoveringWeights, kExactDp, kLinearProgram, kTriangle, kSolverClaim));
}

}  // namespace

std::string_view Certificate::kind() const {
    if (std::holds_alternative<CutWitness>(witness)) return "cut";
    if (std::holds_alternative<WaypointsWitness>(witness)) return "waypoints";
    if (std::holds_alternative<TriangleWitness>(witness)) return "triangle";
    if (std::holds_alternative<ChainWitness>(witness)) return "chain";
    if (std::holds_alternative<CountingWitness>(witness)) return "counting";
    if (std::holds_alternative<CoveringWitness>(witness)) return "covering";
    if (std::holds_alternative<ExactDpWitness>(witness)) return "exact-dp";
    if (std::holds_alternative<LinearProgramWitness>(witness)) return "exact-lp";
    if (std::holds_alternative<SolverClaimWitness>(witness)) return "solver-claimed";
    return "combinatorial";
}

std::string to_json_text(const Certificate& certificate, bool certified) {
    ordered_json document = {
        {"format", kCertificateFormat},
        {"problem", certificate.problem},
        {"model", certificate.model},
        {"stages", certificate.stages},
        {"max_replicas", certificate.max_replicas},
        {"objective", cost::to_text(certificate.objective)},
        {"bound", bound_object(certificate.value, certificate.kind(), certified)},
    };
    if (!certificate.transfers) document["transfers"] = false;
    document["witness"] = std::visit([](const auto& witness) { return to_json(witness); }, certificate.witness);
    return json::to_file_text(document);
}

Result<Certificate> read_certificate(const Node& document) {
    if (auto right = document.expect_format(kCertificateFormat); !right) return fail(right.error());
    if (auto known =
            document.expect_keys({"format", "problem", "model", "stages", "max_replicas", "objective", "transfers", "bound", "witness"});
        !known)
        return fail(known.error());
    Certificate certificate;
    if (auto names = read_names(document, certificate.problem, certificate.model); !names) return fail(names.error());
    const auto stages = read_integer(document, "stages", 1, kLargest);
    if (!stages) return fail(stages.error());
    certificate.stages = *stages;
    const auto replicas = read_integer(document, "max_replicas", 1, kLargest);
    if (!replicas) return fail(replicas.error());
    certificate.max_replicas = *replicas;
    if (document.find("objective")) {  // files from before there was a choice have none: throughput
        const auto text = read_text(document, "objective");
        if (!text) return fail(text.error());
        const auto objective = cost::objective_of(*text);
        if (!objective) return wrong(document, std::format("unknown objective '{}': expected 'throughput' or 'latency'", *text));
        certificate.objective = *objective;
    }
    if (const Node* transfers = document.find("transfers")) {
        const auto counted = transfers->as_bool();
        if (!counted) return fail(counted.error());
        certificate.transfers = *counted;
    }

    const auto witness = document.get("witness");
    if (!witness) return fail(witness.error());
    auto read = read_witness(**witness);
    if (!read) return fail(read.error());
    certificate.witness = *std::move(read);

    const auto value = read_bound(document, certificate.kind());
    if (!value) return fail(value.error());
    certificate.value = *value;
    return certificate;
}

Result<Certificate> read_certificate_file(const std::filesystem::path& path) {
    const auto document = json::parse_file(path);
    if (!document) return fail(document.error());
    return read_certificate(*document);
}

}  // namespace sluice::bound
