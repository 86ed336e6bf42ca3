#include "harness.h"

#include <ctype.h>
#include <string.h>

typedef struct reader {
  sh_call *call;
  const char *text, *at;
  sh_json *root, *table;
} reader;

static sh_status wrong(reader *r, const char *what) {
  int line = 1;
  for (const char *at = r->text; at < r->at; at++) line += *at == '\n';
  return sh_invalid(r->call, "line %d: %s", line, what);
}

/** Passes spaces over; with `lines`, ends of lines and comments too. */
static void skip(reader *r, bool lines) {
  for (; *r->at; r->at++) {
    if (*r->at == '#' && lines) r->at += strcspn(r->at, "\n");
    if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r' && !(lines && *r->at == '\n')) return;
  }
}

static sh_status end_of_line(reader *r) {
  skip(r, false);
  if (*r->at == '#') r->at += strcspn(r->at, "\n");
  return !*r->at || *r->at == '\n' ? SH_OK : wrong(r, "expected the end of the line");
}

static sh_json *added(reader *r, sh_json *to, const char *name, sh_json_kind kind) {
  sh_json *made = (sh_json *)sh_alloc(r->call, sizeof *made), **last = &to->first;
  memset(made, 0, sizeof *made);
  made->kind = kind;
  made->name = name;
  while (*last) last = &(*last)->next;
  *last = made;
  to->n++;
  return made;
}

static sh_status basic(reader *r, const char *end, sh_json *value);

static sh_status literal(reader *r, const char *end, sh_json *value) {
  const char *close = strstr(r->at, end);
  if (!close) return wrong(r, "a text does not end");
  value->kind = SH_JSON_TEXT;
  value->text = (sh_text){sh_format(r->call, "%.*s", (int)(close - r->at), r->at), close - r->at};
  r->at = close + strlen(end);
  return SH_OK;
}

static sh_status string(reader *r, sh_json *value) {
  char quote = *r->at, three[4] = {quote, quote, quote, 0}, one[2] = {quote, 0};
  bool long_text = strncmp(r->at, three, 3) == 0;
  r->at += long_text ? 3 : 1;
  if (long_text && *r->at == '\r') r->at++;
  if (long_text && *r->at == '\n') r->at++;
  const char *end = long_text ? three : one;
  return quote == '\'' ? literal(r, end, value) : basic(r, end, value);
}

/** A text with escapes: those of JSON, so JSON reads it. */
static sh_status basic(reader *r, const char *end, sh_json *value) {
  sh_buffer json = {0};
  sh_json *read;
  sh_text_add(r->call, &json, "\"");
  while (*r->at && strncmp(r->at, end, strlen(end)) != 0) {
    char two[3] = {*r->at, 0, 0};
    if (*r->at == '\\') {
      two[1] = r->at[1];
      if (two[1] == '\n') {
        // The line goes on.
        r->at++;
        skip(r, true);
        continue;
      }
    }
    sh_text_add(r->call, &json, *r->at == '\n' ? "\\n" : *r->at == '\t' ? "\\t" : *r->at == '"' ? "\\\"" : two);
    r->at += two[1] ? 2 : 1;
  }
  if (!*r->at) return wrong(r, "a text does not end");
  r->at += strlen(end);
  sh_text_add(r->call, &json, "\"");
  SH_TRY(sh_json_parse(r->call, (sh_text){(const char *)json.data, (int64_t)json.size}, &read));
  value->kind = SH_JSON_TEXT;
  value->text = read->text;
  return SH_OK;
}

static sh_status key(reader *r, const char **name) {
  skip(r, false);
  sh_json text = {0};
  if (*r->at == '"' || *r->at == '\'') {
    SH_TRY(string(r, &text));
    *name = text.text.data;
    return SH_OK;
  }
  const char *start = r->at;
  while (isalnum((unsigned char)*r->at) || *r->at == '_' || *r->at == '-') r->at++;
  if (r->at == start) return wrong(r, "expected a key");
  *name = sh_format(r->call, "%.*s", (int)(r->at - start), start);
  return SH_OK;
}

