#include "sluice/graph/graph.hpp"

#include <cassert>
#include <format>

#include "sluice/graph/rewrite.hpp"

namespace sluice::graph {

const std::string& Graph::model_fingerprint() const { return derivation_ ? derivation_->model : fingerprint_; }

std::string Graph::label(OperatorId id) const {
    const Operator& op = (*this)[id];
    if (!op.name.empty()) return op.name;
    const std::string_view type = op.type.empty() ? std::string_view("operator") : std::string_view(op.type);
    const std::string_view output = first_output_name(id);
    return output.empty() ? std::format("{} #{}", type, id.index()) : std::format("{} -> '{}'", type, output);
}

std::string_view Graph::first_output_name(OperatorId id) const {
    const auto row = outputs(id);
    return row.empty() ? std::string_view() : std::string_view((*this)[row.front()].name);
}

}  // namespace sluice::graph
