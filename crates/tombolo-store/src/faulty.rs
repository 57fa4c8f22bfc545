//! A disk that fails, or loses power, at a step of a test's choice.
//!
//! Beside the folder that the store reads it keeps what a disk would hold: of each file what was written and what was
//! synced, of each folder the names that are there and those that were synced. After a power cut a new folder is made of
//! one or the other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::disk::{Disk, Os};

/// What happens at the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, this once, and nothing of it is done.
    Error(io::ErrorKind),
    /// Half of it is done, and power is lost; all that was done before is on the disk.
    Torn,
    /// Power is lost, and with it what was not synced.
    Lost,
    /// The same, but names are kept in order, as a journal does: files may have names and nothing in them.
    LostData,
}

pub(crate) const FAULTS: [Fault; 5] = [
    Fault::Error(io::ErrorKind::Other),
    Fault::Error(io::ErrorKind::StorageFull),
    Fault::Torn,
    Fault::Lost,
    Fault::LostData,
];

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct FaultyDisk(Arc<Mutex<Model>>);

#[derive(Debug)]
struct Model {
    root: PathBuf,
    files: Vec<Bytes>,
    folders: Vec<Names>,
    /// Steps until the fault.
    left: Option<usize>,
    fault: Fault,
    has_failed: bool,
    has_power: bool,
}

/// What is in a file, and what of it was synced.
#[derive(Clone, Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    synced: Vec<u8>,
}

/// What is in a folder, and what of it was synced.
#[derive(Clone, Debug, Default)]
struct Names {
    now: BTreeMap<OsString, Node>,
    synced: BTreeMap<OsString, Node>,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    File(usize),
    Folder(usize),
}

/// How far a step goes.
enum Step {
    Whole,
    Half,
}

fn no_power() -> io::Error {
    io::Error::other("no power")
}

impl Model {
    fn new(root: &Path, fault: Fault, left: Option<usize>) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            folders: vec![Names::default()],
            left,
            fault,
            has_failed: false,
            has_power: true,
        }
    }

    /// One step begins.
    fn step(&mut self) -> io::Result<Step> {
        if !self.has_power {
            return Err(no_power());
        }
        match &mut self.left {
            None => return Ok(Step::Whole),
            Some(0) => {}
            Some(left) => {
                *left -= 1;
                return Ok(Step::Whole);
            }
        }
        (self.left, self.has_failed) = (None, true);
        match self.fault {
            Fault::Error(kind) => Err(kind.into()),
            Fault::Torn => {
                self.has_power = false;
                Ok(Step::Half)
            }
            Fault::Lost | Fault::LostData => {
                self.has_power = false;
                Err(no_power())
            }
        }
    }

    /// The same for a step that is done or not done.
    fn whole_step(&mut self) -> io::Result<()> {
        match self.step()? {
            Step::Whole => Ok(()),
            Step::Half => Err(no_power()),
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let below = path.strip_prefix(&self.root).expect("a path of this disk");
        below.components().try_fold(Node::Folder(0), |node, part| match node {
            Node::Folder(folder) => self.folders[folder].now.get(part.as_os_str()).copied(),
            Node::File(_) => None,
        })
    }

    fn folder(&mut self, path: &Path) -> &mut Names {
        match self.find(path) {
            Some(Node::Folder(folder)) => &mut self.folders[folder],
            found => panic!("`{}` is {found:?}", path.display()),
        }
    }

    fn file(&mut self, path: &Path) -> &mut Bytes {
        match self.find(path) {
            Some(Node::File(file)) => &mut self.files[file],
            found => panic!("`{}` is {found:?}", path.display()),
        }
    }

    fn name(&mut self, path: &Path, node: Node) {
        let name = path.file_name().expect("a name").to_owned();
        self.folder(path.parent().expect("a folder")).now.insert(name, node);
    }

    fn unname(&mut self, path: &Path) -> Node {
        let name = path.file_name().expect("a name").to_owned();
        self.folder(path.parent().expect("a folder")).now.remove(&name).expect("it is there")
    }

    fn new_file(&mut self, bytes: Bytes) -> Node {
        self.files.push(bytes);
        Node::File(self.files.len() - 1)
    }

    fn new_folder(&mut self, names: Names) -> Node {
        self.folders.push(names);
        Node::Folder(self.folders.len() - 1)
    }

    /// What is left of a folder, as the folder `to`; the bytes of databases are in the model alone.
    fn left(&self, folder: usize, to: &Path, new: &mut Self) -> Names {
        let (names, is_synced) = match self.fault {
            Fault::Lost => (&self.folders[folder].synced, true),
            Fault::LostData => (&self.folders[folder].now, true),
            Fault::Torn | Fault::Error(_) => (&self.folders[folder].now, false),
        };
        fs::create_dir_all(to).unwrap();
        let mut left = BTreeMap::new();
        for (name, node) in names {
            let path = to.join(name);
            let node = match node {
                Node::Folder(below) => {
                    let below = self.left(*below, &path, new);
                    new.new_folder(below)
                }
                Node::File(file) => {
                    let Bytes { now, synced } = &self.files[*file];
                    let bytes = if is_synced { synced } else { now };
                    fs::write(&path, if is_database(&path) { &[] } else { bytes.as_slice() }).unwrap();
                    new.new_file(Bytes { now: bytes.clone(), synced: bytes.clone() })
                }
            };
            left.insert(name.clone(), node);
        }
        Names { now: left.clone(), synced: left }
    }
}

