#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <map>
#include <set>

#include "sluice/graph/json_fields.hpp"
#include "sluice/graph/workload_builder.hpp"
#include "sluice/training/peers/piper.hpp"

namespace sluice::training {

namespace {

using graph::Fields;
using json::Node;

constexpr int kSeconds = 12, kWholeBytes = 0;  // powers of ten to picoseconds, to bytes

class InstanceReader {
public:
    explicit InstanceReader(const Node& document)
        : document_(document),
          top_(document, {"maxDevices", "maxMemoryPerDevice", "bandwidth", "mbsInBatch", "maxBatchSize", "nodes", "edges"}) {}

    Result<PiperInstance> read() {
        instance_.devices = top_.required<std::int64_t>("maxDevices", &Node::as_count);
        instance_.memory = Bytes{graph::scaled_member(top_, "maxMemoryPerDevice", kWholeBytes, graph::Rounding::down)};
        instance_.bandwidth = ByteRate{graph::scaled_member(top_, "bandwidth", kWholeBytes, graph::Rounding::down)};
        instance_.micro_batches = top_.optional<std::int64_t>("mbsInBatch", &Node::as_count, 0);
        if (instance_.micro_batches == 0) instance_.micro_batches = top_.optional<std::int64_t>("maxBatchSize", &Node::as_count, 1);
        for (const char* key : {"nodes", "edges"}) (void)top_.required<const json::Array*>(key, &Node::as_array);
        if (top_.good() && (instance_.devices == 0 || instance_.bandwidth.bytes_per_second == 0 || instance_.micro_batches == 0))
            top_.refuse(input_error("devices, bandwidth and micro-batches are at least 1").at(document_.where()));
        if (!top_.good()) return top_.fault();
        for (const Node& node : top_.items("nodes"))
            if (auto done = read_node(node); !done) return std::unexpected(std::move(done.error()));
        for (const Node& edge : top_.items("edges"))
            if (auto done = read_edge(edge); !done) return std::unexpected(std::move(done.error()));
        if (nodes_.empty()) return fail(input_error("there are no nodes").at(document_.where()));
        return build();
    }

private:
    using Degrees = std::map<std::int64_t, std::vector<PiperChoice>>;
    struct Edge {
        std::size_t from = 0, to = 0;
        Bytes bytes;
        std::pair<std::int64_t, std::int64_t> ids = {};
    };
    using Syncs = std::map<std::array<std::int64_t, 3>, Bytes>;  // by the ids of node and neighbour, and degree

    Result<void> read_node(const Node& node) {
        Fields fields(node, {"id", "name", "TMPCs"});
        const std::int64_t id = fields.required<std::int64_t>("id", &Node::as_int);
        (void)fields.optional<std::string>("name", &Node::as_string, {});
        const auto* degrees = fields.required<const json::Object*>("TMPCs", &Node::as_object);
        if (!fields.good()) return fields.fault();
        if (!numbers_.emplace(id, nodes_.size()).second)
            return fail(input_error(std::format("node {} is there twice", id)).at(node.where()));
        Degrees& made = nodes_.emplace_back();
        for (const auto& [text, list] : *degrees) {
            std::int64_t degree = 0;
            if (std::from_chars(text.data(), text.data() + text.size(), degree).ptr != text.data() + text.size() || degree < 1)
                return fail(input_error(std::format("'{}' is no degree of tensor parallelism", text)).at(list.where()));
            const auto items = list.as_array();
            if (!items) return std::unexpected(items.error());
            for (const Node& item : **items) {
                Fields one(item, {"id", "timePerSample", "parameterSize", "memoryUsageA", "memoryUsageB", "syncTimeFw", "syncTimeBw"});
                PiperChoice choice;
                choice.time = Duration{graph::scaled_member(one, "timePerSample", kSeconds)};
                choice.parameters = Bytes{graph::scaled_member(one, "parameterSize", kWholeBytes)};
                choice.each = Bytes{graph::scaled_member(one, "memoryUsageA", kWholeBytes)};
                choice.fixed = Bytes{graph::scaled_member(one, "memoryUsageB", kWholeBytes)};
                if (!one.good()) return one.fault();
                made[degree].push_back(choice);
                // Of every configuration of a degree the same.
                for (const auto& [key, syncs] : {std::pair{"syncTimeFw", &sync_in_}, {"syncTimeBw", &sync_out_}})
                    if (auto done = read_syncs(item, key, id, degree, *syncs); !done) return done;
            }
        }
        return {};
    }

