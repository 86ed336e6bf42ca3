#include "abi.h"

typedef struct abi_signature {
  abi_list name, arguments, returns;
  uint8_t deterministic;
} abi_signature;

typedef struct abi_results {
  uint8_t failed;
  union {
    abi_list messages;
    abi_failure failure;
  } as;
} abi_results;

uint32_t sh_abi_signatures(void);
uint32_t sh_abi_function(uint32_t name, uint32_t name_size, uint32_t rows, uint32_t rows_size);

uint32_t sh_abi_signatures(void) {
  sh_call *call = sh_abi_begin();
  uint32_t n = sh_the_bound ? (uint32_t)sh_the_bound->n_functions : 0;
  abi_list *answer = (abi_list *)sh_abi_answer(call, sizeof *answer);
  abi_signature *signatures = (abi_signature *)sh_alloc(call, n * sizeof *signatures);
  for (uint32_t i = 0; i < n; i++) {
    const sh_bound_function *bound = &sh_the_bound->functions[i];
    sh_bytes arguments, returns;
    sh_status status = sh_schema_write(call, bound->arguments.arrow, &arguments);
    if (status == SH_OK) status = sh_schema_write(call, bound->returns.arrow, &returns);
    if (status != SH_OK) sh_panic(__FILE__, __LINE__, "%s", call->internal->message);
    signatures[i] = (abi_signature){sh_abi_string(bound->function->name), sh_abi_bytes(arguments), sh_abi_bytes(returns), !bound->function->changing};
  }
  *answer = (abi_list){signatures, n};
  return (uint32_t)answer;
}

uint32_t sh_abi_function(uint32_t name, uint32_t name_size, uint32_t rows, uint32_t rows_size) {
  sh_call *call = sh_abi_begin();
  sh_bytes results = {0};
  sh_status done = sh_function_call(call, (sh_text){(const char *)name, name_size}, (sh_bytes){(const uint8_t *)rows, rows_size}, &results);
  abi_results *answer = (abi_results *)sh_abi_answer(call, sizeof *answer);
  if (done == SH_OK)
    answer->as.messages = sh_abi_bytes(results);
  else
    *answer = (abi_results){1, {.failure = sh_abi_failure(call)}};
  return (uint32_t)answer;
}
