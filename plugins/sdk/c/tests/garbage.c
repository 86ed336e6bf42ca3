/* Bytes that no host sends: an error, or an answer that is whole; never a crash, a giant allocation or an endless loop. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 40000

static const char columns[] =
    "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, i BINARY, j DATE, k TIMESTAMP, l TIMESTAMP_NTZ, "
    "m DECIMAL(38,10), n ARRAY<STRING>, o STRUCT<x: INT, y: ARRAY<BIGINT>>, p MAP<STRING, DOUBLE>, q ARRAY<STRUCT<z: MAP<STRING, INT>>>";

static const char rows[] =
    "{\"a\": true, \"b\": 1, \"c\": 2, \"d\": 3, \"e\": 4, \"f\": 1.5, \"g\": 2.5, \"h\": \"ähm\", \"i\": \"00ff\", \"j\": \"2025-03-01\", "
    "\"k\": \"2025-03-01T12:00:00Z\", \"m\": \"1.5\", \"n\": [\"x\", null], \"o\": {\"x\": 1, \"y\": [1, 2]}, \"p\": {\"k\": 0.5}, \"q\": [{\"z\": "
    "{\"a\": 1}}], \"r0\": -2.5, \"r1\": 1, \"r2\": \"-PT0.5S\", \"r3\": \"1 mons\", \"r4\": \"-2 days\", \"r5\": \"1 mons -2 days 3 hours\"}\n"
    "{}\n{\"h\": \"\", \"n\": [], \"p\": {}, \"q\": [null]}\n";

// Types that have no name in DDL.
static const char *const formats[] = {"d:76,20,256", "tDs", "tDu", "tiM", "tiD", "tin"};

static sh_status plan(sh_plan *plan) { return sh_plan_output(plan, plan->input); }

static sh_status echo(sh_call *call, const sh_batch *batch, sh_table *out) {
  for (int32_t i = 0; i < batch->n_columns; i++) {
    for (int64_t row = 0; row < batch->rows; row++) SH_TRY(sh_append_value(call, sh_builder(out, i), &batch->columns[i], row));
  }
  return SH_OK;
}

STREAMHOST_TRANSFORM_COLUMNS(echo, .plan = plan);

/** The same in every run. */
static uint32_t chance(uint32_t below) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

/** Some bytes changed, most of them in the header; sometimes cut off. In memory of its own, so that what lies beyond is noticed. */
static uint8_t *spoilt(sh_bytes good, size_t header, size_t *size) {
  static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff};
  *size = chance(10) == 0 ? chance((uint32_t)good.size + 1) : good.size;
  uint8_t *bytes = (uint8_t *)malloc(*size ? *size : 1);
  memcpy(bytes, good.data, *size);
  for (uint32_t n = 1 + chance(8); n && *size; n--) {
    size_t at = chance(4) ? chance((uint32_t)(header < *size ? header : *size)) : chance((uint32_t)*size);
    bytes[at] = chance(2) ? telling[chance(5)] : (uint8_t)chance(256);
  }
  return bytes;
}

static void begin(sh_call *call, sh_internal *internal, sh_arena *arena) {
  memset(call, 0, sizeof *call);
  sh_call_begin(call, internal, arena);
}

/** What was answered, if anything, is read by the reader that hosts use of it. */
static bool is_whole(sh_call *call, sh_outcome *outcome) {
  sh_bytes messages = outcome->messages;
  sh_batch batch;
  while (messages.size) {
    if (sh_ipc_read(call, &sh_the_bound->output, &messages, &batch) != SH_OK) return false;
  }
  return true;
}

static int spoil_batches(sh_bytes good, size_t header) {
  int answered = 0;
  sh_arena arena = {0};
  for (int round = 0; round < ROUNDS; round++) {
    size_t size;
    uint8_t *bytes = spoilt(good, header, &size);
    sh_call call;
    sh_internal internal;
    sh_outcome outcome = {0};
    begin(&call, &internal, &arena);
    if (sh_process(&call, (sh_bytes){bytes, size}, &outcome) == SH_OK) {
      answered++;
      if (!is_whole(&call, &outcome)) sh_panic(__FILE__, __LINE__, "round %d: %s", round, internal.message);
    }
    sh_call_end(&call);
    sh_arena_reset(&arena);
    free(bytes);
  }
  sh_arena_free(&arena);
  return answered;
}

static int spoil_schemas(sh_bytes good) {
  int bound = 0;
  sh_arena arena = {0};
  for (int round = 0; round < ROUNDS; round++) {
    size_t size;
    uint8_t *bytes = spoilt(good, good.size, &size);
    sh_call call;
    sh_internal internal;
    begin(&call, &internal, &arena);
    bound += sh_bind(&call, SH_ROLE_TRANSFORM, (sh_text){"{}", 2}, (sh_bytes){bytes, size}, (sh_texts){NULL, 0}) == SH_OK;
    sh_arena_reset(&arena);
    free(bytes);
  }
  sh_arena_free(&arena);
  return bound;
}

static sh_status make(sh_call *call, struct ArrowSchema *schema) {
  SH_TRY(sh_ddl_parse(call, columns, schema));
  for (int i = 0; i < 6; i++) {
    struct ArrowSchema *child;
    SH_TRY(sh_schema_append(call, schema, &child));
    SH_TRY(sh_arrow(call, ArrowSchemaSetFormat(child, formats[i]), NULL));
    SH_TRY(sh_arrow(call, ArrowSchemaSetName(child, sh_format(call, "r%d", i)), NULL));
  }
  return SH_OK;
}

int main(void) {
  sh_arena arena = {0};
  sh_call call = {0};
  sh_internal internal;
  struct ArrowSchema types;
  sh_bytes schema, message;
  sh_call_begin(&call, &internal, &arena);
  sh_status made = make(&call, &types);
  if (made == SH_OK) made = sh_schema_write(&call, &types, &schema);
  if (made == SH_OK) made = sh_rows_read(&call, rows, &types, &message);
  sh_call binding = {0};
  sh_internal within;
  sh_call_begin(&binding, &within, &arena);
  if (made == SH_OK) made = sh_bind(&binding, SH_ROLE_TRANSFORM, (sh_text){"", 0}, schema, (sh_texts){NULL, 0});
  if (made != SH_OK) sh_panic(__FILE__, __LINE__, "%s %s", internal.message ? internal.message : "", within.message ? within.message : "");
  uint32_t header;
  memcpy(&header, message.data + 4, sizeof header);
  int answered = spoil_batches(message, 8 + header);
  int bound = spoil_schemas(schema);
  printf("of %d spoilt batches %d were answered, of as many schemas %d bound\n", ROUNDS, answered, bound);
  ArrowSchemaRelease(&types);
  sh_call_end(&call);
  sh_unbind();
  sh_arena_free(&arena);
  return answered == ROUNDS || bound == ROUNDS;
}
