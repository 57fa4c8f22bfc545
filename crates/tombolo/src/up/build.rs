//! Runs the build commands of an app.

use std::path::Path;
use std::process::Command;

use tombolo_model::App;

use super::say;
use crate::failure::Failure;

/// Builds every component that says how, in the order of their ids.
pub(crate) fn build(app: &App, root: &Path) -> Result<(), Failure> {
    for component in app.components.values() {
        let Some(build) = &component.build else { continue };
        for command in &build.commands {
            say(&format!("Building {}: {command}\n", component.id));
            // A shell, as in Spin: manifests write commands for one. What it prints is the user's.
            let status = Command::new("/bin/sh")
                .arg("-c")
                .arg(command)
                .current_dir(root.join(&build.workdir))
                .status();
            let status = status.map_err(|error| Failure::new(format!("cannot run `{command}`: {error}")))?;
            if !status.success() {
                let message =
                    format!("building component `{}` failed: `{command}` ended with {status}", component.id);
                return Err(Failure::new(message));
            }
        }
    }
    Ok(())
}
