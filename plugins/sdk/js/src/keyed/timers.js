// Timers of the keys of one call.
import { PluginError } from "../error.js";
import { timestampText } from "../time.js";

const CLOCKS = ["event-time", "processing-time"];
const NAMES = { "event-time": "watermark", "processing-time": "epoch's time" };

/**
 * The timers of one key, on two clocks: `event-time` is the watermark, `processing-time` the epoch's time. A key may have any number
 * of them; the same one twice is one. A timer fires once, after the rows of the first epoch in which its clock has reached it.
 */
export class Timers {
  constructor(cx) {
    this.clocks = { "event-time": new OfClock(cx.watermark), "processing-time": new OfClock(cx.now) };
    this.key = 0;
  }

  /** Sets a timer, in microseconds as a bigint. One that the clock has reached already is an error: see `earliest`. */
  set(clock, at) {
    const of = this.of(clock);
    if (of.reached !== null && at <= of.reached) {
      const [text, reached] = [timestampText(at), timestampText(of.reached)];
      throw PluginError.permanent(`a timer at ${text} is not after the ${NAMES[clock]}, ${reached}`);
    }
    of.set.push(at);
  }

  /** Sets a timer in the place of all that the key has on this clock. */
  replace(clock, at) {
    this.clearAll(clock);
    this.set(clock, at);
  }

  /** Takes a timer back; nothing, if it is not set. */
  clear(clock, at) {
    const of = this.of(clock);
    of.set = of.set.filter((set) => set !== at);
    of.cleared.push(at);
  }

  /** Takes all timers back that the key has on this clock. */
  clearAll(clock) {
    Object.assign(this.of(clock), { set: [], cleared: [], all: true });
  }

  /** The earliest that a timer can be set to: just after what the clock has reached. */
  earliest(clock) {
    const { reached } = this.of(clock);
    return reached === null ? -(2n ** 63n) : reached + 1n;
  }

  /** Begins with a key. What was not kept of the one before is as it was. */
  begin(key) {
    this.key = key;
    for (const clock of CLOCKS) Object.assign(this.clocks[clock], { set: [], cleared: [], all: false });
  }

  /** Keeps what was done for the key. */
  keep() {
    for (const clock of CLOCKS) this.clocks[clock].keep(this.key);
  }

  /** Tells the host, at most three times a clock: to clear first. */
  write(state) {
    for (const clock of CLOCKS) {
      const of = this.clocks[clock];
      state.clearAllTimers(clock, of.alls);
      state.clearTimers(clock, of.clears);
      state.setTimers(clock, of.sets);
    }
  }

  of(clock) {
    const of = this.clocks[clock];
    if (of === undefined) throw PluginError.permanent(`\`${clock}\` is no clock; there are ${CLOCKS.join(" and ")}`);
    return of;
  }
}

class OfClock {
  constructor(reached) {
    this.reached = reached;
    this.set = [];
    this.cleared = [];
    this.all = false;
    this.sets = [];
    this.clears = [];
    this.alls = [];
  }

  /** What came of the same key before in this call gives way to this. */
  keep(key) {
    const { set, cleared, all } = this;
    if (all) {
      this.sets = this.sets.filter((timer) => timer.key !== key);
      this.alls.push(key);
    } else if (cleared.length > 0) {
      this.sets = this.sets.filter((timer) => timer.key !== key || !cleared.includes(timer.at));
    }
    this.clears.push(...cleared.map((at) => ({ key, at })));
    this.sets.push(...set.map((at) => ({ key, at })));
  }
}
