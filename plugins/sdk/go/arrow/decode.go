package arrow

import (
	"errors"
	"unicode/utf8"
	"unsafe"
)

// mostRows is more than a message ever has of rows without bytes, which could be claimed in any number otherwise.
const mostRows = 1 << 20

var (
	errCut        = errors.New("the host's message ends early, or is no Arrow message")
	errShort      = errors.New("the host's message has a buffer that is too short for its rows")
	errOffsets    = errors.New("the host's message has offsets that point outside of their values")
	errText       = errors.New("the host's message has text that is not UTF-8")
	errRows       = errors.New("the host's message has columns of different lengths")
	errCompressed = errors.New("the host sent a compressed batch")
	errOther      = errors.New("the host sent a message that is no record batch")
	errSeveral    = errors.New("the host sent several batches where one is due")
)

// Slots and values of Message.fbs.
const (
	messageHeaderType = 1
	messageHeader     = 2
	messageBody       = 3
	headerSchema      = 1
	headerBatch       = 3
	batchLength       = 0
	batchNodes        = 1
	batchBuffers      = 2
	batchCompression  = 3
)

// Decode reads the batches of messages. Their columns are slices of the bytes: nothing is copied but what is misaligned.
func Decode(messages []byte, schema Schema) ([]*Batch, error) {
	var batches []*Batch
	for len(messages) > 0 {
		batch, length, err := decodeMessage(messages, schema)
		if err != nil {
			return nil, err
		}
		batches = append(batches, batch)
		messages = messages[length:]
	}
	return batches, nil
}

// DecodeOne reads the one batch of the messages, which is empty if there are none.
func DecodeOne(messages []byte, schema Schema) (*Batch, error) {
	batches, err := Decode(messages, schema)
	switch {
	case err != nil:
		return nil, err
	case len(batches) == 0:
		return Empty(schema), nil
	case len(batches) > 1:
		return nil, errSeveral
	}
	return batches[0], nil
}

// frame takes a message apart: its header, its body and its length.
func frame(bytes []byte) (header table, body []byte, length int, err error) {
	if len(bytes) < 8 || le32(bytes) != 0xffffffff {
		return header, nil, 0, errCut
	}
	size := int(le32(bytes[4:]))
	if size > len(bytes)-8 {
		return header, nil, 0, errCut
	}
	header = (&flat{bytes: bytes[8 : 8+size]}).root()
	bodySize := header.size(messageBody)
	start := 8 + size
	if header.flat.broken || bodySize > len(bytes)-start {
		return header, nil, 0, errCut
	}
	return header, bytes[start : start+bodySize], start + bodySize, nil
}

func decodeMessage(bytes []byte, schema Schema) (*Batch, int, error) {
	message, body, length, err := frame(bytes)
	if err != nil {
		return nil, 0, err
	}
	if message.byte(messageHeaderType) != headerBatch {
		return nil, 0, errOther
	}
	header := message.table(messageHeader)
	if header.has(batchCompression) {
		return nil, 0, errCompressed
	}
	rows := header.size(batchLength)
	d := decoder{flat: header.flat, nodes: header.pairs(batchNodes), buffers: header.pairs(batchBuffers), body: body}
	batch := &Batch{schema: schema, columns: make([]*Column, len(schema)), rows: rows}
	columns := make([]Column, len(schema))
	for i := range schema {
		batch.columns[i] = &columns[i]
		if err := d.column(&columns[i], schema[i].Type); err != nil {
			return nil, 0, errors.New("column `" + schema[i].Name + "`: " + err.Error())
		}
		if columns[i].length != rows {
			return nil, 0, errRows
		}
	}
	if d.flat.broken || rows > mostRows && len(schema) == 0 {
		return nil, 0, errCut
	}
	return batch, length, nil
}

// decoder hands out the parts of a message in the order of the schema's fields, depth first.
type decoder struct {
	flat    *flat
	nodes   pairs
	buffers pairs
	body    []byte
}

// buffer is the next buffer, which has to have so many bytes at least.
func (d *decoder) buffer(size int) ([]byte, error) {
	at, length := d.buffers.next()
	if d.flat.broken || at > len(d.body)-length {
		return nil, errCut
	}
	if length < size {
		return nil, errShort
	}
	return d.body[at : at+length : at+length], nil
}

func (d *decoder) column(c *Column, t Type) (err error) {
	c.typ = t
	var nulls int
	c.length, nulls = d.nodes.next()
	if d.flat.broken || c.length > mostRows && t.shape() == shapeNull {
		return errCut
	}
	if t.shape() == shapeNull {
		c.nulls = c.length
		return nil
	}
	if c.valid, err = d.validity(c.length, nulls); err != nil {
		return err
	}
	if c.valid != nil {
		c.nulls = c.length - countBits(c.valid)
	}
	switch t.shape() {
	case shapeBits:
		c.data, err = d.bits(c.length)
	case shapeFixed:
		c.data, err = d.fixed(c.length, t.width())
	case shapeBytes:
		err = d.bytes(c)
	default:
		err = d.nested(c)
	}
	return err
}

// validity is a bitmap whose bits behind the last row are clear; nil if there are no nulls.
func (d *decoder) validity(length, nulls int) ([]byte, error) {
	if nulls == 0 {
		_, err := d.buffer(0)
		return nil, err
	}
	return d.bits(length)
}

