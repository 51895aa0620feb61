//! Where snapshots can lie, as people write it: a folder, or a bucket of an object store.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A folder or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path, written as it is or as `file:///path`.
    Folder(PathBuf),
    /// `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&allow_http=true]`
    Bucket(BucketUrl),
}

/// A bucket and a prefix of its keys, with what is said about the way there. Credentials are never in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    /// The bucket's name.
    pub bucket: String,
    /// What all keys begin with, without a slash at either end; may be empty.
    pub prefix: String,
    /// The server, if it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// Whether a server without TLS will do.
    pub allow_http: Option<bool>,
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}; write a path, or s3://BUCKET/PREFIX with ?endpoint=URL, &region=NAME, &allow_http=true")]
pub struct LocationError {
    detail: String,
}

fn wrong<T>(detail: impl Into<String>) -> Result<T, LocationError> {
    Err(LocationError { detail: detail.into() })
}

impl Location {
    /// Whether a text is a URL and not a path.
    #[must_use]
    pub fn is_url(text: &str) -> bool {
        text.contains("://")
    }

    /// Takes a location apart that names one snapshot: where it lies, and its id. None when there is nothing before the
    /// id.
    #[must_use]
    pub fn split(self) -> Option<(Self, String)> {
        match self {
            Self::Folder(path) => {
                let id = path.file_name()?.to_str()?.to_string();
                Some((Self::Folder(path.parent()?.to_path_buf()), id))
            }
            Self::Bucket(url) => {
                let (prefix, id) = url.prefix.rsplit_once('/').unwrap_or(("", &url.prefix));
                let (prefix, id) = (prefix.to_string(), id.to_string());
                (!id.is_empty()).then_some((Self::Bucket(BucketUrl { prefix, ..url }), id))
            }
        }
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Folder(path.to_path_buf())
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return wrong("a place of snapshots must not be empty");
        }
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Folder(path.into())),
            Some(("file", _)) => wrong("file:// needs a whole path, such as file:///var/snapshots"),
            Some(("s3", rest)) => Ok(Self::Bucket(BucketUrl::parse(rest)?)),
            Some((scheme, _)) => wrong(format!("{scheme}:// is not known")),
        }
    }
}

impl BucketUrl {
    fn parse(text: &str) -> Result<Self, LocationError> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if path.contains('@') {
            return wrong(
                "credentials do not belong into a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            );
        }
        // The rules of S3, the lax ones of old buckets included.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if !(3..=255).contains(&bucket.len()) || !bucket.chars().all(plain) {
            return wrong(format!("{bucket:?} is no name of a bucket"));
        }
        let prefix = prefix.trim_matches('/');
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
        if !prefix.is_empty() && !prefix.split('/').all(part) {
            return wrong(format!(
                "{prefix:?} is no prefix: letters, digits, `-`, `_` and `.` between single slashes"
            ));
        }
        let mut url = Self {
            bucket: bucket.to_string(),
            prefix: prefix.to_string(),
            endpoint: None,
            region: None,
            allow_http: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, value) {
                ("endpoint", value) => url.endpoint = Some(endpoint(value)?),
                ("region", value) if !value.is_empty() && value.chars().all(plain) => {
                    url.region = Some(value.to_string());
                }
                ("allow_http", "true") => url.allow_http = Some(true),
                ("allow_http", "false") => url.allow_http = Some(false),
                ("region" | "allow_http", value) => return wrong(format!("{value:?} is no {key}")),
                // Not the value: somebody may have tried to write a secret there.
                (key, _) => return wrong(format!("{key:?} is not known in a URL of snapshots")),
            }
        }
        Ok(url)
    }
}

/// A server's address, from a URL or a variable.
pub(crate) fn endpoint(text: &str) -> Result<String, LocationError> {
    let Some((scheme @ ("http" | "https"), host)) = text.split_once("://") else {
        return wrong("an endpoint begins with https:// or http://");
    };
    if host.contains('@') {
        return wrong("credentials do not belong into an endpoint");
    }
    let host = host.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']' | '/');
    if host.is_empty() || !host.chars().all(plain) {
        return wrong(format!("{text:?} is no endpoint"));
    }
    Ok(format!("{scheme}://{host}"))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(url) => url.fmt(f),
        }
    }
}

/// Without what is said about the way there.
impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(text: &str) -> BucketUrl {
        match text.parse().unwrap() {
            Location::Bucket(url) => url,
            folder => panic!("{folder:?}"),
        }
    }

    #[test]
    fn paths_and_buckets_are_told_apart() {
        assert_eq!("a/b".parse(), Ok(Location::Folder("a/b".into())));
        assert_eq!("file:///a/b".parse(), Ok(Location::Folder("/a/b".into())));
        let url = bucket("s3://back.ups/a/b/?endpoint=http://127.0.0.1:9000/&region=eu-1&allow_http=true");
        assert_eq!((url.bucket.as_str(), url.prefix.as_str()), ("back.ups", "a/b"));
        assert_eq!(
            (url.endpoint.as_deref(), url.region.as_deref()),
            (Some("http://127.0.0.1:9000"), Some("eu-1"))
        );
        assert_eq!(url.allow_http, Some(true));
        assert_eq!(url.to_string(), "s3://back.ups/a/b");
        assert_eq!(bucket("s3://backups").to_string(), "s3://backups");
    }

    #[test]
    fn one_snapshot_is_taken_apart() {
        let split = |text: &str| {
            let (location, id) = text.parse::<Location>().unwrap().split()?;
            Some((location.to_string(), id))
        };
        let pair = |place: &str, id: &str| Some((place.to_string(), id.to_string()));
        assert_eq!(split("s3://backups/a/b/latest"), pair("s3://backups/a/b", "latest"));
        assert_eq!(split("s3://backups/latest"), pair("s3://backups", "latest"));
        assert_eq!(split("s3://backups"), None);
        assert_eq!(split("file:///a/b/id"), pair("/a/b", "id"));
    }

    #[test]
    fn what_is_no_location_is_said_without_repeating_secrets() {
        for (text, word) in [
            ("", "empty"),
            ("gs://bucket", "gs:// is not known"),
            ("file://a", "whole path"),
            ("s3://", "no name of a bucket"),
            ("s3://a/b", "no name of a bucket"),
            ("s3://bucket/a//b", "no prefix"),
            ("s3://bucket/../b", "no prefix"),
            ("s3://bucket/a b", "no prefix"),
            ("s3://bucket?endpoint=ftp://x", "begins with https://"),
            ("s3://bucket?region=", "is no region"),
            ("s3://bucket?allow_http=maybe", "is no allow_http"),
            ("s3://key:hush@bucket/a", "do not belong into a URL"),
            ("s3://bucket?endpoint=http://key:hush@host", "do not belong into an endpoint"),
            ("s3://bucket?secret_access_key=hush", "is not known in a URL"),
        ] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{text}: {error}");
        }
    }
}
