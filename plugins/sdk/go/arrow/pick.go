package arrow

// Filter is the rows of a batch whose bit is set.
func (b *Batch) Filter(keep *Bitmap) *Batch {
	if keep.Count() == b.rows {
		return b
	}
	return b.Take(keep.Rows())
}

// Take is the rows of a batch of these numbers, in that order; each may come any number of times.
func (b *Batch) Take(rows []int32) *Batch {
	taken := &Batch{schema: b.schema, rows: len(rows), columns: make([]*Column, len(b.columns))}
	for i, column := range b.columns {
		taken.columns[i] = column.Take(rows)
	}
	return taken
}

// Filter is the values whose bit is set.
func (c *Column) Filter(keep *Bitmap) *Column { return c.Take(keep.Rows()) }

// Take is the values of these rows, in that order.
func (c *Column) Take(rows []int32) *Column {
	taken := &Column{typ: c.typ, length: len(rows)}
	taken.valid, taken.nulls = takeValid(c.valid, rows)
	switch c.typ.shape() {
	case shapeNull:
		taken.nulls = len(rows)
	case shapeBits:
		taken.data = takeBits(c.data, rows)
	case shapeFixed:
		taken.data = takeFixed(c, rows)
	case shapeBytes:
		takeBytes(c, taken, rows)
	case shapeStruct:
		for _, child := range c.children {
			taken.children = append(taken.children, child.Take(rows))
		}
	default:
		takeLists(c, taken, rows)
	}
	return taken
}

func takeValid(valid []byte, rows []int32) ([]byte, int) {
	if valid == nil {
		return nil, 0
	}
	taken := takeBits(valid, rows)
	nulls := len(rows) - countBits(taken)
	if nulls == 0 {
		return nil, 0
	}
	return taken, nulls
}

func takeBits(from []byte, rows []int32) []byte {
	taken := make([]byte, (len(rows)+7)/8)
	for i, row := range rows {
		taken[i>>3] |= from[row>>3] >> (row & 7) & 1 << (i & 7)
	}
	return taken
}

func takeFixed(c *Column, rows []int32) []byte {
	switch width := c.typ.width(); width {
	case 1:
		return bytesOf(pick(cast[uint8](c.data, c.length), rows))
	case 2:
		return bytesOf(pick(cast[uint16](c.data, c.length), rows))
	case 4:
		return bytesOf(pick(cast[uint32](c.data, c.length), rows))
	case 8:
		return bytesOf(pick(cast[uint64](c.data, c.length), rows))
	case 16:
		return bytesOf(pick(cast[[2]uint64](c.data, c.length), rows))
	default:
		taken := make([]byte, 0, len(rows)*width)
		for _, row := range rows {
			taken = append(taken, c.data[int(row)*width:int(row+1)*width]...)
		}
		return aligned(taken)
	}
}

func pick[T any](values []T, rows []int32) []T {
	taken := make([]T, len(rows))
	rest := taken
	for len(rows) >= 8 && len(rest) >= 8 {
		n, r := (*[8]int32)(rows), (*[8]T)(rest)
		r[0], r[1], r[2], r[3] = values[n[0]], values[n[1]], values[n[2]], values[n[3]]
		r[4], r[5], r[6], r[7] = values[n[4]], values[n[5]], values[n[6]], values[n[7]]
		rows, rest = rows[8:], rest[8:]
	}
	for i, row := range rows {
		rest[i] = values[row]
	}
	return taken
}

func takeBytes(c, taken *Column, rows []int32) {
	size := 0
	for _, row := range rows {
		size += int(c.offsets[row+1] - c.offsets[row])
	}
	taken.offsets, taken.data = make([]int32, len(rows)+1), make([]byte, 0, size)
	for i, row := range rows {
		taken.data = append(taken.data, c.data[c.offsets[row]:c.offsets[row+1]]...)
		taken.offsets[i+1] = int32(len(taken.data))
	}
}

func takeLists(c, taken *Column, rows []int32) {
	var items []int32
	taken.offsets = make([]int32, 1, len(rows)+1)
	for _, row := range rows {
		from, to := c.Range(int(row))
		for i := from; i < to; i++ {
			items = append(items, int32(i))
		}
		taken.offsets = append(taken.offsets, int32(len(items)))
	}
	for _, child := range c.children {
		taken.children = append(taken.children, child.Take(items))
	}
	taken.entries, _ = takeValid(c.entries, items)
	if c.typ.Kind == FixedSizeList {
		taken.offsets = nil
	}
}

// Slice is the rows from one number to before another.
func (b *Batch) Slice(from, to int) *Batch {
	rows := make([]int32, 0, to-from)
	for row := from; row < to; row++ {
		rows = append(rows, int32(row))
	}
	return b.Take(rows)
}

// Concat is the rows of one batch after those of the other. All have the columns of the schema.
func Concat(schema Schema, batches ...*Batch) *Batch {
	joined := &Batch{schema: schema, columns: make([]*Column, len(schema))}
	for _, batch := range batches {
		joined.rows += batch.rows
	}
	for i, field := range schema {
		builder := NewBuilder(field.Type)
		for _, batch := range batches {
			for row := 0; row < batch.rows; row++ {
				// The types are those of the schema, so there is no error.
				_ = builder.AppendValue(batch.columns[i].Value(row))
			}
		}
		joined.columns[i] = builder.Column()
	}
	return joined
}
