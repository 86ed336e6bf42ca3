//! `SELECT DISTINCT`.

use super::{Adding, Rows};
use crate::{
    Error, OutputMode, Result,
    operators::{DropDuplicates, chain::Chain},
    plan::Input,
};
use datafusion_expr::Distinct;

impl Adding<'_> {
    pub(super) fn distinct(&mut self, distinct: &Distinct, modes: &[OutputMode]) -> Result<Rows> {
        let Distinct::All(input) = distinct else {
            return Err(Error::invalid(
                "SQL: DISTINCT ON cannot be kept over a stream; use drop-duplicates = { keys = […] } in a step",
            ));
        };
        if modes.contains(&OutputMode::Complete) {
            return Err(Error::invalid(
                "SQL: DISTINCT lets the first of equal rows pass as they come, and has no result to store as a whole; use mode = \"append\" or \"update\", or GROUP BY",
            ));
        }
        let Rows { inputs, chain, schema } = self.rows(input, &[OutputMode::Append])?;
        let keys = (0..schema.fields().len()).collect();
        let step = self.push_keyed(inputs, DropDuplicates::after(chain, &schema, keys, false)?);
        // What passes is the same in both modes.
        let inputs = modes.iter().map(|_| vec![Input::Step { step, port: 0 }]).collect();
        Ok(Rows { inputs, chain: Chain { parts: Vec::new() }, schema })
    }
}
