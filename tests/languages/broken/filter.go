package main

import (
	"fmt"

	"streamhost/stateless"
)

type event struct{ ID int64 }

func init() { stateless.FilterRows(look) }

func main() {}

func look(e event) bool {
	if e.ID == 2 {
		panic(fmt.Sprintf("no such id: %d", e.ID))
	}
	return true
}
