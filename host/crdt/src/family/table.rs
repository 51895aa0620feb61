//! The table of families: all that has to be said of one outside its own file and the operations that it takes
//! ([`Body`](crate::Body)).

use std::fmt;

use super::{OpApplier, g_counter, lww_map, lww_register, or_set, pn_counter, rga, text};

macro_rules! families {
    ($($(#[$about:meta])* $kind:ident = $number:literal, $config:literal, $wit:literal, tags $tags:pat, $family:path;)*) => {
        /// A family of replicated values. The number is part of the disk and wire formats.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$about])* $kind = $number,)*
        }

        impl Kind {
            /// Every kind, by number.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$kind),*];

            /// The name in policies and configuration.
            pub fn config_name(self) -> &'static str {
                match self {
                    $(Self::$kind => $config,)*
                }
            }

            /// The name in WIT, which is also what people read.
            pub fn wit_name(self) -> &'static str {
                match self {
                    $(Self::$kind => $wit,)*
                }
            }
        }

        /// The family for a kind; none for kinds that this program cannot apply yet.
        pub fn applier(kind: Kind) -> Option<&'static dyn OpApplier> {
            match kind {
                $(Kind::$kind => Some(&$family),)*
            }
        }

        /// The family whose operations have this tag in a batch.
        pub(crate) fn of_tag(tag: u8) -> Option<&'static dyn OpApplier> {
            match tag {
                $($tags => Some(&$family),)*
                _ => None,
            }
        }
    };
}

families! {
    /// A counter that only grows.
    GCounter = 1, "gcounter", "g-counter", tags 1, g_counter::GCounter;
    /// A counter that goes both ways.
    PnCounter = 2, "pncounter", "pn-counter", tags 2, pn_counter::PnCounter;
    /// One value; the last writer wins.
    LwwRegister = 3, "lww_register", "lww-register", tags 3..=4, lww_register::LwwRegister;
    /// A map of fields; the last writer wins per field.
    LwwMap = 4, "lww_map", "lww-map", tags 5..=6, lww_map::LwwMap;
    /// A set; an addition wins over a concurrent removal.
    OrSet = 5, "orset", "or-set", tags 7..=8, or_set::OrSet;
    /// An ordered list.
    Rga = 6, "rga", "rga", tags 9..=11, rga::Rga;
    /// A text for several hands.
    Text = 7, "text", "text", tags 12, text::Text;
}

impl Kind {
    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_the_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
            assert_eq!(Kind::from_config_name(kind.config_name()), Some(kind));
            assert_eq!(Kind::from_wit_name(kind.wit_name()), Some(kind));
            assert_eq!(applier(kind).map(OpApplier::kind), Some(kind));
        }
        assert_eq!(Kind::from_u8(0), None);
        assert_eq!(Kind::from_u8(8), None);
        let tags: Vec<_> = (0..=u8::MAX).filter(|tag| of_tag(*tag).is_some()).collect();
        assert_eq!(tags, (1..=12).collect::<Vec<_>>());
    }
}
