package host

// Transformed is what a transform gives for a call.
type Transformed struct {
	// Kind is 0 for new rows, 1 for a bitmap, 2 for new columns, 3 for both.
	Kind   uint8
	Keep   []byte
	Main   []byte
	Side   []Side
	Errors []RowError
}

// Transformer is a plugin of the role Transform.
type Transformer interface {
	Plugin
	Process(cx Context, messages []byte) (Transformed, error)
}

// Places are where the rows of an epoch come from, and where a sink writes to.
type Places interface {
	// Next is the next messages of the epoch; false at its end.
	Next() ([]byte, bool)
	Write(output string, rows []byte) error
	Execute(output, statement string, schema, parameters []byte) (uint64, error)
}

// Sink is a plugin of the role BatchSink.
type Sink interface {
	Plugin
	Process(cx Context, places Places) error
}

// Signature is a function for SQL.
type Signature struct {
	Name               string
	Arguments, Returns []byte
	Deterministic      bool
}

// Scalars is a plugin of the role Functions.
type Scalars interface {
	Plugin
	Signatures() []Signature
	Call(name string, arguments []byte) ([]byte, error)
}

// Clock is one of two.
type Clock uint32

// The clocks, as the contract numbers them.
const (
	EventTime Clock = iota
	ProcessingTime
)

// Timer is of the key of this row of a call's keys. It lies in memory as the contract has it.
type Timer struct {
	Key uint32
	At  int64
}

// Declaration is a table.
type Declaration struct {
	Name string
	// Kind is 0 for a value, 1 for a sequence, 2 for a mapping by a second key.
	Kind    uint8
	Second  []byte
	Value   []byte
	TTL     uint64
	HasTTL  bool
	Version uint32
}

// Groups is the rows of some keys.
type Groups struct {
	Keys   []byte
	Starts []uint32
	Rows   []byte
	More   bool
}

// Emitted is what leaves a call of a plugin with state.
type Emitted struct {
	Main   []byte
	Side   []Side
	Errors []RowError
}

// Store is where state is.
type Store interface {
	// Get gets the entries of these keys, of all if all is true.
	Get(table string, keys []uint32, all bool) ([]byte, error)
	Find(table string, of []byte) ([]byte, error)
	Put(table string, entries []byte) error
	Append(table string, entries []byte) error
	Remove(table string, keys []uint32) error
	RemoveFound(table string, of []byte) error
	SetTimers(clock Clock, timers []Timer) error
	ClearTimers(clock Clock, timers []Timer) error
	ClearAllTimers(clock Clock, keys []uint32) error
}

// Stateful is a plugin of the role Keyed.
type Stateful interface {
	Plugin
	Tables() []Declaration
	Process(cx Context, groups Groups, store Store) (Emitted, error)
	TimersFired(cx Context, clock Clock, keys []byte, timers []Timer, store Store) (Emitted, error)
	Migrate(table string, version uint32, before, entries []byte) ([]byte, error)
}
