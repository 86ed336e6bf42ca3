package stateful

import (
	"slices"

	"streamhost"
	"streamhost/internal/host"
)

// Timers are those of one key, on two clocks. A key may have any number of them; the same one twice is one. A timer fires once, after the
// rows of the first epoch in which its clock has reached it, and is gone then.
type Timers struct {
	clocks [2]ofClock
	key    uint32
	// seen are keys whose timers were changed before in this call.
	seen map[uint32]bool
}

// ofClock is what is done on one clock.
type ofClock struct {
	// reached is what the clock has reached, if it has begun.
	reached int64
	begun   bool
	// Of the key that is being worked on: set, cleared, and whether all from before are cleared.
	set, cleared []int64
	all          bool
	// Of all keys. The host is told to clear first.
	sets, clears []Timer
	alls         []uint32
}

func newTimers(cx host.Context) *Timers {
	t := &Timers{seen: map[uint32]bool{}}
	t.clocks[EventTime].reached, t.clocks[EventTime].begun = cx.Watermark, cx.HasWatermark
	t.clocks[ProcessingTime].reached, t.clocks[ProcessingTime].begun = cx.Now, true
	return t
}

var clockNames = [...]string{"watermark", "epoch's time"}

// Set sets a timer. It is an error if the clock has reached it already: see Earliest.
func (t *Timers) Set(clock Clock, at streamhost.Timestamp) error {
	of := &t.clocks[clock]
	if of.begun && int64(at) <= of.reached {
		return permanent("a timer at " + at.String() + " is not after the " + clockNames[clock] + ", " +
			streamhost.Timestamp(of.reached).String())
	}
	of.set = append(of.set, int64(at))
	return nil
}

// Replace sets a timer in the place of all that the key has on this clock: Spark's one time-out.
func (t *Timers) Replace(clock Clock, at streamhost.Timestamp) error {
	t.ClearAll(clock)
	return t.Set(clock, at)
}

// Clear takes a timer back; nothing, if it is not set.
func (t *Timers) Clear(clock Clock, at streamhost.Timestamp) {
	of := &t.clocks[clock]
	of.set = slices.DeleteFunc(of.set, func(set int64) bool { return set == int64(at) })
	of.cleared = append(of.cleared, int64(at))
}

// ClearAll takes all timers back that the key has on this clock.
func (t *Timers) ClearAll(clock Clock) {
	of := &t.clocks[clock]
	of.set, of.cleared, of.all = of.set[:0], of.cleared[:0], true
}

// Earliest is the earliest that a timer can be set to: just after what the clock has reached.
func (t *Timers) Earliest(clock Clock) streamhost.Timestamp {
	of := &t.clocks[clock]
	if !of.begun {
		return -1 << 63
	}
	return streamhost.Timestamp(of.reached).AddMicros(1)
}

// begin begins with a key. What was not kept of the one before is as it was.
func (t *Timers) begin(key uint32) {
	t.key = key
	for i := range t.clocks {
		of := &t.clocks[i]
		of.set, of.cleared, of.all = of.set[:0], of.cleared[:0], false
	}
}

// keep keeps what was done for the key.
func (t *Timers) keep() {
	changed := false
	for i := range t.clocks {
		changed = t.clocks[i].keep(t.key, t.seen[t.key]) || changed
	}
	if changed {
		t.seen[t.key] = true
	}
}

// keep adds what was done for a key to what was done for others; true if that is anything. What came of the same key before in this call
// gives way to it.
func (o *ofClock) keep(key uint32, seen bool) bool {
	if seen {
		o.sets = slices.DeleteFunc(o.sets, func(timer Timer) bool {
			return timer.Key == key && (o.all || slices.Contains(o.cleared, timer.At))
		})
	}
	if o.all {
		o.alls = append(o.alls, key)
	}
	for _, at := range o.cleared {
		o.clears = append(o.clears, Timer{Key: key, At: at})
	}
	for _, at := range o.set {
		o.sets = append(o.sets, Timer{Key: key, At: at})
	}
	return o.all || len(o.set) > 0 || len(o.cleared) > 0
}

// write tells the host, at most three times a clock.
func (t *Timers) write(state *State) error {
	for i := range t.clocks {
		clock, of := Clock(i), &t.clocks[i]
		if err := state.ClearAllTimers(clock, of.alls); err != nil {
			return err
		}
		if err := state.ClearTimers(clock, of.clears); err != nil {
			return err
		}
		if err := state.SetTimers(clock, of.sets); err != nil {
			return err
		}
	}
	return nil
}
