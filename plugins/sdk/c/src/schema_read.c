/* Schema messages. Whoever wrote one may have meant no good: each part is looked at before it is used. */
#include "flat.h"
#include "ipc.h"
#include "schema.h"

// Slots and values of Message.fbs and Schema.fbs.
enum { HEADER_TYPE = 1, HEADER = 2, SCHEMA = 1 };
enum { FIELDS = 1 };
enum { NAME = 0, NULLABLE = 1, TYPE_TYPE = 2, TYPE = 3, DICTIONARY = 4, CHILDREN = 5 };

/** Levels of columns within columns. */
#define DEEPEST 16
/** Columns within one, or within the schema. */
#define MOST_FIELDS 65536

typedef struct reader {
  sh_call *call;
  sh_bytes header;
  /** Columns that may still come: a message may name the same ones again and again. */
  int left;
} reader;

static sh_status cut(const reader *r, const char *what) { return sh_permanent(r->call, "the host's message is malformed or cut off: %s", what); }

/** A number of so many bytes, or the default. */
static int64_t number(const reader *r, int64_t table, int slot, size_t size, int64_t otherwise) {
  int64_t at = table < 0 ? 0 : field(r->header, (uint64_t)table, slot);
  if (at <= 0 || !has(r->header, (uint64_t)at, size)) return otherwise;
  const uint8_t *data = r->header.data + at;
  return size == 1 ? data[0] : size == 2 ? (int16_t)word(data) : (int32_t)half(data);
}

/** What a field refers to; -1 if it is not there. */
static int64_t referred(const reader *r, int64_t table, int slot) {
  int64_t at = field(r->header, (uint64_t)table, slot);
  return at <= 0 ? -1 : follow(r->header, at);
}

/** A text of the header, copied; NULL if there is none or it is no text. */
static const char *string(const reader *r, int64_t table, int slot) {
  int64_t at = table < 0 ? -1 : referred(r, table, slot);
  if (at < 0) return NULL;
  uint32_t size = half(r->header.data + at);
  const uint8_t *text = r->header.data + at + 4;
  if (!has(r->header, (uint64_t)at + 4, size) || !sh_is_utf8(text, size) || memchr(text, 0, size)) return NULL;
  return sh_format(r->call, "%.*s", (int)size, (const char *)text);
}

static sh_status set(const reader *r, struct ArrowSchema *schema, enum ArrowType type) {
  return sh_arrow(r->call, ArrowSchemaSetType(schema, type), NULL);
}

static sh_status set_int(const reader *r, struct ArrowSchema *schema, int64_t type) {
  int64_t width = number(r, type, 0, 4, 0);
  bool is_signed = number(r, type, 1, 1, 0) != 0;
  switch (width) {
    case 8: return set(r, schema, is_signed ? NANOARROW_TYPE_INT8 : NANOARROW_TYPE_UINT8);
    case 16: return set(r, schema, is_signed ? NANOARROW_TYPE_INT16 : NANOARROW_TYPE_UINT16);
    case 32: return set(r, schema, is_signed ? NANOARROW_TYPE_INT32 : NANOARROW_TYPE_UINT32);
    case 64: return set(r, schema, is_signed ? NANOARROW_TYPE_INT64 : NANOARROW_TYPE_UINT64);
    default: return cut(r, "whole numbers");
  }
}

static sh_status set_float(const reader *r, struct ArrowSchema *schema, int64_t type) {
  switch (number(r, type, 0, 2, 0)) {
    case 0: return set(r, schema, NANOARROW_TYPE_HALF_FLOAT);
    case 1: return set(r, schema, NANOARROW_TYPE_FLOAT);
    case 2: return set(r, schema, NANOARROW_TYPE_DOUBLE);
    default: return cut(r, "fractions");
  }
}

static sh_status set_decimal(const reader *r, struct ArrowSchema *schema, int64_t type) {
  int64_t precision = number(r, type, 0, 4, 0), scale = number(r, type, 1, 4, 0), width = number(r, type, 2, 4, 128);
  int64_t most = width == 128 ? 38 : width == 256 ? 76 : 0;
  if (precision < 1 || precision > most || scale < -most || scale > most) return cut(r, "decimals");
  enum ArrowType wide = width == 128 ? NANOARROW_TYPE_DECIMAL128 : NANOARROW_TYPE_DECIMAL256;
  return sh_arrow(r->call, ArrowSchemaSetTypeDecimal(schema, wide, (int32_t)precision, (int32_t)scale), NULL);
}

