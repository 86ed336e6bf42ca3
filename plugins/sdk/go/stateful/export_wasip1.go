package stateful

import (
	"unsafe"

	"streamhost/internal/host"
)

func registered() (host.Stateful, error) {
	if plugin, ok := host.Of(host.Keyed).(host.Stateful); ok {
		return plugin, nil
	}
	return nil, permanent("the component has registered no plugin with state: call stateful.Rows in `func init()`")
}

//go:wasmexport streamhost:plugin/keyed@0.9.0#tables
func exportTables() unsafe.Pointer {
	return host.Plain(8, func(value *host.Area) {
		var tables []host.Declaration
		if plugin, err := registered(); err == nil {
			tables = plugin.Tables()
		}
		value.List(0, len(tables), 56, func(items *host.Area, i, offset int) {
			table := tables[i]
			items.Text(offset, table.Name)
			items.U8(offset+8, table.Kind)
			items.Bytes(offset+12, table.Second)
			items.Bytes(offset+20, table.Value)
			if table.HasTTL {
				items.U8(offset+32, 1)
				items.U64(offset+40, table.TTL)
			}
			items.U32(offset+48, table.Version)
		})
	})
}

//go:wasmexport streamhost:plugin/keyed@0.9.0#process
func exportProcess(query unsafe.Pointer, queryLength uint32, epoch uint64, partition, attempt, some uint32, watermark, now int64,
	keys unsafe.Pointer, keysLength uint32, starts unsafe.Pointer, startsLength uint32, rows unsafe.Pointer, rowsLength uint32,
	more uint32) unsafe.Pointer {
	cx := host.EpochContext(query, queryLength, epoch, partition, attempt, some, watermark, now)
	groups := host.Groups{
		Keys: host.Bytes(keys, keysLength), Starts: host.List[uint32](starts, startsLength),
		Rows: host.Bytes(rows, rowsLength), More: more != 0,
	}
	return answer(func(plugin host.Stateful, store host.Store) (host.Emitted, error) {
		return plugin.Process(cx, groups, store)
	})
}

//go:wasmexport streamhost:plugin/keyed@0.9.0#timers-fired
func exportTimersFired(query unsafe.Pointer, queryLength uint32, epoch uint64, partition, attempt, some uint32, watermark, now int64,
	clock uint32, keys unsafe.Pointer, keysLength uint32, timers unsafe.Pointer, timersLength uint32) unsafe.Pointer {
	cx := host.EpochContext(query, queryLength, epoch, partition, attempt, some, watermark, now)
	of, due := host.Bytes(keys, keysLength), host.List[host.Timer](timers, timersLength)
	return answer(func(plugin host.Stateful, store host.Store) (host.Emitted, error) {
		return plugin.TimersFired(cx, host.Clock(clock), of, due, store)
	})
}

// answer runs a call, and closes the tables that it opened.
func answer(run func(plugin host.Stateful, store host.Store) (host.Emitted, error)) unsafe.Pointer {
	store := &hostStore{}
	defer store.close()
	return host.Answer(28, 4, func(value *host.Area) error {
		plugin, err := registered()
		if err != nil {
			return err
		}
		emitted, err := run(plugin, store)
		value.Bytes(4, emitted.Main)
		value.Sides(12, emitted.Side)
		value.Errors(20, emitted.Errors)
		return err
	})
}

//go:wasmexport streamhost:plugin/keyed@0.9.0#migrate
func exportMigrate(table unsafe.Pointer, tableLength uint32, version uint32, before unsafe.Pointer, beforeLength uint32,
	entries unsafe.Pointer, entriesLength uint32) unsafe.Pointer {
	return host.Answer(16, 4, func(value *host.Area) error {
		plugin, err := registered()
		if err != nil {
			return err
		}
		renewed, err := plugin.Migrate(host.Text(table, tableLength), version, host.Bytes(before, beforeLength),
			host.Bytes(entries, entriesLength))
		value.Bytes(4, renewed)
		return err
	})
}
