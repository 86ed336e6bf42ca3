package arrow

import "encoding/binary"

// Encode is the schema's message, which begins a stream.
func (s Schema) Encode() []byte {
	f := newFlatWriter()
	schema := f.schema(s)
	root := f.table(
		slot{messageHeader, 4, uint64(schema), true},
		slot{messageHeaderType, 1, headerSchema, false},
		slot{0, 2, 4, false}, // version 5
	)
	flat := f.finish(root)
	length := roundUp(8 + len(flat))
	message := make([]byte, 0, length)
	message = append(message, 0xff, 0xff, 0xff, 0xff)
	message = binary.LittleEndian.AppendUint32(message, uint32(length-8))
	message = append(message, flat...)
	return append(message, padding[:length-len(message)]...)
}

// flatWriter writes a FlatBuffer from its end to its beginning, so that every reference is to something that is there. Places count
// from the end.
type flatWriter struct {
	bytes []byte
	at    int
}

// slot is a field of a table: its number, its bytes, and its value, which may be a place.
type slot struct {
	number    int
	size      int
	value     uint64
	reference bool
}

func newFlatWriter() *flatWriter { return &flatWriter{bytes: make([]byte, 1024), at: 1024} }

func (f *flatWriter) place() int { return len(f.bytes) - f.at }

// make room for so many bytes, and return them.
func (f *flatWriter) room(size int) []byte {
	for f.at < size {
		more := make([]byte, 2*len(f.bytes))
		copy(more[len(f.bytes):], f.bytes)
		f.at += len(f.bytes)
		f.bytes = more
	}
	f.at -= size
	return f.bytes[f.at : f.at+size]
}

// align so that after so many bytes more the place is a multiple of the size.
func (f *flatWriter) align(more, size int) {
	clear(f.room((size - (f.place()+more)%size) % size))
}

func (f *flatWriter) put(value uint64, size int) {
	f.align(size, size)
	room := f.room(size)
	for i := range room {
		room[i] = byte(value >> (8 * i))
	}
}

// refer writes a reference to a place.
func (f *flatWriter) refer(place int) {
	f.align(4, 4)
	distance := f.place() + 4 - place
	f.put(uint64(distance), 4)
}

// table writes fields, of which the largest come first, and answers its place.
func (f *flatWriter) table(slots ...slot) int {
	end := f.place()
	count := 0
	places := make([]int, 8)
	for _, s := range slots {
		count = max(count, s.number+1)
		if s.reference {
			f.refer(int(s.value))
		} else {
			f.put(s.value, s.size)
		}
		places[s.number] = f.place()
	}
	f.align(4, 4)
	f.put(0, 4)
	start := f.place()
	for i := count - 1; i >= 0; i-- {
		offset := 0
		if places[i] != 0 {
			offset = start - places[i]
		}
		f.put(uint64(offset), 2)
	}
	f.put(uint64(start-end), 2)
	f.put(uint64(4+2*count), 2)
	binary.LittleEndian.PutUint32(f.bytes[len(f.bytes)-start:], uint32(f.place()-start))
	return start
}

func (f *flatWriter) text(text string) int {
	f.align(len(text)+1, 4)
	room := f.room(len(text) + 1)
	copy(room, text)
	room[len(text)] = 0
	f.put(uint64(len(text)), 4)
	return f.place()
}

func (f *flatWriter) vector(places []int) int {
	f.align(4*len(places), 4)
	for i := len(places) - 1; i >= 0; i-- {
		f.refer(places[i])
	}
	f.put(uint64(len(places)), 4)
	return f.place()
}

// finish writes the reference to the outermost table. The buffer's length is a multiple of 8, as its longs need.
func (f *flatWriter) finish(root int) []byte {
	f.align(4, 8)
	f.refer(root)
	return f.bytes[f.at:]
}

func (f *flatWriter) schema(fields []Field) int {
	places := f.fields(fields)
	return f.table(slot{1, 4, uint64(f.vector(places)), true})
}

func (f *flatWriter) fields(fields []Field) []int {
	places := make([]int, len(fields))
	for i, field := range fields {
		places[i] = f.field(field)
	}
	return places
}

func (f *flatWriter) field(field Field) int {
	children := f.vector(f.fields(field.Type.Fields))
	number, parameters := f.parameters(field.Type)
	name := f.text(field.Name)
	nullable := uint64(0)
	if field.Nullable {
		nullable = 1
	}
	return f.table(
		slot{fieldName, 4, uint64(name), true},
		slot{fieldType, 4, uint64(parameters), true},
		slot{fieldChildren, 4, uint64(children), true},
		slot{fieldNullable, 1, nullable, false},
		slot{fieldTypeType, 1, uint64(number), false},
	)
}

// parameters writes the table of a type, and answers its number and its place.
func (f *flatWriter) parameters(t Type) (number, place int) {
	unit := slot{0, 2, uint64(t.Unit), false}
	size := slot{0, 4, uint64(t.Size), false}
	switch t.Kind {
	case Int8, Int16, Int32, Int64:
		return fbInt, f.table(slot{0, 4, 8 << (t.Kind - Int8), false}, slot{1, 1, 1, false})
	case Uint8, Uint16, Uint32, Uint64:
		return fbInt, f.table(slot{0, 4, 8 << (t.Kind - Uint8), false})
	case Float16, Float32, Float64:
		return fbFloat, f.table(slot{0, 2, uint64(t.Kind - Float16), false})
	case Date32, Date64:
		return fbDate, f.table(slot{0, 2, uint64(t.Kind - Date32), false})
	case Time32:
		return fbTime, f.table(slot{1, 4, 32, false}, unit)
	case Time64:
		return fbTime, f.table(slot{1, 4, 64, false}, unit)
	case TimestampKind:
		if t.Zone == "" {
			return fbTimestamp, f.table(unit)
		}
		zone := f.text(t.Zone)
		return fbTimestamp, f.table(slot{1, 4, uint64(zone), true}, unit)
	case DurationKind:
		return fbDuration, f.table(unit)
	case IntervalMonths, IntervalDayTime, IntervalMonthDayNano:
		return fbInterval, f.table(slot{0, 2, uint64(t.Kind - IntervalMonths), false})
	case Decimal128:
		return fbDecimal, f.decimal(t, 128)
	case Decimal256:
		return fbDecimal, f.decimal(t, 256)
	case FixedSizeBinary:
		return fbFixedSizeBinary, f.table(size)
	case FixedSizeList:
		return fbFixedSizeList, f.table(size)
	case Map:
		sorted := uint64(0)
		if t.Sorted {
			sorted = 1
		}
		return fbMap, f.table(slot{0, 1, sorted, false})
	}
	return plainNumber(t.Kind), f.table()
}

func (f *flatWriter) decimal(t Type, width uint64) int {
	return f.table(
		slot{0, 4, uint64(t.Precision), false},
		slot{1, 4, uint64(uint32(t.Scale)), false},
		slot{2, 4, width, false},
	)
}

func plainNumber(kind Kind) int {
	switch kind {
	case Bool:
		return fbBool
	case Utf8:
		return fbUtf8
	case LargeUtf8:
		return fbLargeUtf8
	case Binary:
		return fbBinary
	case LargeBinary:
		return fbLargeBinary
	case List:
		return fbList
	case LargeList:
		return fbLargeList
	case Struct:
		return fbStruct
	}
	return fbNull
}
