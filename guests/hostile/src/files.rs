//! Leaving the directory that was mounted, or changing it.
//!
//! `/files` is mounted to be read. In it are `inside.txt`, and symlinks that lead out: `out` and
//! `absolute` to a file, `up` to the folder above.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use crate::Attempt;

/// What files outside begin with.
const SECRET: &str = "secret";

/// `outside` is the path of a secret on the machine.
pub fn escape(outside: &str) -> Vec<Attempt> {
    if fs::read_to_string("/files/inside.txt").is_err() {
        return vec![Attempt::new("NOT MOUNTED", Ok::<_, ()>(""))];
    }
    let mut attempts = read_outside(outside);
    attempts.extend(change_inside());
    if let Some((files, _)) = get_directories().into_iter().find(|(_, path)| path == "/files") {
        attempts.extend(past_the_library(&files, outside));
    }
    attempts
}

fn read_outside(outside: &str) -> Vec<Attempt> {
    let paths = [
        "/files/../secret.txt",
        "/files/./../secret.txt",
        "/files/up/secret.txt",
        "/files/up/../secret.txt",
        "/files/out",
        "/files/out/",
        "/files/absolute",
        "/files/../../../../../../etc/passwd",
        "/files//etc/passwd",
        "/files/inside.txt/../../secret.txt",
        "/etc/passwd",
        "/proc/self/environ",
        "/files/\0/../secret.txt",
        outside,
    ];
    let read = paths.iter().map(|path| Attempt::new(format!("read {path:?}"), fs::read_to_string(path)));
    let list = ["/files/..", "/files/up", "/files/up/.."];
    let list = list.iter().map(|path| Attempt::new(format!("list {path}"), fs::read_dir(path).map(|it| it.count())));
    read.chain(list).collect()
}

fn change_inside() -> Vec<Attempt> {
    let at = |name: &str| Path::new("/files").join(name);
    vec![
        Attempt::new("write a file", fs::write(at("new.txt"), "new")),
        Attempt::new("overwrite a file", fs::write(at("inside.txt"), "new")),
        Attempt::new("append to a file", fs::OpenOptions::new().append(true).open(at("inside.txt")).map(drop)),
        Attempt::new("truncate a file", fs::OpenOptions::new().write(true).truncate(true).open(at("inside.txt")).map(drop)),
        Attempt::new("write through a symlink", fs::write(at("out"), "new")),
        Attempt::new("make a folder", fs::create_dir(at("folder"))),
        Attempt::new("remove a file", fs::remove_file(at("inside.txt"))),
        Attempt::new("rename", fs::rename(at("inside.txt"), at("moved.txt"))),
        Attempt::new("rename across", fs::rename(at("inside.txt"), at("../moved.txt"))),
        Attempt::new("rename in", fs::rename(at("../secret.txt"), at("moved.txt"))),
        Attempt::new("hard link", fs::hard_link(at("inside.txt"), at("hard.txt"))),
        Attempt::new("hard link in", fs::hard_link(at("../secret.txt"), at("hard.txt"))),
        Attempt::new("hard link of a symlink", fs::hard_link(at("out"), at("hard.txt"))),
    ]
}

/// The same without Rust's library, which could be more careful than a guest has to be.
fn past_the_library(files: &Descriptor, outside: &str) -> Vec<Attempt> {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let (none, read) = (OpenFlags::empty(), DescriptorFlags::READ);
    let open = |path: &str, flags, mode| files.open_at(follow, path, flags, mode).map(drop);
    let mut attempts: Vec<Attempt> = ["..", "../secret.txt", "/etc/passwd", "up", "out", "absolute", "", "up/..", outside]
        .iter()
        .map(|path| Attempt::new(format!("open at {path:?}"), open(path, none, read)))
        .collect();
    let mutate = read | DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
    attempts.extend([
        Attempt::new("open at . to change it", open(".", none, mutate)),
        Attempt::new("create at", open("new.txt", OpenFlags::CREATE, DescriptorFlags::WRITE)),
        Attempt::new("symlink at", files.symlink_at("/etc/passwd", "link")),
        Attempt::new("symlink at, up", files.symlink_at("../secret.txt", "link")),
        Attempt::new("stat at ..", files.stat_at(follow, "../secret.txt").map(drop)),
        Attempt::new("stat at out", files.stat_at(follow, "out").map(drop)),
        Attempt::new("read an absolute link", files.readlink_at("absolute")),
        Attempt::new("remove a directory", files.remove_directory_at("..")),
        Attempt::new("set the size", files.set_size(0)),
    ]);
    attempts
}

/// Reads through a name that somebody else keeps changing from a folder to a symlink that leads out.
pub fn race() -> Vec<Attempt> {
    let until = Instant::now() + Duration::from_millis(400);
    let (mut inside, mut outside) = (0, 0);
    while Instant::now() < until {
        match fs::read_to_string("/files/race/secret.txt") {
            Ok(text) if text.starts_with(SECRET) => outside += 1,
            Ok(_) => inside += 1,
            Err(_) => {}
        }
    }
    let raced = if inside > 0 { Err(format!("read {inside} times inside")) } else { Ok("IT NEVER RACED") };
    let out = if outside > 0 { Ok(outside) } else { Err("never outside") };
    vec![Attempt::new("race", raced), Attempt::new("read outside", out)]
}
