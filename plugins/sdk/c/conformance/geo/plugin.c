// Distances and geohashes, as functions for SQL.

#include <math.h>

#include <streamhost.h>

struct config {
  int unit;
};

enum { METRES, KILOMETRES, MILES, NAUTICAL };

static const char *const units[] = {"m", "km", "mi", "nmi", NULL};

static const sh_field config[] = {
    {"unit", SH_ENUM, offsetof(struct config, unit), .doc = "`m`, `km`, `mi` or `nmi`.", .otherwise = "\"m\"", .names = units}, SH_END_FIELDS};

// The mean radius of the Earth.
static double radius(int unit) {
  const double metres = 6371008.8;
  switch (unit) {
    case KILOMETRES: return metres / 1000.0;
    case MILES: return metres / 1609.344;
    case NAUTICAL: return metres / 1852.0;
    default: return metres;
  }
}

static double radians(double degrees) { return degrees * (M_PI / 180.0); }

static double half_sine(double degrees) { return sin(radians(degrees) / 2.0); }

// The way over the surface between two places, given in degrees, by the haversine formula.
static sh_status haversine(const sh_row *places, sh_table *result) {
  const struct config *config = places->call->config;
  double lat1 = sh_get_double(places, 0), lon1 = sh_get_double(places, 1), lat2 = sh_get_double(places, 2), lon2 = sh_get_double(places, 3);
  double north = half_sine(lat2 - lat1), east = half_sine(lon2 - lon1);
  double h = north * north + cos(radians(lat1)) * cos(radians(lat2)) * east * east;
  // Rounding may leave a little more than 1 between antipodes.
  sh_put_double(result, 0, 2.0 * radius(config->unit) * asin(sqrt(h < 1.0 ? h : 1.0)));
  return SH_OK;
}

// A range that is halved around a value.
struct halves {
  double value, from, to;
};

// Whether the value is in the upper half, which is the range from now on, or else the lower one.
static int next(struct halves *halves) {
  double middle = (halves->from + halves->to) / 2.0;
  if (halves->value >= middle) {
    halves->from = middle;
    return 1;
  }
  halves->to = middle;
  return 0;
}

// The bits of a place's longitude and latitude in turn, five of them a character.
static void encode(double lat, double lon, int length, char *text) {
  struct halves lats = {lat, -90.0, 90.0}, lons = {lon, -180.0, 180.0};
  for (int bit = 0, digit = 0; bit < 5 * length; bit++) {
    digit = digit << 1 | next(bit % 2 ? &lats : &lons);
    if (bit % 5 == 4) {
      text[bit / 5] = "0123456789bcdefghjkmnpqrstuvwxyz"[digit];
      digit = 0;
    }
  }
}

// The geohash of a place, given in degrees; without a length it has 9 characters, about 5 m.
static sh_status geohash(const sh_row *place, sh_table *result) {
  sh_call *call = place->call;
  double lat = sh_get_double(place, 0), lon = sh_get_double(place, 1);
  int64_t length = sh_get_null(place, 2) ? 9 : sh_get_int(place, 2);
  if (!(lat >= -90.0 && lat <= 90.0) || !(lon >= -180.0 && lon <= 180.0)) {
    return sh_permanent(call, "there is no place at %s, %s", sh_number_text(call, lat), sh_number_text(call, lon));
  }
  if (length < 1 || length > 12) return sh_permanent(call, "a geohash has 1 to 12 characters, not %lld", (long long)length);
  char text[12];
  encode(lat, lon, (int)length, text);
  sh_put_text(result, 0, (sh_text){text, length});
  return SH_OK;
}

static const sh_function functions[] = {
    {"haversine", "lat1 DOUBLE NOT NULL, lon1 DOUBLE NOT NULL, lat2 DOUBLE NOT NULL, lon2 DOUBLE NOT NULL", "DOUBLE", .row = haversine},
    {"geohash", "lat DOUBLE NOT NULL, lon DOUBLE NOT NULL, length INT", "STRING", .row = geohash},
    SH_END_FUNCTIONS};

STREAMHOST_FUNCTIONS(functions, .config = config, .config_size = sizeof(struct config));
