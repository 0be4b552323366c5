# Compiler settings that hold for every target of ours: warnings are errors, ccache and mold where present.
add_library(sluice_settings INTERFACE)
target_compile_options(sluice_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror)
target_include_directories(sluice_settings INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
if(SLUICE_HEAVY_CHECKS)
  target_compile_definitions(sluice_settings INTERFACE SLUICE_HEAVY_CHECKS _GLIBCXX_ASSERTIONS)
endif()
if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # its flow analysis does not follow instrumented code: false alarms inside <regex>
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()

# Sources of a target are compiled some at a time: they parse the same headers. OFF: each alone.
set(CMAKE_UNITY_BUILD ${SLUICE_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 16 CACHE STRING "Sources compiled at a time with SLUICE_UNITY; 0: all of a target")
if(SLUICE_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # takes sources for headers here; with SLUICE_UNITY off it still warns of headers
  target_compile_options(sluice_settings INTERFACE -Wno-subobject-linkage)
endif()
if(SLUICE_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")  # calls the same alias in another source of the unit shadowed
  target_compile_options(sluice_settings INTERFACE -Wno-shadow)
endif()

find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SLUICE_CCACHE})
endif()
find_program(SLUICE_MOLD mold)
if(SLUICE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
