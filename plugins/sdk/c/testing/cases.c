#define _DEFAULT_SOURCE

#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A case with its columns. */
typedef struct columns {
  struct ArrowSchema input;
  sh_bytes rows;
} columns;

static const char *json_of(sh_call *call, const sh_json *value);

static void json_add(sh_call *call, const sh_json *value, sh_buffer *text) {
  switch (value->kind) {
    case SH_JSON_NULL: sh_text_add(call, text, "null"); break;
    case SH_JSON_FALSE: sh_text_add(call, text, "false"); break;
    case SH_JSON_TRUE: sh_text_add(call, text, "true"); break;
    case SH_JSON_NUMBER: sh_text_add(call, text, value->text.data); break;
    case SH_JSON_TEXT: sh_json_quote(call, text, value->text); break;
    default: {
      bool list = value->kind == SH_JSON_ARRAY;
      sh_text_add(call, text, list ? "[" : "{");
      for (const sh_json *item = value->first; item; item = item->next) {
        if (item != value->first) sh_text_add(call, text, ",");
        if (!list) sh_json_quote(call, text, (sh_text){item->name, (int64_t)strlen(item->name)});
        if (!list) sh_text_add(call, text, ":");
        json_add(call, item, text);
      }
      sh_text_add(call, text, list ? "]" : "}");
    }
  }
}

static const char *json_of(sh_call *call, const sh_json *value) {
  sh_buffer text = {0};
  if (value) json_add(call, value, &text);
  return sh_text_end(call, &text);
}

/** Binds the plugin as the case says. */
static sh_status bind(sh_case *test, sh_role role, const struct ArrowSchema *input, sh_call *call, sh_internal *internal) {
  const sh_json *keys = sh_json_member(test->file, "keys");
  sh_text *names = (sh_text *)sh_alloc(test->call, (size_t)(keys ? keys->n : 0) * sizeof *names);
  int64_t n = 0;
  for (const sh_json *key = keys ? keys->first : NULL; key; key = key->next) names[n++] = key->text;
  const char *config = json_of(test->call, sh_json_member(test->file, "config"));
  sh_bytes schema;
  SH_TRY(sh_schema_write(test->call, input, &schema));
  sh_case_call(test, call, internal);
  sh_status bound = sh_bind(call, (uint32_t)role, (sh_text){config, (int64_t)strlen(config)}, schema, (sh_texts){names, n});
  sh_call_end(call);
  return bound;
}

/** The columns that the plugin reads. */
static sh_status project(sh_case *test, const columns *given, sh_bytes *message) {
  sh_schema types;
  sh_batch all;
  sh_table *table;
  sh_buffer out = {0};
  sh_bytes rows = given->rows;
  SH_TRY(sh_schema_types(test->call, (struct ArrowSchema *)&given->input, &types));
  SH_TRY(sh_ipc_read(test->call, &types, &rows, &all));
  SH_TRY(sh_table_of(test->call, sh_the_bound->reads.arrow, &table));
  table->rows = all.rows;
  for (int32_t i = 0; i < sh_the_bound->n_reads; i++) sh_set_column(table, i, sh_find(&all, sh_the_bound->read_names[i]));
  SH_TRY(sh_table_write(table, "rows", &sh_the_bound->reads, true, &out));
  *message = (sh_bytes){out.data, out.size};
  return SH_OK;
}

/** A row of the input and what was added to it. */
static void joined(sh_call *call, const sh_batch *input, int64_t row, const sh_batch *added, int64_t at, sh_buffer *text) {
  sh_buffer one = {0}, other = {0};
  sh_row_print(call, input, row, &one);
  if (added) sh_row_print(call, added, at, &other);
  sh_text_add(call, text,
              sh_format(call, "{%.*s%s%.*s}\n", (int)one.size, (const char *)one.data, one.size && other.size ? ", " : "", (int)other.size,
                        (const char *)other.data));
}

static bool in_error(const sh_internal *internal, int64_t row) {
  for (int64_t i = 0; i < internal->n_errors; i++) {
    if ((int64_t)internal->errors[i].row == row) return true;
  }
  return false;
}

