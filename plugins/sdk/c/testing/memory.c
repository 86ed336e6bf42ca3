/* The state of a keyed plugin, in memory: of all keys, and for the keys of one call at a time. Rows are kept as batches of one. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  int32_t key;
  int64_t put;
  /** The second key's columns if there is one, then the value's. */
  sh_batch row;
} entry;

typedef struct list {
  void *items;
  int64_t n, most;
} list;

/** All that is rolled back when an epoch fails. */
typedef struct state {
  /** Of each table, entries. */
  list tables[64];
  /** Of each clock, timers. */
  list timers[2];
} state;

static struct {
  sh_call *call;
  state now, before;
  /** Every key that came so far: batches of one row. */
  list keys;
  /** Of the call: the number of each of its keys. */
  int32_t *of_call;
  int64_t n_of_call;
  const sh_call *epoch;
} memory;

static void *add(list *to, const void *item, size_t size) {
  if (to->n == to->most) {
    to->most = to->most ? 2 * to->most : 16;
    void *more = sh_alloc(memory.call, (size_t)to->most * size);
    if (to->n) memcpy(more, to->items, (size_t)to->n * size);
    to->items = more;
  }
  return memcpy((uint8_t *)to->items + (size_t)to->n++ * size, item, size);
}

static list copied(const list *from, size_t size) {
  list copy = {sh_alloc(memory.call, (size_t)from->n * size), from->n, from->n};
  if (from->n) memcpy(copy.items, from->items, (size_t)from->n * size);
  return copy;
}

static void copy_state(state *to, const state *from) {
  for (int i = 0; i < 64; i++) to->tables[i] = copied(&from->tables[i], sizeof(entry));
  for (int i = 0; i < 2; i++) to->timers[i] = copied(&from->timers[i], sizeof(sh_due));
}

void sh_memory_begin(sh_call *call) {
  memset(&memory, 0, sizeof memory);
  memory.call = call;
}

void sh_memory_mark(void) { copy_state(&memory.before, &memory.now); }

void sh_memory_back(void) { copy_state(&memory.now, &memory.before); }

void sh_memory_epoch(const sh_call *epoch) {
  memory.epoch = epoch;
  for (int32_t i = 0; i < sh_the_bound->n_tables; i++) {
    int64_t ttl = sh_the_bound->tables[i].ttl_ms * 1000, n = 0;
    list *table = &memory.now.tables[i];
    entry *entries = (entry *)table->items;
    for (int64_t k = 0; ttl > 0 && k < table->n; k++) {
      if (epoch->now - entries[k].put < ttl) entries[n++] = entries[k];
    }
    if (ttl > 0) table->n = n;
  }
}

/** A row of its own, which lasts. */
static sh_batch row_of(const struct ArrowSchema *schema, const sh_column *columns, int64_t row) {
  sh_table *table;
  sh_schema *types = (sh_schema *)sh_alloc(memory.call, sizeof *types);
  sh_buffer out = {0};
  sh_batch batch = {0};
  sh_status done = sh_table_of(memory.call, schema, &table);
  for (int64_t i = 0; done == SH_OK && i < schema->n_children; i++) sh_put_value(table, (int32_t)i, &columns[i], row);
  if (done == SH_OK) sh_end_row(table);
  if (done == SH_OK) done = sh_schema_types(memory.call, &table->schema, types);
  if (done == SH_OK) done = sh_table_write(table, "a row", types, true, &out);
  sh_bytes bytes = {out.data, out.size};
  if (done == SH_OK) done = sh_ipc_read(memory.call, types, &bytes, &batch);
  if (done != SH_OK) sh_panic(__FILE__, __LINE__, "%s", memory.call->internal->message);
  return batch;
}

void sh_memory_enter(const sh_batch *keys) {
  memory.of_call = (int32_t *)sh_alloc(memory.call, (size_t)keys->rows * sizeof *memory.of_call);
  memory.n_of_call = keys->rows;
  for (int64_t row = 0; row < keys->rows; row++) {
    const sh_batch *known = (const sh_batch *)memory.keys.items;
    int32_t key = 0;
    while (key < memory.keys.n && sh_compare_rows(&known[key], 0, keys, row) != 0) key++;
    if (key == memory.keys.n) {
      sh_batch made = row_of(keys->schema, keys->columns, row);
      add(&memory.keys, &made, sizeof made);
    }
    memory.of_call[row] = key;
  }
}

static int compare_keys(int32_t one, int32_t other) {
  const sh_batch *keys = (const sh_batch *)memory.keys.items;
  return sh_compare_rows(&keys[one], 0, &keys[other], 0);
}

static int by_time(const void *a, const void *b) {
  const sh_due *one = (const sh_due *)a, *other = (const sh_due *)b;
  if (one->at != other->at) return one->at < other->at ? -1 : 1;
  return compare_keys(one->key, other->key);
}