    Result<void> read_syncs(const Node& configuration, const char* key, std::int64_t id, std::int64_t degree, Syncs& syncs) {
        const Node* map = configuration.find(key);
        if (!map) return {};
        const auto members = map->as_object();
        if (!members) return std::unexpected(members.error());
        for (const auto& [text, value] : **members) {
            std::int64_t neighbour = 0;
            if (std::from_chars(text.data(), text.data() + text.size(), neighbour).ptr != text.data() + text.size())
                return fail(input_error(std::format("'{}' is no node", text)).at(value.where()));
            const auto number = value.as_number();
            if (!number) return std::unexpected(number.error());
            const auto bytes = graph::scaled(*number, kWholeBytes);
            if (!bytes) return fail(input_error(std::format("{} of '{}' is no number of bytes", key, text)).at(value.where()));
            syncs[{id, neighbour, degree}] = Bytes{*bytes};
        }
        return {};
    }

    Result<void> read_edge(const Node& node) {
        Fields fields(node, {"sourceId", "destId", "communicationCost"});
        const std::int64_t from = fields.required<std::int64_t>("sourceId", &Node::as_int);
        const std::int64_t to = fields.required<std::int64_t>("destId", &Node::as_int);
        const Bytes bytes{graph::scaled_member(fields, "communicationCost", kWholeBytes)};
        if (!fields.good()) return fields.fault();
        for (const std::int64_t id : {from, to})
            if (!numbers_.contains(id)) return fail(input_error(std::format("there is no node {}", id)).at(node.where()));
        Edge& edge = edges_.emplace_back(numbers_[from], numbers_[to], bytes);
        // They are keyed by neighbour, not by edge; an unnamed one exchanges nothing.
        edge.ids = {from, to};
        return {};
    }

    /// Numbers the nodes topologically, the first in the file first among the ready.
    Result<PiperInstance> build() {
        const std::size_t n = nodes_.size();
        std::vector<std::set<std::size_t>> before(n), after(n);
        for (const Edge& edge : edges_) {
            before[edge.to].insert(edge.from);
            after[edge.from].insert(edge.to);
        }
        std::vector<std::size_t> waiting(n), number(n), order;
        std::set<std::size_t> ready;
        for (std::size_t v = 0; v < n; ++v) {
            waiting[v] = before[v].size();
            if (waiting[v] == 0) ready.insert(v);
        }
        while (!ready.empty()) {
            const std::size_t v = *ready.begin();
            ready.erase(ready.begin());
            number[v] = order.size();
            order.push_back(v);
            for (const std::size_t w : after[v])
                if (--waiting[w] == 0) ready.insert(w);
        }
        if (order.size() < n) return fail(input_error("the graph has a cycle").at(document_.where()));

        std::set<std::int64_t> degrees;
        for (const Degrees& node : nodes_)
            for (const auto& [degree, list] : node) degrees.insert(degree);
        instance_.degrees.assign(degrees.begin(), degrees.end());
        const auto row = [&](const std::set<std::size_t>& neighbours) {
            std::vector<NodeId> ids;
            for (const std::size_t v : neighbours) ids.emplace_back(number[v]);
            std::ranges::sort(ids);
            return ids;
        };
        for (const std::size_t v : order) {
            auto& lists = instance_.choices.emplace_back();
            for (const std::int64_t degree : instance_.degrees) lists.push_back(nodes_[v][degree]);
            instance_.predecessors.push_row(row(before[v]));
            instance_.successors.push_row(row(after[v]));
        }
        // Every edge is charged apart, and in both directions.
        for (const Edge& edge : edges_) {
            PiperTensor tensor{{NodeId(number[edge.from]), {NodeId(number[edge.to])}, {2 * edge.bytes.count}}};
            for (const std::int64_t degree : instance_.degrees) {
                tensor.sync_in.push_back({2 * sync_in_[{edge.ids.second, edge.ids.first, degree}].count});
                tensor.sync_out.push_back({2 * sync_out_[{edge.ids.first, edge.ids.second, degree}].count});
            }
            instance_.tensors.push_back(std::move(tensor));
        }
        return std::move(instance_);
    }

    const Node& document_;
    Fields top_;
    PiperInstance instance_;
    std::map<std::int64_t, std::size_t> numbers_;  // by id
    std::vector<Degrees> nodes_;
    std::vector<Edge> edges_;
    Syncs sync_in_, sync_out_;
};

}  // namespace

Result<PiperInstance> read_piper_instance(const json::Node& document) { return InstanceReader(document).read(); }

}  // namespace sluice::training
