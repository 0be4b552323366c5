#include <mpi.h>

#include <array>
#include <nlohmann/json.hpp>

#include "sluice/base/json.hpp"
#include "sluice/onnx/nodes.hpp"
#include "sluice/runtime/worker/ort.hpp"
#include "sluice/runtime/worker/verbs.hpp"

namespace sluice::runtime {

std::string versions_text() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    ::MPI_Get_library_version(text.data(), &length);
    const std::string mpi(text.data(), static_cast<std::size_t>(length));
    const std::vector<std::string> providers = Ort::GetAvailableProviders();
    return json::to_file_text({{"onnxruntime", Ort::GetVersionString()},
                               {"onnxruntime_providers", providers},
                               {"mpi", mpi.substr(0, mpi.find(','))},
                               {"onnx", onnx::library_version()}});
}

}  // namespace sluice::runtime
