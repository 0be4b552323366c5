#include "sluice/mcm/policy/policy.hpp"

#include <cmath>
#include <format>
#include <utility>

#include "sluice/base/random.hpp"
#include "sluice/mcm/chip_problem.hpp"
#include "sluice/mcm/policy/network.hpp"  // kNetworkInputs

namespace sluice::mcm::policy {

std::string_view to_text(Head head) {
    switch (head) {
        case Head::categorical:
            return "categorical";
        case Head::ordinal:
            return "ordinal";
    }
    std::unreachable();
}

Result<void> check(const Architecture& a) {
    const auto refuse = [](std::string what) { return fail(input_error("no policy has this shape: " + std::move(what))); };
    if (a.head != Head::categorical && a.head != Head::ordinal) return refuse(std::format("head {}", std::to_underlying(a.head)));
    if (a.layers < 1 || a.layers > 16) return refuse(std::format("{} layers, possible are 1 to 16", a.layers));
    if (a.width < 16 || a.width > 256 || a.width % 16 != 0)
        return refuse(std::format("width {}, possible are multiples of 16 up to 256", a.width));
    if (a.passes < 1 || a.passes > 16) return refuse(std::format("{} passes, possible are 1 to 16", a.passes));
    if (a.head == Head::categorical ? a.chips < 1 || a.chips > kMostChips : a.chips != 0)
        return refuse(std::format("{} chips for the {} head", a.chips, to_text(a.head)));
    if (!(a.spread >= 0.05F && a.spread <= 64)) return refuse(std::format("spread {}, possible are 0.05 to 64 chips", a.spread));
    return {};
}

std::size_t outputs_of(const Architecture& a) { return a.head == Head::ordinal ? 2 : a.chips; }

std::vector<Part> parts_of(const Architecture& a) {
    std::vector<Part> parts;
    std::size_t offset = 0;
    const auto add = [&](std::string name, std::size_t rows, std::size_t columns) {
        parts.push_back({std::move(name), offset, rows, columns});
        offset += rows * columns;
    };
    add("input", kNetworkInputs, a.width);
    add("input.bias", 1, a.width);
    for (std::uint32_t layer = 0; layer < a.layers; ++layer) {
        add(std::format("layer{}", layer), std::size_t{3} * a.width, a.width);  // the node's own, mean of inputs, mean of outputs
        add(std::format("layer{}.bias", layer), 1, a.width);
        add(std::format("layer{}.norm", layer), 1, a.width);
        add(std::format("layer{}.norm.bias", layer), 1, a.width);
    }
    add("hidden", a.width, a.width);
    add("hidden.bias", 1, a.width);
    add("output", a.width, outputs_of(a));
    add("output.bias", 1, outputs_of(a));
    return parts;
}

std::size_t weight_count(const Architecture& a) {
    const Part last = parts_of(a).back();
    return last.offset + last.rows * last.columns;
}

Policy fresh_policy(const Architecture& architecture, std::uint64_t seed) {
    Policy policy{.architecture = architecture, .weights = std::vector<float>(weight_count(architecture)), .provenance = {}};
    policy.provenance.seed = seed;
    RandomStream random(seed, 0x706f6c696379);
    for (const Part& part : parts_of(architecture)) {
        if (part.name.ends_with("bias") || part.name == "output") continue;
        const bool norm = part.name.ends_with("norm");
        const double limit = std::sqrt(6.0 / static_cast<double>(part.rows));
        for (std::size_t i = 0; i < part.rows * part.columns; ++i)
            policy.weights[part.offset + i] = norm ? 1.0F : static_cast<float>((2 * random.unit() - 1) * limit);
    }
    return policy;
}

Policy without_places(Policy policy) {
    if (policy.architecture.head != Head::ordinal) return policy;
    for (const Part& part : parts_of(policy.architecture))
        if (part.name.starts_with("output"))
            for (std::size_t row = 0; row < part.rows; ++row) policy.weights[part.offset + row * part.columns] = 0;
    return policy;
}

}  // namespace sluice::mcm::policy
