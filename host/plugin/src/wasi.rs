//! What a guest sees of a machine: nothing but coarse clocks, seeded randomness and a place to write lines to.

use crate::{
    ticker::TICK,
    voice::{Stream, Voice},
};
use engine::Clock;
use rand::TryRng;
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, async_trait,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// The most random bytes that one host call gives.
const MOST_RANDOM: u64 = 64 << 10;
/// The most bytes that a guest may write to a stream at once.
const MOST_WRITTEN: usize = 64 << 10;

/// The values behind a guest's wall clock and randomness. They change from call to call, not within one.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// The epoch's processing time, microseconds since the Unix epoch.
    pub(crate) now: AtomicU64,
    /// State of the generator of random numbers.
    pub(crate) seed: AtomicU64,
}

/// A context without files, environment, arguments, standard input or network.
pub(crate) fn context(
    clock: Arc<dyn Clock>,
    around: &Arc<Surroundings>,
    voice: &Arc<Mutex<Voice>>,
) -> WasiCtx {
    let speech = |stream| Speech { voice: voice.clone(), stream };
    WasiCtx::builder()
        .stdout(speech(Stream::Out))
        .stderr(speech(Stream::Err))
        .wall_clock(EpochClock(around.clone()))
        .monotonic_clock(CoarseClock(clock))
        .secure_random(Seeded(around.clone()))
        .insecure_random(Seeded(around.clone()))
        .insecure_random_seed(0)
        .max_random_size(MOST_RANDOM)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

/// Says the epoch's processing time, so that a replay sees the same.
struct EpochClock(Arc<Surroundings>);

impl HostWallClock for EpochClock {
    fn resolution(&self) -> Duration {
        TICK
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.now.load(Relaxed))
    }
}

/// Advances in ticks: enough for a language's runtime to sleep and to pace its collector, too coarse to time the host. It begins at the
/// first tick, as Go takes zero for a clock that does not work.
struct CoarseClock(Arc<dyn Clock>);

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        TICK.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        let tick = TICK.as_nanos();
        ((self.0.monotonic().as_nanos() / tick + 1) * tick) as u64
    }
}

/// SplitMix64 over the seed of the call.
struct Seeded(Arc<Surroundings>);

impl Seeded {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mixed(self.0.seed.fetch_add(STEP, Relaxed).wrapping_add(STEP))
    }
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of `x`.
pub(crate) fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for piece in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            piece.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// A standard stream of the guest: goes to its voice.
#[derive(Clone)]
struct Speech {
    voice: Arc<Mutex<Voice>>,
    stream: Stream,
}

impl IsTerminal for Speech {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Speech {
    /// Only later versions of WASI ask for this one, and no plugin can import those.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Speech {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.voice.lock().unwrap_or_else(PoisonError::into_inner).write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MOST_WRITTEN)
    }
}

#[async_trait]
impl Pollable for Speech {
    async fn ready(&mut self) {}
}
