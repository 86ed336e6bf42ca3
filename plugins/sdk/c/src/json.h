/** JSON values: a configuration, and in tests rows. */
#ifndef STREAMHOST_JSON_H
#define STREAMHOST_JSON_H

#include "core.h"

typedef enum sh_json_kind { SH_JSON_NULL, SH_JSON_FALSE, SH_JSON_TRUE, SH_JSON_NUMBER, SH_JSON_TEXT, SH_JSON_ARRAY, SH_JSON_OBJECT } sh_json_kind;

/** A value. Items of arrays and members of objects follow each other in a list. */
typedef struct sh_json {
  sh_json_kind kind;
  /** Of a member. */
  const char *name;
  /** A text, which ends with a zero; or a number as it is written. */
  sh_text text;
  struct sh_json *first;
  struct sh_json *next;
  int64_t n;
} sh_json;

/** Reads a value, in memory of the call. Fails with kind `invalid`. */
sh_status sh_json_parse(sh_call *call, sh_text text, sh_json **value);
/** A member of an object, or NULL. */
const sh_json *sh_json_member(const sh_json *object, const char *name);
/** Whether a number is whole and fits; then its value. */
bool sh_json_whole(const sh_json *number, int64_t *value);
double sh_json_double(const sh_json *number);
/** Writes text as a JSON string. */
void sh_json_quote(sh_call *call, sh_buffer *out, sh_text text);

#endif
