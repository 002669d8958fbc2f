//! Addresses of documents: `http://host:port/path`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use thiserror::Error;

use crate::HttpRequest;

const PORT: u16 = 80;

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Without brackets.
    pub host: String,
    pub port: u16,
    /// With the query; never empty.
    pub path: String,
}

/// Why something is no address of a document.
#[derive(Debug, Error)]
pub enum UrlError {
    #[error("\"{0}\" does not begin with http://; write it like http://192.0.2.1:8080/index.html")]
    NoHttp(String),
    #[error("https is not spoken here, only plain HTTP; measure the service behind the encryption")]
    Https,
    #[error("\"{0}\" names no host")]
    NoHost(String),
    #[error("\"{0}\" is no port; a port is a number from 1 to 65535")]
    Port(String),
    #[error("an address must not have spaces or characters that are not printed")]
    Unprintable,
    #[error("cannot find an address of {host}: {source}")]
    Unknown { host: String, source: io::Error },
    #[error("{host} has no address")]
    NoAddress { host: String },
}

impl Url {
    /// The first address that the host's name stands for.
    pub fn resolve(&self) -> Result<SocketAddr, UrlError> {
        let host = || self.host.clone();
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut found = found.map_err(|source| UrlError::Unknown {
            host: host(),
            source,
        })?;
        found
            .next()
            .ok_or_else(|| UrlError::NoAddress { host: host() })
    }

    pub fn request(&self) -> HttpRequest {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        HttpRequest {
            host: match self.port {
                PORT => host,
                port => format!("{host}:{port}"),
            },
            path: self.path.clone(),
        }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Unprintable);
        }
        if text.starts_with("https://") {
            return Err(UrlError::Https);
        }
        let rest = text.strip_prefix("http://");
        let rest = rest.ok_or_else(|| UrlError::NoHttp(text.to_owned()))?;
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority, text)?;
        let path = match path {
            query if query.starts_with('?') => format!("/{query}"),
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        Ok(Url { host, port, path })
    }
}

fn host_and_port(authority: &str, text: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || host.contains('@') {
        return Err(UrlError::NoHost(text.to_owned()));
    }
    let port = match port {
        None => PORT,
        Some(port) => match port.parse() {
            Ok(port @ 1..) => port,
            Ok(0) | Err(_) => return Err(UrlError::Port(port.to_owned())),
        },
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let parts = |text: &str| {
            let url: Url = text.parse().unwrap();
            (
                url.host.clone(),
                url.port,
                url.path.clone(),
                url.request().host,
            )
        };
        let of = |host: &str, port, path: &str, header: &str| {
            (host.to_owned(), port, path.to_owned(), header.to_owned())
        };
        assert_eq!(parts("http://a"), of("a", 80, "/", "a"));
        assert_eq!(
            parts("http://192.0.2.1:81/x/y?z=1#part"),
            of("192.0.2.1", 81, "/x/y?z=1", "192.0.2.1:81")
        );
        assert_eq!(parts("http://a?q"), of("a", 80, "/?q", "a"));
        assert_eq!(parts("http://[::1]:8/"), of("::1", 8, "/", "[::1]:8"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let refused = |text: &str| text.parse::<Url>().unwrap_err().to_string();
        assert!(refused("192.0.2.1/").contains("http://"));
        assert!(refused("https://a/").contains("https"));
        assert!(refused("http:///x").contains("no host"));
        assert!(refused("http://a@b/").contains("no host"));
        for port in ["0", "65536", "", "x"] {
            assert!(refused(&format!("http://a:{port}/")).contains("port"));
        }
        assert!(refused("http://a/ HTTP/1.1\r\nX: y").contains("spaces"));
    }

    #[test]
    fn an_address_stands_for_itself() {
        let url: Url = "http://127.0.0.1:8080/".parse().unwrap();
        assert_eq!(url.resolve().unwrap().to_string(), "127.0.0.1:8080");
    }
}
