package arrow

import "unsafe"

// Builder makes a column value by value, of any type. For lists, structs and maps the values go into the builders of the children, and
// End closes each list, struct or map:
//
//	tags := arrow.NewBuilder(arrow.ARRAY(arrow.STRING))
//	tags.Child(0).AppendText("one")
//	tags.Child(0).AppendText("two")
//	tags.End()        // a row: [one, two]
//	tags.AppendNull() // another
type Builder struct {
	typ      Type
	shape    shape
	width    int
	length   int
	nulls    int
	valid    []byte
	data     []byte
	offsets  []int32
	children []*Builder
}

// NewBuilder makes a builder of columns of this type.
func NewBuilder(t Type) *Builder {
	b := &Builder{typ: t, shape: t.shape(), width: t.width()}
	fields := t.Fields
	if t.Kind == Map {
		fields = fields[0].Type.Fields
	}
	for _, field := range fields {
		b.children = append(b.children, NewBuilder(field.Type))
	}
	return b
}

// Len is the number of values so far.
func (b *Builder) Len() int { return b.length }

// Type is the type of the column.
func (b *Builder) Type() Type { return b.typ }

// Child is the builder of the items of lists, of a member of structs, or, of maps, of the keys (0) and the values (1).
func (b *Builder) Child(i int) *Builder { return b.children[i] }

// AppendNull adds a null. The children of a struct, and of a list of a fixed size, get nulls too.
func (b *Builder) AppendNull() {
	if b.nulls == 0 {
		b.startValid()
	}
	b.nulls++
	b.grow()
	switch b.shape {
	case shapeBits:
		b.growBits()
	case shapeFixed:
		clear(b.room(b.width))
	case shapeStruct:
		b.childNulls(1)
	case shapeFixedList:
		b.childNulls(int(b.typ.Size))
	}
	b.end()
}

func (b *Builder) childNulls(count int) {
	for _, child := range b.children {
		for range count {
			child.AppendNull()
		}
	}
}

// startValid begins the bitmap: everything so far is there.
func (b *Builder) startValid() {
	b.valid = append(b.valid[:0], AllSet(b.length).bytes...)
}

// grow counts a value that is null until present is called.
func (b *Builder) grow() {
	if b.nulls > 0 && b.length&7 == 0 {
		b.valid = append(b.valid, 0)
	}
	b.length++
}

// present counts a value that is there.
func (b *Builder) present() {
	if b.nulls > 0 {
		b.grow()
		b.valid[(b.length-1)>>3] |= 1 << ((b.length - 1) & 7)
		return
	}
	b.length++
}

func (b *Builder) growBits() {
	if (b.length-1)&7 == 0 {
		b.data = append(b.data, 0)
	}
}

// room is so many bytes more at the end of the data, with whatever is in them.
func (b *Builder) room(size int) []byte {
	have := len(b.data)
	if have+size > cap(b.data) {
		more := make([]byte, have, max(2*cap(b.data), have+size, 64))
		copy(more, b.data)
		b.data = more
	}
	b.data = b.data[:have+size]
	return b.data[have:]
}

// end notes where the next string or list begins.
func (b *Builder) end() {
	switch b.shape {
	case shapeBytes:
		b.offsets = append(b.begun(), int32(len(b.data)))
	case shapeList:
		b.offsets = append(b.begun(), int32(b.children[0].length))
	}
}

func (b *Builder) begun() []int32 {
	if b.offsets == nil {
		return make([]int32, 1, 16)
	}
	return b.offsets
}

// End closes a list, a struct or a map, of whose children's values those since the last one are its own. Of a struct that is one each,
// of a list of a fixed size as many as it has; otherwise Column panics.
func (b *Builder) End() {
	b.present()
	b.end()
}

// AppendBool adds a BOOLEAN.
func (b *Builder) AppendBool(value bool) {
	b.present()
	b.growBits()
	if value {
		b.data[(b.length-1)>>3] |= 1 << ((b.length - 1) & 7)
	}
}

// AppendText adds a STRING.
func (b *Builder) AppendText(value string) {
	b.present()
	b.data = append(b.data, value...)
	b.offsets = append(b.begun(), int32(len(b.data)))
}

// AppendBytes adds a BINARY; of a FixedSizeBinary it has to have the type's size.
func (b *Builder) AppendBytes(value []byte) {
	b.present()
	if b.shape == shapeFixed {
		if len(value) != b.width {
			panic("arrow: a value of a FixedSizeBinary has another size than its type")
		}
		copy(b.room(b.width), value)
		return
	}
	b.data = append(b.data, value...)
	b.offsets = append(b.begun(), int32(len(b.data)))
}

// Append adds a value of a fixed width, which has to be that of the builder's type.
func Append[T Fixed](b *Builder, value T) {
	if b.width != int(unsafe.Sizeof(value)) {
		panic("arrow: a value has another width than " + b.typ.String())
	}
	b.present()
	*(*T)(unsafe.Pointer(unsafe.SliceData(b.room(b.width)))) = value
}

// Room adds so many values of a fixed width, which has to be that of the builder's type, and gives the place to put them, until something
// else is added.
func Room[T Fixed](b *Builder, count int) []T {
	var zero T
	if b.width != int(unsafe.Sizeof(zero)) {
		panic("arrow: values have another width than " + b.typ.String())
	}
	if b.nulls == 0 {
		b.length += count
	} else {
		for range count {
			b.present()
		}
	}
	return cast[T](b.room(b.width*count), count)
}

// Column is what was added. The builder is empty again.
func (b *Builder) Column() *Column {
	c := &Column{typ: b.typ, length: b.length, nulls: b.nulls, data: b.data, offsets: b.offsets}
	if b.nulls > 0 {
		c.valid = b.valid
	}
	if c.typ.Kind == Null {
		c.nulls, c.valid = c.length, nil
	}
	for _, child := range b.children {
		c.children = append(c.children, child.Column())
	}
	if b.shape == shapeBytes || b.shape == shapeList {
		c.offsets = b.begun()
	}
	b.check(c)
	*b = Builder{typ: b.typ, shape: b.shape, width: b.width, children: b.children}
	return c
}

// check that the children have as many values as End was called for.
func (b *Builder) check(c *Column) {
	for i, child := range c.children {
		wanted := child.length
		switch b.shape {
		case shapeStruct:
			wanted = c.length
		case shapeFixedList:
			wanted = c.length * int(b.typ.Size)
		case shapeList:
			wanted = c.children[0].length
		}
		if child.length != wanted {
			panic("arrow: child " + number(int32(i)) + " of " + b.typ.String() + " has another number of values than it needs")
		}
	}
}
