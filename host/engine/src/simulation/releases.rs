//! Versions of plugins: an epoch that runs again runs its own, and a newer one comes between two epochs.

use super::*;
use crate::{Release, Releases, plan::Renewed};

/// Multiplies by its version.
struct Times {
    version: i64,
    ports: Vec<Port>,
}

impl Times {
    fn version(version: i64) -> Arc<Self> {
        Arc::new(Times { version, ports: vec![Port { name: String::new(), schema: schema() }] })
    }
}

#[async_trait]
impl Step for Times {
    fn facts(&self) -> StepFacts {
        StepFacts {
            description: "times".into(),
            deterministic: true,
            digest: Some(self.version.to_string()),
            details: Vec::new(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn batching(&self) -> Batching {
        Batching { target_rows: 4, max_rows: 5, max_bytes: 1 << 20 }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(Multiplying(self.version)))
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }
}

struct Multiplying(i64);

#[async_trait]
impl Worker for Multiplying {
    async fn process(&mut self, _: &EpochContext, batch: Batch, out: &mut Vec<(usize, Batch)>) -> Result<()> {
        let numbers = batch.rows.column(0).as_primitive::<Int64Type>();
        let product: Vec<i64> = numbers.iter().flatten().map(|n| n * self.0).collect();
        out.push((0, Batch { rows: rows(&product), origin: batch.origin }));
        Ok(())
    }
}

/// Takes the newest version, unless an epoch runs again; and moves on to `next` after so many epochs.
struct Versions {
    plan: Plan,
    newest: i64,
    next: Option<(i64, u64)>,
    used: Mutex<Option<i64>>,
    begun: AtomicU64,
}

#[async_trait]
impl Planner for Versions {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        self.plan.sources().await
    }

    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow> {
        let mut flow = self.plan.dataflow(schemas).await?;
        let version = *self.used.lock().unwrap().get_or_insert(self.newest);
        flow.steps[0].work = Work::Stateless(Times::version(version));
        Ok(flow)
    }

    async fn pin(&self, releases: &Releases, exact: bool) -> Result<bool> {
        let pinned = releases.get("double").filter(|_| exact).map(|release| release.version.parse().unwrap());
        let version = pinned.unwrap_or(self.newest);
        let before = self.used.lock().unwrap().replace(version);
        Ok(before.is_some_and(|before| before != version))
    }

    fn releases(&self) -> Releases {
        let version = self.used.lock().unwrap().unwrap().to_string();
        let release = Release { plugin: "times".into(), digest: version.clone(), version };
        [("double".to_owned(), release)].into()
    }

    fn renewed(&self) -> Vec<Renewed> {
        let begun = self.begun.fetch_add(1, Relaxed);
        let Some((version, _)) = self.next.filter(|(_, after)| begun == *after) else { return Vec::new() };
        *self.used.lock().unwrap() = Some(version);
        vec![Renewed { name: "double".into(), work: Work::Stateless(Times::version(version)) }]
    }

    fn notices(&self) -> Vec<String> {
        vec!["asked".into()]
    }
}

async fn run_as(world: &World, start: Start, newest: i64, next: Option<(i64, u64)>) -> Arc<CrashAt> {
    let (mut query, observer) = query(world, start);
    let plan = Plan { world: world.clone(), start };
    query.planner =
        Arc::new(Versions { plan, newest, next, used: Mutex::default(), begun: AtomicU64::new(0) });
    let _ = query.run(&Stop::channel().1).await;
    observer
}

/// By which number each epoch was multiplied.
fn factors(world: &World) -> Vec<i64> {
    published(&world.sinks[0]).iter().map(|rows| rows[1] - rows[0]).collect()
}

#[tokio::test]
async fn an_epoch_that_runs_again_runs_the_version_that_it_first_ran_with() {
    for crash in 0..30 {
        let world = World::default();
        run_as(&world, Start { crash: Some(crash), ..START }, 2, None).await;
        let checkpoint = Checkpoint::new(world.store.clone());
        let planned = checkpoint.planned().await.unwrap().len();
        run_as(&world, START, 3, None).await;
        let expected: Vec<i64> = (0..5).map(|epoch| if epoch < planned { 2 } else { 3 }).collect();
        assert_eq!(factors(&world), expected, "crash at step {crash}");
        for epoch in checkpoint.planned().await.unwrap() {
            let record = checkpoint.offsets(epoch).await.unwrap();
            let version = expected[epoch.0 as usize].to_string();
            assert_eq!(record.releases["double"].version, version, "epoch {epoch}");
            assert_eq!(record.plugins["double"], version, "epoch {epoch}");
        }
    }
}

#[tokio::test]
async fn epochs_of_several_versions_run_again_each_with_its_own() {
    let world = World::default();
    run_as(&world, START, 2, Some((3, 2))).await;
    assert_eq!(factors(&world), [2, 2, 3, 3, 3]);
    let checkpoint = Checkpoint::new(world.store.clone());
    checkpoint.reset(Epoch(0), true, true, Timestamp(0)).await.unwrap();
    world.sinks[0].0.lock().unwrap().retain(|epoch, _| *epoch == Epoch(0));
    run_as(&world, Start { total: 65, ..START }, 5, None).await;
    assert_eq!(factors(&world), [2, 2, 3, 3, 3, 5, 5]);
}

#[tokio::test]
async fn a_newer_version_comes_between_two_epochs_and_is_told_of() {
    for parallelism in [1, 3] {
        let world = World::default();
        let observer = run_as(&world, Start { parallelism, ..START }, 2, Some((7, 3))).await;
        assert_eq!(factors(&world), [2, 2, 2, 7, 7]);
        let progress = observer.progress.lock().unwrap();
        let releases: Vec<&str> = progress.iter().map(|epoch| epoch.releases["double"].as_str()).collect();
        assert_eq!(releases, ["times@2", "times@2", "times@2", "times@7", "times@7"]);
        assert_eq!(progress[0].notices, ["asked"]);
    }
}
