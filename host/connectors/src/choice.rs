//! Settings that are one of several, of which some have a value: `"once"`, `{ continuous = "1s" }`.
//!
//! What a derived `Deserialize` says of two keys, or of a value of another type, names Rust's types and not what to write.

use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IgnoredAny, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};
use std::{fmt, marker::PhantomData};

/// An enum whose variants are words, or tables with one key.
pub trait Choice {
    /// All that may be written, for messages.
    const WRITTEN: &'static str;
}

/// Reads a choice; for `deserialize_with`.
pub fn choice<'de, D: Deserializer<'de>, T: Choice + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(OneOf(PhantomData))
}

/// Reads a choice that need not be there; for `deserialize_with`, with `default`.
pub fn optional<'de, D: Deserializer<'de>, T: Choice + Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    choice(from).map(Some)
}

struct OneOf<T>(PhantomData<T>);

impl<'de, T: Choice + Deserialize<'de>> Visitor<'de> for OneOf<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WRITTEN)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        T::deserialize(StrDeserializer::<E>::new(word))
            .map_err(|_| E::custom(format!("{word:?} is none of {}", T::WRITTEN)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<T, A::Error> {
        let chosen = T::deserialize(MapAccessDeserializer::new(&mut table))
            .map_err(|e| A::Error::custom(format!("{}; write {}", message(&e), T::WRITTEN)))?;
        match table.next_key::<IgnoredAny>()? {
            None => Ok(chosen),
            Some(_) => Err(A::Error::custom(format!("there are two; write one of {}", T::WRITTEN))),
        }
    }
}

/// What went wrong without where: TOML's errors print that on lines of its own.
fn message(error: &impl fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
