/* Durations and intervals as text, in the words of `streamhost test`. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANOS 1000000000

/** Digits behind the point of seconds. */
static int digits_of(enum ArrowTimeUnit unit) { return 3 * (int)unit; }

const char *sh_duration_text(sh_call *call, enum ArrowTimeUnit unit, int64_t value) {
  int digits = digits_of(unit);
  uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, scale = 1;
  for (int i = 0; i < digits; i++) scale *= 10;
  uint64_t fraction = size % scale;
  if (value == 0) return "P0D";
  for (; digits > 0 && fraction % 10 == 0; digits--) fraction /= 10;
  const char *sign = value < 0 ? "-" : "", *seconds = sh_format(call, "%sPT%llu", sign, (unsigned long long)(size / scale));
  return digits ? sh_format(call, "%s.%0*lluS", seconds, digits, (unsigned long long)fraction) : sh_format(call, "%sS", seconds);
}

/** A number such as -1.5, times so many powers of ten; what follows it. */
static bool scaled(const char *text, int digits, int64_t *value, const char **rest) {
  bool negative = *text == '-', any = false, point = false;
  int64_t sum = 0;
  for (text += negative; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
    if (*text == '.') {
      point = true;
      continue;
    }
    int digit = negative ? '0' - *text : *text - '0';
    if ((point && digits-- == 0) || __builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum)) return false;
    any = true;
  }
  for (; digits > 0; digits--) {
    if (__builtin_mul_overflow(sum, 10, &sum)) return false;
  }
  *value = sum;
  *rest = text;
  return any;
}

bool sh_duration_read(const char *text, enum ArrowTimeUnit unit, int64_t *value) {
  bool negative = *text == '-';
  const char *rest;
  *value = 0;
  if (strcmp(text, "P0D") == 0) return true;
  if (strncmp(text + negative, "PT", 2) != 0) return false;
  // The sign is before the letters, and the least value has no positive one.
  char number[32];
  int size = snprintf(number, sizeof number, "%s%s", negative ? "-" : "", text + negative + 2);
  return size < (int)sizeof number && scaled(number, digits_of(unit), value, &rest) && strcmp(rest, "S") == 0;
}

/** Hours, minutes and seconds of so many units, a second's number of which is `scale`. */
static const char *clock_text(sh_call *call, const char *before, int64_t value, int64_t scale, int digits) {
  int64_t seconds = value / scale, fraction = value % scale;
  int64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
  if (hours) before = sh_format(call, "%s%lld hours ", before, (long long)hours);
  if (minutes) before = sh_format(call, "%s%lld mins ", before, (long long)minutes);
  if (seconds % 60 == 0 && fraction == 0) return before;
  return sh_format(call, "%s%s%lld.%0*lld secs ", before, value < 0 ? "-" : "", llabs((long long)seconds % 60), digits, llabs((long long)fraction));
}

const char *sh_interval_text(sh_call *call, const struct ArrowInterval *value) {
  const char *text = "";
  if (value->type == NANOARROW_TYPE_INTERVAL_MONTHS) {
    int32_t months = (value->months % 12 + 12) % 12;
    return sh_format(call, "%d years %d mons", (int)(((int64_t)value->months - months) / 12), (int)months);
  }
  bool nanos = value->type == NANOARROW_TYPE_INTERVAL_MONTH_DAY_NANO;
  if (value->months) text = sh_format(call, "%d mons ", (int)value->months);
  if (value->days) text = sh_format(call, "%s%d days ", text, (int)value->days);
  text = clock_text(call, text, nanos ? value->ns : value->ms, nanos ? NANOS : 1000, nanos ? 9 : 3);
  return *text ? sh_format(call, "%.*s", (int)strlen(text) - 1, text) : "0 secs";
}

enum { MONTHS, DAYS, SECONDS };

/** Adds so many units of a name to months, days or nanoseconds. */
static bool add_part(int64_t *parts, const char *unit, const char *number) {
  static const struct {
    const char *name;
    int part, of;
  } units[] = {{"years", MONTHS, 12}, {"mons", MONTHS, 1}, {"days", DAYS, 1}, {"hours", SECONDS, 3600}, {"mins", SECONDS, 60}, {"secs", SECONDS, 1}};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    int64_t value, *part = &parts[units[i].part];
    const char *rest;
    if (strcmp(units[i].name, unit) != 0) continue;
    return scaled(number, units[i].part == SECONDS ? 9 : 0, &value, &rest) && !*rest && !__builtin_mul_overflow(value, units[i].of, &value) &&
           !__builtin_add_overflow(*part, value, part);
  }
  return false;
}

bool sh_interval_read(const char *text, struct ArrowInterval *value) {
  char number[32], unit[8];
  int64_t parts[3] = {0};
  if (!*text) return false;
  for (int used; sscanf(text, " %31s %7s%n", number, unit, &used) == 2; text += used) {
    if (!add_part(parts, unit, number)) return false;
  }
  bool months = value->type == NANOARROW_TYPE_INTERVAL_MONTHS, millis = value->type == NANOARROW_TYPE_INTERVAL_DAY_TIME;
  value->months = (int32_t)parts[MONTHS];
  value->days = (int32_t)parts[DAYS];
  value->ns = parts[SECONDS];
  value->ms = (int32_t)(parts[SECONDS] / 1000000);
  if (*text || value->months != parts[MONTHS] || value->days != parts[DAYS]) return false;
  if (months) return !value->days && !value->ns;
  return !millis || (!value->months && value->ns == value->ms * INT64_C(1000000));
}
