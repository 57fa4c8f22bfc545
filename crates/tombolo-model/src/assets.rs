//! Static assets: a directory whose files answer below a route.

use std::path::PathBuf;

use globset::GlobMatcher;
use http::{HeaderName, HeaderValue};

use crate::file_path::FilePath;
use crate::route::Pattern;

/// One `[[application.tool.tombolo.static]]`: where its files are, and how they are served.
#[derive(Clone, Debug)]
pub struct StaticAssets {
    /// Which paths it answers. It ends in a wildcard: what that stands for names the file.
    pub route: Pattern,
    /// The route as the manifest wrote it, before `base` was put in front.
    pub raw_route: String,
    /// The directory, relative to the manifest's folder unless absolute.
    pub directory: PathBuf,
    /// The file that answers for a folder.
    pub index: FilePath,
    /// The file that answers a page's request that no file matches: that of a single-page app.
    pub fallback: Option<FilePath>,
    /// Which files may be kept by whom and for how long.
    pub caching: Caching,
    /// Sent with every answer, refusals too.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// In which encodings a file may lie beside itself, the preferred one first.
    pub precompressed: Vec<Encoding>,
}

/// `cache-control`, by file.
#[derive(Clone, Debug)]
pub struct Caching {
    /// The first rule whose files match says it.
    pub rules: Vec<CacheRule>,
    /// Where none does.
    pub otherwise: HeaderValue,
}

/// What is said of some files.
#[derive(Clone, Debug)]
pub struct CacheRule {
    /// Which, by their paths below the directory. `*` stays within a folder, `**` does not.
    pub files: GlobMatcher,
    /// Their `cache-control`.
    pub control: HeaderValue,
}

impl Caching {
    /// What may be kept, as long as it is asked for anew before each use: never stale, and cheap
    /// because of the `etag`.
    pub const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

    /// The `cache-control` of the file at `path` below the directory.
    pub fn control(&self, path: &str) -> &HeaderValue {
        let rule = self.rules.iter().find(|rule| rule.files.is_match(path));
        rule.map_or(&self.otherwise, |rule| &rule.control)
    }
}

/// An encoding in which a file may lie beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Zstd];

    /// Its name in `accept-encoding` and in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What follows the name of the file.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}
