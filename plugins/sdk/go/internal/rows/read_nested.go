package rows

import (
	"reflect"
	"unsafe"

	"streamhost/arrow"
)

func narrowValues[N arrow.Ordered](c *arrow.Column) ([]N, bool) {
	var values any
	var ok bool
	var zero N
	switch any(zero).(type) {
	case int8:
		values, ok = arrow.Values[int8](c)
	case int16:
		values, ok = arrow.Values[int16](c)
	case int32:
		values, ok = arrow.Values[int32](c)
	case uint8:
		values, ok = arrow.Values[uint8](c)
	case uint16:
		values, ok = arrow.Values[uint16](c)
	case uint32:
		values, ok = arrow.Values[uint32](c)
	case float32:
		values, ok = arrow.Values[float32](c)
	}
	if !ok {
		return nil, false
	}
	return values.([]N), true
}

func openNull(l *leaf, c *arrow.Column) reader {
	get := open(l.inner, c)
	if get == nil {
		return nil
	}
	there := l.goType.Field(1).Offset
	return func(row int, to unsafe.Pointer) bool {
		if !c.IsNull(row) {
			*(*bool)(unsafe.Add(to, there)) = get(row, to)
		}
		return true
	}
}

func openPointer(l *leaf, c *arrow.Column) reader {
	get := open(l.inner, c)
	if get == nil {
		return nil
	}
	return func(row int, to unsafe.Pointer) bool {
		if c.IsNull(row) {
			return true
		}
		value := reflect.New(l.inner.goType).UnsafePointer()
		*(*unsafe.Pointer)(to) = value
		return get(row, value)
	}
}

func openList(l *leaf, c *arrow.Column) reader {
	if kind := c.Type().Kind; kind != arrow.List && kind != arrow.LargeList && kind != arrow.FixedSizeList {
		return nil
	}
	get := open(l.inner, c.Items())
	if get == nil {
		return nil
	}
	return func(row int, to unsafe.Pointer) bool {
		if c.IsNull(row) {
			return false
		}
		from, end := c.Range(row)
		items := reflect.MakeSlice(l.goType, end-from, end-from)
		for i := from; i < end; i++ {
			if !get(i, unsafe.Add(items.UnsafePointer(), uintptr(i-from)*l.inner.size())) {
				return false
			}
		}
		reflect.NewAt(l.goType, to).Elem().Set(items)
		return true
	}
}

func openMap(l *leaf, c *arrow.Column) reader {
	if c.Type().Kind != arrow.Map {
		return nil
	}
	key, value := open(l.key, c.Child(0)), open(l.inner, c.Child(1))
	if key == nil || value == nil {
		return nil
	}
	return func(row int, to unsafe.Pointer) bool {
		if c.IsNull(row) {
			return false
		}
		from, end := c.Range(row)
		entries := reflect.MakeMapWithSize(l.goType, end-from)
		for i := from; i < end; i++ {
			k, v := reflect.New(l.key.goType), reflect.New(l.inner.goType)
			if !key(i, k.UnsafePointer()) || !value(i, v.UnsafePointer()) {
				return false
			}
			entries.SetMapIndex(k.Elem(), v.Elem())
		}
		reflect.NewAt(l.goType, to).Elem().Set(entries)
		return true
	}
}

func openStruct(l *leaf, c *arrow.Column) reader {
	getters := make([]getter, len(l.members))
	for i := range l.members {
		member := &l.members[i]
		column := c.Member(member.name)
		if column == nil {
			return nil
		}
		getters[i] = getter{name: member.name, offset: member.offset, get: open(&member.leaf, column)}
		if getters[i].get == nil {
			return nil
		}
	}
	return func(row int, to unsafe.Pointer) bool {
		if c.IsNull(row) {
			return false
		}
		for i := range getters {
			if !getters[i].get(row, unsafe.Add(to, getters[i].offset)) {
				return false
			}
		}
		return true
	}
}
