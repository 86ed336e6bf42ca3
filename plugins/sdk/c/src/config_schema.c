#include "json.h"

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

static void quote(writer *w, const char *text) { sh_json_quote(w->call, &w->text, (sh_text){text, (int64_t)strlen(text)}); }

static void put_object(writer *w, const sh_field *fields);

static void put_type(writer *w, const sh_field *field) {
  static const char *const types[] = {[SH_BOOL] = "\"boolean\"",
                                      [SH_INT] = "\"integer\"",
                                      [SH_DOUBLE] = "\"number\"",
                                      [SH_NUMBER] = "\"number\"",
                                      [SH_STRING] = "\"string\"",
                                      [SH_ENUM] = "\"string\"",
                                      [SH_INTERVAL] = "\"string\"",
                                      [SH_STRINGS] = "\"array\",\"items\":{\"type\":\"string\"}",
                                      [SH_OBJECTS] = "\"array\",\"items\":{"};
  put(w, "\"type\":");
  put(w, types[field->type]);
  if (field->type == SH_OBJECTS) {
    put_object(w, field->fields);
    put(w, "}");
  }
  for (int i = 0; field->type == SH_ENUM && field->names[i]; i++) {
    put(w, i ? "," : ",\"enum\":[");
    quote(w, field->names[i]);
    if (!field->names[i + 1]) put(w, "]");
  }
}

static void put_field(writer *w, const sh_field *field) {
  quote(w, field->name);
  put(w, ":{");
  if (field->doc) {
    put(w, "\"description\":");
    quote(w, field->doc);
    put(w, ",");
  }
  put_type(w, field);
  if (field->otherwise) {
    put(w, ",\"default\":");
    put(w, field->otherwise);
  }
  put(w, "}");
}

static void put_object(writer *w, const sh_field *fields) {
  put(w, "\"type\":\"object\",\"properties\":{");
  for (const sh_field *field = fields; field->name; field++) {
    if (field != fields) put(w, ",");
    put_field(w, field);
  }
  put(w, "}");
  bool any = false;
  for (const sh_field *field = fields; field->name; field++) {
    if (field->otherwise || field->optional) continue;
    put(w, any ? "," : ",\"required\":[");
    quote(w, field->name);
    any = true;
  }
  put(w, any ? "],\"additionalProperties\":false" : ",\"additionalProperties\":false");
}

const char *sh_config_schema(sh_call *call, const sh_field *fields) {
  static const sh_field none[] = {SH_END_FIELDS};
  writer w = {.call = call};
  put(&w, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",");
  put_object(&w, fields ? fields : none);
  put(&w, "}");
  *sh_buffer_grow(call->internal->arena, &w.text, 1) = 0;
  return (const char *)w.text.data;
}
