#include "sluice/graph/fingerprint.hpp"

#include <charconv>

#include "sluice/base/files.hpp"

namespace sluice::graph {

namespace {

/// A canonical text in which no two different graphs read the same: every list and string is preceded by its length.
class Canonical {
public:
    void add(std::int64_t number) {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        text_.append(digits, end);
        text_ += ' ';
    }
    void add(std::size_t count) { add(static_cast<std::int64_t>(count)); }
    void add(std::string_view word) {
        add(word.size());
        text_ += word;
    }
    template <typename T>
    void add_list(std::span<const T> ids) {
        add(ids.size());
        for (T id : ids) add(id.index());
    }
    void add_shape(const std::vector<std::int64_t>& shape) {
        add(shape.size());
        for (std::int64_t extent : shape) add(extent);
    }
    [[nodiscard]] std::string_view text() const { return text_; }

private:
    std::string text_;
};

}  // namespace

std::string fingerprint(const Graph& graph) {
    Canonical c;
    c.add(std::string_view("graph/1"));
    c.add(graph.tensor_count());
    for (const Tensor& tensor : graph.tensors()) {
        c.add(std::string_view(tensor.name));
        c.add(static_cast<std::size_t>(tensor.type));
        c.add(static_cast<std::int64_t>(tensor.shape_known));
        c.add_shape(tensor.shape);
        c.add(tensor.bytes.count);
        c.add(static_cast<std::int64_t>(tensor.model_output));
    }
    c.add(graph.parameter_count());
    for (const Parameter& parameter : graph.parameters()) {
        c.add(std::string_view(parameter.name));
        c.add(static_cast<std::size_t>(parameter.type));
        c.add_shape(parameter.shape);
        c.add(parameter.bytes.count);
    }
    c.add(graph.operator_count());
    for (std::size_t v = 0; v < graph.operator_count(); ++v) {
        const OperatorId id(v);
        const Operator& op = graph[id];
        c.add(std::string_view(op.type));
        c.add(static_cast<std::int64_t>(op.replicated));
        c.add(op.colour ? static_cast<std::int64_t>(*op.colour) : std::int64_t{-1});
        c.add_list(graph.inputs(id));
        c.add_list(graph.outputs(id));
        c.add_list(graph.parameters(id));
    }
    const auto& costs = graph.given_costs();
    c.add(static_cast<std::int64_t>(costs.has_value()));
    if (costs) {
        c.add(costs->classes.size());
        for (const auto& device : costs->classes) {
            c.add(std::string_view(device.name));
            c.add(device.count);
            c.add(device.memory ? device.memory->count : std::int64_t{-1});
            for (const auto& time : device.time) c.add(time ? std::int64_t{time->count()} : std::int64_t{-1});
            for (const Duration time : device.backward) c.add(std::int64_t{time.count()});
        }
        c.add(costs->transfer.size());
        for (Duration time : costs->transfer) c.add(std::int64_t{time.count()});
        c.add(costs->link ? costs->link->bytes_per_second : std::int64_t{-1});
    }
    return fingerprint_of(c.text());
}

}  // namespace sluice::graph
