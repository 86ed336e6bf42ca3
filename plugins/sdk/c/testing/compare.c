#include "harness.h"

#include <string.h>

static int of(bool less, bool more) { return less ? -1 : more; }

static int compare_texts(sh_text one, sh_text other) {
  int64_t size = one.size < other.size ? one.size : other.size;
  int order = size ? memcmp(one.data, other.data, (size_t)size) : 0;
  return order ? order : of(one.size<other.size, one.size> other.size);
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
