// Ends a session of a key when it has been still for a while, and tells when it began and what was in it.

#include <string.h>

#include "session.h"

struct config {
  const char *time;
  int64_t gap;
  sh_strings first;
  sh_strings last;
};

static const sh_field config[] = {
    {"time", SH_STRING, offsetof(struct config, time), .doc = "The column of event time, a TIMESTAMP."},
    {"gap", SH_INTERVAL, offsetof(struct config, gap), .doc = "For how long a key is still before its session has ended."},
    {"first", SH_STRINGS, offsetof(struct config, first), .doc = "Columns of which a session has the earliest row's value, as `first_` and the name.",
     .otherwise = "[]"},
    {"last", SH_STRINGS, offsetof(struct config, last), .doc = "Columns of which a session has the latest row's value, as `last_` and the name.",
     .otherwise = "[]"},
    SH_END_FIELDS};

// When the watermark ends a session: in whole milliseconds, as Spark's time-outs are.
static int64_t ends(const struct config *config, int64_t last) {
  int64_t millis = last / 1000 - (last % 1000 < 0), at;
  return __builtin_add_overflow(millis * 1000, config->gap, &at) ? INT64_MAX : at;
}

// A table of some columns, named after it; none if there are no columns.
static sh_status plan_rows(sh_plan *plan, const char *table, sh_strings columns, struct ArrowSchema *output) {
  sh_call *call = plan->call;
  struct ArrowSchema *kept = sh_schema_new(call);
  for (int64_t i = 0; i < columns.n; i++) {
    const struct ArrowSchema *column = sh_input_column(plan, columns.items[i]);
    const char *name = sh_format(call, "%s_%s", table, columns.items[i]);
    if (!column) return sh_invalid(call, "config: there is no column `%s`", columns.items[i]);
    SH_TRY(sh_plan_read(plan, columns.items[i]));
    SH_TRY(sh_schema_add_like(call, kept, name, column));
    SH_TRY(sh_schema_add_like(call, output, name, column));
  }
  return columns.n ? sh_plan_table(plan, table, SH_VALUE, NULL, kept, 0, 1) : SH_OK;
}

static sh_status check_names(sh_call *call, const struct ArrowSchema *output) {
  for (int64_t i = 0; i < output->n_children; i++) {
    for (int64_t k = 0; k < i; k++) {
      const char *name = output->children[i]->name;
      if (strcmp(name, output->children[k]->name) != 0) continue;
      return sh_invalid(call, "a session would have two columns `%s`: rename the key's, or leave one out", name);
    }
  }
  return SH_OK;
}

static sh_status plan(sh_plan *plan) {
  sh_call *call = plan->call;
  const struct config *config = call->config;
  const struct ArrowSchema *time = sh_input_column(plan, config->time);
  SH_TRY(sh_plan_read(plan, config->time));
  if (strncmp(time->format, "tsu:", 4) != 0) {
    return sh_invalid(call, "config: column `%s` has type %s, and times are TIMESTAMP", config->time, sh_type_name(call, time));
  }
  struct ArrowSchema *output = sh_schema_new(call), *open = sh_schema_new(call);
  for (int64_t i = 0; i < plan->keys->n_children; i++)
    SH_TRY(sh_schema_add_like(call, output, plan->keys->children[i]->name, plan->keys->children[i]));
  struct ArrowSchema *both[] = {open, output};
  for (int i = 0; i < 2; i++) {
    SH_TRY(sh_schema_add_like(call, both[i], "start", time));
    SH_TRY(sh_schema_add_like(call, both[i], "end", time));
    SH_TRY(sh_schema_add(call, both[i], "n", "BIGINT"));
  }
  SH_TRY(sh_plan_table(plan, "open", SH_VALUE, NULL, open, 0, 1));
  SH_TRY(plan_rows(plan, "first", config->first, output));
  SH_TRY(plan_rows(plan, "last", config->last, output));
  SH_TRY(check_names(call, output));
  return sh_plan_output(plan, output);
}

// The rows of a batch of the sessions whose `of` is some row, with the columns that a table keeps.
static sh_status put_rows(sh_call *call, const char *table, sh_strings columns, const sh_batch *rows, const struct session *sessions, int64_t n,
                          int64_t (*of)(const struct session *)) {
  sh_table *entries;
  if (columns.n == 0) return SH_OK;
  SH_TRY(sh_entries_new(call, table, &entries));
  uint32_t *picked = sh_alloc(call, (size_t)n * sizeof *picked), *keys = sh_alloc(call, (size_t)n * sizeof *keys);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) {
    if (of(&sessions[i]) < 0) continue;
    keys[count] = sessions[i].key;
    picked[count++] = (uint32_t)of(&sessions[i]);
  }
  memcpy(sh_fill(entries, 0, count), keys, (size_t)count * sizeof *keys);
  for (int64_t i = 0; i < columns.n; i++) sh_take(entries, (int32_t)i + 1, sh_find(rows, columns.items[i]), picked, count);
  return sh_put(call, table, entries);
}

static int64_t first_of(const struct session *session) { return session->first; }

static int64_t last_of(const struct session *session) { return session->last; }

