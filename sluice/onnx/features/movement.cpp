// Movement: bytes without arithmetic. Forward nothing, backward nothing but the sums of what was repeated. Views move nothing at all.
#include <algorithm>

#include "sluice/onnx/features/rule.hpp"

namespace sluice::onnx::features {

namespace {

/// Only what comes out is read: Slice, Compress, CenterCropPad, Trilu.
void part(const Node& node, const Rule& rule, Work& work) {
    keep(node, rule.kept, work);
    const auto whole = node.input(0) ? bytes_of(*node.input(0)) : std::nullopt;
    const auto taken = node.output(0) ? bytes_of(*node.output(0)) : std::nullopt;
    if (!whole || !taken || *taken >= *whole) return;
    (node.input(0)->parameter ? work.features.parameters_read : work.features.read) += *taken - *whole;
}

/// Expand, Tile: the gradient of what was repeated is a sum.
void repeat(const Node& node, const Rule&, Work& work) {
    if (node.output_elements() > node.elements(0)) work.gradient(node, 0, node.output_elements());
}

/// Only the shape of the operand is used, which is known before anything runs.
void shape_alone(const Node&, const Rule&, Work& work) { work.features.read = work.features.parameters_read = Bytes{}; }

}  // namespace

std::span<const Rule> movement_rules() {
    using enum graph::OperatorClass;
    static constexpr Rule kRules[] = {
        {.type = "Flatten", .operator_class = view},
        {.type = "Identity", .operator_class = view},
        {.type = "Reshape", .operator_class = view},
        {.type = "Squeeze", .operator_class = view},
        {.type = "Unsqueeze", .operator_class = view},
        {.type = "Transpose", .operator_class = movement},
        {.type = "Concat", .operator_class = movement},
        {.type = "Split", .operator_class = movement},
        {.type = "Slice", .operator_class = movement, .apply = part},
        {.type = "DynamicSlice", .operator_class = movement, .apply = part},
        {.type = "Pad", .operator_class = movement},
        {.type = "CenterCropPad", .operator_class = movement, .apply = part},
        {.type = "Compress", .operator_class = movement, .apply = part, .kept = Kept::condition},
        {.type = "Tile", .operator_class = movement, .apply = repeat},
        {.type = "Expand", .operator_class = movement, .apply = repeat},
        {.type = "SpaceToDepth", .operator_class = movement},
        {.type = "DepthToSpace", .operator_class = movement},
        {.type = "ReverseSequence", .operator_class = movement},
        {.type = "Trilu", .operator_class = movement},
        {.type = "OneHot", .operator_class = movement},
        {.type = "EyeLike", .operator_class = movement, .apply = shape_alone},
        {.type = "Shape", .operator_class = movement, .apply = shape_alone},
        {.type = "Size", .operator_class = movement, .apply = shape_alone},
        {.type = "Constant", .operator_class = movement},
        {.type = "ConstantOfShape", .operator_class = movement},
        {.type = "Range", .operator_class = movement},
        {.type = "TensorScatter", .operator_class = movement},
        // sequences and optionals: the tensors inside move, or only change hands
        {.type = "SequenceEmpty", .operator_class = movement},
        {.type = "SequenceConstruct", .operator_class = movement},
        {.type = "SequenceAt", .operator_class = movement},
        {.type = "SequenceErase", .operator_class = movement},
        {.type = "SequenceInsert", .operator_class = movement},
        {.type = "SequenceLength", .operator_class = movement},
        {.type = "SplitToSequence", .operator_class = movement},
        {.type = "ConcatFromSequence", .operator_class = movement},
        {.type = "Optional", .operator_class = movement},
        {.type = "OptionalGetElement", .operator_class = movement},
        {.type = "OptionalHasElement", .operator_class = movement},
        {.type = "QLinearConcat", .operator_class = movement, .domain = kMicrosoft},
        {.type = "ExpandDims", .operator_class = view, .domain = kMicrosoft},
        {.type = "RemovePadding", .operator_class = movement, .domain = kMicrosoft},
        {.type = "RestorePadding", .operator_class = movement, .domain = kMicrosoft},
    };
    return kRules;
}

}  // namespace sluice::onnx::features
