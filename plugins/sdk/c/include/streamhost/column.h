/** Columns that come in. */
#ifndef STREAMHOST_COLUMN_H
#define STREAMHOST_COLUMN_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A column: a view on an Arrow array. Offsets are those of the message, so `values[i]` is the value of row i. Everything is there until the
 * call ends.
 */
typedef struct sh_column {
  const char *name;
  /** Its type, as nanoarrow calls it: NANOARROW_TYPE_DOUBLE, NANOARROW_TYPE_TIMESTAMP and so on. */
  enum ArrowType type;
  int64_t length;
  /** How many values are null. */
  int64_t nulls;
  /** Bit i is set if value i is not null. NULL if none is null. */
  const uint8_t *valid;
  /** Values of a fixed width, bits of a BOOLEAN, bytes of a text. */
  const void *values;
  /** Of text, binary, lists and maps: value i is offsets[i] to offsets[i + 1] of the bytes, or of children[0]. */
  const int32_t *offsets;
  /** The same of LARGE types. */
  const int64_t *large_offsets;
  /** Bytes of a value of fixed width; items of a list of fixed size. */
  int32_t width;
  /** Items of a list, fields of a struct, the entries of a map: a struct of `key` and `value`. */
  int32_t n_children;
  const struct sh_column *children;
  /** The same in Arrow's C data interface, borrowed: not to be released. */
  const struct ArrowSchema *schema;
  const struct ArrowArray *array;
} sh_column;

/** Rows: columns of the same length. */
typedef struct sh_batch {
  int64_t rows;
  int32_t n_columns;
  const sh_column *columns;
  /** The batch as a struct in Arrow's C data interface, borrowed. */
  const struct ArrowSchema *schema;
  const struct ArrowArray *array;
} sh_batch;

/** The column of this name, or NULL. */
const sh_column *sh_find(const sh_batch *batch, const char *name);

static inline bool sh_is_null(const sh_column *column, int64_t i) {
  return column->type == NANOARROW_TYPE_NA || (column->valid && !(column->valid[i >> 3] >> (i & 7) & 1));
}

/** Values as an array, or NULL if the column has another type. */
static inline const int8_t *sh_int8s(const sh_column *c) { return c->type == NANOARROW_TYPE_INT8 ? (const int8_t *)c->values : NULL; }
static inline const int16_t *sh_int16s(const sh_column *c) { return c->type == NANOARROW_TYPE_INT16 ? (const int16_t *)c->values : NULL; }
static inline const int32_t *sh_int32s(const sh_column *c) { return c->type == NANOARROW_TYPE_INT32 ? (const int32_t *)c->values : NULL; }
static inline const int64_t *sh_int64s(const sh_column *c) { return c->type == NANOARROW_TYPE_INT64 ? (const int64_t *)c->values : NULL; }
static inline const float *sh_floats(const sh_column *c) { return c->type == NANOARROW_TYPE_FLOAT ? (const float *)c->values : NULL; }
static inline const double *sh_doubles(const sh_column *c) { return c->type == NANOARROW_TYPE_DOUBLE ? (const double *)c->values : NULL; }
/** Days since 1970. */
static inline const int32_t *sh_dates(const sh_column *c) { return c->type == NANOARROW_TYPE_DATE32 ? (const int32_t *)c->values : NULL; }
/** Microseconds since 1970, of both TIMESTAMP and TIMESTAMP_NTZ; NULL too if the unit is another. */
const int64_t *sh_timestamps(const sh_column *column);

/** One value of a BOOLEAN. */
static inline bool sh_bool_at(const sh_column *c, int64_t i) { return ((const uint8_t *)c->values)[i >> 3] >> (i & 7) & 1; }

/** One value of a text or binary column, of fixed width too. It has no zero at its end. */
static inline sh_text sh_text_at(const sh_column *c, int64_t i) {
  sh_text text = {(const char *)c->values, c->width};
  if (c->offsets) {
    text.data += c->offsets[i];
    text.size = c->offsets[i + 1] - c->offsets[i];
  } else if (c->large_offsets) {
    text.data += c->large_offsets[i];
    text.size = c->large_offsets[i + 1] - c->large_offsets[i];
  } else {
    text.data += i * c->width;
  }
  return text;
}

