//! The languages of plugins beside Rust: how long a call takes, how long it is to the first batch, how large a component is.

use crate::{
    boundary::{Lane, runtime},
    events, jobs,
    process::Workshop,
    table::{self, median, megabytes, micros, ratio},
};
use arrow::array::RecordBatch;
use engine::{Batch, Clock, Error, Kind, Place, Result, ResultExt};
use plugin::{BindSettings, Runtime};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const ROWS: usize = 8_192;
/// Calls of either side whose median is taken.
const CALLS: usize = 500;
/// Starts whose median is taken.
const STARTS: usize = 21;
/// Of `normalize`: a filter and a new column.
const CONFIG: &str = r#"{"above":10}"#;

/// A language, and what is asked of it.
struct Language {
    name: &'static str,
    /// The plugin's folder in the checkout.
    plugin: &'static str,
    /// How many times Rust's time a call may take.
    most: f64,
    /// Milliseconds from the cache of compiled plugins to the first batch.
    start: u64,
    /// Megabytes of a component.
    size: f64,
}

const LANGUAGES: [Language; 4] = [
    Language { name: "C", plugin: "plugins/sdk/c/conformance/normalize", most: 1.5, start: 1, size: 0.3 },
    Language { name: "Go", plugin: "plugins/sdk/go/conformance/normalize", most: 5.0, start: 5, size: 14.0 },
    Language {
        name: "JavaScript",
        plugin: "plugins/sdk/js/conformance/normalize",
        most: 25.0,
        start: 40,
        size: 5.0,
    },
    Language {
        name: "Python",
        plugin: "plugins/sdk/python/conformance/normalize",
        most: 40.0,
        start: 40,
        size: 20.0,
    },
];

/// Measures and prints the rows of the table that are about languages.
pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    if cfg!(debug_assertions) {
        return Err(Error::invalid("this build is not optimised; run `cargo xtask bench`"));
    }
    let bench = Bench::new(workshop)?;
    let rust = workshop.plugin("plugins/normalize")?;
    let mut plugins = Vec::new();
    for language in &LANGUAGES {
        let plugin = workshop.plugin(language.plugin)?;
        bench.call(language, &plugin, &rust).await?;
        bench.start(language, &plugin).await?;
        size(language, &plugin)?;
        plugins.push((language.name, plugin));
    }
    jobs::in_languages(workshop, &plugins).await
}

struct Bench<'a> {
    workshop: &'a Workshop,
    runtime: Runtime,
    batch: Batch,
}

impl<'a> Bench<'a> {
    fn new(workshop: &'a Workshop) -> Result<Self> {
        let place = Place::At { of: "bench".into(), unit: "row", first: 0 };
        let batch = Batch::read(events::batch(ROWS)?, place);
        Ok(Bench { workshop, runtime: runtime(Some(workshop.path("languages")))?, batch })
    }

    /// A lane of the plugin, which does what `normalize` does.
    async fn lane(&self, plugin: &Path) -> Result<Lane> {
        self.lane_of(self.runtime.load(plugin).await?).await
    }

    async fn call(&self, language: &Language, plugin: &Path, rust: &Path) -> Result<()> {
        let (mut rust, mut ours) = (self.lane(rust).await?, self.lane(plugin).await?);
        if self.out(&mut rust).await? != self.out(&mut ours).await? {
            return Err(Error::internal(format!("{} gives other rows than Rust", language.name)));
        }
        let (mut rust_times, mut times) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            rust_times.push(rust.timed(&self.workshop.clock, self.batch.clone()).await?);
            times.push(ours.timed(&self.workshop.clock, self.batch.clone()).await?);
        }
        let (rust, ours) = (median(rust_times), median(times));
        let times = ratio(ours, rust);
        table::row(
            &format!("{}: filter and one new column, {ROWS} × 4, beside Rust", language.name),
            &format!("{times:.2} × ({:.0} µs, Rust {:.0} µs)", micros(ours), micros(rust)),
            &format!("≤ {} ×", language.most),
            times <= language.most,
        );
        Ok(())
    }

    async fn out(&self, lane: &mut Lane) -> Result<Vec<RecordBatch>> {
        lane.call(self.batch.clone()).await?;
        Ok(lane.out.iter().map(|(_, batch)| batch.rows.clone()).collect())
    }

    /// From the component's file, whose compiled form is in the cache, to the first batch that has left.
    async fn start(&self, language: &Language, plugin: &Path) -> Result<()> {
        let clock = &self.workshop.clock;
        let (mut loads, mut totals) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let start = clock.monotonic();
            let loaded = self.runtime.load(plugin).await?;
            loads.push(clock.monotonic() - start);
            let mut lane = self.lane_of(loaded).await?;
            lane.call(self.batch.clone()).await?;
            totals.push(clock.monotonic() - start);
        }
        let (load, total) = (median(loads), median(totals));
        let after = total.saturating_sub(load);
        let most = Duration::from_millis(language.start);
        table::row(
            &format!("{}: from the cache to the first batch", language.name),
            &format!(
                "{:.1} ms (loading {:.1} ms, then {:.1} ms)",
                millis(total),
                millis(load),
                millis(after)
            ),
            &format!("≤ {} ms", language.start),
            total <= most,
        );
        Ok(())
    }

    async fn lane_of(&self, plugin: plugin::Plugin) -> Result<Lane> {
        let settings =
            BindSettings { config: CONFIG.into(), ..BindSettings::new("bench", self.batch.rows.schema()) };
        Lane::of(&plugin.bind(settings).await?).await
    }
}

fn size(language: &Language, plugin: &PathBuf) -> Result<()> {
    let facts =
        fs::metadata(plugin).doing(Kind::Unavailable, || format!("looking at {}", plugin.display()))?;
    let size = megabytes(facts.len());
    table::row(
        &format!("{}: a component", language.name),
        &format!("{size:.2} MB"),
        &format!("≤ {} MB", language.size),
        size <= language.size,
    );
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
