// Made from corpus.json by the build.
#pragma once

#include <string_view>

namespace sluice::trainer {

extern const std::string_view kDefaultCorpus;

}  // namespace sluice::trainer
