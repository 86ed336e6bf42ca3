package main

import (
	"testing"

	"streamhost/streamhosttest"
)

func TestCasesOfTheRustPlugin(t *testing.T) {
	streamhosttest.Cases(t, "../../../../normalize")
}
