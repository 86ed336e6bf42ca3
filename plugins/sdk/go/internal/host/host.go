// Package host is the boundary: what the host calls, what it offers, and how values lie in memory in between. Everything here is bytes;
// what they mean is for the packages of the kinds.
package host

import "streamhost/internal/fail"

// Role is what the component is used as.
type Role uint32

// The roles, as the contract numbers them.
const (
	Transform Role = iota
	Keyed
	BatchSink
	Functions
	roles
)

var roleNames = [roles]string{"transform", "keyed", "batch-sink", "functions"}

// Description is what a plugin says of itself.
type Description struct {
	Name, Version, Summary, ConfigSchema string
	Deterministic                        bool
	Asks                                 []string
}

// Shape is what leaves a plugin.
type Shape uint8

// The shapes, as the contract numbers them.
const (
	Rows Shape = iota
	Columns
	Nothing
)

// Binding is what a plugin agrees to.
type Binding struct {
	// Reads are the columns that it reads: all, if All is true.
	Reads []string
	All   bool
	Shape Shape
	// Schema is that of the rows or the columns, as a message.
	Schema []byte
	Side   []Side
}

// Side is an output by name, with a schema or with messages.
type Side struct {
	Name  string
	Bytes []byte
}

// Plugin is a plugin in one role.
type Plugin interface {
	Describe() Description
	Bind(config string, input []byte, keys []string) (Binding, error)
}

// Context is what is known of an epoch.
type Context struct {
	Query              string
	Epoch              uint64
	Partition, Attempt uint32
	Watermark          int64
	HasWatermark       bool
	Now                int64
}

// RowError is a row that could not be processed.
type RowError struct {
	Row     uint32
	Retry   bool
	Message string
}

var plugins [roles]Plugin

// Register makes a plugin the one of its role. A component has one in each role.
func Register(role Role, plugin Plugin) {
	if plugins[role] != nil {
		panic("streamhost: the component has two plugins of the role " + roleNames[role] + "; register one")
	}
	plugins[role] = plugin
}

// Of is the plugin of a role; nil if there is none.
func Of(role Role) Plugin { return plugins[role] }

// Reset forgets all plugins, for tests.
func Reset() { plugins = [roles]Plugin{} }

// Describe is what the component says of itself: all roles have one description, which is that of the first, and is deterministic if all
// of them are.
func Describe() Description {
	var all Description
	found := false
	for _, plugin := range plugins {
		if plugin == nil {
			continue
		}
		description := plugin.Describe()
		if found {
			all.Deterministic = all.Deterministic && description.Deterministic
			all.Asks = append(all.Asks, description.Asks...)
			continue
		}
		all, found = description, true
	}
	return all
}

// Bind binds the plugin of a role.
func Bind(role Role, config string, input []byte, keys []string) (Binding, error) {
	if role >= roles || plugins[role] == nil {
		return Binding{}, &fail.Error{Kind: fail.Invalid, Message: "`" + Describe().Name + "` " + wanted()}
	}
	binding, err := plugins[role].Bind(config, input, keys)
	if err != nil {
		return Binding{}, fail.OfBind(err)
	}
	return binding, nil
}

// wanted says what the component can be used as.
func wanted() string {
	switch {
	case plugins[Transform] != nil:
		return "transforms batches; it has no other role"
	case plugins[Keyed] != nil:
		return "keeps state for each key, and has no other role: give its step `keys`"
	case plugins[BatchSink] != nil:
		return "stores epochs; it has no other role"
	case plugins[Functions] != nil:
		return "has functions for SQL, and no other role"
	}
	return "has registered no plugin: call a function of the SDK in `func init()`"
}
