package arrow

import (
	"bytes"
	"math"
	"math/rand"
	"os"
	"reflect"
	"testing"
	"time"
)

// everyType is a stream that another implementation wrote: two columns of each type, one of them with nulls.
func everyType(t testing.TB) (schema, batches []byte) {
	t.Helper()
	stream, err := os.ReadFile("testdata/every-type.arrows")
	if err != nil {
		t.Fatal(err)
	}
	length := 8 + int(le32(stream[4:]))
	return stream[:length], stream[length : len(stream)-8]
}

// values are all values of a batch.
func values(batch *Batch) [][]Value {
	var all [][]Value
	for _, column := range batch.Columns() {
		var list []Value
		for row := range batch.Rows() {
			list = append(list, column.Value(row))
		}
		all = append(all, list)
	}
	return all
}

// rebuilt makes the same columns of their values.
func rebuilt(t testing.TB, batch *Batch) *Batch {
	t.Helper()
	columns := make([]*Column, len(batch.Columns()))
	for i, column := range batch.Columns() {
		builder := NewBuilder(column.Type())
		for row := range batch.Rows() {
			if err := builder.AppendValue(column.Value(row)); err != nil {
				t.Fatalf("`%s`: %v", batch.Schema()[i].Name, err)
			}
		}
		columns[i] = builder.Column()
	}
	made, err := BatchOf(batch.Schema(), columns, batch.Rows())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestEveryTypeIsReadAndWritten(t *testing.T) {
	message, messages := everyType(t)
	schema, err := DecodeSchema(message)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeSchema(schema.Encode())
	if err != nil || !reflect.DeepEqual(again, schema) {
		t.Errorf("the schema comes back as %v, %v", again, err)
	}
	batch, err := DecodeOne(messages, schema)
	if err != nil || batch.Rows() != 7 {
		t.Fatal(err)
	}
	for name, written := range map[string]*Batch{"as it is": batch, "made of its values": rebuilt(t, batch), "taken": batch.Slice(0, 7)} {
		back, err := DecodeOne(written.Encode(nil), schema)
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(values(back), values(batch)) {
			t.Errorf("%s, other values come back", name)
		}
	}
}

func TestKnownValuesOfAnotherImplementation(t *testing.T) {
	message, messages := everyType(t)
	schema, _ := DecodeSchema(message)
	batch, err := DecodeOne(messages, schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]Value{
		"b": true, "i8": int8(-128), "u64": uint64(0), "f16": Half(0), "f64": math.Inf(-1),
		"d32": Date(-25567), "tzus": Timestamp(0), "st": Members{int32(0), []Value{"q", nil}},
		"m": []Entry{}, "l": []Value{},
	} {
		if given := batch.Named(name).Value(0); !reflect.DeepEqual(given, wanted) {
			t.Errorf("`%s` is %#v, and should be %#v", name, given, wanted)
		}
		if batch.Named(name).Value(3) != nil {
			t.Errorf("`%s` should be null in row 3", name)
		}
	}
	decimals, _ := Values[Decimal](batch.Named("dec_full"))
	if text := decimals[0].Text(10); text != "-9999999999999999999999999999.9999999999" {
		t.Error(text)
	}
	if text := batch.Named("s_full").Text(1); text != "é😀" {
		t.Error(text)
	}
}

func TestManyRowsNoRowsAndOneRow(t *testing.T) {
	schema, err := ParseSchema("a BIGINT, b STRING, c ARRAY<INT>, d BOOLEAN, e MAP<STRING, DOUBLE>")
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{0, 1, 7, 8, 9, 65_536} {
		columns := make([]*Column, len(schema))
		for i, field := range schema {
			builder := NewBuilder(field.Type)
			for row := range rows {
				value := []Value{int64(row) << 40, "x→" + number(int32(row)), []Value{int32(row), nil}, row%3 == 0, []Entry{{"k", float64(row)}}}[i]
				if row%5 == 4 {
					value = nil
				}
				if err := builder.AppendValue(value); err != nil {
					t.Fatal(err)
				}
			}
			columns[i] = builder.Column()
		}
		batch, err := BatchOf(schema, columns, rows)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeOne(batch.Encode(nil), schema)
		if err != nil || !reflect.DeepEqual(values(back), values(batch)) {
			t.Errorf("%d rows come back otherwise: %v", rows, err)
		}
		if rows > 100 {
			some := batch.Take([]int32{99, 4, 4, 65_535})
			if !reflect.DeepEqual(values(some)[1], []Value{nil, nil, nil, "x→65535"}) || len(some.Column(2).Value(3).([]Value)) != 2 {
				t.Errorf("other rows are taken: %v", values(some))
			}
		}
	}
}

// TestGarbageIsRefused looks that bytes that were changed are an error or other values, and no panic, endless loop or huge piece of memory.
func TestGarbageIsRefused(t *testing.T) {
	message, messages := everyType(t)
	schema, _ := DecodeSchema(message)
	random := rand.New(rand.NewSource(1))
	refused, began := 0, time.Now()
	for range 20_000 {
		bytes := append([]byte(nil), messages...)
		end := len(bytes)
		if random.Intn(4) > 0 {
			end = 8 + int(le32(bytes[4:]))
		}
		for range 1 + random.Intn(4) {
			bytes[random.Intn(end)] = byte(random.Intn(256) * random.Intn(2))
		}
		batch, err := DecodeOne(bytes[:len(bytes)-random.Intn(2)*random.Intn(len(bytes))], schema)
		if err != nil {
			refused++
			continue
		}
		values(batch)
	}
	for range 20_000 {
		bytes := append([]byte(nil), message...)
		for range 1 + random.Intn(4) {
			bytes[random.Intn(len(bytes))] = byte(random.Intn(256))
		}
		if schema, err := DecodeSchema(bytes); err == nil {
			schema.DDL()
			schema.Encode()
		}
	}
	if refused < 5_000 || time.Since(began) > time.Minute {
		t.Errorf("%d of 20000 were refused, in %v", refused, time.Since(began))
	}
}

func TestSeveralMessagesAreSeveralBatches(t *testing.T) {
	one := NewBatch(Named{"a", Of([]int64{1, 2})})
	two := NewBatch(Named{"a", OfNullable([]int64{3, 4, 5}, Compare([]int64{3, 4, 5}, Unequal, 4))})
	batches, err := Decode(two.Encode(one.Encode(nil)), one.Schema())
	if err != nil || len(batches) != 2 || !reflect.DeepEqual(values(batches[1])[0], []Value{int64(3), nil, int64(5)}) {
		t.Error(batches, err)
	}
	if joined := Concat(one.Schema(), batches...); joined.Rows() != 5 || joined.Column(0).Nulls() != 1 {
		t.Error(joined)
	}
	if !bytes.Equal(Empty(one.Schema()).Encode(nil)[:4], []byte{0xff, 0xff, 0xff, 0xff}) {
		t.Error("a batch of no rows is no message")
	}
}
