#include "core.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/** Levels of ARRAY, MAP and STRUCT within each other. */
#define DEEPEST 8

typedef struct parser {
  sh_call *call;
  const char *text;
  const char *at;
  int depth;
} parser;

static void skip_space(parser *p) {
  while (isspace((unsigned char)*p->at)) p->at++;
}

static sh_status expected(parser *p, const char *wanted) {
  skip_space(p);
  return sh_invalid(p->call, "schema, column %d: expected %s, found `%s`", (int)(p->at - p->text) + 1, wanted, p->at);
}

static bool take(parser *p, char wanted) {
  skip_space(p);
  if (*p->at != wanted) return false;
  p->at++;
  return true;
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

static sh_text word(parser *p) {
  skip_space(p);
  const char *start = p->at;
  while (in_word(*p->at)) p->at++;
  return (sh_text){start, p->at - start};
}

static bool is(sh_text text, const char *other) {
  return strlen(other) == (size_t)text.size && strncasecmp(text.data, other, (size_t)text.size) == 0;
}

static const char *copied(sh_call *call, sh_text text) { return sh_format(call, "%.*s", (int)text.size, text.data); }

/** A name, in backquotes where it is not plain; two of them within mean one. */
static sh_status name_of(parser *p, const char **name) {
  if (!take(p, '`')) {
    sh_text plain = word(p);
    if (plain.size == 0) return expected(p, "a column's name");
    *name = copied(p->call, plain);
    return SH_OK;
  }
  char *made = (char *)sh_alloc(p->call, strlen(p->at) + 1), *to = made;
  for (; *p->at; p->at++) {
    if (*p->at == '`' && *++p->at != '`') {
      *to = 0;
      *name = made;
      return SH_OK;
    }
    *to++ = *p->at;
  }
  return expected(p, "a closing `");
}

static sh_status type_of(parser *p, struct ArrowSchema *schema);

static sh_status simple(parser *p, struct ArrowSchema *schema, enum ArrowType type) {
  return sh_arrow(p->call, ArrowSchemaSetType(schema, type), NULL);
}

static sh_status number(parser *p, int most, int *value) {
  sh_text digits = word(p);
  *value = 0;
  for (int64_t i = 0; i < digits.size; i++) {
    if (!isdigit((unsigned char)digits.data[i]) || *value > most) return expected(p, "a number");
    *value = 10 * *value + (digits.data[i] - '0');
  }
  if (digits.size == 0 || *value > most) return expected(p, sh_format(p->call, "a number up to %d", most));
  return SH_OK;
}

static sh_status decimal(parser *p, struct ArrowSchema *schema) {
  int precision = 10, scale = 0;
  if (take(p, '(')) {
    SH_TRY(number(p, 38, &precision));
    if (take(p, ',')) SH_TRY(number(p, precision, &scale));
    if (!take(p, ')')) return expected(p, "`)`");
  }
  return sh_arrow(p->call, ArrowSchemaSetTypeDecimal(schema, NANOARROW_TYPE_DECIMAL128, precision, scale), NULL);
}

static sh_status not_null(parser *p, struct ArrowSchema *schema) {
  const char *before = p->at;
  if (!is(word(p), "NOT")) {
    p->at = before;
    return SH_OK;
  }
  if (!is(word(p), "NULL")) return expected(p, "NULL after NOT");
  schema->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  return SH_OK;
}

sh_status sh_schema_append(sh_call *call, struct ArrowSchema *parent, struct ArrowSchema **child) {
  int64_t n = parent->n_children;
  struct ArrowSchema **children = (struct ArrowSchema **)ArrowMalloc((n + 1) * (int64_t)sizeof *children);
  struct ArrowSchema *added = (struct ArrowSchema *)ArrowMalloc(sizeof *added);
  if (!children || !added) return sh_permanent(call, "there is not enough memory");
  if (n) memcpy(children, parent->children, (size_t)n * sizeof *children);
  ArrowFree(parent->children);
  ArrowSchemaInit(added);
  children[n] = added;
  parent->children = children;
  parent->n_children = n + 1;
  *child = added;
  return SH_OK;
}

static sh_status fields(parser *p, struct ArrowSchema *schema) {
  do {
    const char *name;
    struct ArrowSchema *child;
    SH_TRY(name_of(p, &name));
    // Spark has a colon in a STRUCT and none outside; both are clear.
    take(p, ':');
    SH_TRY(sh_schema_append(p->call, schema, &child));
    SH_TRY(type_of(p, child));
    SH_TRY(sh_arrow(p->call, ArrowSchemaSetName(child, name), NULL));
    SH_TRY(not_null(p, child));
  } while (take(p, ','));
  return SH_OK;
}

static sh_status map(parser *p, struct ArrowSchema *schema) {
  SH_TRY(simple(p, schema, NANOARROW_TYPE_MAP));
  struct ArrowSchema *entries = schema->children[0];
  SH_TRY(type_of(p, entries->children[0]));
  SH_TRY(sh_arrow(p->call, ArrowSchemaSetName(entries->children[0], "key"), NULL));
  entries->children[0]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
  if (!take(p, ',')) return expected(p, "`,`");
  SH_TRY(type_of(p, entries->children[1]));
  return sh_arrow(p->call, ArrowSchemaSetName(entries->children[1], "value"), NULL);
}

static sh_status nested(parser *p, struct ArrowSchema *schema, sh_text kind) {
  if (p->depth == DEEPEST) return expected(p, "at most 8 levels of ARRAY, MAP and STRUCT");
  p->depth++;
  if (!take(p, '<')) return expected(p, "`<`");
  if (is(kind, "ARRAY")) {
    SH_TRY(simple(p, schema, NANOARROW_TYPE_LIST));
    SH_TRY(type_of(p, schema->children[0]));
    SH_TRY(sh_arrow(p->call, ArrowSchemaSetName(schema->children[0], "item"), NULL));
  } else if (is(kind, "MAP")) {
    SH_TRY(map(p, schema));
  } else {
    SH_TRY(simple(p, schema, NANOARROW_TYPE_STRUCT));
    SH_TRY(fields(p, schema));
  }
  p->depth--;
  return take(p, '>') ? SH_OK : expected(p, "`>`");
}

static sh_status timestamp(parser *p, struct ArrowSchema *schema, const char *zone) {
  return sh_arrow(p->call, ArrowSchemaSetTypeDateTime(schema, NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO, zone), NULL);
}

static sh_status type_of(parser *p, struct ArrowSchema *schema) {
  static const struct {
    const char *name;
    enum ArrowType type;
  } names[] = {{"BOOLEAN", NANOARROW_TYPE_BOOL},   {"TINYINT", NANOARROW_TYPE_INT8},  {"BYTE", NANOARROW_TYPE_INT8},
               {"SMALLINT", NANOARROW_TYPE_INT16}, {"SHORT", NANOARROW_TYPE_INT16},   {"INT", NANOARROW_TYPE_INT32},
               {"INTEGER", NANOARROW_TYPE_INT32},  {"BIGINT", NANOARROW_TYPE_INT64},  {"LONG", NANOARROW_TYPE_INT64},
               {"FLOAT", NANOARROW_TYPE_FLOAT},    {"REAL", NANOARROW_TYPE_FLOAT},    {"DOUBLE", NANOARROW_TYPE_DOUBLE},
               {"STRING", NANOARROW_TYPE_STRING},  {"BINARY", NANOARROW_TYPE_BINARY}, {"DATE", NANOARROW_TYPE_DATE32}};
  skip_space(p);
  const char *start = p->at;
  sh_text name = word(p);
  if (!schema->release) ArrowSchemaInit(schema);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (is(name, names[i].name)) return simple(p, schema, names[i].type);
  }
  if (is(name, "TIMESTAMP") || is(name, "TIMESTAMP_LTZ")) return timestamp(p, schema, "UTC");
  if (is(name, "TIMESTAMP_NTZ")) return timestamp(p, schema, NULL);
  if (is(name, "INTERVAL")) return simple(p, schema, NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO);
  if (is(name, "DECIMAL") || is(name, "NUMERIC") || is(name, "DEC")) return decimal(p, schema);
  if (is(name, "ARRAY") || is(name, "MAP") || is(name, "STRUCT")) return nested(p, schema, name);
  p->at = start;
  return expected(p, "a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP");
}