/** Does with bitmaps and added columns what the host does. */
static sh_status joined_rows(sh_case *test, const columns *given, const sh_internal *internal, const sh_outcome *outcome, sh_buffer *text) {
  sh_schema types;
  sh_batch input, added;
  sh_bytes rows = given->rows, messages = outcome->messages;
  bool bits = outcome->main != SH_EXTEND, more = outcome->main != SH_KEEP;
  SH_TRY(sh_schema_types(test->call, (struct ArrowSchema *)&given->input, &types));
  SH_TRY(sh_ipc_read(test->call, &types, &rows, &input));
  if (more) SH_TRY(sh_ipc_read(test->call, &sh_the_bound->output, &messages, &added));
  for (int64_t row = 0, at = 0; row < input.rows; row++) {
    if (bits && !sh_bit(outcome->keep.data, row)) continue;
    if (bits || !in_error(internal, row)) joined(test->call, &input, row, more ? &added : NULL, at, text);
    at++;
  }
  return SH_OK;
}

/** The columns of the main output. */
static sh_status output_columns(sh_case *test, const columns *given, struct ArrowSchema **columns) {
  sh_table *table;
  SH_TRY(sh_table_of(test->call, sh_the_bound->output.arrow, &table));
  *columns = &table->schema;
  if (sh_the_bound->output_kind == SH_OUT_ROWS) return SH_OK;
  SH_TRY(sh_table_of(test->call, &given->input, &table));
  for (int64_t i = 0; i < sh_the_bound->output.arrow->n_children; i++) {
    struct ArrowSchema *child, *from = sh_the_bound->output.arrow->children[i];
    SH_TRY(sh_schema_append(test->call, &table->schema, &child));
    ArrowSchemaRelease(child);
    SH_TRY(sh_arrow(test->call, ArrowSchemaDeepCopy(from, child), NULL));
  }
  *columns = &table->schema;
  return SH_OK;
}

static sh_status run_rows(sh_case *test, const columns *given) {
  sh_call call;
  sh_internal internal;
  sh_outcome outcome = {0};
  sh_bytes message;
  sh_buffer expected = {0}, got = {0}, errors = {0};
  struct ArrowSchema *output;
  SH_TRY(project(test, given, &message));
  sh_case_call(test, &call, &internal);
  sh_status done = sh_process(&call, message, &outcome);
  sh_call_end(&call);
  if (sh_check_failure(test, test->file, &call) || done != SH_OK) return SH_OK;
  SH_TRY(outcome.main == SH_REPLACE ? sh_rows_print(test->call, sh_the_bound->output.arrow, outcome.messages, &got)
                                    : joined_rows(test, given, &internal, &outcome, &got));
  SH_TRY(output_columns(test, given, &output));
  SH_TRY(sh_rows_expected(test->call, output, sh_case_text(test->file, "expect"), &expected));
  sh_differs(test, "rows", sh_text_end(test->call, &expected), sh_text_end(test->call, &got));
  sh_errors_print(test->call, &internal, "row", &errors);
  sh_check_errors(test, test->file, sh_text_end(test->call, &errors));
  return sh_check_outputs(test, test->file, outcome.side, outcome.n_side);
}

/** A text without the spaces at its end. */
static const char *trimmed(sh_call *call, const char *text) {
  size_t end = strlen(text);
  while (end && strchr(" \n", text[end - 1])) end--;
  return sh_format(call, "%.*s", (int)end, text);
}

static sh_status check_parameters(sh_case *test, const sh_executed *executed, const sh_json *statement) {
  struct ArrowSchema columns;
  sh_buffer expected = {0};
  SH_TRY(sh_schema_read(test->call, executed->schema, &columns));
  sh_status done = sh_rows_expected(test->call, &columns, sh_case_text(statement, "parameters"), &expected);
  ArrowSchemaRelease(&columns);
  SH_TRY(done);
  sh_differs(test, "parameters", sh_text_end(test->call, &expected), executed->parameters);
  return SH_OK;
}

static sh_status check_statements(sh_case *test) {
  int64_t n;
  sh_call *call = test->call;
  const sh_executed *executed = sh_outputs_executed(&n);
  const sh_json *statements = sh_json_member(test->file, "statements"), *statement = statements ? statements->first : NULL;
  for (int64_t i = 0; i < n || statement; i++) {
    const char *got = i < n ? sh_format(call, "%s: %s", executed[i].output, trimmed(call, executed[i].statement)) : "", *expected = "";
    if (statement) expected = sh_format(call, "%s: %s", sh_case_text(statement, "output"), trimmed(call, sh_case_text(statement, "statement")));
    sh_differs(test, "statement", expected, got);
    if (i < n && statement) SH_TRY(check_parameters(test, &executed[i], statement));
    if (statement) statement = statement->next;
  }
  return SH_OK;
}

