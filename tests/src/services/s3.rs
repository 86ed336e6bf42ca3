//! Object stores: an S3 server, and an emulator of Azure's blob storage.

use super::{Service, ports};
use std::{process::Command, sync::OnceLock};

/// An S3 server, and where it is. Its bucket is called `test`.
#[derive(Debug)]
pub struct S3 {
    port: u16,
    /// The server; its data are a folder a bucket.
    pub service: Service,
}

/// The S3 server of this process.
pub fn s3() -> &'static S3 {
    static S3: OnceLock<S3> = OnceLock::new();
    S3.get_or_init(|| {
        let port = ports(1);
        S3 { port, service: Service::start("s3.sh", &[("S3_PORT", port.to_string())]) }
    })
}

impl S3 {
    /// What a process needs to know of it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ACCESS_KEY_ID", "streamhost".into()),
            ("AWS_SECRET_ACCESS_KEY", "streamhost-secret".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ALLOW_HTTP", "true".into()),
        ]
    }
}

/// The emulator, and where it is.
#[derive(Debug)]
pub struct Azurite {
    port: u16,
    _service: Service,
}

/// The emulator of this process.
pub fn azurite() -> &'static Azurite {
    static AZURITE: OnceLock<Azurite> = OnceLock::new();
    AZURITE.get_or_init(|| {
        let port = ports(1);
        Azurite { port, _service: Service::start("azurite.sh", &[("AZURITE_PORT", port.to_string())]) }
    })
}

impl Azurite {
    /// What a process needs to know of it; the key is the one that Microsoft documents.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        vec![
            ("AZURE_STORAGE_ENDPOINT", format!("http://127.0.0.1:{}/devstoreaccount1", self.port)),
            ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1".into()),
            ("AZURE_STORAGE_ACCOUNT_KEY", key.into()),
        ]
    }
}

/// A Python that has the package `deltalake`, by which other programs read and write Delta tables.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let script = Command::new("bash").arg(super::folder().join("python.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&script.stderr).into_owned();
        assert!(script.status.success(), "{said}");
        String::from_utf8(script.stdout).unwrap().trim().to_owned()
    })
}
