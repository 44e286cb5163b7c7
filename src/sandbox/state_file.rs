//! The file that keeps a sandbox's state when its process ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sandbox::saved::SavedState;
use crate::webhook::Verifier;

pub(super) struct StateFile {
    path: PathBuf,
}

/// What the file contains, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// The version of this format.
    contiguity_sandbox: u32,
    /// Kept, so that receivers of webhooks need no new one after a restart.
    pub(super) webhook_secret: String,
    pub(super) state: SavedState,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the content, or `None` if there is no file yet.
    pub(super) fn read(&self) -> io::Result<Option<Content>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error("read", &error)),
        };
        Content::read(&bytes).map(Some).map_err(|problem| {
            let path = self.path.display();
            let advice = "it was left as it is; choose another file, or delete it to start over";
            io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not a state file: {problem}; {advice}"))
        })
    }

    /// Writes a new file and gives it the name of the old one, so that the file is always whole. A
    /// crash of the system may lose the last changes, since each would otherwise wait for the disk.
    pub(super) fn write(&self, webhook_secret: &str, state: SavedState) -> io::Result<()> {
        let json = Content::write(webhook_secret, state);
        let new = with_suffix(&self.path, ".new");
        fs::write(&new, json).and_then(|()| fs::rename(&new, &self.path)).map_err(|error| self.error("written", &error))
    }

    fn error(&self, verb: &str, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("the state file {} cannot be {verb}: {error}", self.path.display()))
    }
}

impl Content {
    /// Reads a file, or returns what is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        // serde's own message may quote the file, which contains codes and numbers.
        let content: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("invalid at line {}, column {}", error.line(), error.column()))?;
        if content.contiguity_sandbox != FORMAT {
            return Err(format!("format {} is not supported by this version", content.contiguity_sandbox));
        }
        if Verifier::new(&content.webhook_secret).is_err() {
            return Err("the webhook secret is not valid".to_owned());
        }
        match content.state.problem() {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(content),
        }
    }

    pub(super) fn write(webhook_secret: &str, state: SavedState) -> Vec<u8> {
        let content = Self { contiguity_sandbox: FORMAT, webhook_secret: webhook_secret.to_owned(), state };
        serde_json::to_vec(&content).expect("times since 1970, numbers and text are valid JSON")
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

const FORMAT: u32 = 1;
