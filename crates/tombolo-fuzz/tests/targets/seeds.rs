//! What the targets are tried with: real files where there are some.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

type Seeds = Vec<Vec<u8>>;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn of<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Seeds {
    texts.into_iter().map(|text| text.as_ref().to_vec()).collect()
}

/// The files below `folder` that are called so, build folders apart.
fn files(folder: &Path, is_one: &dyn Fn(&str) -> bool, found: &mut Seeds) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    // The same order on every machine.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !matches!(&*name, "target" | "node_modules" | ".tombolo") {
            files(&entry.path(), is_one, found);
        } else if kind.is_file() && is_one(&name) {
            found.push(fs::read(entry.path()).unwrap());
        }
    }
}

fn files_called(is_one: &dyn Fn(&str) -> bool) -> Seeds {
    let mut found = Seeds::new();
    for folder in ["examples", "guests"] {
        files(&root().join(folder), is_one, &mut found);
    }
    found
}

/// What stands between ```` ```toml ```` and ```` ``` ```` in a page of the documentation.
fn blocks(page: &str) -> Seeds {
    let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    of(blocks)
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

pub(crate) fn manifest() -> Seeds {
    let mut all = files_called(&|name| name == "spin.toml");
    assert!(all.len() > 2, "the examples have manifests");
    let head = "spin_manifest_version = 2\n[application]\nname = \"a\"\n";
    for block in blocks("manifest.md").into_iter().chain(blocks("getting-started.md")) {
        match has(&block, "spin_manifest_version") {
            true => all.push(block),
            false => all.push([head.as_bytes(), &block].concat()),
        }
    }
    all
}

pub(crate) fn node_toml() -> Seeds {
    blocks("node.md")
}

pub(crate) fn runtime_config() -> Seeds {
    let mut all: Seeds =
        blocks("manifest.md").into_iter().filter(|block| !has(block, "spin_manifest")).collect();
    all.push(b"# a comment\nSPIN_VARIABLE_A=\"a b\"\nexport B='c'\n".to_vec());
    all
}

pub(crate) fn template() -> Seeds {
    of([
        "{{ given }}\nvalue",
        "https://{{ given }}.example.com:{{other}}\nhost",
        "a{{given}}b{{ given }}c\n",
        "{{ nothing }}\n",
        "{{ given\n}}",
        "plain text\n",
        "https://*.example.com\n",
    ])
}

pub(crate) fn outbound() -> Seeds {
    of([
        "https://example.com\nhttps\nexample.com\n443\n93.184.216.34",
        "*://*:*\nredis\n::1\n6379\n::1",
        "https://*.example.com:8000..9000\nhttps\na.example.com\n8080\n10.0.0.1",
        "http://self\nhttp\nself\n80\n127.0.0.1",
        "postgres://10.0.0.0/8:5432\npostgres\n10.1.2.3\n5432\n10.1.2.3",
        "mysql://[fe80::1]:3306\nmysql\nfe80::1\n3306\nfe80::1",
        "https://192.0.2.0/24\nhttps\n192.0.2.9\n443\n::ffff:192.0.2.9",
    ])
}

pub(crate) fn names() -> Seeds {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let mut all = of([
        "hello-rust",
        "default/shop",
        "a.b_c-D",
        "assets/**/*.css\nassets/a/b.css",
        "static/[a-z]{1,2}?\nstatic/ab",
        ".well-known/x y/ü",
        "ghcr.io\ntombolo:kernels\n1.2.3-rc.1+build",
        "localhost:5000\na:b\n>=1.2, <2",
        "http://[::1]:8200/v1/path",
        "https://vault.example.com",
        "a:b/c@1.2.3",
    ]);
    all.push(digest.into_bytes());
    all
}

pub(crate) fn addresses() -> Seeds {
    of([
        "redis://:p%40ss@db.example:6379/3",
        "rediss://user:secret@[::1]",
        "postgres://me:secret@a:1,b:2/data?sslmode=require&connect_timeout=3&options=-c%20x%3Dy",
        "host=a,b hostaddr=10.0.0.1,10.0.0.2 user=me port=7 password='a b' target_session_attrs=read-write",
        "mysql://me:p%40ss@db:7/data?ssl-mode=REQUIRED&pool_max=3",
        "mqtt://broker.example:1883?client_id=a&keep_alive=30",
        "mqtts://user:secret@127.0.0.1:8883",
    ])
}

pub(crate) fn authority() -> Seeds {
    of([
        "/\nexample.com",
        "/a?b\nshop--ada.localhost:3000",
        "http://example.com:8080/x\nother.example",
        "*\n[::1]:80",
        "/\nExample.COM.",
        "/\na\nb",
        "/",
        "http://user@host/\nhost",
        "/\nr2---hello.example.com",
    ])
}

pub(crate) fn negotiation() -> Seeds {
    of([
        "accept-encoding: gzip, deflate, br;q=0.5, *;q=0",
        "accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\naccept-encoding: identity;q=0",
        "if-none-match: \"tag\", W/\"other\"\nif-modified-since: Tue, 14 Nov 2023 22:13:20 GMT",
        "if-match: \"tag\"\nrange: bytes=0-9\nif-range: \"tag\"\nlength: 10",
        "range: bytes=-5\nif-unmodified-since: Tue, 14 Nov 2023 22:13:20 GMT\nlength: 3",
        "if-none-match: *\nrange: bytes=99-",
    ])
}

pub(crate) fn range() -> Seeds {
    of([
        "bytes=0-9\n100",
        "bytes=5-\n100",
        "bytes=-7\n100",
        "bytes=0-0,5-9\n100",
        "items=1-2\n9",
        "bytes=9-3\n0",
    ])
}

pub(crate) fn file_path() -> Seeds {
    of([
        "assets/app.css",
        "a%20b/%C3%BC.html",
        "../../etc/passwd",
        "a/%2e%2e/b",
        "a//b/./c",
        ".hidden/x",
        "a%2fb",
        "a\\b",
        "%00",
        "",
    ])
}

pub(crate) fn route() -> Seeds {
    of([
        "/\n/",
        "/api/...\n/api/x/y",
        "/users/:id/posts/:post\n/users/7/posts/9",
        "/a/:b/...\n/a/%2F/c",
        "/...\n//",
    ])
}

pub(crate) fn token() -> Seeds {
    let token = format!("Bearer tbl_{}", "0123456789abcdef".repeat(4));
    of([token.as_str(), "bearer  x ", "Basic dTpw", "Bearer", "", "BEARER a b"])
}

pub(crate) fn release() -> Seeds {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let manifest = manifest().swap_remove(0);
    let file = serde_json::json!({ "digest": digest, "bytes": 7 });
    let whole = serde_json::json!({
        "manifest": String::from_utf8(manifest).unwrap(), "profile": "fast",
        "files": { "web.wasm": file, "assets/a.css": file, ".components/api/1.wasm": file },
    });
    of([whole.to_string(), serde_json::json!({ "manifest": "", "files": { "a/b": file } }).to_string()])
}

pub(crate) fn bodies() -> Seeds {
    let digest = format!("sha256:{}", "fedcba9876543210".repeat(4));
    of([
        serde_json::json!({ "release": digest, "generation": 3, "approve": true,
            "split": { "release": digest, "percent": 10 } }),
        serde_json::json!({ "digests": [digest, digest] }),
        serde_json::json!({ "name": "ci", "scope": "deploy", "tenant": "ada", "app": "shop", "expires_in_s": 60 }),
        serde_json::json!({ "approve": false }),
        serde_json::json!({ "concurrency_max": 1, "memory_mib_max": 2, "cpu_ms_per_s_max": 3, "apps_max": 4 }),
        serde_json::json!({ "release": digest, "percent": 99 }),
        serde_json::json!({ "value": "s3cret \u{e9}\n" }),
        serde_json::json!({ "at_ms": 1_764_412_081_042_u64, "component": "web", "stream": "stderr", "text": "a\tb" }),
        serde_json::json!({ "lost": 12 }),
        serde_json::json!({ "type": "about:blank", "title": "Bad", "status": 400, "detail": "the body", "code": "x" }),
    ]
    .map(|value| value.to_string()))
}

pub(crate) fn redis() -> Seeds {
    of([
        "+OK\r\n",
        "-ERR unknown command\r\n",
        ":1000\r\n",
        "$5\r\nhello\r\n",
        "$-1\r\n",
        "*3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n*-1\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n$0\r\n\r\n",
    ])
}

pub(crate) fn certificates() -> Seeds {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "*.example.com".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let both = certificate.pem() + &key.serialize_pem();
    of([both, certificate.pem(), "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned()])
}

/// Text, from the repository and from here, and what is made of it; the real ones are large, and their heads are what
/// is read first.
pub(crate) fn wasm() -> Seeds {
    let mut all = files_called(&|name| name.ends_with(".wat"));
    assert!(!all.is_empty(), "there are guests as text");
    all.extend(of([
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#,
        r#"(component (import "wasi:http/types@0.2.0" (instance (export "fields" (type (sub resource)))))
            (core module $m (func (export "a"))) (core instance $i (instantiate $m)))"#,
        r#"(component (import "wasi:http/types@0.3.0-rc-2026-03-15" (instance (export "a" (func)))))"#,
        "(component (component (component (component))))",
    ]));
    let binary: Seeds =
        all.iter().filter_map(|text| wat::parse_bytes(text).ok().map(Cow::into_owned)).collect();
    assert!(binary.len() > 3, "text is read");
    all.extend(binary);
    all
}

pub(crate) fn sort_json() -> Seeds {
    of([
        r#"[{"a":2},{"a":1,"b":[1,2,{"c":null}]},{"a":"x"},{}]"#,
        r#"-[{"a":1.5e3},{"a":-0},{"a":"\u00e9\ud83d\ude00"},{"a":true}]"#,
        "[]",
        r#" [ { "b" : "a" , "a" : 12345678901234567890 } ] "#,
    ])
}
