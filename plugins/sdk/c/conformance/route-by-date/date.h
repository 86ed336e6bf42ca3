// Dates as days since 1970-01-01, and as text.
#ifndef DATE_H
#define DATE_H

#include <streamhost.h>

// Year, month and day of the proleptic Gregorian calendar.
struct civil {
  int64_t year;
  int month, day;
};

struct civil civil_of(int32_t day);

// The day of a date written `2025-03-01`; false if it is none.
bool parse_date(const char *text, int32_t *day);

// The day of each row, and whether there is one.
sh_status days_of(sh_call *call, const sh_batch *batch, const char *column, int32_t *days, bool *dated);

// Whether a text has no other places than {year}, {month} and {day}.
sh_status check_pattern(sh_call *call, const char *pattern);

// The text with the parts of a day in its places.
const char *text_of(sh_call *call, const char *pattern, int32_t day);

#endif
