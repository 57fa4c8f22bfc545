//! Builds guests and examples from source, once for each content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;
use sha2::{Digest, Sha256};

use crate::say;

const TOOLCHAIN: &str = "wasm-guest";

/// A crate that becomes one wasm file for each of its targets.
struct Guest {
    name: String,
    folder: PathBuf,
    targets: Vec<String>,
    /// Crates of this repository that it is built from.
    shared: Vec<PathBuf>,
}

/// Builds all of them, or those of these names. `target/guests/wasm/` then has `<name>.wasm`, or `<name>.<target>.wasm` for
/// one of several targets; an example also gets its file where its `spin.toml` expects it.
pub(crate) fn build(root: &Path, names: &[String]) -> Result<(), String> {
    let compiler = compiler()?;
    let out = root.join("target/guests/wasm");
    fs::create_dir_all(&out).map_err(|error| format!("cannot make `{}`: {error}", out.display()))?;
    let guests = guests(root)?;
    if let Some(name) = names.iter().find(|name| !guests.iter().any(|guest| guest.name == **name)) {
        return Err(format!("there is no guest `{name}`"));
    }
    for guest in guests.into_iter().filter(|guest| names.is_empty() || names.contains(&guest.name)) {
        let digest = digest(root, &guest, &compiler)?;
        for target in &guest.targets {
            build_one(root, &out, &guest, target, &digest)?;
        }
    }
    Ok(())
}

/// What compiles guests, as part of their digest.
fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").env("RUSTUP_TOOLCHAIN", TOOLCHAIN).arg("-vV").output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(format!("there is no toolchain `{TOOLCHAIN}`: run scripts/guest-toolchain first")),
    }
}

/// The members of `guests/`, and every example: a crate, or a folder of crates beside what they share.
fn guests(root: &Path) -> Result<Vec<Guest>, String> {
    let mut crates = folders(&root.join("guests"))?;
    for example in folders(&root.join("examples"))? {
        if !is_crate(&example) {
            crates.extend(folders(&example)?);
        }
        crates.push(example);
    }
    crates.into_iter().filter(|folder| is_crate(folder)).map(guest).collect()
}

fn is_crate(folder: &Path) -> bool {
    folder.join("Cargo.toml").exists()
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn guest(folder: PathBuf) -> Result<Guest, String> {
    let manifest = folder.join("Cargo.toml");
    let refuse = |reason: &str| format!("`{}`: {reason}", manifest.display());
    let metadata = MetadataCommand::new().manifest_path(&manifest).no_deps().exec();
    let metadata = metadata.map_err(|error| refuse(&error.to_string()))?;
    let this = metadata.packages.iter().find(|package| package.manifest_path.as_std_path() == manifest);
    let package = this.ok_or_else(|| refuse("cargo does not know it"))?;
    let targets = package.metadata.pointer("/guest/targets").and_then(|targets| targets.as_array());
    let targets = targets.ok_or_else(|| refuse("`package.metadata.guest.targets` names no targets"))?;
    let targets = targets.iter().filter_map(|target| target.as_str().map(str::to_owned)).collect();
    let shared = package.dependencies.iter().filter_map(|dependency| dependency.path.as_ref());
    let mut shared: Vec<PathBuf> = shared.map(|path| path.as_std_path().to_owned()).collect();
    shared.extend(borrowed(&folder)?);
    Ok(Guest { name: package.name.to_string(), folder, targets, shared })
}

/// Folders beside a guest's own that have some of its sources: those that its files name with `path = "…"`, and those
/// that the files in these name.
fn borrowed(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.get(looked_at).cloned() {
        looked_at += 1;
        let mut files = Vec::new();
        walk(&folder, &mut files)?;
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let paths = text.lines().filter_map(|line| line.split_once("path = \"")?.1.split_once('"'));
            for (path, _) in paths {
                let Ok(named) = file.with_file_name(path).canonicalize() else { continue };
                let found = if named.is_dir() { named.as_path() } else { named.parent().unwrap_or(&named) };
                if !folders.iter().any(|known| found.starts_with(known)) {
                    folders.push(found.to_owned());
                }
            }
        }
    }
    folders.remove(0);
    Ok(folders)
}

/// Over everything a build depends on: its own files, those it shares, and the compiler.
fn digest(root: &Path, guest: &Guest, compiler: &str) -> Result<String, String> {
    let mut files = Vec::new();
    walk(&guest.folder, &mut files)?;
    walk(&root.join("wit"), &mut files)?;
    let settings = guest.folder.join(".cargo/config.toml");
    files.extend(settings.exists().then_some(settings));
    for folder in &guest.shared {
        walk(folder, &mut files)?;
        // The versions of what the repository's own crates depend on.
        files.push(root.join("Cargo.toml"));
    }
    files.extend([root.join("guests/Cargo.toml"), root.join("guests/Cargo.lock")]);
    files.sort();
    hash(compiler.as_bytes(), &files)
}

/// Over what was given, and files with their names.
pub(crate) fn hash(given: &[u8], files: &[PathBuf]) -> Result<String, String> {
    let mut hash = Sha256::new();
    hash.update(given);
    for file in files {
        let bytes = fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries =
        fs::read_dir(folder).map_err(|error| format!("cannot read `{}`: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let generated = path.file_name().is_some_and(|name| name == "target");
        match (path.is_dir(), hidden || generated) {
            (_, true) => {}
            (true, false) => walk(&path, files)?,
            (false, false) => files.push(path),
        }
    }
    Ok(())
}

fn build_one(root: &Path, out: &Path, guest: &Guest, target: &str, digest: &str) -> Result<(), String> {
    let name = match guest.targets.len() {
        1 => guest.name.clone(),
        _ => format!("{}.{target}", guest.name),
    };
    let (wasm, stamp) = (out.join(format!("{name}.wasm")), out.join(format!("{name}.stamp")));
    if !(wasm.exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == digest)) {
        say(&format!("building {name}"));
        let shared = root.join("target/guests");
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--release", "--target", target, "--package", &guest.name])
            .current_dir(&guest.folder)
            .env("RUSTUP_TOOLCHAIN", TOOLCHAIN)
            .env("CARGO_TARGET_DIR", &shared)
            // Settings meant for the host's build are not for guests.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status();
        let status = status.map_err(|error| format!("cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("`{}` does not build", guest.folder.display()));
        }
        let built = shared.join(target).join("release");
        let file = [guest.name.clone(), guest.name.replace('-', "_")]
            .map(|name| built.join(format!("{name}.wasm")))
            .into_iter()
            .find(|file| file.exists())
            .ok_or_else(|| format!("the build of `{}` made no wasm file", guest.folder.display()))?;
        copy(&file, &wasm)?;
        fs::write(&stamp, digest).map_err(|error| format!("cannot write `{}`: {error}", stamp.display()))?;
    }
    if guest.folder.starts_with(root.join("examples")) {
        // Where `cargo build` in the example's own folder would put it.
        let is_library = guest.folder.join("src/lib.rs").exists();
        let file = if is_library { guest.name.replace('-', "_") } else { guest.name.clone() };
        copy(&wasm, &guest.folder.join(format!("target/{target}/release/{file}.wasm")))?;
    }
    Ok(())
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let folder = to.parent().expect("a file is in a folder");
    let copied = fs::create_dir_all(folder).and_then(|()| fs::copy(from, to));
    copied.map(drop).map_err(|error| format!("cannot write `{}`: {error}", to.display()))
}
