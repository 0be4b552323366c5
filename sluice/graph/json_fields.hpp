// Members of one JSON object, read one after another; the first complaint is kept, so that a reader checks once, at its end.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/json.hpp"

namespace sluice::graph {

class Fields {
public:
    template <typename T>
    using Read = Result<T> (json::Node::*)() const;

    Fields(const json::Node& node, std::initializer_list<std::string_view> allowed) : node_(&node) { keep(node.expect_keys(allowed)); }

    template <typename T>
    T required(std::string_view key, Read<T> read) {
        if (fault_) return {};
        const auto member = node_->get(key);
        if (!member) return keep(std::unexpected(member.error())), T{};
        return value(**member, read).value_or(T{});
    }
    /// Absent is `fallback`.
    template <typename T>
    T optional(std::string_view key, Read<T> read, T fallback) {
        const json::Node* member = node_->find(key);
        return fault_ || !member ? fallback : value(*member, read).value_or(fallback);
    }
    /// Absent and null are no value.
    template <typename T>
    std::optional<T> nullable(std::string_view key, Read<T> read) {
        const json::Node* member = node_->find(key);
        if (fault_ || !member || member->is_null()) return std::nullopt;
        return value(*member, read);
    }
    /// The member's items; none when it is absent.
    std::span<const json::Node> items(std::string_view key) {
        const json::Array* array = optional<const json::Array*>(key, &json::Node::as_array, nullptr);
        return array ? std::span<const json::Node>(*array) : std::span<const json::Node>();
    }
    [[nodiscard]] Location where(std::string_view key) const {
        const json::Node* member = node_->find(key);
        return member ? member->where() : node_->where();
    }

    void refuse(Diagnostic diagnostic) {
        if (!fault_) fault_ = std::move(diagnostic);
    }
    [[nodiscard]] bool good() const { return !fault_; }
    /// The first complaint; needs !good().
    [[nodiscard]] std::unexpected<Diagnostic> fault() { return std::unexpected(std::move(*fault_)); }

private:
    template <typename T>
    std::optional<T> value(const json::Node& member, Read<T> read) {
        auto result = (member.*read)();
        if (result) return *std::move(result);
        refuse(std::move(result.error()));
        return std::nullopt;
    }
    void keep(Result<void> done) {
        if (!done) refuse(std::move(done.error()));
    }

    const json::Node* node_;
    std::optional<Diagnostic> fault_;
};

}  // namespace sluice::graph
