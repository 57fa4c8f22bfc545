//! Builds guests and examples in JavaScript and Python, once for each content: npm and pip install what their lock files
//! name, into a folder below `target`, and the SDK's own tool makes components of them there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::guests::{copy, hash, walk};
use crate::say;

/// One folder with a lock file.
struct Project {
    folder: &'static str,
    components: &'static [Component],
}

struct Component {
    name: &'static str,
    make: Make,
}

enum Make {
    /// `npm run <script>`, which leaves `<script>.wasm`.
    Npm { script: &'static str },
    /// `componentize-py` of a module, for a world of the SDK.
    Python { module: &'static str, world: &'static str },
}

const HTTP_3: &str = "spin-http";
const HTTP_5: &str = "spin:up/http-trigger@4.1.0";

const PROJECTS: &[Project] = &[
    Project {
        folder: "guests/js/spin-2",
        components: &[npm("js-2", "app"), npm("js-2-messages", "messages")],
    },
    Project {
        folder: "guests/py/spin-3",
        components: &[python("py-3", "app", HTTP_3), python("py-3-messages", "messages", "spin-redis")],
    },
    Project {
        folder: "guests/py/spin-5",
        components: &[
            python("py-5", "app", HTTP_5),
            python("py-5-messages", "messages", "spin:up/redis-trigger@4.1.0"),
        ],
    },
];

const fn npm(name: &'static str, script: &'static str) -> Component {
    Component { name, make: Make::Npm { script } }
}

const fn python(name: &'static str, module: &'static str, world: &'static str) -> Component {
    Component { name, make: Make::Python { module, world } }
}

/// Whether it is the name of one of these.
pub(crate) fn has(name: &str) -> bool {
    PROJECTS.iter().flat_map(|project| project.components).any(|component| component.name == name)
}

/// Builds all of them, or those of these names, into `target/guests/wasm/<name>.wasm`.
pub(crate) fn build(root: &Path, names: &[String]) -> Result<(), String> {
    thread::scope(|scope| {
        let builds: Vec<_> =
            PROJECTS.iter().map(|project| scope.spawn(move || project.build(root, names))).collect();
        builds.into_iter().try_for_each(|build| build.join().expect("a build does not panic"))
    })
}

impl Project {
    fn build(&self, root: &Path, names: &[String]) -> Result<(), String> {
        let source = root.join(self.folder);
        let out = root.join("target/guests/wasm");
        let files = self.files(&source)?;
        let wanted =
            |component: &&Component| names.is_empty() || names.iter().any(|name| name == component.name);
        for component in self.components.iter().filter(wanted) {
            let digest = hash(component.recipe().as_bytes(), &files)?;
            let wasm = out.join(format!("{}.wasm", component.name));
            let stamp = out.join(format!("{}.stamp", component.name));
            if !(wasm.exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == digest)) {
                let work = self.install(root, &source, &files)?;
                say(&format!("building {}", component.name));
                copy(&component.run(&work)?, &wasm)?;
                fs::write(&stamp, digest)
                    .map_err(|error| format!("cannot write `{}`: {error}", stamp.display()))?;
            }
            if self.folder.starts_with("examples/") {
                // Where its own `build` command puts it.
                copy(&wasm, &source.join("app.wasm"))?;
            }
        }
        Ok(())
    }

    /// What was written by hand, in order.
    fn files(&self, source: &Path) -> Result<Vec<PathBuf>, String> {
        let mut files = Vec::new();
        walk(source, &mut files)?;
        let made = |path: &Path| {
            path.extension().is_some_and(|extension| extension == "wasm")
                || path.iter().any(|part| part == "node_modules" || part == "__pycache__" || part == "build")
        };
        files.retain(|file| file.strip_prefix(source).is_ok_and(|path| !made(path)));
        files.sort();
        Ok(files)
    }

    /// A folder with a copy of the sources, and beside them what the lock file names.
    fn install(&self, root: &Path, source: &Path, files: &[PathBuf]) -> Result<PathBuf, String> {
        let work = root.join("target/guests/scripted").join(self.folder);
        for file in files {
            copy(file, &work.join(file.strip_prefix(source).expect("it is a file of this folder")))?;
        }
        let is_python = source.join("requirements.txt").exists();
        let lock = source.join(if is_python { "requirements.txt" } else { "package-lock.json" });
        let (digest, stamp) = (hash(b"", &[lock])?, work.join("installed.stamp"));
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == digest) {
            return Ok(work);
        }
        say(&format!("installing what {} needs", self.folder));
        if is_python {
            let packages = work.join("packages");
            if packages.exists() {
                fs::remove_dir_all(&packages)
                    .map_err(|error| format!("cannot clear `{}`: {error}", packages.display()))?;
            }
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            pip.args(["--require-hashes", "--only-binary", ":all:", "--target", "packages"]);
            run(pip.args(["--requirement", "requirements.txt"]).current_dir(&work))?;
        } else {
            // No package's scripts: what is used here needs none, and what is not should not run.
            let options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
            run(Command::new("npm").args(options).current_dir(&work))?;
        }
        fs::write(&stamp, digest).map_err(|error| format!("cannot write `{}`: {error}", stamp.display()))?;
        Ok(work)
    }
}

impl Component {
    /// What it is made with, as part of its digest.
    fn recipe(&self) -> String {
        match self.make {
            Make::Npm { script } => script.to_owned(),
            Make::Python { module, world } => format!("{module} {world}"),
        }
    }

    /// Makes it in a folder where all is installed.
    fn run(&self, work: &Path) -> Result<PathBuf, String> {
        let (mut command, made) = match self.make {
            Make::Npm { script } => {
                let mut command = Command::new("npm");
                command.args(["run", "--silent", script]);
                (command, format!("{script}.wasm"))
            }
            Make::Python { module, world } => {
                let made = format!("{module}.wasm");
                let mut command = Command::new("python3");
                command.args(["packages/bin/componentize-py", "--world", world, "componentize", module]);
                command.args(["--python-path", ".", "--python-path", "packages", "--output", &made]);
                command.env("PYTHONPATH", work.join("packages")).env("PYTHONDONTWRITEBYTECODE", "1");
                (command, made)
            }
        };
        run(command.current_dir(work))?;
        Ok(work.join(made))
    }
}

/// Runs it to its end; what it says is of interest if it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|error| format!("cannot run {program}: {error}: see scripts/setup test"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?} failed:\n{}", String::from_utf8_lossy(&said)))
}
