package host

import (
	"strings"
	_ "unsafe" // for go:linkname
)

//go:linkname modinfo runtime/debug.modinfo
func modinfo() string

// ModuleName is the last element of the plugin's module path, as the linker noted it. runtime/debug tells the same, with a third of a
// megabyte of packages.
func ModuleName() string {
	_, rest, _ := strings.Cut(modinfo(), "path\t")
	path, _, _ := strings.Cut(rest, "\n")
	if name := path[strings.LastIndexByte(path, '/')+1:]; name != "" {
		return name
	}
	return "plugin"
}
