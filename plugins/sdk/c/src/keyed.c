#include "keyed.h"

#include <string.h>

static sh_status check_name(sh_call *call, const char *name) {
  size_t size = strlen(name);
  bool plain = size > 0 && size <= 64;
  for (const char *at = name; *at; at++) {
    plain = plain && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '-' || *at == '_');
  }
  return plain ? SH_OK : sh_invalid(call, "table `%s`: a name has 1 to 64 letters, digits, `-` and `_`", name);
}

/** Columns of one schema after those of another. */
static sh_status add_all(sh_call *call, struct ArrowSchema *to, const struct ArrowSchema *from) {
  for (int64_t i = 0; from && i < from->n_children; i++) SH_TRY(sh_schema_add_like(call, to, from->children[i]->name, from->children[i]));
  return SH_OK;
}

/** A schema of the row of the key, if `key`, and of two others. */
static sh_status schema_of(sh_call *call, sh_bound *bound, bool key, const struct ArrowSchema *second, const struct ArrowSchema *value,
                           sh_schema *schema) {
  struct ArrowSchema *columns = sh_schema_new(call), *number;
  if (key) {
    SH_TRY(sh_schema_append(call, columns, &number));
    SH_TRY(sh_arrow(call, ArrowSchemaSetType(number, NANOARROW_TYPE_UINT32), NULL));
    SH_TRY(sh_arrow(call, ArrowSchemaSetName(number, "key"), NULL));
  }
  SH_TRY(add_all(call, columns, second));
  SH_TRY(add_all(call, columns, value));
  return sh_nullable(call, bound, columns, schema);
}

sh_status sh_bound_table_add(sh_call *call, sh_bound *bound, const char *name, sh_table_kind kind, const struct ArrowSchema *second,
                             const struct ArrowSchema *value, int64_t ttl_ms, uint32_t version) {
  sh_bound_table *tables = (sh_bound_table *)sh_alloc(call, (size_t)(bound->n_tables + 1) * sizeof *tables);
  if (bound->n_tables) memcpy(tables, bound->tables, (size_t)bound->n_tables * sizeof *tables);
  sh_bound_table *table = &tables[bound->n_tables];
  memset(table, 0, sizeof *table);
  SH_TRY(check_name(call, name));
  if (kind != SH_MAPPING) second = NULL;
  *table = (sh_bound_table){.name = sh_format(call, "%s", name), .kind = kind, .ttl_ms = ttl_ms, .version = version ? version : 1};
  table->n_second = second ? (int32_t)second->n_children : 0;
  if (value->n_children == 0) return sh_invalid(call, "its table `%s` has values of no columns", name);
  if (kind == SH_MAPPING && table->n_second == 0) return sh_invalid(call, "its table `%s` has a second key of no columns", name);
  SH_TRY(schema_of(call, bound, true, second, value, &table->entry));
  SH_TRY(schema_of(call, bound, true, second, NULL, &table->place));
  SH_TRY(schema_of(call, bound, false, second, NULL, &table->second));
  SH_TRY(schema_of(call, bound, false, NULL, value, &table->value));
  SH_TRY(schema_of(call, bound, false, second, value, &table->columns));
  bound->tables = tables;
  bound->n_tables++;
  return SH_OK;
}

static sh_status bind(sh_call *call, sh_bound *bound) {
  bound->output_kind = SH_OUT_ROWS;
  for (int32_t i = 0; i < bound->n_tables; i++) {
    for (int32_t k = 0; k < i; k++) {
      if (strcmp(bound->tables[i].name, bound->tables[k].name) == 0) return sh_invalid(call, "it has two tables `%s`", bound->tables[i].name);
    }
  }
  return SH_OK;
}

const struct sh_way sh_way_keyed = {bind};

const sh_bound_table *sh_table_named(sh_call *call, const char *name) {
  const sh_bound *bound = call->internal->bound;
  for (int32_t i = 0; i < bound->n_tables; i++) {
    if (strcmp(bound->tables[i].name, name) == 0) return &bound->tables[i];
  }
  sh_invalid(call, "it opens a table `%s`, which it did not declare", name);
  return NULL;
}

static sh_status enter(sh_call *call) {
  SH_TRY(sh_enter(call));
  if (call->internal->bound->plugin->role == SH_ROLE_KEYED) return SH_OK;
  return sh_permanent(call, "the plugin was bound to another role");
}

static sh_status finish(sh_call *call, sh_table *out, sh_outcome *outcome) {
  sh_buffer messages = {0};
  SH_TRY(sh_done(call));
  SH_TRY(sh_table_write(out, "the output", &call->internal->bound->output, false, &messages));
  sh_errors_settle(call->internal);
  outcome->main = SH_REPLACE;
  outcome->messages = (sh_bytes){messages.data, messages.size};
  return sh_sides_write(call, outcome);
}

