/** The harness within. */
#ifndef STREAMHOST_HARNESS_H
#define STREAMHOST_HARNESS_H

#include "../src/core.h"
#include "../src/json.h"

#include <streamhost/testing.h>

/** Reads TOML as the fixtures have it: no dates. Fails with the line. */
sh_status sh_toml_parse(sh_call *call, const char *text, sh_json **table);

/** Reads rows, a JSON object a line, into a message. `rows` is how many. */
sh_status sh_rows_read(sh_call *call, const char *lines, const struct ArrowSchema *schema, sh_bytes *message);
/** `2025-03-01T12:00:00Z` in microseconds; `2025-03-01` in days. */
bool sh_read_moment(const char *text, int64_t *micros);
bool sh_read_date(const char *text, int64_t *days);

/** A duration, `-PT1.5S`; and an interval, `1 mons -2 days 3 hours 0.000000004 secs`, of the type that `value` has. */
const char *sh_duration_text(sh_call *call, enum ArrowTimeUnit unit, int64_t value);
bool sh_duration_read(const char *text, enum ArrowTimeUnit unit, int64_t *value);
const char *sh_interval_text(sh_call *call, const struct ArrowInterval *value);
bool sh_interval_read(const char *text, struct ArrowInterval *value);

/** Writes columns of a row as members of a JSON object, without its nulls. */
void sh_row_print(sh_call *call, const sh_batch *batch, int64_t row, sh_buffer *text);
/** Ends a text with a zero. */
const char *sh_text_end(sh_call *call, sh_buffer *text);
void sh_text_add(sh_call *call, sh_buffer *text, const char *more);
/** Each row of messages, a line each. */
sh_status sh_rows_print(sh_call *call, const struct ArrowSchema *schema, sh_bytes messages, sh_buffer *text);
/** The rows that are expected, of these columns, as they are printed. */
sh_status sh_rows_expected(sh_call *call, const struct ArrowSchema *schema, const char *lines, sh_buffer *text);

/** A case that is being run. */
typedef struct sh_case {
  sh_call *call;
  const sh_json *file;
  /** What differs, a line each. */
  sh_buffer differences;
} sh_case;

void sh_differs(sh_case *test, const char *what, const char *expected, const char *got);
/** A text of the case, or "". */
const char *sh_case_text(const sh_json *table, const char *name);
/** Compares errors with `errors` of a table; `what` is `row` or `timer`. */
void sh_check_errors(sh_case *test, const sh_json *table, const char *got);
void sh_errors_print(sh_call *call, const sh_internal *internal, const char *what, sh_buffer *text);
/** Compares side outputs with `outputs` of a table. */
sh_status sh_check_outputs(sh_case *test, const sh_json *table, const sh_named_bytes *sides, int64_t n);
/** Compares the failure of a call with `failure` of a table. Whether one was expected. */
bool sh_check_failure(sh_case *test, const sh_json *table, const sh_call *failed);
/** A call of the plugin that is bound. */
void sh_case_call(sh_case *test, sh_call *call, sh_internal *internal);
sh_status sh_case_keyed(sh_case *test);
sh_status sh_case_function(sh_case *test);

/** What a sink wrote. */
void sh_outputs_begin(sh_call *call, sh_bytes rows);
const sh_named_bytes *sh_outputs_written(int64_t *n);
/** A statement that a sink ran. */
typedef struct sh_executed {
  const char *output, *statement, *parameters;
  /** The schema message of the parameters. */
  sh_bytes schema;
} sh_executed;
const sh_executed *sh_outputs_executed(int64_t *n);

/* The state of a keyed plugin between calls. */

typedef struct sh_due {
  int64_t at;
  int32_t key;
} sh_due;

void sh_memory_begin(sh_call *call);
/** Begins an epoch of these clocks. */
void sh_memory_epoch(const sh_call *epoch);
/** The keys of the call that follows: a batch of them. */
void sh_memory_enter(const sh_batch *keys);
/** Takes the timers that a clock has reached, by time and then by key. */
const sh_due *sh_memory_due(sh_clock clock, int64_t *n);
/** The keys of timers in their order, as a message; and the timers by the rows of these. */
sh_status sh_memory_enter_due(const sh_due *due, int64_t n, sh_bytes *keys, sh_timer *timers);
/** Notes how all is; and makes it that again. */
void sh_memory_mark(void);
void sh_memory_back(void);
/** The order of rows by their columns, nulls first. */
int sh_compare_rows(const sh_batch *one, int64_t row, const sh_batch *other, int64_t other_row);

#endif
