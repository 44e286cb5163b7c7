//! The smallest service there is: one connection, one thread, started before anything is counted. For what measures; tests
//! that cut and count use the server in `mod.rs`.

use std::io::{Read, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::thread;

/// Answers every request of the first connection to this address, until it ends. Gives the port.
pub(crate) fn respond(address: impl ToSocketAddrs, answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // Requests come one after the other, each in two pieces, head and body.
        let mut buffer = [0; 4096];
        let mut filled = 0;
        while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
            filled += read;
            let request = &buffer[..filled];
            if request.starts_with(b"GET") || request.ends_with(b"}") {
                if stream.write_all(&answer(request)).is_err() {
                    return;
                }
                filled = 0;
            }
        }
    });
    port
}
