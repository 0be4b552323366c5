#include "sluice/base/stop.hpp"

namespace sluice {

std::string_view to_text(StopReason reason) {
    switch (reason) {
        case StopReason::finished:
            return "finished";
        case StopReason::optimal:
            return "optimal";
        case StopReason::gap:
            return "gap";
        case StopReason::time:
            return "time";
        case StopReason::evaluations:
            return "evaluations";
        case StopReason::interrupted:
            return "interrupted";
    }
    return "finished";
}

}  // namespace sluice
