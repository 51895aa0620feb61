//! Long-lived instances: start and end, ticks, changes, and what happens when they fail.

use crate::guests::Guest;
use crate::node::{Elsewhere, Node, OPEN, engine, key, load_with, soon};
use bytes::Bytes;
use numax_runtime::{Module, ModuleOptions, Reactive, RunError, Runtime};

/// The reactor, told by its environment what to ask for.
fn reactor(name: &str, env: &[(&str, &str)]) -> Module {
    let policy = OPEN.replace("time = true", "time = true\nenv = [\"*\"]");
    reactor_with(name, &policy, env)
}

fn reactor_with(name: &str, policy: &str, env: &[(&str, &str)]) -> Module {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load_with(&engine(), Guest::Reactor, name, policy, ModuleOptions { env, ..ModuleOptions::default() })
}

async fn start(node: &Node, module: Module) -> Result<Reactive, RunError> {
    Reactive::start(&Runtime::new(engine(), node.backend()), module).await
}

/// What the module has written down: committed, and at least so much.
async fn notes(node: &mut Node, count: usize) -> Vec<String> {
    loop {
        let page = node.draft().map_entries(&key("log"), None, 10_000).unwrap();
        if page.items.len() >= count {
            return page.items.iter().map(|(_, note)| String::from_utf8_lossy(note).into_owned()).collect();
        }
        node.applied().await;
    }
}

/// Adds to a counter from outside of the module.
async fn touch(node: &Node, name: &str) {
    node.write(|draft| draft.g_counter_increment(&key(name), 1).unwrap()).await;
}

#[tokio::test]
async fn a_module_is_told_of_its_start_and_its_end_once() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-life", &[])).await.unwrap();
    assert_eq!(notes(&mut node, 1).await, ["1 init"]);
    soon("the end", module.shutdown()).await;
    assert_eq!(notes(&mut node, 2).await, ["1 init", "2 shutdown"]);
}

#[tokio::test]
async fn an_init_that_says_no_keeps_the_module_from_running() {
    let node = Node::new();
    let e = start(&node, reactor("handlers-no", &[("FAIL_INIT", "no shelf space")])).await.unwrap_err();
    assert!(matches!(&e, RunError::Init(why) if why == "no shelf space"), "{e}");
}

#[tokio::test]
async fn an_init_that_traps_leaves_nothing() {
    let mut node = Node::new();
    let e = start(&node, reactor("handlers-trap-init", &[("TRAP_INIT", "1")])).await.unwrap_err();
    assert!(matches!(e, RunError::Trap(_)), "{e}");
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn ticks_come_again_and_again_to_one_instance() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-ticks", &[("EVERY", "1")])).await.unwrap();
    let notes = notes(&mut node, 4).await;
    assert_eq!(
        notes[..4],
        ["1 init", "2 tick beat true true", "3 tick beat true true", "4 tick beat true true"]
    );
    soon("the end", module.shutdown()).await;
    assert!(node.counter("ticks") >= 3);
}

