// A rule says what one operator type costs; families of rules are tables, one file each, joined by the registry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/onnx/features/node.hpp"

namespace sluice::onnx::features {

// FLOPs of what is not an addition or a multiplication: a division or root by Newton steps, the rest by range reduction and a polynomial
// as vector mathematics libraries do it. The roofline needs their size, not their last digit.
inline constexpr double kDivide = 4;
inline constexpr double kSquareRoot = 4;
inline constexpr double kExp = 8;
inline constexpr double kLog = 8;
inline constexpr double kTrigonometric = 10;
inline constexpr double kErf = 12;
inline constexpr double kSigmoid = kExp + 1 + kDivide;
inline constexpr double kTanh = kExp + 2 + kDivide;
inline constexpr double kPower = kLog + 1 + kExp;
inline constexpr double kSoftmax = kExp + 4;           // maximum, subtract, exp, sum, scale
inline constexpr double kSoftmaxGradient = 4;          // dy·y, its sum, subtract, multiply
inline constexpr double kNormalise = 8;                // mean 1, variance 3, normalise 2, scale and shift 2
inline constexpr double kRootMeanSquare = 4;           // square and sum 2, normalise 1, scale 1
inline constexpr double kNormaliseGradient = 10;       // normalised value again 2, dy·scale 1, two sums 3, their combination 4
inline constexpr double kNormaliseWeightGradient = 2;  // dy·normalised value, summed (of the scale; the shift is a sum: 1)

/// What a rule fills in. `features` arrives with the class of the rule, the compute type, and the bytes of all distinct inputs and outputs.
struct Work {
    graph::Features features;
    std::vector<std::size_t> kept_inputs, kept_outputs;  // tensors that the backward pass reads again; parameters among them cost nothing
    double kept_elements_f32 = 0;                        // statistics kept beside them
    double kept_bytes = 0;                               // masks, indices
    double product_flops = 0, product_flops_per_row = 0;

    void keep_input(std::size_t i) { kept_inputs.push_back(i); }
    void keep_output(std::size_t i = 0) { kept_outputs.push_back(i); }
    /// FLOPs of the gradient with respect to operand `i`, if it needs one.
    void gradient(const Node& node, std::size_t i, double flops);
    /// A (batched) matrix product of operands a and b: forward FLOPs, the same again for each operand's gradient, each kept for the
    /// other's.
    void product(const Node& node, double flops, double rows, std::size_t a, std::size_t b);
    /// The forward FLOPs of a matrix product alone; the caller says what its gradients take.
    void forward_product(double flops, double rows);
    /// A product whose operands are made inside the operator (attention scores): counts twice as input gradient.
    void inner_product(double flops, double rows);
    /// Rows that price all products of the operator together: efficiency is rows / (rows + half) (design §3.3), so time per FLOP is linear
    /// in 1 / rows, and the mean that keeps the time is the harmonic one, weighted by FLOPs.
    [[nodiscard]] std::int64_t rows() const;
};

enum class Kept : std::uint8_t {
    nothing,
    inputs,             // every input
    output,             // the first output
    inputs_and_output,  // both
    condition,          // the first input alone
    mask                // one byte for each output element
};

struct Rule {
    std::string_view type;
    graph::OperatorClass operator_class = graph::OperatorClass::unknown;
    void (*apply)(const Node&, const Rule&, Work&) = nullptr;  // nullptr: bytes alone
    double flops = 0;                                          // for rules that are linear in an element count
    double gradient = 0;                                       // the same, for each operand that needs one
    Kept kept = Kept::nothing;
    std::string_view domain = {};
};

[[nodiscard]] double element_bytes(const Node& node, std::size_t i);  // of an input's type
void keep(const Node& node, Kept kept, Work& work);

[[nodiscard]] std::span<const Rule> matrix_rules();
[[nodiscard]] std::span<const Rule> attention_rules();
[[nodiscard]] std::span<const Rule> recurrent_rules();
[[nodiscard]] std::span<const Rule> convolution_rules();
[[nodiscard]] std::span<const Rule> pooling_rules();
[[nodiscard]] std::span<const Rule> normalisation_rules();
[[nodiscard]] std::span<const Rule> reduction_rules();
[[nodiscard]] std::span<const Rule> elementwise_rules();
[[nodiscard]] std::span<const Rule> lookup_rules();
[[nodiscard]] std::span<const Rule> movement_rules();
[[nodiscard]] std::span<const Rule> resample_rules();
[[nodiscard]] std::span<const Rule> signal_rules();
[[nodiscard]] std::span<const Rule> control_rules();
[[nodiscard]] std::span<const Rule> quantised_rules();
[[nodiscard]] std::span<const Rule> classical_rules();

/// The rule of a type, nullptr without one. A com.microsoft type without its own rule takes the standard one of that name.
[[nodiscard]] const Rule* find_rule(std::string_view domain, std::string_view op_type);

inline constexpr std::string_view kMicrosoft = "com.microsoft";
inline constexpr std::string_view kMl = "ai.onnx.ml";

// Forms that several families share.
/// One for an output element, its gradient a sum over what it was broadcast to; a full tensor's gradient is the output's own.
void add_bias(const Node& node, std::size_t bias, Work& work);
void by_output_element(const Node& node, const Rule& rule, Work& work);  // FLOPs a first-output element
void by_input_element(const Node& node, const Rule& rule, Work& work);   // FLOPs a first-input element

}  // namespace sluice::onnx::features