static sh_status end(parser *p) {
  skip_space(p);
  return *p->at ? expected(p, "`,` or the end") : SH_OK;
}

sh_status sh_ddl_parse(sh_call *call, const char *text, struct ArrowSchema *schema) {
  parser p = {call, text, text, 0};
  ArrowSchemaInit(schema);
  SH_TRY(simple(&p, schema, NANOARROW_TYPE_STRUCT));
  skip_space(&p);
  if (!*p.at) return SH_OK;
  SH_TRY(fields(&p, schema));
  return end(&p);
}

sh_status sh_ddl_type(sh_call *call, const char *text, struct ArrowSchema *schema) {
  parser p = {call, text, text, 0};
  SH_TRY(type_of(&p, schema));
  SH_TRY(not_null(&p, schema));
  return end(&p);
}

sh_status sh_ddl_wanted(sh_call *call, const char *text, sh_wanted **wanted, int32_t *n) {
  parser p = {call, text, text, 0};
  *wanted = (sh_wanted *)sh_alloc(call, (strlen(text) / 2 + 1) * sizeof **wanted);
  *n = 0;
  skip_space(&p);
  while (*p.at) {
    sh_wanted *one = &(*wanted)[(*n)++];
    memset(one, 0, sizeof *one);
    SH_TRY(name_of(&p, &one->name));
    skip_space(&p);
    one->typed = *p.at && *p.at != ',';
    if (one->typed) {
      SH_TRY(type_of(&p, &one->schema));
      SH_TRY(not_null(&p, &one->schema));
    }
    if (!take(&p, ',')) break;
  }
  return end(&p);
}
