//! What an operator says about a node: `node.toml`.
//!
//! ```toml
//! listen = "0.0.0.0:80"
//! domain = "apps.example.com"
//!
//! [tls]
//! listen = "0.0.0.0:443"
//! redirect = true
//!
//! [[tls.certificate]]
//! chain = "apps.pem"
//! key = "apps.key"
//! default = true
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Quotas;
use crate::access_log::{AccessLogConfig, AccessLogFormat, AccessLogFormatError};
use crate::manifest::ManifestError;
use crate::manifest::fields::{Document, Fields, Placed};
use crate::manifest::read::required;
use crate::name::is_host_name;
use crate::runtime_config::{self, LlmCompute};

/// A node as it is written, with paths as they are. What is not said is as usual, or as an option says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where everything is kept.
    pub data: Option<PathBuf>,
    /// Where apps answer.
    pub listen: Option<SocketAddr>,
    /// Where the node is told what to do.
    pub control: Option<SocketAddr>,
    /// What the hosts of apps end in.
    pub domain: Option<String>,
    /// Whether apps may connect to private networks and this machine.
    pub private_networks: Option<bool>,
    /// Releases of an app that are kept, besides what is served.
    pub releases_max: Option<usize>,
    /// Seconds that files which no release names are kept.
    pub uploads_kept_s: Option<u64>,
    /// `[quotas]`: what a tenant may use for which nothing else was said.
    pub quotas: Quotas,
    /// How clients come with TLS.
    pub tls: TlsConfig,
    /// `[access_log]`: where requests are written down.
    pub access_log: Option<AccessLogConfig>,
    /// `[llm_compute]`: where language models are, as in a runtime configuration.
    pub llm: Option<LlmCompute>,
}

/// `[tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where apps answer with TLS.
    pub listen: Option<SocketAddr>,
    /// Whether requests without TLS are sent to the same host with it.
    pub redirect: Option<bool>,
    /// For how many seconds clients are told to come with TLS alone.
    pub hsts_s: Option<u64>,
    /// What clients are shown; none without the table, and else at least one.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate and its key, each in a file in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that vouch for it.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whether clients get it, too, that name no host or one that no certificate is for.
    pub is_default: bool,
}

/// A text is nothing that the hosts of apps can end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of hosts such as `localhost` or `apps.example.com`")]
pub struct DomainError;

/// What the hosts of apps end in, in small letters.
///
/// # Errors
///
/// If it is no name of a host, or too long for one that stands before it.
pub fn domain(text: &str) -> Result<String, DomainError> {
    let text = text.to_ascii_lowercase();
    // An app's label of at most 63 and a dot stand before it (RFC 1035 §2.3.4).
    if text.len() <= 253 - 64 && is_host_name(&text) { Ok(text) } else { Err(DomainError) }
}

/// Reads the configuration `text`. `file` is what messages call it.
///
/// # Errors
///
/// The first thing that is wrong, with its place.
pub fn parse(file: &str, text: &str) -> Result<NodeConfig, ManifestError> {
    let document = Document { file, text };
    let table = document.parse()?;
    let root = Fields::root(&document, &table);
    let config = NodeConfig {
        data: path(&root, "data")?,
        listen: address(&root, "listen")?,
        control: address(&root, "control")?,
        domain: root
            .text("domain")?
            .map(|text| {
                let refuse =
                    |error| root.error(text.span.clone(), format!("`domain` is `{}`, {error}", text.value));
                domain(text.value).map_err(refuse)
            })
            .transpose()?,
        private_networks: root.flag("private_networks")?,
        releases_max: root
            .count("releases_max")?
            .map(|count| usize::try_from(count.value).unwrap_or(usize::MAX)),
        uploads_kept_s: root.integer("uploads_kept_s")?.map(|seconds| seconds.value),
        quotas: quotas(&root)?,
        tls: tls(&root)?,
        access_log: access_log(&root)?,
        llm: runtime_config::llm(&root)?,
    };
    root.done()?;
    Ok(config)
}

fn quotas(root: &Fields<'_>) -> Result<Quotas, ManifestError> {
    let Some(table) = root.table("quotas")? else { return Ok(Quotas::default()) };
    let number = |placed: Option<Placed<u64>>| placed.map(|placed| placed.value);
    let small = |placed| number(placed).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let quotas = Quotas {
        concurrency_max: small(table.integer("concurrency_max")?),
        memory_mib_max: number(table.integer("memory_mib_max")?),
        cpu_ms_per_s_max: small(table.integer("cpu_ms_per_s_max")?),
        outbound_connections_max: small(table.count("outbound_connections_max")?),
        store_mib_max: number(table.integer("store_mib_max")?),
        releases_mib_max: number(table.integer("releases_mib_max")?),
        apps_max: small(table.count("apps_max")?),
        releases_max: small(table.count("releases_max")?),
    };
    table.done()?;
    Ok(quotas)
}

