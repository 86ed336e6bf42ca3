/* An epoch's rows as calls of a keyed plugin, and its timers after them. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static int64_t most_rows = 8192;

void sh_batch_rows(int64_t rows) { most_rows = rows > 0 ? rows : 1; }

/** What leaves an epoch. */
typedef struct leaving {
  sh_buffer rows, errors;
  sh_named_bytes sides[64];
  int64_t n_sides, n_timers;
} leaving;

/** An epoch's rows. */
typedef struct epoch {
  sh_case *test;
  sh_call clocks;
  sh_batch rows, keys, columns;
  /** Sorted by key. */
  int64_t *order;
  leaving out;
  /** The call that failed. */
  sh_call *failed;
} epoch;

/** What qsort compares by. */
static const sh_batch *sorting;

static int by_key(const void *a, const void *b) {
  int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
  int order = sh_compare_rows(sorting, one, sorting, other);
  return order ? order : one < other ? -1 : 1;
}

/** Columns of these names. */
static sh_batch picked(sh_call *call, const sh_batch *rows, const struct ArrowSchema *columns) {
  sh_column *made = (sh_column *)sh_alloc(call, (size_t)columns->n_children * sizeof *made);
  for (int64_t i = 0; i < columns->n_children; i++) made[i] = *sh_find(rows, columns->children[i]->name);
  return (sh_batch){.rows = rows->rows, .n_columns = (int32_t)columns->n_children, .columns = made, .schema = columns};
}

/** A message of some rows. */
static sh_status message_of(sh_call *call, const sh_batch *batch, const sh_schema *schema, const int64_t *rows, int64_t n, sh_bytes *message) {
  sh_table *table;
  sh_buffer out = {0};
  SH_TRY(sh_table_of(call, schema->arrow, &table));
  for (int64_t i = 0; i < n; i++) {
    for (int32_t k = 0; k < batch->n_columns; k++) sh_put_value(table, k, &batch->columns[k], rows[i]);
    sh_end_row(table);
  }
  SH_TRY(sh_table_write(table, "rows", schema, true, &out));
  *message = (sh_bytes){out.data, out.size};
  return SH_OK;
}

static void call_of(epoch *e, sh_call **call) {
  *call = (sh_call *)sh_alloc(e->test->call, sizeof **call);
  sh_internal *internal = (sh_internal *)sh_alloc(e->test->call, sizeof *internal);
  **call = e->clocks;
  sh_call_begin(*call, internal, e->test->call->internal->arena);
}

/** Adds what left a call. `rows` are the numbers of its rows in the epoch, or NULL for timers. */
static sh_status add_outcome(epoch *e, const sh_call *call, const sh_outcome *outcome, const int64_t *rows, sh_row_error *errors, int64_t *n_errors) {
  sh_call *own = e->test->call;
  SH_TRY(sh_rows_print(own, sh_the_bound->output.arrow, outcome->messages, &e->out.rows));
  for (int64_t i = 0; i < outcome->n_side && e->out.n_sides < 64; i++) e->out.sides[e->out.n_sides++] = outcome->side[i];
  for (int64_t i = 0; i < call->internal->n_errors; i++) {
    sh_row_error error = call->internal->errors[i];
    if (rows) {
      error.row = (uint32_t)rows[error.row];
      errors[(*n_errors)++] = error;
      continue;
    }
    sh_text_add(own, &e->out.errors,
                sh_format(own, "timer %lld%s: %s\n", (long long)(e->out.n_timers + error.row), error.retry ? " (retry)" : "", error.message));
  }
  return SH_OK;
}

/** Calls with some keys: rows `from` to `to` of the order. */
static sh_status process(epoch *e, int64_t from, int64_t to, bool more, sh_row_error *errors, int64_t *n_errors) {
  sh_call *own = e->test->call, *call;
  const int64_t *rows = e->order + from;
  int64_t n = to - from, n_keys = 0, *heads = (int64_t *)sh_alloc(own, (size_t)n * sizeof *heads);
  uint32_t *starts = (uint32_t *)sh_alloc(own, (size_t)n * sizeof *starts);
  sh_bytes keys, columns, copy;
  sh_batch batch;
  sh_outcome outcome = {0};
  for (int64_t i = 0; i < n; i++) {
    if (i && sh_compare_rows(&e->keys, rows[i - 1], &e->keys, rows[i]) == 0) continue;
    starts[n_keys] = (uint32_t)i;
    heads[n_keys++] = rows[i];
  }
  SH_TRY(message_of(own, &e->keys, &sh_the_bound->keys, heads, n_keys, &keys));
  SH_TRY(message_of(own, &e->columns, &sh_the_bound->reads, rows, n, &columns));
  copy = keys;
  SH_TRY(sh_ipc_read(own, &sh_the_bound->keys, &copy, &batch));
  sh_memory_enter(&batch);
  call_of(e, &call);
  sh_status done = sh_keyed_process(call, keys, starts, n_keys, columns, more, &outcome);
  sh_call_end(call);
  if (done == SH_OK) return add_outcome(e, call, &outcome, rows, errors, n_errors);
  e->failed = call;
  return SH_OK;
}

/** As many keys a call as there is room for; a key with more rows is alone in its calls. */
static sh_status process_all(epoch *e, sh_row_error *errors, int64_t *n_errors) {
  int64_t from = 0, to = 0, n = e->rows.rows;
  while (to < n && !e->failed) {
    int64_t end = to + 1;
    while (end < n && sh_compare_rows(&e->keys, e->order[to], &e->keys, e->order[end]) == 0) end++;
    if (end - from > most_rows && to > from) {
      SH_TRY(process(e, from, to, false, errors, n_errors));
      from = to;
      continue;
    }
    while (end - from > most_rows && !e->failed) {
      SH_TRY(process(e, from, from + most_rows, true, errors, n_errors));
      from += most_rows;
      if (end - from <= most_rows && !e->failed) {
        SH_TRY(process(e, from, end, false, errors, n_errors));
        from = end;
      }
    }
    to = end;
  }
  return from < to && !e->failed ? process(e, from, to, false, errors, n_errors) : SH_OK;
}

