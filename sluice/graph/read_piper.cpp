// Inputs of Piper (Tarnawski, Narayanan, Phanishayee, NeurIPS 2021).
#include <format>
#include <map>
#include <utility>

#include "sluice/graph/workload_builder.hpp"
#include "sluice/graph/workloads.hpp"

namespace sluice::graph {

namespace {

using json::Node;

/// The first configuration without tensor parallelism.
Result<const Node*> first_configuration(const Node& node) {
    const auto degrees = node.get("TMPCs");
    if (!degrees) return degrees;
    const auto configurations = (*degrees)->get("1");
    if (!configurations) return configurations;
    const auto list = (*configurations)->as_array();
    if (!list) return std::unexpected(list.error());
    if ((*list)->empty()) return fail(input_error("a node has no configuration for degree 1").at((*configurations)->where()));
    return &(*list)->front();
}

class PiperReader {
public:
    PiperReader(const Node& document, std::string name)
        : document_(document),
          top_(document, {"maxDevices", "maxMemoryPerDevice", "bandwidth", "mbsInBatch", "maxBatchSize", "nodes", "edges"}),
          builder_(std::move(name)) {}

    Result<Graph> read() {
        GivenCosts costs;
        GivenCosts::DeviceClass& device = costs.classes.emplace_back();
        device.name = "device";
        device.count = top_.required<std::int64_t>("maxDevices", &Node::as_count);
        device.memory = Bytes{scaled_member(top_, "maxMemoryPerDevice", kWholeBytes, Rounding::down)};
        costs.link = ByteRate{scaled_member(top_, "bandwidth", kWholeBytes, Rounding::down)};
        for (const char* key : {"mbsInBatch", "maxBatchSize"}) (void)top_.optional<std::int64_t>(key, &Node::as_count, 0);
        for (const char* key : {"nodes", "edges"}) (void)top_.required<const json::Array*>(key, &Node::as_array);
        if (top_.good() && device.count == 0)
            top_.refuse(input_error("maxDevices is 0: there is no device to plan for").at(top_.where("maxDevices")));
        if (top_.good() && costs.link->bytes_per_second == 0)
            top_.refuse(input_error("the bandwidth is below one byte a second").at(top_.where("bandwidth")));
        if (!top_.good()) return top_.fault();

        for (const Node& node : top_.items("nodes"))
            if (auto done = read_node(node, device); !done) return std::unexpected(std::move(done.error()));
        for (const Node& edge : top_.items("edges"))
            if (auto done = read_edge(edge); !done) return std::unexpected(std::move(done.error()));
        builder_.assume("timePerSample is read as seconds, as the bandwidth is bytes a second: the file names no unit");
        builder_.assume("times are forward plus backward, without tensor parallelism, in each node's first configuration");
        return std::move(builder_).build(outputs_, std::move(costs), document_.where());
    }

private:
    Result<void> read_node(const Node& node, GivenCosts::DeviceClass& device) {
        Fields fields(node, {"id", "name", "TMPCs"});
        const std::string id = std::to_string(fields.required<std::int64_t>("id", &Node::as_int));
        std::string name = fields.optional<std::string>("name", &Node::as_string, {});
        if (!fields.good()) return fields.fault();
        const auto chosen = first_configuration(node);
        if (!chosen) return std::unexpected(chosen.error());
        Fields configuration(**chosen,
                             {"id", "timePerSample", "parameterSize", "memoryUsageA", "memoryUsageB", "syncTimeFw", "syncTimeBw"});
        const Duration time{scaled_member(configuration, "timePerSample", kSeconds)};
        const Bytes parameters{scaled_member(configuration, "parameterSize", kWholeBytes)};
        if (!configuration.good()) return configuration.fault();
        if (const auto added = builder_.add_node(id, std::move(name), parameters, node.where()); !added)
            return std::unexpected(added.error());
        device.time.emplace_back(time);
        return {};
    }

    /// Edges of one node that carry as many bytes carry one tensor, those of different bytes different tensors: a node sends an output
    /// to its readers whole (in bert32a100 node 4 has two, of 16 and 30 MiB).
    Result<void> read_edge(const Node& node) {
        Fields fields(node, {"sourceId", "destId", "communicationCost"});
        const std::string from_id = std::to_string(fields.required<std::int64_t>("sourceId", &Node::as_int));
        const std::string to_id = std::to_string(fields.required<std::int64_t>("destId", &Node::as_int));
        const Bytes bytes{scaled_member(fields, "communicationCost", kWholeBytes)};
        if (!fields.good()) return fields.fault();
        const auto from = builder_.node(from_id, fields.where("sourceId")), to = builder_.node(to_id, fields.where("destId"));
        if (!from) return std::unexpected(from.error());
        if (!to) return std::unexpected(to.error());
        const auto [place, fresh] = output_of_.emplace(std::pair(*from, bytes), outputs_.size());
        if (fresh) outputs_.push_back({.producer = *from, .bytes = bytes, .readers = {}});
        outputs_[place->second].readers.push_back(*to);
        return {};
    }

    const Node& document_;
    Fields top_;
    WorkloadBuilder builder_;
    std::vector<WorkloadOutput> outputs_;  // in order of their first edge
    std::map<std::pair<std::size_t, Bytes>, std::size_t> output_of_;
};

}  // namespace

Result<Graph> read_piper(const json::Node& document, std::string name) { return PiperReader(document, std::move(name)).read(); }

}  // namespace sluice::graph
