#include "abi.h"

#include <stdlib.h>
#include <string.h>

SH_IMPORT("log", "write") void import_log(uint32_t level, const char *text, uint32_t size);
SH_IMPORT("metrics", "counter") void import_counter(const char *name, uint32_t size, uint64_t add);
SH_IMPORT("metrics", "gauge") void import_gauge(const char *name, uint32_t size, double value);
__attribute__((import_module("wasi:cli/stderr@0.2.0"), import_name("get-stderr"))) uint32_t import_stderr(void);
__attribute__((import_module("wasi:io/streams@0.2.0"), import_name("[method]output-stream.blocking-write-and-flush"))) void import_write(
    uint32_t stream, const char *text, uint32_t size, void *answer);

void sh_host_log(sh_level level, sh_text message) { import_log((uint32_t)level, message.data, (uint32_t)message.size); }

void sh_host_counter(sh_text name, uint64_t add) { import_counter(name.data, (uint32_t)name.size, add); }

void sh_host_gauge(sh_text name, double value) { import_gauge(name.data, (uint32_t)name.size, value); }

void sh_host_panic(sh_text message) {
  uint32_t answer[3];
  import_write(import_stderr(), message.data, (uint32_t)message.size, answer);
  __builtin_trap();
}

/** What `assert` calls. */
SH_NORETURN void __assert_fail(const char *expression, const char *file, int line, const char *function) {
  sh_panic(file, line, "%s: assertion failed: %s", function ? function : "?", expression);
}

SH_NORETURN void abort(void) { sh_panic("?", 0, "abort() was called"); }

/** Leaving is the host's to decide. */
SH_NORETURN void exit(int code) { sh_panic("?", 0, "exit(%d) was called", code); }