static sh_status set_time(const reader *r, struct ArrowSchema *schema, enum ArrowType type, int64_t unit, const char *zone) {
  if (unit < NANOARROW_TIME_UNIT_SECOND || unit > NANOARROW_TIME_UNIT_NANO) return cut(r, "unit of time");
  return sh_arrow(r->call, ArrowSchemaSetTypeDateTime(schema, type, (enum ArrowTimeUnit)unit, zone), NULL);
}

static sh_status set_interval(const reader *r, struct ArrowSchema *schema, int64_t type) {
  switch (number(r, type, 0, 2, 0)) {
    case 0: return set(r, schema, NANOARROW_TYPE_INTERVAL_MONTHS);
    case 1: return set(r, schema, NANOARROW_TYPE_INTERVAL_DAY_TIME);
    case 2: return set(r, schema, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
    default: return cut(r, "unit of intervals");
  }
}

static sh_status set_fixed(const reader *r, struct ArrowSchema *schema, enum ArrowType type, int64_t size) {
  if (size < 1) return cut(r, "size");
  return sh_arrow(r->call, ArrowSchemaSetTypeFixedSize(schema, type, (int32_t)size), NULL);
}

static sh_status read_fields(reader *r, int64_t vector, struct ArrowSchema *schema, int depth);

/** A type with columns within, which take the place of those that nanoarrow makes. */
static sh_status set_nested(reader *r, struct ArrowSchema *schema, int64_t table, const char *format, int64_t least, int64_t most, int depth) {
  int64_t children = referred(r, table, CHILDREN);
  SH_TRY(sh_arrow(r->call, ArrowSchemaSetFormat(schema, format), NULL));
  if (children >= 0) SH_TRY(read_fields(r, children, schema, depth + 1));
  if (schema->n_children < least || schema->n_children > most) return cut(r, "columns within");
  return SH_OK;
}

static sh_status set_map(reader *r, struct ArrowSchema *schema, int64_t table, int64_t type, int depth) {
  SH_TRY(set_nested(r, schema, table, "+m", 1, 1, depth));
  const struct ArrowSchema *entries = schema->children[0];
  if (!entries->format || strcmp(entries->format, "+s") != 0 || entries->n_children != 2) return cut(r, "entries of a map");
  if (number(r, type, 0, 1, 0)) schema->flags |= ARROW_FLAG_MAP_KEYS_SORTED;
  return SH_OK;
}

static sh_status set_type(reader *r, struct ArrowSchema *schema, int64_t table, int depth) {
  int64_t type = referred(r, table, TYPE);
  int64_t kind = number(r, table, TYPE_TYPE, 1, 0);
  switch (kind) {
    case NULL_TYPE: return set(r, schema, NANOARROW_TYPE_NA);
    case INT: return set_int(r, schema, type);
    case FLOATING_POINT: return set_float(r, schema, type);
    case BINARY: return set(r, schema, NANOARROW_TYPE_BINARY);
    case UTF8: return set(r, schema, NANOARROW_TYPE_STRING);
    case LARGE_BINARY: return set(r, schema, NANOARROW_TYPE_LARGE_BINARY);
    case LARGE_UTF8: return set(r, schema, NANOARROW_TYPE_LARGE_STRING);
    case BOOL: return set(r, schema, NANOARROW_TYPE_BOOL);
    case DECIMAL: return set_decimal(r, schema, type);
    case DATE: return set(r, schema, number(r, type, 0, 2, 1) == 0 ? NANOARROW_TYPE_DATE32 : NANOARROW_TYPE_DATE64);
    case TIME: {
      int64_t unit = number(r, type, 0, 2, 1);
      return set_time(r, schema, unit < NANOARROW_TIME_UNIT_MICRO ? NANOARROW_TYPE_TIME32 : NANOARROW_TYPE_TIME64, unit, NULL);
    }
    case TIMESTAMP: return set_time(r, schema, NANOARROW_TYPE_TIMESTAMP, number(r, type, 0, 2, 0), string(r, type, 1));
    case DURATION: return set_time(r, schema, NANOARROW_TYPE_DURATION, number(r, type, 0, 2, 1), NULL);
    case INTERVAL: return set_interval(r, schema, type);
    case LIST: return set_nested(r, schema, table, "+l", 1, 1, depth);
    case LARGE_LIST: return set_nested(r, schema, table, "+L", 1, 1, depth);
    case STRUCT: return set_nested(r, schema, table, "+s", 0, MOST_FIELDS, depth);
    case MAP: return set_map(r, schema, table, type, depth);
    case FIXED_SIZE_BINARY: return set_fixed(r, schema, NANOARROW_TYPE_FIXED_SIZE_BINARY, number(r, type, 0, 4, 0));
    case FIXED_SIZE_LIST: {
      int64_t size = number(r, type, 0, 4, 0);
      if (size < 1) return cut(r, "size");
      return set_nested(r, schema, table, sh_format(r->call, "+w:%d", (int)size), 1, 1, depth);
    }
    default: return sh_invalid(r->call, "a column has a type that cannot cross into a plugin (%d): cast it to a plain type", (int)kind);
  }
}

static sh_status read_field(reader *r, int64_t table, struct ArrowSchema *schema, int depth) {
  const char *name = string(r, table, NAME);
  if (depth > DEEPEST || --r->left < 0) return cut(r, "too many columns");
  if (field(r->header, (uint64_t)table, DICTIONARY) != 0)
    return sh_invalid(r->call, "column `%s`: a dictionary cannot cross into a plugin: cast it to a plain type", name ? name : "");
  SH_TRY(set_type(r, schema, table, depth));
  SH_TRY(sh_arrow(r->call, ArrowSchemaSetName(schema, name ? name : ""), NULL));
  if (number(r, table, NULLABLE, 1, 0))
    schema->flags |= ARROW_FLAG_NULLABLE;
  else
    schema->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  return SH_OK;
}

/** Adds the columns of a vector to a schema. */
static sh_status read_fields(reader *r, int64_t vector, struct ArrowSchema *schema, int depth) {
  uint32_t n = half(r->header.data + vector);
  if (!has(r->header, (uint64_t)vector + 4, 4 * (uint64_t)n) || (int64_t)n > r->left) return cut(r, "columns");
  SH_TRY(sh_arrow(r->call, ArrowSchemaAllocateChildren(schema, n), NULL));
  for (uint32_t i = 0; i < n; i++) ArrowSchemaInit(schema->children[i]);
  for (uint32_t i = 0; i < n; i++) {
    int64_t table = follow(r->header, vector + 4 + 4 * (int64_t)i);
    if (table < 0) return cut(r, "column");
    SH_TRY(read_field(r, table, schema->children[i], depth));
  }
  return SH_OK;
}

static sh_status read_schema(sh_call *call, sh_bytes message, struct ArrowSchema *schema) {
  reader r = {.call = call, .left = MOST_FIELDS};
  if (message.size < 8 || half(message.data) != SH_CONTINUATION) return cut(&r, "prefix");
  uint32_t size = half(message.data + 4);
  if (!has(message, 8, size)) return cut(&r, "header");
  r.header = (sh_bytes){message.data + 8, size};
  int64_t root = follow(r.header, 0);
  if (root < 0 || number(&r, root, HEADER_TYPE, 1, 0) != SCHEMA) return sh_permanent(call, "the host sent a message that is no schema");
  int64_t table = referred(&r, root, HEADER), fields = table < 0 ? -1 : referred(&r, table, FIELDS);
  if (table < 0) return cut(&r, "schema");
  ArrowSchemaInit(schema);
  SH_TRY(sh_arrow(call, ArrowSchemaSetTypeStruct(schema, 0), NULL));
  return fields < 0 ? SH_OK : read_fields(&r, fields, schema, 0);
}

sh_status sh_schema_read(sh_call *call, sh_bytes message, struct ArrowSchema *schema) {
  schema->release = NULL;
  if (read_schema(call, message, schema) == SH_OK) return SH_OK;
  if (schema->release) ArrowSchemaRelease(schema);
  return sh_while(call, "the input's schema");
}
