/* Schema messages. Tables come before what they refer to, whose places are filled in when they are known. */
#include "ipc.h"
#include "schema.h"

#include <string.h>

typedef struct writer {
  sh_call *call;
  sh_buffer out;
} writer;

/** Zeroes at the end; where they begin, at a multiple of four. */
static size_t add(writer *w, size_t size) {
  size_t padding = (4 - w->out.size % 4) % 4;
  memset(sh_buffer_grow(w->call->internal->arena, &w->out, padding + size), 0, padding + size);
  return w->out.size - size;
}

static void put(writer *w, size_t at, const void *value, size_t size) { memcpy(w->out.data + at, value, size); }

static void put_byte(writer *w, size_t at, uint8_t value) { put(w, at, &value, sizeof value); }

static void put_word(writer *w, size_t at, int16_t value) { put(w, at, &value, sizeof value); }

static void put_half(writer *w, size_t at, int32_t value) { put(w, at, &value, sizeof value); }

/** The reference at `at` is to what comes next. */
static void refer(writer *w, size_t at) { put_half(w, at, (int32_t)((w->out.size + 3) / 4 * 4 - at)); }

/** A table of so many slots, of this size: where each slot is in it, or 0. It begins where it is answered. */
static size_t table(writer *w, const uint16_t *slots, uint16_t n, uint16_t size) {
  uint16_t sizes[2] = {(uint16_t)(4 + 2 * n), size};
  // The vtable is behind its table, so that the table is where the reference to it points.
  size_t at = add(w, size), vtable = add(w, sizes[0]);
  put(w, vtable, sizes, sizeof sizes);
  if (n) put(w, vtable + sizeof sizes, slots, 2 * (size_t)n);
  put_half(w, at, (int32_t)at - (int32_t)vtable);
  return at;
}

static void string(writer *w, const char *text) {
  size_t size = strlen(text), at = add(w, 4 + size + 1);
  put_half(w, at, (int32_t)size);
  put(w, at + 4, text, size);
}

/** A type without anything to say. */
static uint8_t plain(writer *w, uint8_t kind) {
  table(w, NULL, 0, 4);
  return kind;
}

/** A type with one number, of four bytes or of two. */
static uint8_t with_half(writer *w, uint8_t kind, int32_t value) {
  put_half(w, table(w, (const uint16_t[]){4}, 1, 8) + 4, value);
  return kind;
}

static uint8_t with_word(writer *w, uint8_t kind, int16_t value) {
  put_word(w, table(w, (const uint16_t[]){4}, 1, 8) + 4, value);
  return kind;
}

static uint8_t whole(writer *w, int32_t width, bool is_signed) {
  size_t at = table(w, (const uint16_t[]){4, 8}, 2, 12);
  put_half(w, at + 4, width);
  put_byte(w, at + 8, is_signed);
  return INT;
}

static uint8_t decimal(writer *w, const struct ArrowSchemaView *view) {
  size_t at = table(w, (const uint16_t[]){4, 8, 12}, 3, 16);
  put_half(w, at + 4, view->decimal_precision);
  put_half(w, at + 8, view->decimal_scale);
  put_half(w, at + 12, view->decimal_bitwidth);
  return DECIMAL;
}

static uint8_t time_of_day(writer *w, const struct ArrowSchemaView *view) {
  size_t at = table(w, (const uint16_t[]){4, 8}, 2, 12);
  put_word(w, at + 4, (int16_t)view->time_unit);
  put_half(w, at + 8, view->type == NANOARROW_TYPE_TIME32 ? 32 : 64);
  return TIME;
}

static uint8_t timestamp(writer *w, const struct ArrowSchemaView *view) {
  bool zoned = view->timezone && *view->timezone;
  size_t at = table(w, (const uint16_t[]){8, zoned ? 4 : 0}, 2, 12);
  put_word(w, at + 8, (int16_t)view->time_unit);
  if (zoned) refer(w, at + 4);
  if (zoned) string(w, view->timezone);
  return TIMESTAMP;
}

