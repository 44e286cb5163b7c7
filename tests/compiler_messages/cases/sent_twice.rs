use contiguity::{Client, NewOtp};

fn send(client: &Client) {
    let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    let _ = request.send(client);
    let _ = request.send(client);
}

fn main() {}
