#![doc = include_str!("../README.md")]

mod geohash;

/// The functions.
#[streamhost::functions]
pub mod functions {
    use crate::geohash;
    use streamhost::prelude::*;

    /// In what distances are told.
    #[streamhost::config]
    pub struct Config {
        /// `m`, `km`, `mi` or `nmi`.
        #[serde(default)]
        unit: Unit,
    }

    #[streamhost::config]
    #[derive(Clone, Copy, Default)]
    enum Unit {
        #[default]
        M,
        Km,
        Mi,
        Nmi,
    }

    impl Unit {
        /// The mean radius of the Earth.
        fn radius(self) -> f64 {
            const METRES: f64 = 6_371_008.8;
            match self {
                Unit::M => METRES,
                Unit::Km => METRES / 1_000.0,
                Unit::Mi => METRES / 1_609.344,
                Unit::Nmi => METRES / 1_852.0,
            }
        }
    }

    /// The way over the surface between two places, given in degrees, by the haversine formula.
    pub fn haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64, config: &Config) -> f64 {
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin();
        let (north, east) = (half(lat2 - lat1), half(lon2 - lon1));
        let h = north * north + lat1.to_radians().cos() * lat2.to_radians().cos() * east * east;
        // Rounding may leave a little more than 1 between antipodes.
        2.0 * config.unit.radius() * h.min(1.0).sqrt().asin()
    }

    /// The geohash of a place, given in degrees: places whose geohashes begin alike are near each other. Without a length it has 9
    /// characters, about 5 m.
    ///
    /// # Errors
    /// If there is no such place, or the length is not from 1 to 12.
    pub fn geohash(lat: f64, lon: f64, length: Option<i32>) -> Result<String> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return Err(Error::permanent(format!("there is no place at {lat}, {lon}")));
        }
        match length.unwrap_or(9) {
            length @ 1..=12 => Ok(geohash::of(lat, lon, length as usize)),
            other => Err(Error::permanent(format!("a geohash has 1 to 12 characters, not {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::Plugin;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::function_cases::<Plugin>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn antipodes_are_half_the_way_round() {
        let bound = testing::bind_functions::<Plugin>("").expect("functions");
        let rows = r#"{"lat1": 0.0, "lon1": 0.0, "lat2": 0.0, "lon2": 180.0}"#;
        let metres = bound.call("haversine", rows).expect("a distance")[0].as_f64().expect("a number");
        assert!((metres - std::f64::consts::PI * 6_371_008.8).abs() < 1e-3, "{metres}");
    }

    #[test]
    fn a_unit_that_is_none_is_refused_with_those_there_are() {
        let error = testing::bind_functions::<Plugin>(r#"{"unit": "yd"}"#).err().expect("a refusal");
        assert_eq!(error.to_string(), "config: unknown variant `yd`, expected one of `m`, `km`, `mi`, `nmi`");
    }
}
