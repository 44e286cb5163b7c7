use contiguity::{Client, NewOtp};

fn send(client: &Client) {
    let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    let _ = request.clone().send(client);
}

fn main() {}
