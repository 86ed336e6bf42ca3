#include "core.h"

#include <string.h>

/** Levels of lists, maps and structs within each other that cross the boundary. */
#define DEEPEST 16
/** Fields of a schema, at all levels. */
#define MOST_FIELDS 65536

static int32_t width_of(const struct ArrowSchemaView *view) {
  switch (view->type) {
    case NANOARROW_TYPE_INT8:
    case NANOARROW_TYPE_UINT8: return 1;
    case NANOARROW_TYPE_INT16:
    case NANOARROW_TYPE_UINT16:
    case NANOARROW_TYPE_HALF_FLOAT: return 2;
    case NANOARROW_TYPE_INT32:
    case NANOARROW_TYPE_UINT32:
    case NANOARROW_TYPE_FLOAT:
    case NANOARROW_TYPE_DATE32:
    case NANOARROW_TYPE_TIME32:
    case NANOARROW_TYPE_INTERVAL_MONTHS: return 4;
    case NANOARROW_TYPE_INT64:
    case NANOARROW_TYPE_UINT64:
    case NANOARROW_TYPE_DOUBLE:
    case NANOARROW_TYPE_DATE64:
    case NANOARROW_TYPE_TIME64:
    case NANOARROW_TYPE_TIMESTAMP:
    case NANOARROW_TYPE_DURATION:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME: return 8;
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO:
    case NANOARROW_TYPE_DECIMAL128: return 16;
    case NANOARROW_TYPE_DECIMAL256: return 32;
    case NANOARROW_TYPE_FIXED_SIZE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_LIST: return view->fixed_size;
    case NANOARROW_TYPE_NA:
    case NANOARROW_TYPE_BOOL:
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_STRUCT:
    case NANOARROW_TYPE_MAP: return 0;
    default: return -1;
  }
}

static int32_t count(const struct ArrowSchema *schema, int depth) {
  if (depth > DEEPEST) return MOST_FIELDS + 1;
  int32_t fields = 1;
  for (int64_t i = 0; i < schema->n_children && fields <= MOST_FIELDS; i++) fields += count(schema->children[i], depth + 1);
  return fields;
}

static sh_status look(sh_call *call, const struct ArrowSchema *schema, sh_type **next) {
  struct ArrowSchemaView view;
  struct ArrowError error = {{0}};
  SH_TRY(sh_arrow(call, ArrowSchemaViewInit(&view, schema, &error), &error));
  int32_t width = width_of(&view);
  if (width < 0 || schema->dictionary) {
    return sh_invalid(call, "column `%s`: %s cannot cross into a plugin: cast it to a plain type", schema->name ? schema->name : "",
                      schema->dictionary ? "a dictionary" : ArrowTypeString(view.type));
  }
  *(*next)++ = (sh_type){view.type, width, view.decimal_precision, view.decimal_scale};
  for (int64_t i = 0; i < schema->n_children; i++) SH_TRY(look(call, schema->children[i], next));
  return SH_OK;
}

sh_status sh_schema_types(sh_call *call, struct ArrowSchema *arrow, sh_schema *schema) {
  int32_t fields = count(arrow, 0);
  if (fields > MOST_FIELDS) return sh_invalid(call, "the schema has too many columns, or columns that are nested too deeply");
  sh_type *types = (sh_type *)sh_alloc(call, (size_t)fields * sizeof *types), *next = types;
  SH_TRY(look(call, arrow, &next));
  *schema = (sh_schema){arrow, types, fields};
  return SH_OK;
}

int32_t sh_schema_index(const struct ArrowSchema *schema, const char *name) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    const char *given = schema->children[i]->name;
    if (given && strcmp(given, name) == 0) return (int32_t)i;
  }
  return -1;
}

bool sh_schema_alike(sh_call *call, const struct ArrowSchema *one, const struct ArrowSchema *other) {
  return strcmp(sh_columns_text(call, one), sh_columns_text(call, other)) == 0;
}

sh_status sh_schema_pick(sh_call *call, const struct ArrowSchema *from, const int32_t *columns, int32_t n, struct ArrowSchema *to) {
  ArrowSchemaInit(to);
  SH_TRY(sh_arrow(call, ArrowSchemaSetTypeStruct(to, n), NULL));
  for (int32_t i = 0; i < n; i++) {
    if (to->children[i]->release) ArrowSchemaRelease(to->children[i]);
    SH_TRY(sh_arrow(call, ArrowSchemaDeepCopy(from->children[columns[i]], to->children[i]), NULL));
  }
  return SH_OK;
}
