#include "abi.h"

#include <stdlib.h>
#include <string.h>

SH_IMPORT("log", "write") void import_log(uint32_t level, const char *text, uint32_t size);
SH_IMPORT("metrics", "counter") void import_counter(const char *name, uint32_t size, uint64_t add);
SH_IMPORT("metrics", "gauge") void import_gauge(const char *name, uint32_t size, double value);

void sh_host_log(sh_level level, sh_text message) { import_log((uint32_t)level, message.data, (uint32_t)message.size); }

void sh_host_counter(sh_text name, uint64_t add) { import_counter(name.data, (uint32_t)name.size, add); }

void sh_host_gauge(sh_text name, double value) { import_gauge(name.data, (uint32_t)name.size, value); }

/** What `assert` calls. */
SH_NORETURN void __assert_fail(const char *expression, const char *file, int line, const char *function) {
  sh_panic(file, line, "%s: assertion failed: %s", function ? function : "?", expression);
}

SH_NORETURN void abort(void) { sh_panic("?", 0, "abort() was called"); }

/** Leaving is the host's to decide. */
SH_NORETURN void exit(int code) { sh_panic("?", 0, "exit(%d) was called", code); }
