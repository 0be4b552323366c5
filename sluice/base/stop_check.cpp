#include "sluice/base/stop_check.hpp"

namespace sluice {

bool StopCheck::ask() {
    turns_ = kAskEvery;
    stopped_ = stopped_ || limits_.interrupted() || limits_.out_of_time();
    return stopped_;
}

}  // namespace sluice
