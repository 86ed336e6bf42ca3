#include "abi.h"

typedef struct abi_declaration {
  abi_list name;
  uint8_t kind;
  abi_list second;
  abi_list value;
  /** An option is aligned as its value is. */
  struct {
    uint8_t some;
    uint64_t ms;
  } ttl;
  uint32_t version;
} abi_declaration;

typedef struct abi_keyed {
  uint8_t failed;
  union {
    struct {
      abi_list main, side, errors;
    } outcome;
    abi_failure failure;
  } as;
} abi_keyed;

typedef struct abi_migrated {
  uint8_t failed;
  union {
    abi_list messages;
    abi_failure failure;
  } as;
} abi_migrated;

uint32_t sh_abi_tables(void);
uint32_t sh_abi_keyed(SH_CONTEXT_PARAMETERS, uint32_t keys, uint32_t keys_size, uint32_t starts, uint32_t n_starts, uint32_t rows, uint32_t rows_size,
                      uint32_t more);
uint32_t sh_abi_fired(SH_CONTEXT_PARAMETERS, uint32_t clock, uint32_t keys, uint32_t keys_size, uint32_t timers, uint32_t n_timers);
uint32_t sh_abi_migrate(uint32_t table, uint32_t table_size, uint32_t version, uint32_t before, uint32_t before_size, uint32_t entries,
                        uint32_t entries_size);

static void declare(sh_call *call, const sh_bound_table *table, abi_declaration *to) {
  sh_bytes second = {0}, value = {0};
  if (table->kind == SH_MAPPING && sh_schema_write(call, table->second.arrow, &second) != SH_OK)
    sh_panic(__FILE__, __LINE__, "%s", call->internal->message);
  if (sh_schema_write(call, table->value.arrow, &value) != SH_OK) sh_panic(__FILE__, __LINE__, "%s", call->internal->message);
  *to = (abi_declaration){sh_abi_string(table->name),
                          (uint8_t)table->kind,
                          sh_abi_bytes(second),
                          sh_abi_bytes(value),
                          {table->ttl_ms > 0, (uint64_t)table->ttl_ms},
                          table->version};
}

uint32_t sh_abi_tables(void) {
  sh_call *call = sh_abi_begin();
  uint32_t n = sh_the_bound ? (uint32_t)sh_the_bound->n_tables : 0;
  abi_list *answer = (abi_list *)sh_abi_answer(call, sizeof *answer);
  abi_declaration *declarations = (abi_declaration *)sh_alloc(call, n * sizeof *declarations);
  for (uint32_t i = 0; i < n; i++) declare(call, &sh_the_bound->tables[i], &declarations[i]);
  *answer = (abi_list){declarations, n};
  return (uint32_t)answer;
}

static uint32_t answer_outcome(sh_call *call, sh_status done, const sh_outcome *outcome) {
  abi_keyed *answer = (abi_keyed *)sh_abi_answer(call, sizeof *answer);
  if (done != SH_OK) {
    *answer = (abi_keyed){1, {.failure = sh_abi_failure(call)}};
    return (uint32_t)answer;
  }
  answer->as.outcome.main = sh_abi_bytes(outcome->messages);
  answer->as.outcome.side = sh_abi_sides(call, outcome->side, outcome->n_side);
  answer->as.outcome.errors = sh_abi_errors(call);
  return (uint32_t)answer;
}

uint32_t sh_abi_keyed(SH_CONTEXT_PARAMETERS, uint32_t keys, uint32_t keys_size, uint32_t starts, uint32_t n_starts, uint32_t rows, uint32_t rows_size,
                      uint32_t more) {
  sh_call *call = sh_abi_context(SH_CONTEXT_ARGUMENTS);
  sh_outcome outcome = {0};
  sh_status done = sh_keyed_process(call, (sh_bytes){(const uint8_t *)keys, keys_size}, (const uint32_t *)starts, n_starts,
                                    (sh_bytes){(const uint8_t *)rows, rows_size}, more != 0, &outcome);
  return answer_outcome(call, done, &outcome);
}

uint32_t sh_abi_fired(SH_CONTEXT_PARAMETERS, uint32_t clock, uint32_t keys, uint32_t keys_size, uint32_t timers, uint32_t n_timers) {
  sh_call *call = sh_abi_context(SH_CONTEXT_ARGUMENTS);
  _Static_assert(sizeof(sh_timer) == sizeof(abi_timer), "a timer is what the contract says");
  sh_outcome outcome = {0};
  sh_status done =
      sh_keyed_fired(call, (sh_clock)(clock & 1), (sh_bytes){(const uint8_t *)keys, keys_size}, (const sh_timer *)timers, n_timers, &outcome);
  return answer_outcome(call, done, &outcome);
}

uint32_t sh_abi_migrate(uint32_t table, uint32_t table_size, uint32_t version, uint32_t before, uint32_t before_size, uint32_t entries,
                        uint32_t entries_size) {
  sh_call *call = sh_abi_begin();
  sh_bytes now = {0};
  sh_status done = sh_keyed_migrate(call, (sh_text){(const char *)table, table_size}, version, (sh_bytes){(const uint8_t *)before, before_size},
                                    (sh_bytes){(const uint8_t *)entries, entries_size}, &now);
  abi_migrated *answer = (abi_migrated *)sh_abi_answer(call, sizeof *answer);
  if (done == SH_OK)
    answer->as.messages = sh_abi_bytes(now);
  else
    *answer = (abi_migrated){1, {.failure = sh_abi_failure(call)}};
  return (uint32_t)answer;
}
