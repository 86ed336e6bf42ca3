#include "abi.h"

#include <string.h>

sh_arena sh_abi_arena;
sh_arena *sh_abi_into = &sh_abi_arena;

static sh_call call;
static sh_internal internal;

/** The host asks for memory: for what it hands over, and for what its own functions give. All of it goes with the call. */
__attribute__((export_name("cabi_realloc"))) void *sh_abi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)align;
  void *given = sh_arena_alloc(sh_abi_into, size);
  if (old) memcpy(given, old, old_size < size ? old_size : size);
  return given;
}

sh_call *sh_abi_begin(void) {
  memset(&call, 0, sizeof call);
  sh_call_begin(&call, &internal, &sh_abi_arena);
  call.query = "";
  return &call;
}

sh_call *sh_abi_context(SH_CONTEXT_PARAMETERS) {
  sh_call *begun = sh_abi_begin();
  begun->query = sh_format(begun, "%.*s", (int)query_size, (const char *)query);
  begun->epoch = epoch;
  begun->partition = partition;
  begun->attempt = attempt;
  begun->has_watermark = has_watermark != 0;
  begun->watermark = watermark;
  begun->now = now;
  return begun;
}

void *sh_abi_answer(sh_call *begun, size_t size) {
  sh_call_end(begun);
  void *answer = sh_alloc(begun, size);
  memset(answer, 0, size);
  return answer;
}

/** The host has read the answer. */
void sh_abi_end(uint32_t answer) {
  (void)answer;
  sh_abi_into = &sh_abi_arena;
  sh_arena_reset(&sh_abi_arena);
}

abi_list sh_abi_string(const char *text) { return (abi_list){text, (uint32_t)strlen(text)}; }

abi_list sh_abi_bytes(sh_bytes bytes) { return (abi_list){bytes.data, (uint32_t)bytes.size}; }

abi_failure sh_abi_failure(const sh_call *begun) {
  const char *message = begun->internal->message;
  sh_failure kind = begun->internal->failure;
  if (kind == SH_NONE || !message) return (abi_failure){2, sh_abi_string("it failed without a message")};
  return (abi_failure){(uint8_t)(kind - SH_INVALID), sh_abi_string(message)};
}

abi_list sh_abi_errors(sh_call *begun) {
  const sh_internal *in = begun->internal;
  abi_row_error *errors = (abi_row_error *)sh_alloc(begun, (size_t)in->n_errors * sizeof *errors);
  for (int64_t i = 0; i < in->n_errors; i++)
    errors[i] = (abi_row_error){in->errors[i].row, in->errors[i].retry, sh_abi_string(in->errors[i].message)};
  return (abi_list){errors, (uint32_t)in->n_errors};
}

abi_list sh_abi_sides(sh_call *begun, const sh_named_bytes *sides, int64_t n) {
  abi_named *named = (abi_named *)sh_alloc(begun, (size_t)n * sizeof *named);
  for (int64_t i = 0; i < n; i++) named[i] = (abi_named){sh_abi_string(sides[i].name), sh_abi_bytes(sides[i].bytes)};
  return (abi_list){named, (uint32_t)n};
}

sh_status sh_abi_told(sh_call *begun, const abi_failure *failure) {
  sh_failure kind = failure->kind > 2 ? SH_PERMANENT : (sh_failure)(SH_INVALID + failure->kind);
  return sh_fail(begun, kind, "%.*s", (int)failure->message.size, (const char *)failure->message.data);
}
