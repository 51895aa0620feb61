//! What is refused before anything of it runs, and the cache of compiled code.

use crate::guests::Guest;
use crate::node::{OPEN, engine, policy};
use numax_policy::Policy;
use numax_runtime::{Engine, EngineConfig, ImportStatus, LoadError, Module, ModuleKind, ModuleOptions};
use std::path::Path;

fn named(name: &str) -> ModuleOptions {
    ModuleOptions { name: name.to_owned(), ..ModuleOptions::default() }
}

fn refused(bytes: impl Into<Vec<u8>>) -> LoadError {
    Module::load(&engine(), bytes.into(), policy(OPEN), named("broken")).unwrap_err()
}

/// A component that imports empty instances under these names and has nothing else.
fn importing(names: &[&str]) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // One type: an instance without exports.
    section(&mut component, 7, &[1, 0x42, 0]);
    let mut imports = vec![u8::try_from(names.len()).unwrap()];
    for name in names {
        imports.extend([0, u8::try_from(name.len()).unwrap()]);
        imports.extend(name.as_bytes());
        // An instance of type 0.
        imports.extend([5, 0]);
    }
    section(&mut component, 10, &imports);
    component
}

fn section(component: &mut Vec<u8>, id: u8, content: &[u8]) {
    component.extend([id, u8::try_from(content.len()).unwrap()]);
    component.extend(content);
}

/// A core module with one section.
fn core(id: u8, content: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, id, content);
    module
}

/// A component with so many instances of a core module.
fn instances(module: &[u8], count: u8) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, module);
    let mut made = vec![count];
    // Of module 0, with no arguments.
    (0..count).for_each(|_| made.extend([0, 0, 0]));
    section(&mut component, 2, &made);
    component
}

#[test]
fn what_is_too_large_for_an_instance_is_not_called_broken() {
    // Five memories; a table of 30,000 entries; both are fine for WebAssembly.
    let memories = instances(&core(5, &[1, 0, 0]), 5);
    let table = instances(&core(4, &[1, 0x70, 0, 0xb0, 0xea, 1]), 1);
    for component in [memories, table] {
        let e = refused(component);
        let text = e.to_string();
        assert!(matches!(&e, LoadError::TooLarge { module, .. } if module == "broken"), "{text}");
        assert!(
            text.starts_with("broken is a valid component and too large") && text.contains("build it"),
            "{text}"
        );
    }
}

#[test]
fn an_interface_with_another_signature_is_named_and_what_to_do() {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // An instance that exports `get`, a function without parameters and results.
    section(&mut component, 7, &[1, 0x42, 2, 1, 0x40, 0, 1, 0, 4, 0, 3, b'g', b'e', b't', 1, 0]);
    let name = "numax:runtime/kv@0.2.0";
    let mut imports = vec![1, 0, u8::try_from(name.len()).unwrap()];
    imports.extend(name.as_bytes());
    imports.extend([5, 0]);
    section(&mut component, 10, &imports);
    let e = refused(component);
    let text = e.to_string();
    assert!(matches!(&e, LoadError::Mismatch { module, .. } if module == "broken"), "{text}");
    assert!(
        text.contains("numax:runtime/kv") && text.contains("get") && text.contains("build it again"),
        "{text}"
    );
}

#[test]
fn what_a_module_is_shows_in_its_exports() {
    let kind = |guest: Guest| {
        Module::load(&engine(), guest.path(), Policy::default_denied(), ModuleOptions::default())
            .unwrap()
            .kind()
    };
    assert_eq!(kind(Guest::Web), ModuleKind { http: true, ..ModuleKind::default() });
    assert_eq!(kind(Guest::Command), ModuleKind { command: true, ..ModuleKind::default() });
    let reactor = ModuleKind { lifecycle: true, tick: true, change: true, ..ModuleKind::default() };
    assert_eq!(kind(Guest::Reactor), reactor);
}

#[test]
fn a_name_comes_from_the_file_if_none_is_given() {
    let of = |options| {
        let module = Module::load(&engine(), Guest::Web.path(), Policy::default_denied(), options).unwrap();
        module.name().to_owned()
    };
    assert_eq!(of(ModuleOptions::default()), "web");
    assert_eq!(of(named("shop")), "shop");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = Path::new("/nowhere/shop.wasm");
    let e = Module::load(&engine(), path, policy(OPEN), ModuleOptions::default()).unwrap_err();
    assert!(matches!(&e, LoadError::Read { .. }) && e.to_string().contains("/nowhere/shop.wasm"), "{e}");
}

#[test]
fn bytes_of_something_else_are_refused() {
    for bytes in [b"".as_slice(), b"\0asm", b"#!/bin/sh\nexit 0\n", &[0xff; 100]] {
        let e = refused(bytes);
        assert!(matches!(&e, LoadError::Corrupt { module, .. } if module == "broken"), "{e}");
    }
}

#[test]
fn a_core_module_is_refused_with_what_to_do() {
    let e = refused(b"\0asm\x01\0\0\0".as_slice());
    assert!(matches!(e, LoadError::CoreModule { .. }), "{e}");
    assert!(e.to_string().contains("wasm32-wasip2"), "{e}");
}

