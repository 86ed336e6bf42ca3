//! Which spans of time make one session, and a key's sessions as bytes.

use crate::{Error, Result};

/// From its start to its end, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::operators) struct Span {
    pub(in crate::operators) start: i64,
    pub(in crate::operators) end: i64,
}

/// A session of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeySpan {
    /// The key's number.
    pub(super) key: usize,
    pub(super) span: Span,
}

/// Spans that overlap or touch, made one.
pub(super) struct Merged {
    /// The index in `sessions` of each span.
    pub(super) of: Vec<usize>,
    /// By key, then by time.
    pub(super) sessions: Vec<KeySpan>,
}

/// Makes one of spans of a key that overlap or touch.
pub(super) fn merge(spans: &[KeySpan]) -> Merged {
    let mut by_start: Vec<(KeySpan, usize)> = spans.iter().copied().zip(0..).collect();
    by_start.sort_unstable();
    let mut sessions: Vec<KeySpan> = Vec::new();
    let mut of = vec![0; spans.len()];
    for (KeySpan { key, span }, at) in by_start {
        match sessions.last_mut().filter(|last| last.key == key && span.start <= last.span.end) {
            Some(last) => last.span.end = last.span.end.max(span.end),
            None => sessions.push(KeySpan { key, span }),
        }
        of.iter_mut().skip(at).take(1).for_each(|of| *of = sessions.len() - 1);
    }
    Merged { of, sessions }
}

/// A session of the list that is a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operators) struct Stored<'s> {
    pub(in crate::operators) span: Span,
    /// The states of its aggregates.
    pub(in crate::operators) state: &'s [u8],
}

/// A session as bytes: start and end as 8 bytes each, the length of the state as 4, the state; numbers begin with their
/// lowest byte.
pub(super) fn append(to: &mut Vec<u8>, session: Stored<'_>) -> Result<()> {
    let len = u32::try_from(session.state.len());
    let len = len.map_err(|_| Error::data("the state of a session is larger than 4 GiB"))?;
    to.extend_from_slice(&session.span.start.to_le_bytes());
    to.extend_from_slice(&session.span.end.to_le_bytes());
    to.extend_from_slice(&len.to_le_bytes());
    to.extend_from_slice(session.state);
    Ok(())
}

/// The sessions that [`append`] wrote.
pub(in crate::operators) fn stored(mut bytes: &[u8]) -> Result<Vec<Stored<'_>>> {
    let mut sessions = Vec::new();
    while !bytes.is_empty() {
        let (session, rest) =
            first(bytes).ok_or_else(|| Error::internal("the sessions of a key are cut off"))?;
        sessions.push(session);
        bytes = rest;
    }
    Ok(sessions)
}

fn first(bytes: &[u8]) -> Option<(Stored<'_>, &[u8])> {
    let (start, bytes) = bytes.split_first_chunk()?;
    let (end, bytes) = bytes.split_first_chunk()?;
    let (len, bytes) = bytes.split_first_chunk()?;
    let (state, rest) = bytes.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let span = Span { start: i64::from_le_bytes(*start), end: i64::from_le_bytes(*end) };
    Some((Stored { span, state }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(spans: &[(usize, i64, i64)]) -> (Vec<usize>, Vec<(usize, i64, i64)>) {
        let spans: Vec<KeySpan> = spans
            .iter()
            .map(|(key, start, end)| KeySpan { key: *key, span: Span { start: *start, end: *end } })
            .collect();
        let Merged { of, sessions } = merge(&spans);
        (of, sessions.iter().map(|s| (s.key, s.span.start, s.span.end)).collect())
    }

    #[test]
    fn spans_that_overlap_or_touch_are_one_session_and_others_are_not() {
        assert_eq!(
            merged(&[(0, 10, 20), (0, 0, 10), (0, 21, 31)]),
            (vec![0, 0, 1], vec![(0, 0, 20), (0, 21, 31)])
        );
    }

    #[test]
    fn a_span_within_another_leaves_its_end() {
        assert_eq!(merged(&[(0, 0, 100), (0, 5, 6), (0, 90, 95)]), (vec![0, 0, 0], vec![(0, 0, 100)]));
    }

    #[test]
    fn keys_have_sessions_of_their_own() {
        assert_eq!(
            merged(&[(1, 0, 10), (0, 5, 15), (1, 5, 15)]),
            (vec![1, 0, 1], vec![(0, 5, 15), (1, 0, 15)])
        );
    }

    #[test]
    fn sessions_come_back_from_bytes_and_what_is_cut_off_is_an_error() {
        let all = [
            Stored { span: Span { start: -1, end: i64::MAX }, state: b"state" },
            Stored { span: Span { start: 0, end: 1 }, state: b"" },
        ];
        let mut bytes = Vec::new();
        all.iter().for_each(|session| append(&mut bytes, *session).unwrap());
        assert_eq!(stored(&bytes).unwrap(), all);
        for cut in (1..bytes.len()).filter(|cut| *cut != 25) {
            assert!(stored(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
