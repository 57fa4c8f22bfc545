//! Builds what runs in browsers: the kernels as wasm, once for each content, and `@tombolo/web` on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::guests::{copy, walk};
use crate::say;

/// One build of `web/kernels-wasm`.
struct Build {
    name: &'static str,
    toolchain: &'static str,
    /// Several threads on one memory: what the linker has to know is with the toolchain.
    shared: bool,
    rust_features: &'static str,
    wasm_opt: &'static [&'static str],
    /// A page waits for these bytes before it can compute: what a file may take when compressed.
    gzip_bytes_max: usize,
}

const BUILDS: &[Build] = &[
    Build {
        name: "baseline",
        toolchain: "wasm-guest",
        shared: false,
        rust_features: "",
        wasm_opt: &[],
        gzip_bytes_max: 50_000,
    },
    Build {
        name: "simd",
        toolchain: "wasm-guest",
        shared: false,
        rust_features: "+simd128",
        wasm_opt: &["--enable-simd"],
        gzip_bytes_max: 60_000,
    },
    Build {
        name: "threads",
        toolchain: "wasm-guest-threads",
        shared: true,
        rust_features: "",
        wasm_opt: &["--enable-simd", "--enable-threads"],
        gzip_bytes_max: 60_000,
    },
    // The same for engines that also have relaxed SIMD: the browser side picks it by validation.
    Build {
        name: "relaxed",
        toolchain: "wasm-guest-threads",
        shared: true,
        rust_features: "+relaxed-simd",
        wasm_opt: &["--enable-simd", "--enable-threads", "--enable-relaxed-simd"],
        gzip_bytes_max: 60_000,
    },
];

/// What rustc takes for granted on this target. Not `--all-features`: that emits what engines refuse.
const WASM_OPT: &[&str] = &[
    "-O3",
    // Until nothing gets smaller: a part of a per cent, and the baseline needs it.
    "--converge",
    // Nothing reads the first kilobyte of memory: a pointer there is none.
    "--low-memory-unused",
    "--strip-debug",
    "--strip-producers",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-reference-types",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-multivalue",
];

/// Builds all of it. `web/package/dist` is then what npm would publish.
pub(crate) fn build(root: &Path) -> Result<(), String> {
    let web = root.join("web");
    install(&web)?;
    let built = root.join("target/web");
    let mut heavy = Vec::new();
    for build in BUILDS {
        let wasm = built.join(format!("{}.wasm", build.name));
        build_one(root, build, &wasm)?;
        heavy.extend(weigh(build, &wasm)?);
        copy(&wasm, &web.join(format!("package/dist/wasm/{}.wasm", build.name)))?;
    }
    run(
        "npm",
        Command::new("npm").args(["run", "build", "--workspace", "package", "--silent"]).current_dir(&web),
    )?;
    if heavy.is_empty() {
        return Ok(());
    }
    Err(format!("over the budget of bytes to download:\n  {}", heavy.join("\n  ")))
}

/// `npm ci`, unless exactly this lock was installed before.
fn install(web: &Path) -> Result<(), String> {
    let mut hash = Sha256::new();
    for file in ["package-lock.json", "package.json"] {
        add(&mut hash, web, &web.join(file))?;
    }
    let (digest, stamp) = (hex(hash), web.join("node_modules/.tombolo-stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == digest) {
        return Ok(());
    }
    say("installing npm packages");
    run("npm", Command::new("npm").args(["ci", "--silent"]).current_dir(web))?;
    write(&stamp, &digest)
}

fn build_one(root: &Path, build: &Build, wasm: &Path) -> Result<(), String> {
    let flags = flags(build)?;
    let digest = digest(root, build, &flags)?;
    let stamp = wasm.with_extension("stamp");
    if wasm.exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == digest) {
        return Ok(());
    }
    say(&format!("building the kernels: {}", build.name));
    let crate_folder = root.join("web/kernels-wasm");
    // A folder for each build: they differ in flags, and cargo keeps one set of flags a folder.
    let target = root.join("target/web/cargo").join(build.name);
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-unknown-unknown"])
        .current_dir(&crate_folder)
        .env("RUSTUP_TOOLCHAIN", build.toolchain)
        .env("CARGO_TARGET_DIR", &target)
        // Encoded, as a path may have spaces in it; remapped, so that no path of this machine is published.
        .env("CARGO_ENCODED_RUSTFLAGS", encoded(&flags, root))
        .env_remove("RUSTFLAGS");
    run("cargo", &mut cargo)?;
    let file = target.join("wasm32-unknown-unknown/release/tombolo_kernels.wasm");
    let mut optimise = Command::new(root.join("web/node_modules/.bin/wasm-opt"));
    optimise.args(WASM_OPT).args(build.wasm_opt).arg(&file).arg("-o").arg(wasm);
    run("wasm-opt", &mut optimise)?;
    write(&stamp, &digest)
}

