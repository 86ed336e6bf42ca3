package host

import (
	"runtime"
	"strconv"
)

// reasonText is the text of what panic was given.
func reasonText(reason any) string {
	switch r := reason.(type) {
	case error:
		return r.Error()
	case string:
		return r
	case interface{ String() string }:
		return r.String()
	case int:
		return strconv.Itoa(r)
	}
	return "a value that is no text"
}

// frames are the most lines of a stack that a message has.
const frames = 12

// Panicked is the message of a panic, and where it came from.
func Panicked(reason any) string {
	message := "panic: " + reasonText(reason)
	var callers [64]uintptr
	stack := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	raised := false
	for lines := 0; lines < frames; {
		frame, more := stack.Next()
		switch {
		case frame.Function == "runtime.gopanic" || frame.Function == "runtime.sigpanic":
			raised = true
		case hasPrefix(frame.File, "streamhost@") && lines > 0:
			// What the SDK did to call the plugin tells nothing.
		case raised && !hasPrefix(frame.Function, "runtime.") && frame.Function != "":
			message += "\n  at " + frame.Function + " (" + frame.File + ":" + strconv.Itoa(frame.Line) + ")"
			lines++
		}
		if !more {
			break
		}
	}
	return message
}

func hasPrefix(text, prefix string) bool {
	return len(text) >= len(prefix) && text[:len(prefix)] == prefix
}
