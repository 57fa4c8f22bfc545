//! A client with TLS that takes any certificate and says which it was shown, and certificates to show it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use tombolo_testkit::Sandbox;

/// A certificate for some hosts that nobody has signed but itself, and its key.
pub(crate) struct Identity {
    made: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Identity {
    pub(crate) fn of(hosts: &[&str]) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Self { made: rcgen::generate_simple_self_signed(hosts).unwrap() }
    }

    /// The same with a key of Ed25519 instead of ECDSA.
    pub(crate) fn of_ed25519(host: &str) -> Self {
        let signing_key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let parameters = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
        let cert = parameters.self_signed(&signing_key).unwrap();
        Self { made: rcgen::CertifiedKey { cert, signing_key } }
    }

    /// Writes `NAME.pem` and `NAME.key`.
    pub(crate) fn write(&self, sandbox: &Sandbox, name: &str) -> (PathBuf, PathBuf) {
        let chain = sandbox.file(&format!("{name}.pem"), self.made.cert.pem());
        (chain, sandbox.file(&format!("{name}.key"), self.made.signing_key.serialize_pem()))
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        self.made.cert.der()
    }
}

/// Takes whatever certificate there is, if the server has its key and it can check that.
#[derive(Debug)]
struct Anyone {
    provider: CryptoProvider,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// What such a client says, with the protocols it offers.
pub(crate) fn config(protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let all = crypto::ring::default_provider().signature_verification_algorithms.supported_schemes();
    config_checking(protocols, all)
}

fn config_checking(protocols: &[&[u8]], schemes: Vec<SignatureScheme>) -> Arc<ClientConfig> {
    let provider = crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()));
    let config = config.with_safe_default_protocol_versions().unwrap().dangerous();
    let config = config.with_custom_certificate_verifier(Arc::new(Anyone { provider, schemes }));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// The host a client names; none if it is empty.
pub(crate) fn name(host: &str) -> ServerName<'static> {
    match host {
        "" => ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST)),
        host => ServerName::try_from(host.to_owned()).unwrap(),
    }
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, a line each.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    /// Shakes hands; `host` is the one it names, and empty for none.
    pub(crate) fn connect(at: SocketAddr, host: &str, protocols: &[&[u8]]) -> std::io::Result<Self> {
        Self::over(config(protocols), at, host)
    }

    /// The same for one that can check these signatures alone.
    pub(crate) fn checking(at: SocketAddr, host: &str, schemes: &[SignatureScheme]) -> std::io::Result<Self> {
        Self::over(config_checking(&[], schemes.to_vec()), at, host)
    }

    fn over(config: Arc<ClientConfig>, at: SocketAddr, host: &str) -> std::io::Result<Self> {
        let mut connection = ClientConnection::new(config, name(host)).unwrap();
        let mut socket = TcpStream::connect(at).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self { stream: BufReader::new(StreamOwned::new(connection, socket)) })
    }

    /// The certificate it was shown.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.stream.get_ref().conn.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.stream.get_ref().conn.alpn_protocol()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
        let _ = self.stream.get_mut().flush();
    }

    /// All that comes until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    /// Whether the server says that it closes, and nothing else, before it does.
    pub(crate) fn is_closed_well(&mut self) -> bool {
        self.stream.read(&mut [0]).is_ok_and(|length| length == 0)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    }

    /// A request of HTTP/1.1 without a body, and its answer, of a known length or in chunks without trailers.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let head: Vec<String> =
            std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())).collect();
        let mut body = Vec::new();
        if head.iter().any(|line| line == "transfer-encoding: chunked") {
            // Where the machine is busy a guest may not be done when its head goes out.
            loop {
                let length = usize::from_str_radix(&self.line(), 16).unwrap();
                let mut chunk = vec![0; length + 2];
                self.stream.read_exact(&mut chunk).unwrap();
                body.extend_from_slice(&chunk[..length]);
                if length == 0 {
                    break;
                }
            }
        } else {
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            body.resize(length.parse().unwrap(), 0);
            self.stream.read_exact(&mut body).unwrap();
        }
        Answer { status, head: head.join("\n"), body: String::from_utf8(body).unwrap() }
    }
}
