use contiguity::{Client, NewOtp};

fn send(client: Client) {
    let _ = NewOtp::to("+14155552671").language("en").name("MyApp").send(client);
}

fn main() {}
