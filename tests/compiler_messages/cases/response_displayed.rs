use contiguity::{SentOtp, Verification};

fn show(sent: &SentOtp, check: &Verification) {
    println!("{sent}");
    println!("{check}");
}

fn main() {}
