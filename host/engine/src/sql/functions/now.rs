//! The epoch's time.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::{cell::Cell, sync::Arc};

thread_local! {
    /// The time of the epoch whose batch this thread is evaluating, in microseconds.
    static NOW: Cell<Option<i64>> = const { Cell::new(None) };
}

/// For as long as it lives, `current_timestamp()` on this thread is the time of an epoch: the same on a replay.
pub(crate) struct EpochTime(Option<i64>);

impl EpochTime {
    pub(crate) fn set(micros: i64) -> EpochTime {
        EpochTime(NOW.replace(Some(micros)))
    }
}

impl Drop for EpochTime {
    fn drop(&mut self) {
        NOW.set(self.0);
    }
}

/// The time of the epoch whose batch this thread is evaluating, in microseconds; none outside of one.
pub(super) fn epoch_time() -> Option<i64> {
    NOW.get()
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [("current_timestamp", &["now"][..]), ("current_date", &["curdate"][..])]
        .into_iter()
        .map(|(name, aliases)| Arc::new(ScalarUDF::new_from_impl(Now::new(name, aliases))))
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Now {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
}

impl Now {
    fn new(name: &'static str, aliases: &[&str]) -> Self {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Now { name, aliases, signature: Signature::nullary(Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.name {
            "current_date" => DataType::Date32,
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(micros) = NOW.get() else {
            return exec_err!("{}() was asked for outside of an epoch", self.name);
        };
        let time = ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
        match self.name {
            "current_date" => {
                let zone = args.config_options.execution.time_zone.clone().unwrap_or_else(|| "UTC".into());
                let local = time.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())))?;
                Ok(local.cast_to(&DataType::Date32)?.into())
            }
            _ => Ok(time.into()),
        }
    }
}
