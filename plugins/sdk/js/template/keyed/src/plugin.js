// Tells of each visit of a user when it has ended: when the watermark is past its last event by two minutes.
import { keyed, t, value } from "streamhost-sdk";

const GAP = 120_000_000n;

const earlier = (a, b) => (a < b ? a : b);
const later = (a, b) => (a > b ? a : b);

export default keyed({
  /** The columns of the key. */
  key: { user_id: t.bigint },
  /** The columns that the plugin reads. */
  row: { at: t.timestamp },
  /** The columns of the rows that leave. */
  out: { user_id: t.bigint, start: t.timestamp, end: t.timestamp, events: t.bigint },
  /** What is kept of a user. */
  state: { visit: value({ start: t.timestamp, end: t.timestamp, events: t.bigint }) },
  /** Adds the events of an epoch to the user's visit. */
  each(user, events, { state, timers }) {
    for (const { at } of events) {
      const visit = state.visit ?? { start: at, end: at, events: 0n };
      state.visit = { start: earlier(visit.start, at), end: later(visit.end, at), events: visit.events + 1n };
    }
    if (state.visit !== null) timers.replace("event-time", state.visit.end + GAP);
    return null;
  },
  /** Ends the visit. */
  expired({ user_id }, fired, { state }) {
    const { visit } = state;
    state.visit = null;
    return visit === null ? null : { user_id, ...visit };
  },
});
