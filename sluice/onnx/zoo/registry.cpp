#include "sluice/onnx/zoo/registry.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <iterator>
#include <optional>

#include "sluice/base/files.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/onnx/zoo/file_pair.hpp"
#include "sluice/onnx/zoo/serialise.hpp"

namespace sluice::onnx {

namespace zoo {

namespace {
constexpr std::int64_t kLargestEmbedded = std::int64_t{64} << 20;

const std::vector<Family>& families() {
    static const std::vector<Family> all = [] {
        std::vector<Family> list;
        for (const auto part : {chain_families, inception_families, bert_families, gpt2_families, resnet_families, unet_families,
                                mmt_families, recommendation_families, moe_families, two_tower_families, random_families})
            std::ranges::move(part(), std::back_inserter(list));
        return list;
    }();
    return all;
}

template <typename Items, typename Name>
std::vector<std::string_view> names_of(const Items& items, Name name) {
    std::vector<std::string_view> names;
    for (const auto& item : items) names.push_back(item.*name);
    return names;
}

std::string joined(const std::vector<std::string_view>& names) {
    std::string text;
    for (std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

/// "did you mean 'layers'? bert-base takes layers, hidden, …"
std::string suggestion(std::string_view word, const std::vector<std::string_view>& names, const std::string& intro) {
    const std::string_view near = nearest_match(word, names);
    return (near.empty() ? std::string() : "did you mean '" + std::string(near) + "'? ") + intro + joined(names);
}

std::int64_t parse_size(const Family& family, const Size& size, std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error != std::errc::invalid_argument && end == text.data() + text.size();
    if (!whole) {
        refuse("zoo model '" + std::string(family.name) + "': '" + std::string(size.name) + "=" + std::string(text) +
                   "' is not a whole number",
               std::string(size.name) + " (" + std::string(size.meaning) + ") is " + std::to_string(size.value) + " by default");
    }
    if (error != std::errc{} || value < size.low || value > size.high) {
        refuse("zoo model '" + std::string(family.name) + "': " + std::string(size.name) + "=" + std::string(text) + " is outside " +
                   std::to_string(size.low) + " … " + std::to_string(size.high),
               std::string(size.name) + " (" + std::string(size.meaning) + ") is " + std::to_string(size.value) + " by default");
    }
    return value;
}

Sizes parse_sizes(const Family& family, std::string_view text) {
    const auto names = names_of(family.sizes, &Size::name);
    std::vector<std::optional<std::int64_t>> given(family.sizes.size());
    for (bool more = !text.empty(); more;) {
        const std::size_t comma = text.find(',');
        const std::string_view item = text.substr(0, comma);
        more = comma != std::string_view::npos;
        if (more) text.remove_prefix(comma + 1);
        const std::size_t equals = item.find('=');
        const std::string_view key = item.substr(0, equals);
        const auto found = std::ranges::find(names, key);
        if (found == names.end()) {
            refuse("zoo model '" + std::string(family.name) + "' has no size '" + std::string(key) + "'",
                   suggestion(key, names, std::string(family.name) + " takes "));
        }
        if (equals == std::string_view::npos) {
            refuse("zoo model '" + std::string(family.name) + "': size '" + std::string(key) + "' has no value",
                   "write " + std::string(key) + "=NUMBER");
        }
        auto& slot = given[static_cast<std::size_t>(found - names.begin())];
        if (slot) refuse("zoo model '" + std::string(family.name) + "': size '" + std::string(key) + "' is given twice", "give it once");
        slot = parse_size(family, family.sizes[static_cast<std::size_t>(found - names.begin())], item.substr(equals + 1));
    }
    std::vector<std::pair<std::string_view, std::int64_t>> values;
    for (std::size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], given[i].value_or(family.sizes[i].value));
    return Sizes(std::move(values));
}

Model build(std::string_view specification) {
    if (specification.starts_with("zoo:")) specification.remove_prefix(4);
    const std::size_t colon = specification.find(':');
    const std::string_view name = specification.substr(0, colon);
    const auto family = std::ranges::find(families(), name, &Family::name);
    if (family == families().end()) {
        refuse("the zoo has no model '" + std::string(name) + "'", suggestion(name, names_of(families(), &Family::name), "the zoo has "));
    }
    const Sizes sizes = parse_sizes(*family, colon == std::string_view::npos ? std::string_view() : specification.substr(colon + 1));
    ModelBuilder builder{std::string(name)};
    family->build(builder, sizes);
    Model model = std::move(builder).take();
    model.description = "zoo:" + std::string(name);
    for (std::size_t i = 0; i < family->sizes.size(); ++i) {
        const std::string_view key = family->sizes[i].name;
        model.description += (i == 0 ? ":" : ",") + std::string(key) + "=" + std::to_string(sizes[key]);
    }
    return model;
}

/// Runs `make`, in which a size may be refused, at the zoo's border.
template <typename Make>
auto guarded(Make make) -> decltype(make()) {
    try {
        return make();
    } catch (Refusal& refusal) { return fail(std::move(refusal.diagnostic)); } catch (const std::bad_alloc&) {
        return fail(
            input_error("not enough memory to make this model").fix("make its sizes smaller, or write it to a file without weights"));
    }
}

Result<void> write_external(const Model& model, std::uint64_t seed, const std::filesystem::path& path, const std::stop_token& stop) {
    const DataLayout layout = external_layout(model);
    const std::string bytes = serialise(model, layout, data_path(path).filename().string(), seed);
    return write_pair(path, bytes, model, layout, seed, stop);
}

std::string without_weights(const Model& model, std::uint64_t seed) {
    return serialise(model, external_layout(model), "weights.bin", seed);
}
}  // namespace

std::int64_t Sizes::operator[](std::string_view name) const {
    const auto found = std::ranges::find(values_, name, &std::pair<std::string_view, std::int64_t>::first);
    assert(found != values_.end());
    return found->second;
}

}  // namespace zoo

std::span<const ZooEntry> zoo_entries() {
    static const std::vector<ZooEntry> entries = [] {
        std::vector<ZooEntry> list;
        for (const zoo::Family& family : zoo::families()) {
            ZooEntry& entry = list.emplace_back(family.name, family.description, std::vector<ZooParameter>{});
            for (const zoo::Size& size : family.sizes) entry.parameters.push_back({size.name, size.value, size.meaning});
        }
        return list;
    }();
    return entries;
}

Result<std::string> zoo_bytes(std::string_view specification, ZooWeights weights, std::uint64_t seed) {
    return zoo::guarded([&]() -> Result<std::string> {
        const zoo::Model model = zoo::build(specification);
        if (weights == ZooWeights::none) return zoo::without_weights(model, seed);
        return zoo::serialise(model, zoo::embedded_layout(model), "", seed);
    });
}

Result<void> zoo_write(std::string_view specification, ZooWeights weights, std::uint64_t seed, const std::filesystem::path& path,
                       const std::stop_token& stop) {
    return zoo::guarded([&]() -> Result<void> {
        const zoo::Model model = zoo::build(specification);
        if (weights == ZooWeights::none) return write_file(path, zoo::without_weights(model, seed));
        if (model.initializer_bytes <= zoo::kLargestEmbedded) {
            return write_file(path, zoo::serialise(model, zoo::embedded_layout(model), "", seed));
        }
        if (path == "-") {
            zoo::refuse("weights over 64 MiB need a file of their own, and standard output has no place for one",
                        "write the model to a file");
        }
        return zoo::write_external(model, seed, path, stop);
    });
}

Result<void> zoo_write_external(std::string_view specification, std::uint64_t seed, const std::filesystem::path& path,
                                const std::stop_token& stop) {
    return zoo::guarded([&] { return zoo::write_external(zoo::build(specification), seed, path, stop); });
}

}  // namespace sluice::onnx
