//! The kinds of replicated values and of operations on them.

use std::fmt;

/// A family of replicated values. The number is part of the disk and wire formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A counter that only grows.
    GCounter = 1,
    /// A counter that goes both ways.
    PnCounter = 2,
    /// One value; the last writer wins.
    LwwRegister = 3,
    /// A map of fields; the last writer wins per field.
    LwwMap = 4,
    /// A set; an addition wins over a concurrent removal.
    OrSet = 5,
    /// An ordered list.
    Rga = 6,
    /// A text for several hands.
    Text = 7,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 7] = [
        Self::GCounter,
        Self::PnCounter,
        Self::LwwRegister,
        Self::LwwMap,
        Self::OrSet,
        Self::Rga,
        Self::Text,
    ];

    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The name in policies and configuration.
    pub fn config_name(self) -> &'static str {
        match self {
            Self::GCounter => "gcounter",
            Self::PnCounter => "pncounter",
            Self::LwwRegister => "lww_register",
            Self::LwwMap => "lww_map",
            Self::OrSet => "orset",
            Self::Rga => "rga",
            Self::Text => "text",
        }
    }

    /// The name in WIT, which is also what people read.
    pub fn wit_name(self) -> &'static str {
        match self {
            Self::GCounter => "g-counter",
            Self::PnCounter => "pn-counter",
            Self::LwwRegister => "lww-register",
            Self::LwwMap => "lww-map",
            Self::OrSet => "or-set",
            Self::Rga => "rga",
            Self::Text => "text",
        }
    }

    /// The kind with this [`config_name`](Self::config_name).
    pub fn from_config_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.config_name() == name)
    }

    /// The kind with this [`wit_name`](Self::wit_name).
    pub fn from_wit_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.wit_name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wit_name())
    }
}

/// What an operation did to a value, as a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// A counter went up.
    Increment,
    /// A counter went down.
    Decrement,
    /// A register or a map's field was written.
    Set,
    /// A field or an element was removed.
    Remove,
    /// An element was added to a set.
    Add,
    /// An element was inserted into a list.
    Insert,
    /// A text was edited.
    Edit,
    /// A value was emptied.
    Clear,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_the_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
            assert_eq!(Kind::from_config_name(kind.config_name()), Some(kind));
            assert_eq!(Kind::from_wit_name(kind.wit_name()), Some(kind));
        }
        assert_eq!(Kind::from_u8(0), None);
        assert_eq!(Kind::from_u8(8), None);
    }
}
