#include "abi.h"

#include <string.h>

typedef struct abi_next {
  uint8_t some;
  abi_list messages;
} abi_next;

typedef struct abi_done {
  uint8_t failed;
  abi_failure failure;
} abi_done;

typedef struct abi_executed {
  uint8_t failed;
  union {
    uint64_t changed;
    abi_failure failure;
  } as;
} abi_executed;

SH_IMPORT("epoch", "next-rows") void import_next_rows(abi_next *answer);
SH_IMPORT("outputs", "write") void import_write_output(const char *name, uint32_t name_size, const void *rows, uint32_t size, abi_done *answer);
SH_IMPORT("outputs", "execute")
void import_execute(const char *name, uint32_t name_size, const char *statement, uint32_t statement_size, const void *schema, uint32_t schema_size,
                    const void *rows, uint32_t size, abi_executed *answer);

uint32_t sh_abi_sink(SH_CONTEXT_PARAMETERS);

sh_bytes sh_host_next(sh_call *call) {
  static const uint8_t none[1];
  abi_next answer;
  sh_abi_into = call->internal->arena;
  import_next_rows(&answer);
  if (!answer.some) return (sh_bytes){NULL, 0};
  return (sh_bytes){answer.messages.size ? (const uint8_t *)answer.messages.data : none, answer.messages.size};
}

sh_status sh_host_write(sh_call *call, const char *output, sh_bytes rows) {
  abi_done answer;
  sh_abi_into = call->internal->arena;
  import_write_output(output, (uint32_t)strlen(output), rows.data, (uint32_t)rows.size, &answer);
  return answer.failed ? sh_abi_told(call, &answer.failure) : SH_OK;
}

sh_status sh_host_execute(sh_call *call, const char *output, const char *statement, sh_bytes schema, sh_bytes rows, uint64_t *changed) {
  abi_executed answer;
  sh_abi_into = call->internal->arena;
  import_execute(output, (uint32_t)strlen(output), statement, (uint32_t)strlen(statement), schema.data, (uint32_t)schema.size, rows.data,
                 (uint32_t)rows.size, &answer);
  if (answer.failed) return sh_abi_told(call, &answer.as.failure);
  *changed = answer.as.changed;
  return SH_OK;
}

uint32_t sh_abi_sink(SH_CONTEXT_PARAMETERS) {
  sh_call *call = sh_abi_context(SH_CONTEXT_ARGUMENTS);
  sh_status done = sh_store(call);
  sh_abi_into = &sh_abi_arena;
  abi_done *answer = (abi_done *)sh_abi_answer(call, sizeof *answer);
  if (done != SH_OK) *answer = (abi_done){1, sh_abi_failure(call)};
  return (uint32_t)answer;
}
