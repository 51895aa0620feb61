//! Keys, authorities and credentials on disk.

use std::{collections::BTreeSet, fs, path::Path, thread};

use numax_net::{
    Credentials, IdentityError, NodeKey, TlsFiles,
    ca::{self, Authority, CaOptions, IssueOptions},
};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_is_made_once_private_and_kept() {
    let dir = TempDir::new().unwrap();
    let first = NodeKey::load_or_create(dir.path()).unwrap();
    assert_eq!(mode(first.path()), 0o600);
    assert_eq!(mode(first.path().parent().unwrap()), 0o700);
    assert_eq!(NodeKey::load_or_create(dir.path()).unwrap().id(), first.id());
    assert_ne!(NodeKey::load_or_create(TempDir::new().unwrap().path()).unwrap().id(), first.id());
    assert!(!format!("{first:?}").contains("PRIVATE"));
}

#[test]
fn many_at_once_get_one_key_and_one_development_authority() {
    let dir = TempDir::new().unwrap();
    let all: Vec<_> = thread::scope(|scope| {
        let start = || {
            let key = NodeKey::load_or_create(&dir.path().join("data")).unwrap().id();
            (key, ca::dev_authority(dir.path()).unwrap().cluster_id())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn an_exposed_or_corrupt_key_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = NodeKey::load_or_create(dir.path()).unwrap().path().to_owned();
    let whole = fs::read(&path).unwrap();

    set_mode(&path, 0o640);
    let error = NodeKey::load_or_create(dir.path()).unwrap_err();
    assert!(matches!(error, IdentityError::Exposed { mode: 0o640, .. }));
    assert!(error.to_string().contains("chmod 600"), "{error}");

    set_mode(&path, 0o600);
    for broken in [&b""[..], b"not a key", &whole[..whole.len() / 2], &[0xff; 100]] {
        fs::write(&path, broken).unwrap();
        let error = NodeKey::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, IdentityError::BadKey { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), broken, "a corrupt key is evidence, not garbage");
    }
}

#[test]
fn what_a_crash_left_behind_does_not_become_a_key() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("identity")).unwrap();
    let leftover = dir.path().join("identity/key.pem.new");
    fs::write(&leftover, "half a k").unwrap();
    set_mode(&leftover, 0o666);
    let key = NodeKey::load_or_create(dir.path()).unwrap();
    assert_eq!(mode(key.path()), 0o600);
    assert!(!leftover.exists());
}

#[test]
fn an_authority_issues_for_a_datastores_own_key() {
    let dir = TempDir::new().unwrap();
    let (ca_dir, data) = (dir.path().join("ca"), dir.path().join("data"));
    let authority = ca::init(&ca_dir, &CaOptions::default()).unwrap();
    assert_eq!(mode(&ca_dir.join(ca::CA_KEY)), 0o600);
    assert!(matches!(ca::init(&ca_dir, &CaOptions::default()), Err(IdentityError::Exists { .. })));
    let shown = ca::show(&ca_dir).unwrap();
    assert!(shown.is_authority);
    assert_eq!(shown.node.0, authority.cluster_id());

    let options =
        IssueOptions { names: vec!["a.example".into(), "10.0.0.7".into()], ..IssueOptions::default() };
    let (issued, [certificate, _]) = ca::issue(&ca_dir, &data, &options, None).unwrap();
    let key = NodeKey::load_or_create(&data).unwrap();
    assert_eq!(issued.node, key.id());
    let info = ca::inspect(&certificate).unwrap();
    assert_eq!(info.node, key.id(), "the id from the certificate is the id from the key");
    assert_eq!(info.names, ["a.example", "10.0.0.7"]);
    assert!(!info.is_authority);

    assert!(Credentials::present(&data));
    let credentials = Credentials::from_files(&data, &TlsFiles::default()).unwrap();
    assert_eq!((credentials.node_id(), credentials.cluster_id()), (key.id(), authority.cluster_id()));
    assert!(!credentials.loopback_only());

    // A renewal keeps the node.
    assert_eq!(ca::issue(&ca_dir, &data, &options, None).unwrap().0.node, key.id());
}

#[test]
fn no_certificate_outlives_its_authority() {
    let dir = TempDir::new().unwrap();
    let hour = std::time::Duration::from_secs(3_600);
    ca::init(&dir.path().join("ca"), &CaOptions { validity: hour, ..CaOptions::default() }).unwrap();
    let data = dir.path().join("data");
    ca::issue(&dir.path().join("ca"), &data, &IssueOptions::default(), None).unwrap();
    let left = ca::inspect(&data.join("identity/cert.pem")).unwrap().valid_for().unwrap();
    assert!(left <= hour);

    let over = dir.path().join("over");
    ca::init(&over, &CaOptions { validity: std::time::Duration::ZERO, ..CaOptions::default() }).unwrap();
    let error = ca::issue(&over, &data, &IssueOptions::default(), None).unwrap_err();
    assert!(error.to_string().contains("the authority has expired"), "{error}");
}

