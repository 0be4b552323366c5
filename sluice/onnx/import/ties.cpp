#include <cstring>
#include <format>
#include <map>

#include "sluice/onnx/import/build.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

enum class Tie { unknown, yes, no };

/// Compares where the data is in the file; nothing is loaded for it.
Tie is_transpose(const ::onnx::TensorProto* a, const ::onnx::TensorProto* b, std::size_t rows, std::size_t columns) {
    if (!a || !b || !a->has_raw_data() || !b->has_raw_data() || rows == 0 || columns == 0) return Tie::unknown;
    const std::size_t width = a->raw_data().size() / (rows * columns);
    if (width == 0 || a->raw_data().size() != b->raw_data().size()) return Tie::unknown;
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            if (std::memcmp(a->raw_data().data() + (r * columns + c) * width, b->raw_data().data() + (c * rows + r) * width, width) != 0)
                return Tie::no;
        }
    }
    return Tie::yes;
}

}  // namespace

std::vector<std::string> find_tied_copies(const std::vector<ParameterUse>& uses) {
    // By type and shape of the right side of a product, transposed.
    std::map<std::pair<std::int32_t, Shape>, std::vector<const TensorInfo*>> products;
    for (const ParameterUse& use : uses) {
        const auto shape = full_shape(use.tensor->type);
        if (use.multiplied && !use.looked_up && shape && shape->size() == 2) {
            products[{use.tensor->type.tensor_type().elem_type(), {(*shape)[1], (*shape)[0]}}].push_back(use.tensor);
        }
    }
    std::vector<std::string> warnings;
    for (const ParameterUse& use : uses) {
        const auto shape = full_shape(use.tensor->type);
        if (!use.looked_up || !shape || shape->size() != 2) continue;
        const auto bytes = bytes_of(use.tensor->type.tensor_type().elem_type(), *shape);
        const auto found = products.find({use.tensor->type.tensor_type().elem_type(), *shape});
        if (!bytes || *bytes <= kSmallConstant || found == products.end()) continue;
        for (const TensorInfo* other : found->second) {
            const Tie tie = is_transpose(use.tensor->initializer, other->initializer, static_cast<std::size_t>((*shape)[0]),
                                         static_cast<std::size_t>((*shape)[1]));
            if (tie == Tie::no) continue;
            warnings.push_back(std::format("parameter '{}' {} the embedding '{}' transposed: {} {} counted twice", other->name,
                                           tie == Tie::yes ? "is" : "has the shape of", use.tensor->name, to_text(*bytes),
                                           tie == Tie::yes ? "are" : "may be"));
        }
    }
    return warnings;
}

}  // namespace sluice::onnx