/** Where the items of list or map i are in children[0]: `*first` and so many. */
static inline int64_t sh_items_at(const sh_column *c, int64_t i, int64_t *first) {
  if (c->offsets) {
    *first = c->offsets[i];
    return c->offsets[i + 1] - c->offsets[i];
  }
  if (c->large_offsets) {
    *first = c->large_offsets[i];
    return c->large_offsets[i + 1] - c->large_offsets[i];
  }
  *first = i * c->width;
  return c->width;
}

/** A DECIMAL's unscaled value, from its low and high half. */
typedef struct sh_decimal {
  uint64_t low;
  int64_t high;
} sh_decimal;

/** One value of a DECIMAL: 12.34 of DECIMAL(10, 2) is 1234. */
sh_decimal sh_decimal_at(const sh_column *column, int64_t i);
/** The same of 256 bits, from its four words, the lowest first. */
typedef struct sh_decimal256 {
  uint64_t words[4];
} sh_decimal256;

sh_decimal256 sh_decimal256_at(const sh_column *column, int64_t i);
/** One value of an INTERVAL: months, days and nanoseconds, each with its own sign; of Arrow's other two, months, or days and milliseconds. */
struct ArrowInterval sh_interval_at(const sh_column *column, int64_t i);
/** Digits and digits behind the point of a decimal column. */
void sh_decimal_type(const sh_column *column, int32_t *precision, int32_t *scale);

/** Spark's name of a column's type, such as `ARRAY<INT>`, in memory of the call. */
const char *sh_type_name(sh_call *call, const struct ArrowSchema *schema);
/** Columns as Spark writes them: `id INT, value DOUBLE`. */
const char *sh_columns_text(sh_call *call, const struct ArrowSchema *schema);

/** Bitmaps: rows to keep. */
static inline void sh_set_bit(uint8_t *bits, int64_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7)); }
static inline void sh_clear_bit(uint8_t *bits, int64_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7))); }
static inline bool sh_bit(const uint8_t *bits, int64_t i) { return bits[i >> 3] >> (i & 7) & 1; }
/** How many of the first n bits are set. */
int64_t sh_count_bits(const uint8_t *bits, int64_t n);
/** The values whose bit is set, one after the other; `to` has room for all of them. */
void sh_select_doubles(double *to, const double *values, const uint8_t *bits, int64_t n);
/** Clears the bits of the rows in which the column is null. */
void sh_and_valid(uint8_t *bits, const sh_column *column);

/**
 * Sets bits[i] where `condition` holds, which uses `v`, the value of row i: eight at once, so that the compiler makes vector instructions of it.
 *
 *     SH_BITS_WHERE(keep, double, values, batch->rows, v > 10.0);
 */
#define SH_BITS_WHERE(bits, ctype, array, n, condition)                            \
  do {                                                                             \
    const ctype *sh_values_ = (array);                                             \
    int64_t sh_n_ = (n), sh_at_ = 0;                                               \
    for (; sh_at_ + 8 <= sh_n_; sh_at_ += 8) {                                     \
      uint8_t sh_byte_ = 0;                                                        \
      _Pragma("GCC unroll 8") for (int sh_k_ = 0; sh_k_ < 8; sh_k_++) {            \
        const ctype v = sh_values_[sh_at_ + sh_k_];                                \
        sh_byte_ = (uint8_t)(sh_byte_ | (unsigned)((condition) ? 1 : 0) << sh_k_); \
      }                                                                            \
      (bits)[sh_at_ >> 3] = sh_byte_;                                              \
    }                                                                              \
    for (; sh_at_ < sh_n_; sh_at_++) {                                             \
      const ctype v = sh_values_[sh_at_];                                          \
      if (condition) sh_set_bit((bits), sh_at_);                                   \
    }                                                                              \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
