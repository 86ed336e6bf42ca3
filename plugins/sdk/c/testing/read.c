/* JSON into columns. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool civil(int year, int month, int day, int64_t *days) {
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  int64_t march = month > 2 ? year : year - 1, of = month > 2 ? month - 3 : month + 9;
  int64_t era = (march >= 0 ? march : march - 399) / 400, of_era = march - 400 * era;
  *days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * of + 2) / 5 + day - 1 - 719468;
  return true;
}

bool sh_read_date(const char *text, int64_t *days) {
  int year, month, day, used = 0;
  return sscanf(text, "%d-%2d-%2d%n", &year, &month, &day, &used) == 3 && !text[used] && civil(year, month, day, days);
}

bool sh_read_moment(const char *text, int64_t *micros) {
  int year, month, day, hour, minute, second, used = 0;
  int64_t days, fraction = 0, unit = 1000000;
  if (sscanf(text, "%d-%2d-%2d%*1[T ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) != 6) return false;
  const char *at = text + used;
  if (*at == '.') {
    for (at++; *at >= '0' && *at <= '9'; at++) fraction += (*at - '0') * (unit /= 10);
  }
  if (*at == 'Z') at++;
  if (*at || !civil(year, month, day, &days)) return false;
  *micros = ((days * 24 + hour) * 60 + minute) * 60 * 1000000 + (int64_t)second * 1000000 + fraction;
  return true;
}

typedef struct place {
  sh_call *call;
  const char *column;
} place;

static sh_status misfit(const place *p, const struct ArrowSchema *schema, const sh_json *value) {
  return sh_invalid(p->call, "column `%s`: %s is no %s", p->column, value->text.data ? value->text.data : "this", sh_type_name(p->call, schema));
}

/** Digits with a point, scaled. */
static bool decimal(const char *text, int scale, struct ArrowDecimal *value) {
  char digits[128];
  size_t n = 0;
  int behind = -1;
  for (; *text && n < sizeof digits - 1; text++) {
    if (*text == '.' && behind < 0)
      behind = 0;
    else if ((*text >= '0' && *text <= '9') || (*text == '-' && n == 0)) {
      digits[n++] = *text;
      if (behind >= 0) behind++;
    } else
      return false;
  }
  for (behind = behind < 0 ? 0 : behind; behind < scale && n < sizeof digits - 1; behind++) digits[n++] = '0';
  digits[n] = 0;
  return behind == scale && ArrowDecimalSetDigits(value, ArrowCharView(digits)) == NANOARROW_OK;
}

static sh_status append(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value);

static sh_status append_number(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const struct ArrowSchemaView *view,
                               const sh_json *value) {
  int64_t whole;
  int code = EINVAL;
  bool fractions = view->type == NANOARROW_TYPE_DOUBLE || view->type == NANOARROW_TYPE_FLOAT || view->type == NANOARROW_TYPE_HALF_FLOAT;
  if (value->kind != SH_JSON_NUMBER) return misfit(p, schema, value);
  if (fractions)
    code = ArrowArrayAppendDouble(to, sh_json_double(value));
  else if (view->type == NANOARROW_TYPE_UINT64)
    code = ArrowArrayAppendUInt(to, strtoull(value->text.data, NULL, 10));
  else if (sh_json_whole(value, &whole))
    code = ArrowArrayAppendInt(to, whole);
  return code == NANOARROW_OK ? SH_OK : misfit(p, schema, value);
}

static sh_status append_decimal(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const struct ArrowSchemaView *view,
                                const sh_json *value) {
  struct ArrowDecimal number;
  ArrowDecimalInit(&number, view->decimal_bitwidth, view->decimal_precision, view->decimal_scale);
  if (!value->text.data || !decimal(value->text.data, view->decimal_scale, &number)) return misfit(p, schema, value);
  return sh_arrow(p->call, ArrowArrayAppendDecimal(to, &number), NULL);
}

/** Bytes are written in hexadecimal. */
static sh_status append_bytes(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  if (value->kind != SH_JSON_TEXT || value->text.size % 2) return misfit(p, schema, value);
  uint8_t *bytes = (uint8_t *)sh_alloc(p->call, (size_t)value->text.size / 2);
  for (int64_t i = 0; i < value->text.size / 2; i++) {
    char two[3] = {value->text.data[2 * i], value->text.data[2 * i + 1], 0}, *end;
    bytes[i] = (uint8_t)strtoul(two, &end, 16);
    if (*end) return misfit(p, schema, value);
  }
  return sh_arrow(p->call, ArrowArrayAppendBytes(to, (struct ArrowBufferView){.data = {.as_uint8 = bytes}, .size_bytes = value->text.size / 2}),
                  NULL);
}

static sh_status append_text(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  if (value->kind != SH_JSON_TEXT) return misfit(p, schema, value);
  return sh_arrow(p->call, ArrowArrayAppendString(to, (struct ArrowStringView){value->text.data, value->text.size}), NULL);
}

static sh_status append_time(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const struct ArrowSchemaView *view,
                             const sh_json *value) {
  int64_t number;
  bool read = value->kind == SH_JSON_TEXT && (view->type == NANOARROW_TYPE_DATE32 ? sh_read_date : sh_read_moment)(value->text.data, &number);
  return read ? sh_arrow(p->call, ArrowArrayAppendInt(to, number), NULL) : misfit(p, schema, value);
}

