#include "sluice/trainer/checkpoint.hpp"

#include <bit>
#include <format>
#include <utility>

#include "sluice/base/files.hpp"
#include "sluice/mcm/policy/policy_file.hpp"

namespace sluice::trainer {

namespace {

constexpr std::string_view kTag = "sluice.checkpoint/2\n";
constexpr std::size_t kDigits = 32, kLargest = std::size_t{64} << 20;

void put(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}
void put(std::string& out, std::string_view text) {
    put(out, std::uint64_t{text.size()});
    out += text;
}
void put(std::string& out, const std::vector<float>& values) {
    put(out, std::uint64_t{values.size()});
    for (const float value : values)
        for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(std::bit_cast<std::uint32_t>(value) >> (8 * i) & 0xff));
}

struct Source {
    std::string_view rest;
    bool whole = true;

    std::string_view take(std::uint64_t bytes) {
        if (!whole || bytes > rest.size()) {
            whole = false;
            return {};
        }
        const auto part = rest.substr(0, bytes);
        rest.remove_prefix(bytes);
        return part;
    }
    static std::uint64_t value_of(std::string_view part) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < part.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
        return value;
    }
    std::uint64_t number() { return value_of(take(8)); }
    double real() { return std::bit_cast<double>(number()); }
    std::string_view text() { return take(number()); }
    std::vector<float> floats() {
        const std::uint64_t count = number();
        if (count > kLargest) {
            whole = false;
            return {};
        }
        const auto part = take(count * 4);
        std::vector<float> values;
        for (std::size_t i = 0; i + 4 <= part.size(); i += 4)
            values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(value_of(part.substr(i, 4)))));
        return values;
    }
};

}  // namespace

Result<void> write_checkpoint(const std::filesystem::path& path, const State& state) {
    std::string out(kTag);
    put(out, std::string_view(state.settings));
    for (const mcm::policy::Policy* policy : {&state.now, &state.best}) {
        const auto bytes = mcm::policy::to_policy_bytes(*policy);
        if (!bytes) return fail(bytes.error());
        put(out, std::string_view(*bytes));
    }
    put(out, state.adam.first);
    put(out, state.adam.second);
    for (const std::uint64_t value : {state.adam.steps, state.updates, state.evaluations, std::bit_cast<std::uint64_t>(state.best_value)})
        put(out, value);
    for (const std::vector<CurvePoint>* curve : {&state.curve, &state.drawn}) {
        put(out, std::uint64_t{curve->size()});
        for (const CurvePoint& point : *curve)
            for (const std::uint64_t value : {point.updates, point.evaluations, std::bit_cast<std::uint64_t>(point.value)}) put(out, value);
    }
    put(out, std::string_view(reinterpret_cast<const char*>(state.best_chips.data()), state.best_chips.size()));
    out += fingerprint_of(out);
    return write_file(path, out);
}

Result<State> read_checkpoint(const std::filesystem::path& path, const std::string& settings) {
    const auto bytes = read_file(path, kLargest);
    if (!bytes) return fail(bytes.error());
    const auto refuse = [&](std::string what) {
        return fail(
            input_error(std::move(what)).at({path.string(), 0, 0}).fix("remove it, or give -o another name, to train from the start"));
    };
    const std::string_view all(*bytes);
    if (!all.starts_with(kTag)) return refuse("is no checkpoint that this sluice can go on from (sluice.checkpoint/2)");
    if (all.size() < kTag.size() + kDigits || fingerprint_of(all.substr(0, all.size() - kDigits)) != all.substr(all.size() - kDigits))
        return refuse("is cut short or damaged: its checksum does not fit");
    Source source{.rest = all.substr(0, all.size() - kDigits).substr(kTag.size())};
    State state;
    state.settings = source.text();
    if (source.whole && state.settings != settings)
        return fail(input_error("is a checkpoint of another training")
                        .at({path.string(), 0, 0})
                        .note("of: " + state.settings)
                        .note("now: " + settings)
                        .fix("remove it, or give -o another name, to train from the start"));
    for (mcm::policy::Policy* policy : {&state.now, &state.best}) {
        auto parsed = mcm::policy::parse_policy(source.text(), path.string());
        if (!parsed) return fail(std::move(parsed.error()));
        *policy = *std::move(parsed);
    }
    state.adam.first = source.floats();
    state.adam.second = source.floats();
    for (std::uint64_t* value : {&state.adam.steps, &state.updates, &state.evaluations}) *value = source.number();
    state.best_value = source.real();
    for (std::vector<CurvePoint>* curve : {&state.curve, &state.drawn})
        for (std::uint64_t count = source.number(); source.whole && count > 0; --count) {
            CurvePoint point{.updates = source.number(), .evaluations = source.number()};
            point.value = source.real();
            curve->push_back(point);
        }
    const auto chips = source.text();
    state.best_chips.assign(chips.begin(), chips.end());
    if (!source.whole || !source.rest.empty() || state.adam.first.size() != state.now.weights.size() ||
        state.adam.second.size() != state.now.weights.size())
        return refuse("is no checkpoint: its parts do not fit each other");
    return state;
}

}  // namespace sluice::trainer
