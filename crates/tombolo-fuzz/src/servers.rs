//! What servers send that guests or their manifests name, and what guests call them.

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tombolo_gateway::{Certificates, ShownTo};
use tombolo_redis::{Address, Bytes};

use crate::text;

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without threads");
    runtime.block_on(work)
}

/// Whatever a guest calls the address of a server, it is read or refused.
pub fn addresses(bytes: &[u8]) {
    let text = text(bytes);
    let _ = Address::parse(&text);
    tombolo_cap_mqtt::is_address(&text);
    tombolo_cap_mysql::is_address(&text);
    tombolo_cap_postgres::is_address(&text);
}

/// Whatever a Redis server sends, it is an answer within its bound or refused.
pub fn redis(bytes: &[u8]) {
    let _ = wait(tombolo_redis::read(&mut &*bytes, &mut Bytes(1 << 16)));
}

/// Whatever is in a PEM file, of a guest's roots or of a node's own certificate, it is that or a message.
pub fn certificates(bytes: &[u8]) {
    let _ = tombolo_egress::tls::with_roots(bytes);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let key = PrivateKeyDer::from_pem_slice(bytes);
    if let (Ok(chain), Ok(key)) = (chain, key) {
        let _ = Certificates::default().add(chain, key, ShownTo::ItsHosts);
    }
}
