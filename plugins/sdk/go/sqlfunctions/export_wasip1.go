package sqlfunctions

import (
	"unsafe"

	"streamhost/internal/host"
)

//go:wasmexport streamhost:plugin/functions@0.9.0#signatures
func exportSignatures() unsafe.Pointer {
	return host.Plain(8, func(value *host.Area) {
		var signatures []host.Signature
		if plugin, ok := host.Of(host.Functions).(host.Scalars); ok {
			signatures = plugin.Signatures()
		}
		value.List(0, len(signatures), 28, func(items *host.Area, i, offset int) {
			items.Text(offset, signatures[i].Name)
			items.Bytes(offset+8, signatures[i].Arguments)
			items.Bytes(offset+16, signatures[i].Returns)
			if signatures[i].Deterministic {
				items.U8(offset+24, 1)
			}
		})
	})
}

//go:wasmexport streamhost:plugin/functions@0.9.0#call
func exportCall(name unsafe.Pointer, nameLength uint32, arguments unsafe.Pointer, argumentsLength uint32) unsafe.Pointer {
	return host.Answer(16, 4, func(value *host.Area) error {
		plugin, ok := host.Of(host.Functions).(host.Scalars)
		if !ok {
			return permanent("the component has registered no function: call sqlfunctions.Rows in `func init()`")
		}
		results, err := plugin.Call(host.Text(name, nameLength), host.Bytes(arguments, argumentsLength))
		value.Bytes(4, results)
		return err
	})
}
