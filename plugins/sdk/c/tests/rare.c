/* Types that Spark has no columns of: decimals of 256 bits, durations, intervals. They come back as they went in, whatever way they go. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
  if (!(condition)) sh_panic(__FILE__, __LINE__, "%s", #condition)

static const char *const formats[] = {"d:76,20,256", "d:1,0,256", "tDs", "tDm", "tDu", "tDn", "tiM", "tiD", "tin"};
#define COLUMNS (int64_t)(sizeof formats / sizeof *formats)

static const char names[] =
    "a Decimal256(76, 20), b Decimal256(1, 0), c Duration(s), d Duration(ms), e Duration(µs), f Duration(ns), g Interval(YearMonth), "
    "h Interval(DayTime), i INTERVAL, j ARRAY<INTERVAL>";

// In the order and the words in which they are printed.
static const char *const rows[] = {
    "{\"a\": 0.00000000000000000001, \"b\": -9, \"c\": \"PT1S\", \"d\": \"PT0.001S\", \"e\": \"-PT0.000001S\", \"f\": \"PT1.5S\", "
    "\"g\": \"0 years 1 mons\", \"h\": \"1 days -0.002 secs\", \"i\": \"1 mons -2 days 0.000000003 secs\", \"j\": [\"-1 mons\", null, \"0 secs\"]}\n",
    "{}\n",
    "{\"a\": 99999999999999999999999999999999999999999999999999999999.99999999999999999999, \"c\": \"PT9223372036854775807S\", "
    "\"d\": \"PT9223372036854775.807S\", \"e\": \"PT9223372036854.775807S\", \"f\": \"PT9223372036.854775807S\", \"g\": \"178956970 years 7 mons\", "
    "\"h\": \"2147483647 days 596 hours 31 mins 23.647 secs\", "
    "\"i\": \"2147483647 mons 2147483647 days 2562047 hours 47 mins 16.854775807 secs\"}\n",
    "{\"a\": -99999999999999999999999999999999999999999999999999999999.99999999999999999999, \"c\": \"-PT9223372036854775808S\", "
    "\"d\": \"-PT9223372036854775.808S\", \"e\": \"-PT9223372036854.775808S\", \"f\": \"-PT9223372036.854775808S\", "
    "\"g\": \"-178956971 years 4 mons\", \"h\": \"-2147483648 days -596 hours -31 mins -23.648 secs\", "
    "\"i\": \"-2147483648 mons -2147483648 days -2562047 hours -47 mins -16.854775808 secs\", \"j\": []}\n",
    "{\"c\": \"P0D\", \"d\": \"P0D\", \"e\": \"P0D\", \"f\": \"P0D\", \"g\": \"0 years 0 mons\", \"h\": \"0 secs\", \"i\": \"0 secs\"}\n"};
#define ROWS (int64_t)(sizeof rows / sizeof *rows)

/** One of each way in which a batch may leave. */
static enum { PUT, PUT_VALUES, APPEND, TAKE, SET } way;

static sh_status plan(sh_plan *plan) { return sh_plan_output(plan, plan->input); }

static void put(sh_table *out, const sh_row *row, int32_t i) {
  const sh_column *column = &row->batch->columns[i];
  if (sh_get_null(row, i)) return;
  switch (column->type) {
    case NANOARROW_TYPE_DECIMAL256: sh_put_decimal256(out, i, sh_get_decimal256(row, i)); break;
    case NANOARROW_TYPE_DURATION: sh_put_int(out, i, sh_get_int(row, i)); break;
    case NANOARROW_TYPE_LIST: sh_put_value(out, i, column, row->index); break;
    default: sh_put_interval(out, i, sh_get_interval(row, i));
  }
}

static sh_status echo(sh_call *call, const sh_batch *batch, sh_table *out) {
  uint32_t numbers[] = {0, 1, 2, 3, 4};
  for (int64_t row = 0; row < batch->rows && way <= PUT_VALUES; row++) {
    sh_row one = {call, batch, row};
    for (int32_t i = 0; i < batch->n_columns; i++) {
      if (way == PUT)
        put(out, &one, i);
      else
        sh_put_value(out, i, &batch->columns[i], row);
    }
    sh_end_row(out);
  }
  for (int32_t i = 0; i < batch->n_columns; i++) {
    for (int64_t row = 0; row < batch->rows && way == APPEND; row++) SH_TRY(sh_append_value(call, sh_builder(out, i), &batch->columns[i], row));
    if (way == TAKE) sh_take(out, i, &batch->columns[i], numbers, batch->rows);
    if (way == SET) sh_set_column(out, i, &batch->columns[i]);
  }
  return SH_OK;
}

STREAMHOST_TRANSFORM_COLUMNS(echo, .plan = plan);

/** A column of each format, and a list. */
static sh_status make(sh_call *call, const char *const *given, int64_t n, struct ArrowSchema *schema) {
  SH_TRY(sh_ddl_parse(call, "", schema));
  for (int64_t i = 0; i < n; i++) {
    struct ArrowSchema *child;
    SH_TRY(sh_schema_append(call, schema, &child));
    SH_TRY(sh_arrow(call, ArrowSchemaSetFormat(child, given[i]), NULL));
    SH_TRY(sh_arrow(call, ArrowSchemaSetName(child, (char[]){(char)('a' + i), 0}), NULL));
  }
  return SH_OK;
}

static void begin(sh_call *call, sh_internal *internal, sh_arena *arena) {
  memset(call, 0, sizeof *call);
  sh_call_begin(call, internal, arena);
}