const sh_due *sh_memory_due(sh_clock clock, int64_t *n) {
  list *timers = &memory.now.timers[clock], due = {0};
  sh_due *all = (sh_due *)timers->items;
  int64_t left = 0, earliest = sh_timer_earliest(memory.epoch, clock);
  for (int64_t i = 0; i < timers->n; i++) {
    if (all[i].at < earliest)
      add(&due, &all[i], sizeof *all);
    else
      all[left++] = all[i];
  }
  timers->n = left;
  if (due.n) qsort(due.items, (size_t)due.n, sizeof(sh_due), by_time);
  *n = due.n;
  return (const sh_due *)due.items;
}

static int by_key(const void *a, const void *b) { return compare_keys(*(const int32_t *)a, *(const int32_t *)b); }

sh_status sh_memory_enter_due(const sh_due *due, int64_t n, sh_bytes *keys, sh_timer *timers) {
  int32_t *numbers = (int32_t *)sh_alloc(memory.call, (size_t)n * sizeof *numbers);
  int64_t count = 0;
  sh_table *table;
  sh_buffer out = {0};
  for (int64_t i = 0; i < n; i++) numbers[i] = due[i].key;
  qsort(numbers, (size_t)n, sizeof *numbers, by_key);
  SH_TRY(sh_table_of(memory.call, sh_the_bound->keys.arrow, &table));
  for (int64_t i = 0; i < n; i++) {
    if (count && numbers[count - 1] == numbers[i]) continue;
    numbers[count++] = numbers[i];
    const sh_batch *key = &((const sh_batch *)memory.keys.items)[numbers[i]];
    for (int32_t k = 0; k < key->n_columns; k++) sh_put_value(table, k, &key->columns[k], 0);
    sh_end_row(table);
  }
  for (int64_t i = 0; i < n; i++) {
    uint32_t place = 0;
    while (numbers[place] != due[i].key) place++;
    timers[i] = (sh_timer){place, due[i].at};
  }
  memory.of_call = numbers;
  memory.n_of_call = count;
  SH_TRY(sh_table_write(table, "keys", &sh_the_bound->keys, true, &out));
  *keys = (sh_bytes){out.data, out.size};
  return SH_OK;
}

static int32_t table_number(const char *name) {
  for (int32_t i = 0; i < sh_the_bound->n_tables; i++) {
    if (strcmp(sh_the_bound->tables[i].name, name) == 0) return i;
  }
  sh_panic(__FILE__, __LINE__, "it opens a table `%s`, which it did not declare", name);
}

static sh_status check_key(sh_call *call, uint32_t key) {
  if ((int64_t)key < memory.n_of_call) return SH_OK;
  return sh_invalid(call, "it names key %u, and the call has %lld keys", (unsigned)key, (long long)memory.n_of_call);
}

static bool same_second(const sh_bound_table *table, const sh_batch *one, const sh_batch *other) {
  sh_batch a = *one, b = *other;
  a.n_columns = b.n_columns = table->n_second;
  return sh_compare_rows(&a, 0, &b, 0) == 0;
}

static int by_second(const void *a, const void *b) {
  const sh_batch *one = &(*(entry *const *)a)->row, *other = &(*(entry *const *)b)->row;
  return sh_compare_rows(one, 0, other, 0);
}

/** Adds the entries of a key in their order. */
static void put_entries(sh_table *to, int32_t number, uint32_t row) {
  list *table = &memory.now.tables[number], found = {0};
  for (int64_t i = 0; i < table->n; i++) {
    entry *one = &((entry *)table->items)[i];
    if (one->key == memory.of_call[row]) add(&found, &one, sizeof one);
  }
  entry **entries = (entry **)found.items;
  if (sh_the_bound->tables[number].kind == SH_MAPPING && found.n) qsort(entries, (size_t)found.n, sizeof *entries, by_second);
  for (int64_t i = 0; i < found.n; i++) {
    sh_put_int(to, 0, row);
    for (int32_t k = 0; k < entries[i]->row.n_columns; k++) sh_put_value(to, k + 1, &entries[i]->row.columns[k], 0);
    sh_end_row(to);
  }
}

static sh_status answer(sh_call *call, int32_t number, const bool *wanted, sh_bytes *messages) {
  const sh_bound_table *table = &sh_the_bound->tables[number];
  sh_table *to;
  sh_buffer out = {0};
  SH_TRY(sh_table_of(call, table->entry.arrow, &to));
  for (int64_t row = 0; row < memory.n_of_call; row++) {
    if (!wanted || wanted[row]) put_entries(to, number, (uint32_t)row);
  }
  SH_TRY(sh_table_write(to, "entries", &table->entry, true, &out));
  *messages = (sh_bytes){out.data, out.size};
  return SH_OK;
}

sh_status sh_host_get(sh_call *call, const char *name, const uint32_t *keys, int64_t n, sh_bytes *entries) {
  bool *wanted = keys ? (bool *)sh_alloc(call, (size_t)memory.n_of_call) : NULL;
  if (wanted) memset(wanted, 0, (size_t)memory.n_of_call);
  for (int64_t i = 0; keys && i < n; i++) {
    SH_TRY(check_key(call, keys[i]));
    wanted[keys[i]] = true;
  }
  return answer(call, table_number(name), wanted, entries);
}

