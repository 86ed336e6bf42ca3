package arrow

import (
	"math"
	"math/big"
	"math/rand"
	"reflect"
	"testing"
	"time"
)

func TestKernelsDoAsPlainLoops(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	for length := range 70 {
		a, b := make([]float64, length), make([]float64, length)
		for i := range a {
			a[i], b[i] = float64(random.Intn(7)), random.NormFloat64()
		}
		plain := func(of func(i int) float64) []float64 {
			list := make([]float64, length)
			for i := range list {
				list[i] = of(i)
			}
			return list
		}
		for name, pair := range map[string][2][]float64{
			"AddTo": {AddTo(a, 2.5), plain(func(i int) float64 { return a[i] + 2.5 })},
			"MulBy": {MulBy(a, 2.5), plain(func(i int) float64 { return a[i] * 2.5 })},
			"DivBy": {DivBy(a, 2.5), plain(func(i int) float64 { return a[i] / 2.5 })},
			"Add":   {Add(a, b), plain(func(i int) float64 { return a[i] + b[i] })},
			"Sub":   {Sub(a, b), plain(func(i int) float64 { return a[i] - b[i] })},
			"Mul":   {Mul(a, b), plain(func(i int) float64 { return a[i] * b[i] })},
			"back":  {Convert[float64](Convert[int32](a)), plain(func(i int) float64 { return a[i] })},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s of %d: %v, and should be %v", name, length, pair[0], pair[1])
			}
		}
		compares(t, a)
	}
}

// compares looks at every comparison, and at what is picked by it.
func compares(t *testing.T, values []float64) {
	t.Helper()
	ops := map[Op]func(float64) bool{
		Greater: func(v float64) bool { return v > 3 }, GreaterOrEqual: func(v float64) bool { return v >= 3 },
		Less: func(v float64) bool { return v < 3 }, LessOrEqual: func(v float64) bool { return v <= 3 },
		Equal: func(v float64) bool { return v == 3 }, Unequal: func(v float64) bool { return v != 3 },
	}
	for op, is := range ops {
		bits, kept := Compare(values, op, 3), []float64{}
		for i, value := range values {
			if bits.Get(i) != is(value) {
				t.Errorf("comparison %d of %v", op, value)
			}
			if is(value) {
				kept = append(kept, value)
			}
		}
		if !reflect.DeepEqual(Select(values, bits), kept) || !reflect.DeepEqual(Where(values, is).Bytes(), bits.Bytes()) {
			t.Errorf("of %v are picked %v, and should be %v", values, Select(values, bits), kept)
		}
		column := Of(values).Filter(bits)
		if picked, _ := Values[float64](column); len(picked) != len(kept) || bits.Count() != len(kept) || len(bits.Rows()) != len(kept) {
			t.Errorf("a filter keeps %v, and should keep %v", picked, kept)
		}
		both := bits.Clone().Not().Or(bits)
		if both.Count() != len(values) || bits.Clone().Not().And(bits).Count() != 0 || AllSet(len(values)).Count() != len(values) {
			t.Error("bits are joined otherwise")
		}
	}
}

func TestDaysAndDatesGoBothWays(t *testing.T) {
	for day := Date(-800_000); day < 800_000; day += 37 {
		at := time.Unix(int64(day)*86_400, 0).UTC()
		year, month, date := day.Civil()
		back, ok := DateOf(year, month, date)
		if year != at.Year() || month != int(at.Month()) || date != at.Day() || back != day || !ok {
			t.Fatalf("%d is %d-%d-%d, and back %d", day, year, month, date, back)
		}
	}
	for _, text := range []string{"2025-02-29", "2025-13-01", "2025-03", "x", "2025-3-1a"} {
		if _, ok := ParseDate(text); ok {
			t.Error(text)
		}
	}
}

func TestMomentsAreShownAsTheyAreWritten(t *testing.T) {
	for at, text := range map[Timestamp]string{
		0: "1970-01-01T00:00:00Z", -1: "1969-12-31T23:59:59.999999Z", 1_740_830_400_500_000: "2025-03-01T12:00:00.500Z",
	} {
		if back, ok := ParseTimestamp(text); at.String() != text || back != at || !ok {
			t.Errorf("%s is shown as %s", text, at)
		}
	}
	if at, ok := ParseTimestamp("2025-03-01T12:00:00+01:30"); !ok || at.String() != "2025-03-01T10:30:00Z" {
		t.Error(at)
	}
	if Timestamp(math.MaxInt64).AddMicros(1) != math.MaxInt64 || Timestamp(math.MinInt64).AddMicros(-1) != math.MinInt64 {
		t.Error("time wraps around")
	}
}

