use contiguity::{Metadata, Verification};

fn fake() -> Verification {
    Verification { verified: true, metadata: Metadata::default() }
}

fn main() {}
