//! What a tenant may use, and that others do not notice when one is at its bounds.

use std::thread;

use tombolo_testkit::{Connection, Response, Sandbox, Serving};

use crate::{asked, done, refused, sandbox, written};

/// Two tenants with the same app, of which the first is held to quotas.
fn tenants(sandbox: &Sandbox, quotas: &[&str], lines: &str) -> (Serving, String) {
    let (node, admin) = Serving::first(sandbox);
    done(sandbox, &[&["tenants", "quotas", "ada"], quotas].concat());
    sandbox.web_app(lines);
    for tenant in ["ada", "bob"] {
        done(sandbox, &["deploy", "--tenant", tenant]);
    }
    (node, admin)
}

fn ada(node: &Serving, path: &str) -> Response {
    node.get("app--ada.localhost", path)
}

fn bob(node: &Serving, path: &str) -> Response {
    node.get("app--bob.localhost", path)
}

#[test]
fn requests_at_once_are_bounded_for_a_tenant() {
    let sandbox = sandbox();
    let (node, admin) = tenants(&sandbox, &["--concurrency", "2"], "");
    let mut waiting: Vec<Connection> = (0..2).map(|_| Connection::open(node.up.address())).collect();
    for connection in &mut waiting {
        connection.send("GET /sleep?ms=3000 HTTP/1.1\r\nhost: app--ada.localhost\r\n\r\n");
    }
    while asked(&node, &admin, "/v1/tenants/ada")["usage"]["requests"] != 2 {
        thread::yield_now();
    }
    let answer = ada(&node, "/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(bob(&node, "/").status, 200);
    for connection in &mut waiting {
        assert_eq!(connection.answer().unwrap().text(), "slept");
    }
    assert_eq!(ada(&node, "/").status, 200);
}

#[test]
fn memory_is_bounded_for_all_instances_of_a_tenant() {
    let sandbox = sandbox();
    let (node, admin) = tenants(&sandbox, &["--memory-mib", "24"], "");
    assert_eq!(ada(&node, "/memory?mib=8").text(), "took 8 MiB");
    assert_eq!(ada(&node, "/memory?mib=40").status, 500, "one alone takes no more either");
    assert_eq!(bob(&node, "/memory?mib=40").text(), "took 40 MiB");
    assert_eq!(asked(&node, &admin, "/v1/tenants/ada")["usage"]["memory_bytes"], 0, "it was given back");
    // What is not even enough to begin with may be later, when others have given back what they have.
    done(&sandbox, &["tenants", "quotas", "ada", "--memory-mib", "1"]);
    let answer = ada(&node, "/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    // It holds for releases that are there as well, from now on.
    done(&sandbox, &["tenants", "quotas", "ada", "--usual"]);
    assert_eq!(ada(&node, "/memory?mib=40").text(), "took 40 MiB");
}

#[test]
fn a_tenant_that_used_its_time_on_cores_comes_again_later() {
    let sandbox = sandbox();
    let lines = "[component.web.tool.tombolo]\ncpu_ms_max = 400";
    let (node, admin) = tenants(&sandbox, &["--cpu-ms-per-s", "50"], lines);
    assert_eq!(ada(&node, "/").status, 200);
    // It takes 400 ms, which are eight seconds' worth.
    assert_eq!(ada(&node, "/loop").status, 504);
    let answer = ada(&node, "/");
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(bob(&node, "/loop").status, 504);
    assert_eq!(bob(&node, "/").status, 200);
    let used = asked(&node, &admin, "/v1/tenants/ada")["usage"]["cpu_ms"].as_u64().unwrap();
    assert!((300..5000).contains(&used), "{used}");
}

#[test]
fn what_a_tenant_keeps_is_bounded() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    done(&sandbox, &["tenants", "quotas", "ada", "--store-mib", "3"]);
    sandbox.guest("kv", "kv.wasm");
    let text = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
                component = \"kv\"\n[component.kv]\nsource = \"kv.wasm\"\nkey_value_stores = [\"default\"]\n";
    sandbox.file("spin.toml", text);
    done(&sandbox, &["deploy", "--tenant", "ada"]);
    assert_eq!(ada(&node, "/large").text(), "Ok(())");
    let refused = ada(&node, "/large").text();
    assert!(refused.contains("as many bytes as it may"), "{refused}");
    assert_eq!(ada(&node, "/forget").text(), "Ok(())", "removing goes on");
    let bytes = asked(&node, &admin, "/v1/tenants/ada")["usage"]["store_bytes"].as_u64().unwrap();
    assert!(bytes > 3 << 20, "{bytes}");
    done(&sandbox, &["tenants", "quotas", "ada", "--store-mib", "100"]);
    assert_eq!(ada(&node, "/large").text(), "Ok(())");
}

#[test]
fn apps_and_releases_of_a_tenant_are_counted() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    done(&sandbox, &["tenants", "quotas", "default", "--apps", "1", "--releases", "1"]);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    let reason = refused(&sandbox, &["deploy", "--name", "other"]);
    assert!(reason.contains("the tenant has 1 apps, of 1 that it may have"), "{reason}");
    done(&sandbox, &["deploy", "--name", "other", "--tenant", "bob"]);
    for text in ["two", "three", "four"] {
        written(&sandbox, text);
        done(&sandbox, &["deploy"]);
    }
    // The active one, where a rollback leads, and one more.
    let releases = asked(&node, &admin, "/v1/apps/shop/releases").as_array().unwrap().len();
    assert!(releases <= 3, "{releases}");
    assert_eq!(node.get("shop.localhost", "/").text(), "four");
}

