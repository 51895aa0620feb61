//! The generators of the SDKs' committed bindings.
