//! When versions of a table were committed.

use super::folder::Folder;
use deltalake_core::kernel::Action;
use engine::{Error, Result};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// A time as people write it, in milliseconds. One without a zone is in `zone`.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<i64> {
    let time = text.parse::<Timestamp>().or_else(|_| {
        let local: DateTime = text.parse()?;
        local.to_zoned(zone.clone()).map(|at| at.timestamp())
    });
    let time = time.map_err(|e| {
        let what =
            format!("starting-timestamp: {text:?} is no time; write for example \"2025-03-01T12:00:00Z\"");
        Error::invalid(what).caused_by(e)
    })?;
    Ok(time.as_millisecond())
}

/// When a version was committed, in milliseconds; none if its commit is not there.
pub(crate) async fn committed(folder: &Folder, version: u64) -> Result<Option<i64>> {
    let Some(actions) = folder.commit(version).await? else { return Ok(None) };
    let info = actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => info.in_commit_timestamp.or(info.timestamp),
        _ => None,
    });
    Ok(Some(info.unwrap_or(0)))
}

/// The first version that was committed at a time or later; the one after the newest if there is none. Commits that the log
/// does not have any more are older than those it has.
pub(crate) async fn first_version(folder: &Folder, newest: u64, time: i64) -> Result<u64> {
    let (mut low, mut high) = (0, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match committed(folder, middle).await? {
            Some(at) if at >= time => high = middle,
            _ => low = middle + 1,
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_in_that_of_the_pipeline() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(parse("1970-01-01T00:00:01Z", &berlin).unwrap(), 1_000);
        assert_eq!(parse("1970-01-01T01:00:01", &berlin).unwrap(), 1_000);
        assert_eq!(parse("1970-01-01", &TimeZone::UTC).unwrap(), 0);
        assert!(parse("yesterday", &berlin).unwrap_err().report().contains("is no time; write for example"));
    }
}
