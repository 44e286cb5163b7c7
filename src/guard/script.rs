//! `Script`: what a guard asks of Redis.

use std::fmt;

use super::store::Claim;

/// A call of the script that counts in Redis, for [`Redis::over`](super::Redis::over).
///
/// # Examples
///
/// ```
/// use contiguity::guard::Script;
///
/// /// The arguments of EVALSHA.
/// fn arguments(script: &Script) -> Vec<String> {
///     let mut arguments = vec![script.sha1().to_owned()];
///     arguments.push(script.keys().len().to_string());
///     arguments.extend_from_slice(script.keys());
///     arguments.extend_from_slice(script.args());
///     arguments
/// }
/// ```
pub struct Script {
    keys: Vec<String>,
    args: Vec<String>,
}

impl Script {
    pub(super) fn new(keys: Vec<String>, args: Vec<String>) -> Self {
        Self { keys, args }
    }

    pub(super) fn arg(&mut self, number: u64) {
        self.args.push(number.to_string());
    }

    pub(super) fn windows(&mut self, claim: &Claim<'_>) {
        self.arg(claim.windows.len() as u64);
        for window in claim.windows {
            self.arg(window.limit.most().into());
            self.arg(window.length);
        }
    }

    /// Returns the source in Lua, for `EVAL` and `SCRIPT LOAD`. It is always the same.
    #[must_use]
    pub fn source(&self) -> &'static str {
        SOURCE
    }

    /// Returns the SHA-1 of the source, for `EVALSHA`.
    #[must_use]
    pub fn sha1(&self) -> &'static str {
        SHA1
    }

    /// Returns the keys. All have one hash tag.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Returns the arguments.
    #[must_use]
    pub fn args(&self) -> &[String] {
        &self.args
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("sha1", &SHA1).field("operation", &self.args.first()).finish_non_exhaustive()
    }
}

const SOURCE: &str = include_str!("count.lua");

/// A test compares it with the hash that Redis returns.
const SHA1: &str = "f15378d8c8809ac21988a4c650a898fb9cefd3be";
