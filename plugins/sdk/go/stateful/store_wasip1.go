package stateful

import (
	"unsafe"

	"streamhost/internal/host"
)

//go:wasmimport streamhost:plugin/state@0.9.0 open
func stateOpen(name unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [resource-drop]table
func tableDrop(table uint32)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.get
func tableGet(table, some uint32, keys unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.find
func tableFind(table uint32, of unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.put
func tablePut(table uint32, entries unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.append
func tableAppend(table uint32, entries unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.remove
func tableRemove(table uint32, keys unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 [method]table.remove-found
func tableRemoveFound(table uint32, of unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 set-timers
func setTimers(clock uint32, timers unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 clear-timers
func clearTimers(clock uint32, timers unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport streamhost:plugin/state@0.9.0 clear-all-timers
func clearAllTimers(clock uint32, keys unsafe.Pointer, length uint32, result unsafe.Pointer)

// hostStore is the state that the host holds, for one call. Each table is opened once.
type hostStore struct {
	names  []string
	tables []uint32
}

func (s *hostStore) open(name string) (uint32, error) {
	for i := range s.names {
		if s.names[i] == name {
			return s.tables[i], nil
		}
	}
	result := host.Result(16)
	stateOpen(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), result.Address())
	if err := result.Err(4); err != nil {
		return 0, err
	}
	s.names, s.tables = append(s.names, name), append(s.tables, result.Word(4))
	return result.Word(4), nil
}

func (s *hostStore) close() {
	for _, table := range s.tables {
		tableDrop(table)
	}
}

func at[T any](list []T) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(list)), uint32(len(list))
}

// call calls a method of a table with bytes, and reads what it answers.
func call[T any](s *hostStore, name string, list []T, method func(uint32, unsafe.Pointer, uint32, unsafe.Pointer)) (*host.Area, error) {
	table, err := s.open(name)
	if err != nil {
		return nil, err
	}
	result := host.Result(16)
	from, length := at(list)
	method(table, from, length, result.Address())
	return result, result.Err(4)
}

func (s *hostStore) Get(table string, keys []uint32, all bool) ([]byte, error) {
	result, err := call(s, table, keys, func(table uint32, from unsafe.Pointer, length uint32, result unsafe.Pointer) {
		some := uint32(1)
		if all {
			some = 0
		}
		tableGet(table, some, from, length, result)
	})
	if err != nil {
		return nil, err
	}
	return result.Read(4), nil
}

func (s *hostStore) Find(table string, of []byte) ([]byte, error) {
	result, err := call(s, table, of, tableFind)
	if err != nil {
		return nil, err
	}
	return result.Read(4), nil
}

func (s *hostStore) Put(table string, entries []byte) error {
	_, err := call(s, table, entries, tablePut)
	return err
}

func (s *hostStore) Append(table string, entries []byte) error {
	_, err := call(s, table, entries, tableAppend)
	return err
}

func (s *hostStore) Remove(table string, keys []uint32) error {
	_, err := call(s, table, keys, tableRemove)
	return err
}

func (s *hostStore) RemoveFound(table string, of []byte) error {
	_, err := call(s, table, of, tableRemoveFound)
	return err
}

func (s *hostStore) SetTimers(clock host.Clock, timers []host.Timer) error {
	result := host.Result(16)
	from, length := at(timers)
	setTimers(uint32(clock), from, length, result.Address())
	return result.Err(4)
}

func (s *hostStore) ClearTimers(clock host.Clock, timers []host.Timer) error {
	result := host.Result(16)
	from, length := at(timers)
	clearTimers(uint32(clock), from, length, result.Address())
	return result.Err(4)
}

func (s *hostStore) ClearAllTimers(clock host.Clock, keys []uint32) error {
	result := host.Result(16)
	from, length := at(keys)
	clearAllTimers(uint32(clock), from, length, result.Address())
	return result.Err(4)
}
