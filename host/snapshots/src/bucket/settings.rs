//! How a server is reached: the URL over the `AWS_` variables over what Amazon's own programs take without either.

use std::{fs, time::Duration};

use object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};

use super::refusal::{KeySource, Refusals};
use crate::{
    AwsVariables, SnapshotError,
    location::{self, BucketUrl},
};

/// A server that nobody hears is given up after this.
const CONNECT: Duration = Duration::from_secs(5);
/// One request, from its beginning to the last byte of the answer: a part of 8 MiB at 70 kB a second.
const REQUEST: Duration = Duration::from_secs(120);
/// Amazon's own; servers elsewhere take it, too.
const REGION: &str = "us-east-1";

/// Both or none.
const KEY_PAIR: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Two clients of one server.
pub(super) struct Opened {
    /// Gives up after a few seconds, for who waits in front of it.
    pub asks: AmazonS3,
    /// Outlasts a server's restart, for work that must not begin again.
    pub works: AmazonS3,
    pub refusals: Refusals,
}

pub(super) fn open(url: &BucketUrl, variables: &AwsVariables) -> Result<Opened, SnapshotError> {
    // The client's TLS takes the process's provider. Whoever installed one before keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let [id, secret] = KEY_PAIR;
    for (set, other) in [(id, secret), (secret, id)] {
        if variables.get(set).is_some() && variables.get(other).is_none() {
            return Err(setting(other, format!("it is not set, and {set} is")));
        }
    }
    let mut client = ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST);
    let mut builder = AmazonS3Builder::new();
    let mut secrets = Vec::new();
    for (name, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
        match key {
            // The URL says which.
            AmazonS3ConfigKey::Bucket => continue,
            AmazonS3ConfigKey::Client(key) => {
                client = client.with_config(key, value);
                continue;
            }
            AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint => {
                location::endpoint(value).map_err(|error| setting(name, error))?;
            }
            // What encrypts objects may be a key itself.
            AmazonS3ConfigKey::SecretAccessKey
            | AmazonS3ConfigKey::Token
            | AmazonS3ConfigKey::Encryption(_) => secrets.push(value.to_string()),
            _ => {}
        }
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = &url.endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    if let Some(region) = &url.region {
        builder = builder.with_region(region);
    }
    if let Some(allow) = url.allow_http {
        client = client.with_allow_http(allow);
    }
    let endpoint = builder
        .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
    let allowed = client.get_config_value(&ClientConfigKey::AllowHttp);
    let allowed =
        allowed.is_some_and(|word| matches!(&*word.to_ascii_lowercase(), "true" | "1" | "on" | "yes" | "y"));
    if let Some(endpoint) = endpoint.as_ref().filter(|endpoint| endpoint.starts_with("http://"))
        && !allowed
    {
        return Err(SnapshotError::PlainHttp { endpoint: endpoint.clone() });
    }
    if let Some(path) = variables.get("AWS_CA_BUNDLE") {
        for certificate in authorities(path)? {
            client = client.with_root_certificate(certificate);
        }
    }

    let region = builder.get_config_value(&AmazonS3ConfigKey::Region).unwrap_or_else(|| REGION.to_string());
    let refusals = Refusals {
        bucket: url.bucket.clone(),
        server: endpoint.unwrap_or_else(|| format!("Amazon S3, region {region}")),
        keys: keys(variables),
        secrets,
    };
    let builder = builder.with_bucket_name(&url.bucket).with_client_options(client);
    let build = |retries, patience| {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: retries,
            retry_timeout: Duration::from_secs(patience),
        };
        builder
            .clone()
            .with_retry(retry)
            .build()
            .map_err(|error| refusals.explain("reaching", &url.to_string(), &error))
    };
    Ok(Opened { asks: build(3, 15)?, works: build(9, 170)?, refusals })
}

/// Where the keys come from, in the order in which the client looks.
fn keys(variables: &AwsVariables) -> KeySource {
    let set = |name: &str| variables.get(name).is_some();
    if KEY_PAIR.into_iter().all(set) {
        KeySource::Variables
    } else if set("AWS_WEB_IDENTITY_TOKEN_FILE")
        || set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        || set("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    {
        KeySource::Platform
    } else {
        KeySource::Machine
    }
}

/// The authorities of a file that a server's certificate may come from, besides the system's.
fn authorities(path: &str) -> Result<Vec<Certificate>, SnapshotError> {
    let text = fs::read(path).map_err(|error| setting("AWS_CA_BUNDLE", format!("{path}: {error}")))?;
    Certificate::from_pem_bundle(&text).map_err(|_| {
        setting("AWS_CA_BUNDLE", format!("{path} holds something that is no certificate in PEM"))
    })
}

fn setting(name: &str, detail: impl ToString) -> SnapshotError {
    SnapshotError::Setting { name: name.to_string(), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    fn try_open(url: &str, variables: &[(&str, &str)]) -> Result<Opened, SnapshotError> {
        let Location::Bucket(url) = url.parse().unwrap() else { panic!("{url}") };
        open(&url, &variables.iter().copied().collect())
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "hush")];

    #[test]
    fn the_url_is_stronger_than_variables() {
        let server = |url: &str, more: &[(&str, &str)]| {
            try_open(url, &[&KEYS, more].concat()).map(|opened| opened.refusals.server)
        };
        assert_eq!(server("s3://bucket", &[]).unwrap(), "Amazon S3, region us-east-1");
        assert_eq!(server("s3://bucket", &[("AWS_REGION", "eu-1")]).unwrap(), "Amazon S3, region eu-1");
        let both = [("AWS_ENDPOINT_URL", "https://a"), ("AWS_ENDPOINT_URL_S3", "https://b")];
        assert_eq!(server("s3://bucket", &both).unwrap(), "https://b");
        assert_eq!(server("s3://bucket?endpoint=https://c", &both).unwrap(), "https://c");
    }

    #[test]
    fn a_server_without_tls_must_be_asked_for() {
        let url = "s3://bucket?endpoint=http://127.0.0.1:1";
        for (url, variables, taken) in [
            (url.to_string(), &[][..], false),
            (format!("{url}&allow_http=true"), &[][..], true),
            (url.to_string(), &[("AWS_ALLOW_HTTP", "true")][..], true),
            (format!("{url}&allow_http=false"), &[("AWS_ALLOW_HTTP", "true")][..], false),
        ] {
            let opened = try_open(&url, &[&KEYS, variables].concat());
            assert_eq!(opened.is_ok(), taken, "{url} {variables:?}");
            if let Err(error) = opened {
                assert!(matches!(error, SnapshotError::PlainHttp { .. }), "{error}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_variables_is_said_without_their_values() {
        for (variables, word) in [
            (&KEYS[..1], "AWS_SECRET_ACCESS_KEY is wrong: it is not set"),
            (&KEYS[1..], "AWS_ACCESS_KEY_ID is wrong: it is not set"),
            (&[("AWS_ENDPOINT_URL", "http://me:hush@host")][..], "AWS_ENDPOINT_URL"),
            (&[("AWS_CA_BUNDLE", "/does/not/exist")][..], "AWS_CA_BUNDLE"),
        ] {
            let error = try_open("s3://bucket", variables).err().unwrap().to_string();
            assert!(error.contains(word) && !error.contains("hush"), "{error}");
        }
    }
}
