//! Mutual authentication with raw Ed25519 public keys (RFC 7250): no certificates, no authorities, no expiry. Whoever
//! completes the handshake has proved that it holds the secret half of its [`PeerId`].

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme};

use crate::net::NetError;
use crate::units::PeerId;

/// The application protocol; a later, incompatible one gets another name.
const ALPN: &[u8] = b"inonda/2";
/// The protocol of single questions and answers, on the same port; see [`crate::net::ask`].
const ASK_ALPN: &[u8] = b"inonda-ask/2";
/// DER that precedes the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER that precedes the 32 bytes of an Ed25519 secret key in PKCS #8, version 1 (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The TLS settings of one node.
pub(super) struct Configs {
    /// Dialling a peer of the mesh.
    pub client: QuicClientConfig,
    /// Dialling somebody to ask.
    pub asker: QuicClientConfig,
    /// Accepting both.
    pub server: QuicServerConfig,
}

impl Configs {
    /// The settings that prove the holding of `key`.
    pub fn new(key: &SigningKey) -> Result<Configs, NetError> {
        Configs::of(key, [ALPN, ASK_ALPN])
    }

    /// The same for these protocols: that of the mesh, and that of questions.
    pub fn of(key: &SigningKey, [mesh, ask]: [&[u8]; 2]) -> Result<Configs, NetError> {
        let provider = Arc::new(ring::default_provider());
        let certified = Arc::new(certified_key(key)?);
        let verifier = Arc::new(RawKeyVerifier(provider.signature_verification_algorithms));
        Ok(Configs {
            client: client(&provider, &certified, &verifier, mesh)?,
            asker: client(&provider, &certified, &verifier, ask)?,
            server: server(&provider, &certified, &verifier, [mesh, ask])?,
        })
    }
}

/// Whether a handshake was ended because the other end does not know our protocol (RFC 7301, RFC 9001 4.8).
pub(super) fn is_other_version(code: quinn::TransportErrorCode) -> bool {
    code == quinn::TransportErrorCode::crypto(rustls::AlertDescription::NoApplicationProtocol.into())
}

/// Whether an accepted connection was opened to ask.
pub(super) fn is_ask(conn: &quinn::Connection) -> bool {
    conn.handshake_data()
        .and_then(|data| data.downcast::<quinn::crypto::rustls::HandshakeData>().ok())
        .is_some_and(|data| data.protocol.as_deref() == Some(ASK_ALPN))
}

/// The name of the peer at the other end of an established connection.
pub(super) fn peer_of(conn: &quinn::Connection) -> Option<PeerId> {
    let chain = conn.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    spki_key(chain.first()?).map(PeerId)
}

fn client(
    provider: &Arc<CryptoProvider>,
    key: &Arc<CertifiedKey>,
    verifier: &Arc<RawKeyVerifier>,
    protocol: &[u8],
) -> Result<QuicClientConfig, NetError> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(NetError::tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(key))));
    config.alpn_protocols = vec![protocol.to_vec()];
    config.enable_sni = false;
    // A resumed session would skip the proof of the peer's key.
    config.resumption = Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(NetError::tls)
}

fn server(
    provider: &Arc<CryptoProvider>,
    key: &Arc<CertifiedKey>,
    verifier: &Arc<RawKeyVerifier>,
    protocols: [&[u8]; 2],
) -> Result<QuicServerConfig, NetError> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(NetError::tls)?
        .with_client_cert_verifier(Arc::clone(verifier) as Arc<dyn ClientCertVerifier>)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(key))));
    config.alpn_protocols = protocols.map(<[u8]>::to_vec).to_vec();
    config.send_tls13_tickets = 0;
    QuicServerConfig::try_from(config).map_err(NetError::tls)
}

fn certified_key(key: &SigningKey) -> Result<CertifiedKey, NetError> {
    let pkcs8 = [&PKCS8_PREFIX[..], &key.to_bytes()].concat();
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).map_err(NetError::tls)?;
    let spki = [&SPKI_PREFIX[..], &key.verifying_key().to_bytes()].concat();
    Ok(CertifiedKey::new(vec![CertificateDer::from(spki)], signer))
}

fn spki_key(spki: &[u8]) -> Option<[u8; 32]> {
    spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()
}

/// Accepts any Ed25519 key whose holder signed the handshake; which key it was is asked of the connection afterwards.
#[derive(Debug)]
struct RawKeyVerifier(WebPkiSupportedAlgorithms);

impl RawKeyVerifier {
    fn check_key(&self, key: &CertificateDer<'_>) -> Result<(), Error> {
        match spki_key(key) {
            Some(_) => Ok(()),
            None => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0)
    }
}

impl ServerCertVerifier for RawKeyVerifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_key(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check_key(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