// Writes what has changed.
static sh_status put_sessions(sh_call *call, const sh_batch *rows, const struct session *sessions, int64_t n) {
  const struct config *config = call->config;
  sh_table *open;
  SH_TRY(sh_entries_new(call, "open", &open));
  for (int64_t i = 0; i < n; i++) {
    if (sessions[i].added == 0) continue;
    sh_put_int(open, 0, sessions[i].key);
    sh_put_int(open, 1, sessions[i].start);
    sh_put_int(open, 2, sessions[i].end);
    sh_put_int(open, 3, sessions[i].n);
    sh_end_row(open);
  }
  SH_TRY(sh_put(call, "open", open));
  SH_TRY(put_rows(call, "first", config->first, rows, sessions, n, first_of));
  return put_rows(call, "last", config->last, rows, sessions, n, last_of);
}

// Each running session has one timer, at its end; but one that ends already, and of which more rows follow in the next call, has none yet.
// One that is over has none any more.
static sh_status move_timers(sh_call *call, const struct session *sessions, int64_t n, const bool *over) {
  const struct config *config = call->config;
  sh_timer *before = sh_alloc(call, (size_t)n * sizeof *before), *now = sh_alloc(call, (size_t)n * sizeof *now);
  int64_t n_before = 0, n_now = 0;
  for (int64_t i = 0; i < n; i++) {
    const struct session *session = &sessions[i];
    bool moved = !session->stored || session->before != session->end;
    if (session->stored && (over[i] || moved)) before[n_before++] = (sh_timer){session->key, ends(config, session->before)};
    int64_t at = ends(config, session->end);
    if (!over[i] && moved && !(call->has_watermark && at <= call->watermark)) now[n_now++] = (sh_timer){session->key, at};
  }
  SH_TRY(sh_clear_timers(call, SH_EVENT_TIME, before, n_before));
  return sh_set_timers(call, SH_EVENT_TIME, now, n_now);
}

// Adds the columns that a table has of some keys, from column `at` on, and removes them from it.
static sh_status close_table(sh_call *call, const char *table, const uint32_t *keys, int64_t n, sh_table *out, int32_t *at) {
  sh_entries entries;
  uint32_t *rows = sh_alloc(call, (size_t)n * sizeof *rows);
  SH_TRY(sh_get(call, table, keys, n, &entries));
  for (int64_t i = 0; i < n; i++) {
    int64_t row = sh_entry_of(&entries, keys[i]);
    if (row < 0) return sh_permanent(call, "a session that ends is not in the state");
    rows[i] = (uint32_t)row;
  }
  for (int32_t i = 0; i < entries.columns.n_columns; i++) sh_take(out, (*at)++, &entries.columns.columns[i], rows, n);
  return sh_remove(call, table, keys, n);
}

// The sessions of these keys, which are gone with that.
static sh_status close_sessions(sh_call *call, const sh_batch *all, const uint32_t *keys, int64_t n, sh_table *out) {
  const struct config *config = call->config;
  int32_t at = 0;
  if (n == 0) return SH_OK;
  for (; at < all->n_columns; at++) sh_take(out, at, &all->columns[at], keys, n);
  SH_TRY(close_table(call, "open", keys, n, out, &at));
  if (config->first.n) SH_TRY(close_table(call, "first", keys, n, out, &at));
  return config->last.n ? close_table(call, "last", keys, n, out, &at) : SH_OK;
}

static sh_status sessionize(sh_call *call, const sh_groups *groups, sh_table *out) {
  const struct config *config = call->config;
  int64_t n_keys = groups->keys.rows, n, n_over = 0;
  sh_entries open;
  SH_TRY(sh_get(call, "open", NULL, 0, &open));
  struct session *sessions = sh_alloc(call, (size_t)n_keys * sizeof *sessions);
  n = sessions_of(call, groups, sh_find(&groups->rows, config->time), &open, sessions);
  SH_TRY(put_sessions(call, &groups->rows, sessions, n));
  bool *over = sh_alloc(call, (size_t)n);
  uint32_t *keys = sh_alloc(call, (size_t)n * sizeof *keys);
  for (int64_t i = 0; i < n; i++) {
    bool follows = groups->more && (int64_t)sessions[i].key == n_keys - 1;
    // What follows of its rows belongs to it.
    over[i] = call->has_watermark && ends(config, sessions[i].end) <= call->watermark && !follows;
    if (over[i]) keys[n_over++] = sessions[i].key;
  }
  SH_TRY(move_timers(call, sessions, n, over));
  return close_sessions(call, &groups->keys, keys, n_over, out);
}

static sh_status ended(sh_call *call, const sh_fired *fired, sh_table *out) {
  uint32_t *keys = sh_alloc(call, (size_t)fired->n * sizeof *keys);
  for (int64_t i = 0; i < fired->n; i++) keys[i] = fired->timers[i].key;
  return close_sessions(call, &fired->keys, keys, fired->n, out);
}

STREAMHOST_KEYED_COLUMNS(sessionize, .reads = "", .plan = plan, .config = config, .config_size = sizeof(struct config), .keys_fired = ended);
