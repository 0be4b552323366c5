#include "sluice/bound/certificate_training.hpp"

#include <array>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/bound/certificate_fields.hpp"
#include "sluice/cost/training_problem.hpp"

namespace sluice::bound {

namespace {

using json::Node;
using nlohmann::ordered_json;
using namespace fields;

ordered_json to_json(const TrainingWitness& witness) {
    ordered_json classes = ordered_json::array(), paths = ordered_json::array(), windows = ordered_json::array();
    for (const TrainingWitness::ClassPrice& one : witness.classes)
        classes.push_back(
            {{"price", one.price}, {"work", one.work}, {"links", one.links}, {"memory", one.memory}, {"roundings", one.roundings}});
    for (const TrainingWitness::Path& path : witness.paths)
        paths.push_back({{"price", path.price}, {"turn", path.turn}, {"nodes", indices_of(path.nodes)}});
    for (const TrainingWitness::Window& window : witness.windows)
        windows.push_back({{"price", window.price}, {"nodes", indices_of(window.nodes)}});
    return {{"type", kWorkAndPath}, {"classes", std::move(classes)}, {"paths", std::move(paths)}, {"windows", std::move(windows)}};
}

Result<TrainingWitness::ClassPrice> read_class(const Node& node) {
    if (auto known = node.expect_keys({"price", "work", "links", "memory", "roundings"}); !known) return fail(known.error());
    TrainingWitness::ClassPrice made;
    const auto price = read_integer(node, "price", 0, kLargestTrainingPrice);
    if (!price) return fail(price.error());
    made.price = *price;
    for (const auto& [key, to] : std::array<std::pair<std::string_view, std::int64_t*>, 3>{
             {{"work", &made.work}, {"links", &made.links}, {"memory", &made.memory}}}) {
        const auto share = read_integer(node, key, 0, kTrainingShares);
        if (!share) return fail(share.error());
        *to = *share;
    }
    const auto roundings = read_array(node, "roundings");
    if (!roundings) return fail(roundings.error());
    for (const Node& one : **roundings) {
        const auto rounding = one.as_int();
        if (!rounding) return fail(rounding.error());
        if (*rounding < 0 || *rounding > kLargestRounding)
            return wrong(one, std::format("a rounding of {}, expected 0 to {}", *rounding, kLargestRounding));
        made.roundings.push_back(*rounding);
    }
    return made;
}

Result<TrainingWitness::Path> read_training_path(const Node& node) {
    if (auto known = node.expect_keys({"price", "turn", "nodes"}); !known) return fail(known.error());
    TrainingWitness::Path made;
    const auto price = read_integer(node, "price", 0, kLargest);
    if (!price) return fail(price.error());
    made.price = *price;
    const auto turn = read_integer(node, "turn", 0, kLargestIndex);
    if (!turn) return fail(turn.error());
    made.turn = static_cast<std::size_t>(*turn);
    auto nodes = read_nodes(node, "nodes");
    if (!nodes) return fail(nodes.error());
    made.nodes = *std::move(nodes);
    return made;
}

Result<TrainingWitness::Window> read_window(const Node& node) {
    if (auto known = node.expect_keys({"price", "nodes"}); !known) return fail(known.error());
    TrainingWitness::Window made;
    const auto price = read_integer(node, "price", 0, kLargest);
    if (!price) return fail(price.error());
    made.price = *price;
    auto nodes = read_nodes(node, "nodes");
    if (!nodes) return fail(nodes.error());
    made.nodes = *std::move(nodes);
    return made;
}

Result<TrainingWitness> read_training_witness(const Node& node) {
    const auto type = read_text(node, "type");
    if (!type) return fail(type.error());
    if (*type != kWorkAndPath) return wrong(node, std::format("unknown witness type '{}': expected '{}'", *type, kWorkAndPath));
    if (auto known = node.expect_keys({"type", "classes", "paths", "windows"}); !known) return fail(known.error());
    TrainingWitness witness;
    const auto classes = read_array(node, "classes"), paths = read_array(node, "paths"), windows = read_array(node, "windows");
    if (!classes) return fail(classes.error());
    if (!paths) return fail(paths.error());
    if (!windows) return fail(windows.error());
    for (const Node& one : **classes) {
        auto read = read_class(one);
        if (!read) return fail(read.error());
        witness.classes.push_back(*std::move(read));
    }
    for (const Node& one : **paths) {
        auto read = read_training_path(one);
        if (!read) return fail(read.error());
        witness.paths.push_back(*std::move(read));
    }
    for (const Node& one : **windows) {
        auto read = read_window(one);
        if (!read) return fail(read.error());
        witness.windows.push_back(*std::move(read));
    }
    return witness;
}

}  // namespace

std::string_view to_text(TrainingObjective objective) { return objective == TrainingObjective::iteration ? "iteration" : "bottleneck"; }

bool is_of_training(const Node& document) {
    if (!document.find("objective")) return false;
    const auto text = read_text(document, "objective");
    return text && (*text == to_text(TrainingObjective::iteration) || *text == to_text(TrainingObjective::bottleneck));
}

std::string to_json_text(const TrainingCertificate& certificate, bool certified) {
    ordered_json document = {
        {"format", kCertificateFormat},
        {"problem", certificate.problem},
        {"model", certificate.model},
        {"objective", to_text(certificate.objective)},
    };
    if (certificate.micro_batch) document["micro_batch"] = *certificate.micro_batch;
    document["bound"] = bound_object(certificate.value, kWorkAndPath, certified);
    document["witness"] = to_json(certificate.witness);
    return json::to_file_text(document);
}

Result<TrainingCertificate> read_training_certificate(const Node& document) {
    if (auto right = document.expect_format(kCertificateFormat); !right) return fail(right.error());
    if (auto known = document.expect_keys({"format", "problem", "model", "objective", "micro_batch", "bound", "witness"}); !known)
        return fail(known.error());
    TrainingCertificate certificate;
    if (auto names = read_names(document, certificate.problem, certificate.model); !names) return fail(names.error());
    if (!is_of_training(document)) return wrong(document, "the objective is not 'iteration' or 'bottleneck'");
    if (*read_text(document, "objective") == to_text(TrainingObjective::bottleneck)) certificate.objective = TrainingObjective::bottleneck;
    if (document.find("micro_batch")) {
        const auto samples = read_integer(document, "micro_batch", 1, cost::kLargestMiniBatch);
        if (!samples) return fail(samples.error());
        certificate.micro_batch = *samples;
    }
    const auto witness = document.get("witness");
    if (!witness) return fail(witness.error());
    auto read = read_training_witness(**witness);
    if (!read) return fail(read.error());
    certificate.witness = *std::move(read);
    const auto value = read_bound(document, kWorkAndPath);
    if (!value) return fail(value.error());
    certificate.value = *value;
    return certificate;
}

}  // namespace sluice::bound
