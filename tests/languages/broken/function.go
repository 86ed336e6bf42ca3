package main

import (
	"fmt"

	"streamhost"
	"streamhost/sqlfunctions"
)

type arguments struct{ ID int64 }

func init() {
	sqlfunctions.Rows("look", func(_ *streamhost.Call[streamhost.NoConfig], a arguments) (int64, error) {
		return look(a.ID), nil
	})
}

func main() {}

func look(id int64) int64 {
	if id == 2 {
		panic(fmt.Sprintf("no such id: %d", id))
	}
	return id
}
