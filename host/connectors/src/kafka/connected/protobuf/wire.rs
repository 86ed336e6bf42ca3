//! The wire format of Protocol Buffers: the fields of a message, one after the other.

use prost_reflect::Kind;

/// A field as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire<'m> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A text, bytes, a message, or numbers packed together.
    Bytes(&'m [u8]),
}

/// The value of a field that has no fields of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'m> {
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    Text(&'m str),
    Bytes(&'m [u8]),
    Enum(i32),
}

/// The fields of a message with their numbers, as they stand there. None for what is no field: the message is torn.
pub(super) struct Fields<'m>(pub(super) &'m [u8]);

const END_OF_GROUP: u64 = 4;

impl<'m> Iterator for Fields<'m> {
    type Item = Option<(u32, Wire<'m>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'m> Fields<'m> {
    fn field(&mut self) -> Option<(u32, Wire<'m>)> {
        let (number, wire) = self.tag()?;
        Some((number, self.value(number, wire)?))
    }

    fn tag(&mut self) -> Option<(u32, u64)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        Some((number, tag & 7))
    }

    fn value(&mut self, number: u32, wire: u64) -> Option<Wire<'m>> {
        Some(match wire {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.chunk()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            3 => Wire::Bytes(self.group(number)?),
            5 => Wire::Fixed32(u32::from_le_bytes(self.chunk()?)),
            _ => return None,
        })
    }

    /// What stands between the beginning and the end of a group, which may have groups in it.
    fn group(&mut self, of: u32) -> Option<&'m [u8]> {
        let start = self.0;
        let mut open = vec![of];
        while let Some(innermost) = open.last().copied() {
            let before = self.0.len();
            match self.tag()? {
                (number, END_OF_GROUP) if number == innermost => {
                    open.pop();
                    if open.is_empty() {
                        return start.get(..start.len() - before);
                    }
                }
                (number, 3) => open.push(number),
                (number, wire) => drop(self.value(number, wire)?),
            }
        }
        None
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let (value, rest) = varint(self.0)?;
        self.0 = rest;
        Some(value)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// A whole number of variable length, and what comes behind it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

/// Of a number that has its sign in the last bit.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The value of a field of this kind; none if no such field stands like that.
pub(super) fn scalar<'m>(kind: &Kind, wire: Wire<'m>) -> Option<Scalar<'m>> {
    Some(match (kind, wire) {
        (Kind::Bool, Wire::Varint(v)) => Scalar::Bool(v != 0),
        (Kind::Int32, Wire::Varint(v)) => Scalar::I32(v as i32),
        (Kind::Sint32, Wire::Varint(v)) => Scalar::I32(unzigzag(u64::from(v as u32)) as i32),
        (Kind::Sfixed32, Wire::Fixed32(v)) => Scalar::I32(v as i32),
        (Kind::Int64, Wire::Varint(v)) => Scalar::I64(v as i64),
        (Kind::Sint64, Wire::Varint(v)) => Scalar::I64(unzigzag(v)),
        (Kind::Sfixed64, Wire::Fixed64(v)) => Scalar::I64(v as i64),
        (Kind::Uint32, Wire::Varint(v)) => Scalar::U32(v as u32),
        (Kind::Fixed32, Wire::Fixed32(v)) => Scalar::U32(v),
        (Kind::Uint64, Wire::Varint(v)) | (Kind::Fixed64, Wire::Fixed64(v)) => Scalar::U64(v),
        (Kind::Float, Wire::Fixed32(v)) => Scalar::F32(f32::from_bits(v)),
        (Kind::Double, Wire::Fixed64(v)) => Scalar::F64(f64::from_bits(v)),
        (Kind::Enum(_), Wire::Varint(v)) => Scalar::Enum(v as i32),
        (Kind::String, Wire::Bytes(v)) => Scalar::Text(std::str::from_utf8(v).ok()?),
        (Kind::Bytes, Wire::Bytes(v)) => Scalar::Bytes(v),
        _ => return None,
    })
}

/// Shows the values of a repeated field, packed or not. None if one of them is torn.
pub(super) fn each_scalar<'m>(kind: &Kind, wire: Wire<'m>, mut show: impl FnMut(Scalar<'m>)) -> Option<()> {
    let Wire::Bytes(packed) = wire else {
        show(scalar(kind, wire)?);
        return Some(());
    };
    if matches!(kind, Kind::String | Kind::Bytes) {
        show(scalar(kind, wire)?);
        return Some(());
    }
    let mut rest = Fields(packed);
    while !rest.0.is_empty() {
        let one = match kind {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Wire::Fixed64(u64::from_le_bytes(rest.chunk()?)),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Wire::Fixed32(u32::from_le_bytes(rest.chunk()?)),
            _ => Wire::Varint(rest.varint()?),
        };
        show(scalar(kind, one)?);
    }
    Some(())
}

impl Scalar<'_> {
    /// Whether it is what a field has that is not there.
    pub(super) fn is_default(&self) -> bool {
        match self {
            Scalar::Bool(v) => !v,
            Scalar::I32(v) | Scalar::Enum(v) => *v == 0,
            Scalar::I64(v) => *v == 0,
            Scalar::U32(v) => *v == 0,
            Scalar::U64(v) => *v == 0,
            // A negative zero is another number than zero.
            Scalar::F32(v) => v.to_bits() == 0,
            Scalar::F64(v) => v.to_bits() == 0,
            Scalar::Text(v) => v.is_empty(),
            Scalar::Bytes(v) => v.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(message: &[u8]) -> Vec<Option<(u32, Wire<'_>)>> {
        Fields(message).collect()
    }

    #[test]
    fn fields_are_read_as_they_stand() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let expected = [
            Some((1, Wire::Varint(150))),
            Some((2, Wire::Bytes(b"hi"))),
            Some((3, Wire::Fixed32(1))),
            Some((4, Wire::Fixed64(2))),
        ];
        assert_eq!(fields(&message), expected);
    }

    #[test]
    fn a_group_is_what_stands_in_it() {
        let message = [0x0b, 0x10, 7, 0x1b, 0x1c, 0x0c, 0x10, 9];
        assert_eq!(
            fields(&message),
            [Some((1, Wire::Bytes(&[0x10, 7, 0x1b, 0x1c]))), Some((2, Wire::Varint(9)))]
        );
        assert_eq!(fields(&[0x0b, 0x14]), [None], "the end of another group");
    }

    #[test]
    fn torn_messages_end_with_none() {
        for torn in [&[0x08][..], &[0x12, 5, b'h'], &[0x1d, 1, 0], &[0x0e], &[0], &[0xff; 12], &[0x0b, 0x08]]
        {
            assert_eq!(fields(torn).last(), Some(&None), "{torn:?}");
        }
    }

    #[test]
    fn a_sign_is_in_the_last_bit() {
        assert_eq!([0, 1, 2, u64::MAX].map(unzigzag), [0, -1, 1, i64::MIN]);
    }
}
