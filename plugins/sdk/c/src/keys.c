#include "keys.h"
#include "table.h"

#include <string.h>

sh_keys *sh_keys_new(sh_call *call) {
  const sh_bound *bound = call->internal->bound;
  sh_keys *keys = (sh_keys *)sh_alloc(call, sizeof *keys);
  memset(keys, 0, sizeof *keys);
  keys->call = call;
  keys->n_held = bound->n_tables;
  keys->held = (held *)sh_alloc(call, (size_t)bound->n_tables * sizeof *keys->held);
  memset(keys->held, 0, (size_t)bound->n_tables * sizeof *keys->held);
  for (int32_t i = 0; i < bound->n_tables; i++) keys->held[i].table = &bound->tables[i];
  return keys;
}

void sh_key_list_add(sh_call *call, key_list *list, uint32_t key) {
  if (list->n == list->most) {
    list->most = list->most ? 2 * list->most : 64;
    uint32_t *more = (uint32_t *)sh_alloc(call, (size_t)list->most * sizeof *more);
    if (list->n) memcpy(more, list->keys, (size_t)list->n * sizeof *more);
    list->keys = more;
  }
  list->keys[list->n++] = key;
}

static held *held_of(sh_group *group, int32_t table) {
  if (table < 0 || table >= group->keys->n_held) sh_panic(__FILE__, __LINE__, "there is no table %d", (int)table);
  return &group->keys->held[table];
}

int64_t sh_state_entries(sh_group *group, int32_t table, sh_row *first) {
  held *held = held_of(group, table);
  sh_call *call = group->call;
  *first = (sh_row){call, &held->entries.columns, 0};
  if (!held->read) {
    if (sh_get(call, held->table->name, NULL, 0, &held->entries) != SH_OK) {
      call->internal->whole_call = true;
      return 0;
    }
    held->read = true;
  }
  const sh_entries *entries = &held->entries;
  uint32_t key = (uint32_t)group->key.index;
  int64_t from = held->next, n = 0, all = entries->columns.rows;
  // Keys come in their order, so that the entries of the next key are mostly the next; those of timers may not.
  if (from > 0 && (from >= all || entries->keys[from] > key)) from = 0;
  while (from < all && entries->keys[from] < key) from++;
  while (from + n < all && entries->keys[from + n] == key) n++;
  held->next = from;
  first->index = from;
  return n;
}

bool sh_state_get(sh_group *group, int32_t table, sh_row *value) { return sh_state_entries(group, table, value) > 0; }

static sh_table *rows_of(sh_group *group, pending *pending, const sh_schema *columns) {
  if (!pending->rows && sh_table_of(group->call, columns->arrow, &pending->rows) != SH_OK) {
    sh_panic(__FILE__, __LINE__, "%s", group->call->internal->message);
  }
  return pending->rows;
}

sh_table *sh_state_put(sh_group *group, int32_t table) {
  held *held = held_of(group, table);
  return rows_of(group, &held->put, &held->table->columns);
}

sh_table *sh_state_append(sh_group *group, int32_t table) {
  held *held = held_of(group, table);
  return rows_of(group, &held->append, &held->table->columns);
}

sh_table *sh_state_remove_entry(sh_group *group, int32_t table) {
  held *held = held_of(group, table);
  return rows_of(group, &held->found, &held->table->second);
}

void sh_state_remove(sh_group *group, int32_t table) { sh_key_list_add(group->call, &held_of(group, table)->removed, (uint32_t)group->key.index); }

static void begin(pending *pending) { pending->before = pending->rows ? pending->rows->rows : 0; }

static void keep(sh_call *call, pending *pending, uint32_t key) {
  key_list list = {pending->keys, pending->n, pending->most};
  for (int64_t row = pending->before; pending->rows && row < pending->rows->rows; row++) sh_key_list_add(call, &list, key);
  pending->keys = list.keys;
  pending->n = list.n;
  pending->most = list.most;
}

static void forget(sh_call *call, pending *pending) {
  if (!pending->rows) return;
  sh_drop(call, &pending->drops, pending->before, pending->rows->rows);
  sh_table_forget_row(pending->rows);
}

void sh_keys_begin(sh_keys *keys) {
  for (int32_t i = 0; i < keys->n_held; i++) {
    held *held = &keys->held[i];
    begin(&held->put);
    begin(&held->append);
    begin(&held->found);
    held->removed_before = held->removed.n;
  }
  for (int i = 0; i < 2; i++) {
    clocked *clocked = &keys->clocks[i];
    clocked->set_before = clocked->set.n;
    clocked->cleared_before = clocked->cleared.n;
    clocked->all_before = clocked->all.n;
  }
}

void sh_keys_keep(sh_keys *keys, uint32_t key) {
  for (int32_t i = 0; i < keys->n_held; i++) {
    keep(keys->call, &keys->held[i].put, key);
    keep(keys->call, &keys->held[i].append, key);
    keep(keys->call, &keys->held[i].found, key);
  }
}

void sh_keys_forget(sh_keys *keys) {
  for (int32_t i = 0; i < keys->n_held; i++) {
    held *held = &keys->held[i];
    forget(keys->call, &held->put);
    forget(keys->call, &held->append);
    forget(keys->call, &held->found);
    held->removed.n = held->removed_before;
  }
  for (int i = 0; i < 2; i++) {
    clocked *clocked = &keys->clocks[i];
    clocked->set.n = clocked->set_before;
    clocked->cleared.n = clocked->cleared_before;
    clocked->all.n = clocked->all_before;
  }
}

/** The rows with their keys before them, as the host takes entries. */
static sh_status with_keys(sh_call *call, pending *pending, const sh_schema *schema, const char *name, sh_table **entries) {
  int64_t rows;
  SH_TRY(sh_drops_apply(pending->rows, &pending->drops));
  SH_TRY(sh_table_finish(pending->rows, sh_format(call, "table `%s`", name), &rows));
  SH_TRY(sh_table_of(call, schema->arrow, entries));
  if (rows) memcpy(sh_fill(*entries, 0, rows), pending->keys, (size_t)rows * sizeof(uint32_t));
  for (int64_t i = 0; i < pending->rows->array.n_children; i++) {
    struct ArrowArray *to = (*entries)->array.children[i + 1];
    ArrowArrayRelease(to);
    ArrowArrayMove(pending->rows->array.children[i], to);
    (*entries)->staged->foreign[i + 1] = true;
  }
  (*entries)->rows = rows;
  return SH_OK;
}

static sh_status flush(sh_call *call, pending *pending, const sh_schema *schema, const char *name,
                       sh_status (*tell)(sh_call *, const char *, sh_table *)) {
  sh_table *entries;
  if (!pending->rows || pending->n == 0) return SH_OK;
  SH_TRY(with_keys(call, pending, schema, name, &entries));
  return tell(call, name, entries);
}

sh_status sh_keys_flush(sh_keys *keys) {
  sh_call *call = keys->call;
  for (int32_t i = 0; i < keys->n_held; i++) {
    held *held = &keys->held[i];
    const sh_bound_table *table = held->table;
    SH_TRY(sh_remove(call, table->name, held->removed.keys, held->removed.n));
    SH_TRY(flush(call, &held->found, &table->place, table->name, sh_remove_entries));
    SH_TRY(flush(call, &held->put, &table->entry, table->name, sh_put));
    SH_TRY(flush(call, &held->append, &table->entry, table->name, sh_append));
  }
  return sh_timers_flush(keys);
}
