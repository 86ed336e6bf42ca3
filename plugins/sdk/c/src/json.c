#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Levels of arrays and objects. */
#define DEEPEST 64

typedef struct reader {
  sh_call *call;
  const char *start, *at, *end;
  int depth;
} reader;

static sh_status wrong(reader *r, const char *what) { return sh_invalid(r->call, "%s at column %d", what, (int)(r->at - r->start) + 1); }

static void skip(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
}

static bool take(reader *r, char wanted) {
  skip(r);
  if (r->at == r->end || *r->at != wanted) return false;
  r->at++;
  return true;
}

static int hex4(reader *r) {
  int value = 0;
  if (r->end - r->at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = *r->at++;
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = 16 * value + digit;
  }
  return value;
}

static char *put_utf8(char *to, uint32_t c) {
  if (c < 0x80) {
    *to++ = (char)c;
  } else if (c < 0x800) {
    *to++ = (char)(0xc0 | c >> 6);
    *to++ = (char)(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *to++ = (char)(0xe0 | c >> 12);
    *to++ = (char)(0x80 | (c >> 6 & 63));
    *to++ = (char)(0x80 | (c & 63));
  } else {
    *to++ = (char)(0xf0 | c >> 18);
    *to++ = (char)(0x80 | (c >> 12 & 63));
    *to++ = (char)(0x80 | (c >> 6 & 63));
    *to++ = (char)(0x80 | (c & 63));
  }
  return to;
}

/** The character behind `\u`; two of them are one beyond the first plane. */
static sh_status escaped(reader *r, char **to) {
  int c = hex4(r);
  if (c >= 0xd800 && c < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
    r->at += 2;
    int low = hex4(r);
    if (low < 0xdc00 || low > 0xdfff) return wrong(r, "lone surrogate");
    *to = put_utf8(*to, 0x10000 + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
    return SH_OK;
  }
  if (c < 0 || (c >= 0xd800 && c < 0xe000)) return wrong(r, "invalid escape");
  *to = put_utf8(*to, (uint32_t)c);
  return SH_OK;
}

static sh_status text(reader *r, sh_text *value) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  char *made = (char *)sh_alloc(r->call, (size_t)(r->end - r->at) + 1), *to = made;
  while (r->at < r->end && *r->at != '"') {
    if ((unsigned char)*r->at < 0x20) return wrong(r, "control character in a string");
    if (*r->at != '\\') {
      *to++ = *r->at++;
      continue;
    }
    if (++r->at == r->end) break;
    char c = *r->at++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known)
      *to++ = into[known - from];
    else if (c == 'u')
      SH_TRY(escaped(r, &to));
    else
      return wrong(r, "invalid escape");
  }
  if (!take(r, '"')) return wrong(r, "EOF while parsing a string");
  *to = 0;
  *value = (sh_text){made, to - made};
  return SH_OK;
}

static sh_status value_of(reader *r, sh_json *value);

static sh_status items(reader *r, sh_json *value, char close) {
  sh_json **next = &value->first;
  if (++r->depth > DEEPEST) return wrong(r, "recursion limit exceeded");
  if (take(r, close)) {
    r->depth--;
    return SH_OK;
  }
  do {
    sh_json *item = (sh_json *)sh_alloc(r->call, sizeof *item);
    memset(item, 0, sizeof *item);
    if (close == '}') {
      sh_text name;
      if (!take(r, '"')) return wrong(r, "key must be a string");
      SH_TRY(text(r, &name));
      item->name = name.data;
      if (!take(r, ':')) return wrong(r, "expected `:`");
    }
    SH_TRY(value_of(r, item));
    *next = item;
    next = &item->next;
    value->n++;
  } while (take(r, ','));
  r->depth--;
  return take(r, close) ? SH_OK : wrong(r, close == '}' ? "expected `,` or `}`" : "expected `,` or `]`");
}

static sh_status number(reader *r, sh_json *value) {
  const char *start = r->at;
  while (r->at < r->end && strchr("+-.0123456789eE", *r->at) && *r->at) r->at++;
  value->kind = SH_JSON_NUMBER;
  char *copy = sh_format(r->call, "%.*s", (int)(r->at - start), start), *end;
  value->text = (sh_text){copy, r->at - start};
  strtod(copy, &end);
  return r->at > start && !*end ? SH_OK : wrong(r, "expected value");
}

static bool keyword(reader *r, const char *name) {
  size_t size = strlen(name);
  if ((size_t)(r->end - r->at) < size || memcmp(r->at, name, size) != 0) return false;
  r->at += size;
  return true;
}

static sh_status value_of(reader *r, sh_json *value) {
  skip(r);
  if (take(r, '{')) {
    value->kind = SH_JSON_OBJECT;
    return items(r, value, '}');
  }
  if (take(r, '[')) {
    value->kind = SH_JSON_ARRAY;
    return items(r, value, ']');
  }
  if (take(r, '"')) {
    value->kind = SH_JSON_TEXT;
    return text(r, &value->text);
  }
  if (keyword(r, "null")) return SH_OK;
  if (keyword(r, "true")) {
    value->kind = SH_JSON_TRUE;
    return SH_OK;
  }
  if (keyword(r, "false")) {
    value->kind = SH_JSON_FALSE;
    return SH_OK;
  }
  return number(r, value);
}

sh_status sh_json_parse(sh_call *call, sh_text json, sh_json **value) {
  reader r = {call, json.data, json.data, json.data + json.size, 0};
  *value = (sh_json *)sh_alloc(call, sizeof **value);
  memset(*value, 0, sizeof **value);
  SH_TRY(value_of(&r, *value));
  skip(&r);
  return r.at == r.end ? SH_OK : wrong(&r, "trailing characters");
}

const sh_json *sh_json_member(const sh_json *object, const char *name) {
  for (const sh_json *member = object->first; member; member = member->next) {
    if (member->name && strcmp(member->name, name) == 0) return member;
  }
  return NULL;
}

bool sh_json_whole(const sh_json *number, int64_t *value) {
  char *end;
  if (number->kind != SH_JSON_NUMBER) return false;
  errno = 0;
  *value = strtoll(number->text.data, &end, 10);
  return *end == 0 && errno == 0;
}

double sh_json_double(const sh_json *number) { return strtod(number->text.data, NULL); }

void sh_json_quote(sh_call *call, sh_buffer *out, sh_text value) {
  sh_arena *arena = call->internal->arena;
  *sh_buffer_grow(arena, out, 1) = '"';
  for (int64_t i = 0; i < value.size; i++) {
    unsigned char c = (unsigned char)value.data[i];
    char escape[8] = {(char)c, 0};
    if (c == '"' || c == '\\')
      snprintf(escape, sizeof escape, "\\%c", c);
    else if (c == '\n')
      memcpy(escape, "\\n", 3);
    else if (c < 0x20)
      snprintf(escape, sizeof escape, "\\u%04x", c);
    size_t size = c ? strlen(escape) : 6;
    memcpy(sh_buffer_grow(arena, out, size), escape, size);
  }
  *sh_buffer_grow(arena, out, 1) = '"';
}
