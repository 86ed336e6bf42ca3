#include "core.h"

#include <ctype.h>
#include <string.h>

/** The microseconds of a unit; 0 if it is none. */
static int64_t unit_of(const char *name, size_t size) {
  static const struct {
    const char *names;
    int64_t micros;
  } units[] = {{" us µs microsecond microseconds ", 1},   {" ms millisecond milliseconds ", 1000}, {" s sec secs second seconds ", 1000000},
               {" m min mins minute minutes ", 60000000}, {" h hr hrs hour hours ", 3600000000},   {" d day days ", 86400000000}};
  char word[16] = " ";
  if (size == 0 || size > 12) return 0;
  memcpy(word + 1, name, size);
  word[size + 1] = ' ';
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strstr(units[i].names, word)) return units[i].micros;
  }
  return 0;
}

static bool in_unit(char c) { return isalpha((unsigned char)c) || (unsigned char)c >= 0x80; }

/** A length of time as in a pipeline file: `200ms`, `90s`, `10 minutes`, `1h 30m`. */
sh_status sh_interval(sh_call *call, const char *text, int64_t *micros) {
  const char *at = text;
  int64_t total = 0, parts = 0;
  while (isspace((unsigned char)*at)) at++;
  for (; *at; parts++) {
    const char *digits = at;
    int64_t number = 0, part;
    for (; isdigit((unsigned char)*at); at++) {
      if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number)) goto wrong;
    }
    if (at == digits) goto wrong;
    while (isspace((unsigned char)*at)) at++;
    const char *unit = at;
    while (in_unit(*at)) at++;
    int64_t of = unit_of(unit, (size_t)(at - unit));
    if (of == 0 || __builtin_mul_overflow(number, of, &part) || __builtin_add_overflow(total, part, &total)) goto wrong;
    while (*at == ' ' || *at == ',') at++;
  }
  *micros = total;
  if (parts) return SH_OK;
wrong:
  return sh_invalid(call, "`%s` is no length of time; write for example \"90s\" or \"10 minutes\"", text);
}
