#include "table.h"

#include <string.h>

static sh_status start(sh_table *table) {
  struct ArrowError error = {{0}};
  SH_TRY(sh_arrow(table->call, ArrowArrayInitFromSchema(&table->array, &table->schema, &error), &error));
  return sh_arrow(table->call, ArrowArrayStartAppending(&table->array), NULL);
}

static sh_table *listed(sh_call *call) {
  sh_table *table = (sh_table *)sh_arena_alloc(call->internal->whole, sizeof *table);
  memset(table, 0, sizeof *table);
  table->call = call;
  table->next = call->internal->tables;
  call->internal->tables = table;
  return table;
}

/** What a table has beside its arrays. */
static sh_status stage(sh_table *table) {
  sh_arena *arena = table->call->internal->whole;
  int64_t n = table->schema.n_children;
  sh_staged *staged = (sh_staged *)sh_arena_alloc(arena, sizeof *staged);
  memset(staged, 0, sizeof *staged);
  staged->values = (staged_value *)sh_arena_alloc(arena, (size_t)n * sizeof *staged->values);
  memset(staged->values, 0, (size_t)n * sizeof *staged->values);
  staged->foreign = (bool *)sh_arena_alloc(arena, (size_t)n);
  memset(staged->foreign, 0, (size_t)n);
  table->staged = staged;
  return start(table);
}

sh_status sh_table_new(sh_call *call, const char *columns, sh_table **table) {
  *table = listed(call);
  SH_TRY(sh_ddl_parse(call, columns, &(*table)->schema));
  return stage(*table);
}

sh_status sh_table_of(sh_call *call, const struct ArrowSchema *schema, sh_table **table) {
  *table = listed(call);
  SH_TRY(sh_arrow(call, ArrowSchemaDeepCopy(schema, &(*table)->schema), NULL));
  return stage(*table);
}

void sh_table_release(sh_table *table) {
  if (table->array.release) ArrowArrayRelease(&table->array);
  if (table->schema.release) ArrowSchemaRelease(&table->schema);
}

sh_status sh_table_clear(sh_table *table) {
  if (table->array.release) ArrowArrayRelease(&table->array);
  memset(table->staged->foreign, 0, (size_t)table->schema.n_children);
  table->staged->scratch.size = 0;
  table->rows = 0;
  return start(table);
}

/** A child's own length; the rows of a table without columns are counted. */
static int64_t length_of(const sh_table *table) { return table->array.n_children && !table->rows ? table->array.children[0]->length : table->rows; }

sh_status sh_table_finish(sh_table *table, const char *what, int64_t *rows) {
  sh_call *call = table->call;
  struct ArrowError error = {{0}};
  SH_TRY(sh_done(call));
  *rows = length_of(table);
  for (int64_t i = 0; i < table->array.n_children; i++) {
    struct ArrowArray *column = table->array.children[i];
    if (!table->staged->foreign[i]) {
      int code = ArrowArrayFinishBuilding(column, NANOARROW_VALIDATION_LEVEL_DEFAULT, &error);
      if (sh_arrow(call, code, &error) != SH_OK) return sh_while(call, "%s: column `%s`", what, table->schema.children[i]->name);
    }
    if (column->length == *rows) continue;
    return sh_permanent(call, "%s: column `%s` has %lld values, and there are %lld rows", what, table->schema.children[i]->name,
                        (long long)column->length, (long long)*rows);
  }
  table->array.length = *rows;
  return SH_OK;
}

sh_status sh_table_write(sh_table *table, const char *what, const sh_schema *schema, bool always, sh_buffer *out) {
  int64_t rows;
  SH_TRY(sh_table_finish(table, what, &rows));
  if (rows == 0 && !always) return SH_OK;
  return sh_ipc_write(table->call, schema, &table->array, rows, out);
}

static struct ArrowArray *child_of(sh_table *table, int32_t column, const char *doing) {
  if (column < 0 || column >= table->array.n_children) {
    sh_panic(__FILE__, __LINE__, "%s: there is no column %d; the columns are %s", doing, (int)column, sh_columns_text(table->call, &table->schema));
  }
  return table->array.children[column];
}

struct ArrowArray *sh_builder(sh_table *table, int32_t column) { return child_of(table, column, "sh_builder"); }

