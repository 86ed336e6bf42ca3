// A key's session, and the rows of a call that are added to it.

/** The session of each key, with its rows added, however far apart they are. A row without a time is in error. */
export function sessions(groups, times, stored, errors) {
  const all = [];
  for (let key = 0; key < groups.length; key++) {
    let session = before(stored, key);
    const [start, end] = groups.range(key);
    for (let row = start; row < end; row++) {
      const time = times.get(row);
      if (time === null) errors.add(row, "the time is null");
      else if (session === null) session = begun(key, time, row);
      else add(session, time, row);
    }
    if (session !== null) all.push(session);
  }
  return all;
}

/** The session before the call. */
function before(stored, key) {
  const at = stored.find(key);
  if (at < 0) return null;
  const [start, end, n] = stored.values.columns.map((column) => column.get(at));
  return { key, start, end, n, added: 0, first: null, last: null, before: end };
}

function begun(key, time, row) {
  return { key, start: time, end: time, n: 1n, added: 1, first: row, last: row, before: null };
}

/** Of rows of the same time, the one that came first is the earliest, and the one that came last is the latest. */
function add(session, time, row) {
  session.n += 1n;
  session.added += 1;
  if (time < session.start) Object.assign(session, { start: time, first: row });
  if (time >= session.end) Object.assign(session, { end: time, last: row });
}
