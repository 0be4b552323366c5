#include "sluice/program/program_file.hpp"

#include <array>
#include <format>
#include <limits>
#include <nlohmann/json.hpp>

namespace sluice::program {

namespace {

using json::Node;
using nlohmann::ordered_json;

constexpr std::int64_t kLargestIndex = std::numeric_limits<std::uint32_t>::max() - 1;  // the value above means "none"
constexpr std::int64_t kLargestCount = std::int64_t{1} << 40;
constexpr std::array kKinds{InstructionKind::receive, InstructionKind::forward, InstructionKind::send};
constexpr std::array<std::pair<Role, std::string_view>, 3> kRoles{
    {{Role::feed, "feed"}, {Role::collect, "collect"}, {Role::stage, "stage"}}};

template <typename Tag>
ordered_json id_json(Id<Tag> id) {
    return id.valid() ? ordered_json(id.index()) : ordered_json(nullptr);
}

ordered_json to_json(const InstructionList& list) {
    ordered_json body = ordered_json::array();
    for (const Instruction& instruction : list.body) {
        body.push_back(ordered_json::array({to_text(instruction.kind)}));
        if (instruction.kind != InstructionKind::forward) body.back().push_back(instruction.channel.index());
    }
    ordered_json object = {{"rank", list.rank}};
    for (const auto& [role, text] : kRoles)
        if (role == list.role) object["role"] = text;
    object["stage"] = id_json(list.stage);
    object["replica"] = list.replica;
    object["first"] = list.first;
    object["stride"] = list.stride;
    object["body"] = std::move(body);
    return object;
}

// --- reading: the first failure of a document is kept, everything after it is read as a default ------------------------

class Reader {
public:
    Result<Program> read(const Node& document) {
        if (auto tagged = document.expect_format(kProgramFormat); !tagged) return fail(std::move(tagged.error()));
        keys(document, {"format", "ranks", "stages", "channels", "lists"});
        Program program;
        program.ranks = integer(document, "ranks", 1, kMostRanks);
        for (const Node& node : array(document, "stages")) program.stages.push_back(stage(node));
        for (const Node& node : array(document, "channels")) program.channels.push_back(channel(node));
        for (const Node& node : array(document, "lists")) program.lists.push_back(list(node));
        if (failure_) return fail(*std::move(failure_));
        return program;
    }

private:
    void refuse(Diagnostic diagnostic) {
        if (!failure_) failure_ = std::move(diagnostic);
    }
    template <typename T>
    T take(Result<T> value) {
        if (value) return *std::move(value);
        refuse(std::move(value.error()));
        return T{};
    }
    void keys(const Node& object, std::initializer_list<std::string_view> allowed) {
        if (auto known = object.expect_keys(allowed); !known) refuse(std::move(known.error()));
    }
    const Node& member(const Node& object, std::string_view key) {
        static const Node kNothing;
        const auto* found = take(object.get(key));
        return found ? *found : kNothing;
    }
    std::int64_t ranged(const Node& node, std::string_view what, std::int64_t low, std::int64_t high) {
        const std::int64_t value = take(node.as_int());
        if (!failure_ && (value < low || value > high))
            refuse(input_error(std::format("'{}' is {}; {} to {} are possible", what, value, low, high)).at(node.where()));
        return value;
    }
    std::int64_t integer(const Node& object, std::string_view key, std::int64_t low, std::int64_t high) {
        return ranged(member(object, key), key, low, high);
    }
    template <typename Index>
    Index id(const Node& object, std::string_view key) {
        const Node& node = member(object, key);
        return node.is_null() ? Index{} : Index(static_cast<std::size_t>(ranged(node, key, 0, kLargestIndex)));
    }
    const json::Array& array(const Node& object, std::string_view key) {
        static const json::Array kNothing;
        const auto* items = take(member(object, key).as_array());
        return items ? *items : kNothing;
    }
    std::string text(const Node& object, std::string_view key) { return take(member(object, key).as_string()); }
    Duration duration(const Node& object, std::string_view key) { return Duration{integer(object, key, 0, kLargestTotal.count())}; }
    Bytes bytes(const Node& object, std::string_view key) { return {integer(object, key, 0, kLargestTotal.count())}; }

