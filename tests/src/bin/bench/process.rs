//! Programs as processes: where they are, how long they take, and what they use.

use crate::spark::Spark;
use engine::{Clock, Error, Kind, Result, ResultExt, SystemClock};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How often a running process is looked at: what it takes in its last moments may be missed.
const LOOK: Duration = Duration::from_millis(5);
/// A tick of the times in `/proc`: a hundredth of a second, whatever the kernel's own ticks are.
const TICK: Duration = Duration::from_millis(10);

/// What a bench works with: the programs, a clock, and a folder that goes away in the end.
pub(crate) struct Workshop {
    pub(crate) clock: SystemClock,
    /// None if its times are to be those that were recorded.
    pub(crate) spark: Option<Spark>,
    folder: TempDir,
    /// This program.
    itself: PathBuf,
    streamhost: PathBuf,
    /// Where cargo builds.
    target: PathBuf,
}

/// What a process took from its start to its end.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// The most memory that was resident, in bytes.
    pub(crate) peak: u64,
}

/// A process that is killed when nobody needs it any longer.
pub(crate) struct Running(Child);

impl Workshop {
    /// Finds the program beside this one, where `cargo xtask bench` puts it; and Spark in a folder, if one is given.
    pub(crate) fn open(spark: Option<&Path>) -> Result<Self> {
        let lost = || "cannot find the bench's own file";
        let itself = std::env::current_exe().doing(Kind::Unavailable, lost)?;
        let place = itself.parent().and_then(|release| Some((release.join("streamhost"), release.parent()?)));
        let (streamhost, target) = place.ok_or_else(|| Error::internal(lost()))?;
        let target = target.to_owned();
        if !streamhost.is_file() {
            let lost = format!("{} is not there; run `cargo xtask bench`", streamhost.display());
            return Err(Error::invalid(lost));
        }
        let target = target.to_owned();
        let folder = tempfile::tempdir().doing(Kind::Unavailable, || "making a folder to work in")?;
        let spark = spark.map(Spark::open).transpose()?;
        Ok(Workshop { clock: SystemClock::new(), spark, folder, itself, streamhost, target })
    }

    /// A path in the folder that goes away.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The component of a plugin whose source is in this folder of the checkout, built if it is stale.
    pub(crate) fn plugin(&self, folder: &str) -> Result<PathBuf> {
        let folder = root().join(folder);
        let mut build = Command::new(&self.streamhost);
        build.arg("build").arg(&folder).env("CARGO_TARGET_DIR", &self.target).stdout(Stdio::null());
        succeed(&mut build)?;
        let name = folder.file_name().unwrap_or_default();
        Ok(folder.join(name).with_extension("wasm"))
    }

    /// This program under another guise.
    pub(crate) fn itself(&self) -> Command {
        Command::new(&self.itself)
    }

    /// The program, with compiled plugins in the folder that goes away.
    pub(crate) fn streamhost(&self) -> Command {
        let mut command = Command::new(&self.streamhost);
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs a program to its end, which must be a good one.
    pub(crate) async fn usage(&self, command: &mut Command) -> Result<Usage> {
        let said = format!("{command:?}");
        let start = self.clock.monotonic();
        let mut running = Running::start(command)?;
        let mut peak = 0;
        loop {
            let end = running.0.try_wait().doing(Kind::Unavailable, || said.clone())?;
            let wall = self.clock.monotonic() - start;
            match end {
                Some(status) if status.success() => return Ok(Usage { wall, peak }),
                Some(status) => return Err(Error::internal(format!("{said}: {status}"))),
                None => peak = peak.max(running.peak().unwrap_or(0)),
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// How long a program takes, without looking at it meanwhile.
    pub(crate) fn time(&self, command: &mut Command) -> Result<Duration> {
        let start = self.clock.monotonic();
        succeed(command.stdout(Stdio::null()).stdin(Stdio::null()))?;
        Ok(self.clock.monotonic() - start)
    }
}

impl Running {
    /// Starts a program whose standard output nobody reads.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Running(child.doing(Kind::Unavailable, || format!("cannot start {command:?}"))?))
    }

    /// Time on processors, of all threads that it has or had.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        processor_time(&self.0.id().to_string())
    }

    /// The most memory that was resident so far, in bytes; none once it has ended.
    fn peak(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Time on processors of this process so far.
pub(crate) fn own_processor_time() -> Result<Duration> {
    processor_time("self")
}

fn processor_time(process: &str) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).doing(Kind::Unavailable, || path.clone())?;
    // The program's name, in brackets, may have spaces; after it come the state and fields with numbers.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().doing(Kind::Unavailable, || format!("cannot start {command:?}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::internal(format!("{command:?}: {status}"))),
    }
}

/// The checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
