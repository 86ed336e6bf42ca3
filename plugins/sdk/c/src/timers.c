#include "keys.h"

#include <stdio.h>
#include <string.h>

int64_t sh_timer_earliest(const sh_call *call, sh_clock clock) {
  if (clock == SH_PROCESSING_TIME) return call->now + 1;
  return call->has_watermark ? call->watermark + 1 : INT64_MIN;
}

static void add(sh_call *call, timer_list *list, sh_timer timer) {
  if (list->n == list->most) {
    list->most = list->most ? 2 * list->most : 64;
    sh_timer *more = (sh_timer *)sh_alloc(call, (size_t)list->most * sizeof *more);
    if (list->n) memcpy(more, list->timers, (size_t)list->n * sizeof *more);
    list->timers = more;
  }
  list->timers[list->n++] = timer;
}

const char *sh_moment(sh_call *call, int64_t micros) {
  int64_t day = micros / 86400000000, rest = micros % 86400000000;
  if (rest < 0) {
    rest += 86400000000;
    day--;
  }
  int64_t of_era = day + 719468, era = (of_era >= 0 ? of_era : of_era - 146096) / 146097;
  of_era -= era * 146097;
  int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
  int64_t date = of_year - (153 * month + 2) / 5 + 1;
  month = month < 10 ? month + 3 : month - 9;
  year += era * 400 + (month <= 2);
  const char *whole = sh_format(call, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, (int)month, (int)date, (int)(rest / 3600000000),
                                (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60));
  int fraction = (int)(rest % 1000000);
  return fraction ? sh_format(call, "%s.%06dZ", whole, fraction) : sh_format(call, "%sZ", whole);
}

sh_status sh_timer_set(sh_group *group, sh_clock clock, int64_t at) {
  sh_call *call = group->call;
  clocked *clocked = &group->keys->clocks[clock];
  if (at < sh_timer_earliest(call, clock)) {
    const char *name = clock == SH_EVENT_TIME ? "watermark" : "time of the epoch";
    return sh_permanent(call, "a timer at %s is not after the %s, %s", sh_moment(call, at), name,
                        sh_moment(call, clock == SH_EVENT_TIME ? call->watermark : call->now));
  }
  add(call, &clocked->set, (sh_timer){(uint32_t)group->key.index, at});
  return SH_OK;
}

void sh_timer_clear(sh_group *group, sh_clock clock, int64_t at) {
  clocked *clocked = &group->keys->clocks[clock];
  sh_timer timer = {(uint32_t)group->key.index, at};
  int64_t n = clocked->set_before;
  for (int64_t i = n; i < clocked->set.n; i++) {
    if (clocked->set.timers[i].at != at) clocked->set.timers[n++] = clocked->set.timers[i];
  }
  clocked->set.n = n;
  add(group->call, &clocked->cleared, timer);
}

void sh_timer_clear_all(sh_group *group, sh_clock clock) {
  clocked *clocked = &group->keys->clocks[clock];
  clocked->set.n = clocked->set_before;
  sh_key_list_add(group->call, &clocked->all, (uint32_t)group->key.index);
}

sh_status sh_timer_replace(sh_group *group, sh_clock clock, int64_t at) {
  sh_timer_clear_all(group, clock);
  return sh_timer_set(group, clock, at);
}

sh_status sh_timers_flush(sh_keys *keys) {
  for (int i = 0; i < 2; i++) {
    clocked *clocked = &keys->clocks[i];
    sh_clock clock = (sh_clock)i;
    SH_TRY(sh_clear_all_timers(keys->call, clock, clocked->all.keys, clocked->all.n));
    SH_TRY(sh_clear_timers(keys->call, clock, clocked->cleared.timers, clocked->cleared.n));
    SH_TRY(sh_set_timers(keys->call, clock, clocked->set.timers, clocked->set.n));
  }
  return SH_OK;
}
