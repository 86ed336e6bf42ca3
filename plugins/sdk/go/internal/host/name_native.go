//go:build !wasip1

package host

// ModuleName is of no use in a native test.
func ModuleName() string { return "plugin" }
