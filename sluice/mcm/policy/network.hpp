// The policy's forward pass, without libtorch. GraphSAGE (Hamilton, Ying, Leskovec, NeurIPS 2017): per layer h += relu(norm(W [h, mean of
// the inputs' h, mean of the outputs' h] + b)); a hidden layer; the head. Every pass decodes the whole graph and hands each node's expected
// place to the next one.
//   categorical  logits are the outputs, one a chip
//   ordinal      place = (position by work + output_0 / 10) x usable chips - 1/2; spread = architecture.spread x e^(3 tanh(output_1 / 3));
//                a chip z spreads off its place has logit -z^2/2, from z = 3 on -9/2 - 9 log(z/3): near ones stay likelier than far ones
//                where the solver leaves only far ones, and no probability underflows
// O(passes x layers x nodes x width^2). Floats; the same bytes for the same input on machines with the same libm.
#pragma once

#include <span>
#include <vector>

#include "sluice/mcm/policy/features.hpp"
#include "sluice/mcm/policy/policy.hpp"

namespace sluice::mcm::policy {

inline constexpr std::size_t kNetworkInputs = kFeatures + 2;  // expected place in the pass before, and whether there was one
inline constexpr float kPlaceScale = 0.1F, kLogSpreadLimit = 3.0F, kTail = 3.0F, kNormEpsilon = 1e-5F;

/// Diagnostic: a categorical policy for another number of chips.
[[nodiscard]] Result<void> suits(const Architecture& architecture, const Features& features);

/// node x chip. The policy suits the features.
[[nodiscard]] std::vector<float> logits(const Policy& policy, const Features& features);
/// Their softmax over all chips: what sample() draws from.
[[nodiscard]] std::vector<float> probabilities(const Policy& policy, const Features& features);

}  // namespace sluice::mcm::policy
