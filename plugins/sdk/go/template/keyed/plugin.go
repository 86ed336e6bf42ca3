// Tells of each visit of a user when it has ended: when the watermark is past its last event by two minutes.
package main

import (
	"streamhost"
	"streamhost/stateful"
)

// gap is for how long a user is still before a visit has ended, in microseconds.
const gap = 120_000_000

// User has the columns of the key.
type User struct {
	UserID int64
}

// Event has the columns that the plugin reads.
type Event struct {
	At streamhost.Timestamp
}

// Kept is what is kept of a user.
type Kept struct {
	Visit *Visit
}

// Visit is one that has not ended.
type Visit struct {
	Start  streamhost.Timestamp
	End    streamhost.Timestamp
	Events int64
}

// Ended has the columns of the rows that leave.
type Ended struct {
	UserID int64
	Start  streamhost.Timestamp
	End    streamhost.Timestamp
	Events int64
}

func init() {
	stateful.Rows(visits, ended, streamhost.Summary("Tells of each visit of a user when it has ended."))
}

func main() {}

// user is the key that a call is about, with what is kept of it.
type user = stateful.Key[User, Kept, streamhost.NoConfig]

// visits adds the events of an epoch to the user's visit. It fails if the visit that they make is over already.
func visits(user *user, events *stateful.Group[Event], emit func(Ended)) error {
	for event := range events.All() {
		visit := user.State.Visit
		if visit == nil {
			visit = &Visit{Start: event.At, End: event.At}
			user.State.Visit = visit
		}
		visit.Start, visit.End = min(visit.Start, event.At), max(visit.End, event.At)
		visit.Events++
	}
	if visit := user.State.Visit; visit != nil {
		return user.Timers.Replace(stateful.EventTime, visit.End.AddMicros(gap))
	}
	return nil
}

// ended ends the visit.
func ended(user *user, _ stateful.Timer, emit func(Ended)) error {
	if visit := user.State.Visit; visit != nil {
		emit(Ended{UserID: user.Key.UserID, Start: visit.Start, End: visit.End, Events: visit.Events})
	}
	user.State.Visit = nil
	return nil
}