static void come_back(sh_arena *arena, const struct ArrowSchema *schema, const char *lines) {
  for (way = PUT; way <= SET; way++) {
    sh_call call;
    sh_internal internal;
    sh_bytes message;
    sh_outcome outcome = {0};
    sh_buffer text = {0};
    begin(&call, &internal, arena);
    if (sh_rows_read(&call, lines, schema, &message) != SH_OK || sh_process(&call, message, &outcome) != SH_OK ||
        sh_rows_print(&call, schema, outcome.messages, &text) != SH_OK)
      sh_panic(__FILE__, __LINE__, "way %d: %s", (int)way, internal.message);
    const char *got = sh_text_end(&call, &text);
    if (strcmp(got, lines) != 0) sh_panic(__FILE__, __LINE__, "way %d: %s\nand not\n%s", (int)way, got, lines);
    sh_call_end(&call);
  }
}

/** As keys, the least values come before the greatest. */
static void order(sh_arena *arena, sh_schema *schema) {
  sh_call call;
  sh_internal internal;
  sh_bytes message;
  sh_batch batch;
  begin(&call, &internal, arena);
  CHECK(sh_rows_read(&call, sh_format(&call, "%s%s", rows[3], rows[2]), schema->arrow, &message) == SH_OK);
  CHECK(sh_ipc_read_one(&call, schema, message, &batch) == SH_OK);
  for (int32_t i = 0; i < COLUMNS; i++) {
    sh_batch one = {.n_columns = 1, .columns = &batch.columns[i]};
    int greater = sh_is_null(one.columns, 0) ? 0 : 1;
    CHECK(sh_compare_rows(&one, 0, &one, 1) == -greater && sh_compare_rows(&one, 1, &one, 0) == greater);
    CHECK(sh_compare_rows(&one, 1, &one, 1) == 0);
  }
  sh_call_end(&call);
}

/** Whether a schema is refused in which a number, that two formats have in common but for its value, is another one. */
static bool is_refused(sh_arena *arena, const char *one, const char *other, size_t width, int32_t value) {
  sh_call call;
  sh_internal internal;
  sh_bytes messages[2];
  struct ArrowSchema schema;
  const char *const both[] = {one, other};
  begin(&call, &internal, arena);
  for (int i = 0; i < 2; i++) {
    CHECK(make(&call, &both[i], 1, &schema) == SH_OK && sh_schema_write(&call, &schema, &messages[i]) == SH_OK);
    ArrowSchemaRelease(&schema);
  }
  size_t at = 0;
  while (messages[0].data[at] == messages[1].data[at]) at++;
  memcpy((uint8_t *)messages[0].data + at, &value, width);
  sh_status status = sh_schema_read(&call, messages[0], &schema);
  if (status == SH_OK) ArrowSchemaRelease(&schema);
  bool refused = status != SH_OK && strstr(internal.message, "malformed");
  sh_call_end(&call);
  return refused;
}

static void refuse(sh_arena *arena) {
  static const int32_t widths[] = {-1, 0, 32, 64, 127, 255, 512, INT32_MIN}, units[] = {-1, 3, 255, INT16_MIN}, times[] = {-1, 4, INT16_MIN};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) CHECK(is_refused(arena, "d:38,0", "d:38,0,256", 4, widths[i]));
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) CHECK(is_refused(arena, "tiM", "tin", 2, units[i]));
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) CHECK(is_refused(arena, "tDs", "tDn", 2, times[i]));
  // Digits: as many as the width has, and no more.
  CHECK(is_refused(arena, "d:75,0,256", "d:76,0,256", 4, 77) && is_refused(arena, "d:37,0", "d:38,0", 4, 39));
  CHECK(is_refused(arena, "d:76,75,256", "d:76,76,256", 4, 77) && is_refused(arena, "d:76,1,256", "d:76,0,256", 4, -77));
  CHECK(!is_refused(arena, "d:75,0,256", "d:76,0,256", 4, 39) && !is_refused(arena, "tiM", "tin", 2, 1));
}

int main(void) {
  sh_arena arena = {0}, binding = {0};
  sh_call call;
  sh_internal internal;
  struct ArrowSchema schema, list;
  sh_bytes message;
  begin(&call, &internal, &binding);
  CHECK(make(&call, formats, COLUMNS, &schema) == SH_OK && sh_ddl_type(&call, "ARRAY<INTERVAL>", &list) == SH_OK);
  CHECK(sh_schema_add_like(&call, &schema, "j", &list) == SH_OK);
  if (strcmp(sh_columns_text(&call, &schema), names) != 0) sh_panic(__FILE__, __LINE__, "%s", sh_columns_text(&call, &schema));
  CHECK(sh_schema_write(&call, &schema, &message) == SH_OK);
  CHECK(sh_bind(&call, SH_ROLE_TRANSFORM, (sh_text){"", 0}, message, (sh_texts){NULL, 0}) == SH_OK);
  sh_buffer all = {0};
  for (int64_t i = 0; i < ROWS; i++) {
    come_back(&arena, &schema, rows[i]);
    sh_text_add(&call, &all, rows[i]);
  }
  come_back(&arena, &schema, sh_text_end(&call, &all));
  come_back(&arena, &schema, "");
  order(&arena, &(sh_schema){&schema, sh_the_bound->output.types, sh_the_bound->output.n_types});
  refuse(&arena);
  ArrowSchemaRelease(&list);
  ArrowSchemaRelease(&schema);
  sh_call_end(&call);
  sh_unbind();
  sh_arena_free(&binding);
  sh_arena_free(&arena);
  return 0;
}
