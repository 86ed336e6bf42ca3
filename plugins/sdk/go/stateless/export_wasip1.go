package stateless

import (
	"unsafe"

	"streamhost/internal/host"
)

//go:wasmexport streamhost:plugin/transform@0.9.0#process
func exportProcess(query unsafe.Pointer, queryLength uint32, epoch uint64, partition, attempt, some uint32, watermark, now int64,
	batch unsafe.Pointer, batchLength uint32) unsafe.Pointer {
	return host.Answer(40, 4, func(value *host.Area) error {
		plugin, err := transformer()
		if err != nil {
			return err
		}
		cx := host.EpochContext(query, queryLength, epoch, partition, attempt, some, watermark, now)
		outcome, err := plugin.Process(cx, host.Bytes(batch, batchLength))
		if err != nil {
			return err
		}
		value.U8(4, uint8(outcome.kind))
		switch outcome.kind {
		case keep:
			value.Bytes(8, outcome.bits())
		case keepExtend:
			value.Bytes(8, outcome.bits())
			value.Bytes(16, outcome.main)
		default:
			value.Bytes(8, outcome.main)
		}
		value.Sides(24, outcome.side)
		value.Errors(32, outcome.errors)
		return nil
	})
}

// bits are the rows to keep, eight a byte.
func (o *Outcome) bits() []byte {
	if o.keep == nil {
		return nil
	}
	return o.keep.Bytes()
}
