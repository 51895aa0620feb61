//! Which module a path belongs to: the longest route that matches wins, and a route without a star beats one with.

use crate::error::StartError;
use crate::module::Module;

/// Routes of all modules.
#[derive(Debug)]
pub(super) struct Router {
    /// Longest first.
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    pattern: numax_policy::KeyPattern,
    text: String,
    module: usize,
}

impl Router {
    /// The routes of these modules, by their index.
    pub(super) fn new(modules: &[Module]) -> Result<Router, StartError> {
        Self::build(modules.iter().map(|m| (m.name(), m.grant().policy().http().routes.clone())))
    }

    fn build<'a>(
        modules: impl Iterator<Item = (&'a str, Vec<numax_policy::KeyPattern>)>,
    ) -> Result<Router, StartError> {
        let mut routes: Vec<Route> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (module, (name, patterns)) in modules.enumerate() {
            names.push(name);
            for pattern in patterns {
                let text = pattern.to_string();
                if let Some(other) = routes.iter().find(|r| r.text == text && r.module != module) {
                    let first = names.get(other.module).copied().unwrap_or_default().to_owned();
                    return Err(StartError::Route { route: text, first, second: name.to_owned() });
                }
                routes.push(Route { pattern, text, module });
            }
        }
        routes.sort_by_key(|r| {
            let star = r.text.ends_with('*');
            (std::cmp::Reverse(r.text.len() - usize::from(star)), star)
        });
        Ok(Router { routes })
    }

    /// The module for a path.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        self.routes.iter().find(|r| r.pattern.matches(path.as_bytes())).map(|r| r.module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_policy::KeyPattern;

    fn routes(modules: &[(&'static str, &[&str])]) -> Result<Router, StartError> {
        let parse = |patterns: &[&str]| patterns.iter().map(|p| KeyPattern::parse(p).unwrap()).collect();
        Router::build(modules.iter().map(|(name, patterns)| (*name, parse(patterns))))
    }

    #[test]
    fn the_longest_route_wins() {
        let r = routes(&[("a", &["/*"]), ("b", &["/b/*", "/a/b"]), ("c", &["/b/c*"])]).unwrap();
        let found: Vec<_> = ["/", "/x", "/b/1", "/b/c", "/b/cd", "/a/b", "/a/bc"].map(|p| r.find(p)).into();
        assert_eq!(found, [0, 0, 1, 2, 2, 1, 0].map(Some));
    }

    #[test]
    fn an_exact_route_beats_a_prefix_of_the_same_length() {
        let r = routes(&[("a", &["/x*"]), ("b", &["/x"])]).unwrap();
        assert_eq!((r.find("/x"), r.find("/xy"), r.find("/y")), (Some(1), Some(0), None));
    }

    #[test]
    fn two_modules_with_one_route_are_an_error_that_names_both() {
        let e = routes(&[("a", &["/*"]), ("b", &["/*"])]).unwrap_err().to_string();
        assert!(e.contains("a and b") && e.contains("/*"), "{e}");
    }
}
