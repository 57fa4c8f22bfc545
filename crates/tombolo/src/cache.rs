//! Where compiled components are kept.

use std::ffi::OsString;
use std::path::PathBuf;

/// `TOMBOLO_CACHE_DIR`, or `tombolo` in the user's cache folder (XDG Base Directory Specification);
/// `None` where there is no home.
pub(crate) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("TOMBOLO_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tombolo")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/tombolo")))?;
    Some(root.join("artefacts"))
}

#[cfg(test)]
mod tests {

    #[test]
    fn the_nearest_setting_wins() {
        let folder = |set: &[(&str, &str)]| {
            super::folder(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let home = ("HOME", "/h");
        assert_eq!(folder(&[home]), Some("/h/.cache/tombolo/artefacts".into()));
        assert_eq!(folder(&[home, ("XDG_CACHE_HOME", "/x")]), Some("/x/tombolo/artefacts".into()));
        assert_eq!(folder(&[home, ("TOMBOLO_CACHE_DIR", "/t")]), Some("/t/artefacts".into()));
        assert_eq!(folder(&[home, ("TOMBOLO_CACHE_DIR", "")]), Some("/h/.cache/tombolo/artefacts".into()));
        assert_eq!(folder(&[]), None);
    }
}
