//! Snapshots in buckets, against a real server that speaks S3.

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use numax_snapshots::{
    AwsVariables, CreateOptions, Folder, Repository, Restored, Snapshot, SnapshotError, quiet,
};
use numax_store::Engine;
use numax_testing::{S3Server, Tls};
use tempfile::TempDir;

use crate::common::{Open, key, node, options};

fn variables() -> AwsVariables {
    S3Server::variables().into_iter().collect()
}

fn open(url: &str, scratch: &Path) -> Repository {
    Repository::open(&url.parse().unwrap(), &variables(), scratch).unwrap()
}

fn create(repository: &Repository, open: &Open) -> Snapshot {
    repository.create(&open.replica, &CreateOptions::default(), &quiet).unwrap()
}

/// Values that make an engine's files larger than a part of an upload.
fn large(open: &Open) {
    for number in 0..20_u8 {
        open.write(|draft| {
            draft.register_set(&key(&format!("large {number}")), vec![number; 1 << 20].into()).unwrap();
        });
    }
}

/// Names below a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_goes_to_a_bucket_comes_back() {
    let Some(server) = S3Server::start() else { return };
    for engine in Engine::ALL {
        let dir = TempDir::new().unwrap();
        let scratch = dir.path().join("scratch");
        let prefix = format!("nodes/{engine}");
        let repository = open(&server.url(&prefix), &scratch);
        assert!(repository.list().unwrap().is_empty());
        let data = Open::with(&dir.path().join("data"), 1, engine);
        data.turns(0..50);
        large(&data);
        let made = create(&repository, &data);
        let id = &made.manifest().id;
        assert_eq!(made.place(), format!("s3://{}/{prefix}/{id}", S3Server::BUCKET));
        assert!(made.path().is_none());
        let hash = data.replica.state_hash().unwrap();
        data.turns(50..60);

        let found = repository.find("latest").unwrap();
        assert_eq!(found.manifest(), made.manifest());
        found.verify(&quiet).unwrap();
        let copy = dir.path().join("copy");
        let done = found.restore(&copy, &options(1), &quiet).unwrap();
        assert_eq!(done, Restored { replaced: false, other_node: false });
        let copy = Open::new(&copy, 1);
        assert_eq!(copy.replica.state_hash().unwrap(), hash);
        copy.pull(&data);
        assert_eq!(copy.replica.state_hash().unwrap(), data.replica.state_hash().unwrap());
        copy.close();
        data.close();

        // The same names as in a folder: what copies files moves snapshots.
        let objects = server.objects().join(&prefix);
        let as_folder = Snapshot::open(&objects.join(id)).unwrap();
        as_folder.verify(&quiet).unwrap();
        assert_eq!(names(&objects.join(id)), ["log", "manifest.json", "rows"], "the mark is gone");
        assert_eq!(server.open_uploads(), 0);
        assert_eq!(names(&scratch), [".lock", ".owner"], "nothing is left here either");
    }
}

#[test]
fn exported_files_go_to_buckets_and_come_from_them() {
    let Some(server) = S3Server::start() else { return };
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    let data = Open::new(&at("data"), 1);
    data.turns(0..50);
    let hash = data.replica.state_hash().unwrap();
    let made = Folder::new(at("folder")).create(&data.replica, &CreateOptions::default(), &quiet).unwrap();
    data.close();
    made.export(&at("one.numaxpak"), dir.path(), &quiet).unwrap();

    let repository = open(&server.url("packed"), &at("scratch"));
    let imported = repository.import(&at("one.numaxpak"), Some(Engine::Redb), &quiet).unwrap();
    assert_eq!(imported.manifest().id, made.manifest().id);
    let again = repository.import(&at("one.numaxpak"), None, &quiet);
    assert!(matches!(again, Err(SnapshotError::Exists { .. })), "{again:?}");
    let found = repository.find(&made.manifest().id[..12]).unwrap();
    found.export(&at("two.numaxpak"), &at("scratch"), &quiet).unwrap();
    let back = Folder::new(at("back")).import(&at("two.numaxpak"), None, &quiet).unwrap();
    back.restore(&at("restored"), &options(1), &quiet).unwrap();
    let restored = Open::new(&at("restored"), 1);
    assert_eq!(restored.replica.state_hash().unwrap(), hash);
    restored.close();
}

