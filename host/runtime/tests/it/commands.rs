//! Commands: how they end and what that does to their last turn, their limits, and what they see of the process.

use crate::guests::Guest;
use crate::node::{Node, OPEN, engine, key, load_with};
use numax_crdt::Batch;
use numax_runtime::{ModuleOptions, RunError, Runtime};

/// Runs the command with these arguments behind its name.
pub async fn run(node: &Node, policy: &str, arguments: &[&str]) -> Result<i32, RunError> {
    let args = std::iter::once("command").chain(arguments.iter().copied()).map(str::to_owned).collect();
    run_with(node, policy, ModuleOptions { args, ..ModuleOptions::default() }).await
}

async fn run_with(node: &Node, policy: &str, options: ModuleOptions) -> Result<i32, RunError> {
    let module = load_with(&engine(), Guest::Command, "command", policy, options);
    Runtime::new(engine(), node.backend()).run_command(&module).await
}

/// A policy with one quota more.
fn quota(line: &str) -> String {
    format!("{OPEN}\n[quotas]\n{line}\n")
}

#[tokio::test]
async fn a_return_and_an_exit_with_zero_commit() {
    let mut node = Node::new();
    assert_eq!(run(&node, OPEN, &["return"]).await.unwrap(), 0);
    assert_eq!(run(&node, OPEN, &["exit", "0"]).await.unwrap(), 0);
    assert_eq!(node.batches(2).await, [["a+1"], ["a+1"]]);
}

#[tokio::test]
async fn a_failure_and_an_exit_with_another_code_roll_back() {
    let mut node = Node::new();
    assert_eq!(run(&node, OPEN, &["fail"]).await.unwrap(), 1);
    assert_eq!(run(&node, OPEN, &["exit", "1"]).await.unwrap(), 1);
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    assert_eq!(node.counter("a"), 0);
}

#[tokio::test]
async fn a_trap_rolls_back_and_says_where() {
    let mut node = Node::new();
    let e = run(&node, OPEN, &["trap"]).await.unwrap_err();
    assert!(matches!(&e, RunError::Trap(_)), "{e}");
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn memory_is_limited_by_the_quota() {
    let mut node = Node::new();
    let policy = quota("memory_max_mb = 16");
    assert_eq!(run(&node, &policy, &["grow", "8"]).await.unwrap(), 0);
    let e = run(&node, &policy, &["grow", "20"]).await.unwrap_err();
    assert!(matches!(e, RunError::Memory { limit: 16 }), "{e}");
    assert!(e.to_string().contains("memory_max_mb"), "{e}");
    assert_eq!(node.batches(1).await, [["a+1"]]);
}

#[tokio::test]
async fn a_loop_without_end_is_stopped_by_the_quota() {
    let mut node = Node::new();
    let e = run(&node, &quota("cpu_ms_per_run = 30"), &["spin"]).await.unwrap_err();
    assert!(matches!(e, RunError::CpuQuota { .. }) && e.to_string().contains("cpu_ms_per_run"), "{e}");
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn a_module_without_a_command_is_told_so() {
    let node = Node::new();
    let module = load_with(&engine(), Guest::Web, "not-a-command", OPEN, ModuleOptions::default());
    let e = Runtime::new(engine(), node.backend()).run_command(&module).await.unwrap_err();
    assert!(matches!(&e, RunError::NoExport { module, .. } if module == "not-a-command"), "{e}");
}

#[tokio::test]
async fn only_what_the_policy_names_is_seen_of_the_environment() {
    let mut node = Node::new();
    let policy = OPEN.replace("time = true", "time = true\nenv = [\"SHOP_*\"]");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = ModuleOptions {
        env: vec![pair("SHOP_NAME", "corner"), pair("SECRET", "hidden")],
        args: ["shop", "environment"].map(str::to_owned).to_vec(),
        ..ModuleOptions::default()
    };
    assert_eq!(run_with(&node, &policy, options).await.unwrap(), 0);
    let batches = node.batches(1).await;
    assert_eq!(batches, [["environment[SHOP_NAME]=corner", "environment[arguments]=shop environment"]]);
}

#[tokio::test]
async fn a_batch_that_is_full_refuses_and_leaves_nothing_half_done() {
    let mut node = Node::new();
    assert_eq!(run(&node, OPEN, &["cap"]).await.unwrap(), 0);
    let applied = node.applied().await;
    let batch = Batch::decode(applied.bytes.clone()).unwrap();
    // All that was taken, and the refusal that was written down, in one batch; nothing of what was refused.
    let mut draft = node.draft();
    let refusal = draft.register_get(&key("refusal")).unwrap().unwrap();
    let refusal = String::from_utf8(refusal.to_vec()).unwrap();
    let (taken, text) = refusal.split_once(' ').unwrap();
    let taken: usize = taken.parse().unwrap();
    assert!((1..=4).contains(&taken), "{taken}");
    assert!(text.contains("batch too large"), "{text}");
    assert_eq!(batch.ops.len(), taken + 1);
    assert_eq!(draft.map_size(&key("big")).unwrap(), taken as u64);
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

/// What a guest's turns come to, apart from who wrote them and when.
async fn history(cache_rows: usize) -> Vec<Vec<u8>> {
    let mut node = Node::with(|config| {
        config.core.cache_rows = cache_rows;
        // Rows go to the engine at once, so that reads have to fetch them.
        config.flush_rows = 1;
    });
    let mut batches = Vec::new();
    for _ in 0..2 {
        assert_eq!(run(&node, OPEN, &["many"]).await.unwrap(), 0);
        for _ in 0..20 {
            let mut batch = Batch::decode(node.applied().await.bytes.clone()).unwrap();
            strip(&mut batch);
            batches.push(batch.encode().to_vec());
        }
    }
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    batches
}

/// Takes out of a batch what differs from one run to the next.
fn strip(batch: &mut Batch) {
    use numax_crdt::{Body, Hlc, NodeId, Origin};
    let nobody = Origin { node: NodeId([0; 32]), epoch: 0, nonce: 0 };
    batch.origin = nobody;
    batch.hlc = Hlc::default();
    for op in &mut batch.ops {
        match &mut op.body {
            Body::Register { hlc, .. } | Body::MapField { hlc, .. } => *hlc = Hlc::default(),
            Body::SetAdd { replaces: dots, .. } | Body::SetRemove { removes: dots, .. } => {
                dots.iter_mut().for_each(|dot| dot.origin = nobody);
            }
            Body::ListInsert { .. } | Body::ListRemove { .. } => {
                unreachable!("ids differ; no list is written")
            }
            Body::Text { .. } => unreachable!("client ids differ; no text is written"),
            Body::GCounter { .. } | Body::PnCounter { .. } => {}
        }
    }
}

#[tokio::test]
async fn the_same_batches_come_whatever_is_in_memory() {
    let (none, all) = (history(0).await, history(1_000_000).await);
    assert_eq!(none.len(), 40);
    assert_eq!(none, all);
}
