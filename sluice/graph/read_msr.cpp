// Throughput inputs of dnn-partitioning (Tarnawski et al., NeurIPS 2020).
#include <format>
#include <map>
#include <utility>

#include "sluice/base/wide.hpp"
#include "sluice/graph/workload_builder.hpp"
#include "sluice/graph/workloads.hpp"

namespace sluice::graph {

namespace {

using json::Node;

/// Edges of the published files that carry sizes move 2^31 bytes a second; it gives those without a size one.
constexpr ByteRate kPublishedLink{std::int64_t{1} << 31};

/// Below 2^55 for any time: no overflow.
Bytes bytes_moved_in(Duration time) {
    return Bytes{static_cast<std::int64_t>((static_cast<Wide>(time.count()) * kPublishedLink.bytes_per_second + kPicosecondsPerSecond - 1) /
                                           kPicosecondsPerSecond)};
}

class MsrReader {
public:
    MsrReader(const Node& document, std::string name)
        : document_(document), top_(document, {"maxSizePerFPGA", "maxFPGAs", "maxCPUs", "nodes", "edges"}), builder_(std::move(name)) {}

    Result<Graph> read() {
        GivenCosts::DeviceClass fpga{
            .name = "fpga", .count = top_.required<std::int64_t>("maxFPGAs", &Node::as_count), .memory = {}, .time = {}};
        fpga.memory = Bytes{scaled_member(top_, "maxSizePerFPGA", kWholeBytes, Rounding::down)};
        GivenCosts::DeviceClass cpu{
            .name = "cpu", .count = top_.required<std::int64_t>("maxCPUs", &Node::as_count), .memory = {}, .time = {}};
        for (const char* key : {"nodes", "edges"}) (void)top_.required<const json::Array*>(key, &Node::as_array);
        if (!top_.good()) return top_.fault();
        if (fpga.count == 0 && cpu.count == 0)
            return fail(input_error("maxFPGAs and maxCPUs are both 0: there is no device to plan for").at(top_.where("maxFPGAs")));

        for (const Node& node : top_.items("nodes"))
            if (auto done = read_node(node, fpga, cpu); !done) return std::unexpected(std::move(done.error()));
        for (const Node& edge : top_.items("edges"))
            if (auto done = read_edge(edge); !done) return std::unexpected(std::move(done.error()));
        settle_sizes();
        settle_colours();

        GivenCosts costs;
        if (fpga.count > 0) costs.classes.push_back(std::move(fpga));
        if (cpu.count > 0) costs.classes.push_back(std::move(cpu));
        std::vector<WorkloadOutput> outputs;
        for (Source& source : sources_) {
            costs.transfer.push_back(source.cost);
            outputs.push_back(std::move(source.output));
        }
        return std::move(builder_).build(outputs, std::move(costs), document_.where());
    }

private:
    struct Source {
        WorkloadOutput output;
        Duration cost{0};
        std::size_t line = 0;  // of its first edge
        bool sized = false;    // some edge has a size
        bool sizes_differ = false;
    };

    Result<void> read_node(const Node& node, GivenCosts::DeviceClass& fpga, GivenCosts::DeviceClass& cpu) {
        Fields fields(node,
                      {"id", "name", "layerId", "supportedOnFpga", "cpuLatency", "fpgaLatency", "isBackwardNode", "colorClass", "size"});
        const std::string id = std::to_string(fields.required<std::int64_t>("id", &Node::as_int));
        std::string name = fields.optional<std::string>("name", &Node::as_string, {});
        (void)fields.nullable<std::int64_t>("layerId", &Node::as_int);
        const bool supported = fields.required<bool>("supportedOnFpga", &Node::as_flag);
        const Duration cpu_time{scaled_member(fields, "cpuLatency", kMilliseconds)};
        // A node that no accelerator runs has nothing true to say about its time there.
        const Duration fpga_time{supported ? scaled_member(fields, "fpgaLatency", kMilliseconds) : 0};
        const bool backward = fields.optional<bool>("isBackwardNode", &Node::as_flag, false);
        const auto colour = fields.nullable<std::int64_t>("colorClass", &Node::as_int);
        const Bytes size{node.find("size") ? scaled_member(fields, "size", kWholeBytes) : 0};
        if (!fields.good()) return fields.fault();
        const auto number = builder_.add_node(id, std::move(name), size, node.where());
        if (!number) return std::unexpected(number.error());
        fpga.time.push_back(supported ? std::optional(fpga_time) : std::nullopt);
        cpu.time.emplace_back(cpu_time);
        if (colour) colours_[{*colour, backward}].push_back(*number);
        return {};
    }

