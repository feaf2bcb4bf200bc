//! Servers that are not of the cluster, and an OpenID Connect provider that is one.

use crate::https_server;
use apiserver::pki::{Params, Pki};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Of servers that are not of the cluster, in a folder of its own.
pub(crate) fn authority(folder: &Path) -> Pki {
    let params = Params {
        service_ip: [127, 0, 0, 1].into(),
        advertise: [127, 0, 0, 1].into(),
        hostname: "issuer".to_owned(),
        domain: "example".to_owned(),
        extra_sans: Vec::new(),
    };
    Pki::load_or_create(folder, &params, client::clock::Clock::now(&client::clock::SystemClock)).unwrap()
}

/// Serves on loopback until the set is dropped, with a certificate of `pki` for 127.0.0.1; the answer is where.
pub(crate) async fn serve<F, A>(tasks: &mut JoinSet<()>, pki: &Pki, answer: F) -> String
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let now = client::clock::Clock::now(&client::clock::SystemClock);
    let (chain, key) = pki.issue_server("issuer", &["127.0.0.1".to_owned()], &[], now).unwrap().der().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tasks.spawn(https_server::serve(listener, https_server::acceptor((chain, key), None), answer));
    url
}

/// A provider with one key at a time.
pub(crate) struct Provider {
    pub(crate) url: String,
    key: Arc<Mutex<Key>>,
    /// How often its keys were fetched.
    fetched: Arc<Mutex<usize>>,
    /// How often it told of groups.
    told: Arc<Mutex<usize>>,
    _tasks: JoinSet<()>,
}

struct Key {
    pair: EcdsaKeyPair,
    kid: String,
}

impl Key {
    fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { pair, kid: kid.to_owned() }
    }

    fn jwks(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])}]})
    }

    #[expect(clippy::needless_pass_by_value, reason = "calls read better with values")]
    fn sign(&self, issuer: &str, more: Value) -> String {
        let now = client::clock::Clock::now(&client::clock::SystemClock).as_second();
        let mut claims = json!({"iss": issuer, "aud": "kube", "exp": now + 86_400, "iat": now});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let encode = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encode(json!({"alg": "ES256", "kid": self.kid})), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Provider {
    /// It describes itself where its URL would have it and at `/described`. At `/groups` it tells whoever shows the token
    /// `sesame` in a token of its own that roles are many.
    pub(crate) async fn new(pki: &Pki) -> Self {
        let key = Arc::new(Mutex::new(Key::new("one")));
        let fetched = Arc::new(Mutex::new(0));
        let told = Arc::new(Mutex::new(0));
        let mut tasks = JoinSet::new();
        let (keys, count, groups) = (Arc::clone(&key), Arc::clone(&fetched), Arc::clone(&told));
        let url = serve(&mut tasks, pki, move |request: Request<Incoming>| {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            let url = format!("https://{host}");
            let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
            let (code, body) = match request.uri().path() {
                "/described" | "/.well-known/openid-configuration" => {
                    (200, json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string())
                }
                "/keys" => {
                    *count.lock() += 1;
                    (200, keys.lock().jwks().to_string())
                }
                "/groups" if authorization == Some("Bearer sesame") => {
                    *groups.lock() += 1;
                    let many: Vec<String> = (0..2000).map(|n| format!("role-{n:04}")).collect();
                    (200, keys.lock().sign(&url, json!({"roles": many})))
                }
                "/groups" => (403, String::new()),
                _ => (404, String::new()),
            };
            std::future::ready(Response::builder().status(code).body(Body::from(body)).unwrap())
        })
        .await;
        Self { url, key, fetched, told, _tasks: tasks }
    }

    pub(crate) fn change_key(&self, kid: &str) {
        *self.key.lock() = Key::new(kid);
    }

    pub(crate) fn times_fetched(&self) -> usize {
        *self.fetched.lock()
    }

    pub(crate) fn times_told(&self) -> usize {
        *self.told.lock()
    }

    /// A token for the audience `kube` that lasts a day, with more claims.
    pub(crate) fn token(&self, more: Value) -> String {
        self.key.lock().sign(&self.url, more)
    }
}
