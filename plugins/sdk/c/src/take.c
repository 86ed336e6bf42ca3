#include "table.h"

#include <string.h>

static int append_bytes(struct ArrowArray *builder, const sh_column *from, int64_t row) {
  sh_text text = sh_text_at(from, row);
  struct ArrowBufferView view = {.data = {.data = (const uint8_t *)text.data}, .size_bytes = text.size};
  return ArrowArrayAppendBytes(builder, view);
}

static int append_decimal(struct ArrowArray *builder, const sh_column *from, int64_t row) {
  struct ArrowDecimal decimal;
  ArrowDecimalInit(&decimal, 128, 38, 0);
  ArrowDecimalSetBytes(&decimal, (const uint8_t *)from->values + 16 * row);
  return ArrowArrayAppendDecimal(builder, &decimal);
}

int sh_append_decimal256(struct ArrowArray *builder, const void *value) {
  struct ArrowDecimal decimal;
  ArrowDecimalInit(&decimal, 256, 76, 0);
  ArrowDecimalSetBytes(&decimal, (const uint8_t *)value);
  return ArrowArrayAppendDecimal(builder, &decimal);
}

int sh_append_interval(struct ArrowArray *builder, struct ArrowInterval value) { return ArrowArrayAppendInterval(builder, &value); }

static sh_status append_items(sh_call *call, struct ArrowArray *builder, const sh_column *from, int64_t row) {
  int64_t first, n = sh_items_at(from, row, &first);
  for (int64_t i = 0; i < n; i++) SH_TRY(sh_append_value(call, builder->children[0], &from->children[0], first + i));
  return sh_arrow(call, ArrowArrayFinishElement(builder), NULL);
}

static sh_status append_fields(sh_call *call, struct ArrowArray *builder, const sh_column *from, int64_t row) {
  for (int32_t i = 0; i < from->n_children; i++) SH_TRY(sh_append_value(call, builder->children[i], &from->children[i], row));
  return sh_arrow(call, ArrowArrayFinishElement(builder), NULL);
}

sh_status sh_append_value(sh_call *call, struct ArrowArray *builder, const sh_column *from, int64_t row) {
  sh_row one = {call, &(sh_batch){.rows = from->length, .n_columns = 1, .columns = from}, row};
  int code;
  if (builder->n_children != from->n_children) return sh_permanent(call, "column `%s` is given a value of another type", from->name);
  if (sh_is_null(from, row)) return sh_arrow(call, ArrowArrayAppendNull(builder, 1), NULL);
  switch (from->type) {
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP: return append_items(call, builder, from, row);
    case NANOARROW_TYPE_STRUCT: return append_fields(call, builder, from, row);
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: code = append_bytes(builder, from, row); break;
    case NANOARROW_TYPE_DECIMAL128: code = append_decimal(builder, from, row); break;
    case NANOARROW_TYPE_DECIMAL256: code = sh_append_decimal256(builder, (const uint8_t *)from->values + 32 * row); break;
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: code = sh_append_interval(builder, sh_interval_at(from, row)); break;
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE: code = ArrowArrayAppendDouble(builder, sh_get_double(&one, 0)); break;
    case NANOARROW_TYPE_HALF_FLOAT:
      code = ArrowArrayAppendDouble(builder, (double)ArrowHalfFloatToFloat(((const uint16_t *)from->values)[row]));
      break;
    case NANOARROW_TYPE_UINT64: code = ArrowArrayAppendUInt(builder, ((const uint64_t *)from->values)[row]); break;
    default: code = ArrowArrayAppendInt(builder, sh_get_int(&one, 0));
  }
  return sh_arrow(call, code, NULL);
}

/** Gathers values of a fixed width. */
static void gather(uint8_t *to, const sh_column *from, const uint32_t *rows, int64_t n) {
  const uint8_t *values = (const uint8_t *)from->values;
  if (from->width == 8) {
    for (int64_t i = 0; i < n; i++) memcpy(to + 8 * i, values + 8 * (size_t)rows[i], 8);
  } else if (from->width == 4) {
    for (int64_t i = 0; i < n; i++) memcpy(to + 4 * i, values + 4 * (size_t)rows[i], 4);
  } else {
    size_t width = (size_t)from->width;
    for (int64_t i = 0; i < n; i++) memcpy(to + width * (size_t)i, values + width * rows[i], width);
  }
}

static void gather_valid(sh_table *table, int32_t column, const sh_column *from, const uint32_t *rows, int64_t n) {
  if (!from->valid) return;
  uint8_t *valid = (uint8_t *)sh_alloc(table->call, (size_t)(n + 7) / 8);
  memset(valid, 0, (size_t)(n + 7) / 8);
  for (int64_t i = 0; i < n; i++) {
    if (sh_bit(from->valid, rows[i])) sh_set_bit(valid, i);
  }
  sh_fill_valid(table, column, valid);
}

void sh_take(sh_table *table, int32_t column, const sh_column *from, const uint32_t *rows, int64_t n) {
  struct ArrowArray *builder = sh_builder(table, column);
  bool same = strcmp(from->schema->format, table->schema.children[column]->format) == 0;
  bool fixed = same && from->width && from->n_children == 0;
  if (fixed) {
    gather((uint8_t *)sh_fill(table, column, n), from, rows, n);
    gather_valid(table, column, from, rows, n);
    return;
  }
  if (ArrowArrayReserve(builder, n) != NANOARROW_OK) sh_permanent(table->call, "there is not enough memory");
  for (int64_t i = 0; i < n; i++) {
    if (sh_append_value(table->call, builder, from, rows[i]) != SH_OK) return;
  }
}

uint32_t *sh_rows_of_bits(sh_call *call, const uint8_t *bits, int64_t rows, int64_t *n) {
  uint32_t *numbers = (uint32_t *)sh_alloc(call, (size_t)sh_count_bits(bits, rows) * sizeof *numbers);
  int64_t count = 0;
  for (int64_t byte = 0; byte < (rows + 7) / 8; byte++) {
    uint32_t rest = bits[byte];
    for (; rest; rest &= rest - 1) {
      int64_t row = 8 * byte + __builtin_ctz(rest);
      if (row < rows) numbers[count++] = (uint32_t)row;
    }
  }
  *n = count;
  return numbers;
}
