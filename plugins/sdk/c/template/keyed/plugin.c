// Tells of each visit of a user when it has ended: when the watermark is past its last event by two minutes.

#include <streamhost.h>

// Microseconds without an event that end a visit.
#define GAP (120 * 1000000LL)

// What is kept of a user, by the number of its table.
enum { VISIT };

static const sh_state_table tables[] = {{"visit", SH_VALUE, .value = "start TIMESTAMP, end TIMESTAMP, events BIGINT"}, SH_END_TABLES};

// Adds the events of an epoch to the user's visit.
static sh_status visits(sh_group *user, sh_table *out) {
  sh_row visit, event;
  bool there = sh_state_get(user, VISIT, &visit);
  int64_t start = there ? sh_get_int(&visit, 0) : INT64_MAX;
  int64_t end = there ? sh_get_int(&visit, 1) : INT64_MIN;
  int64_t events = there ? sh_get_int(&visit, 2) : 0;
  (void)out;
  for (; sh_next_row(user, &event); events++) {
    int64_t at = sh_get_int(&event, 0);
    if (at < start) start = at;
    if (at > end) end = at;
  }
  if (events == 0) return SH_OK;
  sh_table *put = sh_state_put(user, VISIT);
  sh_put_int(put, 0, start);
  sh_put_int(put, 1, end);
  sh_put_int(put, 2, events);
  sh_end_row(put);
  return sh_timer_replace(user, SH_EVENT_TIME, end + GAP);
}

// Ends the visit.
static sh_status ended(sh_group *user, sh_table *out) {
  sh_row visit;
  if (!sh_state_get(user, VISIT, &visit)) return SH_OK;
  sh_put_int(out, 0, sh_get_int(&user->key, 0));
  for (int32_t column = 0; column < 3; column++) sh_put_int(out, column + 1, sh_get_int(&visit, column));
  sh_end_row(out);
  sh_state_remove(user, VISIT);
  return SH_OK;
}

STREAMHOST_KEYED(visits, .reads = "at TIMESTAMP NOT NULL", .columns = "user_id BIGINT, start TIMESTAMP, end TIMESTAMP, events BIGINT",
                 .tables = tables, .key_fired = ended);