static sh_status value_of(reader *r, sh_json *value);

/** The table within a table, of this name; of a list of tables the last one. */
static sh_json *within(reader *r, sh_json *table, const char *name) {
  sh_json *found = (sh_json *)sh_json_member(table, name);
  if (!found) found = added(r, table, name, SH_JSON_OBJECT);
  while (found->kind == SH_JSON_ARRAY) {
    found = found->first;
    while (found && found->next) found = found->next;
    if (!found) return table;
  }
  return found;
}

static sh_status assignment(reader *r, sh_json *table) {
  const char *name;
  SH_TRY(key(r, &name));
  for (skip(r, false); *r->at == '.'; skip(r, false)) {
    r->at++;
    table = within(r, table, name);
    SH_TRY(key(r, &name));
  }
  if (*r->at++ != '=') return wrong(r, "expected `=`");
  return value_of(r, added(r, table, name, SH_JSON_NULL));
}

static sh_status list(reader *r, sh_json *value, char close) {
  value->kind = close == ']' ? SH_JSON_ARRAY : SH_JSON_OBJECT;
  r->at++;
  for (skip(r, true); *r->at != close; skip(r, true)) {
    if (close == ']')
      SH_TRY(value_of(r, added(r, value, NULL, SH_JSON_NULL)));
    else
      SH_TRY(assignment(r, value));
    skip(r, true);
    if (*r->at == ',')
      r->at++;
    else if (*r->at != close)
      return wrong(r, "expected `,` or the end of a list or table");
  }
  r->at++;
  return SH_OK;
}

static sh_status scalar(reader *r, sh_json *value) {
  size_t size = strcspn(r->at, " \t\r\n,]}#"), n = 0;
  char word[64];
  for (size_t i = 0; i < size && n < sizeof word - 1; i++) {
    if (r->at[i] != '_') word[n++] = r->at[i];
  }
  word[n] = 0;
  sh_json *read;
  if (sh_json_parse(r->call, (sh_text){word + (word[0] == '+'), (int64_t)strlen(word + (word[0] == '+'))}, &read) != SH_OK)
    return wrong(r, "expected a value");
  value->kind = read->kind;
  value->text = read->text;
  r->at += size;
  return SH_OK;
}

static sh_status value_of(reader *r, sh_json *value) {
  skip(r, false);
  if (*r->at == '"' || *r->at == '\'') return string(r, value);
  if (*r->at == '[') return list(r, value, ']');
  if (*r->at == '{') return list(r, value, '}');
  return scalar(r, value);
}

/** `[table]` or `[[table]]`. */
static sh_status header(reader *r) {
  bool many = r->at[1] == '[';
  const char *name;
  sh_json *table = r->root;
  r->at += many ? 2 : 1;
  SH_TRY(key(r, &name));
  for (skip(r, false); *r->at == '.'; skip(r, false)) {
    r->at++;
    table = within(r, table, name);
    SH_TRY(key(r, &name));
  }
  if (many) {
    sh_json *all = (sh_json *)sh_json_member(table, name);
    if (!all) all = added(r, table, name, SH_JSON_ARRAY);
    r->table = added(r, all, NULL, SH_JSON_OBJECT);
  } else {
    r->table = within(r, table, name);
  }
  for (int i = 0; i < (many ? 2 : 1); i++) {
    if (*r->at++ != ']') return wrong(r, "expected `]`");
  }
  return SH_OK;
}

sh_status sh_toml_parse(sh_call *call, const char *text, sh_json **table) {
  reader r = {.call = call, .text = text, .at = text};
  r.root = r.table = (sh_json *)sh_alloc(call, sizeof *r.root);
  memset(r.root, 0, sizeof *r.root);
  r.root->kind = SH_JSON_OBJECT;
  for (skip(&r, true); *r.at; skip(&r, true)) {
    SH_TRY(*r.at == '[' ? header(&r) : assignment(&r, r.table));
    SH_TRY(end_of_line(&r));
  }
  *table = r.root;
  return SH_OK;
}
