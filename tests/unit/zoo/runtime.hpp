// ONNX Runtime for the zoo's tests, quiet: Debian's build registers the operators of the shared libonnx again, and libonnx reports each of
// the 567 clashes to stderr at the first look-up (results are right). So the first look-up happens here, with std::cerr turned away.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <map>
#include <string>
#include <vector>

namespace sluice::test {

class Runtime {
public:
    /// The one Env of the process.
    static const Ort::Env& env();
};

struct RunResult {
    std::size_t outputs = 0;
    std::size_t values = 0;  // of all outputs together
    std::size_t not_finite = 0;
    double largest = 0;             // by magnitude
    std::vector<float> first = {};  // the first output
};

/// Integer inputs by name; the others are 0 and 1 in turn, floats vary within [-1, 1].
using Integers = std::map<std::string, std::vector<std::int64_t>>;

/// One run of a model in memory, and of a model file with its data beside it.
RunResult run_bytes(const std::string& bytes, const Integers& integers = {});
RunResult run_file(const std::string& path, const Integers& integers = {});

}  // namespace sluice::test