fn tls(root: &Fields<'_>) -> Result<TlsConfig, ManifestError> {
    let Some(table) = root.table("tls")? else { return Ok(TlsConfig::default()) };
    let config = TlsConfig {
        listen: address(&table, "listen")?,
        redirect: table.flag("redirect")?,
        hsts_s: table.count("hsts_s")?.map(|seconds| seconds.value),
        certificates: table.tables("certificate")?.iter().map(certificate).collect::<Result<_, _>>()?,
    };
    if config.certificates.is_empty() {
        return Err(table.missing("certificate", "one or more tables, `[[tls.certificate]]`"));
    }
    table.done()?;
    Ok(config)
}

fn access_log(root: &Fields<'_>) -> Result<Option<AccessLogConfig>, ManifestError> {
    let Some(table) = root.table("access_log")? else { return Ok(None) };
    let path = required(&table, "path", "a file, or `-` for the standard output")?;
    if path.value.is_empty() {
        let message = "`access_log.path` is empty, expected a file, or `-` for the standard output";
        return Err(table.error(path.span, message));
    }
    let format = match table.text("format")? {
        None => AccessLogFormat::default(),
        Some(text) => {
            let refuse = |error: AccessLogFormatError| {
                let message = format!("`access_log.format` is `{}`, {error}", text.value);
                table.error(text.span.clone(), message)
            };
            text.value.parse().map_err(refuse)?
        }
    };
    table.done()?;
    let to = match path.value.parse() {
        Ok(to) => to,
        Err(never) => match never {},
    };
    Ok(Some(AccessLogConfig { to, format }))
}

fn certificate(table: &Fields<'_>) -> Result<CertificateFiles, ManifestError> {
    let expected = |field: &str| format!("`{}` is empty, expected a file in PEM form", table.path(field));
    let file = |field: &'static str| {
        let file = required(table, field, "a file in PEM form")?;
        if file.value.is_empty() {
            Err(table.error(file.span, expected(field)))
        } else {
            Ok(file.value.into())
        }
    };
    let files = CertificateFiles {
        chain: file("chain")?,
        key: file("key")?,
        is_default: table.flag("default")?.unwrap_or(false),
    };
    table.done()?;
    Ok(files)
}

fn path(table: &Fields<'_>, field: &'static str) -> Result<Option<PathBuf>, ManifestError> {
    let Some(path) = table.text(field)? else { return Ok(None) };
    if path.value.is_empty() {
        return Err(table.error(path.span, format!("`{}` is empty, expected a folder", table.path(field))));
    }
    Ok(Some(path.value.into()))
}

