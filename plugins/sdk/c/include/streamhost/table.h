/** Rows that leave. */
#ifndef STREAMHOST_TABLE_H
#define STREAMHOST_TABLE_H

#include "column.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sh_staged;

/**
 * Rows that are being made, of columns that were agreed on. Fill it row by row, sh_put_… and sh_end_row; or column by column, sh_fill_…,
 * sh_set_column, or nanoarrow's ArrowArrayAppend… on sh_builder. Do not mix the two in one table.
 *
 * Where values do not fit the column, or columns are of different lengths, the call fails at its end.
 */
typedef struct sh_table {
  /** The columns: a struct in Arrow's C data interface. */
  struct ArrowSchema schema;
  struct ArrowArray array;
  /** Rows that sh_end_row has ended. */
  int64_t rows;
  /** The SDK's own. */
  sh_call *call;
  struct sh_staged *staged;
  struct sh_table *next;
} sh_table;

/** A table of these columns, such as `id BIGINT, at TIMESTAMP`; it is released with the call. Fails if that is no schema. */
sh_status sh_table_new(sh_call *call, const char *columns, sh_table **table);
/** A table of the columns of a schema, a struct, which is copied. */
sh_status sh_table_of(sh_call *call, const struct ArrowSchema *schema, sh_table **table);

/* Row by row. A column of which nothing is put is null. Columns count from 0. */

void sh_put_null(sh_table *table, int32_t column);
void sh_put_bool(sh_table *table, int32_t column, bool value);
/** A whole number, a DATE in days, a TIMESTAMP in microseconds; other times and durations in their unit. */
void sh_put_int(sh_table *table, int32_t column, int64_t value);
void sh_put_double(sh_table *table, int32_t column, double value);
/** A STRING or BINARY; the bytes are copied. */
void sh_put_text(sh_table *table, int32_t column, sh_text value);
/** A text that ends with a zero. */
void sh_put_string(sh_table *table, int32_t column, const char *value);
void sh_put_decimal(sh_table *table, int32_t column, sh_decimal value);
void sh_put_decimal256(sh_table *table, int32_t column, sh_decimal256 value);
/** Its `type` has to be the column's. */
void sh_put_interval(sh_table *table, int32_t column, struct ArrowInterval value);
/** The value of a row of another column, of the same type or a narrower one. */
void sh_put_value(sh_table *table, int32_t column, const sh_column *from, int64_t row);
/** Adds the row. */
void sh_end_row(sh_table *table);

/* Column by column. */

/** Room for the values of so many rows, to be filled in; the column's type has to be that. No value is null. */
int32_t *sh_fill_int32s(sh_table *table, int32_t column, int64_t rows);
int64_t *sh_fill_int64s(sh_table *table, int32_t column, int64_t rows);
double *sh_fill_doubles(sh_table *table, int32_t column, int64_t rows);
/** The same of any type of fixed width. */
void *sh_fill(sh_table *table, int32_t column, int64_t rows);
/** Null where this bitmap has no bit, which is copied; NULL: nowhere. Call it after sh_fill. */
void sh_fill_valid(sh_table *table, int32_t column, const uint8_t *valid);
/** The array of a column, in which nanoarrow appends: for lists, structs and maps. */
struct ArrowArray *sh_builder(sh_table *table, int32_t column);
/** The column is this one that came in. Nothing is copied. */
void sh_set_column(sh_table *table, int32_t column, const sh_column *from);
/** The column is these rows of one that came in, in this order. */
void sh_take(sh_table *table, int32_t column, const sh_column *from, const uint32_t *rows, int64_t n);
/** Adds the value of a row to a builder: of any type, as deep as it is. */
sh_status sh_append_value(sh_call *call, struct ArrowArray *builder, const sh_column *from, int64_t row);
/** The numbers of the rows whose bit is set, in memory of the call. */
uint32_t *sh_rows_of_bits(sh_call *call, const uint8_t *bits, int64_t rows, int64_t *n);

#ifdef __cplusplus
}
#endif
#endif
