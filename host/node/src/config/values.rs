//! The types of settings and how they are read from text.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use numax_policy::text;
use numax_snapshots::{Location, LocationError};

/// A type that reads itself from a flag, a variable or a string of the file.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
}

impl FromText for String {
    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

impl FromText for PathBuf {
    fn from_text(text: &str) -> Result<Self, String> {
        String::from_text(text).map(Self::from)
    }
}

impl FromText for Location {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: LocationError| error.to_string())
    }
}

impl FromText for Duration {
    fn from_text(text: &str) -> Result<Self, String> {
        text::parse_duration(text)
    }
}

impl FromText for usize {
    fn from_text(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a whole number"))
    }
}

impl FromText for SocketAddr {
    fn from_text(text: &str) -> Result<Self, String> {
        let Address { ip, port } = Address::from_text(text)?;
        Ok(Self::new(ip, port))
    }
}

/// A number of bytes, written with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.into_iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromText for ByteSize {
    fn from_text(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 7] = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("B", 1),
        ];
        let wrong =
            || format!("`{text}` is not a size; write a whole number with a unit, such as 512MiB or 2GiB");
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, size)| Some((text.strip_suffix(name)?, *size)))
            .ok_or_else(wrong)?;
        let number: u64 = number.trim_end().replace('_', "").parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

/// An address to listen on. `localhost`, `:9000` and a bare port are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Interface.
    pub ip: IpAddr,
    /// 0: any free one.
    pub port: u16,
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        Self::new(address.ip, address.port)
    }
}

impl FromText for Address {
    fn from_text(text: &str) -> Result<Self, String> {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        if let Ok(full) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: full.ip(), port: full.port() });
        }
        let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
        match port.parse::<u16>() {
            Ok(port) => Ok(Self { ip: loopback, port }),
            Err(_) => {
                Err(format!("`{text}` is not an address to listen on; write IP:PORT, such as 127.0.0.1:9000"))
            }
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every word that can be written.
            pub const WORDS: &[&str] = &[$($word),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl FromText for $name {
            fn from_text(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(unknown_word(text, Self::WORDS)),
                }
            }
        }
    };
}

fn unknown_word(word: &str, words: &[&str]) -> String {
    match text::suggest(word, words) {
        Some(near) => format!("`{word}` is not known; did you mean `{near}`?"),
        None => format!("`{word}` is not known; write one of: {}", words.join(", ")),
    }
}

words! {
    /// A storage engine.
    Engine {
        /// sled, the default.
        Sled = "sled",
        /// redb.
        Redb = "redb",
        /// fjall.
        Fjall = "fjall",
    }
}

words! {
    /// When a commit counts as done, and its response may leave.
    Durability {
        /// When it is on the disk: survives power loss.
        Fsync = "fsync",
        /// When the operating system has it: survives a kill; power loss costs at most the interval.
        Interval = "interval",
        /// When it is in memory.
        None = "none",
    }
}

words! {
    /// How much is logged.
    LogLevel {
        /// What failed.
        Error = "error",
        /// And what is odd.
        Warn = "warn",
        /// And what happens, the default.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And everything else.
        Trace = "trace",
    }
}

words! {
    /// How it is logged.
    LogFormat {
        /// For people.
        Text = "text",
        /// One object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_short_forms() {
        for (text, full) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("9000", "127.0.0.1:9000"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(SocketAddr::from_text(text).unwrap().to_string(), full);
        }
        for text in ["", "example.com:9000", "127.0.0.1", "70000", "127.0.0.1:x"] {
            Address::from_text(text).unwrap_err();
        }
    }

    #[test]
    fn words_suggest() {
        assert_eq!(Durability::from_text("fsync"), Ok(Durability::Fsync));
        assert!(Durability::from_text("fsinc").unwrap_err().contains("`fsync`"));
        assert!(Engine::from_text("postgres").unwrap_err().contains("one of: sled, redb, fjall"));
    }
}
