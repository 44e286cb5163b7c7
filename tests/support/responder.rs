//! A minimal service for tests that measure: one connection, on one thread that starts before anything
//! is counted.

use std::io::{Read, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::thread;

/// Responds to every request of the first connection to this address, and returns the port.
pub(crate) fn respond(address: impl ToSocketAddrs, response: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // A request may be received in two pieces, head and body.
        let mut buffer = [0; 4096];
        let mut filled = 0;
        while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
            filled += read;
            let request = &buffer[..filled];
            if request.starts_with(b"GET") || request.ends_with(b"}") {
                if stream.write_all(&response(request)).is_err() {
                    return;
                }
                filled = 0;
            }
        }
    });
    port
}
