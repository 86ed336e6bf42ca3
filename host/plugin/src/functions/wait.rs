use engine::{Kind, Result, ResultExt};
use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};
use tokio::{
    runtime::{Builder, Handle, Runtime, RuntimeFlavor},
    task::{block_in_place, unconstrained},
};

/// What keeps time for calls that a thread waits for. The runtime of that thread may not: if it has one thread alone, nobody
/// looks at its timers until the call is over, and a guest that sleeps would sleep for ever.
#[derive(Default)]
pub(crate) struct Timers(OnceLock<Option<Runtime>>);

impl Timers {
    fn handle(&self) -> Result<&Handle> {
        let start = || {
            let runtime =
                Builder::new_multi_thread().worker_threads(1).thread_name("timers").enable_time().build();
            runtime.inspect_err(|e| tracing::error!("no thread that keeps time for functions: {e}")).ok()
        };
        let runtime = self.0.get_or_init(start).as_ref();
        runtime
            .map(Runtime::handle)
            .ok_or("there was none")
            .doing(Kind::Unavailable, || "a thread that keeps time for functions of plugins")
    }

    /// Drives a call to its end on this thread.
    ///
    /// Most calls are over at once. One that is not, because the guest has computed for a tick or waits, lets the tasks that
    /// share this thread go elsewhere, if they can.
    pub(super) fn wait<T>(&self, call: impl Future<Output = T>) -> Result<T> {
        let timers = self.handle()?;
        // A task that has done its share for now is told by tokio's timers that they are not ready, ever again.
        let mut call = pin!(unconstrained(call));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut poll = || {
            let _timers = timers.enter();
            call.as_mut().poll(&mut Context::from_waker(&waker))
        };
        if let Poll::Ready(answer) = poll() {
            return Ok(answer);
        }
        Ok(elsewhere(|| {
            loop {
                if let Poll::Ready(answer) = poll() {
                    return answer;
                }
                thread::park();
            }
        }))
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait for threads.
        if let Some(Some(runtime)) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Does what takes long, after other tasks were given another thread. Only a runtime of several threads has others.
fn elsewhere<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// Wakes a thread that is parked. A wake that comes before it parks keeps it from parking.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn asleep() -> u32 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        7
    }

    #[test]
    fn a_thread_without_a_runtime_waits() {
        assert_eq!(Timers::default().wait(asleep()).unwrap(), 7);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_only_thread_of_a_runtime_waits() {
        assert_eq!(Timers::default().wait(asleep()).unwrap(), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn tasks_of_a_thread_that_waits_go_on_elsewhere() {
        let (told, tell) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(async move { Timers::default().wait(tell).unwrap() });
        // On the one thread there is: who waits there would never be told if it kept this from running.
        tokio::spawn(async move { told.send(7).unwrap() }).await.unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_task_that_has_used_up_its_share_waits_as_well() {
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::coop::consume_budget().await;
        }
        assert_eq!(Timers::default().wait(asleep()).unwrap(), 7);
    }
}
