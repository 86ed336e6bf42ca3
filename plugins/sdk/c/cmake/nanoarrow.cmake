# nanoarrow's C sources out of its Python source package: downloaded by pip, unpacked, never built there.
set(STREAMHOST_NANOARROW_VERSION 0.9.0)
set(STREAMHOST_NANOARROW_SHA256 1ce15bbed8532839347faa78824c5dbd3769bff60661003e34c6fba5dd881bd3)

if(NOT STREAMHOST_CACHE)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(STREAMHOST_CACHE "$ENV{XDG_CACHE_HOME}/streamhost")
  else()
    set(STREAMHOST_CACHE "$ENV{HOME}/.cache/streamhost")
  endif()
endif()

# Answers the folder of the unpacked package.
function(streamhost_fetch_nanoarrow result)
  set(name nanoarrow-${STREAMHOST_NANOARROW_VERSION})
  set(unpacked "${STREAMHOST_CACHE}/${name}")
  set(${result} "${unpacked}" PARENT_SCOPE)
  if(EXISTS "${unpacked}/PKG-INFO")
    return()
  endif()
  string(RANDOM LENGTH 8 unique)
  set(folder "${STREAMHOST_CACHE}/fetch-${unique}")
  file(MAKE_DIRECTORY "${folder}")
  message(STATUS "downloading the source package ${name}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PYTHONPATH=${CMAKE_CURRENT_FUNCTION_LIST_DIR}" PYTHONDONTWRITEBYTECODE=1
      python3 -m pip download --quiet --no-deps --no-build-isolation --no-binary nanoarrow --dest "${folder}"
      nanoarrow==${STREAMHOST_NANOARROW_VERSION}
    RESULT_VARIABLE failed ERROR_VARIABLE said)
  set(archive "${folder}/${name}.tar.gz")
  if(failed OR NOT EXISTS "${archive}")
    message(FATAL_ERROR "nanoarrow's source package cannot be downloaded; this needs `apt-get install python3 python3-pip`:\n${said}")
  endif()
  file(SHA256 "${archive}" digest)
  if(NOT digest STREQUAL STREAMHOST_NANOARROW_SHA256)
    message(FATAL_ERROR "${archive} has the digest ${digest}, and should have ${STREAMHOST_NANOARROW_SHA256}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
  # Another build may have been quicker; both have the same files.
  if(NOT EXISTS "${unpacked}")
    file(RENAME "${folder}/${name}" "${unpacked}")
  endif()
  file(REMOVE_RECURSE "${folder}")
endfunction()
