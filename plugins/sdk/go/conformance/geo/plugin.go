// Functions of places on the Earth: distances and cells.
package main

import (
	"math"
	"strconv"

	"streamhost"
	"streamhost/sqlfunctions"
)

// Config is in what distances are told.
type Config struct {
	Unit string `default:"m" oneof:"m km mi nmi" doc:"m, km, mi or nmi."`
}

// Places are two, in degrees.
type Places struct {
	Lat1, Lon1, Lat2, Lon2 float64
}

// Place is one, and the number of characters of its geohash.
type Place struct {
	Lat, Lon float64
	Length   streamhost.Null[int32]
}

func init() {
	sqlfunctions.Rows("haversine", haversine, streamhost.Summary("Functions of places on the Earth: distances and cells."))
	sqlfunctions.Rows("geohash", geohash)
}

func main() {}

// radius is the mean one of the Earth.
func radius(unit string) float64 {
	const metres = 6_371_008.8
	switch unit {
	case "km":
		return metres / 1_000
	case "mi":
		return metres / 1_609.344
	case "nmi":
		return metres / 1_852
	}
	return metres
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }

// haversine is the way over the surface between two places.
func haversine(call *streamhost.Call[Config], p Places) (float64, error) {
	half := func(degrees float64) float64 { return math.Sin(radians(degrees) / 2) }
	north, east := half(p.Lat2-p.Lat1), half(p.Lon2-p.Lon1)
	h := north*north + math.Cos(radians(p.Lat1))*math.Cos(radians(p.Lat2))*east*east
	// Rounding may leave a little more than 1 between antipodes.
	return 2 * radius(call.Config.Unit) * math.Asin(math.Sqrt(min(h, 1))), nil
}

// geohash is the geohash of a place: places whose geohashes begin alike are near each other.
func geohash(_ *streamhost.Call[Config], p Place) (string, error) {
	if !(p.Lat >= -90 && p.Lat <= 90 && p.Lon >= -180 && p.Lon <= 180) {
		return "", streamhost.Permanent("there is no place at " + text(p.Lat) + ", " + text(p.Lon))
	}
	length := p.Length.Or(9)
	if length < 1 || length > 12 {
		return "", streamhost.Permanent("a geohash has 1 to 12 characters, not " + strconv.Itoa(int(length)))
	}
	return characters(p.Lat, p.Lon, int(length)), nil
}

func text(number float64) string { return strconv.FormatFloat(number, 'f', -1, 64) }

// characters are the bits of a place's longitude and latitude in turn, five of them a character.
func characters(lat, lon float64, length int) string {
	const digits = "0123456789bcdefghjkmnpqrstuvwxyz"
	halves := [2]half{{lon, -180, 180}, {lat, -90, 90}}
	hash := make([]byte, length)
	for i := range length * 5 {
		hash[i/5] = hash[i/5]<<1 | halves[i%2].next()
	}
	for i, digit := range hash {
		hash[i] = digits[digit]
	}
	return string(hash)
}

// half is a range that is halved around a value.
type half struct{ value, from, to float64 }

// next is 1 if the value is in the upper half, which is the range from now on, or else 0 and the lower one.
func (h *half) next() byte {
	middle := (h.from + h.to) / 2
	if h.value >= middle {
		h.from = middle
		return 1
	}
	h.to = middle
	return 0
}
