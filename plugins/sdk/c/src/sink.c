#include "core.h"

#include <string.h>

// A sink without outputs counts and logs.
static sh_status bind(sh_call *call, sh_bound *bound) {
  (void)call;
  bound->output_kind = SH_OUT_NOTHING;
  return SH_OK;
}

const struct sh_way sh_way_sink = {bind};

bool sh_next(sh_call *call, sh_batch *batch) {
  sh_internal *in = call->internal;
  if (in->failure != SH_NONE) return false;
  sh_arena_reset(in->arena);
  sh_bytes messages = sh_host_next(call);
  if (!messages.data) return false;
  return sh_ipc_read_one(call, &in->bound->reads, messages, batch) == SH_OK;
}

static const sh_named_schema *output(sh_call *call, const char *name) {
  const sh_bound *bound = call->internal->bound;
  for (int32_t i = 0; i < bound->n_sides; i++) {
    if (strcmp(bound->sides[i].name, name) == 0) return &bound->sides[i];
  }
  sh_permanent(call, "the plugin did not say that it has an output `%s`", name);
  return NULL;
}

sh_status sh_output_table(sh_call *call, const char *name, sh_table **table) {
  const sh_named_schema *named = output(call, name);
  return named ? sh_table_of(call, named->schema.arrow, table) : SH_FAILED;
}

static sh_status write_bytes(sh_call *call, const char *name, const sh_buffer *messages) {
  if (messages->size == 0) return SH_OK;
  return sh_host_write(call, name, (sh_bytes){messages->data, messages->size}) == SH_OK ? SH_OK : sh_while(call, "output `%s`", name);
}

sh_status sh_write(sh_call *call, const char *name, sh_table *rows) {
  const sh_named_schema *named = output(call, name);
  sh_buffer messages = {0};
  if (!named) return SH_FAILED;
  if (!sh_schema_alike(call, named->schema.arrow, &rows->schema)) {
    return sh_permanent(call, "output `%s` has the columns %s, and is given %s", name, sh_columns_text(call, named->schema.arrow),
                        sh_columns_text(call, &rows->schema));
  }
  SH_TRY(sh_table_write(rows, sh_format(call, "output `%s`", name), &named->schema, false, &messages));
  SH_TRY(write_bytes(call, name, &messages));
  return sh_table_clear(rows);
}

sh_status sh_write_batch(sh_call *call, const char *name, const sh_batch *batch) {
  const sh_named_schema *named = output(call, name);
  sh_buffer messages = {0};
  if (!named) return SH_FAILED;
  if (!sh_schema_alike(call, named->schema.arrow, batch->schema)) {
    return sh_permanent(call, "output `%s` has the columns %s, and is given %s", name, sh_columns_text(call, named->schema.arrow),
                        sh_columns_text(call, batch->schema));
  }
  if (batch->rows == 0) return SH_OK;
  SH_TRY(sh_ipc_write(call, &named->schema, batch->array, batch->rows, &messages));
  return write_bytes(call, name, &messages);
}

sh_status sh_execute(sh_call *call, const char *name, const char *statement, sh_table *parameters, uint64_t *changed) {
  uint64_t rows = 0;
  sh_schema types;
  sh_bytes schema;
  sh_buffer messages = {0};
  SH_TRY(sh_schema_types(call, &parameters->schema, &types));
  SH_TRY(sh_table_write(parameters, "the parameters", &types, true, &messages));
  SH_TRY(sh_schema_write(call, &parameters->schema, &schema));
  sh_status status = sh_host_execute(call, name, statement, schema, (sh_bytes){messages.data, messages.size}, &rows);
  if (changed) *changed = rows;
  return status == SH_OK ? sh_table_clear(parameters) : sh_while(call, "output `%s`", name);
}

sh_status sh_store(sh_call *call) {
  SH_TRY(sh_enter(call));
  if (call->internal->bound->plugin->role != SH_ROLE_BATCH_SINK) return sh_permanent(call, "the plugin was bound to another role");
  sh_arena batch = {0}, *whole = call->internal->arena;
  call->internal->arena = &batch;
  sh_status status = call->internal->bound->plugin->store(call);
  call->internal->arena = whole;
  if (status == SH_OK) status = sh_done(call);
  if (status != SH_OK && call->internal->failure == SH_NONE) sh_permanent(call, "it failed without a message");
  if (call->internal->message) call->internal->message = sh_format(call, "%s", call->internal->message);
  sh_arena_free(&batch);
  return status;
}
