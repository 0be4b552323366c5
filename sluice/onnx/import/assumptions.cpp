#include "sluice/onnx/import/assumptions.hpp"

#include <algorithm>
#include <charconv>
#include <format>

#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

using ::onnx::TypeProto;

namespace {

template <typename F>
void for_each_symbol(const TypeProto* type, F f) {
    if (!type) return;
    for (const auto& size : type->tensor_type().shape().dim()) {
        if (!size.dim_param().empty()) f(size.dim_param());
    }
}

std::string list_of(const std::vector<std::string>& names, std::size_t count) {
    std::string text;
    for (const auto& name : names) text += std::format("{}'{}'", text.empty() ? "" : ", ", name);
    return count > names.size() ? text + ", …" : text;
}

}  // namespace

Result<void> Sizes::check_declared(const Scope& scope, const std::string& file) {
    std::unordered_set<std::string> seen(known_symbols_.begin(), known_symbols_.end());
    const bool top = scope.parent == nullptr;
    for (const TensorInfo& tensor : scope.tensors) {
        if (!tensor.declared) continue;
        int axis = 0;
        for (const auto& size : tensor.declared->tensor_type().shape().dim()) {
            if (size.has_dim_value() && size.dim_value() < 0) {
                return fail(input_error(std::format("tensor '{}' has the size {} in dimension {}", tensor.name, size.dim_value(), axis))
                                .at({file, 0, 0})
                                .fix("an open dimension is written as a name or left out, not as a negative size"));
            }
            ++axis;
        }
        if (top) {
            for_each_symbol(tensor.declared, [&](const std::string& symbol) {
                if (seen.insert(symbol).second) known_symbols_.push_back(symbol);
            });
        }
    }
    for (const NodeLinks& links : scope.nodes) {
        for (const Body& body : links.bodies) {
            if (auto done = check_declared(*body.scope, file); !done) return done;
        }
    }
    return {};
}

Result<void> Sizes::prepare(const Scope& top, const std::string& file, ShapeReport& report) {
    if (options_.assume_size && *options_.assume_size <= 0) {
        return fail(usage_error(std::format("--assume-size {}: a size is at least 1", *options_.assume_size)));
    }
    if (auto done = check_declared(top, file); !done) return done;
    for (const auto& [name, value] : options_.dimensions) {
        if (auto done = read_dimension(top, name, value, file, report); !done) return done;
    }
    if (options_.assume_size) {
        for (const TensorInfo* input : top.inputs) {
            for_each_symbol(input->declared, [&](const std::string& symbol) {
                if (!symbols_.try_emplace(symbol, *options_.assume_size).second) return;
                note(std::format("dimension '{}' = {} (--assume-size)", symbol, *options_.assume_size), "", "");
                report.bound_dimensions.emplace_back(symbol, std::format("{} (--assume-size)", *options_.assume_size));
            });
        }
    }
    return {};
}

Result<void> Sizes::read_dimension(const Scope& top, const std::string& name, std::int64_t value, const std::string& file,
                                   ShapeReport& report) {
    if (value <= 0) return fail(usage_error(std::format("--dim {}={}: a size is at least 1", name, value)));
    const auto contradiction = [&] { return fail(usage_error(std::format("--dim gives '{}' twice", name))); };
    if (std::ranges::contains(known_symbols_, name)) {
        if (!symbols_.try_emplace(name, value).second) return contradiction();
        note(std::format("dimension '{}' = {} (--dim)", name, value), "", "");
    } else {
        const std::size_t dot = name.rfind('.');
        const auto found = dot == std::string::npos ? top.names.end() : top.names.find(std::string_view(name).substr(0, dot));
        std::size_t axis = 0;
        const char* end = name.data() + name.size();
        const bool numbered =
            dot != std::string::npos && dot + 1 < name.size() && std::from_chars(name.data() + dot + 1, end, axis).ptr == end;
        if (found == top.names.end() || !numbered || axis >= kLargestRank) {
            Diagnostic diagnostic = usage_error(std::format("--dim {}={}: '{}' has no dimension of that name", name, value, file));
            const auto near = nearest_match(name, std::span<const std::string>(known_symbols_));
            if (!near.empty())
                diagnostic.help = std::format("did you mean '{}'?", near);
            else if (known_symbols_.empty())
                diagnostic.help = "the model has no open dimension with a name; a single one is written TENSOR.axis=value";
            else
                diagnostic.help = std::format(
                    "open dimensions are {}; a single one is written TENSOR.axis=value",
                    list_of({known_symbols_.begin(), known_symbols_.begin() + std::min<std::ptrdiff_t>(5, std::ssize(known_symbols_))},
                            known_symbols_.size()));
            return fail(std::move(diagnostic));
        }
        if (!axes_[found->second].try_emplace(axis, value).second) return contradiction();
        note(std::format("size {} of '{}' = {} (--dim)", axis, name.substr(0, dot), value), "", "");
    }
    report.bound_dimensions.emplace_back(name, std::format("{} (--dim)", value));
    return {};
}

