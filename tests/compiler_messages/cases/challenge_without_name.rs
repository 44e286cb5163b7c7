use contiguity::{Client, NewOtp, Policy};

fn challenge(client: &Client) {
    let _ = NewOtp::to("+14155552671").language("en").challenge(client, Policy::DEFAULT);
}

fn main() {}
