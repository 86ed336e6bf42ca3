use crate::Epoch;
use bytes::Bytes;
use std::{cmp::Ordering, fmt};

/// The version of the format below. A file of another one was written by another streamhost.
const VERSION: u32 = 2;

const MAGIC: &[u8; 8] = b"shstate\n";

/// Bytes of the part in front whose form is the same in every version.
const FRONT: usize = 28;

/// Bytes of the index for a block.
const INDEXED: usize = 31;

/// What one commit wrote of the state of one operator. Numbers are little-endian.
///
/// ```text
/// front  magic "shstate\n" · version u32 · length of front and head u32 · length of the file u64 · CRC of the front u32
/// head   number u64 · epoch u64 · key groups u16 · length of name u32 · operator's name
///        · length of unique u32 · unique · blocks u32 · for each: group u16 · kind u8 · after u64 · records u64 · length u64 · CRC of the block u32
///        · CRC of the head u32
/// blocks one after the other, ascending by group: records, as `Record` has them
/// ```
///
/// CRC is CRC32C. The index is in front because a file is made whole before it is written: so its length is known
/// there, and a file that is cut short is told from one with a flipped bit without reading on.
#[derive(Debug)]
pub(super) struct StateFile<'a> {
    /// Counts the files that were written for this table, from 0.
    pub(super) number: u64,
    /// The epoch whose commit wrote it.
    pub(super) epoch: Epoch,
    /// Among how many key groups the keys are divided.
    pub(super) groups: u16,
    /// Whose state it is.
    pub(super) operator: &'a str,
    /// What tells the run that wrote it from every other one, of any query.
    pub(super) unique: &'a str,
    /// What it holds, ascending by group, at most one block a group.
    pub(super) blocks: Vec<Block<'a>>,
}

/// What a file holds of one key group.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The group.
    pub(super) group: u16,
    /// Everything, or what changed.
    pub(super) kind: BlockKind,
    /// How many records it has.
    pub(super) records: u64,
    /// The records. Their checksum was right; that they are whole and within the limits is for the reader to check.
    pub(super) bytes: &'a [u8],
}

/// What the records of a block say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// The group has these keys and no others.
    Full,
    /// These keys changed since the block that the file of epoch `after` has of the group.
    Changes {
        /// That epoch.
        after: Epoch,
    },
}

/// Why bytes are no state file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// It ends before its end.
    CutShort { has: usize, of: u64 },
    /// It goes on after its end.
    TooLong { has: usize, of: u64 },
    /// A checksum is wrong.
    Flipped(&'static str),
    /// The checksums are right, but what it says cannot be.
    Malformed(&'static str),
    /// It has another version than [`VERSION`].
    Version(u32),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::CutShort { has, of } => write!(f, "it is cut short: {has} of {of} bytes are there"),
            Damage::TooLong { has, of } => write!(f, "it has {has} bytes, but was written with {of}"),
            Damage::Flipped(part) => write!(f, "{part} is not as it was written: its checksum is another"),
            Damage::Malformed(what) => write!(f, "its checksums are right, but {what}"),
            Damage::Version(version) => write!(
                f,
                "it has format version {version}, and this streamhost reads {VERSION}: use the streamhost that wrote it, or start with \
                 another `checkpoint`"
            ),
        }
    }
}

/// A file in the making. The number of its blocks is known from the start, so that they are written once, in place.
pub(super) struct Writer {
    /// The file from its start; zeros where front and head will be.
    file: Vec<u8>,
    head_len: usize,
    /// The head up to the last block that was added.
    head: Vec<u8>,
    /// Where the block begins that comes next.
    at: usize,
}

impl Writer {
    /// Begins a file of this many blocks, which together have this many bytes.
    pub(super) fn new(file: &StateFile<'_>, blocks: usize, bytes: usize) -> Self {
        let mut head = Vec::new();
        head.extend_from_slice(&file.number.to_le_bytes());
        head.extend_from_slice(&file.epoch.0.to_le_bytes());
        head.extend_from_slice(&file.groups.to_le_bytes());
        // Names and a number of blocks that do not fit cannot come here: they would have taken 4 GiB of memory before.
        for text in [file.operator, file.unique] {
            head.extend_from_slice(&(text.len() as u32).to_le_bytes());
            head.extend_from_slice(text.as_bytes());
        }
        head.extend_from_slice(&(blocks as u32).to_le_bytes());
        let head_len = FRONT + head.len() + blocks * INDEXED + 4;
        let mut file = Vec::with_capacity(head_len + bytes);
        file.resize(head_len, 0);
        Writer { file, head_len, head, at: head_len }
    }

