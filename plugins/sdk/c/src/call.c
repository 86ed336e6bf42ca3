#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sh_call_begin(sh_call *call, sh_internal *internal, sh_arena *arena) {
  memset(internal, 0, sizeof *internal);
  internal->arena = internal->whole = arena;
  call->internal = internal;
}

void sh_call_end(sh_call *call) {
  for (sh_table *table = call->internal->tables, *next; table; table = next) {
    next = table->next;
    sh_table_release(table);
  }
  call->internal->tables = NULL;
}

void *sh_alloc(sh_call *call, size_t size) { return sh_arena_alloc(call->internal->arena, size); }

static char *vformat(sh_call *call, const char *format, va_list arguments) {
  char first[256];
  va_list again;
  va_copy(again, arguments);
  int size = vsnprintf(first, sizeof first, format, arguments);
  char *text = (char *)sh_alloc(call, size < 0 ? 1 : (size_t)size + 1);
  if (size < 0) {
    text[0] = 0;
  } else if ((size_t)size < sizeof first) {
    memcpy(text, first, (size_t)size + 1);
  } else {
    vsnprintf(text, (size_t)size + 1, format, again);
  }
  va_end(again);
  return text;
}

char *sh_format(sh_call *call, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = vformat(call, format, arguments);
  va_end(arguments);
  return text;
}

const char *sh_number_text(sh_call *call, double value) {
  char text[40];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  return sh_format(call, "%s", text);
}

sh_status sh_vfail(sh_call *call, sh_failure kind, const char *format, va_list arguments) {
  // The first failure is the reason of those after it.
  if (call->internal->failure == SH_NONE) {
    call->internal->message = vformat(call, format, arguments);
    call->internal->failure = kind;
  }
  return SH_FAILED;
}

#define FAIL(kind)                                            \
  va_list arguments;                                          \
  va_start(arguments, format);                                \
  sh_status failed = sh_vfail(call, kind, format, arguments); \
  va_end(arguments);                                          \
  return failed

sh_status sh_invalid(sh_call *call, const char *format, ...) { FAIL(SH_INVALID); }

sh_status sh_transient(sh_call *call, const char *format, ...) { FAIL(SH_TRANSIENT); }

sh_status sh_permanent(sh_call *call, const char *format, ...) { FAIL(SH_PERMANENT); }

sh_status sh_fail(sh_call *call, sh_failure kind, const char *format, ...) { FAIL(kind); }

sh_status sh_while(sh_call *call, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *doing = vformat(call, format, arguments);
  va_end(arguments);
  if (call->internal->failure != SH_NONE) call->internal->message = sh_format(call, "%s: %s", doing, call->internal->message);
  return SH_FAILED;
}

sh_status sh_arrow(sh_call *call, int code, const struct ArrowError *error) {
  if (code == NANOARROW_OK) return SH_OK;
  if (error && error->message[0]) return sh_permanent(call, "%s", error->message);
  return sh_permanent(call, "nanoarrow refuses a value or a type: error %d", code);
}

sh_status sh_done(const sh_call *call) { return call->internal->failure == SH_NONE ? SH_OK : SH_FAILED; }

static void add_error(sh_call *call, int64_t row, bool retry, const char *message) {
  sh_internal *in = call->internal;
  if (in->n_errors == in->most_errors) {
    int64_t most = in->most_errors ? 2 * in->most_errors : 16;
    sh_row_error *errors = (sh_row_error *)sh_alloc(call, (size_t)most * sizeof *errors);
    if (in->n_errors) memcpy(errors, in->errors, (size_t)in->n_errors * sizeof *errors);
    in->errors = errors;
    in->most_errors = most;
  }
  in->errors[in->n_errors] = (sh_row_error){(uint32_t)(in->rows_before + row), (uint32_t)in->n_errors, retry, message};
  in->n_errors++;
}

void sh_reject(sh_call *call, int64_t row, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_error(call, row, false, vformat(call, format, arguments));
  va_end(arguments);
}

void sh_retry(sh_call *call, int64_t row, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_error(call, row, true, vformat(call, format, arguments));
  va_end(arguments);
}

bool sh_rows_failed(sh_call *call, int64_t first, int64_t n) {
  sh_internal *in = call->internal;
  if (in->failure == SH_NONE || in->whole_call) return in->failure != SH_NONE;
  for (int64_t row = first; row < first + n; row++) add_error(call, row, in->failure == SH_TRANSIENT, in->message);
  in->failure = SH_NONE;
  return true;
}

static int by_row(const void *a, const void *b) {
  const sh_row_error *one = (const sh_row_error *)a, *other = (const sh_row_error *)b;
  if (one->row != other->row) return one->row < other->row ? -1 : 1;
  return one->order < other->order ? -1 : 1;
}

void sh_errors_settle(sh_internal *in) {
  bool sorted = true;
  for (int64_t i = 1; i < in->n_errors; i++) sorted = sorted && in->errors[i - 1].row < in->errors[i].row;
  if (sorted) return;
  qsort(in->errors, (size_t)in->n_errors, sizeof *in->errors, by_row);
  int64_t n = 0;
  for (int64_t i = 0; i < in->n_errors; i++) {
    if (n == 0 || in->errors[n - 1].row != in->errors[i].row) in->errors[n++] = in->errors[i];
  }
  in->n_errors = n;
}

void sh_log(sh_level level, const char *format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size < 0) return;
  sh_text text = {line, size < (int)sizeof line ? size : (int)sizeof line - 1};
  sh_host_log(level, text);
}

void sh_counter(const char *name, uint64_t add) { sh_host_counter((sh_text){name, (int64_t)strlen(name)}, add); }

void sh_gauge(const char *name, double value) { sh_host_gauge((sh_text){name, (int64_t)strlen(name)}, value); }

void sh_panic(const char *file, int line, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(text, sizeof text - 1, format, arguments);
  va_end(arguments);
  if (size < 0) size = 0;
  if (size > (int)sizeof text - 2) size = (int)sizeof text - 2;
  char whole[1400];
  size = snprintf(whole, sizeof whole, "%s:%d: %.*s\n", file, line, size, text);
  sh_host_panic((sh_text){whole, size < (int)sizeof whole ? size : (int)sizeof whole - 1});
}
