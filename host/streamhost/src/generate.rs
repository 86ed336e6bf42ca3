//! `generate events`.

use crate::{cli::EventsArgs, process};
use connectors::{
    generate::{EventsFormat, EventsSettings, events},
    units::Interval,
};
use engine::{Clock, Error, Result, SystemClock};

pub(crate) fn events_command(args: &EventsArgs) -> Result<()> {
    let clock = SystemClock::new();
    let every: Interval = args.every.parse().map_err(|e| Error::invalid(format!("--every: {e}")))?;
    let settings = EventsSettings {
        out: args.out.clone(),
        format: format(&args.format)?,
        files: args.files,
        rows: args.rows,
        every,
        // Without a seed every run makes other events.
        seed: args.seed.unwrap_or_else(|| clock.now().0.unsigned_abs()),
    };
    process::block_on(async { events(&settings, &clock, |file| eprintln!("wrote {}", file.display())).await })
}

fn format(name: &str) -> Result<EventsFormat> {
    match name {
        "csv" => Ok(EventsFormat::Csv),
        "json" => Ok(EventsFormat::Json),
        "parquet" => Ok(EventsFormat::Parquet),
        other => Err(Error::invalid(format!("--format {other}: write csv, json or parquet"))),
    }
}
