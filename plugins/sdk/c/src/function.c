#include "plan.h"

#include <string.h>

static sh_status bind_one(sh_call *call, sh_bound *bound, const sh_function *function, sh_bound_function *made) {
  struct ArrowSchema *arguments = sh_own_schema(bound), *returns = sh_schema_new(call), *result;
  made->function = function;
  if (!function->row && !function->columns) return sh_invalid(call, "there is nothing to call");
  SH_TRY(sh_ddl_parse(call, function->arguments ? function->arguments : "", arguments));
  SH_TRY(sh_schema_append(call, returns, &result));
  SH_TRY(sh_ddl_type(call, function->returns, result));
  SH_TRY(sh_arrow(call, ArrowSchemaSetName(result, "result"), NULL));
  result->flags |= ARROW_FLAG_NULLABLE;
  SH_TRY(sh_schema_types(call, arguments, &made->arguments));
  return sh_schema_types(call, returns, &made->returns);
}

static sh_status bind(sh_call *call, sh_bound *bound) {
  int32_t n = 0;
  bound->output_kind = SH_OUT_NOTHING;
  bound->has_reads = false;
  while (bound->plugin->functions[n].name) n++;
  bound->functions = (sh_bound_function *)sh_alloc(call, (size_t)n * sizeof *bound->functions);
  bound->n_functions = n;
  for (int32_t i = 0; i < n; i++) {
    const sh_function *function = &bound->plugin->functions[i];
    if (bind_one(call, bound, function, &bound->functions[i]) != SH_OK) return sh_while(call, "function `%s`", function->name);
  }
  return SH_OK;
}

const struct sh_way sh_way_functions = {bind};

static sh_status each(sh_call *call, const sh_bound_function *bound, const sh_batch *arguments, sh_table *result) {
  for (int64_t i = 0; i < arguments->rows; i++) {
    sh_row row = {call, arguments, i};
    if (bound->function->row(&row, result) != SH_OK && sh_done(call) == SH_OK) return sh_permanent(call, "it failed without a message");
    sh_end_row(result);
    if (call->internal->failure != SH_NONE) return SH_FAILED;
  }
  return SH_OK;
}

/** The host leaves rows out that have NULL for an argument that is NOT NULL. */
static sh_status check_nulls(sh_call *call, const sh_batch *arguments) {
  for (int32_t i = 0; i < arguments->n_columns; i++) {
    const sh_column *column = &arguments->columns[i];
    if (column->nulls && !(column->schema->flags & ARROW_FLAG_NULLABLE)) return sh_permanent(call, "the host sent NULL for `%s`", column->name);
  }
  return SH_OK;
}

static sh_status call_batch(sh_call *call, const sh_bound_function *bound, const sh_batch *arguments, sh_buffer *out) {
  sh_table *result;
  int64_t rows;
  SH_TRY(check_nulls(call, arguments));
  SH_TRY(sh_table_of(call, bound->returns.arrow, &result));
  SH_TRY(bound->function->row ? each(call, bound, arguments, result) : bound->function->columns(call, arguments, result));
  SH_TRY(sh_table_finish(result, "the result", &rows));
  if (rows != arguments->rows)
    return sh_permanent(call, "function `%s` gives %lld values for %lld rows", bound->function->name, (long long)rows, (long long)arguments->rows);
  return sh_ipc_write(call, &bound->returns, &result->array, rows, out);
}

sh_status sh_function_call(sh_call *call, sh_text name, sh_bytes arguments, sh_bytes *results) {
  SH_TRY(sh_enter(call));
  const sh_bound *bound = call->internal->bound;
  const sh_bound_function *named = NULL;
  sh_buffer out = {0};
  for (int32_t i = 0; i < bound->n_functions; i++) {
    if (sh_text_is(name, bound->functions[i].function->name)) named = &bound->functions[i];
  }
  if (!named) return sh_permanent(call, "there is no function `%.*s`", (int)name.size, name.data);
  while (arguments.size) {
    sh_batch batch;
    SH_TRY(sh_ipc_read(call, &named->arguments, &arguments, &batch));
    SH_TRY(call_batch(call, named, &batch, &out));
  }
  *results = (sh_bytes){out.data, out.size};
  return SH_OK;
}
