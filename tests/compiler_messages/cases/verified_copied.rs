use contiguity::Verified;

fn copy(proof: &Verified) -> Verified {
    proof.clone()
}

fn main() {}