/** Entries, or their places, in a batch of their own each. */
static sh_status read_rows(sh_call *call, const sh_schema *schema, sh_bytes message, sh_batch *batch) {
  SH_TRY(sh_ipc_read_one(call, schema, message, batch));
  for (int64_t i = 0; i < batch->rows; i++) SH_TRY(check_key(call, ((const uint32_t *)batch->columns[0].values)[i]));
  return SH_OK;
}

sh_status sh_host_find(sh_call *call, const char *name, sh_bytes places, sh_bytes *entries) {
  int32_t number = table_number(name);
  const sh_bound_table *table = &sh_the_bound->tables[number];
  list *all = &memory.now.tables[number];
  sh_batch batch;
  sh_table *to;
  sh_buffer out = {0};
  SH_TRY(read_rows(call, &table->place, places, &batch));
  SH_TRY(sh_table_of(call, table->entry.arrow, &to));
  for (uint32_t key = 0; (int64_t)key < memory.n_of_call; key++) {
    for (int64_t i = 0; i < batch.rows; i++) {
      if (((const uint32_t *)batch.columns[0].values)[i] != key) continue;
      sh_batch place = row_of(table->second.arrow, batch.columns + 1, i);
      for (int64_t k = 0; k < all->n; k++) {
        const entry *one = &((entry *)all->items)[k];
        if (one->key != memory.of_call[key] || !same_second(table, &one->row, &place)) continue;
        sh_put_int(to, 0, key);
        for (int32_t c = 0; c < one->row.n_columns; c++) sh_put_value(to, c + 1, &one->row.columns[c], 0);
        sh_end_row(to);
      }
    }
  }
  SH_TRY(sh_table_write(to, "entries", &table->entry, true, &out));
  *entries = (sh_bytes){out.data, out.size};
  return SH_OK;
}

/** Removes the entries of a key; in a mapping those of a second key, if one is given. */
static void drop(int32_t number, int32_t key, const sh_batch *second) {
  list *table = &memory.now.tables[number];
  entry *entries = (entry *)table->items;
  int64_t n = 0;
  for (int64_t i = 0; i < table->n; i++) {
    bool gone = entries[i].key == key && (!second || same_second(&sh_the_bound->tables[number], &entries[i].row, second));
    if (!gone) entries[n++] = entries[i];
  }
  table->n = n;
}

sh_status sh_host_change(sh_call *call, const char *name, sh_table_change change, sh_bytes messages) {
  int32_t number = table_number(name);
  const sh_bound_table *table = &sh_the_bound->tables[number];
  bool removes = change == SH_CHANGE_REMOVE_FOUND, puts = change == SH_CHANGE_PUT;
  sh_batch batch;
  SH_TRY(read_rows(call, removes ? &table->place : &table->entry, messages, &batch));
  const uint32_t *keys = (const uint32_t *)batch.columns[0].values;
  // The rows of a key are its whole list from now on.
  for (int64_t i = 0; puts && table->kind == SH_SEQUENCE && i < batch.rows; i++) drop(number, memory.of_call[keys[i]], NULL);
  for (int64_t i = 0; i < batch.rows; i++) {
    int32_t key = memory.of_call[keys[i]];
    entry made = {key, memory.epoch->now, row_of(removes ? table->second.arrow : table->columns.arrow, batch.columns + 1, i)};
    if (removes || (puts && table->kind != SH_SEQUENCE)) drop(number, key, table->kind == SH_MAPPING ? &made.row : NULL);
    if (!removes) add(&memory.now.tables[number], &made, sizeof made);
  }
  return SH_OK;
}

sh_status sh_host_remove(sh_call *call, const char *name, const uint32_t *keys, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    SH_TRY(check_key(call, keys[i]));
    drop(table_number(name), memory.of_call[keys[i]], NULL);
  }
  return SH_OK;
}

static void clear_timers(sh_clock clock, int32_t key, const int64_t *at) {
  list *timers = &memory.now.timers[clock];
  sh_due *all = (sh_due *)timers->items;
  int64_t n = 0;
  for (int64_t i = 0; i < timers->n; i++) {
    bool gone = all[i].key == key && (!at || all[i].at == *at);
    if (!gone) all[n++] = all[i];
  }
  timers->n = n;
}

sh_status sh_host_timers(sh_call *call, sh_timer_change change, sh_clock clock, const sh_timer *timers, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    SH_TRY(check_key(call, timers[i].key));
    if (change == SH_TIMERS_SET && timers[i].at < sh_timer_earliest(memory.epoch, clock)) {
      return sh_invalid(call, "it sets a timer at %lld, which the clock has reached", (long long)timers[i].at);
    }
  }
  for (int64_t i = 0; i < n; i++) {
    sh_due due = {timers[i].at, memory.of_call[timers[i].key]};
    // The same one twice is one.
    clear_timers(clock, due.key, &due.at);
    if (change == SH_TIMERS_SET) add(&memory.now.timers[clock], &due, sizeof due);
  }
  return SH_OK;
}

sh_status sh_host_clear_timers_of(sh_call *call, sh_clock clock, const uint32_t *keys, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    SH_TRY(check_key(call, keys[i]));
    clear_timers(clock, memory.of_call[keys[i]], NULL);
  }
  return SH_OK;
}