#[test]
fn a_request_that_was_changed_or_is_none_is_not_signed() {
    let dir = TempDir::new().unwrap();
    let authority = ca::init(dir.path(), &CaOptions::default()).unwrap();
    let request = ca::request(&NodeKey::load_or_create(dir.path()).unwrap()).unwrap();
    assert!(authority.sign(&request, &IssueOptions::default()).is_ok());
    let middle = request.len() / 2;
    let flipped = if request.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{}{flipped}{}", &request[..middle], &request[middle + 1..]);
    for bad in [
        changed.as_str(),
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ] {
        let error = authority.sign(bad, &IssueOptions::default()).unwrap_err();
        assert!(matches!(error, IdentityError::BadRequest { .. }), "{error}");
    }
    let names = IssueOptions { names: vec!["not a host name \u{e9}".into()], ..IssueOptions::default() };
    assert!(matches!(authority.sign(&request, &names), Err(IdentityError::BadRequest { .. })));
}

#[test]
fn credentials_that_nobody_would_accept_are_refused_when_loaded() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    ca::init(&at("ca"), &CaOptions::default()).unwrap();
    ca::init(&at("foreign"), &CaOptions::default()).unwrap();
    ca::issue(&at("ca"), &at("a"), &IssueOptions::default(), None).unwrap();
    ca::issue(&at("ca"), &at("b"), &IssueOptions::default(), None).unwrap();
    let load = |datastore: &str, tls: TlsFiles| Credentials::from_files(&at(datastore), &tls).unwrap_err();

    let foreign = TlsFiles { authority: Some(at("foreign/ca.pem")), ..TlsFiles::default() };
    assert!(matches!(load("a", foreign), IdentityError::NotTrusted { .. }));
    let of_b = TlsFiles { certificate: Some(at("b/identity/cert.pem")), ..TlsFiles::default() };
    assert!(matches!(load("a", of_b), IdentityError::OtherKey { .. }));
    let key_of_b = TlsFiles { key: Some(at("b/identity/key.pem")), ..TlsFiles::default() };
    assert!(matches!(load("a", key_of_b), IdentityError::KeyChange { .. }));
    let none = TlsFiles { certificate: Some(at("nowhere.pem")), ..TlsFiles::default() };
    assert!(matches!(load("a", none), IdentityError::Missing { .. }));

    let no_authority = TlsFiles { authority: Some(at("a/identity/cert.pem")), ..TlsFiles::default() };
    let error = load("a", no_authority);
    assert!(error.to_string().contains("not an authority's"), "{error}");

    crate::support::issue_expired(&at("ca"), &at("a"));
    let error = load("a", TlsFiles::default());
    assert!(
        matches!(error, IdentityError::NotTrusted { .. }) && error.to_string().contains("expired"),
        "{error}"
    );

    // Two authorities in one file would make the cluster's id a matter of order.
    let both = [fs::read(at("ca/ca.pem")).unwrap(), fs::read(at("foreign/ca.pem")).unwrap()].concat();
    fs::write(at("both.pem"), both).unwrap();
    let both = TlsFiles { authority: Some(at("both.pem")), ..TlsFiles::default() };
    assert!(matches!(load("b", both), IdentityError::BadCertificate { .. }));
}

#[test]
fn a_new_datastore_adopts_the_operators_key() {
    let dir = TempDir::new().unwrap();
    let given = NodeKey::load_or_create(&dir.path().join("operator")).unwrap();
    let adopted = NodeKey::adopt(&dir.path().join("data"), given.path()).unwrap();
    assert_eq!(adopted.id(), given.id());
    assert_eq!(mode(adopted.path()), 0o600);
    assert_eq!(NodeKey::load_or_create(&dir.path().join("data")).unwrap().id(), given.id());
}

#[test]
fn an_authoritys_files_must_belong_together() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    ca::init(&a, &CaOptions::default()).unwrap();
    ca::init(&b, &CaOptions::default()).unwrap();
    fs::copy(b.join(ca::CA_CERTIFICATE), a.join(ca::CA_CERTIFICATE)).unwrap();
    assert!(matches!(Authority::open(&a), Err(IdentityError::BadCertificate { .. })));
    set_mode(&b.join(ca::CA_KEY), 0o644);
    assert!(matches!(Authority::open(&b), Err(IdentityError::Exposed { .. })));
}

#[test]
fn a_development_authority_that_was_half_made_is_made_again() {
    let dir = TempDir::new().unwrap();
    let first = ca::dev_authority(dir.path()).unwrap().cluster_id();
    fs::remove_file(dir.path().join("numax/dev-ca").join(ca::CA_KEY)).unwrap();
    let second = ca::dev_authority(dir.path()).unwrap().cluster_id();
    assert_ne!(first, second);
    let credentials = Credentials::for_loopback_in(dir.path(), &dir.path().join("data")).unwrap();
    assert!(credentials.loopback_only());
    assert_eq!(credentials.cluster_id(), second);
}
