#include "core.h"

#include <ctype.h>
#include <string.h>

/** Text that grows in memory of the call. */
typedef struct writer {
  sh_call *call;
  sh_buffer text;
} writer;

static void put(writer *w, const char *text) {
  size_t size = strlen(text);
  memcpy(sh_buffer_grow(w->call->internal->arena, &w->text, size), text, size);
}

/** Letters and digits of any alphabet need no backquotes. */
static bool is_plain(const char *name) {
  bool plain = *name != 0;
  for (; *name; name++) plain = plain && (isalnum((unsigned char)*name) || *name == '_' || (unsigned char)*name >= 0x80);
  return plain;
}

static void put_name(writer *w, const char *name) {
  if (is_plain(name)) {
    put(w, name);
    return;
  }
  put(w, "`");
  for (; *name; name++) {
    char letter[2] = {*name, 0};
    put(w, *name == '`' ? "``" : letter);
  }
  put(w, "`");
}

static void put_type(writer *w, const struct ArrowSchema *schema);

static void put_fields(writer *w, const struct ArrowSchema *schema, const char *between) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (i) put(w, ", ");
    put_name(w, schema->children[i]->name ? schema->children[i]->name : "");
    put(w, between);
    put_type(w, schema->children[i]);
  }
}

static void put_nested(writer *w, const struct ArrowSchemaView *view, const struct ArrowSchema *schema) {
  if (view->type == NANOARROW_TYPE_STRUCT) {
    put(w, "STRUCT<");
    put_fields(w, schema, ": ");
  } else if (view->type == NANOARROW_TYPE_MAP) {
    put(w, "MAP<");
    put_type(w, schema->children[0]->children[0]);
    put(w, ", ");
    put_type(w, schema->children[0]->children[1]);
  } else {
    put(w, "ARRAY<");
    put_type(w, schema->children[0]);
  }
  put(w, ">");
}

/** Spark's name; Arrow's of types that Spark has not. */
static const char *simple(const struct ArrowSchemaView *view) {
  switch (view->type) {
    case NANOARROW_TYPE_NA: return "VOID";
    case NANOARROW_TYPE_BOOL: return "BOOLEAN";
    case NANOARROW_TYPE_INT8: return "TINYINT";
    case NANOARROW_TYPE_INT16: return "SMALLINT";
    case NANOARROW_TYPE_INT32: return "INT";
    case NANOARROW_TYPE_INT64: return "BIGINT";
    case NANOARROW_TYPE_FLOAT: return "FLOAT";
    case NANOARROW_TYPE_DOUBLE: return "DOUBLE";
    case NANOARROW_TYPE_STRING: return "STRING";
    case NANOARROW_TYPE_BINARY: return "BINARY";
    case NANOARROW_TYPE_DATE32: return "DATE";
    case NANOARROW_TYPE_INTERVAL_MONTHS: return "Interval(YearMonth)";
    case NANOARROW_TYPE_INTERVAL_DAY_TIME: return "Interval(DayTime)";
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: return "INTERVAL";
    default: return ArrowTypeString(view->type);
  }
}

static void put_type(writer *w, const struct ArrowSchema *schema) {
  static const char *const units[] = {"s", "ms", "µs", "ns"};
  struct ArrowSchemaView view;
  if (ArrowSchemaViewInit(&view, schema, NULL) != NANOARROW_OK) {
    put(w, "?");
    return;
  }
  switch (view.type) {
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_STRUCT:
    case NANOARROW_TYPE_MAP: put_nested(w, &view, schema); break;
    case NANOARROW_TYPE_DECIMAL128: put(w, sh_format(w->call, "DECIMAL(%d,%d)", (int)view.decimal_precision, (int)view.decimal_scale)); break;
    case NANOARROW_TYPE_DECIMAL256: put(w, sh_format(w->call, "Decimal256(%d, %d)", (int)view.decimal_precision, (int)view.decimal_scale)); break;
    case NANOARROW_TYPE_DURATION: put(w, sh_format(w->call, "Duration(%s)", units[view.time_unit])); break;
    case NANOARROW_TYPE_TIMESTAMP:
      if (view.time_unit == NANOARROW_TIME_UNIT_MICRO) {
        put(w, view.timezone && *view.timezone ? "TIMESTAMP" : "TIMESTAMP_NTZ");
        break;
      }
      put(w, sh_format(w->call, "timestamp[%s, %s]", ArrowTimeUnitString(view.time_unit), view.timezone ? view.timezone : ""));
      break;
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_TIME64: put(w, sh_format(w->call, "%s[%s]", ArrowTypeString(view.type), ArrowTimeUnitString(view.time_unit))); break;
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
      put(w, sh_format(w->call, "%s[%d]", ArrowTypeString(view.type), (int)view.fixed_size));
      if (schema->n_children) {
        put(w, "<");
        put_type(w, schema->children[0]);
        put(w, ">");
      }
      break;
    default: put(w, simple(&view));
  }
}

static const char *finish(writer *w) {
  *sh_buffer_grow(w->call->internal->arena, &w->text, 1) = 0;
  return (const char *)w->text.data;
}

const char *sh_type_name(sh_call *call, const struct ArrowSchema *schema) {
  writer w = {.call = call};
  put_type(&w, schema);
  return finish(&w);
}

const char *sh_columns_text(sh_call *call, const struct ArrowSchema *schema) {
  writer w = {.call = call};
  put_fields(&w, schema, " ");
  return finish(&w);
}
