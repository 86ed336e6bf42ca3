//! What a pipeline allows a plugin.

use super::{
    ABSENT, BUILT_IN,
    address::{self, Network},
    header::Header,
    place::{Names, Place, SystemNames},
};
use crate::limits::Limits;
use engine::{Error, Result};
use std::{fmt, net::IpAddr, sync::Arc};

/// The places that a plugin may send requests to, and what the host adds to these. Nothing, by default.
#[derive(Clone)]
pub struct HttpGrant {
    places: Vec<Allowed>,
    networks: Vec<Network>,
    names: Arc<dyn Names>,
}

#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    pub(crate) place: Place,
    pub(crate) headers: Vec<Header>,
}

impl Default for HttpGrant {
    fn default() -> Self {
        HttpGrant { places: Vec::new(), networks: Vec::new(), names: Arc::new(SystemNames) }
    }
}

impl HttpGrant {
    /// Allows one place: `host:port`, which is https at port 443 and http at others, or `https://host:port`. Kind `Invalid` if it is
    /// none, or if this build has no HTTP.
    pub fn allow(&mut self, place: &str) -> Result<()> {
        if !BUILT_IN {
            return Err(Error::invalid(ABSENT));
        }
        let place = Place::parse(place)?;
        if !self.places.iter().any(|allowed| allowed.place == place) {
            self.places.push(Allowed { place, headers: Vec::new() });
        }
        Ok(())
    }

    /// Lets the names that are allowed be of servers in this network, `10.0.0.0/8` for one, which is not on the internet.
    pub fn allow_network(&mut self, network: &str) -> Result<()> {
        self.networks.push(Network::parse(network)?);
        Ok(())
    }

    /// Adds a header to every request to a place that is allowed, in the place of the guest's own of that name.
    pub fn add_header(&mut self, place: &str, name: &str, value: &str) -> Result<()> {
        let wanted = Place::parse(place)?;
        let allowed = self.places.iter_mut().find(|allowed| allowed.place == wanted);
        let allowed = allowed
            .ok_or_else(|| Error::invalid(format!("{place:?} is not among the places in allow.http")))?;
        allowed.headers.push(Header::new(name, value)?);
        Ok(())
    }

    /// The same, with names that mean what `names` says.
    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        HttpGrant { names, ..self }
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What requests may take, for people; none if there can be none.
    pub(crate) fn limits(&self, limits: &Limits) -> Option<String> {
        (!self.is_empty()).then(|| limits.of_http())
    }
}

#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "without HTTP there are no requests"))]
impl HttpGrant {
    pub(crate) fn places(&self) -> &[Allowed] {
        &self.places
    }

    pub(crate) fn names(&self) -> &dyn Names {
        &*self.names
    }

    /// Refuses an address for a request to `place`, unless it is on the internet or was named. What it is, if so.
    pub(crate) fn refuses(&self, place: &Place, address: IpAddr) -> Option<&'static str> {
        let what = address::special(address)?;
        // An address that is allowed by itself, at the same port, is so under another name too.
        let named = |allowed: &Allowed| {
            let at = &allowed.place;
            (at.scheme, at.port) == (place.scheme, place.port) && at.names(address)
        };
        let allowed = place.names(address)
            || self.networks.iter().any(|network| network.contains(address))
            || self.places.iter().any(named);
        (!allowed).then_some(what)
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Allowed { place, headers }) in self.places.iter().enumerate() {
            let names: Vec<&str> = headers.iter().map(|header| header.name.as_str()).collect();
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{place}")?;
            if !names.is_empty() {
                write!(f, " (with {})", names.join(", "))?;
            }
        }
        match self.networks.as_slice() {
            [] => Ok(()),
            networks => {
                let networks: Vec<String> = networks.iter().map(Network::to_string).collect();
                write!(f, ", in {} too", networks.join(", "))
            }
        }
    }
}

impl fmt::Debug for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpGrant({self})")
    }
}

#[cfg(test)]
#[cfg(feature = "http")]
mod tests {
    use super::*;

    fn grant(places: &[&str], networks: &[&str]) -> HttpGrant {
        let mut grant = HttpGrant::default();
        places.iter().for_each(|place| grant.allow(place).unwrap());
        networks.iter().for_each(|network| grant.allow_network(network).unwrap());
        grant
    }

    #[test]
    fn an_address_that_is_not_on_the_internet_has_to_be_named() {
        let refuses = |grant: &HttpGrant, place: &str, address: &str| {
            grant.refuses(&Place::parse(place).unwrap(), address.parse().unwrap()).unwrap_or("nothing")
        };
        let name = grant(&["scores.internal:443"], &[]);
        assert_eq!(refuses(&name, "scores.internal:443", "8.8.8.8"), "nothing");
        assert_eq!(refuses(&name, "scores.internal:443", "10.0.0.5"), "a private address");
        assert_eq!(refuses(&name, "scores.internal:443", "127.0.0.1"), "a loopback address");
        let both = grant(&["scores.internal:443", "10.0.0.5:443"], &[]);
        assert_eq!(refuses(&both, "scores.internal:443", "10.0.0.5"), "nothing");
        assert_eq!(refuses(&both, "scores.internal:443", "10.0.0.6"), "a private address");
        let other_port = grant(&["scores.internal:443", "10.0.0.5:80"], &[]);
        assert_eq!(refuses(&other_port, "scores.internal:443", "10.0.0.5"), "a private address");
        let network = grant(&["scores.internal:443"], &["10.0.0.0/8"]);
        assert_eq!(refuses(&network, "scores.internal:443", "10.7.0.1"), "nothing");
        assert_eq!(refuses(&network, "scores.internal:443", "::ffff:10.7.0.1"), "an IPv4-mapped address");
        let local = grant(&["localhost:8080"], &[]);
        assert_eq!(refuses(&local, "localhost:8080", "127.0.0.1"), "nothing");
        assert_eq!(refuses(&local, "localhost:8080", "::1"), "nothing");
        assert_eq!(refuses(&local, "localhost:8080", "10.0.0.5"), "a private address");
    }

    #[test]
    fn what_is_allowed_is_said_without_what_is_secret() {
        let mut grant = grant(&["scores.internal:443", "127.0.0.1:8080"], &["10.0.0.0/8"]);
        grant.add_header("scores.internal:443", "Authorization", "hunter2").unwrap();
        let said =
            "https://scores.internal:443 (with authorization), http://127.0.0.1:8080, in 10.0.0.0/8 too";
        assert_eq!(grant.to_string(), said);
        assert_eq!(format!("{grant:?}"), format!("HttpGrant({said})"));
        let error = grant.add_header("scores.internal:80", "Authorization", "hunter2").unwrap_err().report();
        assert_eq!(error, "\"scores.internal:80\" is not among the places in allow.http");
    }
}
