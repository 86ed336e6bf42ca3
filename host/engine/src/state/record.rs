use crate::{Error, Result};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1 << 20;

/// The longest value of a key, in bytes.
pub const MAX_VALUE: usize = 64 << 20;

/// Bytes in front of a record's key: the lengths of key and value.
pub(super) const PREFIX: usize = 8;

/// Stands where the length of a value would, if the key was removed.
const REMOVED: u32 = u32::MAX;

/// A key and its value, or that the key is gone: in memory as in a file, so that writing one is a copy.
///
/// ```text
/// key length u32 LE · value length u32 LE, or all ones for a removal · key · value
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The record as it is stored.
    pub(super) bytes: &'a [u8],
    /// The key.
    pub(super) key: &'a [u8],
    /// The value; none says that the key was removed.
    pub(super) value: Option<&'a [u8]>,
}

/// Refuses a key or value over its limit.
pub(super) fn check(key: &[u8], value: &[u8]) -> Result<()> {
    let refuse = |what: &str, len: usize, max: usize, remedy: &str| {
        Err(Error::data(format!("a state {what} has {len} bytes, but may have {max} at most: {remedy}")))
    };
    match (key.len(), value.len()) {
        (len, _) if len > MAX_KEY => refuse("key", len, MAX_KEY, "use a shorter key, such as a digest"),
        (_, len) if len > MAX_VALUE => {
            refuse("value", len, MAX_VALUE, "keep less for each key, or use finer keys")
        }
        _ => Ok(()),
    }
}

/// The record of `key` and `value`, in exactly the memory it needs. Both are within their limits.
pub(super) fn put(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(PREFIX + key.len() + value.len());
    record.extend_from_slice(&length(key.len()));
    record.extend_from_slice(&length(value.len()));
    record.extend_from_slice(key);
    record.extend_from_slice(value);
    record
}

/// The record of the removal of `key`.
pub(super) fn removal(key: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(PREFIX + key.len());
    record.extend_from_slice(&length(key.len()));
    record.extend_from_slice(&REMOVED.to_le_bytes());
    record.extend_from_slice(key);
    record
}

/// Gives a record another value of at most [`MAX_VALUE`] bytes; keeps its memory if the new one fits and is no waste.
pub(super) fn set_value(record: &mut Vec<u8>, value: &[u8]) {
    let fixed = PREFIX + key(record).len();
    let whole = fixed + value.len();
    if whole > record.capacity() || whole < record.capacity() / 4 {
        *record = put(key(record), value);
        return;
    }
    record.truncate(fixed);
    if let Some(stored) = record.get_mut(4..PREFIX) {
        stored.copy_from_slice(&length(value.len()));
    }
    record.extend_from_slice(value);
}

/// The key of a record that was made here.
pub(super) fn key(record: &[u8]) -> &[u8] {
    let Some((len, _)) = record.split_first_chunk() else { return &[] };
    record.get(PREFIX..PREFIX + u32::from_le_bytes(*len) as usize).unwrap_or_default()
}

/// The value of a record that was made here.
pub(super) fn value(record: &[u8]) -> &[u8] {
    record.get(PREFIX + key(record).len()..).unwrap_or_default()
}

/// The first record of `bytes` and what comes after it; none if no whole record within the limits is there.
pub(super) fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (key_len, rest) = bytes.split_first_chunk()?;
    let (value_len, rest) = rest.split_first_chunk()?;
    let key_len = u32::from_le_bytes(*key_len) as usize;
    let value_len = match u32::from_le_bytes(*value_len) {
        REMOVED => None,
        len => Some(len as usize),
    };
    if key_len > MAX_KEY || value_len.is_some_and(|len| len > MAX_VALUE) {
        return None;
    }
    let (key, rest) = rest.split_at_checked(key_len)?;
    let (value, rest) = rest.split_at_checked(value_len.unwrap_or(0))?;
    let bytes = bytes.get(..PREFIX + key.len() + value.len())?;
    Some((Record { bytes, key, value: value_len.map(|_| value) }, rest))
}

/// A length within the limits as it is stored.
fn length(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(REMOVED).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_made() {
        let mut all = put(b"k", b"value");
        all.extend(removal(b"gone"));
        let (first, rest) = split(&all).unwrap();
        assert_eq!((first.key, first.value), (&b"k"[..], Some(&b"value"[..])));
        let (second, rest) = split(rest).unwrap();
        assert_eq!((second.key, second.value, rest), (&b"gone"[..], None, &b""[..]));
        assert_eq!((key(first.bytes), value(first.bytes)), (&b"k"[..], &b"value"[..]));
    }

    #[test]
    fn a_record_that_claims_more_than_there_is_or_may_be_is_none() {
        let whole = put(b"key", b"value");
        for len in 0..whole.len() {
            assert_eq!(split(&whole[..len]), None, "{len} bytes");
        }
        let mut large = vec![0; 2 * MAX_VALUE];
        for (key, value) in [(MAX_KEY + 1, 0), (0, MAX_VALUE + 1)] {
            large[..4].copy_from_slice(&length(key));
            large[4..PREFIX].copy_from_slice(&length(value));
            assert_eq!(split(&large), None, "a key of {key} and a value of {value} bytes");
        }
    }

    #[test]
    fn a_new_value_keeps_the_memory_unless_that_would_be_a_waste() {
        let mut record = put(b"key", &[1; 100]);
        let at = record.as_ptr();
        set_value(&mut record, &[2; 90]);
        assert_eq!((record.as_ptr(), value(&record)), (at, &[2; 90][..]));
        set_value(&mut record, &[3; 200]);
        assert_eq!((record.capacity(), value(&record)), (PREFIX + 3 + 200, &[3; 200][..]));
        set_value(&mut record, b"4");
        assert_eq!((record.capacity(), key(&record), value(&record)), (PREFIX + 4, &b"key"[..], &b"4"[..]));
    }

    #[test]
    fn a_key_or_value_over_its_limit_is_refused() {
        let key = check(&vec![0; MAX_KEY + 1], b"").unwrap_err();
        assert!(
            key.report().contains("a state key has 1048577 bytes, but may have 1048576"),
            "{}",
            key.report()
        );
        let value = check(b"", &vec![0; MAX_VALUE + 1]).unwrap_err();
        assert!(value.report().contains("a state value has 67108865 bytes"), "{}", value.report());
        assert!(check(&vec![0; MAX_KEY], &[]).is_ok());
    }
}
