#include "table.h"

#include <string.h>

static staged_value *at(sh_table *table, int32_t column) {
  if (column < 0 || column >= table->schema.n_children) {
    sh_panic(__FILE__, __LINE__, "there is no column %d to put a value into; the columns are %s", (int)column,
             sh_columns_text(table->call, &table->schema));
  }
  return &table->staged->values[column];
}

void sh_put_null(sh_table *table, int32_t column) { at(table, column)->kind = STAGED_NULL; }

void sh_put_bool(sh_table *table, int32_t column, bool value) { sh_put_int(table, column, value); }

void sh_put_int(sh_table *table, int32_t column, int64_t value) {
  staged_value *staged = at(table, column);
  staged->kind = STAGED_INT;
  staged->as.whole = value;
}

void sh_put_double(sh_table *table, int32_t column, double value) {
  staged_value *staged = at(table, column);
  staged->kind = STAGED_DOUBLE;
  staged->as.fraction = value;
}

void sh_put_text(sh_table *table, int32_t column, sh_text value) {
  staged_value *staged = at(table, column);
  sh_buffer *scratch = &table->staged->scratch;
  staged->kind = STAGED_TEXT;
  staged->as.text.at = scratch->size;
  staged->as.text.size = (size_t)value.size;
  uint8_t *room = sh_buffer_grow(table->call->internal->whole, scratch, (size_t)value.size);
  if (value.size) memcpy(room, value.data, (size_t)value.size);
}

void sh_put_string(sh_table *table, int32_t column, const char *value) { sh_put_text(table, column, (sh_text){value, (int64_t)strlen(value)}); }

void sh_put_decimal(sh_table *table, int32_t column, sh_decimal value) {
  staged_value *staged = at(table, column);
  staged->kind = STAGED_DECIMAL;
  staged->as.decimal = value;
}

static void put_wide(sh_table *table, int32_t column, staged_kind kind, const void *value, size_t size) {
  sh_put_text(table, column, (sh_text){(const char *)value, (int64_t)size});
  at(table, column)->kind = kind;
}

void sh_put_decimal256(sh_table *table, int32_t column, sh_decimal256 value) { put_wide(table, column, STAGED_DECIMAL256, &value, sizeof value); }

void sh_put_interval(sh_table *table, int32_t column, struct ArrowInterval value) { put_wide(table, column, STAGED_INTERVAL, &value, sizeof value); }

void sh_put_value(sh_table *table, int32_t column, const sh_column *from, int64_t row) {
  staged_value *staged = at(table, column);
  staged->kind = STAGED_VALUE;
  staged->as.value.from = from;
  staged->as.value.row = row;
}

static int append_decimal(struct ArrowArray *array, sh_decimal value) {
  struct ArrowDecimal decimal;
  ArrowDecimalInit(&decimal, 128, 38, 0);
  ArrowDecimalSetBytes(&decimal, (const uint8_t *)&value);
  return ArrowArrayAppendDecimal(array, &decimal);
}

static int append_wide(struct ArrowArray *array, staged_kind kind, const uint8_t *bytes) {
  struct ArrowInterval interval;
  if (kind == STAGED_DECIMAL256) return sh_append_decimal256(array, bytes);
  memcpy(&interval, bytes, sizeof interval);
  return sh_append_interval(array, interval);
}

/** Whether bytes may stand in a column: text has to be UTF-8. */
static bool is_fit(const struct ArrowSchema *schema, const uint8_t *bytes, size_t size) {
  bool text = schema->format[0] == 'u' || schema->format[0] == 'U';
  return !text || sh_is_utf8(bytes, (int64_t)size);
}

static int append(sh_table *table, int64_t column, const staged_value *value) {
  struct ArrowArray *array = table->array.children[column];
  switch (value->kind) {
    case STAGED_NULL: return ArrowArrayAppendNull(array, 1);
    case STAGED_INT: return ArrowArrayAppendInt(array, value->as.whole);
    case STAGED_DOUBLE: return ArrowArrayAppendDouble(array, value->as.fraction);
    case STAGED_DECIMAL: return append_decimal(array, value->as.decimal);
    case STAGED_TEXT: {
      const uint8_t *bytes = table->staged->scratch.data + value->as.text.at;
      if (!is_fit(table->schema.children[column], bytes, value->as.text.size)) return EINVAL;
      struct ArrowBufferView view = {.data = {.data = bytes}, .size_bytes = (int64_t)value->as.text.size};
      return ArrowArrayAppendBytes(array, view);
    }
    case STAGED_VALUE: return sh_append_value(table->call, array, value->as.value.from, value->as.value.row) == SH_OK ? NANOARROW_OK : EINVAL;
    case STAGED_DECIMAL256:
    case STAGED_INTERVAL: return append_wide(array, value->kind, table->staged->scratch.data + value->as.text.at);
  }
  return EINVAL;
}

void sh_end_row(sh_table *table) {
  for (int64_t i = 0; i < table->schema.n_children; i++) {
    if (append(table, i, &table->staged->values[i]) == NANOARROW_OK) continue;
    sh_permanent(table->call, "a value that was put into column `%s` does not fit its type, %s", table->schema.children[i]->name,
                 sh_type_name(table->call, table->schema.children[i]));
    // The row is whole, so that it can be left out.
    if (ArrowArrayAppendNull(table->array.children[i], 1) != NANOARROW_OK) table->call->internal->whole_call = true;
  }
  table->rows++;
  sh_table_forget_row(table);
}

void sh_table_forget_row(sh_table *table) {
  for (int64_t i = 0; i < table->schema.n_children; i++) table->staged->values[i].kind = STAGED_NULL;
  table->staged->scratch.size = 0;
}
