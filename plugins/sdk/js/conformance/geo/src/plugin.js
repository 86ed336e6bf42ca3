// Functions for SQL, of places that are given in degrees.
import { PluginError, c, functions, t } from "streamhost-sdk";
import { geohash } from "./geohash.js";

/** The mean radius of the Earth, in the units of distances. */
const METRES = 6_371_008.8;
const RADIUS = { m: METRES, km: METRES / 1_000, mi: METRES / 1_609.344, nmi: METRES / 1_852 };

const radians = (degrees) => degrees * (Math.PI / 180);
const half = (degrees) => Math.sin(radians(degrees) / 2);
const within = (value, most) => value >= -most && value <= most;

export default functions({
  config: { unit: c.oneOf(["m", "km", "mi", "nmi"], { default: "m", about: "Of distances: `m`, `km`, `mi` or `nmi`." }) },
  functions: {
    /** The way over the surface between two places, by the haversine formula. */
    haversine: {
      arguments: { lat1: t.double, lon1: t.double, lat2: t.double, lon2: t.double },
      returns: t.double,
      each({ lat1, lon1, lat2, lon2 }, { config }) {
        const [north, east] = [half(lat2 - lat1), half(lon2 - lon1)];
        const h = north * north + Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * east * east;
        // Rounding may leave a little more than 1 between antipodes.
        return 2 * RADIUS[config.unit] * Math.asin(Math.sqrt(Math.min(h, 1)));
      },
    },
    /** The geohash of a place. Without a length it has 9 characters, about 5 m. */
    geohash: {
      arguments: { lat: t.double, lon: t.double, length: t.optional(t.int) },
      returns: t.string,
      each({ lat, lon, length }) {
        if (!within(lat, 90) || !within(lon, 180)) throw PluginError.permanent(`there is no place at ${lat}, ${lon}`);
        const characters = length ?? 9;
        if (characters >= 1 && characters <= 12) return geohash(lat, lon, characters);
        throw PluginError.permanent(`a geohash has 1 to 12 characters, not ${characters}`);
      },
    },
  },
});
