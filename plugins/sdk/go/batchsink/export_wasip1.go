package batchsink

import (
	"unsafe"

	"streamhost/internal/host"
)

//go:wasmexport streamhost:plugin/foreach-batch@0.9.0#process
func exportProcess(query unsafe.Pointer, queryLength uint32, epoch uint64, partition, attempt, some uint32,
	watermark, now int64) unsafe.Pointer {
	return host.Answer(16, 4, func(*host.Area) error {
		plugin, ok := host.Of(host.BatchSink).(host.Sink)
		if !ok {
			return permanent("the component has registered no sink: call batchsink.Store in `func init()`")
		}
		return plugin.Process(host.EpochContext(query, queryLength, epoch, partition, attempt, some, watermark, now), offered{})
	})
}

//go:wasmimport streamhost:plugin/epoch@0.9.0 next-rows
func nextRows(result unsafe.Pointer)

//go:wasmimport streamhost:plugin/outputs@0.9.0 write
func write(output unsafe.Pointer, outputLength uint32, rows unsafe.Pointer, rowsLength uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/outputs@0.9.0 execute
func execute(output unsafe.Pointer, outputLength uint32, statement unsafe.Pointer, statementLength uint32,
	schema unsafe.Pointer, schemaLength uint32, parameters unsafe.Pointer, parametersLength uint32, result unsafe.Pointer)

// offered is what the host offers.
type offered struct{}

// Next collects garbage first: an epoch is one call, however many batches it has.
func (offered) Next() ([]byte, bool) {
	host.Collect()
	result := host.Result(12)
	nextRows(result.Address())
	if result.Word(0)&0xff == 0 {
		return nil, false
	}
	return result.Read(4), true
}

func (offered) Write(output string, rows []byte) error {
	result := host.Result(16)
	write(text(output), uint32(len(output)), bytes(rows), uint32(len(rows)), result.Address())
	return result.Err(4)
}

func (offered) Execute(output, statement string, schema, parameters []byte) (uint64, error) {
	result := host.Result(24)
	execute(text(output), uint32(len(output)), text(statement), uint32(len(statement)),
		bytes(schema), uint32(len(schema)), bytes(parameters), uint32(len(parameters)), result.Address())
	if err := result.Err(8); err != nil {
		return 0, err
	}
	return result.Long(8), nil
}

func text(text string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(text)) }

func bytes(bytes []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(bytes)) }
