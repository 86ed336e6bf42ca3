#include "json.h"

#include <math.h>
#include <string.h>

static sh_status object(sh_call *call, const sh_field *fields, const sh_json *json, uint8_t *into);

/** A value as serde names it: string "a while", integer `3`. */
static const char *shown(sh_call *call, const sh_json *json) {
  switch (json->kind) {
    case SH_JSON_NULL: return "null";
    case SH_JSON_FALSE: return "boolean `false`";
    case SH_JSON_TRUE: return "boolean `true`";
    case SH_JSON_NUMBER: {
      int64_t whole;
      return sh_format(call, sh_json_whole(json, &whole) ? "integer `%s`" : "floating point `%s`", json->text.data);
    }
    case SH_JSON_TEXT: return sh_format(call, "string \"%s\"", json->text.data);
    case SH_JSON_ARRAY: return "sequence";
    case SH_JSON_OBJECT: return "map";
  }
  return "";
}

static sh_status mismatch(sh_call *call, const sh_field *field, const sh_json *json, const char *wanted) {
  return sh_invalid(call, "`%s`: invalid type: %s, expected %s", field->name, shown(call, json), wanted);
}

/** "`a`, `b`" */
static const char *listed(sh_call *call, const char *list, const char *name) {
  return *list ? sh_format(call, "%s, `%s`", list, name) : sh_format(call, "`%s`", name);
}

/** What was expected, of so many names. */
static const char *expected(sh_call *call, int n, const char *first, const char *second, const char *list) {
  if (n == 0) return "there are no fields";
  if (n == 1) return sh_format(call, "expected `%s`", first);
  if (n == 2) return sh_format(call, "expected `%s` or `%s`", first, second);
  return sh_format(call, "expected one of %s", list);
}

static sh_status unknown_field(sh_call *call, const sh_field *fields, const char *name) {
  const char *list = "";
  int n = 0;
  for (; fields[n].name; n++) list = listed(call, list, fields[n].name);
  return sh_invalid(call, "unknown field `%s`, %s", name, expected(call, n, fields[0].name, n > 1 ? fields[1].name : "", list));
}

static sh_status variant(sh_call *call, const sh_field *field, const sh_json *json, int *place) {
  const char *list = "";
  int n = 0;
  if (json->kind != SH_JSON_TEXT) return mismatch(call, field, json, "string");
  for (; field->names[n]; n++) {
    if (strcmp(field->names[n], json->text.data) == 0) {
      *place = n;
      return SH_OK;
    }
    list = listed(call, list, field->names[n]);
  }
  return sh_invalid(call, "unknown variant `%s`, %s", json->text.data, expected(call, n, field->names[0], n > 1 ? field->names[1] : "", list));
}

static sh_status strings(sh_call *call, const sh_field *field, const sh_json *json, sh_strings *into) {
  if (json->kind != SH_JSON_ARRAY) return mismatch(call, field, json, "a sequence");
  const char **items = (const char **)sh_alloc(call, (size_t)json->n * sizeof *items);
  into->n = 0;
  for (const sh_json *item = json->first; item; item = item->next) {
    if (item->kind != SH_JSON_TEXT) return mismatch(call, field, item, "a string");
    items[into->n++] = item->text.data;
  }
  into->items = items;
  return SH_OK;
}

static sh_status objects(sh_call *call, const sh_field *field, const sh_json *json, sh_objects *into) {
  if (json->kind != SH_JSON_ARRAY) return mismatch(call, field, json, "a sequence");
  uint8_t *items = (uint8_t *)sh_alloc(call, (size_t)json->n * field->size);
  memset(items, 0, (size_t)json->n * field->size);
  into->n = 0;
  into->items = items;
  for (const sh_json *item = json->first; item; item = item->next) {
    if (item->kind != SH_JSON_OBJECT) return mismatch(call, field, item, "an object");
    SH_TRY(object(call, field->fields, item, items + (size_t)into->n++ * field->size));
  }
  return SH_OK;
}

