//! `wasi:filesystem/types` of the snapshot: that of 0.2, whose types it has, but for one parameter.
//!
//! Permissions, locks and `access-at` are not here: 0.2 dropped them before anybody had implemented them. A component
//! that uses one is refused by its name.

use tombolo_capability::Guest;
use wasmtime::component::{Linker, Resource, ResourceType, flags};
use wasmtime_wasi::filesystem::{WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DirectoryEntryStream, ErrorCode, Filesize, Host, HostDescriptor,
    HostDirectoryEntryStream, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

// What a file that is made may be used for.
flags! {
    Modes {
        #[component(name = "readable")]
        const READABLE;
        #[component(name = "writable")]
        const WRITABLE;
        #[component(name = "executable")]
        const EXECUTABLE;
    }
}

type Handle = Resource<Descriptor>;
type Entries = Resource<DirectoryEntryStream>;

/// What a call gives: a trap, or the one result it has.
type Told<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

fn told<T>(mut host: WasiFilesystemCtxView<'_>, done: FsResult<T>) -> Told<T> {
    match done {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(host.convert_error_code(error)?),)),
    }
}

/// A function of the release that waits, under the name it had.
macro_rules! waits {
    ($to:ident, $name:literal, $of:ident::$function:ident($($argument:ident: $type:ty),*)) => {
        $to.func_wrap_async($name, |mut store, ($($argument,)*): ($($type,)*)| {
            Box::new(async move {
                let mut host = store.data_mut().filesystem();
                let done = $of::$function(&mut host, $($argument),*).await;
                told(host, done)
            })
        })?;
    };
}

/// One that does not.
macro_rules! returns {
    ($to:ident, $name:literal, $function:ident($($argument:ident: $type:ty),*) -> $result:ty) => {
        $to.func_wrap($name, |mut store, ($($argument,)*): ($($type,)*)| {
            let mut host = store.data_mut().filesystem();
            let done: FsResult<$result> = HostDescriptor::$function(&mut host, $($argument),*);
            told(host, done)
        })?;
    };
}

/// Adds the interface to what components can import.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let to = &mut linker.instance("wasi:filesystem/types@0.2.0-rc-2023-10-18")?;
    to.resource("descriptor", ResourceType::host::<Descriptor>(), |mut store, rep| {
        HostDescriptor::drop(&mut store.data_mut().filesystem(), Resource::new_own(rep))
    })?;
    to.resource("directory-entry-stream", ResourceType::host::<DirectoryEntryStream>(), |mut store, rep| {
        HostDirectoryEntryStream::drop(&mut store.data_mut().filesystem(), Resource::new_own(rep))
    })?;
    to.func_wrap("filesystem-error-code", |mut store, (error,): (Resource<wasmtime::Error>,)| {
        Ok((Host::filesystem_error_code(&mut store.data_mut().filesystem(), error)?,))
    })?;
    returns!(to, "[method]descriptor.read-via-stream",
        read_via_stream(fd: Handle, offset: Filesize) -> Resource<DynInputStream>);
    returns!(to, "[method]descriptor.write-via-stream",
        write_via_stream(fd: Handle, offset: Filesize) -> Resource<DynOutputStream>);
    returns!(to, "[method]descriptor.append-via-stream",
        append_via_stream(fd: Handle) -> Resource<DynOutputStream>);
    waits!(to, "[method]descriptor.advise",
        HostDescriptor::advise(fd: Handle, offset: Filesize, length: Filesize, advice: Advice));
    waits!(to, "[method]descriptor.sync-data", HostDescriptor::sync_data(fd: Handle));
    waits!(to, "[method]descriptor.sync", HostDescriptor::sync(fd: Handle));
    waits!(to, "[method]descriptor.get-flags", HostDescriptor::get_flags(fd: Handle));
    waits!(to, "[method]descriptor.get-type", HostDescriptor::get_type(fd: Handle));
    waits!(to, "[method]descriptor.set-size", HostDescriptor::set_size(fd: Handle, size: Filesize));
    waits!(to, "[method]descriptor.set-times",
        HostDescriptor::set_times(fd: Handle, accessed: NewTimestamp, modified: NewTimestamp));
    waits!(to, "[method]descriptor.read", HostDescriptor::read(fd: Handle, length: Filesize, offset: Filesize));
    waits!(to, "[method]descriptor.write", HostDescriptor::write(fd: Handle, bytes: Vec<u8>, offset: Filesize));
    waits!(to, "[method]descriptor.read-directory", HostDescriptor::read_directory(fd: Handle));
    waits!(to, "[method]descriptor.create-directory-at",
        HostDescriptor::create_directory_at(fd: Handle, path: String));
    waits!(to, "[method]descriptor.stat", HostDescriptor::stat(fd: Handle));
    waits!(to, "[method]descriptor.stat-at", HostDescriptor::stat_at(fd: Handle, flags: PathFlags, path: String));
    waits!(to, "[method]descriptor.set-times-at",
    HostDescriptor::set_times_at(
        fd: Handle, flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp
    ));
    waits!(to, "[method]descriptor.link-at",
        HostDescriptor::link_at(fd: Handle, flags: PathFlags, old: String, to: Handle, new: String));
    waits!(to, "[method]descriptor.readlink-at", HostDescriptor::readlink_at(fd: Handle, path: String));
    waits!(to, "[method]descriptor.remove-directory-at",
        HostDescriptor::remove_directory_at(fd: Handle, path: String));
    waits!(to, "[method]descriptor.rename-at",
        HostDescriptor::rename_at(fd: Handle, old: String, to: Handle, new: String));
    waits!(to, "[method]descriptor.symlink-at", HostDescriptor::symlink_at(fd: Handle, old: String, new: String));
    waits!(to, "[method]descriptor.unlink-file-at", HostDescriptor::unlink_file_at(fd: Handle, path: String));
    waits!(to, "[method]descriptor.metadata-hash", HostDescriptor::metadata_hash(fd: Handle));
    waits!(to, "[method]descriptor.metadata-hash-at",
        HostDescriptor::metadata_hash_at(fd: Handle, flags: PathFlags, path: String));
    waits!(to, "[method]directory-entry-stream.read-directory-entry",
        HostDirectoryEntryStream::read_directory_entry(entries: Entries));
    to.func_wrap_async("[method]descriptor.is-same-object", |mut store, (one, two): (Handle, Handle)| {
        Box::new(async move {
            Ok((HostDescriptor::is_same_object(&mut store.data_mut().filesystem(), one, two).await?,))
        })
    })?;
    type Opening = (Handle, PathFlags, String, OpenFlags, DescriptorFlags, Modes);
    to.func_wrap_async(
        "[method]descriptor.open-at",
        // The modes of a file that is made are the host's.
        |mut store, (fd, path_flags, path, open_flags, flags, _): Opening| {
            Box::new(async move {
                let mut host = store.data_mut().filesystem();
                let opened =
                    HostDescriptor::open_at(&mut host, fd, path_flags, path, open_flags, flags).await;
                told(host, opened)
            })
        },
    )?;
    Ok(())
}
