//! What no compiler checks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Lines in one source file: one concept fits in fewer.
const LINES_MAX: usize = 500;
/// Bytes in one tracked file: nothing here is a binary or generated.
const BYTES_MAX: u64 = 400_000;

/// Who may depend on whom, one way down: see ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("tombolo-model", &[]),
    ("tombolo-confine", &[]),
    ("tombolo-egress", &["tombolo-model"]),
    ("tombolo-capability", &["tombolo-egress", "tombolo-model"]),
    ("tombolo-store", &["tombolo-model"]),
    ("tombolo-api", &["tombolo-model"]),
    ("tombolo-control", &["tombolo-api", "tombolo-model", "tombolo-store"]),
    ("tombolo-cap-wasi", &["tombolo-capability", "tombolo-egress", "tombolo-model"]),
    (
        "tombolo-cap-kv",
        &["tombolo-capability", "tombolo-egress", "tombolo-model", "tombolo-redis", "tombolo-store"],
    ),
    ("tombolo-remote", &["tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-llm", &["tombolo-capability", "tombolo-egress", "tombolo-model", "tombolo-remote"]),
    ("tombolo-redis", &["tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-redis", &["tombolo-capability", "tombolo-egress", "tombolo-model", "tombolo-redis"]),
    ("tombolo-cap-mqtt", &["tombolo-capability", "tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-mysql", &["tombolo-capability", "tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-postgres", &["tombolo-capability", "tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-sqlite", &["tombolo-capability", "tombolo-egress", "tombolo-model"]),
    ("tombolo-cap-variables", &["tombolo-capability", "tombolo-egress", "tombolo-model", "tombolo-remote"]),
    ("tombolo-runtime", &["tombolo-cap-wasi", "tombolo-capability", "tombolo-model", "tombolo-store"]),
    ("tombolo-gateway", &["tombolo-model", "tombolo-runtime"]),
    (
        "tombolo-node",
        &[
            "tombolo-cap-kv",
            "tombolo-cap-llm",
            "tombolo-cap-mqtt",
            "tombolo-cap-mysql",
            "tombolo-cap-postgres",
            "tombolo-cap-redis",
            "tombolo-cap-sqlite",
            "tombolo-cap-variables",
            "tombolo-cap-wasi",
            "tombolo-capability",
            "tombolo-control",
            "tombolo-egress",
            "tombolo-gateway",
            "tombolo-model",
            "tombolo-redis",
            "tombolo-runtime",
            "tombolo-store",
        ],
    ),
    (
        "tombolo",
        &[
            "tombolo-api",
            "tombolo-cap-kv",
            "tombolo-cap-llm",
            "tombolo-cap-mqtt",
            "tombolo-cap-mysql",
            "tombolo-cap-postgres",
            "tombolo-cap-redis",
            "tombolo-cap-sqlite",
            "tombolo-cap-variables",
            "tombolo-cap-wasi",
            "tombolo-capability",
            "tombolo-confine",
            "tombolo-model",
            "tombolo-node",
            "tombolo-runtime",
            "tombolo-store",
        ],
    ),
    (
        "tombolo-fuzz",
        &[
            "tombolo-api",
            "tombolo-cap-mqtt",
            "tombolo-cap-mysql",
            "tombolo-cap-postgres",
            "tombolo-cap-wasi",
            "tombolo-control",
            "tombolo-egress",
            "tombolo-gateway",
            "tombolo-kernels",
            "tombolo-model",
            "tombolo-redis",
            "tombolo-runtime",
        ],
    ),
    ("tombolo-kernels", &[]),
    ("tombolo-testkit", &[]),
    ("xtask", &[]),
];

/// Checks all of it and says everything that is wrong.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let files = tracked(root)?;
    let mut wrong = Vec::new();
    for file in &files {
        sizes(root, file, &mut wrong);
        words(root, file, &mut wrong);
        examples(root, file, &mut wrong);
        if file.ends_with(".md") {
            links(root, file, &mut wrong);
        }
    }
    arrows(root, &mut wrong)?;
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{} things are untidy:\n  {}", wrong.len(), wrong.join("\n  ")))
}

/// Tracked files, and new ones that are not ignored.
fn tracked(root: &Path) -> Result<Vec<String>, String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root).output();
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout);
    let names = names.lines().filter(|name| root.join(name).exists()).map(str::to_owned);
    Ok(names.collect())
}

