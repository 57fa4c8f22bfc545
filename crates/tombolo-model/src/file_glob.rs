//! Globs by which a manifest names files.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// Which files a glob names, by their paths below the manifest's folder.
#[derive(Clone, Debug)]
pub struct FileGlob {
    text: String,
    matcher: GlobMatcher,
}

/// Whether `*` goes beyond a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Star {
    /// `*` stays within a folder and `**` does not: how `files` are named.
    WithinFolder,
    /// `*` goes beyond: how files are excluded, as in Spin.
    Beyond,
}

/// Why a text is not a glob of files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no files below the manifest's folder: {reason}")]
pub struct FileGlobError {
    text: String,
    reason: String,
}

impl FileGlob {
    /// The glob that `text` is.
    ///
    /// # Errors
    ///
    /// If it is none, or leads out of the manifest's folder.
    pub fn new(text: &str, star: Star) -> Result<Self, FileGlobError> {
        let refuse = |reason: String| FileGlobError { text: text.to_owned(), reason };
        if text.is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        if Path::new(text).is_absolute() {
            let reason = "it is absolute: write `{ source = \"/dir\", destination = \"/dir\" }`";
            return Err(refuse(reason.to_owned()));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(refuse(
                "`..` leads out: write `{ source = \"../dir\", destination = \"/dir\" }`".to_owned(),
            ));
        }
        let plain = text.strip_prefix("./").unwrap_or(text);
        let glob = GlobBuilder::new(plain).literal_separator(star == Star::WithinFolder).build();
        let glob = glob.map_err(|error| refuse(error.kind().to_string()))?;
        Ok(Self { text: plain.to_owned(), matcher: glob.compile_matcher() })
    }

    /// Whether it names the file at `path`, relative to the manifest's folder.
    pub fn names(&self, path: &Path) -> bool {
        self.matcher.is_match(path)
    }

    /// The folder, relative to the manifest's, below which all it names is: its parts before the first with a
    /// wildcard, the last never.
    pub fn folder(&self) -> PathBuf {
        let parts: Vec<&str> = self.text.split('/').collect();
        let folders = &parts[..parts.len() - 1];
        folders.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).collect()
    }

    /// Whether it may name files in folders below [`FileGlob::folder`].
    pub fn is_deep(&self) -> bool {
        Path::new(&self.text).components().count() > self.folder().components().count() + 1
    }
}

impl std::fmt::Display for FileGlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(glob: &str, star: Star, path: &str) -> bool {
        FileGlob::new(glob, star).unwrap().names(Path::new(path))
    }

    #[test]
    fn a_glob_names_files_as_in_spin() {
        let files = |glob, path| names(glob, Star::WithinFolder, path);
        assert!(files("assets/**/*", "assets/a.css") && files("assets/**/*", "assets/b/c/d.css"));
        assert!(files("*.txt", "a.txt") && !files("*.txt", "b/a.txt"));
        assert!(files("./a.txt", "a.txt") && files("data/?.json", "data/1.json"));
        let excluded = |glob, path| names(glob, Star::Beyond, path);
        assert!(excluded("*.md", "a/b.md") && excluded("a/*", "a/b/c"));
    }

    #[test]
    fn its_folder_is_what_stands_before_wildcards() {
        for (glob, folder) in
            [("assets/**/*", "assets"), ("a/b/*.txt", "a/b"), ("*.txt", ""), ("a/b.txt", "a"), ("a*/b/c", "")]
        {
            let found = FileGlob::new(glob, Star::WithinFolder).unwrap().folder();
            assert_eq!(found, Path::new(folder), "{glob}");
            let is_deep = FileGlob::new(glob, Star::WithinFolder).unwrap().is_deep();
            assert_eq!(is_deep, glob.contains("**") || glob.starts_with("a*/"), "{glob}");
        }
    }

    #[test]
    fn what_names_no_files_below_is_refused() {
        for (glob, part) in [("", "empty"), ("/etc/*", "absolute"), ("a/../../b", "`..`"), ("a[", "unclosed")]
        {
            let error = FileGlob::new(glob, Star::WithinFolder).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_it_names_is_in_its_folder(glob in "[ab*/?]{1,8}", path in "[ab]{1,3}(/[ab]{1,3}){0,2}") {
            if let Ok(glob) = FileGlob::new(&glob, Star::WithinFolder)
                && glob.names(Path::new(&path))
            {
                prop_assert!(Path::new(&path).starts_with(glob.folder()), "{glob} {path}");
            }
        }
    }
}
