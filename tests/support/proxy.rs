//! A CONNECT proxy on loopback.

#![allow(dead_code, reason = "not every test looks at what the proxy heard")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::KEY;

/// A proxy that connects every client to one port of this machine, whatever name the client gives,
/// and listens in.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// The heads of the requests to connect.
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
    /// The key, as often as it passed in clear text.
    pub(crate) leaked: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, leaked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let proxy = Self { port, heard: Arc::clone(&heard), leaked: Arc::clone(&leaked) };
        // Ends with the process.
        thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                let mut asked = String::new();
                let mut lines = BufReader::new(client.try_clone().unwrap());
                while !asked.ends_with("\r\n\r\n") && lines.read_line(&mut asked).is_ok_and(|read| read > 0) {}
                heard.lock().unwrap().push(asked);
                let service = TcpStream::connect(("127.0.0.1", target)).unwrap();
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
                let (onward, back) = (service.try_clone().unwrap(), client.try_clone().unwrap());
                let leaked = Arc::clone(&leaked);
                thread::spawn(move || pass_on(lines, onward, &leaked));
                thread::spawn(move || pass_on(service, back, &Mutex::default()));
            }
        });
        proxy
    }
}

fn pass_on(mut from: impl Read, mut to: TcpStream, leaked: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if bytes[..read].windows(KEY.len()).any(|window| window == KEY.as_bytes()) {
            leaked.lock().unwrap().extend_from_slice(KEY.as_bytes());
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
