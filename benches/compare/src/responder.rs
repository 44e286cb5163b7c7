//! The service, as small as it can be: it answers every request at once, and counts connections.
//!
//! It runs as a process of its own, so that its work is in nobody's numbers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, io, process, thread};

use crate::contestants::{OTP_ID, REASON, REFUSED, SESSION_ID, content_length};

/// A responder in a process beside this one. It ends with this value, or with this process.
pub struct Responder {
    pub port: u16,
    child: Child,
    // Its end is the child's.
    _input: ChildStdin,
}

impl Responder {
    /// `place` is on-one-processor or on-all-processors.
    pub fn start(place: &str) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["responder", place])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut port = [0; 2];
        child.stdout.take().expect("its output").read_exact(&mut port).expect("its port");
        let input = child.stdin.take().expect("its input");
        Self { port: u16::from_be_bytes(port), child, _input: input }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Connections accepted since this was last asked.
    pub fn connections(&self) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the responder");
        stream.write_all(b"GET /connections HTTP/1.1\r\n\r\n").expect("a connection");
        let mut number = [0; 8];
        stream.read_exact(&mut number).expect("a number");
        usize::from_be_bytes(number)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the standard input ends. Writes its port to the standard output, as two bytes.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    io::stdout().write_all(&port.to_be_bytes()).expect("the parent");
    io::stdout().flush().expect("the parent");
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let opened = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        opened.fetch_add(1, Ordering::Relaxed);
        let opened = Arc::clone(&opened);
        thread::spawn(move || answer_all(&stream, &opened));
    }
}

fn answer_all(mut stream: &TcpStream, opened: &AtomicUsize) {
    let _ = stream.set_nodelay(true);
    let sent = answer("200 OK", "response", &format!(r#"{{"otp_id":"{OTP_ID}"}}"#));
    let session = answer(
        "200 OK",
        "response",
        &format!(r#"{{"otp_id":"{SESSION_ID}","status":"pending","expires_at":"2026-02-01T12:00:00.000Z"}}"#),
    );
    let refusal = answer("400 Bad Request", "error", &format!(r#"{{"error":"{REASON}","status":400}}"#));
    let mut buffer = [0; 4096];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        let Some(head) = buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let body = &buffer[head + 4..filled];
        if body.len() < content_length(&buffer[..head]) {
            continue;
        }
        let answer = if buffer.starts_with(b"GET /connections") {
            // The one that asks does not count.
            let _ = stream.write_all(&(opened.swap(0, Ordering::Relaxed) - 1).to_be_bytes());
            return;
        } else if buffer.starts_with(b"GET ") {
            &session
        } else if body.windows(REFUSED.len()).any(|name| name == REFUSED.as_bytes()) {
            &refusal
        } else {
            &sent
        };
        if stream.write_all(answer).is_err() {
            return;
        }
        filled = 0;
    }
}

fn answer(status: &str, object: &str, data: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"id":"req_0123456789abcdef","timestamp":1785380854155,"api_version":"v2026.7.29","object":"{object}","data":{data}}}"#
    );
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
