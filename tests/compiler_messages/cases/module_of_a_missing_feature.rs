use contiguity::qr;
use contiguity::sandbox::Sandbox;
use contiguity::webhook::Verifier;

fn main() {}
