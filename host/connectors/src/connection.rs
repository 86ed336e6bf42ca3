//! Places that need a name and a password.

use crate::{secret::Secret, units::Interval};
use engine::Result;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[connections.<name>]`: a server, a database file or a store, for all sources, sinks and tables that name it. A value
/// written as `secret:name` stands for the secret of that name in `[secrets]`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { url = \"postgresql://me@localhost/warehouse\", password = \"secret:warehouse\" }"
)]
pub struct ConnectionSettings {
    /// Where it is: `postgresql://user@host:5432/database`, `mysql://user@host/database` (MariaDB too), or `sqlite:path.db`.
    /// Settings of the connection stand behind it: `?sslmode=verify-full&sslrootcert=/etc/ca.pem`. Or an object store,
    /// `s3://bucket/path` or `az://container`: every path that begins so is asked for with the options of this connection.
    pub url: Secret,
    /// The user's password, if it is not in the URL.
    pub password: Option<Secret>,
    /// Further settings of the client, by the names that it has for them; those of an object store by their names in the
    /// environment, such as `AWS_SECRET_ACCESS_KEY = "secret:lake"`.
    #[serde(default)]
    pub options: BTreeMap<String, Secret>,
    /// Of a database: how long it may take to run one statement, or to send the next row of an answer. Then it is taken for gone, and
    /// the epoch is tried again as `restart` says. Default: 5 minutes.
    pub timeout: Option<Interval>,
}

impl ConnectionSettings {
    /// A place without a password.
    pub fn new(url: &str) -> Self {
        ConnectionSettings { url: Secret::new(url), password: None, options: BTreeMap::new(), timeout: None }
    }

    /// The same, with what each value stands for.
    pub fn resolved(&self, resolve: impl Fn(&Secret) -> Result<Secret>) -> Result<Self> {
        let within = |key: &str, value: &Secret| resolve(value).map_err(|e| e.while_doing(key));
        let option = |(key, value): (&String, &Secret)| Ok((key.clone(), within(key, value)?));
        Ok(ConnectionSettings {
            url: within("url", &self.url)?,
            password: self.password.as_ref().map(|password| within("password", password)).transpose()?,
            options: self.options.iter().map(option).collect::<Result<_>>()?,
            timeout: self.timeout,
        })
    }
}