#[test]
fn the_oldest_of_a_node_go_and_what_others_put_there_stays() {
    let Some(server) = S3Server::start() else { return };
    let dir = TempDir::new().unwrap();
    let repository = open(&server.url("shared"), &dir.path().join("scratch"));
    let other = Open::new(&dir.path().join("other"), 2);
    other.turn(0);
    let theirs = create(&repository, &other).manifest().id.clone();
    other.close();
    let data = Open::new(&dir.path().join("data"), 1);
    let ids: Vec<String> = (0..4)
        .map(|number| {
            data.turn(number);
            create(&repository, &data).manifest().id.clone()
        })
        .collect();
    data.close();
    let me = node(1).to_string();
    assert_eq!(repository.prune(2, Some(&me)).unwrap(), ids[..2]);
    let left: Vec<String> = repository.list().unwrap().into_iter().map(|found| found.id).collect();
    assert_eq!(left, [&theirs, &ids[2], &ids[3]].map(String::clone));
    assert_eq!(names(&server.objects().join("shared")), left, "no object of the others is left");
    assert!(matches!(repository.find("20"), Err(SnapshotError::Ambiguous { .. })));
    assert!(matches!(repository.find("19"), Err(SnapshotError::NotFound { .. })));
}

#[test]
fn an_object_that_is_short_changed_or_missing_is_named_and_nothing_is_restored() {
    let Some(server) = S3Server::start() else { return };
    let dir = TempDir::new().unwrap();
    let (scratch, target) = (dir.path().join("scratch"), dir.path().join("data"));
    let repository = open(&server.url("damage"), &scratch);
    let data = Open::new(&target, 1);
    data.turns(0..20);
    let made = create(&repository, &data);
    data.turns(20..25);
    data.close();
    let folder = server.objects().join("damage").join(&made.manifest().id);
    let expect = |file: &str, words: &str| {
        for error in [
            made.verify(&quiet).unwrap_err(),
            made.restore(&target, &options(1), &quiet).unwrap_err(),
            made.rows(&scratch, &quiet).err().unwrap(),
        ] {
            let text = error.to_string();
            assert!(matches!(error, SnapshotError::Damaged { .. }), "{text}");
            assert!(
                text.contains(&format!("{}/{file} is damaged", made.place())) && text.contains(words),
                "{text}"
            );
        }
    };
    for entry in &made.manifest().files {
        let path = folder.join(&entry.name);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        fs::write(&path, &changed).unwrap();
        expect(&entry.name, "do not have the hash");
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        expect(&entry.name, "and should have");
        fs::remove_file(&path).unwrap();
        expect(&entry.name, "it is missing");
        fs::write(&path, &bytes).unwrap();
    }
    made.verify(&quiet).unwrap();

    let manifest = folder.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replacen("\"epoch\": 0", "\"epoch\": 1", 1)).unwrap();
    let [found] = &repository.list().unwrap()[..] else { panic!() };
    assert!(matches!(found.snapshot, Err(SnapshotError::Damaged { .. })));
    assert!(matches!(repository.find("latest"), Err(SnapshotError::Damaged { .. })));
    fs::remove_file(&manifest).unwrap();
    assert!(repository.list().unwrap().is_empty(), "without a manifest it is no snapshot");

    let data = Open::new(&target, 1);
    assert_eq!((data.state().turns, data.replica.origin().epoch), (25, 0), "nothing was restored");
    data.close();
}