#[test]
fn a_cut_component_is_refused_wherever_it_is_cut() {
    let whole = Guest::Command.bytes();
    for part in [9, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let e = refused(&whole[..part]);
        assert!(matches!(e, LoadError::Corrupt { .. }), "cut at {part} of {}: {e}", whole.len());
    }
}

#[test]
fn a_damaged_component_is_an_error_and_never_a_panic() {
    let whole = Guest::Command.bytes();
    let mut refusals = 0;
    for place in (8..whole.len()).step_by(whole.len() / 25) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        // A flipped byte of a name or of data may leave a valid component.
        refusals += usize::from(Module::load(&engine(), bytes, policy(OPEN), named("broken")).is_err());
    }
    assert!(refusals > 0);
}

#[test]
fn precompiled_code_is_refused() {
    let code = std::fs::read_dir(cache_with_web(&tempfile::tempdir().unwrap().path().join("code")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .map(|path| std::fs::read(path).unwrap())
        .unwrap();
    let e = refused(code);
    assert!(matches!(e, LoadError::Precompiled { .. }), "{e}");
}

#[test]
fn every_import_that_is_not_on_offer_is_listed() {
    let e = refused(importing(&[
        "acme:warehouse/stock@1.0.0",
        "acme:warehouse/orders@1.0.0",
        "wasi:io/poll@0.2.3",
    ]));
    let LoadError::Imports { imports, .. } = &e else { panic!("{e}") };
    let status = |name: &str| imports.iter().find(|i| i.name == name).map(|i| i.status.clone());
    assert_eq!(status("acme:warehouse/stock@1.0.0"), Some(ImportStatus::Unknown));
    assert_eq!(status("acme:warehouse/orders@1.0.0"), Some(ImportStatus::Unknown));
    assert_eq!(status("wasi:io/poll@0.2.3"), Some(ImportStatus::Provided));
    let text = e.to_string();
    assert!(text.contains("acme:warehouse/stock@1.0.0: unknown") && !text.contains("wasi:io"), "{text}");
}

#[test]
fn a_known_interface_in_another_version_is_told_apart() {
    let e = refused(importing(&["wasi:http/types@0.3.0", "numax:runtime/crdt@0.9.0"]));
    let text = e.to_string();
    assert!(
        text.contains("wasi:http/types@0.3.0: wrong version; this node offers wasi:http/types@0.2.12"),
        "{text}"
    );
    assert!(
        text.contains("numax:runtime/crdt@0.9.0: wrong version; this node offers numax:runtime/crdt@0.2.0"),
        "{text}"
    );
}

#[test]
fn a_component_without_anything_to_call_is_refused() {
    for component in [importing(&[]), importing(&["numax:runtime/kv@0.2.0"])] {
        let e = refused(component);
        assert!(matches!(e, LoadError::Nothing { .. }), "{e}");
    }
}

#[test]
fn what_the_policy_asks_for_and_is_not_here_yet_is_named() {
    let p = policy("version = 1\nwasi = \"0.3\"\n");
    let e = Module::load(&engine(), Guest::Web.path(), p, named("web")).unwrap_err();
    assert!(matches!(e, LoadError::NotYet { .. }) && e.to_string().contains("wasi = \"0.3\""), "{e}");
}

/// An engine with this cache.
fn caching(dir: &Path) -> Engine {
    Engine::new(EngineConfig {
        cache_dir: Some(dir.to_owned()),
        max_instances: 10,
        ..EngineConfig::default()
    })
    .unwrap()
}

/// Whether a module came from the cache.
fn cached(engine: &Engine) -> bool {
    let module = Module::load(engine, Guest::Web.path(), Policy::default_denied(), named("web")).unwrap();
    module.load_time().1
}

/// Fills a cache with one module and returns its folder.
fn cache_with_web(dir: &Path) -> &Path {
    assert!(!cached(&caching(dir)));
    dir
}

#[test]
fn compiled_code_is_kept_for_the_next_engine() {
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    cache_with_web(&code);
    assert!(cached(&caching(&code)));
}

#[test]
fn a_damaged_entry_of_the_cache_is_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    cache_with_web(&code);
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    let halve = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let damages: [fn(&mut Vec<u8>); 3] = [Vec::clear, halve, flip];
    for damage in damages {
        for entry in std::fs::read_dir(&code).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            damage(&mut bytes);
            // Replaced, never changed in place: another engine may have the old file mapped.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        let engine = caching(&code);
        assert!(!cached(&engine), "damaged code was taken");
        assert!(cached(&engine), "the entry was not replaced");
    }
}

#[test]
fn engines_share_a_cache_at_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    let engines: Vec<_> = (0..2).map(|_| caching(&code)).collect();
    std::thread::scope(|scope| {
        for engine in &engines {
            for _ in 0..2 {
                scope.spawn(|| cached(engine));
            }
        }
    });
    assert!(engines.iter().all(cached));
    assert!(cached(&caching(&code)));
    let left: Vec<_> =
        std::fs::read_dir(&code).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("tmp-")), "{left:?}");
}