func (d *decoder) bits(length int) ([]byte, error) {
	size := (length + 7) / 8
	buffer, err := d.buffer(size)
	if err != nil {
		return nil, err
	}
	buffer = buffer[:size:size]
	if last := length % 8; last != 0 && buffer[size-1]>>last != 0 {
		buffer = append([]byte(nil), buffer...)
		buffer[size-1] &= 1<<last - 1
	}
	return buffer, nil
}

func (d *decoder) fixed(length, width int) ([]byte, error) {
	if length > len(d.body) {
		return nil, errShort
	}
	buffer, err := d.buffer(length * width)
	if err != nil {
		return nil, err
	}
	return aligned(buffer[: length*width : length*width]), nil
}

func (d *decoder) bytes(c *Column) (err error) {
	if c.offsets, err = d.offsets(c.length, c.typ.large()); err != nil {
		return err
	}
	last := int(c.offsets[c.length])
	buffer, err := d.buffer(0)
	if err != nil {
		return err
	}
	if last > len(buffer) {
		return errOffsets
	}
	c.data = buffer[:last:last]
	if c.IsString() && !validText(c) {
		return errText
	}
	return nil
}

// offsets never fall. An array of none may come without any.
func (d *decoder) offsets(length int, large bool) ([]int32, error) {
	if length == 0 {
		_, err := d.buffer(0)
		return []int32{0}, err
	}
	if large {
		return d.largeOffsets(length)
	}
	buffer, err := d.fixed(length+1, 4)
	if err != nil {
		return nil, err
	}
	offsets := cast[int32](buffer, length+1)
	if !rising(offsets) {
		return nil, errOffsets
	}
	return offsets, nil
}

// rising says whether no number is less than 0, or than the one before it. A difference that is negative has its highest bit set, and one
// that is too large for 32 bits is computed with more.
func rising(offsets []int32) bool {
	falls := int64(offsets[0])
	rest := offsets
	for ; len(rest) >= 9; rest = rest[8:] {
		o := (*[9]int32)(rest)
		falls |= (int64(o[1]) - int64(o[0])) | (int64(o[2]) - int64(o[1])) | (int64(o[3]) - int64(o[2])) | (int64(o[4]) - int64(o[3]))
		falls |= (int64(o[5]) - int64(o[4])) | (int64(o[6]) - int64(o[5])) | (int64(o[7]) - int64(o[6])) | (int64(o[8]) - int64(o[7]))
	}
	for i := 1; i < len(rest); i++ {
		falls |= int64(rest[i]) - int64(rest[i-1])
	}
	return falls >= 0
}

func (d *decoder) largeOffsets(length int) ([]int32, error) {
	buffer, err := d.fixed(length+1, 8)
	if err != nil {
		return nil, err
	}
	offsets, before := make([]int32, length+1), int64(0)
	for i, offset := range cast[int64](buffer, length+1) {
		if offset < before || offset > 1<<31-1 {
			return nil, errOffsets
		}
		before, offsets[i] = offset, int32(offset)
	}
	return offsets, nil
}

// validText says whether all strings are UTF-8: the bytes as a whole, and no string begins within a character.
func validText(c *Column) bool {
	from := int(c.offsets[0])
	if ascii(c.data[from:]) {
		return true
	}
	if !utf8.Valid(c.data[from:]) {
		return false
	}
	for _, offset := range c.offsets {
		if int(offset) < len(c.data) && c.data[offset]&0xc0 == 0x80 {
			return false
		}
	}
	return true
}

func ascii(data []byte) bool {
	for ; len(data) >= 64; data = data[64:] {
		w := (*[8]uint64)(unsafe.Pointer(unsafe.SliceData(data)))
		if (w[0]|w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7])&0x8080808080808080 != 0 {
			return false
		}
	}
	for ; len(data) >= 8; data = data[8:] {
		if le64(data)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range data {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func (d *decoder) nested(c *Column) (err error) {
	fields, wanted := c.typ.Fields, c.length
	switch c.typ.shape() {
	case shapeList:
		if c.offsets, err = d.offsets(c.length, c.typ.large()); err != nil {
			return err
		}
	case shapeFixedList:
		wanted = c.length * int(c.typ.Size)
	}
	entries := 0
	if c.typ.Kind == Map {
		if entries, err = d.entries(c); err != nil {
			return err
		}
		fields = fields[0].Type.Fields
	}
	c.children = make([]*Column, len(fields))
	for i, field := range fields {
		c.children[i] = new(Column)
		if err = d.column(c.children[i], field.Type); err != nil {
			return err
		}
		length := c.children[i].length
		switch {
		case c.typ.Kind == Map && length != entries, c.typ.shape() != shapeList && length != wanted:
			return errRows
		case c.typ.shape() == shapeList && int(c.offsets[c.length]) > length:
			return errOffsets
		}
	}
	if c.length > mostRows && len(c.children) == 0 {
		return errCut
	}
	return nil
}

// entries reads the struct that a map's entries are.
func (d *decoder) entries(c *Column) (int, error) {
	length, nulls := d.nodes.next()
	if d.flat.broken {
		return 0, errCut
	}
	valid, err := d.validity(length, nulls)
	c.entries = valid
	return length, err
}