func TestDecimalsReckonAsBigNumbers(t *testing.T) {
	random := rand.New(rand.NewSource(3))
	bigOf := func(d Decimal) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(d.High), 64)
		return n.Add(n, new(big.Int).SetUint64(d.Low))
	}
	wrapped := func(n *big.Int) *big.Int {
		n.And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
		if n.Bit(127) == 1 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		return n
	}
	for range 2_000 {
		a, b := Decimal{random.Uint64(), random.Int63() - random.Int63()}, DecimalOf(random.Int63()-random.Int63())
		divisor := random.Uint64() | 1
		quotient, rest := a.QuoRem(divisor)
		wantQuotient, wantRest := new(big.Int).QuoRem(bigOf(a), new(big.Int).SetUint64(divisor), new(big.Int))
		switch {
		case bigOf(a.Add(b)).Cmp(wrapped(new(big.Int).Add(bigOf(a), bigOf(b)))) != 0:
			t.Fatal("Add", a, b)
		case bigOf(a.Sub(b)).Cmp(wrapped(new(big.Int).Sub(bigOf(a), bigOf(b)))) != 0:
			t.Fatal("Sub", a, b)
		case bigOf(a.Mul(b)).Cmp(wrapped(new(big.Int).Mul(bigOf(a), bigOf(b)))) != 0:
			t.Fatal("Mul", a, b)
		case a.Cmp(b) != bigOf(a).Cmp(bigOf(b)):
			t.Fatal("Cmp", a, b)
		case bigOf(quotient).Cmp(wantQuotient) != 0 || wantRest.IsInt64() && wantRest.Int64() != rest:
			t.Fatal("QuoRem", a, divisor)
		case a.Text(0) != bigOf(a).String():
			t.Fatal("Text", a.Text(0), bigOf(a))
		}
	}
	for _, text := range []string{"0.00", "-0.05", "12.50", "999999999999999999999999999999999999.99"} {
		if d, ok := ParseDecimal(text, 2); !ok || d.Text(2) != text {
			t.Error(text, d.Text(2))
		}
	}
	for _, text := range []string{"", "-", "1.234", "1e3", "9999999999999999999999999999999999999999"} {
		if _, ok := ParseDecimal(text, 2); ok {
			t.Error(text)
		}
	}
}

func TestHalvesGoBothWays(t *testing.T) {
	for bits := range 1 << 16 {
		half := Half(bits)
		if number := half.Float32(); number == number && HalfOf(number) != half {
			t.Fatalf("%#x is %v, and back %#x", bits, number, HalfOf(number))
		}
	}
	if HalfOf(1e9) != 0x7c00 || HalfOf(1+1.0/4096) != HalfOf(1) || HalfOf(float32(math.NaN()))&0x3ff == 0 {
		t.Error("numbers are rounded otherwise")
	}
}

func TestEveryTypePrintsAsItIsRead(t *testing.T) {
	text := "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, i BINARY, j DATE, " +
		"k TIMESTAMP, l TIMESTAMP_NTZ, m DECIMAL(38,10), n ARRAY<STRUCT<x: INT, `y z`: MAP<STRING, INT>>>"
	schema, err := ParseSchema(text)
	if err != nil || schema.DDL() != text {
		t.Error(schema.DDL(), err)
	}
	_, err = ParseSchema("a INT, b TEXT")
	if err == nil || err.Error() != "schema, column 10: expected a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP, found `TEXT`" {
		t.Error(err)
	}
}

func TestWrongUseSaysWhatIsWrong(t *testing.T) {
	panics := func(name string, of func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s goes through", name)
			}
		}()
		of()
	}
	panics("a value of another width", func() { Append(NewBuilder(BIGINT), int32(1)) })
	panics("a struct without its members", func() {
		b := NewBuilder(STRUCT(Field{Name: "x", Type: INT}))
		b.End()
		b.Column()
	})
	panics("another type of another width", func() { Of([]int64{1}).As(INT) })
	panics("columns of different lengths", func() { NewBatch(Named{"a", Of([]int64{1})}, Named{"b", Of([]int64{})}) })
	if err := NewBuilder(INT).AppendValue("x"); err == nil {
		t.Error("a text is an INT")
	}
	if _, err := BatchOf(Schema{{Name: "a", Type: INT}}, []*Column{Of([]int64{1})}, 1); err == nil {
		t.Error("a BIGINT is an INT")
	}
}
