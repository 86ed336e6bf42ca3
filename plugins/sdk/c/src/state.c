#include "keyed.h"

#include <string.h>

static sh_status of_table(sh_call *call, const char *table) { return sh_while(call, "table `%s`", table); }

sh_status sh_entries_read(sh_call *call, const sh_bound_table *table, sh_bytes messages, sh_entries *entries) {
  sh_batch batch;
  SH_TRY(sh_ipc_read_one(call, &table->entry, messages, &batch));
  if (batch.columns[0].nulls) return sh_permanent(call, "the host sent entries of no key");
  entries->keys = (const uint32_t *)batch.columns[0].values;
  for (int64_t i = 1; i < batch.rows; i++) {
    if (entries->keys[i - 1] > entries->keys[i]) return sh_permanent(call, "the host sent entries that are not in the order of their keys");
  }
  entries->columns = (sh_batch){.rows = batch.rows, .n_columns = batch.n_columns - 1, .columns = batch.columns + 1, .schema = table->columns.arrow};
  struct ArrowArray *array = (struct ArrowArray *)sh_alloc(call, sizeof *array);
  *array = *batch.array;
  array->n_children--;
  array->children++;
  entries->columns.array = array;
  return SH_OK;
}

sh_status sh_get(sh_call *call, const char *name, const uint32_t *keys, int64_t n, sh_entries *entries) {
  const sh_bound_table *table = sh_table_named(call, name);
  sh_bytes messages;
  if (!table) return SH_FAILED;
  if (sh_host_get(call, name, keys, n, &messages) != SH_OK) return of_table(call, name);
  return sh_entries_read(call, table, messages, entries) == SH_OK ? SH_OK : of_table(call, name);
}

sh_status sh_entries_new(sh_call *call, const char *name, sh_table **entries) {
  const sh_bound_table *table = sh_table_named(call, name);
  return table ? sh_table_of(call, table->entry.arrow, entries) : SH_FAILED;
}

static const sh_bound_table *mapping(sh_call *call, const char *name) {
  const sh_bound_table *table = sh_table_named(call, name);
  if (!table || table->kind == SH_MAPPING) return table;
  sh_permanent(call, "table `%s` is no mapping, so nothing is found in it by a second key", name);
  return NULL;
}

sh_status sh_places_new(sh_call *call, const char *name, sh_table **places) {
  const sh_bound_table *table = mapping(call, name);
  return table ? sh_table_of(call, table->place.arrow, places) : SH_FAILED;
}

/** The message of a table; none if it has no rows. */
static sh_status message_of(sh_call *call, sh_table *rows, const sh_schema *schema, const char *name, sh_bytes *message) {
  sh_buffer buffer = {0};
  if (rows->schema.n_children != schema->arrow->n_children) return sh_permanent(call, "table `%s` is given other columns than it has", name);
  SH_TRY(sh_table_write(rows, sh_format(call, "table `%s`", name), schema, false, &buffer));
  *message = (sh_bytes){buffer.data, buffer.size};
  return SH_OK;
}

sh_status sh_find_entries(sh_call *call, const char *name, sh_table *places, sh_entries *entries) {
  const sh_bound_table *table = mapping(call, name);
  sh_bytes message, found = {0};
  if (!table) return SH_FAILED;
  SH_TRY(message_of(call, places, &table->place, name, &message));
  if (message.size && sh_host_find(call, name, message, &found) != SH_OK) return of_table(call, name);
  return sh_entries_read(call, table, found, entries) == SH_OK ? SH_OK : of_table(call, name);
}

static sh_status change(sh_call *call, const char *name, sh_table_change change, const sh_schema *schema, sh_table *rows) {
  sh_bytes message;
  SH_TRY(message_of(call, rows, schema, name, &message));
  if (!message.size) return SH_OK;
  return sh_host_change(call, name, change, message) == SH_OK ? SH_OK : of_table(call, name);
}

sh_status sh_put(sh_call *call, const char *name, sh_table *entries) {
  const sh_bound_table *table = sh_table_named(call, name);
  return table ? change(call, name, SH_CHANGE_PUT, &table->entry, entries) : SH_FAILED;
}

sh_status sh_append(sh_call *call, const char *name, sh_table *entries) {
  const sh_bound_table *table = sh_table_named(call, name);
  return table ? change(call, name, SH_CHANGE_APPEND, &table->entry, entries) : SH_FAILED;
}

sh_status sh_remove_entries(sh_call *call, const char *name, sh_table *places) {
  const sh_bound_table *table = mapping(call, name);
  return table ? change(call, name, SH_CHANGE_REMOVE_FOUND, &table->place, places) : SH_FAILED;
}

sh_status sh_remove(sh_call *call, const char *name, const uint32_t *keys, int64_t n) {
  if (!sh_table_named(call, name)) return SH_FAILED;
  if (n == 0) return SH_OK;
  return sh_host_remove(call, name, keys, n) == SH_OK ? SH_OK : of_table(call, name);
}

int64_t sh_entry_of(const sh_entries *entries, uint32_t key) {
  int64_t from = 0, to = entries->columns.rows;
  while (from < to) {
    int64_t middle = from + (to - from) / 2;
    if (entries->keys[middle] < key)
      from = middle + 1;
    else
      to = middle;
  }
  return from < entries->columns.rows && entries->keys[from] == key ? from : -1;
}

sh_status sh_set_timers(sh_call *call, sh_clock clock, const sh_timer *timers, int64_t n) {
  return n ? sh_host_timers(call, SH_TIMERS_SET, clock, timers, n) : SH_OK;
}

sh_status sh_clear_timers(sh_call *call, sh_clock clock, const sh_timer *timers, int64_t n) {
  return n ? sh_host_timers(call, SH_TIMERS_CLEAR, clock, timers, n) : SH_OK;
}

sh_status sh_clear_all_timers(sh_call *call, sh_clock clock, const uint32_t *keys, int64_t n) {
  return n ? sh_host_clear_timers_of(call, clock, keys, n) : SH_OK;
}
