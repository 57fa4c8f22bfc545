//! The guests that mean harm, and what became of them.

use std::path::Path;
use std::process::Command;

/// Builds the guests, attacks with them, and shows a line for each attack.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    crate::guests::build(root, &[])?;
    // One at a time and with what the tests print: that is the list.
    let arguments =
        ["test", "--package", "tombolo", "--test", "hostile", "--", "--nocapture", "--test-threads=1"];
    let status = Command::new("cargo").args(arguments).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("not every attack is stood".to_owned()),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