    Result<void> read_edge(const Node& node) {
        Fields fields(node, {"sourceId", "destId", "cost", "size"});
        const std::string from_id = std::to_string(fields.required<std::int64_t>("sourceId", &Node::as_int));
        const std::string to_id = std::to_string(fields.required<std::int64_t>("destId", &Node::as_int));
        const Duration cost{scaled_member(fields, "cost", kMilliseconds)};
        const bool sized = node.find("size") != nullptr;
        const Bytes size{sized ? scaled_member(fields, "size", kWholeBytes) : 0};
        if (!fields.good()) return fields.fault();
        const auto from = builder_.node(from_id, fields.where("sourceId")), to = builder_.node(to_id, fields.where("destId"));
        if (!from) return std::unexpected(from.error());
        if (!to) return std::unexpected(to.error());

        const auto [place, fresh] = source_of_.emplace(*from, sources_.size());
        if (fresh) sources_.push_back({.output = {.producer = *from, .bytes = {}, .readers = {}}, .cost = cost, .line = node.where().line});
        Source& source = sources_[place->second];
        if (source.cost != cost)
            return fail(input_error(std::format("edges out of node {} cost {} ps and {} ps: the output of a node has one cost", from_id,
                                                source.cost.count(), cost.count()))
                            .at(fields.where("cost"))
                            .note(std::format("the first of them is at line {}", source.line)));
        source.sizes_differ = source.sizes_differ || (sized && source.sized && size != source.output.bytes);
        source.output.bytes = std::max(source.output.bytes, size);
        source.sized = source.sized || sized;
        source.output.readers.push_back(*to);
        return {};
    }

    /// One tensor a source, as the cost has it: the largest of its edges' sizes, or what its cost would move.
    void settle_sizes() {
        std::size_t differing = 0, derived = 0;
        for (Source& source : sources_) {
            differing += source.sizes_differ;
            if (source.sized) continue;
            ++derived;
            source.output.bytes = bytes_moved_in(source.cost);
        }
        if (differing > 0) builder_.assume(std::format("{} nodes give several sizes for their output: the largest counts", differing));
        if (derived > 0)
            builder_.assume(std::format("{} of {} outputs have no size: their bytes are what their cost moves at {}", derived,
                                        sources_.size(), to_text(kPublishedLink)));
    }

    void settle_colours() {
        std::uint32_t next = 0;
        bool both = false;
        for (const auto& [key, members] : colours_) {
            both = both || (key.second && colours_.contains({key.first, false}));
            if (members.size() < 2) continue;
            for (std::size_t member : members) builder_[member].colour = next;
            ++next;
        }
        if (both) builder_.assume("a training graph read as a plain one: a colour ties nodes of one direction only");
    }

    const Node& document_;
    Fields top_;
    WorkloadBuilder builder_;
    std::map<std::pair<std::int64_t, bool>, std::vector<std::size_t>> colours_;  // (colour, backward) -> nodes
    std::vector<Source> sources_;                                                // in order of their first edge
    std::unordered_map<std::size_t, std::size_t> source_of_;                     // node -> its place in sources_
};

}  // namespace

Result<Graph> read_msr(const json::Node& document, std::string name) { return MsrReader(document, std::move(name)).read(); }

JsonFormat detect_format(const json::Node& document) {
    const auto has = [&](std::string_view key) { return document.find(key) != nullptr; };
    if (has("format")) return JsonFormat::sluice_graph;
    if (has("maxFPGAs") || has("maxSizePerFPGA") || has("maxCPUs")) return JsonFormat::msr;
    if (has("maxDevices") || has("maxMemoryPerDevice") || has("mbsInBatch")) return JsonFormat::piper;
    return JsonFormat::unknown;
}

}  // namespace sluice::graph
