#include "date.h"

#include <string.h>

#define MICROS_A_DAY 86400000000

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Eras of 400 years are all alike, and a year that begins in March has its odd day at the end.
struct civil civil_of(int32_t date) {
  int64_t day = (int64_t)date + 719468, era = floor_div(day, 146097);
  day -= era * 146097;
  int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  day -= 365 * year + year / 4 - year / 100;
  int month = (int)((5 * day + 2) / 153);
  struct civil civil = {year + era * 400, month < 10 ? month + 3 : month - 9, (int)(day - (153 * month + 2) / 5 + 1)};
  civil.year += civil.month <= 2;
  return civil;
}

// A number of digits, then what stands behind it.
static bool number(const char **text, char end, int64_t *value) {
  const char *at = *text;
  *value = 0;
  while (*at >= '0' && *at <= '9' && at - *text < 9) *value = 10 * *value + (*at++ - '0');
  if (at == *text || *at != end) return false;
  *text = at + (end != 0);
  return true;
}

bool parse_date(const char *text, int32_t *date) {
  int64_t year, month, day;
  if (!number(&text, '-', &year) || !number(&text, '-', &month) || !number(&text, 0, &day) || year >= 10000) return false;
  // March is month 0 of a year that began then.
  int64_t march = month > 2 ? year : year - 1, from_march = month > 2 ? month - 3 : month + 9;
  int64_t era = floor_div(march, 400), of_era = march - 400 * era, of_year = (153 * from_march + 2) / 5 + day - 1;
  int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  if (days < INT32_MIN || days > INT32_MAX) return false;
  *date = (int32_t)days;
  struct civil civil = civil_of(*date);
  return civil.year == year && civil.month == month && civil.day == day;
}

sh_status days_of(sh_call *call, const sh_batch *batch, const char *name, int32_t *days, bool *dated) {
  const sh_column *column = sh_find(batch, name);
  if (!column) return sh_invalid(call, "there is no column `%s`", name);
  const int32_t *dates = sh_dates(column);
  const int64_t *times = sh_timestamps(column);
  if (!dates && !times) return sh_invalid(call, "column `%s` has type %s, which has no date", name, sh_type_name(call, column->schema));
  for (int64_t i = 0; i < batch->rows; i++) {
    days[i] = dates ? dates[i] : (int32_t)floor_div(times[i], MICROS_A_DAY);
    dated[i] = !sh_is_null(column, i);
  }
  return SH_OK;
}

sh_status check_pattern(sh_call *call, const char *pattern) {
  for (const char *open = strchr(pattern, '{'); open; open = strchr(open, '{')) {
    const char *close = strchr(open, '}');
    if (!close) return sh_invalid(call, "config: text: `%s` has a `{` and no `}` to it", pattern);
    sh_text name = {open + 1, close - open - 1};
    if (!sh_text_is(name, "year") && !sh_text_is(name, "month") && !sh_text_is(name, "day")) {
      return sh_invalid(call, "config: text: {%.*s} is none of {year}, {month} and {day}", (int)name.size, name.data);
    }
    open = close;
  }
  return SH_OK;
}

const char *text_of(sh_call *call, const char *pattern, int32_t day) {
  struct civil civil = civil_of(day);
  const char *text = "";
  for (const char *open = strchr(pattern, '{'); open; open = strchr(pattern, '{')) {
    text = sh_format(call, "%s%.*s", text, (int)(open - pattern), pattern);
    if (open[1] == 'y')
      text = sh_format(call, "%s%04lld", text, (long long)civil.year);
    else
      text = sh_format(call, "%s%02d", text, open[1] == 'm' ? civil.month : civil.day);
    pattern = strchr(open, '}') + 1;
  }
  return sh_format(call, "%s%s", text, pattern);
}