    /// Adds a block; `write` appends its records and says how many.
    pub(super) fn block(
        &mut self,
        group: u16,
        kind: BlockKind,
        write: impl FnOnce(&mut Vec<u8>) -> u64,
    ) -> u64 {
        let records = write(&mut self.file);
        let block = self.file.get(self.at..).unwrap_or_default();
        let (kind, after) = match kind {
            BlockKind::Full => (0u8, 0),
            BlockKind::Changes { after } => (1, after.0),
        };
        self.head.extend_from_slice(&group.to_le_bytes());
        self.head.push(kind);
        self.head.extend_from_slice(&after.to_le_bytes());
        self.head.extend_from_slice(&records.to_le_bytes());
        self.head.extend_from_slice(&(block.len() as u64).to_le_bytes());
        self.head.extend_from_slice(&crc32c::crc32c(block).to_le_bytes());
        let len = block.len() as u64;
        self.at = self.file.len();
        len
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Bytes {
        let mut start = Vec::with_capacity(self.head_len);
        start.extend_from_slice(MAGIC);
        start.extend_from_slice(&VERSION.to_le_bytes());
        start.extend_from_slice(&(self.head_len as u32).to_le_bytes());
        start.extend_from_slice(&(self.file.len() as u64).to_le_bytes());
        start.extend_from_slice(&crc32c::crc32c(&start).to_le_bytes());
        start.extend_from_slice(&self.head);
        start.extend_from_slice(&crc32c::crc32c(&self.head).to_le_bytes());
        self.file.iter_mut().zip(start).for_each(|(to, from)| *to = from);
        self.file.into()
    }
}

impl<'a> StateFile<'a> {
    /// Reads a file; every checksum is right if it succeeds.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        let (mut head, mut blocks) = open(bytes)?;
        let mut file = StateFile {
            number: head.u64()?,
            epoch: Epoch(head.u64()?),
            groups: head.u16()?,
            operator: head.text()?,
            unique: head.text()?,
            blocks: Vec::new(),
        };
        for _ in 0..head.u32()? {
            let block = parse_block(&mut head, &mut blocks)?;
            let ascending = file.blocks.last().is_none_or(|last| last.group < block.group);
            if !ascending || block.group >= file.groups {
                return Err(Damage::Malformed("its key groups are out of order"));
            }
            file.blocks.push(block);
        }
        match (head.0, blocks.0) {
            ([], []) => Ok(file),
            _ => Err(Damage::Malformed("there is more in it than its index says")),
        }
    }
}

/// Front and head of a file, checked; what is left is the head without its checksum, and the blocks.
fn open(bytes: &[u8]) -> Result<(Cursor<'_>, Cursor<'_>), Damage> {
    let short = Damage::CutShort { has: bytes.len(), of: FRONT as u64 };
    let (front, _) = bytes.split_at_checked(FRONT).ok_or(short)?;
    let mut front = checked(front, "its first part")?;
    if front.take(MAGIC.len())? != MAGIC {
        return Err(Damage::Malformed("it is no state file"));
    }
    let (version, head_len, of) = (front.u32()?, front.u32()?, front.u64()?);
    let has = bytes.len();
    match of.cmp(&(has as u64)) {
        Ordering::Greater => return Err(Damage::CutShort { has, of }),
        Ordering::Less => return Err(Damage::TooLong { has, of }),
        Ordering::Equal if version != VERSION => return Err(Damage::Version(version)),
        Ordering::Equal => {}
    }
    let mut rest = Cursor(bytes);
    rest.take(FRONT)?;
    let head = rest.take((head_len as usize).saturating_sub(FRONT))?;
    Ok((checked(head, "its head")?, rest))
}

/// What is before the checksum at the end of `part`, if that is right.
fn checked<'a>(part: &'a [u8], name: &'static str) -> Result<Cursor<'a>, Damage> {
    match part.split_last_chunk() {
        Some((part, crc)) if crc32c::crc32c(part) == u32::from_le_bytes(*crc) => Ok(Cursor(part)),
        _ => Err(Damage::Flipped(name)),
    }
}

fn parse_block<'a>(index: &mut Cursor<'a>, blocks: &mut Cursor<'a>) -> Result<Block<'a>, Damage> {
    let group = index.u16()?;
    let kind = index.take(1)?;
    let after = Epoch(index.u64()?);
    let kind = match kind {
        [0] => BlockKind::Full,
        [1] => BlockKind::Changes { after },
        _ => return Err(Damage::Malformed("it has a block of a kind that there is not")),
    };
    let records = index.u64()?;
    let len = usize::try_from(index.u64()?).unwrap_or(usize::MAX);
    let crc = index.u32()?;
    let bytes = blocks.take(len)?;
    if crc32c::crc32c(bytes) != crc {
        return Err(Damage::Flipped("a block"));
    }
    Ok(Block { group, kind, records, bytes })
}

