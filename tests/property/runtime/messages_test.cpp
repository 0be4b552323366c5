#include "sluice/runtime/messages.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "sluice/base/random.hpp"

namespace sluice::runtime {
namespace {

double number(RandomStream& random) { return random.chance(0.2) ? 0 : (random.unit() - 0.5) * std::pow(10, random.between(-300, 300)); }
std::int64_t integer(RandomStream& random) { return static_cast<std::int64_t>(random()) >> random.below(64); }
std::string text(RandomStream& random) {
    static constexpr std::array<std::string_view, 8> pieces{"stage 2", "'x'", "\"", "\\", "\n", "ü", "𝄞", "\x01"};
    std::string result;
    for (std::uint64_t i = random.below(6); i > 0; --i) result += pieces[random.below(pieces.size())];
    return result;
}
template <typename F>
auto several(RandomStream& random, F&& one) {
    std::vector<decltype(one(random))> result;
    for (std::uint64_t i = random.below(5); i > 0; --i) result.push_back(one(random));
    return result;
}

WorkerMessage random_message(RandomStream& r) {
    switch (r.below(5)) {
        case 0:
            return Ready{integer(r), text(r), integer(r), number(r), text(r), several(r, number), several(r, number)};
        case 1:
            return Status{integer(r), integer(r), text(r), integer(r), number(r), number(r), number(r)};
        case 2:
            return Delivered{integer(r), number(r)};
        case 3: {
            Finished f;
            f.rank = integer(r), f.inputs = integer(r);
            for (double* d : {&f.seconds, &f.steady_per_s, &f.latency_min_ms, &f.latency_mean_ms, &f.latency_max_ms, &f.forward_min_ms,
                              &f.forward_mean_ms, &f.forward_median_ms, &f.forward_cpu_ms, &f.waited_receive, &f.waited_send})
                *d = number(r);
            return f;
        }
        default:
            return Failed{
                integer(r), integer(r),
                Diagnostic{static_cast<DiagnosticKind>(r.below(6)), text(r), {text(r), r() >> 1, r.below(100)}, several(r, text), text(r)}};
    }
}

/// Every member, bit by bit.
std::string members(const WorkerMessage& message) {
    std::string result = std::format("{}:", message.index());
    const auto add = [&](const auto&... values) {
        const auto one = [&]<typename T>(const T& value) {
            if constexpr (requires { value.begin(), value.front() + 1.0; } && !std::is_same_v<T, std::string>)
                for (const double v : value) result += std::format("{:a},", v);
            else if constexpr (std::is_same_v<T, double>)
                result += std::format("{:a}|", value);
            else
                result += std::format("{}|", value);
        };
        (one(values), ...);
    };
    if (const auto* m = std::get_if<Ready>(&message))
        add(m->rank, m->host, m->process, m->seconds, m->library, m->alone_ms, m->alone_cpu_ms);
    else if (const auto* s = std::get_if<Status>(&message))
        add(s->rank, s->input, s->state, s->done, s->seconds, s->busy, s->busy_cpu);
    else if (const auto* d = std::get_if<Delivered>(&message))
        add(d->inputs, d->seconds);
    else if (const auto* f = std::get_if<Finished>(&message))
        add(f->rank, f->inputs, f->seconds, f->steady_per_s, f->latency_min_ms, f->latency_mean_ms, f->latency_max_ms, f->forward_min_ms,
            f->forward_mean_ms, f->forward_median_ms, f->forward_cpu_ms, f->waited_receive, f->waited_send);
    else if (const auto* e = std::get_if<Failed>(&message)) {
        add(e->rank, e->input, static_cast<int>(e->diagnostic.kind), e->diagnostic.message, e->diagnostic.where.file,
            e->diagnostic.where.line, e->diagnostic.where.column, e->diagnostic.help);
        for (const std::string& note : e->diagnostic.notes) add(note);
    }
    return result;
}

RC_GTEST_PROP(MessagesProperty, WhatIsWrittenIsRead, (std::uint64_t seed)) {
    RandomStream random(seed);
    const WorkerMessage message = random_message(random);
    const auto back = read_line(to_line(message));
    RC_ASSERT(back.has_value());
    RC_ASSERT(members(*back) == members(message));
}

RC_GTEST_PROP(MessagesProperty, NoChangedLineEndsTheReader, (std::uint64_t seed)) {
    RandomStream random(seed);
    for (int i = 0; i < 20; ++i) {
        std::string line = to_line(random_message(random));
        for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) switch (random.below(3)) {
                case 0:
                    line[random.below(line.size())] = static_cast<char>(random());
                    break;
                case 1:
                    line.erase(random.below(line.size()), random.below(5));
                    break;
                default:
                    line.insert(random.below(line.size()), line.substr(random.below(line.size()), random.below(20)));
            }
        // Nothing, or a message that can be written again.
        if (const auto read = read_line(line)) RC_ASSERT(read_line(to_line(*read)).has_value());
        if (line.empty()) break;
    }
}

}  // namespace
}  // namespace sluice::runtime
