#include "sluice/bound/ascent.hpp"

#include <algorithm>

#include "sluice/search/poll.hpp"

namespace sluice::bound {

namespace {
constexpr std::int64_t kAscentResolution = 4096;  // of a bisection: stops at this share of the value
constexpr std::int64_t kFirstStep = 1024;         // a method that proves less than this share more is not followed
}  // namespace

bool Ascent::ended() {
    if (const auto most = enough(); most && best_ >= *most)
        reason_ = StopReason::optimal;
    else if (const auto reason = search::limit_reached(limits_))
        reason_ = *reason;
    else
        return false;
    return true;
}

std::optional<Duration> Ascent::enough() const {
    std::optional<Duration> least = options_.enough;
    if (options_.other_side)
        if (const auto found = options_.other_side->best(); found && (!least || *found < *least)) least = found;
    return least;
}

void Ascent::prove(Duration value, Witness witness) {
    if (value <= best_) return;
    best_ = value;
    certificate_ = certificate(best_, std::move(witness));
    observer_.on_event({seconds(), kind_, std::nullopt, best_, kind_});
}

void Ascent::raise(Duration hint, Duration most, const std::function<std::optional<bool>(Duration)>& refutes,
                   const std::function<Witness()>& witness) {
    std::int64_t known = best_.count();
    const auto ask = [&](std::int64_t value) {
        ++evaluations_;
        const bool refuted = refutes(Duration{value}).value_or(false);
        if (refuted) known = value;
        return refuted;
    };
    std::int64_t limit = std::min(most, enough().value_or(most)).count() + 1;  // nothing from here on is proven
    if (hint.count() > known && hint.count() < limit && !ended() && !ask(hint.count())) limit = hint.count();
    const std::int64_t first = known + std::max<std::int64_t>(1, known / kFirstStep);
    if (!ended() && known + 1 < limit && ask(std::min(first, limit - 1)) && !ended() && known + 1 < limit && !ask(limit - 1)) {
        --limit;
        while (limit - known > std::max<std::int64_t>(1, known / kAscentResolution) && !ended()) {
            const std::int64_t middle = known + (limit - known) / 2;
            if (!ask(middle)) limit = middle;
        }
    }
    if (known > best_.count()) {
        prove(Duration{known}, witness());
    } else {
        observer_.on_event({seconds(), kind_, std::nullopt, best_, ""});
    }
    (void)ended();
}

}  // namespace sluice::bound
