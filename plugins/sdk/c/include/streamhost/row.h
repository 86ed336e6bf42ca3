/** Rows one by one: the easy path. */
#ifndef STREAMHOST_ROW_H
#define STREAMHOST_ROW_H

#include "column.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A row of a batch. Columns are those of `reads`, in its order, from 0 on. */
typedef struct sh_row {
  sh_call *call;
  const sh_batch *batch;
  int64_t index;
} sh_row;

static inline bool sh_get_null(const sh_row *row, int32_t column) { return sh_is_null(&row->batch->columns[column], row->index); }

static inline bool sh_get_bool(const sh_row *row, int32_t column) { return sh_bool_at(&row->batch->columns[column], row->index); }

/** A whole number of any width, a DATE in days, a TIMESTAMP in microseconds; other times and durations in their unit. */
int64_t sh_get_int(const sh_row *row, int32_t column);
/** A FLOAT, a DOUBLE or a whole number. */
double sh_get_double(const sh_row *row, int32_t column);

/** A STRING or BINARY. */
static inline sh_text sh_get_text(const sh_row *row, int32_t column) { return sh_text_at(&row->batch->columns[column], row->index); }

static inline sh_decimal sh_get_decimal(const sh_row *row, int32_t column) { return sh_decimal_at(&row->batch->columns[column], row->index); }

static inline sh_decimal256 sh_get_decimal256(const sh_row *row, int32_t column) {
  return sh_decimal256_at(&row->batch->columns[column], row->index);
}

static inline struct ArrowInterval sh_get_interval(const sh_row *row, int32_t column) {
  return sh_interval_at(&row->batch->columns[column], row->index);
}

/** Whether a text is this one. */
bool sh_text_is(sh_text text, const char *other);

#ifdef __cplusplus
}
#endif
#endif
