use super::{ALIGNMENT, CONTINUATION, PREFIX, refusal::Reason};
use arrow_ipc::{Message, MessageHeader, MetadataVersion, root_as_message_with_opts};
use flatbuffers::VerifierOptions;
use std::ops::Range;

/// Bytes of metadata of one message: ten times what 1,024 columns with long names need.
const MAX_METADATA: usize = 1 << 20;
/// Bytes of keys and values of one message.
const MAX_CUSTOM_METADATA: usize = 64 << 10;

/// One encapsulated message of a guest, with nothing believed but that its flatbuffer is well-formed and that
/// its body lies within the bytes.
pub(super) struct Frame<'a> {
    pub(super) message: Message<'a>,
    /// The body's place in the bytes that the message was read from.
    pub(super) body: Range<usize>,
}

impl<'a> Frame<'a> {
    /// The message at byte `at` of `bytes`; `at` is at most their length.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Result<Self, Reason> {
        let (metadata, body_at) = metadata(bytes.get(at..).unwrap_or_default())?;
        let message = root_as_message_with_opts(&LIMITS, metadata)
            .map_err(|e| Reason::Metadata { error: first_line(&e.to_string()) })?;
        version(&message)?;
        custom_metadata(&message)?;
        let start = at + body_at;
        let length = body_length(&message, bytes.len() - start)?;
        Ok(Frame { message, body: start..start + length })
    }

    /// Fails if the message is not of this kind.
    pub(super) fn expect(&self, header: MessageHeader) -> Result<(), Reason> {
        let found = self.message.header_type();
        if found == header {
            return Ok(());
        }
        let expected = header.variant_name().unwrap_or("message");
        let found =
            found.variant_name().map_or_else(|| format!("message of kind {}", found.0), str::to_owned);
        Err(Reason::WrongMessage { expected, found })
    }
}

/// A schema of 1,024 columns has two tables a column; the rest is room for metadata. The apparent size bounds the
/// work on a flatbuffer that refers to one part many times.
const LIMITS: VerifierOptions = VerifierOptions {
    max_depth: 64,
    max_tables: 16_384,
    max_apparent_size: 8 << 20,
    ignore_missing_null_terminator: true,
};

/// The metadata of the message that `bytes` start with, and where its body starts.
fn metadata(bytes: &[u8]) -> Result<(&[u8], usize), Reason> {
    let left = bytes.len() as u64;
    let Some((mark, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Reason::Truncated { part: "prefix", needs: PREFIX as u64, left });
    };
    if *mark != CONTINUATION {
        return Err(Reason::NoContinuation);
    }
    let Some((length, rest)) = rest.split_first_chunk::<4>() else {
        return Err(Reason::Truncated { part: "prefix", needs: PREFIX as u64, left });
    };
    let length = i32::from_le_bytes(*length);
    let count = usize::try_from(length).ok().filter(|n| (1..=MAX_METADATA).contains(n));
    let count = count.ok_or(Reason::MetadataLength { length: i64::from(length), most: MAX_METADATA })?;
    if !count.is_multiple_of(ALIGNMENT) {
        return Err(Reason::Misaligned { what: "end of the metadata", at: count as u64 });
    }
    let found = rest.get(..count);
    let found =
        found.ok_or(Reason::Truncated { part: "metadata", needs: count as u64, left: rest.len() as u64 })?;
    Ok((found, PREFIX + count))
}

fn body_length(message: &Message<'_>, left: usize) -> Result<usize, Reason> {
    let length = message.bodyLength();
    let needs =
        u64::try_from(length).map_err(|_| Reason::Negative { what: "length of the body", number: length })?;
    if needs > left as u64 {
        return Err(Reason::Truncated { part: "body", needs, left: left as u64 });
    }
    if !needs.is_multiple_of(ALIGNMENT as u64) {
        return Err(Reason::Misaligned { what: "end of the body", at: needs });
    }
    Ok(needs as usize)
}

fn version(message: &Message<'_>) -> Result<(), Reason> {
    match message.version() {
        MetadataVersion::V4 | MetadataVersion::V5 => Ok(()),
        other => Err(Reason::Version { found: other.0 }),
    }
}

fn custom_metadata(message: &Message<'_>) -> Result<(), Reason> {
    let pairs = message.custom_metadata().into_iter().flatten();
    let length = |text: Option<&str>| text.map_or(0, str::len);
    let bytes = pairs.map(|pair| length(pair.key()) + length(pair.value())).sum::<usize>();
    if bytes > MAX_CUSTOM_METADATA {
        return Err(Reason::CustomMetadata { most: MAX_CUSTOM_METADATA });
    }
    Ok(())
}

/// flatbuffers' errors go on with a trace, one line a step.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
