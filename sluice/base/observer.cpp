#include "sluice/base/observer.hpp"

namespace sluice {

double gap_of(Duration objective, Duration bound) {
    if (objective.count() <= 0) return 0;
    return 1.0 - static_cast<double>(bound.count()) / static_cast<double>(objective.count());
}

}  // namespace sluice