#[tokio::test]
async fn the_policy_can_ask_for_ticks_and_changes_too() {
    let mut node = Node::new();
    let events = "[events]\nevery = [{ name = \"sweep\", period = \"1ms\" }]\n\
                  watch = [{ kind = \"gcounter\", prefix = \"w:\" }]\n";
    let module =
        start(&node, reactor_with("handlers-policy", &format!("{OPEN}\n{events}"), &[])).await.unwrap();
    touch(&node, "w:a").await;
    let mut count = 2;
    let seen = loop {
        let notes = notes(&mut node, count).await;
        let has = |text: &str| notes.iter().any(|note| note.ends_with(text));
        if has("tick sweep true true") && has("GCounter w:a Increment local") {
            break true;
        }
        count = notes.len() + 1;
    };
    assert!(seen);
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn events_need_their_grants() {
    let node = Node::new();
    let without_time = OPEN.replace("time = true", "env = [\"*\"]");
    let e =
        start(&node, reactor_with("handlers-no-time", &without_time, &[("EVERY", "5")])).await.unwrap_err();
    assert!(matches!(&e, RunError::Init(why) if why.contains("time = true")), "{e}");
    let only_log = "version = 1\n[capabilities]\ncrdt.lww_map = [\"log\"]\nenv = [\"*\"]\n";
    let e =
        start(&node, reactor_with("handlers-no-read", only_log, &[("WATCH_SETS", "w:")])).await.unwrap_err();
    assert!(matches!(&e, RunError::Init(why) if why.contains("crdt.orset = { read = [\"w:*\"] }")), "{e}");
}

#[tokio::test]
async fn changes_from_here_and_from_elsewhere_come_in_their_order() {
    let (mut node, mut other) = (Node::new(), Elsewhere::new());
    let module = start(&node, reactor("handlers-changes", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:1").await;
    other.write(&node, |d| d.set_add(&key("w:2"), Bytes::from_static(b"x")).unwrap()).await;
    touch(&node, "unwatched").await;
    other.write(&node, |d| d.set_remove(&key("w:2"), b"x").unwrap()).await;
    node.write(|d| {
        d.register_set(&key("w:3"), Bytes::from_static(b"x")).unwrap();
        d.map_set(&key("w:4"), b"field", Bytes::from_static(b"x")).unwrap();
        d.pn_counter_decrement(&key("w:5"), 1).unwrap();
    })
    .await;
    other.write(&node, |d| d.g_counter_increment(&key("w:6"), 1).unwrap()).await;
    let notes = loop {
        let notes = notes(&mut node, 7).await;
        if notes.iter().any(|note| note.contains("w:6")) {
            break notes;
        }
        node.applied().await;
    };
    let mut told: Vec<_> = notes.iter().skip(1).map(|note| note.split_once(' ').unwrap().1).collect();
    // Two changes of one value may come as the later of them.
    told.retain(|note| *note != "OrSet w:2 Add remote");
    assert_eq!(
        told,
        [
            "GCounter w:1 Increment local",
            "OrSet w:2 Remove remote",
            "PnCounter w:5 Decrement local",
            "LwwRegister w:3 Set local",
            "LwwMap w:4 Set local",
            "GCounter w:6 Increment remote",
        ]
    );
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn what_an_instance_writes_itself_it_is_not_told_of() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-own", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:ping").await;
    notes(&mut node, 2).await;
    touch(&node, "w:last").await;
    let notes = notes(&mut node, 3).await;
    assert_eq!(node.counter("w:pong"), 1);
    assert_eq!(notes, ["1 init", "2 GCounter w:ping Increment local", "3 GCounter w:last Increment local"]);
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn what_changes_while_init_runs_is_not_lost() {
    let mut node = Node::new();
    let env = [("WATCH", "w:"), ("WAIT_IN_INIT", "yes")];
    let meanwhile = async {
        while node.counter("initing") == 0 {
            tokio::task::yield_now().await;
        }
        touch(&node, "w:meanwhile").await;
        touch(&node, "unwatched").await;
        node.write(|d| d.register_set(&key("go"), Bytes::from_static(b"x")).unwrap()).await;
    };
    let (module, ()) = tokio::join!(start(&node, reactor("handlers-init", &env)), meanwhile);
    touch(&node, "w:last").await;
    assert_eq!(
        notes(&mut node, 3).await,
        ["1 init", "2 GCounter w:meanwhile Increment local", "3 GCounter w:last Increment local"]
    );
    soon("the end", module.unwrap().shutdown()).await;
}

#[tokio::test]
async fn only_the_family_that_was_asked_for_is_told_of() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-sets", &[("WATCH_SETS", "w:")])).await.unwrap();
    touch(&node, "w:counter").await;
    node.write(|d| d.set_add(&key("w:set"), Bytes::from_static(b"x")).unwrap()).await;
    assert_eq!(notes(&mut node, 2).await, ["1 init", "2 OrSet w:set Add local"]);
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn only_what_the_module_may_read_is_told() {
    let mut node = Node::new();
    let policy = "version = 1\n[capabilities]\ncrdt.lww_map = [\"log\"]\ncrdt.gcounter = [\"w:mine*\"]\nenv = [\"*\"]\n";
    let module = start(&node, reactor_with("handlers-read", policy, &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:secret").await;
    touch(&node, "w:mine").await;
    assert_eq!(notes(&mut node, 2).await, ["1 init", "2 GCounter w:mine Increment local"]);
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn a_slow_handler_holds_nobody_up_and_loses_nothing() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-slow", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:slow").await;
    while node.counter("slow") == 0 {
        node.applied().await;
    }
    // It is in the middle of its handler. Others commit, also what it watches.
    for n in 0..50 {
        soon("a commit", touch(&node, &format!("w:{n:02}"))).await;
    }
    assert_eq!(notes(&mut node, 2).await.len(), 2);
    node.write(|d| d.register_set(&key("go"), Bytes::from_static(b"x")).unwrap()).await;
    let notes = notes(&mut node, 52).await;
    for (n, note) in notes.iter().skip(2).enumerate() {
        assert_eq!(*note, format!("{} GCounter w:{n:02} Increment local", n + 3));
    }
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn a_shutdown_lets_the_running_handler_end() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-end", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:slow").await;
    while node.counter("slow") == 0 {
        node.applied().await;
    }
    let down = tokio::spawn(module.shutdown());
    node.write(|d| d.register_set(&key("go"), Bytes::from_static(b"x")).unwrap()).await;
    soon("the end", down).await.unwrap();
    assert_eq!(notes(&mut node, 3).await, ["1 init", "2 GCounter w:slow Increment local", "3 shutdown"]);
}

#[tokio::test]
async fn a_handler_that_traps_is_started_again_and_told_again() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-trap", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:trap-once").await;
    let told = "2 GCounter w:trap-once Increment local";
    assert_eq!(notes(&mut node, 4).await, ["1 init", told, "1 init", told]);
    touch(&node, "w:next").await;
    assert_eq!(notes(&mut node, 5).await[4], "3 GCounter w:next Increment local");
    soon("the end", module.shutdown()).await;
}

#[tokio::test]
async fn a_change_on_which_every_instance_fails_is_given_up_and_the_next_one_comes() {
    let mut node = Node::new();
    let module = start(&node, reactor("handlers-poison", &[("WATCH", "w:")])).await.unwrap();
    touch(&node, "w:trap").await;
    // One init for each attempt; what a failed one wrote is gone.
    let mut inits = notes(&mut node, 4).await;
    touch(&node, "w:next").await;
    inits = notes(&mut node, inits.len() + 1).await;
    assert_eq!(inits, ["1 init", "1 init", "1 init", "1 init", "2 GCounter w:next Increment local"]);
    let lines = crate::logs::of("handlers-poison");
    assert!(lines.iter().any(|line| line.contains("dropped")), "{lines:?}");
    soon("the end", module.shutdown()).await;
}
