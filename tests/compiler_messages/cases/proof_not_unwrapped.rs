use contiguity::{Verification, Verified};

fn log_in(_: Verified) {}

fn check(check: Verification) {
    log_in(check.proof());
}

fn main() {}
