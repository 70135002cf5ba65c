//! Where a server is.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;

/// A base address such as `http://10.0.0.5:8000/v1`, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Scheme and authority: where to connect.
    uri: Uri,
    host: HeaderValue,
    /// Without a slash at its end.
    prefix: String,
}

impl Address {
    /// Reads a base address; `/v1` is added when missing.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = |e: &dyn std::fmt::Display| format!("`{url}` is no address: {e}");
        let given: Uri = url.trim_end_matches('/').parse().map_err(|e| wrong(&e))?;
        if !matches!(given.scheme_str(), Some("http" | "https")) || given.authority().is_none() {
            return Err(format!("`{url}` does not begin with http:// or https://"));
        }
        let path = given.path().trim_end_matches('/').to_owned();
        let prefix = if path.ends_with("/v1") { path } else { format!("{path}/v1") };
        let authority = given.authority().map_or("", |a| a.as_str());
        // A name and password before the host are for nobody else.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = HeaderValue::from_str(host).map_err(|e| wrong(&e))?;
        let mut parts = given.into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let uri = Uri::from_parts(parts).map_err(|e| wrong(&e))?;
        Ok(Self { uri, host, prefix })
    }

    /// Where to connect.
    pub(super) fn uri(&self) -> Uri {
        self.uri.clone()
    }

    /// What a request says in its `host`.
    pub(super) fn host(&self) -> HeaderValue {
        self.host.clone()
    }

    /// What a request asks for: `path`, which begins with a slash, for example `/chat/completions`, below the prefix.
    ///
    /// # Errors
    /// When the path is no path.
    pub(crate) fn path(&self, path: &str) -> Result<Uri, hyper::http::uri::InvalidUri> {
        format!("{}{path}", self.prefix).parse()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}{}", self.host.to_str().unwrap_or_default(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_joined() {
        let address = Address::parse("http://h:8000/v1/").unwrap();
        assert_eq!(address.path("/models").unwrap().to_string(), "/v1/models");
        assert_eq!(
            (address.to_string().as_str(), address.host.to_str().unwrap()),
            ("http://h:8000/v1", "h:8000")
        );
        assert_eq!(Address::parse("http://h").unwrap().path("/m").unwrap().to_string(), "/v1/m");
        let secret = Address::parse("https://me:secret@h/a").unwrap();
        assert_eq!((secret.to_string().as_str(), secret.host.to_str().unwrap()), ("https://h/a/v1", "h"));
        for wrong in ["", "h:80", "file:///etc/passwd", "ftp://h/"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