/** Starts as the host gives them, checked, and the end of the last key's rows. */
static sh_status starts_of(sh_call *call, const uint32_t *given, int64_t n, sh_groups *groups) {
  uint32_t *starts = (uint32_t *)sh_alloc(call, (size_t)(n + 1) * sizeof *starts);
  if (n != groups->keys.rows || (n && given[0] != 0) || (n == 0 && groups->rows.rows))
    return sh_permanent(call, "the host's groups are not those of its keys");
  for (int64_t i = 0; i < n; i++) {
    int64_t next = i + 1 < n ? given[i + 1] : groups->rows.rows;
    if (given[i] > next) return sh_permanent(call, "the host's groups are not in order");
    starts[i] = given[i];
  }
  starts[n] = (uint32_t)groups->rows.rows;
  groups->starts = starts;
  return SH_OK;
}

sh_status sh_keyed_process(sh_call *call, sh_bytes keys, const uint32_t *starts, int64_t n_starts, sh_bytes rows, bool more, sh_outcome *outcome) {
  SH_TRY(enter(call));
  const sh_bound *bound = call->internal->bound;
  sh_groups groups = {.more = more};
  sh_table *out;
  SH_TRY(sh_ipc_read_one(call, &bound->keys, keys, &groups.keys));
  SH_TRY(sh_ipc_read_one(call, &bound->reads, rows, &groups.rows));
  SH_TRY(starts_of(call, starts, n_starts, &groups));
  SH_TRY(sh_table_of(call, bound->output.arrow, &out));
  SH_TRY(bound->plugin->keys ? bound->plugin->keys(call, &groups, out) : sh_keys_process(call, &groups, out));
  return finish(call, out, outcome);
}

sh_status sh_keyed_fired(sh_call *call, sh_clock clock, sh_bytes keys, const sh_timer *timers, int64_t n, sh_outcome *outcome) {
  SH_TRY(enter(call));
  const sh_bound *bound = call->internal->bound;
  sh_fired fired = {.clock = clock, .timers = timers, .n = n};
  sh_table *out;
  SH_TRY(sh_ipc_read_one(call, &bound->keys, keys, &fired.keys));
  for (int64_t i = 0; i < n; i++) {
    if ((int64_t)timers[i].key >= fired.keys.rows) return sh_permanent(call, "the host's timers are of no key");
  }
  SH_TRY(sh_table_of(call, bound->output.arrow, &out));
  if (bound->plugin->keys_fired)
    SH_TRY(bound->plugin->keys_fired(call, &fired, out));
  else if (bound->plugin->key_fired)
    SH_TRY(sh_keys_fired(call, &fired, out));
  else
    return sh_permanent(call, "a timer has fired, and the plugin has no function for that");
  return finish(call, out, outcome);
}

static sh_status migrate_one(sh_call *call, const sh_bound_table *table, sh_before *before, sh_buffer *out) {
  sh_table *now;
  int64_t rows;
  SH_TRY(sh_table_of(call, table->columns.arrow, &now));
  SH_TRY(call->internal->bound->plugin->migrate(call, before, now));
  SH_TRY(sh_table_finish(now, sh_format(call, "table `%s`", table->name), &rows));
  if (rows != before->entries.rows) {
    return sh_permanent(call, "table `%s`: %lld entries are to be migrated, and there are %lld rows of them", table->name,
                        (long long)before->entries.rows, (long long)rows);
  }
  return sh_ipc_write(call, &table->columns, &now->array, rows, out);
}

sh_status sh_keyed_migrate(sh_call *call, sh_text name, uint32_t version, sh_bytes schema, sh_bytes entries, sh_bytes *now) {
  SH_TRY(enter(call));
  const char *wanted = sh_format(call, "%.*s", (int)name.size, name.data);
  const sh_bound_table *table = sh_table_named(call, wanted);
  if (!table) return SH_FAILED;
  if (!call->internal->bound->plugin->migrate) {
    return sh_invalid(call, "table `%s` is stored in version %u, and the plugin does not say how it becomes version %u", table->name,
                      (unsigned)version, (unsigned)table->version);
  }
  sh_before before = {.table = table->name, .version = version};
  struct ArrowSchema columns;
  sh_schema types;
  sh_buffer out = {0};
  SH_TRY(sh_schema_read(call, schema, &columns));
  sh_status status = sh_schema_types(call, &columns, &types);
  while (status == SH_OK && entries.size) {
    status = sh_ipc_read(call, &types, &entries, &before.entries);
    if (status == SH_OK) status = migrate_one(call, table, &before, &out);
  }
  ArrowSchemaRelease(&columns);
  *now = (sh_bytes){out.data, out.size};
  return status;
}
