//! Where a server is.

use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};

/// A base address such as `http://10.0.0.5:8000/v1`, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    prefix: String,
}

impl Address {
    /// Reads a base address; `/v1` is added when missing.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri =
            url.trim_end_matches('/').parse().map_err(|e| format!("`{url}` is no address: {e}"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
        let Some((scheme, authority)) = scheme.zip(parts.authority) else {
            return Err(format!("`{url}` does not begin with http:// or https://"));
        };
        let path = parts.path_and_query.map_or(String::new(), |p| p.path().trim_end_matches('/').to_owned());
        let prefix = if path.ends_with("/v1") { path } else { format!("{path}/v1") };
        Ok(Self { scheme, authority, prefix })
    }

    /// The address of `path`, which begins with a slash, for example `/chat/completions`.
    ///
    /// # Errors
    /// When the path is no path.
    pub fn join(&self, path: &str) -> Result<Uri, hyper::http::Error> {
        let path: PathAndQuery = format!("{}{path}", self.prefix).parse()?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_joined() {
        let address = Address::parse("http://h:8000/v1/").unwrap();
        assert_eq!(address.join("/models").unwrap().to_string(), "http://h:8000/v1/models");
        assert_eq!(address.to_string(), "http://h:8000/v1");
        assert_eq!(Address::parse("http://h").unwrap().join("/m").unwrap().to_string(), "http://h/v1/m");
        for wrong in ["", "h:80", "file:///etc/passwd", "ftp://h/"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
