//! The little of FlatBuffers that the header of a record batch needs: tables, scalars and vectors of two-word structs.

/// A table: fields by slot, each absent if its value is the default.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    buffer: &'a [u8],
    start: usize,
}

impl<'a> Table<'a> {
    pub(super) fn root(buffer: &'a [u8]) -> Option<Self> {
        Some(Self { buffer, start: offset(buffer, 0)? })
    }

    fn field(self, slot: usize) -> Option<usize> {
        let back = i32::from_le_bytes(bytes(self.buffer, self.start)?);
        let vtable = usize::try_from(i64::try_from(self.start).ok()? - i64::from(back)).ok()?;
        let entry = 4 + 2 * slot;
        if usize::from(u16::from_le_bytes(bytes(self.buffer, vtable)?)) < entry + 2 {
            return None;
        }
        match u16::from_le_bytes(bytes(self.buffer, vtable + entry)?) {
            0 => None,
            at => self.start.checked_add(usize::from(at)),
        }
    }

    pub(super) fn byte(self, slot: usize) -> u8 {
        self.field(slot).and_then(|at| self.buffer.get(at)).copied().unwrap_or(0)
    }

    pub(super) fn long(self, slot: usize) -> Option<usize> {
        match self.field(slot) {
            None => Some(0),
            Some(at) => size(self.buffer, at),
        }
    }

    pub(super) fn table(self, slot: usize) -> Option<Self> {
        let at = self.field(slot)?;
        Some(Self { buffer: self.buffer, start: offset(self.buffer, at)? })
    }

    /// A vector of structs of two longs.
    pub(super) fn pairs(self, slot: usize) -> Option<Pairs<'a>> {
        let Some(at) = self.field(slot) else { return Some(Pairs { rest: &[] }) };
        let vector = offset(self.buffer, at)?;
        let count = u32::from_le_bytes(bytes(self.buffer, vector)?) as usize;
        let start = vector + 4;
        let rest = self.buffer.get(start..start.checked_add(count.checked_mul(16)?)?)?;
        Some(Pairs { rest })
    }

    pub(super) fn has(self, slot: usize) -> bool {
        self.field(slot).is_some()
    }
}

/// What remains of a vector of structs of two longs.
pub(super) struct Pairs<'a> {
    rest: &'a [u8],
}

impl Pairs<'_> {
    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        let (head, rest) = self.rest.split_at_checked(16)?;
        self.rest = rest;
        Some((size(head, 0)?, size(head, 8)?))
    }
}

fn bytes<const N: usize>(buffer: &[u8], at: usize) -> Option<[u8; N]> {
    buffer.get(at..)?.first_chunk().copied()
}

/// The place that a reference at `at` points to.
fn offset(buffer: &[u8], at: usize) -> Option<usize> {
    at.checked_add(u32::from_le_bytes(bytes(buffer, at)?) as usize)
}

/// A length or a position; negative ones and those past the address space are none.
fn size(buffer: &[u8], at: usize) -> Option<usize> {
    usize::try_from(i64::from_le_bytes(bytes(buffer, at)?)).ok()
}