/** The table of a type, and its number; 0 if it does not cross. */
static uint8_t type_of(writer *w, const struct ArrowSchemaView *view) {
  switch (view->type) {
    case NANOARROW_TYPE_NA: return plain(w, NULL_TYPE);
    case NANOARROW_TYPE_BOOL: return plain(w, BOOL);
    case NANOARROW_TYPE_INT8: return whole(w, 8, true);
    case NANOARROW_TYPE_INT16: return whole(w, 16, true);
    case NANOARROW_TYPE_INT32: return whole(w, 32, true);
    case NANOARROW_TYPE_INT64: return whole(w, 64, true);
    case NANOARROW_TYPE_UINT8: return whole(w, 8, false);
    case NANOARROW_TYPE_UINT16: return whole(w, 16, false);
    case NANOARROW_TYPE_UINT32: return whole(w, 32, false);
    case NANOARROW_TYPE_UINT64: return whole(w, 64, false);
    case NANOARROW_TYPE_HALF_FLOAT: return with_word(w, FLOATING_POINT, 0);
    case NANOARROW_TYPE_FLOAT: return with_word(w, FLOATING_POINT, 1);
    case NANOARROW_TYPE_DOUBLE: return with_word(w, FLOATING_POINT, 2);
    case NANOARROW_TYPE_STRING: return plain(w, UTF8);
    case NANOARROW_TYPE_LARGE_STRING: return plain(w, LARGE_UTF8);
    case NANOARROW_TYPE_BINARY: return plain(w, BINARY);
    case NANOARROW_TYPE_LARGE_BINARY: return plain(w, LARGE_BINARY);
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: return with_half(w, FIXED_SIZE_BINARY, view->fixed_size);
    case NANOARROW_TYPE_DATE32: return with_word(w, DATE, 0);
    case NANOARROW_TYPE_DATE64: return with_word(w, DATE, 1);
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64: return time_of_day(w, view);
    case NANOARROW_TYPE_TIMESTAMP: return timestamp(w, view);
    case NANOARROW_TYPE_DURATION: return with_word(w, DURATION, (int16_t)view->time_unit);
    case NANOARROW_TYPE_INTERVAL_MONTHS: return with_word(w, INTERVAL, 0);
    case NANOARROW_TYPE_INTERVAL_DAY_TIME: return with_word(w, INTERVAL, 1);
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: return with_word(w, INTERVAL, 2);
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256: return decimal(w, view);
    case NANOARROW_TYPE_LIST: return plain(w, LIST);
    case NANOARROW_TYPE_LARGE_LIST: return plain(w, LARGE_LIST);
    case NANOARROW_TYPE_FIXED_SIZE_LIST: return with_half(w, FIXED_SIZE_LIST, view->fixed_size);
    case NANOARROW_TYPE_STRUCT: return plain(w, STRUCT);
    case NANOARROW_TYPE_MAP: return with_word(w, MAP, view->schema->flags & ARROW_FLAG_MAP_KEYS_SORTED ? 1 : 0);
    default: return 0;
  }
}

static sh_status fields(writer *w, const struct ArrowSchema *schema);

static sh_status one_field(writer *w, const struct ArrowSchema *schema) {
  struct ArrowSchemaView view;
  struct ArrowError error = {{0}};
  SH_TRY(sh_arrow(w->call, ArrowSchemaViewInit(&view, schema, &error), &error));
  // Name, whether it may be null, the type's number, the type, no dictionary, the columns within.
  size_t at = table(w, (const uint16_t[]){4, 17, 16, 8, 0, 12}, 6, 20);
  refer(w, at + 4);
  string(w, schema->name ? schema->name : "");
  refer(w, at + 8);
  uint8_t kind = schema->dictionary ? 0 : type_of(w, &view);
  if (!kind)
    return sh_permanent(w->call, "column `%s`: %s cannot leave a plugin: use a plain type", schema->name ? schema->name : "",
                        sh_type_name(w->call, schema));
  put_byte(w, at + 16, kind);
  put_byte(w, at + 17, (schema->flags & ARROW_FLAG_NULLABLE) != 0);
  refer(w, at + 12);
  return fields(w, schema);
}

/** A vector of columns. */
static sh_status fields(writer *w, const struct ArrowSchema *schema) {
  size_t at = add(w, 4 + 4 * (size_t)schema->n_children);
  put_half(w, at, (int32_t)schema->n_children);
  for (int64_t i = 0; i < schema->n_children; i++) {
    refer(w, at + 4 + 4 * (size_t)i);
    SH_TRY(one_field(w, schema->children[i]));
  }
  return SH_OK;
}

sh_status sh_schema_write(sh_call *call, const struct ArrowSchema *schema, sh_bytes *message) {
  writer w = {.call = call};
  size_t root = add(&w, 4);
  refer(&w, root);
  // Version 5, a schema, no body.
  size_t at = table(&w, (const uint16_t[]){8, 10, 4}, 3, 12);
  put_word(&w, at + 8, 4);
  put_byte(&w, at + 10, 1);
  refer(&w, at + 4);
  // Little-endian, the columns.
  at = table(&w, (const uint16_t[]){0, 4}, 2, 8);
  refer(&w, at + 4);
  SH_TRY(fields(&w, schema));
  size_t size = sh_padded(8 + w.out.size);
  uint8_t *whole = (uint8_t *)sh_alloc(call, size);
  uint32_t prefix[2] = {SH_CONTINUATION, (uint32_t)(size - 8)};
  memset(whole, 0, size);
  memcpy(whole, prefix, sizeof prefix);
  memcpy(whole + sizeof prefix, w.out.data, w.out.size);
  *message = (sh_bytes){whole, size};
  return SH_OK;
}
