# A layer is a folder of sluice/ and one static library: every source in it, linked to the layers below it.
#   sluice_layer(cost DEPENDS platform PRIVATE Some::library)
function(sluice_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sluice/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/sluice/(runtime/worker|trainer/torch)/")  # programs of their own
  list(TRANSFORM ARG_DEPENDS PREPEND sluice_)
  if(NOT sources)  # headers only
    add_library(sluice_${name} INTERFACE)
    target_link_libraries(sluice_${name} INTERFACE sluice_settings ${ARG_DEPENDS} ${ARG_PUBLIC})
    return()
  endif()
  add_library(sluice_${name} STATIC ${sources})
  target_link_libraries(sluice_${name} PUBLIC sluice_settings ${ARG_DEPENDS} ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# Every source of tests/<kind>/<layer> becomes one GoogleTest program test_<kind>_<layer>, run as the test <kind>.<layer>.
function(sluice_test kind layer)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${kind}/${layer}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(target test_${kind}_${layer})
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE sluice_settings ${ARG_LINK} GTest::gtest_main rapidcheck)
  target_compile_definitions(${target} PRIVATE SLUICE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  # rapidcheck uses std::aligned_storage, which clang tells of where our code instantiates it
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
  add_test(NAME ${kind}.${layer} COMMAND ${target})
  set_tests_properties(${kind}.${layer} PROPERTIES TIMEOUT 900)
endfunction()
