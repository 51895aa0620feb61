//! Commit points of wasi:filesystem: whatever changes a file or a folder. Reading is none, and streams are covered by
//! wasi:io.

use super::wrap::{Wraps, point};
use crate::instance::Data;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Host, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};

type Fd = Resource<Descriptor>;

fn answer<T>(data: &mut Data, result: FsResult<T>) -> Result<(std::result::Result<T, ErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(e) => Err(Host::convert_error_code(&mut data.filesystem(), e)?),
    },))
}

macro_rules! change {
    ($l:ident, $name:literal, $method:ident, |$fd:ident $(, $arg:ident : $ty:ty)*|) => {
        point!($l, "wasi:filesystem/types", $name, |d, $fd: Fd $(, $arg: $ty)*| {
            let r = HostDescriptor::$method(&mut d.filesystem(), $fd $(, $arg)*).await;
            answer(d, r)
        })
    };
}

/// Whether opening like this can change something.
fn only_opens(flags: OpenFlags) -> bool {
    !flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
}

pub(super) fn add_to_linker(l: &mut Wraps<'_>) -> Result<()> {
    change!(l, "[method]descriptor.write", write, |fd, bytes: Vec<u8>, offset: u64|);
    change!(l, "[method]descriptor.set-size", set_size, |fd, size: u64|);
    change!(l, "[method]descriptor.set-times", set_times, |fd, accessed: NewTimestamp, modified: NewTimestamp|);
    change!(l, "[method]descriptor.sync", sync, |fd|);
    change!(l, "[method]descriptor.sync-data", sync_data, |fd|);
    change!(l, "[method]descriptor.create-directory-at", create_directory_at, |fd, path: String|);
    change!(
        l,
        "[method]descriptor.set-times-at",
        set_times_at,
        |fd, flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp|
    );
    change!(l, "[method]descriptor.link-at", link_at, |fd, flags: PathFlags, from: String, new: Fd, to: String|);
    change!(l, "[method]descriptor.remove-directory-at", remove_directory_at, |fd, path: String|);
    change!(l, "[method]descriptor.rename-at", rename_at, |fd, from: String, new: Fd, to: String|);
    change!(l, "[method]descriptor.symlink-at", symlink_at, |fd, target: String, path: String|);
    change!(l, "[method]descriptor.unlink-file-at", unlink_file_at, |fd, path: String|);
    point!(
        l,
        "wasi:filesystem/types",
        "[method]descriptor.open-at",
        unless only_opens(open),
        |d, fd: Fd, flags: PathFlags, path: String, open: OpenFlags, mode: DescriptorFlags| {
            let r = HostDescriptor::open_at(&mut d.filesystem(), fd, flags, path, open, mode).await;
            answer(d, r)
        }
    );
    Ok(())
}
