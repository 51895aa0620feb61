//! What the environment says about object stores: the `AWS_` variables that Amazon's own programs read.

use std::{collections::BTreeMap, fmt};

/// The `AWS_` variables. Some are secrets: nothing here prints values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AwsVariables(BTreeMap<String, String>);

impl AwsVariables {
    /// Those of this process.
    #[must_use]
    pub fn from_env() -> Self {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
    }

    /// A variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of them.
    #[cfg(feature = "object-store")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Takes those that begin with `AWS_`.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for AwsVariables {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(variables: T) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(variables.filter(|(name, _): &(String, String)| name.starts_with("AWS_")).collect())
    }
}

/// Names only.
impl fmt::Debug for AwsVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_their_own_names_and_no_values_are_shown() {
        let variables: AwsVariables =
            [("AWS_SECRET_ACCESS_KEY", "hush"), ("AWS_REGION", ""), ("PATH", "/bin")].into_iter().collect();
        assert_eq!(format!("{variables:?}"), r#"{"AWS_REGION", "AWS_SECRET_ACCESS_KEY"}"#);
        assert_eq!(variables.get("AWS_SECRET_ACCESS_KEY"), Some("hush"));
        assert_eq!((variables.get("AWS_REGION"), variables.get("PATH")), (None, None));
    }
}
