// Private to this layer: what the readers and writers of the parts of a plan file share.
#pragma once

#include <algorithm>
#include <cmath>
#include <format>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/plan/read_partition.hpp"

namespace sluice::plan {

inline constexpr double kAgreement = 1e-9;  // what a writer's rounding of a derived number may cost

/// The members of one object. The first failure of a whole document is kept and everything after it is read as a default,
/// so that a reader is one line a key and still reports the earliest line.
class Members {
public:
    Members(const json::Node& object, std::initializer_list<std::string_view> keys, std::optional<Diagnostic>& failure)
        : object_(&object), failure_(&failure) {
        if (auto known = object.expect_keys(keys); !known) refuse(std::move(known.error()));
    }

    [[nodiscard]] std::optional<Diagnostic>& failure() const { return *failure_; }
    void refuse(Diagnostic diagnostic) const {
        if (!*failure_) *failure_ = std::move(diagnostic);
    }
    [[nodiscard]] Location where(std::string_view key) const {
        const json::Node* node = object_->find(key);
        return node ? node->where() : object_->where();
    }

    /// Never null after a failure either: an empty node then.
    [[nodiscard]] const json::Node& node(std::string_view key) const {
        static const json::Node kNothing;
        auto member = object_->get(key);
        if (member) return **member;
        refuse(std::move(member.error()));
        return kNothing;
    }
    [[nodiscard]] bool is_null(std::string_view key) const { return node(key).is_null(); }

    template <typename T>
    T take(Result<T> value) const {
        if (value) return *std::move(value);
        refuse(std::move(value.error()));
        return T{};
    }
    std::string text(std::string_view key) const { return take(node(key).as_string()); }
    Duration duration(std::string_view key) const { return take(node(key).as_duration()); }
    Bytes bytes(std::string_view key) const { return take(node(key).as_bytes()); }
    bool truth(std::string_view key) const { return take(node(key).as_bool()); }
    /// For a key that may be left out.
    bool truth(std::string_view key, bool otherwise) const { return object_->find(key) != nullptr ? truth(key) : otherwise; }

    std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const {
        const std::int64_t value = take(node(key).as_int());
        if (value < low || value > high)
            refuse(input_error(std::format("'{}' is {}; {} to {} are possible", key, value, low, high)).at(where(key)));
        return value;
    }
    double seconds(std::string_view key) const {
        const double value = take(node(key).as_number());
        if (value < 0) refuse(input_error(std::format("'{}' is {}, below zero", key, value)).at(where(key)));
        return value;
    }
    const json::Array& array(std::string_view key) const {
        static const json::Array kNothing;
        const auto* items = take(node(key).as_array());
        return items ? *items : kNothing;
    }
    const json::Object& object(std::string_view key) const {
        static const json::Object kNothing;
        const auto* members = take(node(key).as_object());
        return members ? *members : kNothing;
    }

    /// A number that others in the file determine: it must be there and agree to 1e-9 of `scale`.
    void agree(std::string_view key, std::optional<double> is, double scale, std::string_view because) const {
        const json::Node& member = node(key);
        if (*failure_) return;
        if (!is) {
            if (!member.is_null())
                refuse(verification_error(std::format("'{}' must be null: it has no value by {}", key, because)).at(where(key)));
            return;
        }
        const double said = take(member.as_number());
        if (!*failure_ && !(std::abs(said - *is) <= kAgreement * scale))
            refuse(verification_error(std::format("'{}' is {}, but {} by {}", key, said, *is, because)).at(where(key)));
    }

private:
    const json::Node* object_;
    std::optional<Diagnostic>* failure_;
};

[[nodiscard]] nlohmann::ordered_json to_json(std::span<const OperatorReference> operators);
[[nodiscard]] std::vector<OperatorReference> read_operators(const Members& members, std::string_view key);

[[nodiscard]] nlohmann::ordered_json to_json(std::span<const graph::Rewrite> rewrites);
[[nodiscard]] std::vector<graph::Rewrite> read_rewrites(const Members& members, std::string_view key);

/// null where there is none.
[[nodiscard]] nlohmann::ordered_json to_json(const std::optional<BoundClaim>& bound);
/// nullopt for null.
[[nodiscard]] std::optional<BoundClaim> read_bound(const json::Node& node, std::optional<Diagnostic>& failure);

}  // namespace sluice::plan
