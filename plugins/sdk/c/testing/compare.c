#include "harness.h"

#include <string.h>

static int of(bool less, bool more) { return less ? -1 : more; }

static int compare_texts(sh_text one, sh_text other) {
  int64_t size = one.size < other.size ? one.size : other.size;
  int order = size ? memcmp(one.data, other.data, (size_t)size) : 0;
  return order ? order : of(one.size<other.size, one.size> other.size);
}

/** The highest word has the sign. */
static int compare_wide(sh_decimal256 x, sh_decimal256 y) {
  int64_t high = (int64_t)x.words[3], other = (int64_t)y.words[3];
  if (high != other) return of(high<other, high> other);
  for (int i = 2; i >= 0; i--) {
    if (x.words[i] != y.words[i]) return of(x.words[i]<y.words[i], x.words[i]> y.words[i]);
  }
  return 0;
}

static int compare_intervals(struct ArrowInterval x, struct ArrowInterval y) {
  if (x.months != y.months) return of(x.months<y.months, x.months> y.months);
  if (x.days != y.days) return of(x.days<y.days, x.days> y.days);
  if (x.ms != y.ms) return of(x.ms<y.ms, x.ms> y.ms);
  return of(x.ns<y.ns, x.ns> y.ns);
}

/** Keys are plain values: nested ones are not. */
static int compare(const sh_column *one, int64_t row, const sh_column *other, int64_t other_row) {
  bool null = sh_is_null(one, row), other_null = sh_is_null(other, other_row);
  sh_row a = {NULL, &(sh_batch){.n_columns = 1, .columns = one}, row}, b = {NULL, &(sh_batch){.n_columns = 1, .columns = other}, other_row};
  if (null || other_null) return of(null && !other_null, !null && other_null);
  switch (one->type) {
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: return compare_texts(sh_get_text(&a, 0), sh_get_text(&b, 0));
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DOUBLE: {
      double x = sh_get_double(&a, 0), y = sh_get_double(&b, 0);
      return of(x<y, x> y);
    }
    case NANOARROW_TYPE_DECIMAL128: {
      sh_decimal x = sh_get_decimal(&a, 0), y = sh_get_decimal(&b, 0);
      return x.high == y.high ? of(x.low<y.low, x.low> y.low) : of(x.high<y.high, x.high> y.high);
    }
    case NANOARROW_TYPE_DECIMAL256: return compare_wide(sh_get_decimal256(&a, 0), sh_get_decimal256(&b, 0));
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: return compare_intervals(sh_get_interval(&a, 0), sh_get_interval(&b, 0));
    default: {
      int64_t x = sh_get_int(&a, 0), y = sh_get_int(&b, 0);
      return of(x<y, x> y);
    }
  }
}

int sh_compare_rows(const sh_batch *one, int64_t row, const sh_batch *other, int64_t other_row) {
  for (int32_t i = 0; i < one->n_columns; i++) {
    int order = compare(&one->columns[i], row, &other->columns[i], other_row);
    if (order) return order;
  }
  return 0;
}
