//! Whatever path a client asks for, it names a file below the directory or nothing.
#![no_main]

use std::path::{Component, Path};

use tombolo_model::file_path::FilePath;

libfuzzer_sys::fuzz_target!(|rest: &str| {
    let Ok(path) = FilePath::from_url(rest) else { return };
    let names = Path::new(path.as_str()).components();
    assert!(names.clone().all(|name| matches!(name, Component::Normal(_))), "{path:?}");
    assert_eq!(names.as_path().to_str(), Some(path.as_str()), "written in one way only");
    assert!(!path.as_str().contains(['\0', '\\']));
    if !path.as_str().is_empty() {
        assert_eq!(FilePath::from_text(path.as_str()).as_ref().map(FilePath::as_str), Ok(path.as_str()));
    }
});
