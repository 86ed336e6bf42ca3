package stateless

import (
	"unsafe"

	"streamhost/internal/host"
)

//go:wasmexport streamhost:plugin/transform@0.9.0#process
func exportProcess(query unsafe.Pointer, queryLength uint32, epoch uint64, partition, attempt, some uint32, watermark, now int64,
	batch unsafe.Pointer, batchLength uint32) unsafe.Pointer {
	return host.Answer(40, 4, func(value *host.Area) error {
		plugin, ok := host.Of(host.Transform).(host.Transformer)
		if !ok {
			return permanent("the component has registered no filter, map or transform: call one of them in `func init()`")
		}
		cx := host.EpochContext(query, queryLength, epoch, partition, attempt, some, watermark, now)
		outcome, err := plugin.Process(cx, host.Bytes(batch, batchLength))
		if err != nil {
			return err
		}
		value.U8(4, outcome.Kind)
		switch kind(outcome.Kind) {
		case keep:
			value.Bytes(8, outcome.Keep)
		case keepExtend:
			value.Bytes(8, outcome.Keep)
			value.Bytes(16, outcome.Main)
		default:
			value.Bytes(8, outcome.Main)
		}
		value.Sides(24, outcome.Side)
		value.Errors(32, outcome.Errors)
		return nil
	})
}
