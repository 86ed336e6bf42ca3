/* What printf and the like write to: lines in the host's log. There is nothing else that a plugin could open. These are the functions by which libc asks
 * WASI; libc's own, which import it, give way to them as long as nothing else of WASI is used. */
#include "abi.h"

#include <wasi/api.h>

#define WEAK __attribute__((weak))

__attribute__((import_module("wasi:cli/stderr@0.2.0"), import_name("get-stderr"))) uint32_t import_stderr(void);
__attribute__((import_module("wasi:io/streams@0.2.0"), import_name("[method]output-stream.blocking-write-and-flush"))) void import_write(
    uint32_t stream, const char *text, uint32_t size, void *answer);

static void write_error(sh_text text) {
  uint32_t answer[3];
  import_write(import_stderr(), text.data, (uint32_t)text.size, answer);
}

void sh_host_panic(sh_text message) {
  write_error(message);
  __builtin_trap();
}

static void write_line(sh_text text) {
  while (text.size && text.data[text.size - 1] == '\n') text.size--;
  if (text.size) sh_host_log(SH_INFO, text);
}

WEAK __wasi_errno_t __wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t *parts, size_t n, __wasi_size_t *written) {
  *written = 0;
  for (size_t i = 0; i < n; i++) {
    sh_text text = {(const char *)parts[i].buf, (int64_t)parts[i].buf_len};
    if (fd == 1)
      write_line(text);
    else
      write_error(text);
    *written += parts[i].buf_len;
  }
  return __WASI_ERRNO_SUCCESS;
}

WEAK __wasi_errno_t __wasi_fd_close(__wasi_fd_t fd) {
  (void)fd;
  return __WASI_ERRNO_BADF;
}

WEAK __wasi_errno_t __wasi_fd_seek(__wasi_fd_t fd, __wasi_filedelta_t offset, __wasi_whence_t whence, __wasi_filesize_t *at) {
  (void)fd, (void)offset, (void)whence, (void)at;
  return __WASI_ERRNO_SPIPE;
}

WEAK __wasi_errno_t __wasi_fd_fdstat_get(__wasi_fd_t fd, __wasi_fdstat_t *stat) {
  (void)fd, (void)stat;
  return __WASI_ERRNO_BADF;
}
