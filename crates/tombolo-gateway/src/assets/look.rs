//! Which file answers a path, and its content if that is small.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tombolo_model::assets::Encoding;
use tombolo_model::file_path::FilePath;

use super::folder::{Entry, Folder, Version};
use super::sending::CHUNK;
use super::{Assets, Shelf, accept};

/// The file that answers.
pub(super) struct Found {
    /// Its path below the directory, without the suffix of an encoding.
    pub(super) path: String,
    /// How it is encoded.
    pub(super) encoding: Option<Encoding>,
    pub(super) version: Version,
    /// It answers for want of the file that was asked for.
    pub(super) is_fallback: bool,
    pub(super) content: Content,
}

/// What is in a file.
pub(super) enum Content {
    /// Read, together with the tag of just this.
    Read(Bytes, HeaderValue),
    /// Large: to be read as it is sent.
    Open(Arc<File>),
}

/// What a look finds.
pub(super) enum Look {
    Found(Found),
    /// A folder that was asked for as if it were a file.
    Folder,
    Nothing,
}

/// An open file and its path.
struct Candidate {
    path: String,
    file: File,
    version: Version,
}

impl Assets {
    /// Looks for what answers `path`. Blocks as long as the file system does.
    pub(super) fn look(&self, shelf: &Shelf, path: &FilePath, headers: &HeaderMap) -> io::Result<Look> {
        let folder = Folder::open(&self.directory)?;
        let (plain, is_fallback) = match self.direct(&folder, path)? {
            Direct::File(plain) => (plain, false),
            Direct::Folder => return Ok(Look::Folder),
            Direct::Nothing => match self.fallback(&folder, headers)? {
                Some(plain) => (plain, true),
                None => return Ok(Look::Nothing),
            },
        };
        let (chosen, encoding) = self.encoded(&folder, plain, headers)?;
        let Candidate { path, file, version } = chosen;
        let content =
            if version.length <= CHUNK { read(shelf, file, version)? } else { Content::Open(Arc::new(file)) };
        Ok(Look::Found(Found { path, encoding, version, is_fallback, content }))
    }

    /// The file itself, or that of its folder.
    fn direct(&self, folder: &Folder, path: &FilePath) -> io::Result<Direct> {
        Ok(match folder.find(path.as_str())? {
            Some(Entry::Folder) => match candidate(folder, path.join(&self.settings.index).as_str())? {
                Some(index) if path.is_folder() => Direct::File(index),
                Some(_) => Direct::Folder,
                None => Direct::Nothing,
            },
            // `/a.txt/` is no file.
            Some(Entry::File(file, version)) if !path.is_folder() => {
                Direct::File(Candidate { path: path.as_str().to_owned(), file, version })
            }
            _ => Direct::Nothing,
        })
    }

    /// The page of a single-page app, for whoever asks for a page.
    fn fallback(&self, folder: &Folder, headers: &HeaderMap) -> io::Result<Option<Candidate>> {
        match &self.settings.fallback {
            Some(fallback) if accept::wants_page(headers) => candidate(folder, fallback.as_str()),
            _ => Ok(None),
        }
    }

    /// The file in the encoding that the client likes best, among those that lie beside it and are not
    /// older than it is.
    fn encoded(
        &self,
        folder: &Folder,
        plain: Candidate,
        headers: &HeaderMap,
    ) -> io::Result<(Candidate, Option<Encoding>)> {
        for encoding in accept::encodings(headers, &self.settings.precompressed) {
            let beside = format!("{}{}", plain.path, encoding.suffix());
            if let Some(Candidate { file, version, .. }) = candidate(folder, &beside)?
                && !version.is_older_than(&plain.version)
            {
                return Ok((Candidate { path: plain.path, file, version }, Some(encoding)));
            }
        }
        Ok((plain, None))
    }
}

/// What a path itself leads to.
enum Direct {
    File(Candidate),
    /// A folder that has an index, asked for as if it were a file.
    Folder,
    Nothing,
}

fn candidate(folder: &Folder, path: &str) -> io::Result<Option<Candidate>> {
    Ok(match folder.find(path)? {
        Some(Entry::File(file, version)) => Some(Candidate { path: path.to_owned(), file, version }),
        _ => None,
    })
}

/// Reads a small file. Whatever happens to it meanwhile, the tag is that of what was read.
fn read(shelf: &Shelf, file: File, version: Version) -> io::Result<Content> {
    let mut content = Vec::with_capacity(usize::try_from(version.length).unwrap_or_default());
    (&file).take(version.length).read_to_end(&mut content)?;
    let after = Version::of(&file)?;
    let known = shelf.tags.known(version).filter(|_| after == version);
    let tag = known.unwrap_or_else(|| shelf.tags.take(after, &content));
    Ok(Content::Read(content.into(), tag))
}
