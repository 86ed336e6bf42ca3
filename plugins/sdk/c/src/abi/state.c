#include "abi.h"

#include <string.h>

typedef struct abi_opened {
  uint8_t failed;
  union {
    uint32_t table;
    abi_failure failure;
  } as;
} abi_opened;

typedef struct abi_got {
  uint8_t failed;
  union {
    abi_list messages;
    abi_failure failure;
  } as;
} abi_got;

typedef struct abi_done {
  uint8_t failed;
  abi_failure failure;
} abi_done;

SH_IMPORT("state", "open") void import_open(const char *name, uint32_t size, abi_opened *answer);
SH_IMPORT("state", "[resource-drop]table") void import_drop(uint32_t table);
SH_IMPORT("state", "[method]table.get") void import_get(uint32_t table, uint32_t some, const uint32_t *keys, uint32_t n, abi_got *answer);
SH_IMPORT("state", "[method]table.find") void import_find(uint32_t table, const void *of, uint32_t size, abi_got *answer);
SH_IMPORT("state", "[method]table.put") void import_put(uint32_t table, const void *entries, uint32_t size, abi_done *answer);
SH_IMPORT("state", "[method]table.append") void import_append(uint32_t table, const void *entries, uint32_t size, abi_done *answer);
SH_IMPORT("state", "[method]table.remove") void import_remove(uint32_t table, const uint32_t *keys, uint32_t n, abi_done *answer);
SH_IMPORT("state", "[method]table.remove-found") void import_remove_found(uint32_t table, const void *of, uint32_t size, abi_done *answer);
SH_IMPORT("state", "set-timers") void import_set_timers(uint32_t clock, const sh_timer *timers, uint32_t n, abi_done *answer);
SH_IMPORT("state", "clear-timers") void import_clear_timers(uint32_t clock, const sh_timer *timers, uint32_t n, abi_done *answer);
SH_IMPORT("state", "clear-all-timers") void import_clear_all_timers(uint32_t clock, const uint32_t *keys, uint32_t n, abi_done *answer);

static sh_status open(sh_call *call, const char *name, uint32_t *table) {
  abi_opened answer;
  sh_abi_into = call->internal->arena;
  import_open(name, (uint32_t)strlen(name), &answer);
  if (answer.failed) return sh_abi_told(call, &answer.as.failure);
  *table = answer.as.table;
  return SH_OK;
}

static sh_status got(sh_call *call, uint32_t table, const abi_got *answer, sh_bytes *messages) {
  import_drop(table);
  if (answer->failed) return sh_abi_told(call, &answer->as.failure);
  *messages = (sh_bytes){(const uint8_t *)answer->as.messages.data, answer->as.messages.size};
  return SH_OK;
}

static sh_status done(sh_call *call, const abi_done *answer) { return answer->failed ? sh_abi_told(call, &answer->failure) : SH_OK; }

sh_status sh_host_get(sh_call *call, const char *name, const uint32_t *keys, int64_t n, sh_bytes *entries) {
  uint32_t table;
  abi_got answer;
  SH_TRY(open(call, name, &table));
  import_get(table, keys != NULL, keys, (uint32_t)n, &answer);
  return got(call, table, &answer, entries);
}

sh_status sh_host_find(sh_call *call, const char *name, sh_bytes places, sh_bytes *entries) {
  uint32_t table;
  abi_got answer;
  SH_TRY(open(call, name, &table));
  import_find(table, places.data, (uint32_t)places.size, &answer);
  return got(call, table, &answer, entries);
}

sh_status sh_host_change(sh_call *call, const char *name, sh_table_change change, sh_bytes entries) {
  uint32_t table;
  abi_done answer;
  SH_TRY(open(call, name, &table));
  if (change == SH_CHANGE_PUT)
    import_put(table, entries.data, (uint32_t)entries.size, &answer);
  else if (change == SH_CHANGE_APPEND)
    import_append(table, entries.data, (uint32_t)entries.size, &answer);
  else
    import_remove_found(table, entries.data, (uint32_t)entries.size, &answer);
  import_drop(table);
  return done(call, &answer);
}

sh_status sh_host_remove(sh_call *call, const char *name, const uint32_t *keys, int64_t n) {
  uint32_t table;
  abi_done answer;
  SH_TRY(open(call, name, &table));
  import_remove(table, keys, (uint32_t)n, &answer);
  import_drop(table);
  return done(call, &answer);
}

sh_status sh_host_timers(sh_call *call, sh_timer_change change, sh_clock clock, const sh_timer *timers, int64_t n) {
  abi_done answer;
  sh_abi_into = call->internal->arena;
  if (change == SH_TIMERS_SET)
    import_set_timers((uint32_t)clock, timers, (uint32_t)n, &answer);
  else
    import_clear_timers((uint32_t)clock, timers, (uint32_t)n, &answer);
  return done(call, &answer);
}

sh_status sh_host_clear_timers_of(sh_call *call, sh_clock clock, const uint32_t *keys, int64_t n) {
  abi_done answer;
  sh_abi_into = call->internal->arena;
  import_clear_all_timers((uint32_t)clock, keys, (uint32_t)n, &answer);
  return done(call, &answer);
}
