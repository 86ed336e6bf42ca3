#include "abi.h"

/** The variant `rows`: `keep-extend` has two lists. */
typedef struct abi_rows {
  uint8_t kind;
  abi_list first, second;
} abi_rows;

typedef struct abi_outcome {
  uint8_t failed;
  union {
    struct {
      abi_rows main;
      abi_list side, errors;
    } outcome;
    abi_failure failure;
  } as;
} abi_outcome;

uint32_t sh_abi_transform(SH_CONTEXT_PARAMETERS, uint32_t batch, uint32_t batch_size);

uint32_t sh_abi_transform(SH_CONTEXT_PARAMETERS, uint32_t batch, uint32_t batch_size) {
  sh_call *call = sh_abi_context(SH_CONTEXT_ARGUMENTS);
  sh_outcome outcome = {0};
  sh_status done = sh_process(call, (sh_bytes){(const uint8_t *)batch, batch_size}, &outcome);
  abi_outcome *answer = (abi_outcome *)sh_abi_answer(call, sizeof *answer);
  if (done != SH_OK) {
    *answer = (abi_outcome){1, {.failure = sh_abi_failure(call)}};
    return (uint32_t)answer;
  }
  abi_rows *main = &answer->as.outcome.main;
  abi_list keep = sh_abi_bytes(outcome.keep), messages = sh_abi_bytes(outcome.messages);
  bool bits = outcome.main == SH_KEEP || outcome.main == SH_KEEP_EXTEND;
  *main = (abi_rows){(uint8_t)outcome.main, bits ? keep : messages, messages};
  answer->as.outcome.side = sh_abi_sides(call, outcome.side, outcome.n_side);
  answer->as.outcome.errors = sh_abi_errors(call);
  return (uint32_t)answer;
}
