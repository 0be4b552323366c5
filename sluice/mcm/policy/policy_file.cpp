#include "sluice/mcm/policy/policy_file.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <format>
#include <optional>
#include <utility>

#include "sluice/base/files.hpp"
#include "sluice/mcm/policy/network.hpp"

namespace sluice::mcm::policy {

namespace {

constexpr std::string_view kFamily = "sluice.policy/";
constexpr std::size_t kDigits = 32;  // of a fingerprint
constexpr std::size_t kLongestText = 1 << 16;

class Writer {
public:
    void number(std::uint64_t value, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
    }
    void real(float value) { number(std::bit_cast<std::uint32_t>(value), 4); }
    void text(std::string_view value) {
        number(value.size(), 4);
        out += value;
    }
    std::string out;
};

/// Past the end it gives zeros and remembers.
class Reader {
public:
    explicit Reader(std::string_view rest) : rest_(rest) {}
    std::uint64_t number(std::size_t bytes) {
        const std::string_view part = take(bytes);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < part.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
        return value;
    }
    std::uint32_t word() { return static_cast<std::uint32_t>(number(4)); }
    float real() { return std::bit_cast<float>(word()); }
    std::string text() {
        const std::size_t length = word();
        if (length > kLongestText) {
            short_ = true;
            return {};
        }
        return std::string(take(length));
    }
    [[nodiscard]] bool cut_short() const { return short_; }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }

private:
    std::string_view take(std::size_t bytes) {
        if (short_ || bytes > rest_.size()) {
            short_ = true;
            return {};
        }
        const std::string_view part = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return part;
    }
    std::string_view rest_;
    bool short_ = false;
};

}  // namespace

Result<std::string> to_policy_bytes(const Policy& policy) {
    Writer writer;
    writer.out = std::string(kPolicyFormat) + "\n";
    const Architecture& shape = policy.architecture;
    for (const std::uint32_t value : {std::uint32_t{std::to_underlying(shape.head)}, shape.layers, shape.width, shape.passes, shape.chips})
        writer.number(value, 4);
    writer.real(shape.spread);
    writer.number(kNetworkInputs, 4);
    writer.number(policy.provenance.seed, 8);
    writer.number(policy.provenance.updates, 8);
    for (const std::string* text : {&policy.provenance.corpus, &policy.provenance.command, &policy.provenance.note})
        writer.text(std::string_view(*text).substr(0, kLongestText));
    writer.number(policy.weights.size(), 8);
    for (const float weight : policy.weights) writer.real(weight);
    writer.out += fingerprint_of(writer.out);
    if (writer.out.size() <= kLargestPolicy) return std::move(writer.out);
    return fail(input_error(std::format("a policy of {} weights makes a file of {} bytes, it may have {}", policy.weights.size(),
                                        writer.out.size(), kLargestPolicy))
                    .fix("use fewer layers or a smaller width"));
}

Result<Policy> parse_policy(std::string_view bytes, const std::string& file) {
    const auto refuse = [&](std::string what) { return fail(input_error(std::move(what)).at({file, 0, 0})); };
    if (!bytes.starts_with(kFamily)) return refuse("is no policy file (sluice.policy/1)");
    const std::string_view tag = bytes.substr(0, std::min(bytes.find('\n'), std::min<std::size_t>(bytes.size(), 40)));
    if (tag != kPolicyFormat) {
        std::string version;
        for (const char c : tag.substr(kFamily.size())) version += c > ' ' && c < 127 ? c : '?';
        return fail(input_error(std::format("is a policy of version '{}', this sluice reads version 1", version))
                        .at({file, 0, 0})
                        .fix("train it again with `sluice policy train`"));
    }
    const auto truncated = [&] { return refuse(std::format("is cut short: a policy ends later than after {} bytes", bytes.size())); };
    if (bytes.size() > kLargestPolicy)
        return refuse(std::format("has {} bytes, a policy file has at most {}", bytes.size(), kLargestPolicy));
    if (bytes.size() < kPolicyFormat.size() + 1 + kDigits) return truncated();
    Reader reader(bytes.substr(0, bytes.size() - kDigits).substr(kPolicyFormat.size() + 1));
    Policy policy;
    Architecture& shape = policy.architecture;
    const std::uint32_t head = reader.word();
    shape.head = head == 0 ? Head::categorical : Head::ordinal;
    for (std::uint32_t* value : {&shape.layers, &shape.width, &shape.passes, &shape.chips}) *value = reader.word();
    shape.spread = reader.real();
    const std::uint32_t inputs = reader.word();
    policy.provenance.seed = reader.number(8);
    policy.provenance.updates = reader.number(8);
    for (std::string* text : {&policy.provenance.corpus, &policy.provenance.command, &policy.provenance.note}) *text = reader.text();
    const std::uint64_t count = reader.number(8);
    if (reader.cut_short()) return truncated();
    if (head > 1) return refuse(std::format("no policy has this shape: head {}", head));
    if (auto checked = check(shape); !checked) return fail(std::move(checked.error()).at({file, 0, 0}));
    if (inputs != kNetworkInputs)
        return fail(input_error(std::format("its network takes {} inputs, this sluice makes {}", inputs, kNetworkInputs))
                        .at({file, 0, 0})
                        .fix("train it again with `sluice policy train`"));
    if (count != weight_count(shape)) return refuse(std::format("has {} weights, its shape needs {}", count, weight_count(shape)));
    if (reader.left() < count * 4) return truncated();
    if (reader.left() > count * 4) return refuse(std::format("has {} bytes after its weights", reader.left() - count * 4));
    if (fingerprint_of(bytes.substr(0, bytes.size() - kDigits)) != bytes.substr(bytes.size() - kDigits))
        return refuse("its checksum does not fit: it was changed or damaged");
    policy.weights.resize(count);
    for (float& weight : policy.weights) weight = reader.real();
    const auto wrong = std::ranges::find_if_not(policy.weights, [](float weight) { return std::isfinite(weight); });
    if (wrong != policy.weights.end()) return refuse(std::format("weight {} is no number", wrong - policy.weights.begin()));
    return policy;
}

Result<void> write_policy(const std::filesystem::path& path, const Policy& policy) {
    auto bytes = to_policy_bytes(policy);
    if (!bytes) return fail(std::move(bytes.error()));
    return write_file(path, *bytes);
}

Result<Policy> read_policy(const std::filesystem::path& path) {
    const auto bytes = read_file(path, kLargestPolicy + 1);
    if (!bytes) return fail(bytes.error());
    return parse_policy(*bytes, path.string());
}

}  // namespace sluice::mcm::policy
