//! What a guest that is the sink of an epoch calls.

use super::exchange::Refused;
use crate::{
    abi::{self, Failure},
    guest::Guest,
};
use wasmtime::{Error, Result};

/// What the guest gets, or is told.
type Told<T> = Result<Result<T, Failure>>;

impl abi::epoch::Host for Guest {
    async fn next_rows(&mut self) -> Result<Option<Vec<u8>>> {
        self.meter.check_calls()?;
        self.pause();
        let Some(epoch) = &mut self.epoch else { return Err(no_epoch()) };
        let next = epoch.next().await.map_err(|error| {
            epoch.doom(error);
            Error::msg("the next rows cannot be handed over")
        });
        self.resume();
        let next = next?;
        // Only with rows: a guest that asks on after the end would have all its limits for ever.
        if next.is_some() {
            self.rearm();
        }
        Ok(next)
    }
}

impl abi::outputs::Host for Guest {
    async fn write(&mut self, name: String, rows: Vec<u8>) -> Told<()> {
        self.meter.check_calls()?;
        self.pause();
        let Some(epoch) = &mut self.epoch else { return Err(no_epoch()) };
        let done = epoch.write(&name, rows).await;
        self.told(done)
    }

    async fn execute(
        &mut self,
        name: String,
        statement: String,
        schema: Vec<u8>,
        parameters: Vec<u8>,
    ) -> Told<u64> {
        self.meter.check_calls()?;
        self.pause();
        let Some(epoch) = &mut self.epoch else { return Err(no_epoch()) };
        let done = epoch.execute(&name, &statement, &schema, parameters).await;
        self.told(done)
    }
}

impl Guest {
    /// The guest goes on, with what became of its wish. How long that took was not its fault.
    fn told<T>(&mut self, done: Result<T, Refused>) -> Told<T> {
        self.resume();
        match done {
            Ok(done) => Ok(Ok(done)),
            Err(Refused::Failed(failure)) => Ok(Err(failure)),
            Err(Refused::Overrun(limit)) => Err(limit.into()),
        }
    }
}

fn no_epoch() -> Error {
    Error::msg("it calls what only the sink of an epoch may call, and only while it is one")
}