#[test]
fn refusals_say_what_to_do_and_keep_secrets() {
    let Some(server) = S3Server::start() else { return };
    let dir = TempDir::new().unwrap();
    let url = server.url("x");
    let nowhere = format!("s3://{}?endpoint=http://127.0.0.1:1&allow_http=true", S3Server::BUCKET);
    let other = url.replacen(S3Server::BUCKET, "elsewhere", 1);
    let with = |id: &'static str, secret: &'static str| {
        vec![("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)]
    };
    let right = with(S3Server::ACCESS_KEY, S3Server::SECRET_KEY);
    let machine = vec![("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")];
    for (url, variables, word) in [
        (&other, right.clone(), "there is no bucket elsewhere at http://127.0.0.1:"),
        (&nowhere, right, "http://127.0.0.1:1 cannot be reached: "),
        (&url, with(S3Server::ACCESS_KEY, "hush-wrong"), "check AWS_ACCESS_KEY_ID"),
        (&url, with("nobody", S3Server::SECRET_KEY), "check AWS_ACCESS_KEY_ID"),
        (&url, machine, "none are set"),
    ] {
        let variables = variables.into_iter().collect();
        let repository = Repository::open(&url.parse().unwrap(), &variables, dir.path()).unwrap();
        let data = Open::new(&dir.path().join("data"), 1);
        let errors = [
            repository.list().unwrap_err(),
            repository.find("latest").unwrap_err(),
            repository.prune(1, None).unwrap_err(),
            repository.create(&data.replica, &CreateOptions::default(), &quiet).unwrap_err(),
        ];
        data.close();
        for error in errors {
            let text = format!("{error} {error:?} {repository:?}");
            assert!(text.contains(word), "{word}: {text}");
            assert!(!text.contains("hush"), "{text}");
        }
    }
}

#[test]
fn a_server_that_restarts_in_the_middle_of_an_upload_is_waited_for() {
    let Some(server) = S3Server::start() else { return };
    let dir = TempDir::new().unwrap();
    let repository = open(&server.url("restart"), &dir.path().join("scratch"));
    let data = Open::new(&dir.path().join("data"), 1);
    large(&data);
    let server = Mutex::new(server);
    let (uploading, killed) = (AtomicBool::new(false), AtomicBool::new(false));
    // The third count of bytes is that of the upload: rows are written, files are hashed, then sent.
    let begun = Mutex::new((0, 0));
    let progress = |done: u64, total: u64| {
        let mut begun = begun.lock().unwrap();
        if total > 0 && done < begun.1 {
            begun.0 += 1;
        }
        begun.1 = done;
        if begun.0 >= 1 && !uploading.swap(true, Ordering::Relaxed) {
            server.lock().unwrap().kill();
            killed.store(true, Ordering::Relaxed);
        }
    };
    let made = thread::scope(|scope| {
        scope.spawn(|| {
            while !killed.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(200));
            server.lock().unwrap().restart();
        });
        let made = repository.create(&data.replica, &CreateOptions::default(), &progress);
        // Whatever came of it, the other thread must end.
        killed.store(true, Ordering::Relaxed);
        made
    });
    data.close();
    assert!(uploading.load(Ordering::Relaxed), "the server was not killed");
    made.unwrap().verify(&quiet).unwrap();
    assert_eq!(server.lock().unwrap().open_uploads(), 0);
}

#[test]
fn an_authority_of_ones_own_vouches_for_the_server() {
    let dir = TempDir::new().unwrap();
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let (certificate, private) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&certificate, signed.cert.pem()).unwrap();
    fs::write(&private, signed.signing_key.serialize_pem()).unwrap();
    let Some(server) = S3Server::with(Some(&Tls { certificate: &certificate, key: &private })) else {
        return;
    };
    let data = Open::new(&dir.path().join("data"), 1);
    data.turns(0..3);
    let location = server.url("tls").parse().unwrap();
    let unknown = Repository::open(&location, &variables(), dir.path()).unwrap().list().unwrap_err();
    assert!(matches!(unknown, SnapshotError::Unreachable { .. }), "{unknown}");
    assert!(unknown.to_string().to_lowercase().contains("certificate"), "{unknown}");
    let known = S3Server::variables().into_iter().chain([("AWS_CA_BUNDLE", certificate.to_str().unwrap())]);
    let repository = Repository::open(&location, &known.collect(), &dir.path().join("scratch")).unwrap();
    create(&repository, &data).verify(&quiet).unwrap();
    data.close();
}
