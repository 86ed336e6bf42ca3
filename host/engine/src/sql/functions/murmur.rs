//! `hash(value, …)`: Spark's Murmur3 of 32 bits, so that what is divided by a hash is divided as Spark divides it.

use super::function::function;
use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimestampMicrosecondType,
    },
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

const SEED: u32 = 42;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![function(
        "hash(value, …)",
        |of| Some(of.to_vec()),
        |_| DataType::Int32,
        |columns, _| {
            let rows = columns.first().map_or(1, |column| column.len());
            let hashes = (0..rows).map(|row| {
                let hash = columns.iter().try_fold(SEED, |seed, column| hash(column, row, seed))?;
                Ok(Some(hash.cast_signed()))
            });
            Ok(Arc::new(hashes.collect::<Result<Int32Array>>()?))
        },
    )]
}

/// The hash of a value, going on from another; that of NULL is the other.
fn hash(of: &ArrayRef, row: usize, seed: u32) -> Result<u32> {
    if of.is_null(row) {
        return Ok(seed);
    }
    Ok(match of.data_type() {
        DataType::Null => seed,
        DataType::Boolean => int(of.as_boolean().value(row).into(), seed),
        DataType::Int8 => int(of.as_primitive::<Int8Type>().value(row).into(), seed),
        DataType::Int16 => int(of.as_primitive::<Int16Type>().value(row).into(), seed),
        DataType::Int32 => int(of.as_primitive::<Int32Type>().value(row), seed),
        DataType::Date32 => int(of.as_primitive::<Date32Type>().value(row), seed),
        DataType::Int64 => long(of.as_primitive::<Int64Type>().value(row), seed),
        DataType::Timestamp(..) => long(of.as_primitive::<TimestampMicrosecondType>().value(row), seed),
        // Both zeros are equal, and so are their hashes.
        DataType::Float32 => {
            int((of.as_primitive::<Float32Type>().value(row) + 0.0).to_bits().cast_signed(), seed)
        }
        DataType::Float64 => {
            long((of.as_primitive::<Float64Type>().value(row) + 0.0).to_bits().cast_signed(), seed)
        }
        DataType::Decimal128(precision, _) => {
            let value = of.as_primitive::<Decimal128Type>().value(row);
            match i64::try_from(value) {
                Ok(value) if *precision <= 18 => long(value, seed),
                _ => bytes(significant(&value.to_be_bytes()), seed),
            }
        }
        DataType::Utf8 => bytes(of.as_string::<i32>().value(row).as_bytes(), seed),
        DataType::Binary => bytes(of.as_binary::<i32>().value(row), seed),
        DataType::List(_) => {
            let elements = of.as_list::<i32>().value(row);
            (0..elements.len()).try_fold(seed, |seed, row| hash(&elements, row, seed))?
        }
        DataType::Struct(_) => {
            of.as_struct().columns().iter().try_fold(seed, |seed, column| hash(column, row, seed))?
        }
        other => return exec_err!("hash() is not of {}", crate::sql::types::name_of(other)),
    })
}

/// The bytes of a number without those in front that say no more than its sign.
fn significant(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        let Some(next) = rest.first() else { break };
        let sign = if next & 0x80 == 0 { 0 } else { 0xff };
        if *first != sign {
            break;
        }
        bytes = rest;
    }
    bytes
}

fn int(value: i32, seed: u32) -> u32 {
    finished(mixed(seed, value.cast_unsigned()), 4)
}

fn long(value: i64, seed: u32) -> u32 {
    let bits = value.cast_unsigned();
    finished(mixed(mixed(seed, bits as u32), (bits >> 32) as u32), 8)
}

/// Words of four bytes; of what is left over each byte, with its sign, is a word.
fn bytes(of: &[u8], seed: u32) -> u32 {
    let (words, rest) = of.as_chunks::<4>();
    let hash = words.iter().fold(seed, |hash, word| mixed(hash, u32::from_le_bytes(*word)));
    let hash =
        rest.iter().fold(hash, |hash, byte| mixed(hash, i32::from(byte.cast_signed()).cast_unsigned()));
    finished(hash, of.len() as u32)
}

fn mixed(hash: u32, word: u32) -> u32 {
    let word = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    (hash ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

fn finished(hash: u32, length: u32) -> u32 {
    let hash = hash ^ length;
    let hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_sparks() {
        assert_eq!(int(1, SEED).cast_signed(), -559_580_957);
        assert_eq!(long(1, SEED).cast_signed(), -1_712_319_331);
        assert_eq!(significant(&[0xff, 0xff, 0x80]), [0x80]);
        assert_eq!(significant(&[0, 0x80]), [0, 0x80]);
    }
}
