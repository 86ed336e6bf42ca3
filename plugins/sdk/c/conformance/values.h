// Values that are read one by one, and appended anew: what the plugins named echo share. Each has a link to this file, so that it is built
// again when this changes.
#ifndef VALUES_H
#define VALUES_H

#include <streamhost.h>

static inline int append(sh_call *call, struct ArrowArray *to, const sh_column *from, int64_t i);

// The items of a list, or the entries of a map.
static inline int append_items(sh_call *call, struct ArrowArray *to, const sh_column *from, int64_t i) {
  int64_t first, n = sh_items_at(from, i, &first);
  for (int64_t item = 0; item < n; item++) NANOARROW_RETURN_NOT_OK(append(call, to->children[0], &from->children[0], first + item));
  return ArrowArrayFinishElement(to);
}

static inline int append_fields(sh_call *call, struct ArrowArray *to, const sh_column *from, int64_t i) {
  for (int32_t field = 0; field < from->n_children; field++) {
    NANOARROW_RETURN_NOT_OK(append(call, to->children[field], &from->children[field], i));
  }
  return ArrowArrayFinishElement(to);
}

static inline int append_decimal(struct ArrowArray *to, const sh_column *from, const void *value, int32_t bits) {
  int32_t precision, scale;
  struct ArrowDecimal decimal;
  sh_decimal_type(from, &precision, &scale);
  ArrowDecimalInit(&decimal, bits, precision, scale);
  ArrowDecimalSetBytes(&decimal, (const uint8_t *)value);
  return ArrowArrayAppendDecimal(to, &decimal);
}

// Reads a value by the function for its type, and appends what was read.
static inline int append(sh_call *call, struct ArrowArray *to, const sh_column *from, int64_t i) {
  sh_row row = {call, &(sh_batch){.rows = from->length, .n_columns = 1, .columns = from}, i};
  if (sh_is_null(from, i)) return ArrowArrayAppendNull(to, 1);
  switch (from->type) {
    case NANOARROW_TYPE_BOOL: return ArrowArrayAppendInt(to, sh_get_bool(&row, 0));
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE: return ArrowArrayAppendDouble(to, sh_get_double(&row, 0));
    case NANOARROW_TYPE_HALF_FLOAT: return ArrowArrayAppendDouble(to, (double)ArrowHalfFloatToFloat(((const uint16_t *)from->values)[i]));
    case NANOARROW_TYPE_UINT64: return ArrowArrayAppendUInt(to, ((const uint64_t *)from->values)[i]);
    case NANOARROW_TYPE_DECIMAL128: {
      sh_decimal value = sh_get_decimal(&row, 0);
      return append_decimal(to, from, &value, 128);
    }
    case NANOARROW_TYPE_DECIMAL256: {
      sh_decimal256 value = sh_get_decimal256(&row, 0);
      return append_decimal(to, from, &value, 256);
    }
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: {
      struct ArrowInterval value = sh_get_interval(&row, 0);
      return ArrowArrayAppendInterval(to, &value);
    }
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: {
      sh_text text = sh_get_text(&row, 0);
      return ArrowArrayAppendBytes(to, (struct ArrowBufferView){.data = {.as_char = text.data}, .size_bytes = text.size});
    }
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP: return append_items(call, to, from, i);
    case NANOARROW_TYPE_STRUCT: return append_fields(call, to, from, i);
    default: return ArrowArrayAppendInt(to, sh_get_int(&row, 0));
  }
}

// Appends the values of a row to a table, from this column on.
static inline sh_status append_row(sh_call *call, sh_table *to, int32_t column, const sh_batch *from, int64_t row) {
  for (int32_t i = 0; i < from->n_columns; i++) SH_TRY(sh_arrow(call, append(call, sh_builder(to, column + i), &from->columns[i], row), NULL));
  // Rows without columns are only counted.
  if (from->n_columns == 0) sh_end_row(to);
  return SH_OK;
}

static inline sh_status append_rows(sh_call *call, sh_table *to, int32_t column, const sh_batch *from) {
  for (int64_t row = 0; row < from->rows; row++) SH_TRY(append_row(call, to, column, from, row));
  return SH_OK;
}

#endif
