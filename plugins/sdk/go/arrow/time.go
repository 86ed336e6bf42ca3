package arrow

import "strconv"

// Date is days since 1970-01-01.
type Date int32

// Timestamp is microseconds since the Unix epoch.
type Timestamp int64

// Interval is months, days and nanoseconds, each with its own sign.
type Interval struct {
	Months, Days int32
	Nanos        int64
}

// IntervalDays is days and milliseconds.
type IntervalDays struct{ Days, Millis int32 }

// Half is a Float16, as its bits.
type Half uint16

const dayMicros = 86_400_000_000

// Civil is the year, month and day of the proleptic Gregorian calendar.
func (d Date) Civil() (year, month, day int) {
	// Years begin in March here, so that a leap day is a year's last; eras of 400 years are all alike.
	days := int(d) + 719_468
	era := floorDiv(days, 146_097)
	days -= era * 146_097
	year = (days - days/1_460 + days/36_524 - days/146_096) / 365
	days -= 365*year + year/4 - year/100
	month = (5*days + 2) / 153
	day = days - (153*month+2)/5 + 1
	year += era * 400
	if month < 10 {
		return year, month + 3, day
	}
	return year + 1, month - 9, day
}

// DateOf is the date of a year, month and day; false if there is no such day.
func DateOf(year, month, day int) (Date, bool) {
	march, from := year, month-3
	if month <= 2 {
		march, from = year-1, month+9
	}
	era := floorDiv(march, 400)
	march -= era * 400
	days := era*146_097 + march*365 + march/4 - march/100 + (153*from+2)/5 + day - 1 - 719_468
	date := Date(days)
	y, m, d := date.Civil()
	return date, int(date) == days && y == year && m == month && d == day
}

// ParseDate reads a date written 2025-03-01.
func ParseDate(text string) (Date, bool) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	year, yes := digits(text[:4])
	month, yes2 := digits(text[5:7])
	day, yes3 := digits(text[8:])
	if !yes || !yes2 || !yes3 {
		return 0, false
	}
	return DateOf(year, month, day)
}

func digits(text string) (int, bool) {
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, text != ""
}

// String is 2025-03-01.
func (d Date) String() string {
	year, month, day := d.Civil()
	return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
}

// Date is the date in UTC.
func (t Timestamp) Date() Date { return Date(floorDiv(int(t), dayMicros)) }

// AddMicros is so much later; the last moment there is stays the last, and the first the first.
func (t Timestamp) AddMicros(micros int64) Timestamp {
	sum := t + Timestamp(micros)
	if micros > 0 && sum < t {
		return 1<<63 - 1
	} else if micros < 0 && sum > t {
		return -1 << 63
	}
	return sum
}

// String is 2025-03-01T12:00:00.000001Z, with as much of the fraction as there is.
func (t Timestamp) String() string {
	date := t.Date()
	micros := int(t - Timestamp(date)*dayMicros)
	seconds, fraction := micros/1_000_000, micros%1_000_000
	text := date.String() + "T" + padded(seconds/3600, 2) + ":" + padded(seconds/60%60, 2) + ":" + padded(seconds%60, 2)
	switch {
	case fraction == 0:
		return text + "Z"
	case fraction%1000 == 0:
		return text + "." + padded(fraction/1000, 3) + "Z"
	}
	return text + "." + padded(fraction, 6) + "Z"
}

// ParseTimestamp reads a moment written 2025-03-01T12:00:00Z, with a fraction or without, or with an offset in the place of Z. Without
// either it is in UTC.
func ParseTimestamp(text string) (Timestamp, bool) {
	if len(text) < 19 || text[10] != 'T' && text[10] != ' ' || text[13] != ':' || text[16] != ':' {
		return 0, false
	}
	date, yes := ParseDate(text[:10])
	hour, yes1 := digits(text[11:13])
	minute, yes2 := digits(text[14:16])
	second, yes3 := digits(text[17:19])
	if !yes || !yes1 || !yes2 || !yes3 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	rest, micros := text[19:], 0
	if rest != "" && rest[0] == '.' {
		micros, rest = fraction(rest[1:])
	}
	offset, ok := zone(rest)
	seconds := int64(date)*86_400 + int64(hour*3600+minute*60+second) - int64(offset)
	return Timestamp(seconds*1_000_000 + int64(micros)), ok && micros >= 0
}

// fraction is the microseconds of the digits behind a point, -1 if there is none, and what follows them.
func fraction(text string) (int, string) {
	micros, scale, i := 0, 100_000, 0
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		micros += int(text[i]-'0') * scale
		scale /= 10
	}
	if i == 0 {
		return -1, text
	}
	return micros, text[i:]
}

// zone is the seconds of Z, +01:00 or nothing.
func zone(text string) (int, bool) {
	if text == "" || text == "Z" {
		return 0, true
	}
	if len(text) != 6 || text[0] != '+' && text[0] != '-' || text[3] != ':' {
		return 0, false
	}
	hours, yes := digits(text[1:3])
	minutes, yes2 := digits(text[4:])
	seconds := hours*3600 + minutes*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, yes && yes2
}

func padded(n, width int) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
		width--
	}
	text := strconv.Itoa(n)
	for len(text) < width {
		text = "0" + text
	}
	return sign + text
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
