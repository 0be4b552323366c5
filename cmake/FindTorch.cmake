# libtorch as Debian packages it, CPU only. Its own CMake config looks for what a user of the library does not need (protobuf, CUDA's tools).
# Defines the target Torch::Torch. Headers are system headers: their warnings are not ours.
find_path(Torch_INCLUDE_DIR torch/types.h PATH_SUFFIXES torch/csrc/api/include)
find_path(Torch_CORE_INCLUDE_DIR torch/csrc/autograd/autograd.h)
find_library(Torch_LIBRARY torch)
find_library(Torch_CPU_LIBRARY torch_cpu)
find_library(Torch_C10_LIBRARY c10)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Torch REQUIRED_VARS Torch_LIBRARY Torch_CPU_LIBRARY Torch_C10_LIBRARY Torch_INCLUDE_DIR Torch_CORE_INCLUDE_DIR)
if(Torch_FOUND AND NOT TARGET Torch::Torch)
  add_library(Torch::Torch UNKNOWN IMPORTED)
  set_target_properties(Torch::Torch PROPERTIES IMPORTED_LOCATION "${Torch_CPU_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Torch_INCLUDE_DIR}" INTERFACE_LINK_LIBRARIES "${Torch_LIBRARY};${Torch_C10_LIBRARY}")
endif()
