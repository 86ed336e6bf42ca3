//! A place that objects are kept below.

use super::{Environment, address, durable::DurableFiles};
use engine::{Error, Kind, Result, ResultExt};
use object_store::{ObjectStore, path::Path as ObjectPath};
use std::{fmt, path::Path, sync::Arc};
use url::Url;

/// A directory, or a prefix of a bucket or container.
#[derive(Clone)]
pub(crate) struct Root {
    /// From the root of the file system, of the bucket or container on.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where in it.
    pub(crate) prefix: ObjectPath,
    /// The address, with a `/` at its end.
    pub(crate) url: Url,
    /// As people wrote it.
    pub(crate) shown: String,
    /// The store where uploads go that others may complete.
    #[cfg(feature = "object-store")]
    pub(crate) multipart: Option<Arc<dyn object_store::multipart::MultipartStore>>,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Root").field(&self.shown).finish()
    }
}

impl Root {
    /// The place of a path or address; nothing is asked of it yet. [`Kind::Invalid`] if there can be no such place, or
    /// this program cannot go there.
    pub(crate) fn new(path: &Path, environment: &Environment) -> Result<Root> {
        match address(path) {
            Some(address) => Root::remote(address, environment),
            None => Root::local(path),
        }
    }

    fn local(path: &Path) -> Result<Root> {
        let shown = path.display().to_string();
        let absolute = crate::files::lexical(path)?;
        let no_url = || Error::invalid(format!("path {shown}: cannot be written as an address"));
        let url = Url::from_directory_path(&absolute).map_err(|()| no_url())?;
        let prefix = ObjectPath::from_absolute_path(&absolute).map_err(|e| no_url().caused_by(e))?;
        Ok(Root {
            store: Arc::new(DurableFiles::new()),
            prefix,
            url,
            shown,
            #[cfg(feature = "object-store")]
            multipart: None,
        })
    }

    #[cfg(feature = "object-store")]
    fn remote(address: &str, environment: &Environment) -> Result<Root> {
        let no_address = || format!("{address}: write s3://bucket/path or az://container/path");
        let mut url = Url::parse(address).doing(Kind::Invalid, no_address)?;
        let bucket = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
        let bucket = bucket.ok_or_else(|| Error::invalid(no_address()))?;
        let (store, multipart) = super::remote::open(url.scheme(), &bucket, &environment.at(address))
            .map_err(|e| e.while_doing(address.to_owned()))?;
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let prefix = ObjectPath::from_url_path(url.path()).doing(Kind::Invalid, no_address)?;
        Ok(Root { store, prefix, url, shown: address.to_owned(), multipart: Some(multipart) })
    }

    #[cfg(not(feature = "object-store"))]
    fn remote(address: &str, _: &Environment) -> Result<Root> {
        Err(super::built_without("object-store").while_doing(address.to_owned()))
    }

    /// An object below it.
    pub(crate) fn at(&self, below: &str) -> Result<ObjectPath> {
        let path = ObjectPath::parse(below)
            .doing(Kind::Internal, || format!("{below:?} is no name in {}", self.shown))?;
        Ok(self.prefix.parts().chain(path.parts()).collect())
    }
}

/// An error of a store, by who has to act.
pub(crate) fn failed(doing: impl Into<String>, error: object_store::Error) -> Error {
    use object_store::Error as Store;
    let (kind, remedy) = match &error {
        Store::NotFound { .. } => (Kind::Data, "; it is not there"),
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => (
            Kind::Invalid,
            "; set the credentials of an account that may, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        ),
        Store::InvalidPath { .. } | Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            (Kind::Invalid, "")
        }
        _ => (Kind::Unavailable, ""),
    };
    Error::new(kind, doing.into() + remedy).caused_by(error)
}
