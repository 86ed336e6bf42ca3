/* Columns into JSON. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

void sh_text_add(sh_call *call, sh_buffer *text, const char *more) {
  size_t size = strlen(more);
  if (size) memcpy(sh_buffer_grow(call->internal->arena, text, size), more, size);
}

const char *sh_text_end(sh_call *call, sh_buffer *text) {
  *sh_buffer_grow(call->internal->arena, text, 1) = 0;
  text->size--;
  return (const char *)text->data;
}

static void print(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text);

/** A map is an object; like one it may leave out what is null. */
static void print_map(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text) {
  const sh_column *entries = &c->children[0];
  int64_t first, n = sh_items_at(c, i, &first);
  bool any = false;
  sh_text_add(call, text, "{");
  for (int64_t k = first; k < first + n; k++) {
    if (sh_is_null(&entries->children[1], k)) continue;
    sh_text_add(call, text, any ? ", " : "");
    print(call, &entries->children[0], k, text);
    sh_text_add(call, text, ": ");
    print(call, &entries->children[1], k, text);
    any = true;
  }
  sh_text_add(call, text, "}");
}

static void print_items(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text) {
  int64_t first, n = sh_items_at(c, i, &first);
  sh_text_add(call, text, "[");
  for (int64_t k = 0; k < n; k++) {
    if (k) sh_text_add(call, text, ", ");
    print(call, &c->children[0], first + k, text);
  }
  sh_text_add(call, text, "]");
}

static void print_bytes(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text) {
  sh_text value = sh_text_at(c, i);
  if (c->type == NANOARROW_TYPE_STRING || c->type == NANOARROW_TYPE_LARGE_STRING) {
    sh_json_quote(call, text, value);
    return;
  }
  sh_text_add(call, text, "\"");
  for (int64_t k = 0; k < value.size; k++) sh_text_add(call, text, sh_format(call, "%02x", (unsigned char)value.data[k]));
  sh_text_add(call, text, "\"");
}

static void print_decimal(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text) {
  struct ArrowDecimal number;
  struct ArrowBuffer digits;
  int32_t precision, scale;
  sh_decimal_type(c, &precision, &scale);
  ArrowDecimalInit(&number, 8 * c->width, precision, scale);
  ArrowDecimalSetBytes(&number, (const uint8_t *)c->values + c->width * i);
  ArrowBufferInit(&digits);
  if (ArrowDecimalAppendStringToBuffer(&number, &digits) == NANOARROW_OK) {
    sh_text_add(call, text, sh_format(call, "%.*s", (int)digits.size_bytes, (const char *)digits.data));
  }
  ArrowBufferReset(&digits);
}

static const char *length_text(sh_call *call, const sh_column *c, int64_t i) {
  struct ArrowSchemaView view;
  struct ArrowInterval interval;
  if (c->type == NANOARROW_TYPE_DURATION) {
    return ArrowSchemaViewInit(&view, c->schema, NULL) ? "" : sh_duration_text(call, view.time_unit, ((const int64_t *)c->values)[i]);
  }
  interval = sh_interval_at(c, i);
  return sh_interval_text(call, &interval);
}

static void print(sh_call *call, const sh_column *c, int64_t i, sh_buffer *text) {
  sh_row row = {call, &(sh_batch){.rows = c->length, .n_columns = 1, .columns = c}, i};
  if (sh_is_null(c, i)) {
    sh_text_add(call, text, "null");
    return;
  }
  switch (c->type) {
    case NANOARROW_TYPE_BOOL: sh_text_add(call, text, sh_bool_at(c, i) ? "true" : "false"); break;
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE: sh_text_add(call, text, sh_number_text(call, sh_get_double(&row, 0))); break;
    case NANOARROW_TYPE_UINT64: sh_text_add(call, text, sh_format(call, "%llu", (unsigned long long)((const uint64_t *)c->values)[i])); break;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: print_bytes(call, c, i, text); break;
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256: print_decimal(call, c, i, text); break;
    case NANOARROW_TYPE_TIMESTAMP: sh_text_add(call, text, sh_format(call, "\"%s\"", sh_moment(call, sh_get_int(&row, 0)))); break;
    case NANOARROW_TYPE_DATE32: sh_text_add(call, text, sh_format(call, "\"%.10s\"", sh_moment(call, sh_get_int(&row, 0) * 86400000000))); break;
    case NANOARROW_TYPE_DURATION:
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: sh_text_add(call, text, sh_format(call, "\"%s\"", length_text(call, c, i))); break;
    case NANOARROW_TYPE_MAP: print_map(call, c, i, text); break;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST: print_items(call, c, i, text); break;
    case NANOARROW_TYPE_STRUCT:
      sh_text_add(call, text, "{");
      sh_row_print(call, &(sh_batch){.n_columns = c->n_children, .columns = c->children}, i, text);
      sh_text_add(call, text, "}");
      break;
    default: sh_text_add(call, text, sh_format(call, "%lld", (long long)sh_get_int(&row, 0)));
  }
}

void sh_row_print(sh_call *call, const sh_batch *batch, int64_t row, sh_buffer *text) {
  bool any = false;
  for (int32_t i = 0; i < batch->n_columns; i++) {
    const sh_column *column = &batch->columns[i];
    if (sh_is_null(column, row)) continue;
    sh_text_add(call, text, any ? ", " : "");
    sh_json_quote(call, text, (sh_text){column->name, (int64_t)strlen(column->name)});
    sh_text_add(call, text, ": ");
    print(call, column, row, text);
    any = true;
  }
}

sh_status sh_rows_print(sh_call *call, const struct ArrowSchema *schema, sh_bytes messages, sh_buffer *text) {
  sh_schema types;
  SH_TRY(sh_schema_types(call, (struct ArrowSchema *)schema, &types));
  while (messages.size) {
    sh_batch batch;
    SH_TRY(sh_ipc_read(call, &types, &messages, &batch));
    for (int64_t row = 0; row < batch.rows; row++) {
      sh_text_add(call, text, "{");
      sh_row_print(call, &batch, row, text);
      sh_text_add(call, text, "}\n");
    }
  }
  return SH_OK;
}

sh_status sh_rows_expected(sh_call *call, const struct ArrowSchema *schema, const char *lines, sh_buffer *text) {
  sh_bytes message;
  SH_TRY(sh_rows_read(call, lines, schema, &message));
  return sh_rows_print(call, schema, message, text);
}
