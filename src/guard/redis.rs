//! `Redis`: counts that several processes share.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(feature = "redis")]
use super::connection::Pool;
use super::script::Script;
use super::store::{Claim, Decision, NOTE_LIFETIME, Return, Store, StoreError};
use crate::error::Error;
use crate::gate::{from_unix_ms, unix_ms};

/// A [`Store`] in Redis 6 or later, or Valkey, that several processes share.
///
/// [`connect`] (feature `redis`) opens connections of its own. [`over`](Self::over) runs a script
/// over the Redis client that you already have, of any kind: a pool, a cluster, sentinels, TLS.
///
/// [`connect`]: https://docs.rs/contiguity/latest/contiguity/guard/struct.Redis.html#method.connect
///
/// A decision is one call of one script, which reads the clock of the server. All keys have a time
/// to live and one hash tag, so they are on one node of a cluster. Keys are an HMAC of the subject
/// with your secret, so Redis never receives a number, a caller or an OTP id. All processes need
/// the same secret.
///
/// # What a restart of Redis loses
///
/// - With an append-only file: nothing.
/// - With save points: nothing after a clean stop, and all counts since the last save point after a
///   crash.
/// - Without persistence: all counts.
///
/// If Redis evicts keys to free memory, it evicts limits. Set `maxmemory-policy` to `noeviction`: a
/// full server then refuses to write, and the guard follows
/// [`when_away`](super::GuardBuilder::when_away).
///
/// # Examples
///
/// Over a client of your own. This one is of the crate `redis` with its feature `tls-rustls`:
///
#[cfg_attr(feature = "redis", doc = "```no_run")]
#[cfg_attr(not(feature = "redis"), doc = "```ignore")]
/// use contiguity::Limit;
/// use contiguity::guard::{Guard, Redis, Script};
/// use redis::{ConnectionLike, ErrorKind, RedisResult, ServerErrorKind};
///
/// /// Runs a script. The server knows it by its hash, unless it is new there.
/// fn run(
///     script: &Script,
///     connection: &mut impl ConnectionLike,
/// ) -> RedisResult<Vec<i64>> {
///     let mut call = |command: &str, text: &str| {
///         redis::cmd(command)
///             .arg(text)
///             .arg(script.keys().len())
///             .arg(script.keys())
///             .arg(script.args())
///             .query(connection)
///     };
///     let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
///     match call("EVALSHA", script.sha1()) {
///         Err(error) if error.kind() == unknown => call("EVAL", script.source()),
///         result => result,
///     }
/// }
///
/// let client = redis::Client::open("rediss://redis.example.com:6380")?;
/// let store = Redis::over("a secret of at least 16 bytes", move |script| {
///     // In production, take the connection from a pool, such as r2d2.
///     run(script, &mut client.get_connection()?)
/// })?;
/// let guard = Guard::total(Limit::per_day(2_000))
///     .only(["US"])
///     .shared(store)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Redis {
    server: Server,
    secret: Hmac<Sha256>,
    prefix: String,
}

/// Runs a script.
enum Server {
    Custom(Box<Run>),
    #[cfg(feature = "redis")]
    Connected(Pool),
}

type Run = dyn Fn(&Script) -> Result<Vec<i64>, StoreError> + Send + Sync;