fn sizes(root: &Path, file: &str, wrong: &mut Vec<String>) {
    let bytes = fs::metadata(root.join(file)).map_or(0, |metadata| metadata.len());
    if bytes > BYTES_MAX {
        wrong.push(format!("{file}: {bytes} bytes, at most {BYTES_MAX} are tracked"));
    }
    if file.ends_with(".wasm") || file.ends_with(".cwasm") {
        wrong.push(format!("{file}: binaries are built, not tracked"));
    }
    if file.ends_with(".rs") {
        let lines = fs::read_to_string(root.join(file)).map_or(0, |text| text.lines().count());
        if lines > LINES_MAX {
            wrong.push(format!("{file}: {lines} lines, at most {LINES_MAX}: split it by concept"));
        }
    }
}

/// What must not be in a commit: paths of a machine, unfinished work.
fn words(root: &Path, file: &str, wrong: &mut Vec<String>) {
    if file.ends_with(".lock") || file == "xtask/src/tidy.rs" {
        return;
    }
    let Ok(text) = fs::read_to_string(root.join(file)) else { return };
    let words = ["/root/", "/work/", "todo!(", "unimplemented!(", "FIXME", "#[ignore"];
    for (number, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            wrong.push(format!("{file}:{}: `{word}`", number + 1));
        }
    }
}

/// Documentation has no Rust code: nothing here runs it, and what is not run goes stale. Examples are tests.
fn examples(root: &Path, file: &str, wrong: &mut Vec<String>) {
    if !file.ends_with(".rs") {
        return;
    }
    let Ok(text) = fs::read_to_string(root.join(file)) else { return };
    let mut is_open = false;
    for (number, line) in text.lines().enumerate() {
        let Some(documents) = line.trim_start().strip_prefix("//") else { continue };
        let Some(fence) = documents.trim_start_matches(['/', '!']).trim_start().strip_prefix("```") else {
            continue;
        };
        is_open = !is_open;
        // Every other language is one that rustdoc shows and does not compile.
        if is_open && !["js", "json", "sh", "text", "toml"].contains(&fence.trim()) {
            wrong.push(format!(
                "{file}:{}: code in documentation that nothing runs: make it a test",
                number + 1
            ));
        }
    }
}

/// Relative links of a page lead to files.
fn links(root: &Path, file: &str, wrong: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(root.join(file)) else { return };
    let folder = root.join(file).parent().map(Path::to_owned).unwrap_or_default();
    for part in text.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or("");
        let path = target.split('#').next().unwrap_or("");
        let is_relative = !path.is_empty() && !path.contains("://") && !path.contains(' ');
        if is_relative && !folder.join(path).exists() {
            wrong.push(format!("{file}: the link to `{target}` leads nowhere"));
        }
    }
}

fn arrows(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    let metadata = metadata.map_err(|error| format!("cannot read the workspace: {error}"))?;
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in &metadata.packages {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            wrong.push(format!("{}: a crate that ARROWS in xtask/src/tidy.rs does not place", package.name));
            continue;
        };
        let ours =
            package.dependencies.iter().filter(|it| it.path.is_some() && it.kind == DependencyKind::Normal);
        for dependency in ours.filter(|dependency| !allowed.contains(&dependency.name.as_str())) {
            wrong.push(format!("{} must not depend on {}", package.name, dependency.name));
        }
    }
    Ok(())
}