impl FaultyDisk {
    /// An empty disk without a fault, as the folder `root`.
    pub(crate) fn empty(root: &Path) -> Self {
        fs::create_dir_all(root).unwrap();
        Self(Arc::new(Mutex::new(Model::new(root, Fault::Torn, None))))
    }

    /// A disk that holds what this one does, as the folder `root`, and fails after so many steps.
    pub(crate) fn failing(&self, root: &Path, fault: Fault, steps: usize) -> Self {
        let disk = self.left(root);
        {
            let mut model = disk.0.lock().unwrap();
            (model.fault, model.left) = (fault, Some(steps));
        }
        disk
    }

    /// A disk without a fault that holds what this one does when power is back, or would, as the folder `root`.
    pub(crate) fn left(&self, root: &Path) -> Self {
        let old = self.0.lock().unwrap();
        let mut model = Model::new(root, old.fault, None);
        model.folders[0] = old.left(0, root, &mut model);
        Self(Arc::new(Mutex::new(model)))
    }

    /// Whether the fault came.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.lock().unwrap().has_failed
    }
}

fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "redb" || extension == "new")
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        let file = Os.create(path)?;
        let new = model.new_file(Bytes::default());
        model.name(path, new);
        Ok(file)
    }

    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        let step = model.step()?;
        let bytes = match step {
            Step::Whole => bytes,
            Step::Half => &bytes[..bytes.len() / 2],
        };
        model.file(path).now.extend(bytes);
        Os.write(file, path, bytes)?;
        match step {
            Step::Whole => Ok(()),
            Step::Half => Err(no_power()),
        }
    }

    fn sync(&self, _: &File, path: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        let file = model.file(path);
        file.synced = file.now.clone();
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        let names = model.folder(folder);
        names.synced = names.now.clone();
        Ok(())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        Os.create_folder(folder)?;
        let new = model.new_folder(Names::default());
        model.name(folder, new);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        Os.link(from, to)?;
        let node = model.find(from).expect("it was linked");
        model.name(to, node);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        Os.rename(from, to)?;
        let node = model.unname(from);
        model.name(to, node);
        Ok(())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        assert!(!to.exists(), "`{}` is there", to.display());
        self.rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        Os.remove(file)?;
        model.unname(file);
        Ok(())
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        let mut model = self.0.lock().unwrap();
        model.whole_step()?;
        Os.remove_folder(folder)?;
        model.unname(folder);
        Ok(())
    }

    fn database(&self, path: &Path, how: &Builder) -> Result<Database, DatabaseError> {
        let node = {
            let mut model = self.0.lock().unwrap();
            if model.find(path).is_none() {
                model.whole_step().map_err(|error| DatabaseError::Storage(error.into()))?;
                // That it is there is what the store asks of the folder; what is in it is the model's.
                fs::write(path, "").unwrap();
                let new = model.new_file(Bytes::default());
                model.name(path, new);
            }
            model.find(path)
        };
        let Some(Node::File(file)) = node else { panic!("`{}` is {node:?}", path.display()) };
        how.create_with_backend(Backend { model: Arc::clone(&self.0), file })
    }
}

/// A database of a faulty disk.
#[derive(Debug)]
struct Backend {
    model: Arc<Mutex<Model>>,
    file: usize,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.model.lock().unwrap().files[self.file].now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let model = self.model.lock().unwrap();
        let bytes = model.files[self.file].now.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut model = self.model.lock().unwrap();
        model.whole_step()?;
        model.files[self.file].now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut model = self.model.lock().unwrap();
        model.whole_step()?;
        let file = &mut model.files[self.file];
        file.synced = file.now.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut model = self.model.lock().unwrap();
        let step = model.step()?;
        let written = match step {
            Step::Whole => data.len(),
            Step::Half => data.len() / 2,
        };
        let file = &mut model.files[self.file].now;
        let end = offset as usize + written;
        if file.len() < end {
            file.resize(end, 0);
        }
        file[offset as usize..end].copy_from_slice(&data[..written]);
        match step {
            Step::Whole => Ok(()),
            Step::Half => Err(no_power()),
        }
    }
}
