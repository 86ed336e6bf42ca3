//! A function of a plugin in a query, beside the expression of SQL's own functions that does the same.

use crate::{
    process::Workshop,
    table::{self, median, micros, ratio},
};
use arrow::{
    array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray},
    datatypes::Float64Type,
};
use engine::{
    Batch, Clock, EpochContext, Error, Kind, NamedFunction, OutputMode, Place, Result, ResultExt,
    SystemClock, Worker,
    plan::{Dataflow, Input, Work},
    sql::{Catalog, Outputs, Sql},
};
use plugin::{Compiler, FunctionSettings, Runtime, RuntimeSettings};
use std::{sync::Arc, time::Duration};

/// Calls of either side whose median is taken.
const CALLS: usize = 1_000;
const ROWS: usize = 8_192;

/// A function of a plugin, and what it is measured beside.
struct Pair {
    folder: &'static str,
    function: &'static str,
    calls: &'static str,
    built_in: &'static str,
    rows: RecordBatch,
    /// How much longer the plugin may take; none if it is only told.
    most: Option<f64>,
}

pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    let rule = Pair {
        folder: "tests/guests/functions",
        function: "vat",
        calls: "SELECT vat(price, country) AS amount FROM given",
        built_in: "SELECT price * CASE country WHEN 'DE' THEN 0.19D WHEN 'FR' THEN 0.2D WHEN 'LU' THEN 0.17D ELSE 0.21D END AS amount FROM given",
        rows: sales()?,
        most: Some(1.5),
    };
    // What this takes is the sines and cosines of the guest's C library beside the host's, and hardly the way there and back.
    let distance = Pair {
        folder: "plugins/geo",
        function: "haversine",
        calls: "SELECT haversine(lat1, lon1, lat2, lon2) AS metres FROM given",
        // Each part is written twice, and worked out once.
        built_in: "SELECT 2 * 6371008.8 * asin(sqrt(least(CAST(1 AS DOUBLE),
            sin(radians(lat2 - lat1) / 2) * sin(radians(lat2 - lat1) / 2) + cos(radians(lat1)) * cos(radians(lat2))
            * sin(radians(lon2 - lon1) / 2) * sin(radians(lon2 - lon1) / 2)))) AS metres FROM given",
        rows: places()?,
        most: None,
    };
    beside(workshop, rule).await?;
    beside(workshop, distance).await
}

async fn beside(workshop: &Workshop, pair: Pair) -> Result<()> {
    let Pair { folder, function: name, calls, built_in, rows, most } = pair;
    let settings = RuntimeSettings {
        cache_dir: None,
        scratch: std::env::temp_dir(),
        compiler: Compiler::InProcess,
        clock: Arc::new(SystemClock::new()),
    };
    let plugin = Runtime::new(settings)?.load(&workshop.plugin(folder)?).await?;
    let functions = plugin.bind_functions(FunctionSettings::new(name)).await?;
    let function = Arc::new(NamedFunction::new(name, functions.function(name)?)?);
    let mut guest = Query::of(calls, &rows, &function).await?;
    let mut native = Query::of(built_in, &rows, &function).await?;
    agree(&guest.run(&rows).await?, &native.run(&rows).await?)?;
    let (mut guests, mut natives) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        natives.push(native.timed(&workshop.clock, &rows).await?);
        guests.push(guest.timed(&workshop.clock, &rows).await?);
    }
    let (guest, native) = (median(guests), median(natives));
    let times = ratio(guest, native);
    table::row(
        &format!("`{name}` of a plugin, {ROWS} rows, beside the same expression of built-in functions"),
        &format!("{times:.2} × ({:.0} µs, built-in {:.0} µs)", micros(guest), micros(native)),
        &most.map_or_else(|| "reported".to_owned(), |most| format!("≤ {most} ×")),
        most.is_none_or(|most| times <= most),
    );
    Ok(())
}

/// Prices, and the countries that they were paid in.
fn sales() -> Result<RecordBatch> {
    let prices = Float64Array::from_iter_values((0..ROWS).map(|row| (row * 7 % 10_007) as f64 / 100.0));
    let countries: StringArray =
        ["DE", "FR", "LU", "IT", "NL"].into_iter().cycle().map(Some).take(ROWS).collect();
    let columns = [("price", Arc::new(prices) as ArrayRef), ("country", Arc::new(countries))];
    RecordBatch::try_from_iter(columns).doing(Kind::Internal, || "making sales")
}

/// Pairs of places all over the Earth.
fn places() -> Result<RecordBatch> {
    let degrees = |step: usize, most: f64| {
        let of = move |row: usize| (row * step % 10_007) as f64 / 10_007.0 * 2.0 * most - most;
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(of))) as ArrayRef
    };
    let columns = [("lat1", 7, 90.0), ("lon1", 11, 180.0), ("lat2", 13, 90.0), ("lon2", 17, 180.0)];
    RecordBatch::try_from_iter(columns.map(|(name, step, most)| (name, degrees(step, most))))
        .doing(Kind::Internal, || "making places")
}

/// Both sides must come to the same, or comparing their times would be vain.
fn agree(one: &RecordBatch, other: &RecordBatch) -> Result<()> {
    let values = |rows: &RecordBatch| rows.column(0).as_primitive::<Float64Type>().clone();
    let (one, other) = (values(one), values(other));
    let near = |(one, other): (&f64, &f64)| (one - other).abs() <= 1e-3;
    match one.len() == ROWS && one.values().iter().zip(other.values()).all(near) {
        true => Ok(()),
        false => Err(Error::internal("the function and the expression come to different values")),
    }
}

/// A query without state.
struct Query {
    worker: Box<dyn Worker>,
    context: EpochContext,
}

impl Query {
    async fn of(sql: &str, rows: &RecordBatch, function: &Arc<NamedFunction>) -> Result<Self> {
        let catalog = Catalog::new([("given".to_owned(), rows.schema())].into(), "UTC");
        let planned = Sql::parse(sql)?.plan(Arc::new(catalog.with_functions([function.clone()])))?;
        let mut flow = Dataflow::default();
        let tables = [("given".to_owned(), Outputs::alike(Input::Source(0)))].into();
        planned.add_to(&mut flow, "bench", &tables, &[OutputMode::Append])?;
        match flow.steps.first().map(|step| &step.work) {
            Some(Work::Stateless(step)) => {
                Ok(Query { worker: step.worker().await?, context: EpochContext::alone("bench") })
            }
            _ => Err(Error::internal("the query is no stateless step")),
        }
    }

    async fn run(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let place = Place::At { of: "bench".into(), unit: "row", first: 0 };
        let mut out = Vec::new();
        self.worker.process(&self.context, Batch::read(rows.clone(), place), &mut out).await?;
        out.pop().map(|(_, batch)| batch.rows).ok_or_else(|| Error::internal("no rows came out"))
    }

    async fn timed(&mut self, clock: &impl Clock, rows: &RecordBatch) -> Result<Duration> {
        let start = clock.monotonic();
        let out = self.run(rows).await?;
        let end = clock.monotonic();
        drop(out);
        Ok(end - start)
    }
}
