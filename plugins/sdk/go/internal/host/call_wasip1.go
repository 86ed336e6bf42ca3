package host

import (
	"unsafe"

	"streamhost/internal/fail"
)

// Answer runs an export, and answers where its result lies: `size` bytes of a result whose value, from `offset` on, the function
// writes. An error and a panic become a failure.
func Answer(size, offset int, run func(value *Area) error) unsafe.Pointer {
	answer = *NewArea(size)
	if err := guarded(func() error { return run(&answer) }); err != nil {
		answer = *NewArea(size)
		kind, message := fail.Of(err)
		answer.U8(0, 1)
		answer.U8(offset, uint8(kind))
		answer.Text(offset+4, message)
	}
	return done()
}

// Plain is the same for an export that cannot fail: a panic traps.
func Plain(size int, run func(value *Area)) unsafe.Pointer {
	answer = *NewArea(size)
	run(&answer)
	return done()
}

func done() unsafe.Pointer {
	taken()
	Collect()
	return answer.Address()
}

// guarded makes an error of a panic.
func guarded(run func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = &fail.Error{Kind: fail.Permanent, Message: Panicked(reason)}
		}
	}()
	return run()
}

// EpochContext is the context that the first eight parameters of an export are.
func EpochContext(query unsafe.Pointer, length uint32, epoch uint64, partition, attempt, some uint32, watermark, now int64) Context {
	return Context{
		Query: Text(query, length), Epoch: epoch, Partition: partition, Attempt: attempt,
		Watermark: watermark, HasWatermark: some != 0, Now: now,
	}
}

// Result is an area in which the host answers a call.
func Result(size int) *Area { return NewArea(size) }

// Err is the error of a result whose value is from an offset on.
func (a *Area) Err(offset int) error {
	if *(*uint8)(a.at(0)) == 0 {
		return nil
	}
	return &fail.Error{Kind: fail.Kind(*(*uint8)(a.at(offset))), Message: a.text(offset + 4)}
}

// Word reads four bytes.
func (a *Area) Word(offset int) uint32 { return *(*uint32)(a.at(offset)) }

// Long reads eight bytes.
func (a *Area) Long(offset int) uint64 { return *(*uint64)(a.at(offset)) }

// Read is a list of bytes that the host answered. It is the guest's from now on.
func (a *Area) Read(offset int) []byte {
	bytes := Bytes(unsafe.Add(nil, a.Word(offset)), a.Word(offset+4))
	taken()
	return bytes
}

func (a *Area) text(offset int) string {
	return Text(unsafe.Add(nil, a.Word(offset)), a.Word(offset+4))
}

//go:wasmimport streamhost:plugin/log@0.9.0 write
func logWrite(level uint32, message unsafe.Pointer, length uint32)

//go:wasmimport streamhost:plugin/metrics@0.9.0 counter
func metricsCounter(name unsafe.Pointer, length uint32, add uint64)

//go:wasmimport streamhost:plugin/metrics@0.9.0 gauge
func metricsGauge(name unsafe.Pointer, length uint32, value float64)

// Log writes a line to the host's log, at a level from 0 (trace) to 4 (error).
func Log(level uint32, message string) {
	logWrite(level, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

// Counter adds to a metric.
func Counter(name string, add uint64) {
	metricsCounter(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), add)
}

// Gauge sets a metric.
func Gauge(name string, value float64) {
	metricsGauge(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), value)
}

//go:wasmexport streamhost:plugin/plugin@0.9.0#describe
func describe() unsafe.Pointer {
	return Plain(44, func(value *Area) {
		d := Describe()
		value.Text(0, d.Name)
		value.Text(8, d.Version)
		value.Text(16, d.Summary)
		value.Text(24, d.ConfigSchema)
		if d.Deterministic {
			value.U8(32, 1)
		}
		value.texts(36, d.Asks)
	})
}

//go:wasmexport streamhost:plugin/plugin@0.9.0#bind
func bind(role uint32, config unsafe.Pointer, configLength uint32, input unsafe.Pointer, inputLength uint32,
	keys unsafe.Pointer, keysLength uint32) unsafe.Pointer {
	return Answer(36, 4, func(value *Area) error {
		binding, err := Bind(Role(role), Text(config, configLength), Bytes(input, inputLength), texts(keys, keysLength))
		if err != nil {
			return err
		}
		if !binding.All {
			value.U8(4, 1)
			value.texts(8, binding.Reads)
		}
		value.U8(16, uint8(binding.Shape))
		value.Bytes(20, binding.Schema)
		value.Sides(28, binding.Side)
		return nil
	})
}
