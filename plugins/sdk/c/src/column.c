#include "core.h"

#include <string.h>

const sh_column *sh_find(const sh_batch *batch, const char *name) {
  for (int32_t i = 0; i < batch->n_columns; i++) {
    if (strcmp(batch->columns[i].name, name) == 0) return &batch->columns[i];
  }
  return NULL;
}

const int64_t *sh_timestamps(const sh_column *column) {
  // The format says the unit: tsu: and the zone.
  bool micros = column->type == NANOARROW_TYPE_TIMESTAMP && strncmp(column->schema->format, "tsu:", 4) == 0;
  return micros ? (const int64_t *)column->values : NULL;
}

sh_decimal sh_decimal_at(const sh_column *column, int64_t i) {
  sh_decimal value;
  if (column->type != NANOARROW_TYPE_DECIMAL128) sh_panic(__FILE__, __LINE__, "column `%s` is no DECIMAL", column->name);
  memcpy(&value, (const uint8_t *)column->values + 16 * i, sizeof value);
  return value;
}

sh_decimal256 sh_decimal256_at(const sh_column *column, int64_t i) {
  sh_decimal256 value;
  if (column->type != NANOARROW_TYPE_DECIMAL256) sh_panic(__FILE__, __LINE__, "column `%s` is no Decimal256", column->name);
  memcpy(&value, (const uint8_t *)column->values + 32 * i, sizeof value);
  return value;
}

struct ArrowInterval sh_interval_at(const sh_column *column, int64_t i) {
  struct ArrowInterval value = {.type = column->type};
  const uint8_t *at = (const uint8_t *)column->values + column->width * i;
  switch (column->type) {
    case NANOARROW_TYPE_INTERVAL_MONTHS: memcpy(&value.months, at, 4); break;
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
      memcpy(&value.days, at, 4);
      memcpy(&value.ms, at + 4, 4);
      break;
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
      memcpy(&value.months, at, 4);
      memcpy(&value.days, at + 4, 4);
      memcpy(&value.ns, at + 8, 8);
      break;
    default: sh_panic(__FILE__, __LINE__, "column `%s` is no INTERVAL", column->name);
  }
  return value;
}

void sh_decimal_type(const sh_column *column, int32_t *precision, int32_t *scale) {
  struct ArrowSchemaView view;
  *precision = *scale = 0;
  if (ArrowSchemaViewInit(&view, column->schema, NULL) != NANOARROW_OK) return;
  *precision = view.decimal_precision;
  *scale = view.decimal_scale;
}

int64_t sh_count_bits(const uint8_t *bits, int64_t n) {
  int64_t count = 0, at = 0;
  for (; at + 64 <= n; at += 64) {
    uint64_t eight;
    memcpy(&eight, bits + at / 8, sizeof eight);
    count += __builtin_popcountll(eight);
  }
  for (; at < n; at++) count += sh_bit(bits, at);
  return count;
}

void sh_select_doubles(double *to, const double *values, const uint8_t *bits, int64_t n) {
  for (int64_t byte = 0; byte < (n + 7) / 8; byte++) {
    int64_t first = 8 * byte;
    uint32_t rest = bits[byte];
    if (n - first < 8) rest &= (1u << (n - first)) - 1;
    for (; rest; rest &= rest - 1) *to++ = values[first + __builtin_ctz(rest)];
  }
}

void sh_and_valid(uint8_t *bits, const sh_column *column) {
  int64_t bytes = (column->length + 7) / 8;
  if (column->type == NANOARROW_TYPE_NA) memset(bits, 0, (size_t)bytes);
  if (!column->valid) return;
  for (int64_t i = 0; i < bytes; i++) bits[i] &= column->valid[i];
}

bool sh_text_is(sh_text text, const char *other) { return strlen(other) == (size_t)text.size && memcmp(text.data, other, (size_t)text.size) == 0; }

int64_t sh_get_int(const sh_row *row, int32_t column) {
  const sh_column *c = &row->batch->columns[column];
  int64_t i = row->index;
  switch (c->type) {
    case NANOARROW_TYPE_BOOL: return sh_bool_at(c, i);
    case NANOARROW_TYPE_INT8: return ((const int8_t *)c->values)[i];
    case NANOARROW_TYPE_UINT8: return ((const uint8_t *)c->values)[i];
    case NANOARROW_TYPE_INT16: return ((const int16_t *)c->values)[i];
    case NANOARROW_TYPE_UINT16: return ((const uint16_t *)c->values)[i];
    case NANOARROW_TYPE_UINT32: return ((const uint32_t *)c->values)[i];
    case NANOARROW_TYPE_FLOAT: return (int64_t)((const float *)c->values)[i];
    case NANOARROW_TYPE_DOUBLE: return (int64_t)((const double *)c->values)[i];
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME: break;
    default:
      if (c->width == 4) return ((const int32_t *)c->values)[i];
      if (c->width == 8) return ((const int64_t *)c->values)[i];
  }
  sh_panic(__FILE__, __LINE__, "column `%s` has no whole numbers", c->name);
}

double sh_get_double(const sh_row *row, int32_t column) {
  const sh_column *c = &row->batch->columns[column];
  if (c->type == NANOARROW_TYPE_DOUBLE) return ((const double *)c->values)[row->index];
  if (c->type == NANOARROW_TYPE_FLOAT) return (double)((const float *)c->values)[row->index];
  return (double)sh_get_int(row, column);
}
