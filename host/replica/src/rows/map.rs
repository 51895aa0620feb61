//! The hash map of the commit path.

/// A hash map with a quick hash that is seeded anew in each process. The standard one costs more than all else of a row's
/// lookup, and several are made for each operation. Names come from guests and peers; the seed keeps them from choosing
/// names that collide, and no map is iterated over, so that nothing depends on it.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