fn address(table: &Fields<'_>, field: &'static str) -> Result<Option<SocketAddr>, ManifestError> {
    let Some(text) = table.text(field)? else { return Ok(None) };
    let refuse = |_| {
        let expected = "expected an address and a port such as `127.0.0.1:3000` or `[::]:443`";
        table.error(text.span.clone(), format!("`{}` is `{}`, {expected}", table.path(field), text.value))
    };
    text.value.parse().map(Some).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::LlmApi;
    use crate::access_log::AccessLogTo;
    use crate::endpoint::Secret;

    fn refused(text: &str) -> String {
        let error = parse("node.toml", text).unwrap_err();
        error.hint.iter().fold(error.to_string(), |text, hint| format!("{text} [{hint}]"))
    }

    /// The example of the page says everything there is to say.
    #[test]
    fn the_example_of_the_page_is_read_and_whole() {
        let page = include_str!("../../../docs/node.md");
        let (_, example) = page.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```\n").unwrap();
        let NodeConfig {
            data,
            listen,
            control,
            domain,
            private_networks,
            releases_max,
            uploads_kept_s,
            quotas,
            tls,
            access_log,
            llm,
        } = parse("node.toml", example).unwrap();
        // Both fields, and what is usual is not the other one.
        assert!(example.contains("\n[access_log]") && example.contains("\nformat = \"json\""));
        assert_eq!(access_log.unwrap().format, AccessLogFormat::Json);
        assert!(llm.is_some());
        let said = serde_json::to_value(&quotas).unwrap();
        assert_eq!(said.as_object().unwrap().len(), 8, "{said}");
        assert!(data.is_some() && domain.is_some() && private_networks.is_some() && releases_max.is_some());
        assert!(listen.is_some() && control.is_some() && uploads_kept_s.is_some());
        let TlsConfig { listen, redirect, hsts_s, certificates } = tls;
        assert!(listen.is_some() && redirect.is_some() && hsts_s.is_some());
        let said = |is_default| certificates.iter().any(|files| files.is_default == is_default);
        assert!(said(true) && said(false));
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let text = "data = \"/var/lib/tombolo\"\nlisten = \"0.0.0.0:80\"\ncontrol = \"127.0.0.1:0\"\n\
            domain = \"Apps.example.com\"\nprivate_networks = true\nreleases_max = 5\nuploads_kept_s = 60\n\
            [quotas]\napps_max = 0\nmemory_mib_max = 64\n\
            [tls]\nlisten = \"[::]:443\"\nredirect = true\nhsts_s = 0\n\
            [[tls.certificate]]\nchain = \"a.pem\"\nkey = \"/etc/a.key\"\ndefault = true\n\
            [[tls.certificate]]\nchain = \"b.pem\"\nkey = \"b.key\"\n\
            [access_log]\npath = \"-\"\nformat = \"json\"\n[llm_compute]\ntype = \"remote_http\"\n\
            url = \"http://127.0.0.1:8000\"\nauth_token = \"\"\n";
        let files = |chain: &str, key: &str, is_default| CertificateFiles {
            chain: chain.into(),
            key: key.into(),
            is_default,
        };
        assert_eq!(
            parse("node.toml", text).unwrap(),
            NodeConfig {
                data: Some("/var/lib/tombolo".into()),
                listen: Some("0.0.0.0:80".parse().unwrap()),
                control: Some("127.0.0.1:0".parse().unwrap()),
                domain: Some("apps.example.com".into()),
                private_networks: Some(true),
                releases_max: Some(5),
                uploads_kept_s: Some(60),
                quotas: Quotas { apps_max: Some(0), memory_mib_max: Some(64), ..Quotas::default() },
                tls: TlsConfig {
                    listen: Some("[::]:443".parse().unwrap()),
                    redirect: Some(true),
                    hsts_s: Some(0),
                    certificates: vec![files("a.pem", "/etc/a.key", true), files("b.pem", "b.key", false)],
                },
                access_log: Some(AccessLogConfig { to: AccessLogTo::Stdout, format: AccessLogFormat::Json }),
                llm: Some(LlmCompute {
                    endpoint: "http://127.0.0.1:8000".parse().unwrap(),
                    auth_token: Secret::new(""),
                    api: LlmApi::Spin,
                }),
            }
        );
        assert_eq!(parse("node.toml", "").unwrap(), NodeConfig::default());
        let log = parse("node.toml", "access_log = { path = \"logs/a.log\" }").unwrap().access_log.unwrap();
        assert_eq!((log.to, log.format), (AccessLogTo::File("logs/a.log".into()), AccessLogFormat::Combined));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "(\\[\\[?(tls|tls\\.certificate|.{0,5})\\]?\\]\n)?((listen|data|domain|chain|é) ?= ?.{0,9}\n){0,3}"
        ) {
            let _ = parse("node.toml", &text);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let certificate = "[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"a.key\"\n";
        for (text, expected) in [
            (
                "listen = \"localhost:80\"\n",
                "node.toml:1:10: `listen` is `localhost:80`, expected an address and a port such as \
                 `127.0.0.1:3000` or `[::]:443`",
            ),
            ("control = 3001\n", "node.toml:1:11: `control` is an integer, expected a string"),
            (
                "listen = \"0.0.0.0:80\"\n\n  domian = \"a\"\n",
                "node.toml:3:3: unknown field `domian` [did you mean `domain`?]",
            ),
            (
                "domain = \"10.0.0.1\"\n",
                "node.toml:1:10: `domain` is `10.0.0.1`, expected a name of hosts such as `localhost` or \
                 `apps.example.com`",
            ),
            ("data = \"\"\n", "node.toml:1:8: `data` is empty, expected a folder"),
            (
                "releases_max = -1\n",
                "node.toml:1:16: `releases_max` is out of range, expected a whole number",
            ),
            (
                "[quotas]\nmemory_mib_max = 0\n",
                "node.toml:2:18: `quotas.memory_mib_max` is out of range, expected a whole number of 1 or more",
            ),
            (
                "private_networks = 1\n",
                "node.toml:1:20: `private_networks` is an integer, expected true or false",
            ),
            (
                "[tls]\nredirect = true\n",
                "node.toml:1:1: `[tls]` has no `certificate`, expected one or more tables, `[[tls.certificate]]`",
            ),
            (
                "[tls]\nredirct = true\n[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"a.key\"\n",
                "node.toml:2:1: unknown field `redirct` in `[tls]` [did you mean `redirect`?]",
            ),
            (
                "[[tls.certificate]]\nchain = \"a.pem\"\nkye = \"a.key\"\n",
                "node.toml:1:1: `[tls.certificate]` has no `key`, expected a file in PEM form [is `kye` meant to be \
                 `key`?]",
            ),
            (
                "[[tls.certificate]]\nchain = \"a.pem\"\nkey = \"\"\n",
                "node.toml:3:7: `tls.certificate.key` is empty, expected a file in PEM form",
            ),
            (
                &format!("{certificate}defaults = true\n"),
                "node.toml:4:1: unknown field `defaults` in `[tls.certificate]` [did you mean `default`?]",
            ),
            (
                "[access_log]\nformat = \"json\"\n",
                "node.toml:1:1: `[access_log]` has no `path`, expected a file, or `-` for the standard output",
            ),
            (
                "[access_log]\npath = \"a.log\"\nformat = \"common\"\n",
                "node.toml:3:10: `access_log.format` is `common`, expected `combined` or `json`",
            ),
            ("[tls", "node.toml:1:5: not TOML: unclosed table, expected `]`"),
        ] {
            assert_eq!(refused(text), expected);
        }
    }
}
