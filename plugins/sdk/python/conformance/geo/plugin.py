"""Functions of places on the Earth: distances and cells."""

from enum import Enum
from math import asin, cos, radians, sin, sqrt

import streamhost
from streamhost import Error, Int32

METRES = 6_371_008.8
"""The mean radius of the Earth."""
DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz"


class Unit(Enum):
    """In what distances are told."""

    M = "m"
    KM = "km"
    MI = "mi"
    NMI = "nmi"

    @property
    def radius(self) -> float:
        """The radius of the Earth in this unit."""
        return METRES / {"m": 1.0, "km": 1_000.0, "mi": 1_609.344, "nmi": 1_852.0}[self.value]


@streamhost.config
class Config:
    """In what distances are told."""

    unit: Unit = Unit.M
    """`m`, `km`, `mi` or `nmi`."""


@streamhost.function
def haversine(lat1: float, lon1: float, lat2: float, lon2: float, config: Config) -> float:
    """The way over the surface between two places, given in degrees, by the haversine formula."""
    north, east = sin(radians(lat2 - lat1) / 2), sin(radians(lon2 - lon1) / 2)
    h = north * north + cos(radians(lat1)) * cos(radians(lat2)) * east * east
    # Rounding may leave a little more than 1 between antipodes.
    return 2.0 * config.unit.radius * asin(sqrt(min(h, 1.0)))


@streamhost.function
def geohash(lat: float, lon: float, length: Int32 | None) -> str:
    """The geohash of a place, given in degrees: places whose geohashes begin alike are near each other."""
    if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
        raise Error.permanent(f"there is no place at {shown(lat)}, {shown(lon)}")
    length = 9 if length is None else length
    if not 1 <= length <= 12:
        raise Error.permanent(f"a geohash has 1 to 12 characters, not {length}")
    return cell(lat, lon, length)


def cell(lat: float, lon: float, length: int) -> str:
    """The bits of a place's longitude and latitude in turn, five of them a character."""
    values, ranges = (lon, lat), [[-180.0, 180.0], [-90.0, 90.0]]
    text, digit = "", 0
    for bit in range(5 * length):
        value, of = values[bit % 2], ranges[bit % 2]
        middle = (of[0] + of[1]) / 2.0
        upper = value >= middle
        of[0 if upper else 1] = middle
        digit = digit << 1 | upper
        if bit % 5 == 4:
            text, digit = text + DIGITS[digit], 0
    return text


def shown(degrees: float) -> str:
    """A number without a fraction that is none."""
    return str(int(degrees)) if degrees.is_integer() else str(degrees)