static sh_status number(sh_call *call, const sh_field *field, const sh_json *json, sh_number *into) {
  if (json->kind != SH_JSON_NUMBER) return mismatch(call, field, json, "a number");
  into->is_whole = sh_json_whole(json, &into->whole);
  into->value = sh_json_double(json);
  return SH_OK;
}

static sh_status interval(sh_call *call, const sh_field *field, const sh_json *json, int64_t *into) {
  return json->kind == SH_JSON_TEXT ? sh_interval(call, json->text.data, into) : mismatch(call, field, json, "a string");
}

static sh_status read_field(sh_call *call, const sh_field *field, const sh_json *json, void *into) {
  switch (field->type) {
    case SH_BOOL:
      if (json->kind != SH_JSON_TRUE && json->kind != SH_JSON_FALSE) return mismatch(call, field, json, "a boolean");
      *(bool *)into = json->kind == SH_JSON_TRUE;
      return SH_OK;
    case SH_INT: return sh_json_whole(json, (int64_t *)into) ? SH_OK : mismatch(call, field, json, "i64");
    case SH_DOUBLE:
      if (json->kind != SH_JSON_NUMBER) return mismatch(call, field, json, "f64");
      *(double *)into = sh_json_double(json);
      return SH_OK;
    case SH_NUMBER: return number(call, field, json, (sh_number *)into);
    case SH_STRING:
      if (json->kind != SH_JSON_TEXT) return mismatch(call, field, json, "a string");
      *(const char **)into = json->text.data;
      return SH_OK;
    case SH_ENUM: return variant(call, field, json, (int *)into);
    case SH_INTERVAL: return interval(call, field, json, (int64_t *)into);
    case SH_STRINGS: return strings(call, field, json, (sh_strings *)into);
    case SH_OBJECTS: return objects(call, field, json, (sh_objects *)into);
  }
  return SH_FAILED;
}

/** What a key that is not there leaves. */
static sh_status absent(sh_call *call, const sh_field *field, void *into) {
  if (field->otherwise) {
    sh_json *json;
    SH_TRY(sh_json_parse(call, (sh_text){field->otherwise, (int64_t)strlen(field->otherwise)}, &json));
    return read_field(call, field, json, into);
  }
  if (field->type == SH_DOUBLE && field->optional) *(double *)into = NAN;
  return field->optional ? SH_OK : sh_invalid(call, "missing field `%s`", field->name);
}

static sh_status object(sh_call *call, const sh_field *fields, const sh_json *json, uint8_t *into) {
  for (const sh_json *member = json->first; member; member = member->next) {
    const sh_field *field = fields;
    while (field->name && strcmp(field->name, member->name) != 0) field++;
    if (!field->name) return unknown_field(call, fields, member->name);
    if (sh_json_member(json, member->name) != member) return sh_invalid(call, "duplicate field `%s`", member->name);
    if (member->kind == SH_JSON_NULL && field->optional) continue;
    SH_TRY(read_field(call, field, member, into + field->offset));
  }
  for (const sh_field *field = fields; field->name; field++) {
    const sh_json *member = sh_json_member(json, field->name);
    bool there = member && !(member->kind == SH_JSON_NULL && field->optional);
    if (!there) SH_TRY(absent(call, field, into + field->offset));
  }
  return SH_OK;
}

sh_status sh_config_parse(sh_call *call, const sh_field *fields, size_t size, sh_text text, const void **config) {
  static const sh_field none[] = {SH_END_FIELDS};
  sh_json *json;
  uint8_t *made = (uint8_t *)sh_alloc(call, size);
  memset(made, 0, size);
  int64_t spaces = 0;
  while (spaces < text.size && strchr(" \n\t\r", text.data[spaces])) spaces++;
  if (spaces == text.size) text = (sh_text){"{}", 2};
  sh_status read = sh_json_parse(call, text, &json);
  if (read == SH_OK && json->kind != SH_JSON_OBJECT) read = sh_invalid(call, "invalid type: %s, expected an object", shown(call, json));
  if (read == SH_OK) read = object(call, fields ? fields : none, json, made);
  *config = made;
  return read == SH_OK ? SH_OK : sh_while(call, "config");
}
