package main

import (
	"fmt"

	"streamhost"
	"streamhost/stateful"
)

type user struct{ ID int64 }

type event struct{ N int64 }

type kept struct{ Last *event }

func init() { stateful.Rows(each, nil) }

func main() {}

func each(user *stateful.Key[user, kept, streamhost.NoConfig], _ *stateful.Group[event], emit func(user)) error {
	emit(look(user.Key))
	return nil
}

func look(user user) user {
	if user.ID == 2 {
		panic(fmt.Sprintf("no such id: %d", user.ID))
	}
	return user
}
