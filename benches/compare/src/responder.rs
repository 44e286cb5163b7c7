//! The service, as small as possible: it responds to every request at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::contestants::{OTP_ID, REASON, REFUSED, SESSION_ID};

/// Starts a server on loopback and returns its base URL. It runs in this process, which is not
/// measured. `header` is added to each response: `Connection: close` or nothing.
pub fn start(tls: Option<Arc<ServerConfig>>, header: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = tls.clone();
            // An error is the end of a connection, which contestants may close at any time.
            thread::spawn(move || {
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return respond(stream, header) };
                let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
                respond(StreamOwned::new(connection, stream), header)
            });
        }
    });
    url
}

fn respond(mut stream: impl Read + Write, header: &str) -> io::Result<()> {
    let response = |status, data| {
        let metadata = r#""id":"req_0123456789abcdef","timestamp":1785380854155,"api_version":"v2026.7.29""#;
        let body = format!(r#"{{{metadata},"object":"response","data":{{{data}}}}}"#);
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{header}\r\n{body}")
    };
    let sent = response("200 OK", format!(r#""otp_id":"{OTP_ID}""#));
    let session = format!(r#""otp_id":"{SESSION_ID}","status":"pending","expires_at":"2026-02-01T12:00:00.000Z""#);
    let session = response("200 OK", session);
    let refusal = response("400 Bad Request", format!(r#""error":"{REASON}","status":400"#));
    loop {
        let (head, body) = read_message(&mut stream)?;
        let post = if body.contains(REFUSED) { &refusal } else { &sent };
        let response = if head.starts_with("GET ") { &session } else { post };
        stream.write_all(response.as_bytes())?;
        stream.flush()?;
        if !header.is_empty() {
            return Ok(());
        }
    }
}

/// Reads one HTTP message. Returns its head and its body.
pub fn read_message(stream: &mut impl Read) -> io::Result<(String, String)> {
    let mut reader = BufReader::with_capacity(1024, stream);
    let mut head = String::with_capacity(1024);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    let mut body = String::with_capacity(1024);
    reader.take(length).read_to_string(&mut body)?;
    Ok((head, body))
}