static sh_status fire(epoch *e, sh_clock clock) {
  int64_t n;
  const sh_due *due = sh_memory_due(clock, &n);
  sh_bytes keys;
  sh_call *call;
  sh_outcome outcome = {0};
  if (n == 0 || e->failed) return SH_OK;
  sh_timer *timers = (sh_timer *)sh_alloc(e->test->call, (size_t)n * sizeof *timers);
  SH_TRY(sh_memory_enter_due(due, n, &keys, timers));
  call_of(e, &call);
  sh_status done = sh_keyed_fired(call, clock, keys, timers, n, &outcome);
  sh_call_end(call);
  if (done != SH_OK) {
    e->failed = call;
    return SH_OK;
  }
  SH_TRY(add_outcome(e, call, &outcome, NULL, NULL, NULL));
  e->out.n_timers += n;
  return SH_OK;
}

static int by_row(const void *a, const void *b) {
  uint32_t one = ((const sh_row_error *)a)->row, other = ((const sh_row_error *)b)->row;
  return one < other ? -1 : one > other;
}

static sh_status run_rows(epoch *e) {
  sh_call *own = e->test->call;
  int64_t n = e->rows.rows, n_errors = 0;
  sh_row_error *errors = (sh_row_error *)sh_alloc(own, (size_t)n * sizeof *errors);
  e->keys = picked(own, &e->rows, sh_the_bound->keys.arrow);
  e->columns = picked(own, &e->rows, sh_the_bound->reads.arrow);
  e->order = (int64_t *)sh_alloc(own, (size_t)n * sizeof *e->order);
  for (int64_t i = 0; i < n; i++) e->order[i] = i;
  sorting = &e->keys;
  if (n) qsort(e->order, (size_t)n, sizeof *e->order, by_key);
  SH_TRY(process_all(e, errors, &n_errors));
  if (n_errors) qsort(errors, (size_t)n_errors, sizeof *errors, by_row);
  sh_buffer text = {0};
  sh_errors_print(own, &(sh_internal){.errors = errors, .n_errors = n_errors}, "row", &text);
  sh_text_add(own, &text, e->out.errors.size ? sh_text_end(own, &e->out.errors) : "");
  e->out.errors = text;
  SH_TRY(fire(e, SH_EVENT_TIME));
  return fire(e, SH_PROCESSING_TIME);
}

static sh_status check(epoch *e, const sh_json *table) {
  sh_call *own = e->test->call;
  sh_buffer expected = {0};
  bool failure = sh_check_failure(e->test, table, e->failed);
  if (e->failed) sh_memory_back();
  if (failure) return SH_OK;
  SH_TRY(sh_rows_expected(own, sh_the_bound->output.arrow, sh_case_text(table, "expect"), &expected));
  sh_differs(e->test, "rows", sh_text_end(own, &expected), sh_text_end(own, &e->out.rows));
  sh_check_errors(e->test, table, sh_text_end(own, &e->out.errors));
  return sh_check_outputs(e->test, table, e->out.sides, e->out.n_sides);
}

static sh_status set_clocks(sh_case *test, const sh_json *table, sh_call *clocks) {
  const char *watermark = sh_case_text(table, "watermark"), *now = sh_case_text(table, "now");
  if (*watermark) clocks->has_watermark = sh_read_moment(watermark, &clocks->watermark);
  if ((*watermark && !clocks->has_watermark) || (*now && !sh_read_moment(now, &clocks->now)))
    return sh_invalid(test->call, "write a time as 2025-03-01T12:00:00Z");
  return SH_OK;
}

static sh_status run_epoch(sh_case *test, const sh_json *table, sh_schema *input, sh_call *clocks) {
  epoch *e = (epoch *)sh_alloc(test->call, sizeof *e);
  sh_bytes message;
  memset(e, 0, sizeof *e);
  e->test = test;
  SH_TRY(set_clocks(test, table, clocks));
  e->clocks = *clocks;
  SH_TRY(sh_rows_read(test->call, sh_case_text(table, "input"), input->arrow, &message));
  SH_TRY(sh_ipc_read(test->call, input, &message, &e->rows));
  sh_memory_mark();
  sh_memory_epoch(&e->clocks);
  SH_TRY(run_rows(e));
  clocks->epoch += !e->failed;
  return check(e, table);
}

sh_status sh_case_keyed(sh_case *test) {
  const sh_json *epochs = sh_json_member(test->file, "epochs");
  sh_call clocks = {.query = "test"};
  sh_schema input;
  sh_table *holder;
  int number = 0;
  sh_check_failure(test, test->file, NULL);
  SH_TRY(sh_table_new(test->call, sh_case_text(test->file, "schema"), &holder));
  SH_TRY(sh_schema_types(test->call, &holder->schema, &input));
  sh_memory_begin(test->call);
  for (const sh_json *table = epochs ? epochs->first : NULL; table; table = table->next, number++) {
    size_t before = test->differences.size;
    SH_TRY(run_epoch(test, table, &input, &clocks));
    if (test->differences.size > before) sh_text_add(test->call, &test->differences, sh_format(test->call, "  in epoch %d\n", number));
  }
  return SH_OK;
}
