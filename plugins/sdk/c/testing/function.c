/* Rows of a case as calls of a function. */
#include "harness.h"

#include <string.h>

static const sh_bound_function *function_of(sh_case *test) {
  const char *name = sh_case_text(test->file, "function");
  for (int32_t i = 0; i < sh_the_bound->n_functions; i++) {
    const sh_bound_function *function = &sh_the_bound->functions[i];
    if (strcmp(function->function->name, name) == 0 || (!*name && sh_the_bound->n_functions == 1)) return function;
  }
  sh_invalid(test->call, "say which function the case calls: function = \"name\"");
  return NULL;
}

static bool has_null(const sh_batch *rows, int64_t row) {
  for (int32_t i = 0; i < rows->n_columns; i++) {
    if (!(rows->columns[i].schema->flags & ARROW_FLAG_NULLABLE) && sh_is_null(&rows->columns[i], row)) return true;
  }
  return false;
}

/** The rows that a function is asked for. */
static sh_status asked(sh_case *test, const sh_bound_function *function, const sh_batch *rows, sh_bytes *message) {
  sh_table *table;
  sh_buffer out = {0};
  SH_TRY(sh_table_of(test->call, function->arguments.arrow, &table));
  for (int64_t row = 0; row < rows->rows; row++) {
    if (has_null(rows, row)) continue;
    for (int32_t i = 0; i < rows->n_columns; i++) sh_put_value(table, i, &rows->columns[i], row);
    sh_end_row(table);
  }
  SH_TRY(sh_table_write(table, "arguments", &function->arguments, true, &out));
  *message = (sh_bytes){out.data, out.size};
  return SH_OK;
}

/** The results as rows of one column that is called as the function; NULL where it was not asked. */
static sh_status results(sh_case *test, const sh_bound_function *function, const sh_batch *rows, sh_bytes messages, sh_buffer *text) {
  sh_batch batch;
  SH_TRY(sh_ipc_read(test->call, &function->returns, &messages, &batch));
  sh_column *renamed = (sh_column *)sh_alloc(test->call, sizeof *renamed);
  *renamed = batch.columns[0];
  renamed->name = function->function->name;
  batch.columns = renamed;
  for (int64_t row = 0, at = 0; row < rows->rows; row++) {
    sh_text_add(test->call, text, "{");
    if (!has_null(rows, row)) sh_row_print(test->call, &batch, at++, text);
    sh_text_add(test->call, text, "}\n");
  }
  return SH_OK;
}

sh_status sh_case_function(sh_case *test) {
  sh_call call;
  sh_internal internal;
  sh_bytes message, given, answer = {0};
  sh_batch rows;
  sh_buffer expected = {0}, got = {0};
  sh_table *named;
  const sh_bound_function *function = function_of(test);
  if (!function) return SH_FAILED;
  const char *name = function->function->name;
  SH_TRY(sh_rows_read(test->call, sh_case_text(test->file, "input"), function->arguments.arrow, &given));
  SH_TRY(sh_ipc_read(test->call, &function->arguments, &given, &rows));
  SH_TRY(asked(test, function, &rows, &message));
  sh_case_call(test, &call, &internal);
  sh_status done = sh_function_call(&call, (sh_text){name, (int64_t)strlen(name)}, message, &answer);
  sh_call_end(&call);
  if (sh_check_failure(test, test->file, &call) || done != SH_OK) return SH_OK;
  SH_TRY(results(test, function, &rows, answer, &got));
  SH_TRY(sh_table_of(test->call, function->returns.arrow, &named));
  SH_TRY(sh_arrow(test->call, ArrowSchemaSetName(named->schema.children[0], name), NULL));
  SH_TRY(sh_rows_expected(test->call, &named->schema, sh_case_text(test->file, "expect"), &expected));
  sh_differs(test, "results", sh_text_end(test->call, &expected), sh_text_end(test->call, &got));
  return SH_OK;
}
