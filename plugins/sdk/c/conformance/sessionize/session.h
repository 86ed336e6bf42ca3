// A key's session, and the rows of a call that are added to it.
#ifndef SESSION_H
#define SESSION_H

#include <streamhost.h>

// A session as it is after the rows of a call.
struct session {
  // The key's row in the call's keys.
  uint32_t key;
  int64_t start, end, n;
  // How many rows of the call are in it.
  int64_t added;
  // The rows of the call that are the earliest and the latest of the session; -1 if those came before.
  int64_t first, last;
  // Whether there was a session before these rows, and its end then.
  bool stored;
  int64_t before;
};

// The session of each key, with its rows added, however far apart they are. A row without a time is in error. Answers how many there are.
int64_t sessions_of(sh_call *call, const sh_groups *groups, const sh_column *times, const sh_entries *stored, struct session *sessions);

#endif