fn encoded(flags: &str, root: &Path) -> String {
    let remap = format!("--remap-path-prefix={}=tombolo", root.display());
    flags.split_whitespace().chain([remap.as_str()]).collect::<Vec<_>>().join("\u{1f}")
}

/// The flags of rustc. Those of a shared memory are written by `scripts/guest-toolchain`.
fn flags(build: &Build) -> Result<String, String> {
    let features = match build.rust_features {
        "" => String::new(),
        features => format!("-C target-feature={features}"),
    };
    if !build.shared {
        return Ok(features);
    }
    let home = std::env::var("WASM_GUEST_HOME").unwrap_or_else(|_| "/opt/wasm-guest".to_owned());
    let file = Path::new(&home).join("threads.rustflags");
    let shared = fs::read_to_string(&file).map_err(|error| {
        format!("cannot read `{}`: {error}: run scripts/guest-toolchain first", file.display())
    })?;
    Ok(format!("{} {features}", shared.trim()).trim().to_owned())
}

/// Over everything a build depends on: sources, compiler, flags, and the lock that pins wasm-opt.
fn digest(root: &Path, build: &Build, flags: &str) -> Result<String, String> {
    let compiler = Command::new("rustc").env("RUSTUP_TOOLCHAIN", build.toolchain).arg("-vV").output();
    let compiler = match compiler {
        Ok(output) if output.status.success() => output.stdout,
        _ => {
            return Err(format!(
                "there is no toolchain `{}`: run scripts/guest-toolchain first",
                build.toolchain
            ));
        }
    };
    let mut files = vec![root.join("web/package-lock.json"), root.join("Cargo.toml")];
    for folder in ["crates/tombolo-kernels", "web/kernels-wasm"] {
        walk(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(compiler);
    for text in [&[flags], WASM_OPT, build.wasm_opt].concat() {
        hash.update(text);
        hash.update([0]);
    }
    for file in files {
        add(&mut hash, root, &file)?;
    }
    Ok(hex(hash))
}

/// Prints what a file weighs; too much of it is an answer.
fn weigh(build: &Build, wasm: &Path) -> Result<Option<String>, String> {
    let raw = fs::metadata(wasm).map_err(|error| format!("cannot read `{}`: {error}", wasm.display()))?.len();
    let compress = "process.stdout.write(String(require('node:zlib').gzipSync(\
                    require('node:fs').readFileSync(process.argv[1]), { level: 9 }).length))";
    let output = Command::new("node").args(["-e", compress]).arg(wasm).output();
    let output = output.map_err(|error| format!("cannot run node: {error}"))?;
    let gzip: usize = String::from_utf8_lossy(&output.stdout).parse().map_err(|_| {
        format!("node cannot compress `{}`: {}", wasm.display(), String::from_utf8_lossy(&output.stderr))
    })?;
    let line =
        format!("{}.wasm: {raw} bytes, {gzip} compressed, at most {}", build.name, build.gzip_bytes_max);
    say(&line);
    Ok((gzip > build.gzip_bytes_max).then_some(line))
}

fn add(hash: &mut Sha256, root: &Path, file: &Path) -> Result<(), String> {
    let bytes = fs::read(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    // Where the repository lies says nothing about what is built.
    hash.update(file.strip_prefix(root).unwrap_or(file).to_string_lossy().as_bytes());
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
    Ok(())
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(file: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write `{}`: {error}", file.display()))
}

fn run(name: &str, command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed ({status}): {command:?}")),
        Err(error) => Err(format!("cannot run {name}: {error}")),
    }
}
