#include "session.h"

static struct session begin(uint32_t key, int64_t time, int64_t row) {
  return (struct session){.key = key, .start = time, .end = time, .n = 1, .added = 1, .first = row, .last = row};
}

// Of rows of the same time, the one that came first is the earliest, and the one that came last is the latest.
static void add(struct session *session, int64_t time, int64_t row) {
  session->n++;
  session->added++;
  if (time < session->start) {
    session->start = time;
    session->first = row;
  }
  if (time >= session->end) {
    session->end = time;
    session->last = row;
  }
}

static bool load(const sh_entries *stored, uint32_t key, struct session *session) {
  int64_t row = sh_entry_of(stored, key);
  if (row < 0) return false;
  const sh_column *columns = stored->columns.columns;
  int64_t end = sh_timestamps(&columns[1])[row];
  *session = (struct session){.key = key,
                              .start = sh_timestamps(&columns[0])[row],
                              .end = end,
                              .n = sh_int64s(&columns[2])[row],
                              .first = -1,
                              .last = -1,
                              .stored = true,
                              .before = end};
  return true;
}

int64_t sessions_of(sh_call *call, const sh_groups *groups, const sh_column *times, const sh_entries *stored, struct session *sessions) {
  const int64_t *values = sh_timestamps(times);
  int64_t n = 0;
  for (int64_t key = 0; key < groups->keys.rows; key++) {
    struct session session;
    bool there = load(stored, (uint32_t)key, &session);
    for (int64_t row = groups->starts[key]; row < groups->starts[key + 1]; row++) {
      if (sh_is_null(times, row)) {
        sh_reject(call, row, "the time is null");
      } else if (there) {
        add(&session, values[row], row);
      } else {
        session = begin((uint32_t)key, values[row], row);
        there = true;
      }
    }
    if (there) sessions[n++] = session;
  }
  return n;
}
