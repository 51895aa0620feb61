//! Command line, clocks, files, streams and random numbers.

use super::Needs::{Empty, Grant, Handle, Nothing};
use super::Turn::{Harmless, Point};
use super::{IO, Interface, f};

/// See the module.
pub(super) const WASI: &[Interface] = &[
    Interface {
        name: "wasi:cli/environment",
        version: "0.2.12",
        functions: &[
            f("get-environment", Harmless, Empty("env, args: what the policy and the options give")),
            f("get-arguments", Harmless, Empty("env, args: what the policy and the options give")),
            f("initial-cwd", Harmless, Empty("env, args: what the policy and the options give")),
        ],
    },
    Interface {
        name: "wasi:cli/exit",
        version: "0.2.12",
        functions: &[
            f("exit", Point, Nothing("ends the guest itself")),
            f("exit-with-code", Point, Nothing("ends the guest itself")),
        ],
    },
    Interface {
        name: "wasi:cli/stdin",
        version: "0.2.12",
        functions: &[f("get-stdin", Harmless, Empty("standard input has ended"))],
    },
    Interface {
        name: "wasi:cli/stdout",
        version: "0.2.12",
        functions: &[f("get-stdout", Harmless, Nothing("logs, rate-limited"))],
    },
    Interface {
        name: "wasi:cli/stderr",
        version: "0.2.12",
        functions: &[f("get-stderr", Harmless, Nothing("logs, rate-limited"))],
    },
    Interface {
        name: "wasi:cli/terminal-stdin",
        version: "0.2.12",
        functions: &[f("get-terminal-stdin", Harmless, Empty("no terminal"))],
    },
    Interface {
        name: "wasi:cli/terminal-stdout",
        version: "0.2.12",
        functions: &[f("get-terminal-stdout", Harmless, Empty("no terminal"))],
    },
    Interface {
        name: "wasi:cli/terminal-stderr",
        version: "0.2.12",
        functions: &[f("get-terminal-stderr", Harmless, Empty("no terminal"))],
    },
    Interface {
        name: "wasi:clocks/monotonic-clock",
        version: "0.2.12",
        functions: &[
            f("now", Harmless, Grant("time")),
            f("resolution", Harmless, Grant("time")),
            f("subscribe-instant", Harmless, Grant("time")),
            f("subscribe-duration", Harmless, Grant("time")),
        ],
    },
    Interface {
        name: "wasi:clocks/wall-clock",
        version: "0.2.12",
        functions: &[f("now", Harmless, Grant("time")), f("resolution", Harmless, Grant("time"))],
    },
    Interface {
        name: "wasi:filesystem/types",
        version: "0.2.12",
        functions: &[
            f("[method]descriptor.read-via-stream", Harmless, Handle("descriptor")),
            f("[method]descriptor.write-via-stream", Harmless, Handle("descriptor")),
            f("[method]descriptor.append-via-stream", Harmless, Handle("descriptor")),
            f("[method]descriptor.advise", Harmless, Handle("descriptor")),
            f("[method]descriptor.sync-data", Point, Handle("descriptor")),
            f("[method]descriptor.get-flags", Harmless, Handle("descriptor")),
            f("[method]descriptor.get-type", Harmless, Handle("descriptor")),
            f("[method]descriptor.set-size", Point, Handle("descriptor")),
            f("[method]descriptor.set-times", Point, Handle("descriptor")),
            f("[method]descriptor.read", Harmless, Handle("descriptor")),
            f("[method]descriptor.write", Point, Handle("descriptor")),
            f("[method]descriptor.read-directory", Harmless, Handle("descriptor")),
            f("[method]descriptor.sync", Point, Handle("descriptor")),
            f("[method]descriptor.create-directory-at", Point, Handle("descriptor")),
            f("[method]descriptor.stat", Harmless, Handle("descriptor")),
            f("[method]descriptor.stat-at", Harmless, Handle("descriptor")),
            f("[method]descriptor.set-times-at", Point, Handle("descriptor")),
            f("[method]descriptor.link-at", Point, Handle("descriptor")),
            f("[method]descriptor.open-at", Point, Handle("descriptor")),
            f("[method]descriptor.readlink-at", Harmless, Handle("descriptor")),
            f("[method]descriptor.remove-directory-at", Point, Handle("descriptor")),
            f("[method]descriptor.rename-at", Point, Handle("descriptor")),
            f("[method]descriptor.symlink-at", Point, Handle("descriptor")),
            f("[method]descriptor.unlink-file-at", Point, Handle("descriptor")),
            f("[method]descriptor.is-same-object", Harmless, Handle("descriptor")),
            f("[method]descriptor.metadata-hash", Harmless, Handle("descriptor")),
            f("[method]descriptor.metadata-hash-at", Harmless, Handle("descriptor")),
            f("[method]directory-entry-stream.read-directory-entry", Harmless, Handle("descriptor")),
            f("filesystem-error-code", Harmless, IO),
        ],
    },
    Interface {
        name: "wasi:filesystem/preopens",
        version: "0.2.12",
        functions: &[f("get-directories", Harmless, Empty("no folders"))],
    },
    Interface {
        name: "wasi:io/error",
        version: "0.2.12",
        functions: &[f("[method]error.to-debug-string", Harmless, IO)],
    },
    Interface {
        name: "wasi:io/poll",
        version: "0.2.12",
        functions: &[
            f("[method]pollable.ready", Harmless, IO),
            f("[method]pollable.block", Point, IO),
            f("poll", Point, IO),
        ],
    },
    Interface {
        name: "wasi:io/streams",
        version: "0.2.12",
        functions: &[
            f("[method]input-stream.read", Harmless, IO),
            f("[method]input-stream.blocking-read", Point, IO),
            f("[method]input-stream.skip", Harmless, IO),
            f("[method]input-stream.blocking-skip", Point, IO),
            f("[method]input-stream.subscribe", Harmless, IO),
            f("[method]output-stream.check-write", Harmless, IO),
            f("[method]output-stream.write", Point, IO),
            f("[method]output-stream.blocking-write-and-flush", Point, IO),
            f("[method]output-stream.flush", Point, IO),
            f("[method]output-stream.blocking-flush", Point, IO),
            f("[method]output-stream.subscribe", Harmless, IO),
            f("[method]output-stream.write-zeroes", Point, IO),
            f("[method]output-stream.blocking-write-zeroes-and-flush", Point, IO),
            f("[method]output-stream.splice", Point, IO),
            f("[method]output-stream.blocking-splice", Point, IO),
        ],
    },
    Interface {
        name: "wasi:random/insecure-seed",
        version: "0.2.12",
        functions: &[f("insecure-seed", Harmless, Nothing("seeds of hash tables; no secrets come of it"))],
    },
    Interface {
        name: "wasi:random/insecure",
        version: "0.2.12",
        functions: &[
            f("get-insecure-random-bytes", Harmless, Nothing("seeds of hash tables; no secrets come of it")),
            f("get-insecure-random-u64", Harmless, Nothing("seeds of hash tables; no secrets come of it")),
        ],
    },
    Interface {
        name: "wasi:random/random",
        version: "0.2.12",
        functions: &[
            f("get-random-bytes", Harmless, Grant("random")),
            f("get-random-u64", Harmless, Grant("random")),
        ],
    },
];
