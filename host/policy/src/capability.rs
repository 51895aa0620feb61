//! The things that can be granted, typed.

use std::fmt;
use std::path::PathBuf;

use numax_crdt::{Kind, limits};

use crate::pattern::KeyPatterns;

/// One kind of permission: what the runtime asks for, and what a denial names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Read the node-local store. Subject: a key.
    DbRead,
    /// Write the node-local store. Subject: a key.
    DbWrite,
    /// Read replicated values of a family. Subject: a key.
    CrdtRead(Kind),
    /// Write replicated values of a family. Subject: a key.
    CrdtWrite(Kind),
    /// Open a store of wasi:keyvalue. Subject: the store's name.
    KeyValue,
    /// See the members of the cluster. No subject.
    NetPeers,
    /// Publish messages. Subject: a topic.
    Publish,
    /// Receive messages. Subject: a topic.
    Subscribe,
    /// Answer HTTP. No subject.
    Serve,
    /// Call out over HTTP. Subject: an origin, `https://host[:port]`.
    Outbound,
    /// Open TCP connections. Subject: `host:port`.
    Tcp,
    /// Send and receive UDP. Subject: `host:port`.
    Udp,
    /// Look up a name. Subject: the name.
    Resolve,
    /// Random numbers. No subject.
    Random,
    /// Clocks, ticks and cron. No subject.
    Time,
    /// See an environment variable. Subject: its name.
    Env,
    /// Read a key of wasi:config. Subject: the key.
    Config,
    /// Files. Subject: the guest's path.
    Fs,
}

/// Which keys may be read and which written. Keys that numax reserves are in neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Patterns of the keys that may be read.
    pub read: KeyPatterns,
    /// Patterns of the keys that may be written.
    pub write: KeyPatterns,
}

impl Access {
    /// Access to nothing.
    pub(crate) const NONE: &'static Self = &Self { read: KeyPatterns::none(), write: KeyPatterns::none() };

    /// True if this key may be read.
    #[must_use]
    pub fn can_read(&self, key: &[u8]) -> bool {
        !reserved(key) && self.read.matches(key)
    }

    /// True if this key may be written.
    #[must_use]
    pub fn can_write(&self, key: &[u8]) -> bool {
        !reserved(key) && self.write.matches(key)
    }

    /// True if there may be a readable key with this prefix; listing below it makes sense.
    #[must_use]
    pub fn may_read_below(&self, prefix: &[u8]) -> bool {
        !reserved(prefix) && self.read.overlaps_prefix(prefix)
    }

    /// True if there may be a writable key with this prefix.
    #[must_use]
    pub fn may_write_below(&self, prefix: &[u8]) -> bool {
        !reserved(prefix) && self.write.overlaps_prefix(prefix)
    }

    /// True if nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }
}

fn reserved(key: &[u8]) -> bool {
    // The prefix that numax keeps for itself, whatever a pattern such as `*` says.
    key.starts_with(limits::RESERVED_PREFIX.as_bytes())
}

/// One entry of `network.outbound`: a scheme, a host (or `*.` and a domain) and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// True for https.
    pub tls: bool,
    /// A host name, an address, or `*.` and a domain of which any name below is meant.
    pub host: String,
    /// None: the scheme's own port.
    pub port: Option<u16>,
}

impl Outbound {
    /// Reads `https://host[:port]`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("an origin starts with https:// or http://".to_owned()),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err("an origin is a scheme, a host and a port; paths cannot be granted".to_owned());
        }
        let (host, port) = split_port(rest)?;
        let name = host.strip_prefix("*.").unwrap_or(host);
        if name.is_empty() || name.contains('*') {
            return Err("a `*` stands for names below a domain, as in https://*.example.org".to_owned());
        }
        Ok(Self { tls, host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Splits `host:port`, `[v6]:port` and `host`.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let after_bracket = text.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = text.get(after_bracket..).and_then(|rest| rest.find(':')) else {
        return Ok((text, None));
    };
    let (host, port) = text.split_at(after_bracket + colon);
    match port.trim_start_matches(':').parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(format!("`{}` is not a port", port.trim_start_matches(':'))),
    }
}

/// One entry of `fs`: a folder of the host shown to the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsGrant {
    /// Folder on the host, relative to the policy file.
    pub host: PathBuf,
    /// Where the guest sees it.
    pub guest: String,
    /// True if the guest may write in it.
    pub write: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::KeyPattern;

    #[test]
    fn reserved_keys_are_in_no_pattern() {
        let all = KeyPatterns::new(vec![KeyPattern::any()]);
        let access = Access { read: all.clone(), write: all };
        assert!(access.can_read(b"") && access.can_write(b"__n"));
        assert!(!access.can_read(b"__nx/cron") && !access.can_write(b"__nx/"));
        assert!(!access.may_read_below(b"__nx/") && access.may_read_below(b""));
    }

    #[test]
    fn origins() {
        for text in
            ["https://api.example.com", "http://*.example.org:8443", "https://[::1]:9", "http://10.0.0.1"]
        {
            assert_eq!(Outbound::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "api.example.com",
            "ftp://x",
            "https://",
            "https://*",
            "https://a.*.b",
            "https://x/y",
            "https://x:0",
        ] {
            Outbound::parse(text).unwrap_err();
        }
    }
}
