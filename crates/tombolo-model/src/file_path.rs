//! The path of a file below a directory, as a URL or a manifest writes it.

/// A path that leads to a file below a directory, and nowhere else: names, none of which is empty,
/// hidden or a step upwards. The directory itself has none.
///
/// Names that begin with a dot are refused whole, not only `.` and `..`: what is kept beside a site
/// (`.git`, `.env`) is not part of it. The exception is `.well-known` at the top (RFC 8615).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// The names, with `/` between them.
    path: String,
    is_folder: bool,
}

/// Why a text names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilePathError {
    /// A `%` that two hexadecimal digits do not follow.
    #[error("expected two hexadecimal digits behind each `%`")]
    Encoding,
    /// A name that no file served here has.
    #[error("expected names with `/` between them, not hidden, without `..`, `\\` or control characters")]
    Name,
}

/// The only hidden folder that is served.
const WELL_KNOWN: &str = ".well-known";

impl FilePath {
    /// The path that the rest of a URL's path means, percent-encoded as it came.
    ///
    /// # Errors
    ///
    /// If it is encoded wrongly, or can name no file that is served.
    pub fn from_url(rest: &str) -> Result<Self, FilePathError> {
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let (names, is_folder) = match rest.strip_suffix('/') {
            Some(names) => (names, true),
            None => (rest, rest.is_empty()),
        };
        let mut path = String::with_capacity(names.len());
        // The directory itself has no name, where `"".split('/')` would give an empty one.
        for name in names.split('/').skip(usize::from(rest.is_empty())) {
            if !path.is_empty() {
                path.push('/');
            }
            let from = path.len();
            decode(name, &mut path)?;
            check(&path[from..], from == 0)?;
        }
        Ok(Self { path, is_folder })
    }

    /// The path that a manifest writes, as it is.
    ///
    /// # Errors
    ///
    /// If it is no path of a file below the directory.
    pub fn from_text(text: &str) -> Result<Self, FilePathError> {
        for (number, name) in text.split('/').enumerate() {
            check(name, number == 0)?;
        }
        Ok(Self { path: text.to_owned(), is_folder: false })
    }

    /// The path, relative to the directory; empty for the directory itself.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it was written as that of a folder: with a slash behind it.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// `file` below this path.
    #[must_use]
    pub fn join(&self, file: &FilePath) -> Self {
        let slash = if self.path.is_empty() { "" } else { "/" };
        Self { path: format!("{}{slash}{}", self.path, file.path), is_folder: file.is_folder }
    }
}

fn check(name: &str, is_first: bool) -> Result<(), FilePathError> {
    let is_hidden = name.starts_with('.') && !(is_first && name == WELL_KNOWN);
    // Some systems and all browsers take `\` for a slash.
    let is_odd = name.is_empty() || name.contains(['/', '\\']) || name.contains(char::is_control);
    if is_hidden || is_odd { Err(FilePathError::Name) } else { Ok(()) }
}

/// Appends what `name` means.
fn decode(name: &str, path: &mut String) -> Result<(), FilePathError> {
    if !name.contains('%') {
        path.push_str(name);
        return Ok(());
    }
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let mut bytes = name.bytes();
    let mut decoded = Vec::with_capacity(name.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = digit(bytes.next()).ok_or(FilePathError::Encoding)?;
                let low = digit(bytes.next()).ok_or(FilePathError::Encoding)?;
                u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte")
            }
            byte => byte,
        });
    }
    // A name that is no text is nobody's.
    path.push_str(std::str::from_utf8(&decoded).map_err(|_| FilePathError::Name)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(rest: &str, expected: Result<(&str, bool), FilePathError>) {
        let found = FilePath::from_url(rest);
        let found = found.as_ref().map(|path| (path.as_str(), path.is_folder())).map_err(|error| *error);
        assert_eq!(found, expected, "{rest}");
    }

    #[test]
    fn a_url_names_a_file_or_a_folder() {
        check("", Ok(("", true)));
        check("/", Ok(("", true)));
        check("/a.js", Ok(("a.js", false)));
        check("/a/b%20c.js", Ok(("a/b c.js", false)));
        check("/a/", Ok(("a", true)));
        check("/%C3%A4%E2%82%AC", Ok(("ä€", false)));
        check("/a%2eb..c", Ok(("a.b..c", false)));
        check("/.well-known/security.txt", Ok((".well-known/security.txt", false)));
    }

    #[test]
    fn what_could_lead_elsewhere_or_is_hidden_names_nothing() {
        for rest in [
            "/..",
            "/../a",
            "/a/../b",
            "/%2e%2e/a",
            "/%2E%2e",
            "/.%2e/a",
            "/.",
            "/a/.",
            "/./a",
            "//a",
            "//",
            "/a//b",
            "/a//",
            "/%2fetc",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%00",
            "/a%0ab",
            "/.git/config",
            "/a/.env",
            "/%2eenv",
            "/a/.well-known/b",
            "/.well-known2",
            "/%ff",
            "/%C3",
            "/%C2%85",
        ] {
            check(rest, Err(FilePathError::Name));
        }
        for rest in ["/%", "/%2", "/%zz", "/a%", "/%%", "/%+1"] {
            check(rest, Err(FilePathError::Encoding));
        }
    }

    #[test]
    fn a_manifest_writes_paths_as_they_are() {
        assert_eq!(FilePath::from_text("a/b%20.html").unwrap().as_str(), "a/b%20.html");
        for text in ["", "/a", "a/", "../a", "a/../b", ".env", "a//b"] {
            assert_eq!(FilePath::from_text(text), Err(FilePathError::Name), "{text}");
        }
        let index = FilePath::from_text("index.html").unwrap();
        assert_eq!(FilePath::from_url("/").unwrap().join(&index).as_str(), "index.html");
        assert_eq!(FilePath::from_url("/a/").unwrap().join(&index).as_str(), "a/index.html");
    }

    proptest! {
        /// Whatever a client writes: what is joined to a directory stays below it.
        #[test]
        fn no_path_leaves_its_directory(rest in "(/|\\.|%2[eEfF]|%5c|%00|%[0-9a-f]{2}|[a-z\\\\]){0,24}") {
            if let Ok(path) = FilePath::from_url(&rest) {
                let mut names = std::path::Path::new(path.as_str()).components();
                prop_assert!(names.all(|name| matches!(name, std::path::Component::Normal(_))));
                prop_assert!(!path.as_str().contains('\0'));
                let hidden = path.as_str().split('/').skip(1).any(|name| name.starts_with('.'));
                prop_assert!(!hidden, "{}", path.as_str());
            }
        }

        #[test]
        fn an_encoded_name_is_the_name(name in "[a-z][^/\\\\\\x00-\\x1f\\x7f-\\u{9f}]{0,12}") {
            let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let path = FilePath::from_url(&encoded).unwrap();
            prop_assert_eq!(path.as_str(), name);
        }
    }
}