TypeProto Sizes::with_bound_symbols(const TypeProto& type, TensorInfo& tensor) {
    TypeProto result = type;
    if (symbols_.empty() || !type.has_tensor_type()) return result;
    for (auto& size : *result.mutable_tensor_type()->mutable_shape()->mutable_dim()) {
        const auto bound = size.has_dim_param() ? symbols_.find(size.dim_param()) : symbols_.end();
        if (bound == symbols_.end()) continue;
        size.set_dim_value(bound->second);
        tensor.assumed = true;
    }
    if (!type.tensor_type().has_shape()) result.mutable_tensor_type()->clear_shape();
    return result;
}

void Sizes::bind(TensorInfo& tensor) {
    const auto found = axes_.find(&tensor);
    if (found == axes_.end() || failure_) return;
    const auto& given = found->second;
    auto& type = *tensor.type.mutable_tensor_type();
    if (!type.has_shape() && given.rbegin()->first + 1 == given.size()) {
        for (std::size_t d = 0; d < given.size(); ++d) type.mutable_shape()->add_dim();
    }
    for (const auto& [axis, value] : given) {
        if (axis >= static_cast<std::size_t>(type.shape().dim_size())) {
            failure_ =
                usage_error(std::format("--dim {}.{}={}: the tensor's shape is {}", tensor.name, axis, value, shape_text(tensor.type)));
            return;
        }
        auto& size = *type.mutable_shape()->mutable_dim(static_cast<int>(axis));
        if (size.has_dim_value() && size.dim_value() != value && !tensor.varies) {
            failure_ = usage_error(std::format("--dim {}.{}={}: that size is {} in the model", tensor.name, axis, value, size.dim_value()));
            return;
        }
        size.set_dim_value(value);
        tensor.assumed = true;
    }
}

void Sizes::settle_input(TensorInfo& input, ShapeReport& report) {
    if (is_closed(input.type)) return;
    if (options_.assume_size && input.type.has_tensor_type()) {
        auto& type = *input.type.mutable_tensor_type();
        if (!type.has_shape()) type.mutable_shape()->add_dim();
        for (auto& size : *type.mutable_shape()->mutable_dim()) {
            if (!size.has_dim_value()) size.set_dim_value(*options_.assume_size);
        }
        input.assumed = true;
        note("open sizes of", std::format("= {} (--assume-size)", *options_.assume_size), input.name);
        return;
    }
    bool named = false;
    for_each_symbol(&input.type, [&](const std::string& symbol) {
        named = true;
        if (!std::ranges::contains(report.open_symbols, symbol)) report.open_symbols.push_back(symbol);
    });
    if (!named) report.open_inputs.push_back(std::format("'{}' {}", input.name, shape_text(input.type)));
}

void Sizes::bound(TensorInfo& tensor, const Shape& bounds, const NodeLinks& links) {
    if (!tensor.type.has_tensor_type()) return;
    auto& type = *tensor.type.mutable_tensor_type();
    if (!type.has_shape()) {
        for (std::size_t d = 0; d < bounds.size(); ++d) type.mutable_shape()->add_dim();
    }
    if (static_cast<std::size_t>(type.shape().dim_size()) != bounds.size()) return;
    for (int d = 0; d < type.shape().dim_size(); ++d) {
        auto& size = *type.mutable_shape()->mutable_dim(d);
        const std::int64_t most = bounds[static_cast<std::size_t>(d)];
        if (size.has_dim_value() || most < 0) continue;
        const bool lower = options_.assume_size && *options_.assume_size < most;
        size.set_dim_value(lower ? *options_.assume_size : most);
        tensor.assumed = tensor.varies = true;
        note("data-dependent size of",
             lower ? std::format("taken as {} (--assume-size; at most {})", *options_.assume_size, most)
                   : std::format("taken as its upper bound {}", most),
             tensor.name.empty() ? std::string_view(links.node->op_type()) : tensor.name);
    }
}

