# streamhost_plugin(SOURCE…): the plugin that the project is, from its sources.
#
# With the toolchain file cmake/wasm.cmake it is the target <project>, a module <project>.core.wasm, of which `streamhost build` makes the
# component. Natively it is <project>-cases, a program that runs the cases in tests/*.toml, and a test of that name for ctest.
function(streamhost_plugin)
  set(name "${PROJECT_NAME}")
  set(project "${CMAKE_CURRENT_BINARY_DIR}/streamhost-project.c")
  string(REPLACE "\"" "\\\"" summary "${PROJECT_DESCRIPTION}")
  file(CONFIGURE OUTPUT "${project}" CONTENT
    "const char *const streamhost_project[3] = {\"@name@\", \"@PROJECT_VERSION@\", \"@summary@\"};\n" @ONLY)
  if(STREAMHOST_WASM)
    add_executable(${name} ${ARGN} "${project}")
    target_link_libraries(${name} PRIVATE streamhost)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
    # Sources of all of the SDK, of which only those stay that are called.
    target_link_options(${name} PRIVATE -mexec-model=reactor -O2 LINKER:--whole-archive $<TARGET_FILE:streamhost> LINKER:--no-whole-archive
      LINKER:--gc-sections LINKER:--strip-debug LINKER:-z,stack-size=262144 LINKER:--stack-first)
    set_target_properties(${name} PROPERTIES SUFFIX .core.wasm RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
  else()
    enable_testing()
    add_executable(${name}-cases ${ARGN} "${project}")
    target_link_libraries(${name}-cases PRIVATE streamhost-testing)
    target_compile_options(${name}-cases PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
    add_test(NAME ${name}-cases COMMAND ${name}-cases "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
endfunction()
