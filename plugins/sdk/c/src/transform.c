#include "core.h"

#include <string.h>

/** What the answer of a call grows from, batch by batch. */
typedef struct answer {
  sh_call *call;
  const sh_bound *bound;
  /** Bits of all rows so far; NULL while all are kept. */
  uint8_t *keep;
  int64_t rows;
  sh_buffer messages;
} answer;

static bool is_filter(const sh_plugin *plugin) { return plugin->filter_row || plugin->filter; }

static bool is_map(const sh_plugin *plugin) { return plugin->map_row || plugin->map; }

static uint8_t *no_bits(sh_call *call, int64_t rows) {
  size_t bytes = (size_t)(rows + 7) / 8;
  uint8_t *bits = (uint8_t *)sh_alloc(call, bytes);
  memset(bits, 0, bytes);
  return bits;
}

uint8_t *sh_keep(sh_call *call) {
  sh_internal *in = call->internal;
  if (!in->keep) in->keep = no_bits(call, in->batch_rows);
  return in->keep;
}

sh_table *sh_side(sh_call *call, const char *name) {
  const sh_bound *bound = call->internal->bound;
  sh_internal *in = call->internal;
  if (!in->sides) {
    in->sides = (sh_side_rows *)sh_alloc(call, (size_t)bound->n_sides * sizeof *in->sides);
    memset(in->sides, 0, (size_t)bound->n_sides * sizeof *in->sides);
  }
  for (int32_t i = 0; i < bound->n_sides; i++) {
    if (strcmp(bound->sides[i].name, name) != 0) continue;
    if (!in->sides[i].table && sh_table_of(call, bound->sides[i].schema.arrow, &in->sides[i].table) != SH_OK) return NULL;
    return in->sides[i].table;
  }
  sh_permanent(call, "the plugin did not say that it has a side output `%s`", name);
  return NULL;
}

sh_status sh_sides_write(sh_call *call, sh_outcome *outcome) {
  const sh_bound *bound = call->internal->bound;
  if (!call->internal->sides) return SH_OK;
  outcome->side = (sh_named_bytes *)sh_alloc(call, (size_t)bound->n_sides * sizeof *outcome->side);
  for (int32_t i = 0; i < bound->n_sides; i++) {
    sh_table *table = call->internal->sides[i].table;
    sh_buffer messages = {0};
    if (!table) continue;
    const char *what = sh_format(call, "side output `%s`", bound->sides[i].name);
    SH_TRY(sh_table_write(table, what, &bound->sides[i].schema, false, &messages));
    if (messages.size) outcome->side[outcome->n_side++] = (sh_named_bytes){bound->sides[i].name, {messages.data, messages.size}};
  }
  return SH_OK;
}

/** Calls the function for a row; whether it is kept. A map's row is added with that. */
static bool one_row(const sh_plugin *plugin, const sh_row *row, sh_table *out) {
  sh_call *call = row->call;
  if (plugin->filter_row) return plugin->filter_row(row);
  if (plugin->map_row) {
    bool kept = plugin->map_row(row, out);
    if (kept && sh_done(call) == SH_OK) sh_end_row(out);
    return kept;
  }
  if (plugin->transform_row(row, out) != SH_OK && sh_done(call) == SH_OK) sh_permanent(call, "it failed without a message");
  return true;
}

/** Calls a function for each row: the rows that it answers true for have their bits set. What a row added that fails is left out. */
static sh_status each_row(answer *a, const sh_batch *batch, uint8_t *keep, sh_table *out) {
  sh_drops drops = {0};
  bool check = false;
  for (int32_t i = 0; i < batch->n_columns; i++) check = check || (a->bound->not_null[i] && batch->columns[i].nulls);
  for (int64_t i = 0; i < batch->rows; i++) {
    sh_row row = {a->call, batch, i};
    int64_t before = out ? out->rows : 0;
    const char *null = check ? sh_null_message(a->call, batch, a->bound->not_null, i) : NULL;
    if (null) {
      sh_reject(a->call, i, "%s", null);
      continue;
    }
    bool kept = one_row(a->bound->plugin, &row, out);
    if (sh_rows_failed(a->call, i, 1)) {
      SH_TRY(sh_done(a->call));
      if (out) sh_drop(a->call, &drops, before, out->rows);
      kept = false;
    }
    if (kept && keep) sh_set_bit(keep, i);
    if (out) sh_table_forget_row(out);
  }
  return out ? sh_drops_apply(out, &drops) : SH_OK;
}

/** Clears the bits of rows in error from the first of these errors on. */
static void without_errors(sh_call *call, int64_t first, uint8_t *keep, int64_t rows) {
  const sh_internal *in = call->internal;
  for (int64_t i = first; i < in->n_errors; i++) {
    int64_t row = (int64_t)in->errors[i].row - in->rows_before;
    if (row < rows) sh_clear_bit(keep, row);
  }
}

/** Adds the bits of a batch; NULL means that all are set. */
static void add_bits(answer *a, const uint8_t *bits, int64_t rows) {
  if (a->rows == 0 && bits) {
    a->keep = (uint8_t *)bits;
    return;
  }
  if (!bits && !a->keep) return;
  uint8_t *both = no_bits(a->call, a->rows + rows);
  for (int64_t i = 0; i < a->rows + rows; i++) {
    bool set = i < a->rows ? !a->keep || sh_bit(a->keep, i) : !bits || sh_bit(bits, i - a->rows);
    if (set) sh_set_bit(both, i);
  }
  a->keep = both;
}