/// Bytes that are taken from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Damage::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage::Malformed("it ends too early"))
    }

    fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<&'a str, Damage> {
        let len = self.u32()?;
        let text = self.take(len as usize)?;
        str::from_utf8(text).map_err(|_| Damage::Malformed("a name in it is no text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    fn file() -> Vec<u8> {
        let about = StateFile {
            number: 3,
            epoch: Epoch(17),
            groups: 4,
            operator: "counts",
            unique: "5e1",
            blocks: Vec::new(),
        };
        let mut writer = Writer::new(&about, 2, 6);
        writer.block(1, BlockKind::Full, |out| {
            out.extend(b"full");
            2
        });
        writer.block(3, BlockKind::Changes { after: Epoch(12) }, |out| {
            out.extend(b"ch");
            1
        });
        writer.finish().to_vec()
    }

    /// Makes the checksums of front and head right again.
    fn seal(file: &mut [u8]) {
        let crc = crc32c::crc32c(&file[..FRONT - 4]).to_le_bytes();
        file[FRONT - 4..FRONT].copy_from_slice(&crc);
        let end = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
        if (FRONT + 4..=file.len()).contains(&end) {
            let crc = crc32c::crc32c(&file[FRONT..end - 4]).to_le_bytes();
            file[end - 4..end].copy_from_slice(&crc);
        }
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let bytes = file();
        let file = StateFile::parse(&bytes).unwrap();
        assert_eq!((file.number, file.epoch, file.groups), (3, Epoch(17), 4));
        assert_eq!((file.operator, file.unique), ("counts", "5e1"));
        let blocks: Vec<_> = file.blocks.iter().map(|b| (b.group, b.kind, b.records, b.bytes)).collect();
        let changes = BlockKind::Changes { after: Epoch(12) };
        assert_eq!(blocks, [(1, BlockKind::Full, 2, &b"full"[..]), (3, changes, 1, &b"ch"[..])]);
    }

    #[test]
    fn the_form_of_a_file_does_not_change_without_its_version() {
        let hex: String = file().iter().map(|byte| format!("{byte:02x}")).collect();
        // Front, head up to the index, two blocks' index, its checksum, blocks.
        let expected = [
            "736873746174650a02000000850000008b00000000000000d53a1dda",
            "03000000000000001100000000000000040006000000636f756e74730300000035653102000000",
            "0100000000000000000000020000000000000004000000000000002af93ae2",
            "0300010c0000000000000001000000000000000200000000000000e03105ae",
            "72d52e61",
            "66756c6c6368",
        ];
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn a_file_that_is_cut_short_says_so_wherever_it_is_cut() {
        let whole = file();
        for len in 0..whole.len() {
            let of = if len < FRONT { FRONT } else { whole.len() } as u64;
            assert_eq!(StateFile::parse(&whole[..len]).unwrap_err(), Damage::CutShort { has: len, of });
        }
    }

    #[test]
    fn every_flipped_bit_is_found_and_not_taken_for_a_cut() {
        let whole = file();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let damage = StateFile::parse(&bytes).unwrap_err();
            assert!(matches!(damage, Damage::Flipped(_)), "bit {bit}: {damage:?}");
        }
    }

    #[test]
    fn a_file_of_another_version_or_with_something_after_it_says_so() {
        for version in [1, 3] {
            let mut other = file();
            other[8] = version;
            seal(&mut other);
            assert_eq!(StateFile::parse(&other).unwrap_err(), Damage::Version(version.into()));
        }
        let long = [file(), b"more".to_vec()].concat();
        assert!(matches!(StateFile::parse(&long).unwrap_err(), Damage::TooLong { .. }));
    }

    #[test]
    fn bytes_whose_checksums_were_made_right_again_panic_nobody() {
        let mut rng = SmallRng::seed_from_u64(1);
        let whole = file();
        let mut refused = 0;
        for _ in 0..200_000 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(1..5) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = [0, 1, 0x7f, 0xff, rng.random()][rng.random_range(0..5)];
            }
            seal(&mut bytes);
            refused += u32::from(StateFile::parse(&bytes).is_err());
        }
        assert!(refused > 100_000, "{refused}");
    }
}
