//! Whether the body of a request was handed over.

use std::io::{self, Read};

/// A request's body that records whether it was ever asked for.
///
/// ureq asks for a body only after it has written the whole head. So a body that was never asked for was never sent, and
/// its request, whose head promises one, was never acted on. The error does not tell: a reset in the TLS
/// handshake and one after the response began are the same value.
pub(super) struct Probe<'a> {
    body: &'a [u8],
    was_asked: bool,
}

impl<'a> Probe<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, was_asked: false }
    }

    pub(super) fn was_asked(&self) -> bool {
        self.was_asked
    }
}

impl Read for Probe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.was_asked = true;
        self.body.read(buffer)
    }
}
