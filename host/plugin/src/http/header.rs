//! Headers that the pipeline adds to requests: nobody sees their values.

use engine::{Error, Result};
use std::{fmt, sync::Arc};

/// A header whose value is hidden.
#[derive(Clone)]
pub(crate) struct Header {
    /// In lower case.
    pub(crate) name: String,
    value: Arc<str>,
}

/// Those that say how a request is carried, and to whom: they are the host's own.
pub(crate) const OF_THE_HOST: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

impl Header {
    /// [`engine::Kind::Invalid`] if there can be no such header. The error has the name, and never the value.
    pub(crate) fn new(name: &str, value: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if lower.is_empty() || !lower.bytes().all(token) {
            return Err(Error::invalid(format!("{name:?} is no name of a header")));
        }
        if OF_THE_HOST.contains(&lower.as_str()) || lower == "transfer-encoding" {
            return Err(Error::invalid(format!("the header {name} is for the host to set; leave it out")));
        }
        // A line break would begin another header.
        if value.is_empty() || !value.bytes().all(|b| b == b'\t' || (b' '..127).contains(&b)) {
            let what = "is empty, or has letters that are not ASCII or a line break in it";
            return Err(Error::invalid(format!("the value of the header {name} {what}")));
        }
        Ok(Header { name: lower, value: value.into() })
    }

    /// For the request alone.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "without HTTP there are no requests"))]
    pub(crate) fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_header_is_in_no_text() {
        let header = Header::new("Authorization", "Bearer hunter2").unwrap();
        assert_eq!((format!("{header:?}").as_str(), header.expose()), ("authorization: …", "Bearer hunter2"));
        let error = Header::new("Authorization", "hunter2\r\nX-Evil: 1").unwrap_err().report();
        assert!(error.contains("Authorization") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_header_that_carries_the_request_or_has_no_name_is_refused() {
        for (name, why) in [
            ("Host", "for the host to set"),
            ("Transfer-Encoding", "for the host to set"),
            ("Content-Length", "for the host to set"),
            ("", "is no name of a header"),
            ("a b", "is no name of a header"),
            ("a:b", "is no name of a header"),
        ] {
            let error = Header::new(name, "x").unwrap_err().report();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
