//! What a server's refusals mean, in words for operators.
//!
//! Servers answer with a code, a message, and sometimes with what they made of the request, the key's id and parts of
//! its signature. Code and message are passed on and nothing else, and no secret that is known here.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use crate::{SnapshotError, error::damaged};

/// A message is not longer.
const MAX_DETAIL: usize = 300;

/// What is needed to explain.
pub(super) struct Refusals {
    pub bucket: String,
    /// What people call the server.
    pub server: String,
    pub keys: KeySource,
    /// What is never printed.
    pub secrets: Vec<String>,
}

/// Where the keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeySource {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Variables,
    /// What Kubernetes or ECS offer.
    Platform,
    /// The metadata service of a machine in Amazon's cloud.
    Machine,
}

impl Refusals {
    pub(super) fn explain(&self, what: &str, target: &str, error: &object_store::Error) -> SnapshotError {
        let chain = chain(error);
        let all = chain.join(": ");
        let server = self.server.clone();
        if self.keys == KeySource::Machine
            && ["/latest/api/token", "/latest/meta-data"].iter().any(|p| all.contains(p))
        {
            let detail = "none are set, and this machine has no metadata service that gives some".to_string();
            return SnapshotError::Credentials { server, detail };
        }
        if let Some(detail) = unreachable(error) {
            return SnapshotError::Unreachable { server, detail: self.clean(&detail) };
        }
        let code = between(&all, "<Code>", "</Code>").unwrap_or_default();
        let message = between(&all, "<Message>", "</Message>").unwrap_or_default();
        let detail = match (code, message) {
            ("", _) => chain.last().cloned().unwrap_or_default(),
            (code, "") => code.to_string(),
            (code, message) => format!("{code}: {message}"),
        };
        let detail = self.clean(&detail);
        match code {
            "NoSuchBucket" => return SnapshotError::NoBucket { bucket: self.bucket.clone(), server },
            "NoSuchKey" => return damaged(target, "it is missing"),
            // The last is versitygw's word for the first.
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "InvalidClientTokenId"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed"
            | "XAdminUserNotFound" => {
                return SnapshotError::Credentials { server, detail };
            }
            _ => {}
        }
        let (what, server) = (format!("{what} {target}"), self.server.clone());
        match error {
            object_store::Error::NotFound { .. } => damaged(target, "it is missing"),
            object_store::Error::Unauthenticated { .. } => SnapshotError::Credentials { server, detail },
            object_store::Error::PermissionDenied { .. } => SnapshotError::Denied { what, detail },
            _ => SnapshotError::Server { what, server, detail },
        }
    }

    /// A message of a server, fit to be printed: one line, not too long, without secrets.
    fn clean(&self, text: &str) -> String {
        let mut text = text.to_string();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "…");
        }
        let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        line.take(MAX_DETAIL).collect::<String>().trim().to_string()
    }
}

/// An error and what it came from, the outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

/// Their texts.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    causes(error).map(ToString::to_string).collect()
}

/// Why no connection came about, or why it ended.
fn unreachable(error: &(dyn Error + 'static)) -> Option<String> {
    let http = causes(error).find_map(|error| error.downcast_ref::<HttpError>())?;
    let reached = !matches!(
        http.kind(),
        HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Request | HttpErrorKind::Interrupted
    );
    (!reached).then(|| chain(http).pop().unwrap_or_default())
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals() -> Refusals {
        Refusals {
            bucket: "backups".to_string(),
            server: "https://s3.example".to_string(),
            keys: KeySource::Variables,
            secrets: vec!["hush".to_string()],
        }
    }

    /// An answer as it arrives: status and body somewhere in the chain.
    #[derive(Debug, thiserror::Error)]
    #[error("Server returned non-2xx status code: 403 Forbidden: {0}")]
    struct Answer(String);

    fn explained(body: &str, denied: bool) -> String {
        let (path, source) = ("x".to_string(), Box::new(Answer(body.to_string())));
        let error = match denied {
            true => object_store::Error::PermissionDenied { path, source },
            false => object_store::Error::Generic { store: "S3", source },
        };
        refusals().explain("writing", "s3://backups/x", &error).to_string()
    }

    #[test]
    fn only_code_and_message_are_passed_on() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>It does\nnot match hush</Message>\
                    <AWSAccessKeyId>AKIA1</AWSAccessKeyId><StringToSign>AWS4…</StringToSign></Error>";
        let text = explained(body, true);
        assert!(text.contains("SignatureDoesNotMatch: It does not match …"), "{text}");
        assert!(
            !text.contains("AKIA1") && !text.contains("StringToSign") && !text.contains("hush"),
            "{text}"
        );
        assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let error = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        for (code, denied, word) in [
            ("NoSuchBucket", false, "there is no bucket backups at https://s3.example"),
            ("NoSuchKey", false, "it is missing"),
            ("AccessDenied", true, "s3:PutObject"),
            ("InvalidAccessKeyId", true, "AWS_ACCESS_KEY_ID"),
            ("RequestTimeTooSkewed", true, "clock"),
            ("SlowDown", false, "SlowDown: m"),
        ] {
            let text = explained(&error(code), denied);
            assert!(text.contains(word), "{code}: {text}");
        }
    }
}
