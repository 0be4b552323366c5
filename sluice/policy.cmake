# The shipped policy's bytes become a source of the mcm library, so that no file has to be found at run time.
set(file ${CMAKE_CURRENT_SOURCE_DIR}/mcm/policy/shipped.policy)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file} ${CMAKE_CURRENT_SOURCE_DIR}/mcm/policy/shipped.cpp.in)
file(READ ${file} digits HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," SLUICE_POLICY_BYTES "${digits}")
configure_file(mcm/policy/shipped.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/mcm/policy/shipped.cpp @ONLY)
target_sources(sluice_mcm PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/mcm/policy/shipped.cpp)

# So does the corpus that policies are trained on when none is named.
set(file ${CMAKE_CURRENT_SOURCE_DIR}/trainer/corpus.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
file(READ ${file} SLUICE_CORPUS)
configure_file(trainer/default_corpus.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/trainer/default_corpus.cpp @ONLY)
target_sources(sluice_trainer PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/trainer/default_corpus.cpp)