static sh_status run_sink(sh_case *test, const columns *given) {
  sh_call call;
  sh_internal internal;
  sh_bytes message;
  int64_t n;
  SH_TRY(project(test, given, &message));
  sh_outputs_begin(test->call, message);
  sh_case_call(test, &call, &internal);
  sh_status done = sh_store(&call);
  sh_call_end(&call);
  if (sh_check_failure(test, test->file, &call) || done != SH_OK) return SH_OK;
  const sh_named_bytes *written = sh_outputs_written(&n);
  SH_TRY(check_statements(test));
  return sh_check_outputs(test, test->file, written, n);
}

static sh_role role_of(const sh_json *file) {
  if (sh_json_member(file, "keys") && sh_plugin_of(SH_ROLE_KEYED)) return SH_ROLE_KEYED;
  if (sh_json_member(file, "function") && sh_plugin_of(SH_ROLE_FUNCTIONS)) return SH_ROLE_FUNCTIONS;
  return sh_any_plugin()->role;
}

static sh_status run(sh_case *test) {
  columns given = {.rows = {0}};
  sh_call call;
  sh_internal internal;
  sh_role role = role_of(test->file);
  sh_table *holder;
  SH_TRY(sh_table_new(test->call, sh_case_text(test->file, "schema"), &holder));
  given.input = holder->schema;
  sh_status bound = bind(test, role, &given.input, &call, &internal);
  if (bound != SH_OK && sh_done(test->call) == SH_OK) {
    sh_check_failure(test, test->file, &call);
    return SH_OK;
  }
  SH_TRY(bound);
  if (role == SH_ROLE_KEYED) return sh_case_keyed(test);
  if (role == SH_ROLE_FUNCTIONS) return sh_case_function(test);
  SH_TRY(sh_rows_read(test->call, sh_case_text(test->file, "input"), &given.input, &given.rows));
  return role == SH_ROLE_TRANSFORM ? run_rows(test, &given) : run_sink(test, &given);
}

static char *contents(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  size_t size = 0, capacity = 1 << 16;
  char *text = (char *)malloc(capacity + 1);
  for (size_t n; text && (n = fread(text + size, 1, capacity - size, file)) > 0;) {
    size += n;
    if (size == capacity) text = (char *)realloc(text, (capacity *= 2) + 1);
  }
  fclose(file);
  if (text) text[size] = 0;
  return text;
}

/** Whether a case passes. */
static bool run_file(const char *path, const char *name) {
  sh_arena arena = {0};
  sh_call call = {0};
  sh_internal internal;
  sh_call_begin(&call, &internal, &arena);
  sh_case test = {.call = &call};
  sh_json *file = NULL;
  char *text = contents(path);
  sh_status done = text ? sh_toml_parse(&call, text, &file) : sh_invalid(&call, "it cannot be read");
  test.file = file;
  if (done == SH_OK) done = run(&test);
  bool good = done == SH_OK && test.differences.size == 0;
  printf("test %s ... %s\n", name, good ? "ok" : done == SH_OK ? "FAILED" : "ERROR");
  if (test.differences.size) printf("%.*s", (int)test.differences.size, (const char *)test.differences.data);
  if (done != SH_OK) printf("  %s\n", internal.message ? internal.message : "it failed without a message");
  sh_call_end(&call);
  sh_unbind();
  sh_arena_free(&arena);
  free(text);
  return good;
}

static int is_case(const struct dirent *entry) {
  size_t size = strlen(entry->d_name);
  return size > 5 && strcmp(entry->d_name + size - 5, ".toml") == 0;
}

int sh_run_cases(const char *folder) {
  char tests[4096], path[8192];
  struct dirent **files;
  snprintf(tests, sizeof tests, "%s/tests", folder);
  int n = scandir(tests, &files, is_case, alphasort), failed = 0;
  if (n <= 0) {
    printf("no cases in %s: put one there as a .toml file\n", tests);
    return 1;
  }
  for (int i = 0; i < n; i++) {
    snprintf(path, sizeof path, "%s/%s", tests, files[i]->d_name);
    failed += !run_file(path, files[i]->d_name);
    free(files[i]);
  }
  free(files);
  printf("%d passed, %d failed\n", n - failed, failed);
  return failed;
}