impl Redis {
    /// Creates a store over your own Redis client.
    ///
    /// `run` runs the script and returns its response, an array of integers. It must not run the
    /// script again after a timeout. Use a short timeout, since a person is waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the secret has fewer than 16 bytes.
    pub fn over<E>(
        secret: impl AsRef<[u8]>,
        run: impl Fn(&Script) -> Result<Vec<i64>, E> + Send + Sync + 'static,
    ) -> Result<Self, Error>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let run = move |script: &Script| {
            run(script).map_err(|error| StoreError::with_source("the Redis client returned an error", error))
        };
        Self::new(secret.as_ref(), Server::Custom(Box::new(run)))
    }

    /// Connects to a server, such as `redis://127.0.0.1:6379` or
    /// `redis://user:password@host:6379/0`.
    ///
    /// Connections are kept and reused. The server has 500 milliseconds to respond, see
    /// [`timeout`](Self::timeout). An unreachable server is not an error here: the guard follows
    /// [`when_away`](super::GuardBuilder::when_away) until the server is reachable. For TLS, a
    /// cluster or sentinels use [`over`](Self::over).
    ///
    /// Logs a warning if the server is unreachable, or if its database is empty and all limits
    /// therefore begin at zero.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the URL cannot be used, or the secret has fewer than 16 bytes.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use contiguity::Limit;
    /// use contiguity::guard::{Guard, Redis};
    ///
    /// let secret = std::env::var("GUARD_SECRET").unwrap_or_default();
    /// let store = Redis::connect("redis://127.0.0.1:6379", secret)?;
    /// let guard = Guard::total(Limit::per_day(2_000))
    ///     .only(["US"])
    ///     .shared(store)
    ///     .build()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    #[cfg(feature = "redis")]
    pub fn connect(url: &str, secret: impl AsRef<[u8]>) -> Result<Self, Error> {
        let pool = Pool::new(url)?;
        let redis = Self::new(secret.as_ref(), Server::Connected(pool))?;
        if let Server::Connected(pool) = &redis.server {
            pool.look_around();
        }
        Ok(redis)
    }

    /// Sets how long a server may take to accept a connection, and then to respond.
    ///
    /// Defaults to 500 milliseconds. It has no effect on a store [`over`](Self::over) another
    /// client.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Server::Connected(pool) = &mut self.server {
            pool.set_timeout(timeout);
        }
        self
    }

    /// Sets what every key begins with, for several programs in one database.
    ///
    /// Defaults to `contiguity`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the prefix is blank, or has a brace or a control character. The prefix
    /// is the keys' hash tag, which braces enclose.
    pub fn prefix(self, prefix: impl Into<String>) -> Result<Self, Error> {
        let prefix = prefix.into();
        if prefix.trim().is_empty() || prefix.contains(|c: char| matches!(c, '{' | '}') || c.is_control()) {
            return Err(Error::config("the prefix of Redis keys is blank, or has a brace or a control character"));
        }
        Ok(Self { prefix, ..self })
    }

    fn new(secret: &[u8], server: Server) -> Result<Self, Error> {
        if secret.len() < MIN_SECRET {
            return Err(Error::config("the secret of a shared guard has fewer than 16 bytes; use a random one of 32"));
        }
        let secret = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Ok(Self { server, secret, prefix: "contiguity".to_owned() })
    }

    fn run(&self, script: &Script) -> Result<Vec<i64>, StoreError> {
        match &self.server {
            Server::Custom(run) => run(script),
            #[cfg(feature = "redis")]
            Server::Connected(pool) => pool.run(script),
        }
    }

    /// 128 bits are enough for two subjects never to share a key.
    fn key(&self, kind: &str, subject: &[u8]) -> String {
        let mut hash = [0; 16];
        hash.copy_from_slice(&self.hmac(kind, subject)[..16]);
        format!("{{{}}}:{:032x}", self.prefix, u128::from_be_bytes(hash))
    }

    fn hmac(&self, kind: &str, subject: &[u8]) -> [u8; 32] {
        let mut hmac = self.secret.clone();
        hmac.update(kind.as_bytes());
        // No kind has a zero in it, so that no kind and subject are another's.
        hmac.update(&[0]);
        hmac.update(subject);
        hmac.finalize().into_bytes().into()
    }

    /// Hides a note, or shows a hidden one: the HMAC of an id is as good as a random key that is
    /// used for this id only.
    fn seal(&self, otp_id: &str, note: &[u8]) -> Vec<u8> {
        self.hmac("seal", otp_id.as_bytes()).iter().zip(note).map(|(key, byte)| key ^ byte).collect()
    }

    fn script<'a>(&self, operation: &'static str, claims: impl Iterator<Item = &'a Claim<'a>>) -> Script {
        let keys = claims.map(|claim| self.key(claim.kind.as_str(), claim.subject)).collect();
        Script::new(keys, vec![operation.to_owned()])
    }
}

impl Store for Redis {
    fn take(&self, claims: &[Claim<'_>], _: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
        let mut script = self.script("take", claims.iter());
        for claim in claims {
            script.windows(claim);
        }
        match *self.run(&script)? {
            [1, now] => Ok(Decision::Granted { at: from_unix_ms(now.unsigned_abs()) }),
            [0, wait, claim, limit] => Ok(Decision::Refused {
                claim: usize::try_from(claim).map_err(|_| unexpected())?,
                limit: usize::try_from(limit).map_err(|_| unexpected())?,
                retry_after: Duration::from_millis(u64::try_from(wait).map_err(|_| unexpected())?),
            }),
            _ => Err(unexpected()),
        }
    }

    fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError> {
        let mut script = self.script("give", returns.iter().map(|back| &back.claim));
        for back in returns {
            script.arg(unix_ms(back.at));
            script.arg(back.count.into());
            script.windows(&back.claim);
        }
        self.run(&script).map(drop)
    }

    fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError> {
        self.run(&self.script("forget", claims.iter())).map(drop)
    }

    fn remember(&self, otp_id: &str, note: &[u8], _: &dyn Fn() -> SystemTime) -> Result<(), StoreError> {
        let mut padded = vec![u8::try_from(note.len()).unwrap_or(u8::MAX)];
        padded.extend(note);
        if padded.len() > SEALED {
            return Err(StoreError::new("a note is too long for Redis"));
        }
        padded.resize(SEALED, 0);
        let mut sealed = String::with_capacity(2 * SEALED);
        for byte in self.seal(otp_id, &padded) {
            sealed += &format!("{byte:02x}");
        }
        let args = vec!["remember".to_owned(), NOTE_LIFETIME.as_millis().to_string(), sealed];
        self.run(&Script::new(vec![self.key("note", otp_id.as_bytes())], args)).map(drop)
    }

    fn recall(&self, otp_id: &str, _: &dyn Fn() -> SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let script = Script::new(vec![self.key("note", otp_id.as_bytes())], vec!["recall".to_owned()]);
        let text: Vec<u8> = self.run(&script)?.into_iter().filter_map(|byte| u8::try_from(byte).ok()).collect();
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let sealed: Option<Vec<u8>> = text.chunks(2).map(digits).collect();
        let Some(sealed) = sealed.filter(|sealed| sealed.len() == SEALED) else { return Ok(None) };
        let padded = self.seal(otp_id, &sealed);
        let note = padded.split_first().and_then(|(length, rest)| rest.get(..usize::from(*length)));
        Ok(note.map(<[u8]>::to_vec))
    }
}

/// The prefix only.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn unexpected() -> StoreError {
    StoreError::new("Redis returned an unexpected response")
}

/// Bytes of a sealed note: those of an HMAC.
const SEALED: usize = 32;

/// Shorter secrets can be guessed. 16 random bytes cannot.
const MIN_SECRET: usize = 16;