static void *fill(sh_table *table, int32_t column, int64_t rows, int64_t width) {
  struct ArrowArray *array = child_of(table, column, "sh_fill");
  struct ArrowArrayPrivateData *own = (struct ArrowArrayPrivateData *)array->private_data;
  int32_t bits = own->layout.element_size_bits[1];
  if (own->layout.buffer_type[1] != NANOARROW_BUFFER_TYPE_DATA || bits % 8 || (width && bits != 8 * width)) {
    sh_panic(__FILE__, __LINE__, "column `%s` is %s: its values are not filled in so", table->schema.children[column]->name,
             sh_type_name(table->call, table->schema.children[column]));
  }
  struct ArrowBuffer *buffer = ArrowArrayBuffer(array, 1);
  if (ArrowBufferResize(buffer, rows * (bits / 8), 0) != NANOARROW_OK)
    sh_panic(__FILE__, __LINE__, "there is no memory for %lld rows", (long long)rows);
  array->length = rows;
  array->null_count = 0;
  // So that there is a place, if not a value.
  static int64_t none[2];
  return buffer->data ? (void *)buffer->data : (void *)none;
}

int32_t *sh_fill_int32s(sh_table *table, int32_t column, int64_t rows) { return (int32_t *)fill(table, column, rows, 4); }

int64_t *sh_fill_int64s(sh_table *table, int32_t column, int64_t rows) { return (int64_t *)fill(table, column, rows, 8); }

double *sh_fill_doubles(sh_table *table, int32_t column, int64_t rows) { return (double *)fill(table, column, rows, 8); }

void *sh_fill(sh_table *table, int32_t column, int64_t rows) { return fill(table, column, rows, 0); }

void sh_fill_valid(sh_table *table, int32_t column, const uint8_t *valid) {
  struct ArrowArray *array = child_of(table, column, "sh_fill_valid");
  struct ArrowBitmap *bitmap = ArrowArrayValidityBitmap(array);
  ArrowBitmapReset(bitmap);
  array->null_count = 0;
  if (!valid) return;
  int64_t bytes = (array->length + 7) / 8;
  if (ArrowBufferAppend(&bitmap->buffer, valid, bytes) != NANOARROW_OK)
    sh_panic(__FILE__, __LINE__, "there is no memory for %lld bytes", (long long)bytes);
  bitmap->size_bits = array->length;
  array->null_count = array->length - sh_count_bits(valid, array->length);
}

static void no_release(struct ArrowArray *array) { array->release = NULL; }

void sh_set_column(sh_table *table, int32_t column, const sh_column *from) {
  struct ArrowArray *array = child_of(table, column, "sh_set_column");
  if (strcmp(from->schema->format, table->schema.children[column]->format) != 0) {
    sh_permanent(table->call, "column `%s` is %s, and is given %s", table->schema.children[column]->name,
                 sh_type_name(table->call, table->schema.children[column]), sh_type_name(table->call, from->schema));
    return;
  }
  if (array->release) ArrowArrayRelease(array);
  *array = *from->array;
  array->release = no_release;
  table->staged->foreign[column] = true;
}

sh_status sh_table_filter(sh_table *table, const uint8_t *keep) {
  sh_call *call = table->call;
  sh_buffer message = {0};
  sh_schema schema;
  sh_batch rows;
  SH_TRY(sh_schema_types(call, &table->schema, &schema));
  SH_TRY(sh_table_write(table, "rows", &schema, true, &message));
  sh_bytes bytes = {message.data, message.size};
  SH_TRY(sh_ipc_read(call, &schema, &bytes, &rows));
  SH_TRY(sh_table_clear(table));
  for (int64_t row = 0; row < rows.rows; row++) {
    if (!sh_bit(keep, row)) continue;
    for (int32_t i = 0; i < rows.n_columns; i++) SH_TRY(sh_append_value(call, table->array.children[i], &rows.columns[i], row));
    table->rows++;
  }
  return SH_OK;
}

void sh_drop(sh_call *call, sh_drops *drops, int64_t from, int64_t to) {
  if (from == to) return;
  if (drops->n == drops->most) {
    drops->most = drops->most ? 2 * drops->most : 8;
    int64_t(*more)[2] = (int64_t(*)[2])sh_alloc(call, (size_t)drops->most * sizeof *more);
    if (drops->n) memcpy(more, drops->ranges, (size_t)drops->n * sizeof *more);
    drops->ranges = more;
  }
  drops->ranges[drops->n][0] = from;
  drops->ranges[drops->n++][1] = to;
}

sh_status sh_drops_apply(sh_table *table, const sh_drops *drops) {
  if (drops->n == 0) return SH_OK;
  size_t bytes = (size_t)(table->rows + 7) / 8;
  uint8_t *keep = (uint8_t *)sh_alloc(table->call, bytes);
  memset(keep, 0xff, bytes);
  for (int64_t i = 0; i < drops->n; i++) {
    for (int64_t row = drops->ranges[i][0]; row < drops->ranges[i][1]; row++) sh_clear_bit(keep, row);
  }
  return sh_table_filter(table, keep);
}