#[test]
fn quotas_are_an_admins_to_set_and_a_tenants_to_see() {
    let sandbox = sandbox();
    let (node, admin) = Serving::first(&sandbox);
    let printed = done(&sandbox, &["tenants", "quotas", "ada", "--memory-mib", "64", "--apps", "3"]);
    assert!(printed.contains("0 of 3") && printed.contains("0 of 64 MiB"), "{printed}");
    let own = done(&sandbox, &["tokens", "create", "own", "--scope", "tenant", "--for", "ada"]);
    let (own, path) = (own.trim(), "/v1/tenants/ada/quotas");
    assert_eq!(node.order("PUT", path, own, Some("{}")).status, 403);
    assert_eq!(asked(&node, own, "/v1/tenants").as_array().unwrap().len(), 1);
    assert_eq!(asked(&node, own, "/v1/tenants/ada")["quotas"]["apps_max"], 3);
    assert_eq!(node.order("GET", "/v1/tenants/bob", own, None).status, 404);
    for (body, reason) in [
        (r#"{"memory_mib_max": 0}"#, "memory_mib_max: expected a whole number of 1 or more"),
        (r#"{"memory_max": 1}"#, "unknown field `memory_max`"),
    ] {
        let answer = node.order("PUT", path, &admin, Some(body));
        assert!(answer.status == 400 && answer.text().contains(reason), "{}", answer.text());
    }
    // They are there after a restart.
    assert!(node.up.stop().success());
    let node = Serving::start(&sandbox);
    assert_eq!(asked(&node, own, "/v1/tenants/ada")["quotas"]["memory_mib_max"], 64);
}

/// Time on a core of the threads on which guests compute, and of all others, in nanoseconds.
fn on_cores(node: &Serving) -> (u64, u64) {
    let (mut compute, mut others) = (0, 0);
    for (name, ran) in node.up.threads() {
        let ran_ns = ran.as_nanos() as u64;
        if name == "compute" { compute += ran_ns } else { others += ran_ns }
    }
    (compute, others)
}

/// Small requests of a tenant that has much of the cores are behind those of others, and in nobody's way when it is alone.
#[test]
fn guests_of_a_busy_tenant_go_behind_those_of_others() {
    let sandbox = sandbox();
    let (node, _) = tenants(&sandbox, &[], "");
    let busy = |others: bool| {
        let (compute, all) = on_cores(&node);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(2);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut connection = Connection::open(node.up.address());
                    while std::time::Instant::now() < until {
                        connection
                            .send("GET / HTTP/1.1\r\nhost: app--ada.localhost\r\n\r\n")
                            .answer()
                            .unwrap();
                    }
                });
            }
            while std::time::Instant::now() < until {
                if others {
                    assert_eq!(bob(&node, "/").status, 200);
                }
                thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        let (compute_then, all_then) = on_cores(&node);
        compute_then.saturating_sub(compute) as f64 / all_then.saturating_sub(all).max(1) as f64
    };
    let (alone, beside) = (busy(false), busy(true));
    assert!(beside > 2.0 * alone && beside > 0.1, "{alone} alone, {beside} beside another");
}
