use contiguity::{Client, NewOtp};

fn send(client: &Client) {
    let _ = NewOtp::to("+14155552671").name("MyApp").send(client);
}

fn main() {}
