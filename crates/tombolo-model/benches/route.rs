//! What it costs to find what answers a request.

use divan::{Bencher, black_box};
use tombolo_model::route::{Route, Table};
use tombolo_model::site::{Site, Sites};

fn main() {
    divan::main();
}

const ROUTES: [usize; 3] = [10, 1_000, 100_000];

/// One host with so many routes: `/app<n>/v1/orders/:id`.
fn one_host(routes: usize) -> Table<usize> {
    let route = |target| Route {
        pattern: format!("/app{target}/v1/orders/:id").parse().expect("it is a route"),
        target,
    };
    Table::new((0..routes).map(route)).expect("no two are the same")
}

/// So many hosts with one route each, as a node of many apps has.
fn many_hosts(routes: usize) -> Sites<Table<usize>> {
    let site = |target| {
        let pattern = "/...".parse().expect("it is a route");
        let main = Table::new([Route { pattern, target }]).expect("there is one");
        (format!("app{target}.example.com").into(), Site { main, split: None })
    };
    Sites::new((0..routes).map(site))
}

/// Budget: 2 µs at 100,000 routes, of the 40 µs or more that a request costs. The steps are the same
/// at every size; what grows is the time of a memory access, from the first cache to none.
#[divan::bench(args = ROUTES)]
fn find_among_the_routes_of_one_host(bencher: Bencher, routes: usize) {
    let table = one_host(routes);
    let paths: Vec<String> = (0..1024).map(|n| format!("/app{}/v1/orders/42", n * 7919 % routes)).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % paths.len();
        black_box(&table).find(black_box(&paths[next])).is_some()
    });
}

/// The same budget.
#[divan::bench(args = ROUTES)]
fn find_among_many_hosts(bencher: Bencher, routes: usize) {
    let sites = many_hosts(routes);
    let hosts: Vec<String> = (0..1024).map(|n| format!("app{}.example.com", n * 7919 % routes)).collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % hosts.len();
        let site = black_box(&sites).find(black_box(&hosts[next]), || 0);
        site.and_then(|table| table.find(black_box("/v1/orders/42"))).is_some()
    });
}
