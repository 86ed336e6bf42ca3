//! What a pipeline says of databases. It is read whether or not this streamhost was built with `sql`.

use crate::units::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sinks.<name>.sql]`: a table of a database, each row exactly once. The rows of an epoch and the mark that they are stored
/// become visible in one transaction; the marks are in a table of its own, `streamhost_epochs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { connection = \"warehouse\", table = \"purchases\" }"
)]
pub struct SqlSinkSettings {
    /// The name of one of `[connections]`, or a URL such as `sqlite:rows.db`.
    pub connection: String,
    /// The table, `name` or `schema.name`.
    #[serde(default)]
    pub table: Option<String>,
    /// Instead of one table: the column that says, for each row, in which table it is stored. It is no column of that table.
    #[serde(default)]
    pub table_from_column: Option<String>,
    /// For `mode = "update"`: the columns by which a row replaces an older one. The table needs a unique index on just these;
    /// of two rows of an epoch the later one stays.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Whether to create a table that is not there. Default: false, and a table that is not there is an error.
    #[serde(default)]
    pub create: bool,
}

/// `[tables.<name>.sql]`: a table of a database, or what a query answers, as a static side for joins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { connection = \"warehouse\", table = \"users\" }"
)]
pub struct SqlTableSettings {
    /// The name of one of `[connections]`, or a URL such as `sqlite:rows.db`.
    pub connection: String,
    /// The table, `name` or `schema.name`.
    #[serde(default)]
    pub table: Option<String>,
    /// Instead of a table: a query in the database's own SQL.
    #[serde(default)]
    pub query: Option<String>,
    /// How old the rows may get before they are read again. Default: they are read once, when the query starts. A replay after a
    /// crash joins with the rows of its own start: what a database held earlier cannot be asked for.
    #[serde(default)]
    pub refresh: Option<Interval>,
}

/// `[sources.<name>.sql]`: rows of a table or of a query as they are added, by a column that rises.
///
/// A range of that column is read again after a crash, so rows must stay as they are, and a row must not be added below one that
/// was read already. Transactions that run side by side may do just that for a moment: see `settle`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { connection = \"warehouse\", table = \"orders\", column = \"id\" }"
)]
pub struct SqlSourceSettings {
    /// The name of one of `[connections]`, or a URL such as `sqlite:rows.db`.
    pub connection: String,
    /// The table, `name` or `schema.name`.
    #[serde(default)]
    pub table: Option<String>,
    /// Instead of a table: a query in the database's own SQL.
    #[serde(default)]
    pub query: Option<String>,
    /// The column that rises: a number, a date or a time, never NULL. An index on it makes polling cheap. Rows of the same value
    /// are read together.
    pub column: String,
    /// How often to look for more. Default: 1 second.
    #[serde(default = "one_second")]
    pub every: Interval,
    /// How long a value must have been the highest before rows up to it are read, so that transactions which took a lower value
    /// have ended. Default: 1 second. What is there at the start is read at once by `available-now` and `once`.
    #[serde(default = "one_second")]
    pub settle: Interval,
}

/// `audit`: a table that says of each epoch what became of it: `batch_id`, `query` (the pipeline's name), `status`
/// (`running`, `committed` or `failed`), `rows`, `started`, `finished`, `query_id` (one for each checkpoint). It is created if it is not there, and written in transactions of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { connection = \"warehouse\", table = \"query_epochs\" }"
)]
pub struct AuditSettings {
    /// The name of one of `[connections]`, or a URL such as `sqlite:rows.db`.
    pub connection: String,
    /// The table, `name` or `schema.name`.
    pub table: String,
}

impl SqlSinkSettings {
    /// The connection for people: its name, or of a URL what is before anything that is nobody's business.
    pub fn connection_name(&self) -> &str {
        self.connection.split_once(':').map_or(&*self.connection, |(scheme, _)| scheme)
    }
}

fn one_second() -> Interval {
    Interval::millis(1_000)
}
