//! Addresses of peers as people write them.

use std::{fmt, str::FromStr};

use numax_crdt::NodeId;

/// `[NODEID@]HOST:PORT`. The host is resolved at every attempt; the node id, if given, is who must answer there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr {
    /// Who must answer. Without it, the authority and the list of allowed nodes decide.
    pub node: Option<NodeId>,
    /// A host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is not a peer's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a peer's address ({problem}): write HOST:PORT or NODEID@HOST:PORT, IPv6 as [ADDR]:PORT"
)]
pub struct PeerAddrError {
    /// The text that was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl FromStr for PeerAddr {
    type Err = PeerAddrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |problem: String| PeerAddrError { text: text.chars().take(200).collect(), problem };
        let (node, address) = match text.split_once('@') {
            Some((id, address)) => (
                Some(id.parse().map_err(|_| error("the node id is not 64 hexadecimal digits".into()))?),
                address,
            ),
            None => (None, text),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(|| error("the port is missing".into()))?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| error(format!("{port:?} is not a port")))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6,
            None if host.contains([':', '[', ']']) => {
                return Err(error("an IPv6 address needs brackets".into()));
            }
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(error("the host is missing or not a name".into()));
        }
        Ok(Self { node, host: host.to_owned(), port })
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node {
            write!(f, "{node}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        let id = "ab".repeat(32);
        for text in ["localhost:9000", "10.0.0.1:1", "[::1]:9000", &format!("{id}@node-b.example:9000")] {
            assert_eq!(text.parse::<PeerAddr>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong() {
        for (text, problem) in [
            ("", "port is missing"),
            ("host", "port is missing"),
            ("host:0", "not a port"),
            ("host:65536", "not a port"),
            ("::1:9000", "needs brackets"),
            (":9000", "host is missing"),
            ("abc@host:9000", "64 hexadecimal"),
        ] {
            let error = text.parse::<PeerAddr>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
