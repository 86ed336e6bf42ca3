//! Object stores of others, opened with what the environment or a connection says.

use super::{
    Environment,
    names::{AWS, AZURE},
};
use engine::{Error, Kind, Result, ResultExt};
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    multipart::MultipartStore,
};
use std::{sync::Arc, time::Duration};

/// A store, by both of its faces.
type Store = (Arc<dyn ObjectStore>, Arc<dyn MultipartStore>);

/// The store of a bucket or container, as the environment says.
pub(super) fn open(scheme: &str, bucket: &str, environment: &Environment) -> Result<Store> {
    match scheme {
        "s3" | "s3a" => s3(bucket, environment),
        "az" | "azure" => azure(bucket, environment),
        other => Err(Error::invalid(format!(
            "there is no store for {other}://; write s3://bucket/path or az://container/path"
        ))),
    }
}

fn s3(bucket: &str, environment: &Environment) -> Result<Store> {
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retry());
    let plain = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"];
    let plain = plain.iter().any(|name| is_plain(environment.get(name)));
    builder = builder.with_client_options(client(plain));
    for (name, value) in set(&AWS, environment) {
        let key: AmazonS3ConfigKey =
            name.to_ascii_lowercase().parse().doing(Kind::Internal, || format!("the setting {name}"))?;
        builder = builder.with_config(key, value);
    }
    let store = Arc::new(builder.build().doing(Kind::Invalid, || "the settings AWS_* of the environment")?);
    Ok((store.clone(), store))
}

fn azure(container: &str, environment: &Environment) -> Result<Store> {
    let mut builder = MicrosoftAzureBuilder::new().with_container_name(container).with_retry(retry());
    builder = builder.with_client_options(client(is_plain(environment.get("AZURE_STORAGE_ENDPOINT"))));
    for (name, value) in set(&AZURE, environment) {
        let key: AzureConfigKey =
            name.to_ascii_lowercase().parse().doing(Kind::Internal, || format!("the setting {name}"))?;
        builder = builder.with_config(key, value);
    }
    let store = Arc::new(builder.build().doing(Kind::Invalid, || "the settings AZURE_* of the environment")?);
    Ok((store.clone(), store))
}

fn set<'a>(
    names: &'a [&'a str],
    environment: &'a Environment,
) -> impl Iterator<Item = (&'a str, String)> + 'a {
    names.iter().filter_map(|name| Some((*name, environment.get(name).filter(|value| !value.is_empty())?)))
}

/// Who names an endpoint without TLS wants it so.
fn is_plain(endpoint: Option<String>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

fn client(plain: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(plain).with_timeout(Duration::from_secs(60))
}

/// Short: after this the query itself starts again, as its `restart` says.
fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        ..BackoffConfig::default()
    };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(60) }
}
