//! What is never sent: whatever is no file of the directory.

use std::os::unix::fs::symlink;

use tombolo_testkit::Up;

use crate::site::{MANIFEST, get, sandbox, site};

/// Neither by its path, however it is written, nor by links does a client get out of the directory.
/// Without the second wall: the gateway itself does not go there.
#[test]
fn nothing_but_the_files_of_the_directory_is_served() {
    let sandbox = site("fallback = \"index.html\"");
    let outside = sandbox.file("outside/secret.txt", "secret");
    sandbox.file("secret.txt", "secret");
    for hidden in [".env", ".git/config", "sub/.secret"] {
        sandbox.file(&format!("dist/{hidden}"), "secret");
    }
    sandbox.file("dist/.well-known/security.txt", "Contact: us");
    let link =
        |to: &std::path::Path, name: &str| symlink(to, sandbox.path().join("dist").join(name)).unwrap();
    link(&outside, "absolute");
    link("../secret.txt".as_ref(), "relative");
    link("..".as_ref(), "up");
    link("/proc/self/root".as_ref(), "slash");
    link("sub/index.html".as_ref(), "within");
    link("loop".as_ref(), "loop");
    let up = Up::start(&sandbox, &["--no-confine"]);
    for path in [
        "/../secret.txt",
        "/sub/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/sub%2f..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "//secret.txt",
        "/./app.js",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/app.js%00",
        "/%00",
        "/app.js%00.html",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/.secret",
        "/absolute",
        "/relative",
        "/up/secret.txt",
        "/up/dist/app.js",
        "/slash/etc/passwd",
        "/loop",
        "/%ff",
        "/sub/.well-known/x",
        "/%c0%ae%c0%ae/secret.txt",
    ] {
        let response = get(&up, path, &[]);
        assert_eq!(response.status, 404, "{path}: {}", response.text());
        assert!(!response.text().contains("secret") && !response.text().contains("root:"), "{path}");
        // Nor does a fallback hide that: it gives the page and nothing else.
        let page = get(&up, path, &["accept: text/html"]);
        assert!(page.status == 404 || page.text() == "<h1>home</h1>", "{path}: {}", page.text());
    }
    for path in ["/%", "/%2", "/%zz", "/app%.js"] {
        assert_eq!(get(&up, path, &[]).status, 400, "{path}");
    }
    // In the form that names the host, and in one that is no path at all.
    assert_eq!(get(&up, "http://test/../secret.txt", &[]).status, 404);
    assert!(!get(&up, "secret.txt", &[]).text().contains("secret"));
    assert_eq!(get(&up, "/within", &[]).text(), "<h1>sub</h1>");
    assert_eq!(get(&up, "/.well-known/security.txt", &[]).text(), "Contact: us");
    // A long path is no file, and no failure.
    assert_eq!(get(&up, &format!("/{}", "a/".repeat(3000)), &[]).status, 404);
    assert_eq!(get(&up, &format!("/{}", "a".repeat(3000)), &[]).status, 404);
}

/// Behind the whole second wall, from a directory that lies elsewhere.
#[test]
fn files_that_lie_elsewhere_are_served_behind_the_second_wall() {
    let (sandbox, elsewhere) = (sandbox(), sandbox());
    elsewhere.file("dist/app.js", "elsewhere");
    elsewhere.file("secret.txt", "secret");
    symlink("../secret.txt", elsewhere.path().join("dist/out")).unwrap();
    let directory = format!("directory = \"{}/dist\"", elsewhere.path().display());
    sandbox.file("spin.toml", MANIFEST.replace("directory = \"dist\"", &directory));
    let up = Up::start(&sandbox, &[]);
    assert_eq!(up.status("NoNewPrivs"), "1");
    assert_eq!(up.get("/app.js").text(), "elsewhere");
    assert_eq!(up.get("/out").status, 404);
}
