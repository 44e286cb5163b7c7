use contiguity::{Client, NewOtp};

fn send(client: &Client) {
    let _ = NewOtp::to("+14155552671").send(client);
}

fn main() {}