/** A duration may be a number of its unit too. */
static sh_status append_duration(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const struct ArrowSchemaView *view,
                                 const sh_json *value) {
  int64_t number;
  if (value->kind == SH_JSON_NUMBER) return append_number(p, to, schema, view, value);
  if (value->kind != SH_JSON_TEXT || !sh_duration_read(value->text.data, view->time_unit, &number)) return misfit(p, schema, value);
  return sh_arrow(p->call, ArrowArrayAppendInt(to, number), NULL);
}

static sh_status append_interval(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const struct ArrowSchemaView *view,
                                 const sh_json *value) {
  struct ArrowInterval interval = {.type = view->type};
  if (value->kind != SH_JSON_TEXT || !sh_interval_read(value->text.data, &interval)) return misfit(p, schema, value);
  return sh_arrow(p->call, ArrowArrayAppendInterval(to, &interval), NULL);
}

static sh_status append_list(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  if (value->kind != SH_JSON_ARRAY) return misfit(p, schema, value);
  for (const sh_json *item = value->first; item; item = item->next) SH_TRY(append(p, to->children[0], schema->children[0], item));
  return sh_arrow(p->call, ArrowArrayFinishElement(to), NULL);
}

static sh_status append_map(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  if (value->kind != SH_JSON_OBJECT) return misfit(p, schema, value);
  for (const sh_json *member = value->first; member; member = member->next) {
    sh_json name = {.kind = SH_JSON_TEXT, .text = {member->name, (int64_t)strlen(member->name)}};
    SH_TRY(append(p, to->children[0]->children[0], schema->children[0]->children[0], &name));
    SH_TRY(append(p, to->children[0]->children[1], schema->children[0]->children[1], member));
    SH_TRY(sh_arrow(p->call, ArrowArrayFinishElement(to->children[0]), NULL));
  }
  return sh_arrow(p->call, ArrowArrayFinishElement(to), NULL);
}

static sh_status append_struct(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  static const sh_json null;
  if (value->kind != SH_JSON_OBJECT) return misfit(p, schema, value);
  for (const sh_json *member = value->first; member; member = member->next) {
    if (sh_schema_index(schema, member->name) < 0)
      return sh_invalid(p->call, "there is no column `%s`; the columns are %s", member->name, sh_columns_text(p->call, schema));
  }
  for (int64_t i = 0; i < schema->n_children; i++) {
    const sh_json *member = sh_json_member(value, schema->children[i]->name);
    place child = {p->call, schema->children[i]->name};
    SH_TRY(append(&child, to->children[i], schema->children[i], member ? member : &null));
  }
  return sh_arrow(p->call, ArrowArrayFinishElement(to), NULL);
}

static sh_status append(const place *p, struct ArrowArray *to, const struct ArrowSchema *schema, const sh_json *value) {
  struct ArrowSchemaView view;
  SH_TRY(sh_arrow(p->call, ArrowSchemaViewInit(&view, schema, NULL), NULL));
  if (value->kind == SH_JSON_NULL) return sh_arrow(p->call, ArrowArrayAppendNull(to, 1), NULL);
  switch (view.type) {
    case NANOARROW_TYPE_BOOL:
      if (value->kind != SH_JSON_TRUE && value->kind != SH_JSON_FALSE) return misfit(p, schema, value);
      return sh_arrow(p->call, ArrowArrayAppendInt(to, value->kind == SH_JSON_TRUE), NULL);
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_LARGE_STRING: return append_text(p, to, schema, value);
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_BINARY:
    case NANOARROW_TYPE_FIXED_SIZE_BINARY: return append_bytes(p, to, schema, value);
    case NANOARROW_TYPE_DATE32:
    case NANOARROW_TYPE_TIMESTAMP: return append_time(p, to, schema, &view, value);
    case NANOARROW_TYPE_DURATION: return append_duration(p, to, schema, &view, value);
    case NANOARROW_TYPE_INTERVAL_MONTHS:
    case NANOARROW_TYPE_INTERVAL_DAY_TIME:
    case NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO: return append_interval(p, to, schema, &view, value);
    case NANOARROW_TYPE_DECIMAL128:
    case NANOARROW_TYPE_DECIMAL256: return append_decimal(p, to, schema, &view, value);
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST: return append_list(p, to, schema, value);
    case NANOARROW_TYPE_MAP: return append_map(p, to, schema, value);
    case NANOARROW_TYPE_STRUCT: return append_struct(p, to, schema, value);
    default: return append_number(p, to, schema, &view, value);
  }
}

sh_status sh_rows_read(sh_call *call, const char *lines, const struct ArrowSchema *schema, sh_bytes *message) {
  sh_table *table;
  sh_schema types;
  sh_buffer out = {0};
  place root = {call, ""};
  struct ArrowSchema *copy = NULL;
  SH_TRY(sh_table_of(call, schema, &table));
  copy = &table->schema;
  SH_TRY(sh_schema_types(call, copy, &types));
  while (*lines) {
    size_t size = strcspn(lines, "\n");
    sh_json *row;
    if (strspn(lines, " \t\r") < size) {
      SH_TRY(sh_json_parse(call, (sh_text){lines, (int64_t)size}, &row));
      SH_TRY(append_struct(&root, &table->array, schema, row));
      table->rows++;
    }
    lines += size + (lines[size] == '\n');
  }
  SH_TRY(sh_table_write(table, "rows", &types, true, &out));
  *message = (sh_bytes){out.data, out.size};
  return SH_OK;
}
