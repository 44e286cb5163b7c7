//! Connections to one Redis server, for `Redis::connect`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Client, Connection, ErrorKind, RedisError, ServerErrorKind, Value};

use super::script::Script;
use super::store::{LOG_TARGET, StoreError};
use crate::error::Error;

/// Connections that are not in use, and how to open another.
pub(super) struct Pool {
    client: Client,
    idle: Mutex<Vec<Connection>>,
    timeout: Duration,
}

impl Pool {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        // The URL may contain a password, and errors may quote it.
        let client = Client::open(url).map_err(|_| {
            Error::config(
                "the Redis URL cannot be used; give one such as redis://127.0.0.1:6379, and for TLS use `Redis::over`",
            )
        })?;
        Ok(Self { client, idle: Mutex::default(), timeout: TIMEOUT })
    }

    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.max(Duration::from_millis(1));
        self.idle().clear();
    }

    /// Warns of a server that is unreachable or has no counts.
    pub(super) fn look_around(&self) {
        let size = self.open().and_then(|mut connection| redis::cmd("DBSIZE").query::<u64>(&mut connection));
        match size {
            Ok(0) => log::warn!(target: LOG_TARGET, "the Redis database is empty; all limits begin at zero"),
            Ok(_) => {}
            Err(error) => {
                log::warn!(target: LOG_TARGET, "Redis is unavailable at start: {}", in_words(&error));
            }
        }
    }

    pub(super) fn run(&self, script: &Script) -> Result<Vec<i64>, StoreError> {
        let fresh = || self.open().and_then(|connection| self.run_on(connection, script));
        let kept = self.idle().pop();
        let was_kept = kept.is_some();
        let mut result = kept.map_or_else(fresh, |connection| self.run_on(connection, script));
        // A server that was restarted has closed kept connections. If the retry makes an event count
        // twice, that is on the safe side. Giving back twice would not be.
        let is_repeatable = script.args().first().is_none_or(|operation| operation != "give");
        let is_dead = result.as_ref().is_err_and(|error| error.is_connection_dropped() && !error.is_timeout());
        if was_kept && is_dead && is_repeatable {
            self.idle().clear();
            result = fresh();
        }
        result.map_err(|error| StoreError::with_source(in_words(&error), error))
    }

    /// Keeps the connection if it can be used again.
    fn run_on(&self, mut connection: Connection, script: &Script) -> Result<Vec<i64>, RedisError> {
        let mut result = call("EVALSHA", script.sha1(), script, &mut connection);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            result = call("EVAL", script.source(), script, &mut connection);
        }
        // After an error that is not the server's, a late response could reach the next call.
        if result.as_ref().map_or_else(|error| error.code().is_some(), |_| true) {
            let mut idle = self.idle();
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        }
        result
    }

    fn open(&self) -> Result<Connection, RedisError> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn call(command: &str, what: &str, script: &Script, connection: &mut Connection) -> Result<Vec<i64>, RedisError> {
    let mut command = redis::cmd(command);
    command.arg(what).arg(script.keys().len()).arg(script.keys()).arg(script.args());
    integers(command.query(connection)?)
}

fn integers(value: Value) -> Result<Vec<i64>, RedisError> {
    match value {
        Value::Array(values) => {
            values.iter().map(redis::from_redis_value_ref).collect::<Result<_, _>>().map_err(Into::into)
        }
        value => {
            Err((ErrorKind::UnexpectedReturnType, "not an array", format!("{} bytes", size_of_val(&value))).into())
        }
    }
}

/// Reads what a server sent as the responses to scripts, for the fuzz targets.
#[cfg(fuzzing)]
pub fn responses(mut sent: impl std::io::Read) -> impl FnMut() -> Result<Vec<i64>, StoreError> {
    let mut parser = redis::Parser::new();
    move || {
        let value = parser.parse_value(&mut sent).and_then(Value::extract_error);
        value.and_then(integers).map_err(|error| StoreError::with_source(in_words(&error), error))
    }
}

/// A message without the server's text.
fn in_words(error: &RedisError) -> String {
    if error.is_timeout() {
        return "Redis did not respond in time".to_owned();
    }
    if error.is_connection_refusal() {
        return "Redis refused the connection".to_owned();
    }
    match error.code() {
        // A word in capitals, such as READONLY.
        Some(code) if code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => format!("Redis returned {code}"),
        _ => format!("no response from Redis: {}", error.category()),
    }
}

/// A person waits for it.
const TIMEOUT: Duration = Duration::from_millis(500);

/// As many as one process is likely to use at once.
const MAX_IDLE: usize = 32;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use super::{Pool, Script};

    /// Returns the message of a call to a server that sends this and then waits.
    fn message(response: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            // A command begins with a star. The client sends some of its own first.
            while let Ok(length @ 1..) = socket.read(&mut buffer) {
                let commands = String::from_utf8_lossy(&buffer[..length]).matches('*').count();
                if socket.write_all(&response.repeat(commands)).is_err() {
                    break;
                }
            }
        });
        let mut pool = Pool::new(&url).unwrap();
        pool.set_timeout(Duration::from_millis(if response.is_empty() { 200 } else { 10_000 }));
        let error = pool.run(&Script::new(vec!["key".to_owned()], Vec::new())).unwrap_err();
        drop(pool);
        server.join().unwrap();
        error.to_string()
    }

    #[test]
    fn a_server_that_cannot_count_is_named_without_its_text() {
        for (response, expected) in [
            (&b""[..], "Redis did not respond in time"),
            (b"-READONLY You can't write against a read only replica.\r\n", "Redis returned READONLY"),
            (b"-OOM command not allowed\r\n", "Redis returned OOM"),
        ] {
            assert_eq!(message(response), expected);
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let pool = Pool::new(&format!("redis://{closed}")).unwrap();
        let error = pool.run(&Script::new(Vec::new(), Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "Redis refused the connection");
    }
}