static sh_status filter(answer *a, const sh_batch *batch) {
  int64_t first = a->call->internal->n_errors;
  uint8_t *keep = no_bits(a->call, batch->rows);
  if (a->bound->plugin->filter_row)
    SH_TRY(each_row(a, batch, keep, NULL));
  else
    SH_TRY(a->bound->plugin->filter(a->call, batch, keep));
  without_errors(a->call, first, keep, batch->rows);
  add_bits(a, keep, batch->rows);
  return SH_OK;
}

/** Of a function over columns: the values of rows in error are dropped where there is a bitmap, and by the host where there is none. */
static sh_status check_map(answer *a, sh_table *added, int64_t first, int64_t rows) {
  uint8_t *keep = a->call->internal->keep;
  int64_t given, wanted = keep ? sh_count_bits(keep, rows) : rows;
  SH_TRY(sh_table_finish(added, "the new columns", &given));
  if (given != wanted) return sh_permanent(a->call, "the new columns are %lld, and the rows %lld", (long long)given, (long long)wanted);
  if (!keep || a->call->internal->n_errors == first) return SH_OK;
  return sh_permanent(a->call, "a map that drops rows leaves the bits of rows in error unset");
}

static bool set_in_error(answer *a, int64_t first, int64_t rows) {
  const sh_internal *in = a->call->internal;
  for (int64_t i = first; in->keep && i < in->n_errors; i++) {
    int64_t row = (int64_t)in->errors[i].row - in->rows_before;
    if (row < rows && sh_bit(in->keep, row)) return true;
  }
  return false;
}

static sh_status map(answer *a, const sh_batch *batch) {
  sh_call *call = a->call;
  sh_table *added;
  int64_t first = call->internal->n_errors;
  SH_TRY(sh_table_of(call, a->bound->output.arrow, &added));
  if (a->bound->plugin->map_row) {
    SH_TRY(each_row(a, batch, sh_keep(call), added));
  } else {
    SH_TRY(a->bound->plugin->map(call, batch, added));
    SH_TRY(check_map(a, added, set_in_error(a, first, batch->rows) ? first : call->internal->n_errors, batch->rows));
  }
  uint8_t *keep = call->internal->keep;
  if (keep && sh_count_bits(keep, batch->rows) == batch->rows) keep = NULL;
  add_bits(a, keep, batch->rows);
  return sh_table_write(added, "the new columns", &a->bound->output, true, &a->messages);
}

static sh_status transform(answer *a, const sh_batch *batch) {
  sh_table *out;
  SH_TRY(sh_table_of(a->call, a->bound->output.arrow, &out));
  if (a->bound->plugin->transform_row)
    SH_TRY(each_row(a, batch, NULL, out));
  else
    SH_TRY(a->bound->plugin->transform(a->call, batch, out));
  return sh_table_write(out, "the output", &a->bound->output, true, &a->messages);
}

static sh_main main_of(const answer *a) {
  if (is_filter(a->bound->plugin)) return SH_KEEP;
  if (!is_map(a->bound->plugin)) return SH_REPLACE;
  return a->keep ? SH_KEEP_EXTEND : SH_EXTEND;
}

/** What a function over columns says of an empty batch it says of all. */
static sh_status try_empty(sh_call *call, sh_bound *bound) {
  const sh_plugin *plugin = bound->plugin;
  answer a = {.call = call, .bound = bound};
  sh_batch empty;
  SH_TRY(sh_ipc_empty(call, &bound->reads, &empty));
  if (is_filter(plugin)) return filter(&a, &empty);
  return is_map(plugin) ? map(&a, &empty) : transform(&a, &empty);
}

static sh_status bind(sh_call *call, sh_bound *bound) {
  const sh_plugin *plugin = bound->plugin;
  bool rows = plugin->transform_row || plugin->transform;
  bound->output_kind = rows ? SH_OUT_ROWS : SH_OUT_COLUMNS;
  if (rows || is_filter(plugin) || is_map(plugin)) return try_empty(call, bound);
  return sh_invalid(call, "`%s` has no function for its rows", sh_plugin_name(plugin));
}

const struct sh_way sh_way_transform = {bind};

sh_status sh_process(sh_call *call, sh_bytes messages, sh_outcome *outcome) {
  SH_TRY(sh_enter(call));
  answer a = {.call = call, .bound = call->internal->bound};
  const sh_plugin *plugin = a.bound->plugin;
  if (plugin->role != SH_ROLE_TRANSFORM) return sh_permanent(call, "the plugin was bound to another role");
  while (messages.size) {
    sh_batch batch;
    SH_TRY(sh_ipc_read(call, &a.bound->reads, &messages, &batch));
    call->internal->keep = NULL;
    call->internal->batch_rows = batch.rows;
    SH_TRY(is_filter(plugin) ? filter(&a, &batch) : is_map(plugin) ? map(&a, &batch) : transform(&a, &batch));
    SH_TRY(sh_done(call));
    a.rows += batch.rows;
    call->internal->rows_before = a.rows;
  }
  sh_errors_settle(call->internal);
  outcome->main = main_of(&a);
  outcome->keep = (sh_bytes){a.keep, (size_t)(a.rows + 7) / 8};
  outcome->messages = (sh_bytes){a.messages.data, a.messages.size};
  return sh_sides_write(call, outcome);
}