void Sizes::assume(TensorInfo& tensor, const NodeLinks& links) {
    if (!options_.assume_size) return;
    const auto value_case = tensor.type.value_case();
    if (value_case != TypeProto::kTensorType && value_case != TypeProto::VALUE_NOT_SET) return;  // sequences: sized where bytes are counted
    auto& type = *tensor.type.mutable_tensor_type();
    if (type.elem_type() == ::onnx::TensorProto::UNDEFINED) {
        const TensorInfo* first = links.inputs.empty() ? nullptr : links.inputs.front();
        const auto like = first ? first->type.tensor_type().elem_type() : ::onnx::TensorProto::UNDEFINED;
        type.set_elem_type(like == ::onnx::TensorProto::UNDEFINED ? ::onnx::TensorProto::FLOAT : like);
        note("element type of", like == ::onnx::TensorProto::UNDEFINED ? "taken as float" : "taken as that of the first input",
             tensor.name);
    }
    if (!has_open_size(tensor.type)) return;
    if (!type.has_shape()) {
        type.mutable_shape()->add_dim();
        tensor.rank_guessed = true;
    }
    for (auto& size : *type.mutable_shape()->mutable_dim()) {
        if (!size.has_dim_value()) size.set_dim_value(*options_.assume_size);
    }
    tensor.assumed = tensor.varies = true;
    note("open sizes of", std::format("= {} (--assume-size)", *options_.assume_size), tensor.name);
}

void Sizes::origin(const TensorInfo& tensor, const NodeLinks& links, ShapeReport& report) {
    if (noted_.insert(&tensor).second)
        report.origins.push_back(std::format("{} makes '{}' {}", label(*links.node), tensor.name, shape_text(tensor.type)));
}

std::optional<std::int64_t> Sizes::trip_count(const NodeLinks& links, bool& varies) {
    const TensorInfo* trips = links.inputs.empty() ? nullptr : links.inputs[0];
    const auto known = trips && trips->value ? trips->value->integers() : std::nullopt;
    if (!known || known->size() != 1 || known->front() < 0) return std::nullopt;
    // Without a condition outside, and with one inside that hands on what it got, nothing ends the loop early.
    const Scope& body = *links.bodies.front().scope;
    const TensorInfo* condition = body.outputs.empty() ? nullptr : body.outputs.front();
    while (condition && condition->producer && condition->scope == &body &&
           body.nodes[*condition->producer].node->op_type() == "Identity") {
        condition = body.nodes[*condition->producer].inputs.front();
    }
    const bool handed_on = condition && body.inputs.size() > 1 && condition == body.inputs[1];
    const auto constant = condition && condition->value ? condition->value->integers() : std::nullopt;
    const bool endless = handed_on || (constant && constant->size() == 1 && constant->front() != 0);
    const bool started = links.inputs.size() < 2 || !links.inputs[1] ||
                         (links.inputs[1]->value && links.inputs[1]->value->integers() == std::vector<std::int64_t>{1});
    if (endless && started && trips->dependence == Dependence::constant) return known->front();
    varies = true;
    if (noted_.insert(&links).second) {
        note("trip count of", std::format("taken as its upper bound {}", known->front()),
             links.node->name().empty() ? links.node->op_type() : links.node->name());
    }
    return known->front();
}

TypeProto Sizes::join_branches(const TypeProto& a, const TypeProto& b, const NodeLinks& links, bool& varies) {
    TypeProto result = join(a, b);
    if (!result.has_tensor_type() || !result.tensor_type().has_shape()) return result;
    for (int d = 0; d < result.tensor_type().shape().dim_size(); ++d) {
        const auto& x = a.tensor_type().shape().dim(d);
        const auto& y = b.tensor_type().shape().dim(d);
        auto& size = *result.mutable_tensor_type()->mutable_shape()->mutable_dim(d);
        if (size.has_dim_value() || !x.has_dim_value() || !y.has_dim_value()) continue;
        size.set_dim_value(std::max(x.dim_value(), y.dim_value()));
        varies = true;
        note("size of the branches of", std::format("taken as the larger one, {}", size.dim_value()),
             links.node->name().empty() ? links.node->op_type() : links.node->name());
    }
    return result;
}

void Sizes::note(const std::string& before, const std::string& after, std::string_view name) {
    const auto [place, fresh] = record_of_.try_emplace(before + '\n' + after, records_.size());
    if (fresh) records_.push_back({before, after, {}, {}});
    Record& record = records_[place->second];
    if (name.empty() || !record.seen.emplace(name).second) return;  // loops are walked more than once
    if (record.names.size() < 3) record.names.emplace_back(name);
}

void Sizes::finish(ShapeReport& report) const {
    for (const Record& record : records_) {
        const std::size_t count = record.seen.size();
        if (count == 0)
            report.assumptions.push_back(record.before);
        else if (count == 1)
            report.assumptions.push_back(std::format("{} {} {}", record.before, list_of(record.names, 1), record.after));
        else
            report.assumptions.push_back(
                std::format("{} {} tensors ({}) {}", record.before, count, list_of(record.names, count), record.after));
    }
}

}  // namespace sluice::onnx