    Stage stage(const Node& node) {
        keys(node, {"replicas", "first_rank", "device_class", "work_ps", "spill_ps", "parameter_bytes", "peak_bytes", "output_slots"});
        return {.replicas = integer(node, "replicas", 1, kMostRanks),
                .first_rank = integer(node, "first_rank", 1, kMostRanks),
                .device_class = text(node, "device_class"),
                .work = duration(node, "work_ps"),
                .spill = duration(node, "spill_ps"),
                .parameters = bytes(node, "parameter_bytes"),
                .peak = bytes(node, "peak_bytes"),
                .output_slots = integer(node, "output_slots", 1, kLargestCount)};
    }
    Channel channel(const Node& node) {
        keys(node, {"tensor", "tensor_id", "from", "to", "bytes", "transfer_ps", "credits"});
        return {.tensor = text(node, "tensor"),
                .tensor_id = id<TensorId>(node, "tensor_id"),
                .from = id<StageId>(node, "from"),
                .to = id<StageId>(node, "to"),
                .bytes = bytes(node, "bytes"),
                .transfer = duration(node, "transfer_ps"),
                .credits = integer(node, "credits", 1, kLargestCount)};
    }
    InstructionList list(const Node& node) {
        keys(node, {"rank", "role", "stage", "replica", "first", "stride", "body"});
        InstructionList list{.rank = integer(node, "rank", 0, kMostRanks),
                             .role = role(member(node, "role")),
                             .stage = id<StageId>(node, "stage"),
                             .replica = integer(node, "replica", 0, kMostRanks),
                             .first = integer(node, "first", 0, kMostRanks),
                             .stride = integer(node, "stride", 1, kMostRanks),
                             .body = {}};
        for (const Node& item : array(node, "body")) list.body.push_back(instruction(item));
        return list;
    }
    Role role(const Node& node) {
        const std::string name = take(node.as_string());
        for (const auto& [role, text] : kRoles)
            if (text == name) return role;
        refuse(input_error(std::format("'{}' is no role; 'feed', 'collect' and 'stage' are", name)).at(node.where()));
        return Role::stage;
    }
    Instruction instruction(const Node& node) {
        const auto* parts = take(node.as_array());
        const std::string name = parts && !parts->empty() ? take(parts->front().as_string()) : "";
        for (const InstructionKind kind : kKinds) {
            if (to_text(kind) != name || parts->size() != (kind == InstructionKind::forward ? 1 : 2)) continue;
            if (kind == InstructionKind::forward) return {kind, {}};
            return {kind, ChannelId(static_cast<std::size_t>(ranged(parts->back(), name, 0, kLargestIndex)))};
        }
        refuse(input_error(R"(an instruction is ["receive", channel], ["forward"] or ["send", channel])").at(node.where()));
        return {};
    }

    std::optional<Diagnostic> failure_;
};

}  // namespace

ordered_json to_json(const Program& program) {
    ordered_json stages = ordered_json::array(), channels = ordered_json::array(), lists = ordered_json::array();
    for (const Stage& stage : program.stages)
        stages.push_back({{"replicas", stage.replicas},
                          {"first_rank", stage.first_rank},
                          {"device_class", stage.device_class},
                          {"work_ps", stage.work.count()},
                          {"spill_ps", stage.spill.count()},
                          {"parameter_bytes", stage.parameters.count},
                          {"peak_bytes", stage.peak.count},
                          {"output_slots", stage.output_slots}});
    for (const Channel& channel : program.channels)
        channels.push_back({{"tensor", channel.tensor},
                            {"tensor_id", id_json(channel.tensor_id)},
                            {"from", id_json(channel.from)},
                            {"to", id_json(channel.to)},
                            {"bytes", channel.bytes.count},
                            {"transfer_ps", channel.transfer.count()},
                            {"credits", channel.credits}});
    for (const InstructionList& list : program.lists) lists.push_back(to_json(list));
    return {{"format", kProgramFormat},
            {"ranks", program.ranks},
            {"stages", std::move(stages)},
            {"channels", std::move(channels)},
            {"lists", std::move(lists)}};
}

Result<Program> read_program(const Node& document) { return Reader().read(document); }

}  // namespace sluice::program
